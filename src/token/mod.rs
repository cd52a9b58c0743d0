//! What was proved: [`Authenticated`] in a request's extensions, made only by a successful verification.

mod claims;
mod context;
mod demands;
mod principal;
mod terms;
mod typed;
mod verdict;

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use serde::de::DeserializeOwned;

pub use claims::ClaimsError;
pub(crate) use claims::TypedClaims;
pub(crate) use context::{Context, Recheck};
pub(crate) use demands::Proving;
pub use principal::{Actor, Principal};
pub use terms::{Dependency, OnFailure};
pub(crate) use terms::{Terms, Wishes};
pub use typed::Token;
pub(crate) use verdict::{ProvedBy, Verdict, VerdictRef};

use crate::credential::Scheme;
use crate::demand::{Demand, Freshness};
use crate::reject::Rejection;
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
    terms: Terms,
    /// What is known of the token's standing for this request; `Within` is told by the verdict.
    reached: Freshness,
}

impl Authenticated {
    pub(crate) const fn new(
        verdict: Arc<VerdictRef>,
        presented: HeaderValue,
        scheme: Scheme,
        nonce: Option<HeaderValue>,
        terms: Terms,
        reached: Freshness,
    ) -> Self {
        Self { verdict, presented: Secret::new(presented), scheme, nonce, terms, reached }
    }

    /// The same request after its issuer was asked anew.
    pub(crate) fn renewed(&self, verdict: Arc<VerdictRef>, reached: Freshness) -> Self {
        Self { verdict, reached, ..self.clone() }
    }

    pub(crate) const fn verdict(&self) -> &Arc<VerdictRef> {
        &self.verdict
    }

    pub(crate) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) const fn terms(&self) -> Terms {
        self.terms
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
        let statement = &self.verdict.statement;
        match (statement.is_user, statement.subject(), statement.client_id()) {
            (true, Some(subject), _) => Principal::User(subject),
            (_, _, Some(client)) => Principal::Client(client),
            (_, subject, None) => Principal::Client(subject.unwrap_or_default()),
        }
    }

    /// The `sub` claim. Unique only together with [`issuer`](Self::issuer).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.verdict.statement.subject()
    }

    /// The client that the token was issued to.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.verdict.statement.client_id()
    }

    /// The configured issuer whose key verified the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.verdict.issuer
    }

    /// The token's audiences, of which one is this service.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.verdict.statement.audience()
    }

    /// The scopes as the token holds them, without those that the hierarchy adds.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.verdict.statement.scopes
    }

    /// Whether the token grants `scope`, the hierarchy applied.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.context().hierarchy.grants(&self.verdict.statement.scopes, scope)
    }

    /// The roles, from where the issuer's [`Profile`](crate::Profile) reads them.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.verdict.statement.roles()
    }

    /// Whether the client proved, for this very request, that the token is its own (RFC 9449).
    #[must_use]
    pub fn is_sender_constrained(&self) -> bool {
        self.scheme == Scheme::Dpop
    }

    /// When the token was issued. A JWT always says so, an introspected token may not.
    #[must_use]
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.verdict.statement.issued_at
    }

    /// When the token expires; for a JWT the configured leeway comes on top. A JWT always says so, an introspected
    /// token may not.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.verdict.statement.expires_at
    }

    /// When the issuer was last asked about the token (RFC 7662); `None` when it was proved by its signature alone.
    #[must_use]
    pub fn introspected_at(&self) -> Option<Timestamp> {
        self.verdict.asked_at()
    }

    /// Who acts for the subject (RFC 8693 section 4.1); `None` when nobody does.
    #[must_use]
    pub fn actor(&self) -> Option<Actor> {
        #[derive(serde::Deserialize)]
        struct Acted {
            act: Actor,
        }
        let statement = &self.verdict.statement;
        let acted: Option<Acted> =
            statement.has_actor.then(|| serde_json::from_str(statement.payload()).ok()).flatten();
        acted.map(|acted| acted.act)
    }

    /// The `jti` claim.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.verdict.statement.token_id()
    }

    /// The `sid` claim: the session at the issuer.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.verdict.statement.session_id()
    }

    /// The `acr` claim: how the user was authenticated.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.verdict.statement.acr()
    }

    /// The `auth_time` claim: when the user logged in.
    #[must_use]
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.verdict.statement.auth_time
    }

    /// The claims as a type of yours; unknown claims are passed over.
    ///
    /// Read once for each verdict and type, however often it is asked for.
    ///
    /// # Errors
    /// [`ClaimsError`] when a claim that the type needs is missing or has another type.
    pub fn claims<C: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<C>, ClaimsError> {
        self.verdict.typed.read(self.verdict.statement.payload())
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
