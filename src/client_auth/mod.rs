//! How a resource server proves to an authorization server who it is.
//!
//! | method | what is sent | source |
//! |---|---|---|
//! | [`ClientAuth::private_key_jwt`] | a signed assertion, for this server alone and good for one minute | RFC 7523, RFC 10070 |
//! | [`ClientAuth::secret_basic`] | id and secret in the `Authorization` header | RFC 6749 section 2.3.1 |
//! | [`ClientAuth::secret_post`] | id and secret in the form | RFC 6749 section 2.3.1 |
//! | [`ClientAuth::bearer`] | an access token that is meant for the endpoint | RFC 7662 section 2.1 |
//!
//! A key that never leaves this process is the best of them; `secret_basic` is understood everywhere. Secrets and keys
//! are given once, asked for again for each request, or read from a file that may be replaced while serving:
//!
//! ```
//! use tower_oauth::client_auth::{ClientAuth, ClientKey, ClientSecret};
//!
//! let fixed = ClientAuth::secret_basic("orders-api", "s3cr3t");
//! let mounted = ClientAuth::secret_basic("orders-api", ClientSecret::file("/run/secrets/orders-api"));
//! let by_key = ClientAuth::private_key_jwt("orders-api", ClientKey::file("/run/secrets/orders-api.pem").kid("2026-11"));
//! # assert!(!format!("{fixed:?}").contains("s3cr3t"));
//! ```

mod assertion;
mod key;
mod source;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::byte_serialize;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::crypto::sha256;
use crate::secret::Secret;
use crate::time::Timestamp;

pub use self::key::{ClientKey, InvalidClientKey};
pub use self::source::ClientSecret;

/// Proves to an authorization server who asks. Cheap to clone; prints no secret.
#[derive(Clone)]
pub struct ClientAuth {
    id: Arc<str>,
    method: Method,
}

#[derive(Clone)]
enum Method {
    Basic(ClientSecret),
    Post(ClientSecret),
    PrivateKey(ClientKey),
    Bearer(ClientSecret),
}

impl ClientAuth {
    /// Client id and secret in the `Authorization` header, each form-encoded first (RFC 6749 section 2.3.1).
    #[must_use]
    pub fn secret_basic(id: impl Into<String>, secret: impl Into<ClientSecret>) -> Self {
        Self::new(id.into(), Method::Basic(secret.into()))
    }

    /// Client id and secret as parameters of the form, for servers that know no better (RFC 6749 section 2.3.1).
    #[must_use]
    pub fn secret_post(id: impl Into<String>, secret: impl Into<ClientSecret>) -> Self {
        Self::new(id.into(), Method::Post(secret.into()))
    }

    /// An assertion signed by the client's key (RFC 7523 section 2.2).
    ///
    /// Its audience is the issuer's identifier and nothing else, its type `client-authentication+jwt` (RFC 10070), so
    /// that no other server can use it; it is good for one minute and made anew for each request.
    #[must_use]
    pub fn private_key_jwt(id: impl Into<String>, key: impl Into<ClientKey>) -> Self {
        Self::new(id.into(), Method::PrivateKey(key.into()))
    }

    /// An access token that the endpoint accepts (RFC 7662 section 2.1, RFC 6750 section 2.1).
    #[must_use]
    pub fn bearer(token: impl Into<ClientSecret>) -> Self {
        Self::new(String::new(), Method::Bearer(token.into()))
    }

    fn new(id: String, method: Method) -> Self {
        Self { id: id.into(), method }
    }

    /// The client's identifier; `None` where a bearer token stands for the client.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty())
    }

    /// Tells clients apart that may get different answers to one question; no secret can be learned from it.
    pub(crate) fn identity(&self) -> [u8; 32] {
        let method = self.method.name();
        match &self.method {
            Method::Bearer(token) => sha256(&[method.as_bytes(), b" ", &token.digest().unwrap_or_default()]),
            _ => sha256(&[method.as_bytes(), b" ", self.id.as_bytes()]),
        }
    }

    /// What proves the client to `issuer` at this moment. Made anew for each request.
    pub(crate) async fn proof(&self, issuer: &str, now: Timestamp) -> Result<ClientProof, ClientAuthError> {
        Ok(match &self.method {
            Method::Basic(secret) => ClientProof::header(basic(&self.id, secret.current().await?.expose())?),
            Method::Bearer(token) => {
                let token = token.current().await?;
                ClientProof::header(sensitive(&format!("Bearer {}", token.expose()))?)
            }
            Method::Post(secret) => {
                let secret = Secret::clone(&*secret.current().await?);
                ClientProof::parameters([("client_id", Secret::from(&*self.id)), ("client_secret", secret)])
            }
            Method::PrivateKey(key) => {
                let assertion = assertion::sign(&key.current().await?, &self.id, issuer, now)?;
                ClientProof::parameters([
                    ("client_id", Secret::from(&*self.id)),
                    ("client_assertion_type", Secret::from(assertion::TYPE)),
                    ("client_assertion", assertion),
                ])
            }
        })
    }
}

impl Method {
    const fn name(&self) -> &'static str {
        match self {
            Self::Basic(_) => "client_secret_basic",
            Self::Post(_) => "client_secret_post",
            Self::PrivateKey(_) => "private_key_jwt",
            Self::Bearer(_) => "bearer",
        }
    }
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuth").field("method", &self.method.name()).field("id", &self.id).finish_non_exhaustive()
    }
}

/// What goes along with one request.
#[derive(Debug, Default)]
pub(crate) struct ClientProof {
    /// The `Authorization` header.
    pub(crate) authorization: Option<HeaderValue>,
    /// Parameters of the form.
    pub(crate) parameters: Vec<(&'static str, Secret<String>)>,
}

impl ClientProof {
    fn header(value: HeaderValue) -> Self {
        Self { authorization: Some(value), parameters: Vec::new() }
    }

    fn parameters(parameters: impl Into<Vec<(&'static str, Secret<String>)>>) -> Self {
        Self { authorization: None, parameters: parameters.into() }
    }
}

/// Both are form-encoded before they are joined: otherwise a colon in the id would end it early.
fn basic(id: &str, secret: &str) -> Result<HeaderValue, ClientAuthError> {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(byte_serialize(id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.as_bytes()));
    sensitive(&format!("Basic {}", Zeroizing::new(STANDARD.encode(pair.as_bytes())).as_str()))
}

fn sensitive(value: &str) -> Result<HeaderValue, ClientAuthError> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| ClientAuthError("the token of this client holds a character that no header can carry".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// This client cannot prove who it is. In words for the operator, without the secret.
#[derive(Clone, Debug)]
pub(crate) struct ClientAuthError(Arc<str>);

impl fmt::Display for ClientAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ClientAuthError {}

#[cfg(test)]
mod tests;
