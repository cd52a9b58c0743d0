//! Revoking from within the service: what an administrator, a logout handler or a fraud detector calls.

use std::fmt;
use std::time::Duration;

use super::issuer::Trust;
use super::{ResourceServer, State};
use crate::observe::Event;
use crate::store::{Denied, DenyRule, StoreError};
use crate::time::Timestamp;
use crate::token::Authenticated;

/// Which tokens are to be refused from now on.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::{OAuthConfig, ResourceServer, Revocation};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let server = ResourceServer::new(
///     OAuthConfig::builder("https://api.example.com").trust("https://login.example.com").build().unwrap(),
/// );
/// server.revoke(Revocation::session("https://login.example.com", "s-42")).await.unwrap();
/// # });
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is revoked until it is given to ResourceServer::revoke"]
pub struct Revocation {
    issuer: Box<str>,
    denied: Denied,
    issued_until: Option<Timestamp>,
    lasting: Option<Duration>,
    expires_at: Option<Timestamp>,
}

impl Revocation {
    /// One token, by its `jti`.
    pub fn token(issuer: impl Into<Box<str>>, jti: impl Into<Box<str>>) -> Self {
        Self::new(issuer.into(), Denied::Token(jti.into()))
    }

    /// Every token of a session, by `sid`. The same user's tokens of other sessions, and those without one, are spared.
    pub fn session(issuer: impl Into<Box<str>>, sid: impl Into<Box<str>>) -> Self {
        Self::new(issuer.into(), Denied::Session(sid.into()))
    }

    /// Every token of a user, by `sub`.
    pub fn subject(issuer: impl Into<Box<str>>, sub: impl Into<Box<str>>) -> Self {
        Self::new(issuer.into(), Denied::Subject(sub.into()))
    }

    /// Every token of a client, by `client_id`.
    pub fn client(issuer: impl Into<Box<str>>, client_id: impl Into<Box<str>>) -> Self {
        Self::new(issuer.into(), Denied::Client(client_id.into()))
    }

    /// Every token of an issuer.
    pub fn everything(issuer: impl Into<Box<str>>) -> Self {
        Self::new(issuer.into(), Denied::Everything)
    }

    fn new(issuer: Box<str>, denied: Denied) -> Self {
        Self { issuer, denied, issued_until: None, lasting: None, expires_at: None }
    }

    /// Spares tokens whose `iat` is later than `moment`: "log out everywhere", after which a new login works at once.
    pub fn issued_until(mut self, moment: Timestamp) -> Self {
        self.issued_until = Some(moment);
        self
    }

    /// How long the rule is kept: at least as long as the longest-lived of these tokens. Unless given, it is what
    /// [`rules_live_for`](crate::OAuthConfigBuilder::rules_live_for) says. The leeway comes on top.
    pub fn lasting(mut self, lifetime: Duration) -> Self {
        self.lasting = Some(lifetime);
        self
    }

    /// When the revoked token expires, so that its rule is kept no longer than needed. The leeway comes on top.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }
}

impl ResourceServer {
    /// Refuses these tokens from now on, cached verdicts included: a request that begins after this has returned `Ok`
    /// does not pass here, nor at replicas with the same denylist once they have heard of it.
    ///
    /// # Errors
    /// [`RevokeError`]: the issuer is not configured, or the shared denylist could not be told; then this process refuses
    /// by the rule all the same, and telling it again does no harm.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), RevokeError> {
        let state = self.0.state.load_full();
        let Revocation { issuer, denied, issued_until, lasting, expires_at } = revocation;
        let Some((_, trust)) = state.trusted(&issuer) else { return Err(RevokeError::IssuerUnknown) };
        let (now, leeway) = (state.context.now(), trust.rules.leeway);
        let end = expires_at.unwrap_or_else(|| now.plus(lasting.unwrap_or(state.rules_live)));
        let rule = DenyRule::new(issuer, denied, end.plus(leeway));
        let rule = match issued_until {
            Some(moment) => rule.issued_until(moment),
            None => rule,
        };
        state.add_rule(trust, rule, now).await.map_err(RevokeError::Store)
    }

    /// Refuses the token of this request from now on, here and wherever the denylist is shared: by its `jti`, or by a
    /// digest of it where it has none.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke).
    pub async fn revoke_token(&self, token: &Authenticated) -> Result<(), RevokeError> {
        let revocation = Revocation::token(token.issuer(), token.verdict().name());
        self.revoke(match token.expires_at() {
            Some(at) => revocation.expires_at(at),
            None => revocation,
        })
        .await?;
        let state = self.0.state.load_full();
        let online = state.trusted(token.issuer()).and_then(|(_, trust)| trust.online.as_ref());
        match online.map(|online| online.forget(token.presented_token().expose())) {
            Some(forgotten) => forgotten.wait().await.map_err(RevokeError::Store),
            None => Ok(()),
        }
    }
}

impl State {
    pub(super) async fn add_rule(&self, trust: &Trust, rule: DenyRule, now: Timestamp) -> Result<(), StoreError> {
        let kind = rule.denied().kind();
        let told = self.denylist.deny(rule, now).wait().await;
        self.context.observers.emit(&Event::RuleAdded { issuer: &trust.issuer, kind });
        told
    }
}

/// Why a revocation is not known everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevokeError {
    /// No issuer of that name is configured: compare it to the last slash.
    IssuerUnknown,
    /// The denylist could not take the rule in, or not for all who share it.
    Store(StoreError),
}

impl fmt::Display for RevokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IssuerUnknown => {
                f.write_str("no issuer of that name is configured; it is compared to the last slash")
            }
            Self::Store(error) => write!(f, "the denylist could not be told, so try again: {error}"),
        }
    }
}

impl std::error::Error for RevokeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::IssuerUnknown => None,
        }
    }
}
