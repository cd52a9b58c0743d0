//! What was proved: [`Authenticated`] in a request's extensions, made only by a successful verification.

mod claims;
mod context;
mod typed;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use http::HeaderValue;
use serde::de::DeserializeOwned;

pub use claims::ClaimsError;
pub(crate) use claims::TypedClaims;
pub(crate) use context::Context;
pub use typed::Token;

use crate::credential::Scheme;
use crate::demand::{Demand, Facts};
use crate::dpop::proof::JudgedHeader;
use crate::jwt::verify::VerifiedJwt;
use crate::reject::{Cause, Rejection};
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Timestamp;

/// A request whose credential was verified. Cheap to clone.
///
/// The layer puts it into the request's extensions; [`Token`](crate::Token) and [`Granted`](crate::Granted) are the
/// extractors over it.
#[derive(Clone)]
pub struct Authenticated {
    verdict: Arc<VerdictRef>,
    presented: Secret<HeaderValue>,
    scheme: Scheme,
    nonce: Option<HeaderValue>,
}

/// The facts of one token, and what is needed to judge demands on it. Holds no token, so that it may be kept.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) issuer: Arc<str>,
    pub(crate) jwt: VerifiedJwt,
    pub(crate) context: Arc<Context>,
    pub(crate) typed: TypedClaims,
    /// The header of the proofs of the token's own client, once one was proved.
    pub(crate) proof_header: OnceLock<Arc<JudgedHeader>>,
}

/// A reference to a verdict with a count of its own: each thread's cache has one, so that threads that serve the same
/// hot token do not contend for one counter.
#[derive(Debug)]
pub(crate) struct VerdictRef(pub(crate) Arc<Verdict>);

impl Deref for VerdictRef {
    type Target = Verdict;

    fn deref(&self) -> &Verdict {
        &self.0
    }
}

impl Authenticated {
    pub(crate) const fn new(
        verdict: Arc<VerdictRef>,
        presented: HeaderValue,
        scheme: Scheme,
        nonce: Option<HeaderValue>,
    ) -> Self {
        Self { verdict, presented: Secret::new(presented), scheme, nonce }
    }

    /// For the client's next proof.
    pub(crate) const fn dpop_nonce(&self) -> Option<&HeaderValue> {
        self.nonce.as_ref()
    }

    pub(crate) fn context(&self) -> &Context {
        &self.verdict.context
    }

    /// On whose behalf the request is made: a user, or a client acting for itself (RFC 9068 section 5).
    #[must_use]
    pub fn principal(&self) -> Principal<'_> {
        let jwt = &self.verdict.jwt;
        match (jwt.is_user, jwt.subject(), jwt.client_id()) {
            (true, Some(subject), _) => Principal::User(subject),
            (_, _, Some(client)) => Principal::Client(client),
            (_, subject, None) => Principal::Client(subject.unwrap_or_default()),
        }
    }

    /// The `sub` claim. Unique only together with [`issuer`](Self::issuer).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.verdict.jwt.subject()
    }

    /// The client that the token was issued to.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.verdict.jwt.client_id()
    }

    /// The configured issuer whose key verified the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.verdict.issuer
    }

    /// The token's audiences, of which one is this service.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.verdict.jwt.audience()
    }

    /// The scopes as the token holds them, without those that the hierarchy adds.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.verdict.jwt.scopes
    }

    /// Whether the token grants `scope`, the hierarchy applied.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.context().hierarchy.grants(&self.verdict.jwt.scopes, scope)
    }

    /// The roles, from where the issuer's [`Profile`](crate::Profile) reads them.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.verdict.jwt.roles()
    }

    /// Whether the client proved, for this very request, that the token is its own (RFC 9449).
    #[must_use]
    pub fn is_sender_constrained(&self) -> bool {
        self.scheme == Scheme::Dpop
    }

    /// When the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        self.verdict.jwt.issued_at
    }

    /// When the token expires; the configured leeway comes on top.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.verdict.jwt.expires_at
    }

    /// The `jti` claim.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.verdict.jwt.token_id()
    }

    /// The `sid` claim: the session at the issuer.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.verdict.jwt.session_id()
    }

    /// The `acr` claim: how the user was authenticated.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.verdict.jwt.acr()
    }

    /// The `auth_time` claim: when the user logged in.
    #[must_use]
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.verdict.jwt.auth_time
    }

    /// The claims as a type of yours; unknown claims are passed over.
    ///
    /// Read once for each verdict and type, however often it is asked for.
    ///
    /// # Errors
    /// [`ClaimsError`] when a claim that the type needs is missing or has another type.
    pub fn claims<C: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<C>, ClaimsError> {
        self.verdict.typed.read(self.verdict.jwt.payload())
    }

    /// Whether the token meets `demand`; for decisions inside a handler.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with when it does not.
    pub fn meets(&self, demand: &Demand) -> Result<(), Rejection> {
        let (jwt, context) = (&self.verdict.jwt, self.context());
        let facts = Facts {
            scopes: &jwt.scopes,
            has_role: &|role| jwt.roles().any(|held| held == role),
            is_user: jwt.is_user,
            acr: jwt.acr(),
            auth_time: jwt.auth_time,
            sender_constrained: self.is_sender_constrained(),
        };
        match demand.unmet(&facts, &context.hierarchy, context.now()) {
            None => Ok(()),
            Some(unmet) => {
                Err(context.refuse(context.challenger.unmet(&unmet, self.scheme), Some(self.issuer()), true))
            }
        }
    }

    /// The claims as `C`, or the refusal of a token that lacks them.
    pub(crate) fn claims_or_reject<C: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<C>, Rejection> {
        self.claims().map_err(|ClaimsError { wanted, column }| {
            let context = self.context();
            context.refuse(
                context.challenger.unfit_token(Cause::ClaimsMismatch { wanted, column }, self.scheme),
                Some(self.issuer()),
                true,
            )
        })
    }

    /// The token as the client sent it, for an exchange at the issuer (RFC 8693).
    ///
    /// It is valid for this service alone; sending it on to another one hands over the user's rights here.
    #[must_use]
    pub fn presented_token(&self) -> Secret<String> {
        let value = self.presented.expose().to_str().unwrap_or_default();
        Secret::new(value.rsplit(' ').next().unwrap_or_default().to_owned())
    }
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("issuer", &self.issuer())
            .field("principal", &self.principal())
            .field("scopes", &self.scopes().as_str())
            .finish_non_exhaustive()
    }
}

/// A request without a credential that an optional layer, a public path or a CORS preflight let through.
#[derive(Clone)]
pub struct Anonymous {
    context: Arc<Context>,
}

impl Anonymous {
    pub(crate) const fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// The refusal of a request that needs a token after all; it names what `demand` asks for.
    pub(crate) fn reject(&self, demand: &Demand) -> Rejection {
        let rejection = self.context.challenger.credentials_missing(&demand.challenge_scopes());
        self.context.refuse(rejection, None, false)
    }
}

impl fmt::Debug for Anonymous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anonymous")
    }
}

/// On whose behalf a request is made. Displays as the bare identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal<'a> {
    /// A user, by `sub`.
    User(&'a str),
    /// A client acting for itself, by its client identifier.
    Client(&'a str),
}

impl<'a> Principal<'a> {
    /// The identifier, unique within its issuer and kind.
    #[must_use]
    pub const fn id(self) -> &'a str {
        match self {
            Self::User(id) | Self::Client(id) => id,
        }
    }

    /// Whether it is a user.
    #[must_use]
    pub const fn is_user(self) -> bool {
        matches!(self, Self::User(_))
    }
}

impl fmt::Display for Principal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
