//! A token that meets a demand, as a value that cannot be made otherwise.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::DeserializeOwned;

use crate::demand::Requirement;
use crate::reject::Rejection;
use crate::token::{Authenticated, Token};

/// The proof that a request's token meets `R`; dereferences to [`Token<C>`].
///
/// As an extractor it guards a handler; passed on by reference it lets an inner function be called only with the proof:
///
/// ```
/// use tower_oauth::Granted;
///
/// tower_oauth::scopes! { pub WriteOrders = "orders:write"; }
///
/// async fn cancel(grant: Granted<WriteOrders>) {
///     refund(&grant);
/// }
///
/// fn refund(_proof: &Granted<WriteOrders>) {}
/// # fn main() {}
/// ```
pub struct Granted<R, C = ()> {
    token: Token<C>,
    requirement: PhantomData<fn() -> R>,
}

impl<R: Requirement, C: DeserializeOwned + Send + Sync + 'static> Granted<R, C> {
    /// Checks a verified request against the requirement, as the extractor does; for services without axum. It waits
    /// only where the requirement wants the issuer asked.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with when the token does not meet it, lacks the claims, or could not be judged.
    pub async fn check(authenticated: &Authenticated) -> Result<Self, Rejection> {
        Self::read(authenticated.proves(&R::DEMAND).await?)
    }

    /// The demand was met; what is left is to read the claims.
    pub(super) fn read(proved: Authenticated) -> Result<Self, Rejection> {
        Ok(Self { token: Token::read(proved)?, requirement: PhantomData })
    }
}

impl<R, C> Granted<R, C> {
    /// The token alone, without the proof.
    #[must_use]
    pub fn into_token(self) -> Token<C> {
        self.token
    }
}

impl<R, C> Clone for Granted<R, C> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), requirement: PhantomData }
    }
}

impl<R, C> Deref for Granted<R, C> {
    type Target = Token<C>;

    fn deref(&self) -> &Token<C> {
        &self.token
    }
}

impl<R: Requirement, C> fmt::Debug for Granted<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("demand", &R::DEMAND).field("token", &self.token).finish()
    }
}
