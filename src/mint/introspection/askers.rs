//! Who may ask for introspection, and how each proves itself (RFC 7662 section 2.1).

use http::{HeaderMap, header};

use crate::mint::assertion::{self, Used};
use crate::mint::form::{Form, basic};
use crate::mint::introspection::Refusal;
use crate::mint::keys::SigningKey;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The resource servers that may ask. Without any, nobody may.
#[derive(Debug, Default)]
pub(crate) struct Askers {
    known: Vec<(String, Proof)>,
    used: Used,
}

/// How one of them proves itself.
#[derive(Debug)]
pub(crate) enum Proof {
    /// By `client_secret_basic` or `client_secret_post`.
    Secret(Secret<String>),
    /// By `Authorization: Bearer`.
    Bearer(Secret<String>),
    /// By `private_key_jwt`.
    Key(SigningKey),
}

impl Askers {
    /// Registers one; what it proved itself by before counts no longer.
    pub(crate) fn register(&mut self, id: String, proof: Proof) {
        self.known.retain(|(known, _)| *known != id);
        self.known.push((id, proof));
    }

    /// The client that made the request, in one way and not in two (RFC 6749 section 2.3).
    pub(crate) fn authenticate(
        &mut self,
        headers: &HeaderMap,
        form: &Form,
        issuer: &str,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let parameter = |name| form.once(name).map_err(Refusal::Request);
        let (named, secret) = (parameter("client_id")?, parameter("client_secret")?);
        let (assertion, assertion_type) = (parameter("client_assertion")?, parameter("client_assertion_type")?);
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let authorization = authorizations.next();
        let ways = [authorization.is_some(), authorizations.next().is_some(), secret.is_some(), assertion.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(Refusal::Request("more than one way of client authentication"));
        }
        let id = match (authorization, secret, assertion) {
            (Some(value), ..) => match basic(value) {
                Some((id, secret)) => self.by_secret(&id, &secret),
                None => bearer(value.to_str().unwrap_or_default()).and_then(|token| self.by_bearer(token)),
            },
            (None, Some(secret), _) => named.and_then(|id| self.by_secret(id, secret)),
            (None, None, Some(assertion)) if assertion_type == Some(assertion::TYPE) => {
                self.by_assertion(assertion, issuer, now)
            }
            (None, None, Some(_)) => return Err(Refusal::Request("client_assertion_type is not that of a JWT")),
            (None, None, None) => None,
        };
        let id = id.ok_or(Refusal::Client)?;
        match named {
            Some(named) if named != id => Err(Refusal::Request("client_id differs from the authenticated client")),
            _ => Ok(id),
        }
    }

    fn by_secret(&self, id: &str, secret: &str) -> Option<String> {
        self.first(|known, proof| matches!(proof, Proof::Secret(own) if known == id && own.matches(secret.as_bytes())))
    }

    fn by_bearer(&self, token: &str) -> Option<String> {
        self.first(|_, proof| matches!(proof, Proof::Bearer(own) if own.matches(token.as_bytes())))
    }

    fn by_assertion(&mut self, assertion: &str, issuer: &str, now: Timestamp) -> Option<String> {
        let (id, jti) = self.known.iter().find_map(|(id, proof)| match proof {
            Proof::Key(key) => Some((id.clone(), assertion::judge(assertion, key, id, issuer, now).ok()?)),
            _ => None,
        })?;
        self.used.insert(format!("{id} {jti}")).then_some(id)
    }

    fn first(&self, is_it: impl Fn(&str, &Proof) -> bool) -> Option<String> {
        self.known.iter().find(|(id, proof)| is_it(id, proof)).map(|(id, _)| id.clone())
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}
