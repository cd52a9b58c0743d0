//! One opaque token: no resource server can read it, so each must ask (RFC 7662).

use std::fmt;
use std::sync::Arc;

use crate::mint::MintError;
use crate::mint::authority::Authority;
use crate::mint::claim_set::{ClaimSet, access_token_claims};

/// Builds one opaque access token. What introspection will say of it is what a [`TokenBuilder`] would sign, and is said
/// in the same words.
///
/// ```
/// use tower_oauth::test::TestIssuer;
///
/// let issuer = TestIssuer::new("https://login.test");
/// let token = issuer.opaque_token_for("https://api.test").scope("orders:read").starting("opq_").issue();
/// assert!(token.starts_with("opq_"));
/// issuer.revoke(&token);
/// ```
///
/// [`TokenBuilder`]: crate::mint::token::TokenBuilder
#[derive(Clone)]
#[must_use = "a builder makes no token until `issue`"]
pub struct OpaqueTokenBuilder {
    authority: Arc<Authority>,
    claims: ClaimSet,
    prefix: String,
}

access_token_claims!(OpaqueTokenBuilder);

impl OpaqueTokenBuilder {
    pub(crate) fn new(authority: &Arc<Authority>) -> Self {
        let claims = ClaimSet::new(authority.issuer(), authority.now());
        Self { authority: Arc::clone(authority), claims, prefix: String::new() }
    }

    /// The text that the token starts with, by which issuers of opaque tokens are told apart; 256 random bits follow.
    pub fn starting(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// `token_type` of the answer, in place of the one that follows from the binding.
    pub fn token_type(self, token_type: impl Into<String>) -> Self {
        self.set("token_type", token_type.into())
    }

    /// The token, which the issuer knows from now on.
    ///
    /// # Panics
    /// When a claim cannot be written as JSON, the system has no randomness, or 65 536 tokens of this issuer are alive.
    #[must_use]
    #[expect(clippy::expect_used, reason = "for the authors of tests; what a network reaches calls `try_issue`")]
    pub fn issue(&self) -> String {
        self.try_issue().expect("the token could not be made")
    }

    pub(crate) fn try_issue(&self) -> Result<String, MintError> {
        self.authority.issue_opaque(&self.prefix, self.claims.build()?)
    }
}

impl fmt::Debug for OpaqueTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueTokenBuilder").field("issuer", &self.authority.issuer()).finish_non_exhaustive()
    }
}
