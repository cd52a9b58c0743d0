//! How a [`DevServer`] is set up, and why it may refuse to start.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::serve;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::crypto::Algorithm;
use crate::dev::DevServer;
use crate::dev::clients::{Client, Clients};
use crate::dev::dpop::Dpop;
use crate::dev::listen::{OwnedListener, gone};
use crate::dev::routes::routes;
use crate::dev::token_endpoint::TokenEndpoint;
use crate::mint::MintError;
use crate::mint::authority::{Authority, Count};
use crate::mint::claims::LIFETIME;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::{Clock, SystemClock};

/// Sets up a [`DevServer`]. By default: 127.0.0.1 and a free port, ES256, tokens of five minutes, no client.
#[derive(Debug)]
#[must_use = "nothing serves until `start`"]
pub struct DevServerBuilder {
    address: SocketAddr,
    allow_non_loopback: bool,
    issuer_path: String,
    algorithm: Algorithm,
    clients: Vec<Registration>,
    audience: Option<String>,
    dpop_nonce: bool,
    lifetime: Duration,
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
            audience: None,
            dpop_nonce: false,
            lifetime: LIFETIME,
            clock: Arc::new(SystemClock),
            quiet: false,
        }
    }

    /// Listens here; port 0 takes a free one.
    pub const fn bind(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Lets others than this machine have tokens. Whoever reaches the server may try its clients' secrets, over HTTP
    /// without TLS: for an isolated network of containers at most.
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
        self.register(id.into(), secret.into(), scopes.into_iter().map(Into::into).collect(), false)
    }

    /// Registers a confidential client that gets no token without a DPoP proof (`dpop_bound_access_tokens`, RFC 9449
    /// section 5.2). Any other client may send one.
    pub fn dpop_bound_client<S: Into<String>>(
        self,
        id: impl Into<String>,
        secret: impl Into<Secret<String>>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.register(id.into(), secret.into(), scopes.into_iter().map(Into::into).collect(), true)
    }

    fn register(mut self, id: String, secret: Secret<String>, scopes: Vec<String>, is_dpop_bound: bool) -> Self {
        self.clients.push(Registration { id, secret, scopes, is_dpop_bound });
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

    /// How long tokens live; five minutes by default. Told to clients in whole seconds.
    pub const fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Takes the time of tokens from `clock`.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Leaves out the banner on standard error; the warning through `tracing` stays.
    pub const fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Binds the socket and serves from a background task, which ends when the [`DevServer`] is dropped.
    ///
    /// # Errors
    /// [`DevServerError`], from the settings or from the operating system.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub async fn start(self) -> Result<DevServer, DevServerError> {
        if !self.allow_non_loopback && !self.address.ip().to_canonical().is_loopback() {
            return Err(DevServerError::NotLoopback(self.address));
        }
        if !is_issuer_path(&self.issuer_path) {
            return Err(DevServerError::IssuerPath);
        }
        let clients = registered(self.clients)?;
        let listener = TcpListener::bind(self.address).await.map_err(DevServerError::Bind)?;
        let address = listener.local_addr().map_err(DevServerError::Bind)?;
        let authority = Authority::new(format!("http://{address}{}", self.issuer_path), self.algorithm)?;
        authority.state().clock = self.clock;
        authority.state().members = members(authority.issuer(), &clients);
        let endpoint = Arc::new(TokenEndpoint {
            dpop: Dpop::new(format!("{}/token", authority.issuer()), self.dpop_nonce, authority.now())?,
            authority: Arc::new(authority),
            clients,
            audience: self.audience,
            lifetime: self.lifetime,
            issued: Count::default(),
        });
        announce(endpoint.authority.issuer(), self.quiet);
        let (owner, owned) = watch::channel(());
        let listener = OwnedListener { listener, owner: owned.clone() };
        let serving = serve(listener, routes(Arc::clone(&endpoint))).with_graceful_shutdown(gone(owned));
        // Ends without an error, by the documentation of `serve`.
        let task = tokio::spawn(async move { drop(serving.await) });
        Ok(DevServer::new(endpoint, owner, task))
    }
}

