//! How a [`DevServer`] is set up.

mod error;
mod start;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::Algorithm;
use crate::dev::clients::DevClient;
use crate::dev::grants::Lifetimes;
use crate::dev::server::Consent;
use crate::dev::users::DevUser;
use crate::secret::Secret;
use crate::time::{Clock, SystemClock};

pub use error::DevServerError;

/// How long things are good unless set.
const LIFETIMES: Lifetimes = Lifetimes {
    code: Duration::from_secs(60),
    access_token: Duration::from_secs(600),
    refresh: Duration::from_secs(24 * 3600),
    grace: Duration::ZERO,
};

/// Sets up a [`DevServer`](crate::dev::DevServer). By default: 127.0.0.1 and a free port, ES256, codes of one minute,
/// access tokens of ten, refresh tokens for a day after the login, no client, one user named `ada`, and a page that asks.
#[derive(Debug)]
#[must_use = "nothing serves until `start`"]
pub struct DevServerBuilder {
    address: SocketAddr,
    allow_non_loopback: bool,
    issuer_path: String,
    algorithm: Algorithm,
    clients: Vec<DevClient>,
    users: Vec<DevUser>,
    consent: Consent,
    acr_values: Vec<String>,
    audience: Option<String>,
    listeners: Vec<(String, Option<String>)>,
    has_opaque_tokens: bool,
    has_status_list: bool,
    dpop_nonce: bool,
    lifetimes: Lifetimes,
    clock: Arc<dyn Clock>,
    quiet: bool,
}

impl DevServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_non_loopback: false,
            issuer_path: String::new(),
            algorithm: Algorithm::Es256,
            clients: Vec::new(),
            users: Vec::new(),
            consent: Consent::Ask,
            acr_values: vec!["pwd".into(), "phr".into()],
            audience: None,
            listeners: Vec::new(),
            has_opaque_tokens: false,
            has_status_list: false,
            dpop_nonce: false,
            lifetimes: LIFETIMES,
            clock: Arc::new(SystemClock),
            quiet: false,
        }
    }

    /// Listens here; port 0 takes a free one.
    pub const fn bind(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Lets others than this machine have tokens. Whoever reaches the server may be any of its users, over HTTP without
    /// TLS: for an isolated network of containers at most.
    pub const fn dangerous_allow_non_loopback(mut self) -> Self {
        self.allow_non_loopback = true;
        self
    }

    /// The path of the issuer's identifier, as `/tenant`; none by default.
    pub fn issuer_path(mut self, path: impl Into<String>) -> Self {
        self.issuer_path = path.into();
        self
    }

    /// Signs by this algorithm.
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Registers a confidential client and the scopes that it may have.
    pub fn client<S: Into<String>>(
        self,
        id: impl Into<String>,
        secret: impl Into<Secret<String>>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.register(DevClient::confidential(id, secret).scopes(scopes))
    }

    /// Registers a confidential client that gets no token without a DPoP proof (`dpop_bound_access_tokens`, RFC 9449
    /// section 5.2). Any other client may send one.
    pub fn dpop_bound_client<S: Into<String>>(
        self,
        id: impl Into<String>,
        secret: impl Into<Secret<String>>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.register(DevClient::confidential(id, secret).scopes(scopes).dpop_bound())
    }

    /// Registers a client that keeps no secret, as a page in a browser, with its redirect URIs and scopes.
    pub fn public_client<U: Into<String>, S: Into<String>>(
        self,
        id: impl Into<String>,
        redirect_uris: impl IntoIterator<Item = U>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let client = DevClient::public(id).scopes(scopes);
        self.register(redirect_uris.into_iter().fold(client, DevClient::redirect_uri))
    }

    /// Registers any client.
    pub fn register(mut self, client: DevClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Registers a user: a name, or a [`DevUser`]. The first stands first on the page.
    pub fn user(mut self, user: impl Into<DevUser>) -> Self {
        self.users.push(user.into());
        self
    }

    /// Who answers when a client asks for a user's consent.
    pub fn consent(mut self, consent: Consent) -> Self {
        self.consent = consent;
        self
    }

    /// Shows no page: this user has logged in and agrees to everything.
    pub fn auto_approve(self, user: impl Into<String>) -> Self {
        self.consent(Consent::Approve(user.into()))
    }

    /// What a login may be worth (`acr`): the first unless a request asks for another by `acr_values` (RFC 9470 section
    /// 5). `pwd` and `phr` unless set.
    pub fn acr_values<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Gives every client access tokens that must be introspected (RFC 7662), and that begin with `opq_`.
    pub const fn opaque_tokens(mut self) -> Self {
        self.has_opaque_tokens = true;
        self
    }

    /// Gives each signed access token of the endpoint a place in the status list at `{issuer}/status/0`
    /// (draft-ietf-oauth-status-list), in which it becomes invalid when it is revoked or its session ends. The other
    /// lists are yours, by [`set_status`](crate::dev::DevServer::set_status).
    pub const fn status_list(mut self) -> Self {
        self.has_status_list = true;
        self
    }

    /// Whether a DPoP proof must carry a nonce of this server (RFC 9449 section 8); by default none does.
    pub const fn dpop_nonce(mut self, required: bool) -> Self {
        self.dpop_nonce = required;
        self
    }

    /// The audience of tokens for which no `resource` was asked (RFC 8707 section 2). Without it a request must name
    /// its resource.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// A resource server that is told when a session ends: a security event token (CAEP session-revoked) is posted to
    /// this URL (RFC 8935), plain `http`. Its audience is that of tokens, or the URL where there is none.
    pub fn listener(mut self, url: impl Into<String>) -> Self {
        self.listeners.push((url.into(), None));
        self
    }

    /// The same, with an audience of its own.
    pub fn listener_for(mut self, url: impl Into<String>, audience: impl Into<String>) -> Self {
        self.listeners.push((url.into(), Some(audience.into())));
        self
    }

    /// How long access tokens live; ten minutes by default. Told to clients in whole seconds.
    pub const fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetimes.access_token = lifetime;
        self
    }

    /// How long a code is good; one minute by default, ten at most (RFC 6749 section 4.1.2).
    pub const fn code_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetimes.code = lifetime;
        self
    }

    /// How long after the first token the last refresh is; a day by default. Refreshing does not prolong it.
    pub const fn refresh_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetimes.refresh = lifetime;
        self
    }

    /// How long after a refresh the spent token is answered once more with the same successor, for two requests of one
    /// client that have crossed. Not at all by default: within that time a thief is answered too.
    pub const fn refresh_grace(mut self, window: Duration) -> Self {
        self.lifetimes.grace = window;
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Leaves out the banner on standard error; the warning through `tracing` stays.
    pub const fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }
}
