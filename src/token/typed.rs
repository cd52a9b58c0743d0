//! An authenticated request together with the claims that the service reads.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{Authenticated, Principal};
use crate::reject::Rejection;
use crate::scope::ScopeSet;

/// A verified token and its claims as `C`: any `Deserialize` type, to which the token dereferences.
///
/// An extractor for axum, and what [`OAuthLayer::claims`](crate::OAuthLayer::claims) puts into the extensions. `Token`
/// alone asks for no claims and costs nothing beyond the verdict.
///
/// ```
/// use serde::Deserialize;
/// use tower_oauth::Token;
///
/// #[derive(Deserialize)]
/// struct Shop {
///     tenant: String,
/// }
///
/// async fn orders(token: Token<Shop>) -> String {
///     format!("{} at {}", token.principal(), token.tenant)
/// }
/// ```
pub struct Token<C = ()> {
    authenticated: Authenticated,
    claims: Arc<C>,
}

impl<C> Token<C> {
    /// On whose behalf the request is made.
    #[must_use]
    pub fn principal(&self) -> Principal<'_> {
        self.authenticated.principal()
    }

    /// The `sub` claim. Unique only together with [`issuer`](Self::issuer).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.authenticated.subject()
    }

    /// The client that the token was issued to.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.authenticated.client_id()
    }

    /// The configured issuer whose key verified the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.authenticated.issuer()
    }

    /// The scopes as the token holds them.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        self.authenticated.scopes()
    }

    /// Whether the token grants `scope`, the hierarchy applied.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.authenticated.has_scope(scope)
    }

    /// Everything else that was proved.
    #[must_use]
    pub const fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }

    /// The claims alone.
    #[must_use]
    pub fn into_claims(self) -> Arc<C> {
        self.claims
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Token<C> {
    /// Reads the claims; a token that lacks them is refused.
    pub(crate) fn read(authenticated: Authenticated) -> Result<Self, Rejection> {
        let claims = authenticated.claims_or_reject()?;
        Ok(Self { authenticated, claims })
    }
}

impl<C> Clone for Token<C> {
    fn clone(&self) -> Self {
        Self { authenticated: self.authenticated.clone(), claims: Arc::clone(&self.claims) }
    }
}

impl<C> Deref for Token<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.claims
    }
}

/// The claims are left out: whether they may be printed is the service's decision.
impl<C> fmt::Debug for Token<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.authenticated).finish()
    }
}
