//! Issuers that are asked about their tokens (RFC 7662): which tokens, by whom, how often.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Issuer;
use crate::client_auth::ClientAuth;

/// How an issuer is asked.
pub(super) struct Online {
    pub(super) client: ClientAuth,
    /// Which opaque tokens are its own; none of them when it is asked only about what it has signed.
    pub(super) selector: Option<Selector>,
    pub(super) endpoint: Option<String>,
    pub(super) signed: bool,
    pub(super) active_for: Duration,
    pub(super) refused_for: Duration,
    pub(super) until_exp: bool,
    pub(super) at_once: usize,
    pub(super) timeout: Duration,
}

/// Tells an issuer's opaque tokens from those of others, by nothing but their look.
#[derive(Clone)]
pub(crate) enum Selector {
    /// All that no other issuer claims.
    Rest,
    /// Those that begin so.
    Starting(Box<str>),
    /// Those that a function of the user's says are.
    Matching(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Selector {
    pub(crate) fn claims(&self, token: &str) -> bool {
        match self {
            Self::Rest => false,
            Self::Starting(prefix) => token.starts_with(&**prefix),
            Self::Matching(predicate) => predicate(token),
        }
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rest => f.write_str("Rest"),
            Self::Starting(prefix) => f.debug_tuple("Starting").field(prefix).finish(),
            Self::Matching(_) => f.write_str("Matching(..)"),
        }
    }
}

impl Online {
    fn new(client: ClientAuth, selector: Option<Selector>) -> Self {
        Self {
            client,
            selector,
            endpoint: None,
            signed: false,
            active_for: Duration::from_secs(30),
            refused_for: Duration::from_secs(5),
            until_exp: false,
            at_once: 64,
            timeout: Duration::from_secs(5),
        }
    }
}

impl Issuer {
    /// An issuer whose tokens are opaque: it is asked about each of them (RFC 7662), as the client `me`. Its JWTs are
    /// not verified here but asked about too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_oauth::client_auth::{ClientAuth, ClientSecret};
    /// use tower_oauth::{Issuer, OAuthConfig};
    ///
    /// let me = ClientAuth::secret_basic("orders-api", ClientSecret::file("/run/secrets/orders-api"));
    /// let config = OAuthConfig::builder("https://api.example.com")
    ///     .trust("https://login.example.com")
    ///     .trust(Issuer::opaque("https://legacy.example.com", me).tokens_starting("lgc_").cache_for(Duration::from_secs(10)))
    ///     .build()?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn opaque(identifier: impl Into<String>, me: ClientAuth) -> Self {
        Self { verifies: false, online: Some(Online::new(me, Some(Selector::Rest))), ..Self::jwt(identifier) }
    }

    /// An issuer of both kinds: its JWTs are verified here, about its other tokens it is asked.
    #[must_use]
    pub fn hybrid(identifier: impl Into<String>, me: ClientAuth) -> Self {
        Self { online: Some(Online::new(me, Some(Selector::Rest))), ..Self::jwt(identifier) }
    }

    /// Lets this issuer of JWTs be asked about them, as the client `me`, for routes that want its own word
    /// ([`Freshness::Within`](crate::Freshness::Within) and [`Always`](crate::Freshness::Always)). Opaque tokens are
    /// refused as before.
    #[must_use]
    pub fn confirm_online(mut self, me: ClientAuth) -> Self {
        self.online = Some(Online::new(me, None));
        self
    }

    /// This issuer's opaque tokens are those that begin with `prefix`: where more than one issuer is asked about opaque
    /// tokens, each must have such a mark, so that no issuer learns of another's.
    #[must_use]
    pub fn tokens_starting(self, prefix: impl Into<Box<str>>) -> Self {
        self.selected(Selector::Starting(prefix.into()))
    }

    /// This issuer's opaque tokens are those for which `predicate` says so. A token that two issuers claim is refused.
    #[must_use]
    pub fn tokens_matching(self, predicate: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.selected(Selector::Matching(Arc::new(predicate)))
    }

    /// Where the issuer is asked; discovered from its metadata unless given.
    #[must_use]
    pub fn introspection_endpoint(self, url: impl Into<String>) -> Self {
        self.asking(|online| online.endpoint = Some(url.into()))
    }

    /// Takes only answers that the issuer has signed (RFC 9701), for whoever must prove later what was answered.
    #[must_use]
    pub fn signed_answers(self) -> Self {
        self.asking(|online| online.signed = true)
    }

    /// How long an answer that a token is active may serve: 30 seconds by default, and never past the token's `exp`. A
    /// revocation at the issuer takes effect after so long at the latest. Zero asks for each request.
    #[must_use]
    pub fn cache_for(self, lifetime: Duration) -> Self {
        self.asking(|online| (online.active_for, online.until_exp) = (lifetime, false))
    }

    /// Lets an answer serve until the token's `exp`. What the issuer revokes before that works on until then, unless the
    /// denylist learns of it or a route asks for more [`Freshness`](crate::Freshness).
    #[must_use]
    pub fn cache_until_exp(self) -> Self {
        self.asking(|online| online.until_exp = true)
    }

    /// How long an answer that a token is not active serves: 5 seconds by default.
    #[must_use]
    pub fn cache_refusals_for(self, lifetime: Duration) -> Self {
        self.asking(|online| online.refused_for = lifetime)
    }

    /// How many questions may be under way at once: 64 by default, of which a part is kept for tokens that were active
    /// before, so that a flood of invented ones does not lock them out.
    #[must_use]
    pub fn questions_at_once(self, most: usize) -> Self {
        self.asking(|online| online.at_once = most)
    }

    /// How long an answer is waited for: 5 seconds by default and at most.
    #[must_use]
    pub fn answer_within(self, timeout: Duration) -> Self {
        self.asking(|online| online.timeout = timeout)
    }

    fn selected(self, selector: Selector) -> Self {
        self.asking(|online| online.selector = Some(selector))
    }

    /// For an issuer that is not asked at all there is nothing to set; the configuration tells of it.
    fn asking(mut self, change: impl FnOnce(&mut Online)) -> Self {
        match &mut self.online {
            Some(online) => change(online),
            None => self.asked_in_vain = true,
        }
        self
    }
}
