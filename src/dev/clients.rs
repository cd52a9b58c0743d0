//! The registered clients, and how one of them proves itself (RFC 6749 section 2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};

use crate::dev::form::{Form, decode};
use crate::dev::refusal::Refusal;
use crate::scope::ScopeSet;
use crate::secret::Secret;

/// A confidential client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Secret<String>,
    pub(super) scopes: ScopeSet,
    /// Gets bound tokens or none (`dpop_bound_access_tokens`, RFC 9449 section 5.2).
    pub(super) is_dpop_bound: bool,
}

/// All clients of one server.
#[derive(Debug)]
pub(super) struct Clients(pub(super) Vec<Client>);

impl Clients {
    /// The client that made the request: by `client_secret_basic` or by `client_secret_post`, never by both at once
    /// (RFC 6749 section 2.3).
    pub(super) fn authenticate(&self, headers: &HeaderMap, form: &Form) -> Result<&Client, Refusal> {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let authorization = authorizations.next();
        if authorizations.next().is_some() {
            return Err(Refusal::Request("more than one Authorization header"));
        }
        let posted = form.get("client_secret");
        if authorization.is_some() && (posted.is_some() || form.get("client_assertion").is_some()) {
            return Err(Refusal::Request("more than one way of client authentication"));
        }
        match (authorization, posted) {
            (Some(value), _) => {
                let (id, secret) = basic(value).ok_or(Refusal::Client)?;
                if form.get("client_id").is_some_and(|named| named != id) {
                    return Err(Refusal::Request("client_id differs from the authenticated client"));
                }
                self.find(&id, &secret)
            }
            (None, Some(secret)) => self.find(form.get("client_id").ok_or(Refusal::Client)?, secret),
            (None, None) => Err(Refusal::Client),
        }
    }

    fn find(&self, id: &str, secret: &str) -> Result<&Client, Refusal> {
        let client = self.0.iter().find(|client| client.id == id).ok_or(Refusal::Client)?;
        if client.secret.matches(secret.as_bytes()) { Ok(client) } else { Err(Refusal::Client) }
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

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: Option<Refusal> = Some(Refusal::Client);

    fn clients() -> Clients {
        let client = |id: &str, secret: &str| Client {
            id: id.into(),
            secret: secret.into(),
            scopes: ScopeSet::empty(),
            is_dpop_bound: false,
        };
        Clients(vec![client("orders", "s3cr3t"), client("a:b", "p+q r%&")])
    }

    /// The client's id, or why not.
    fn authenticate(authorization: &[&str], body: &str) -> Result<String, Refusal> {
        let mut headers: HeaderMap = authorization
            .iter()
            .map(|value| (header::AUTHORIZATION, value.parse().unwrap()))
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            });
        headers.insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        let form = Form::parse(&headers, body.as_bytes())?;
        clients().authenticate(&headers, &form).map(|client| client.id.clone())
    }

    fn basic_of(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn a_client_proves_itself_in_the_header_or_in_the_body() {
        assert_eq!(authenticate(&[&basic_of("orders:s3cr3t")], "").as_deref(), Ok("orders"));
        assert_eq!(authenticate(&[&basic_of("orders:s3cr3t").replace("Basic", "bASIC")], "").as_deref(), Ok("orders"));
        assert_eq!(authenticate(&[], "client_id=orders&client_secret=s3cr3t").as_deref(), Ok("orders"));
        assert_eq!(authenticate(&[&basic_of("orders:s3cr3t")], "client_id=orders").as_deref(), Ok("orders"));
    }

    #[test]
    fn both_parts_of_a_basic_credential_are_form_encoded() {
        assert_eq!(authenticate(&[&basic_of("a%3Ab:p%2Bq+r%25%26")], "").as_deref(), Ok("a:b"));
        assert_eq!(authenticate(&[&basic_of("a%3Ab:p+q r%&")], "").err(), WRONG);
    }

    #[test]
    fn whoever_proves_nothing_or_the_wrong_thing_is_refused() {
        for authorization in [
            basic_of("orders:wrong"),
            basic_of("orders:s3cr3t "),
            basic_of("orders:"),
            basic_of("nobody:s3cr3t"),
            basic_of("orders"),
            basic_of(":"),
            "Basic".into(),
            "Basic !".into(),
            "Bearer b3JkZXJzOnMzY3IzdA==".into(),
        ] {
            assert_eq!(authenticate(&[&authorization], "").err(), WRONG, "{authorization}");
        }
        for body in ["", "client_id=orders", "client_secret=s3cr3t", "client_id=orders&client_secret=wrong"] {
            assert_eq!(authenticate(&[], body).err(), WRONG, "{body}");
        }
    }

    #[test]
    fn two_ways_at_once_are_refused_even_when_both_are_right() {
        let right = basic_of("orders:s3cr3t");
        let both = "client_id=orders&client_secret=s3cr3t";
        assert!(matches!(authenticate(&[&right], both), Err(Refusal::Request(_))));
        assert!(matches!(authenticate(&[&right], "client_assertion=x"), Err(Refusal::Request(_))));
        assert!(matches!(authenticate(&[&right, &right], ""), Err(Refusal::Request(_))));
        assert!(matches!(authenticate(&[&right], "client_id=other"), Err(Refusal::Request(_))));
    }
}
