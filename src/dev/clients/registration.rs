//! A client as it is given, before anything of it is checked.

use std::fmt;

use serde_json::Value;

use super::{Authentication, Client, Clients, redirect};
use crate::crypto::{Algorithm, Key};
use crate::dev::events;
use crate::jwt::jwk::Jwk;
use crate::scope::ScopeSet;
use crate::secret::Secret;

/// A client of a [`DevServer`](crate::dev::DevServer).
///
/// ```
/// use tower_oauth::dev::DevClient;
///
/// let page = DevClient::public("page").redirect_uri("http://127.0.0.1/callback").scopes(["openid", "orders:read"]);
/// let api = DevClient::confidential("api", "s3cr3t").resource("https://api.test");
/// # drop((page, api));
/// ```
#[must_use = "a client is registered by `DevServerBuilder::register`"]
pub struct DevClient {
    id: String,
    authentication: Proof,
    scopes: Vec<String>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    backchannel_logout_uri: Option<String>,
    resources: Vec<String>,
    is_dpop_bound: bool,
    has_opaque_tokens: bool,
    must_push: bool,
}

enum Proof {
    Secret(Secret<String>),
    Jwk(Value),
    None,
}

impl DevClient {
    fn new(id: String, authentication: Proof) -> Self {
        Self {
            id,
            authentication,
            scopes: Vec::new(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            resources: Vec::new(),
            is_dpop_bound: false,
            has_opaque_tokens: false,
            must_push: false,
        }
    }

    /// A client with a secret, by `client_secret_basic` or `client_secret_post`.
    pub fn confidential(id: impl Into<String>, secret: impl Into<Secret<String>>) -> Self {
        Self::new(id.into(), Proof::Secret(secret.into()))
    }

    /// A client that cannot keep a secret, as a page in a browser. It gets tokens by authorization code and refresh only.
    pub fn public(id: impl Into<String>) -> Self {
        Self::new(id.into(), Proof::None)
    }

    /// A client that signs assertions (`private_key_jwt`, RFC 7523 and RFC 10070) by the key of this public JWK.
    pub fn with_key(id: impl Into<String>, jwk: Value) -> Self {
        Self::new(id.into(), Proof::Jwk(jwk))
    }

    /// The scopes that it may have.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// One more redirect URI, matched exactly but for the port of a loopback address. None: no authorization endpoint.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Where a browser may go after logout (OpenID Connect RP-Initiated Logout 1.0 section 3.1).
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uris.push(uri.into());
        self
    }

    /// Where logout tokens are posted when a session ends in which the client took part (OpenID Connect Back-Channel
    /// Logout 1.0 section 2.2). Plain `http`; it is sent from this machine.
    pub fn backchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.backchannel_logout_uri = Some(uri.into());
        self
    }

    /// A resource in whose name the client introspects: tokens for others are `active: false` to it (RFC 7662 section
    /// 4). Without any it may ask about every token.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(resource.into());
        self
    }

    /// Gives it no token without a DPoP proof (`dpop_bound_access_tokens`, RFC 9449 section 5.2).
    pub fn dpop_bound(mut self) -> Self {
        self.is_dpop_bound = true;
        self
    }

    /// Gives it access tokens that must be introspected (RFC 7662), and that begin with `opq_`.
    pub fn opaque_tokens(mut self) -> Self {
        self.has_opaque_tokens = true;
        self
    }

    /// Takes its authorization requests only where they were pushed (RFC 9126 section 6).
    pub fn pushed_requests_only(mut self) -> Self {
        self.must_push = true;
        self
    }

    fn check(self) -> Result<Client, &'static str> {
        let authentication = match self.authentication {
            Proof::Secret(secret) if secret.expose().is_empty() => return Err("its secret may not be empty"),
            Proof::Secret(secret) => Authentication::Secret(secret),
            Proof::Jwk(jwk) => Authentication::Key(keys(&jwk)?),
            Proof::None => Authentication::None,
        };
        if self.id.is_empty() {
            return Err("its identifier may not be empty");
        }
        if let Some(problem) =
            self.redirect_uris.iter().chain(&self.post_logout_redirect_uris).find_map(|uri| redirect::problem(uri))
        {
            return Err(problem);
        }
        let logout = self.backchannel_logout_uri.map(|uri| events::url(&uri).ok_or("its logout URI is no http URL"));
        let scopes = ScopeSet::from_tokens(self.scopes.iter().map(String::as_str))
            .map_err(|_| "a scope is malformed (RFC 6749 section 3.3)")?;
        Ok(Client {
            id: self.id,
            authentication,
            scopes,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            backchannel_logout_uri: logout.transpose()?,
            resources: self.resources,
            is_dpop_bound: self.is_dpop_bound,
            has_opaque_tokens: self.has_opaque_tokens,
            must_push: self.must_push,
        })
    }
}

/// Every algorithm that the key may sign by.
fn keys(jwk: &Value) -> Result<Vec<(Algorithm, Key)>, &'static str> {
    const UNFIT: &str = "its JWK is no sound public key";
    let text = jwk.to_string();
    let jwk = Jwk::parse(&text).map_err(|_| UNFIT)?;
    if jwk.is_private() {
        return Err("its JWK holds a private key");
    }
    let only = jwk.algorithm().map_err(|_| UNFIT)?;
    let mut keys = Vec::new();
    for algorithm in Algorithm::ALL {
        let key = jwk.key().map_err(|_| UNFIT)?;
        if key.fits(algorithm) && only.is_none_or(|only| only.is_same_as(algorithm)) {
            keys.push((algorithm, key));
        }
    }
    if keys.is_empty() { Err(UNFIT) } else { Ok(keys) }
}

/// The clients, each under a name of its own.
pub(crate) fn registered(clients: Vec<DevClient>) -> Result<Clients, &'static str> {
    let mut registered: Vec<Client> = Vec::with_capacity(clients.len());
    for client in clients {
        let client = client.check()?;
        if registered.iter().any(|other| other.id == client.id) {
            return Err("its identifier is taken");
        }
        registered.push(client);
    }
    Ok(Clients(registered))
}

impl fmt::Debug for DevClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevClient").field("id", &self.id).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}