/// A client as it was given, before anything of it is checked.
#[derive(Debug)]
struct Registration {
    id: String,
    secret: Secret<String>,
    scopes: Vec<String>,
    is_dpop_bound: bool,
}

fn registered(clients: Vec<Registration>) -> Result<Clients, DevServerError> {
    let mut registered: Vec<Client> = Vec::with_capacity(clients.len());
    for Registration { id, secret, scopes, is_dpop_bound } in clients {
        if id.is_empty() || secret.expose().is_empty() {
            return Err(DevServerError::Client("neither its identifier nor its secret may be empty"));
        }
        if registered.iter().any(|client| client.id == id) {
            return Err(DevServerError::Client("its identifier is taken"));
        }
        let scopes = ScopeSet::from_tokens(scopes.iter().map(String::as_str))
            .map_err(|_| DevServerError::Client("a scope is malformed (RFC 6749 section 3.3)"))?;
        registered.push(Client { id, secret, scopes, is_dpop_bound });
    }
    Ok(Clients(registered))
}

/// The metadata that this server has and an issuer in memory has not (RFC 8414 section 2).
fn members(issuer: &str, clients: &Clients) -> Map<String, Value> {
    let mut scopes: Vec<&str> = clients.0.iter().flat_map(|client| client.scopes.iter()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    Map::from_iter([
        ("token_endpoint".to_owned(), format!("{issuer}/token").into()),
        ("grant_types_supported".to_owned(), json!(["client_credentials"])),
        ("token_endpoint_auth_methods_supported".to_owned(), json!(["client_secret_basic", "client_secret_post"])),
        ("scopes_supported".to_owned(), json!(scopes)),
        // RFC 9449 section 5.1.
        ("dpop_signing_alg_values_supported".to_owned(), json!(Algorithm::ALL.map(Algorithm::as_str))),
    ])
}

/// Empty, or segments of unreserved characters (RFC 3986 section 2.3) that need no encoding anywhere.
fn is_issuer_path(path: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
    let is_segment = |segment: &str| !segment.is_empty() && segment.bytes().all(is_unreserved);
    path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}

fn announce(issuer: &str, quiet: bool) {
    tracing::warn!(target: "tower_oauth::dev", issuer, "DevServer is for development and tests, not for production");
    if !quiet {
        eprintln!(
            "\n  ** DevServer: an authorization server for DEVELOPMENT AND TESTS **\n  \
             NOT FOR PRODUCTION: no TLS, keys in memory, no policy.\n  issuer: {issuer}\n"
        );
    }
}

/// Why a [`DevServer`] did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum DevServerError {
    /// The address is reached from other machines, and
    /// [`dangerous_allow_non_loopback`](DevServerBuilder::dangerous_allow_non_loopback) was not called.
    NotLoopback(SocketAddr),
    /// The issuer's path is not of the form `/tenant`, of letters, digits, `-`, `_` and `~`.
    IssuerPath,
    /// A client cannot be registered, for this reason.
    Client(&'static str),
    /// The socket could not be bound.
    Bind(io::Error),
    /// The key could not be made.
    Key(MintError),
}

impl fmt::Display for DevServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(f, "{address} is not a loopback address"),
            Self::IssuerPath => f.write_str("the issuer's path must look like /tenant, without a slash at its end"),
            Self::Client(reason) => write!(f, "a client cannot be registered: {reason}"),
            Self::Bind(_) => f.write_str("the socket could not be bound"),
            Self::Key(_) => f.write_str("the signing key could not be made"),
        }
    }
}

impl std::error::Error for DevServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(source) => Some(source),
            Self::Key(source) => Some(source),
            Self::NotLoopback(_) | Self::IssuerPath | Self::Client(_) => None,
        }
    }
}

impl From<MintError> for DevServerError {
    fn from(error: MintError) -> Self {
        Self::Key(error)
    }
}
