//! How a client proves itself (RFC 6749 section 2.3, RFC 7521 section 4.2): in one way, never in two at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};

use super::{Authentication, Client, Clients, assertion};
use crate::dev::form::{Form, decode};
use crate::dev::refusal::Refusal;
use crate::time::Timestamp;

/// Who made a request.
#[derive(Debug)]
pub(crate) struct Authenticated<'c> {
    pub(crate) client: &'c Client,
    /// What must be remembered so that an assertion is good once, and until when.
    pub(crate) assertion: Option<(String, Timestamp)>,
}

impl Clients {
    /// The client that made the request.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        form: &Form,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Authenticated<'_>, Refusal> {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let authorization = authorizations.next();
        if authorizations.next().is_some() {
            return Err(Refusal::Request("more than one Authorization header"));
        }
        let (secret, assertion) = (form.get("client_secret"), form.get("client_assertion"));
        if [authorization.is_some(), secret.is_some(), assertion.is_some()].into_iter().filter(|sent| *sent).count() > 1
        {
            return Err(Refusal::Request("more than one way of client authentication"));
        }
        let named = form.get("client_id");
        let (client, assertion) = match (authorization, secret, assertion) {
            (Some(value), ..) => {
                let (id, secret) = basic(value).ok_or(Refusal::Client)?;
                (self.with_secret(&id, &secret)?, None)
            }
            (None, Some(secret), _) => (self.with_secret(named.ok_or(Refusal::Client)?, secret)?, None),
            (None, None, Some(text)) => {
                let asserted = assertion::verify(text, form, issuer, now, |id| self.get(id))?;
                (asserted.client, Some((asserted.id, asserted.until)))
            }
            (None, None, None) => {
                let client = named.and_then(|id| self.get(id)).filter(|client| client.is_public());
                (client.ok_or(Refusal::Client)?, None)
            }
        };
        if named.is_some_and(|named| named != client.id) {
            return Err(Refusal::Request("client_id differs from the authenticated client"));
        }
        Ok(Authenticated { client, assertion })
    }

    fn with_secret(&self, id: &str, secret: &str) -> Result<&Client, Refusal> {
        let client = self.get(id).ok_or(Refusal::Client)?;
        match &client.authentication {
            Authentication::Secret(own) if own.matches(secret.as_bytes()) => Ok(client),
            _ => Err(Refusal::Client),
        }
    }
}

/// Identifier and secret out of a Basic credential (RFC 7617), each of them form-encoded (RFC 6749 section 2.3.1).
fn basic(value: &HeaderValue) -> Option<(String, String)> {
    let (scheme, credential) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(credential.trim_start_matches(' ')).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((decode(id)?, decode(secret)?))
}
