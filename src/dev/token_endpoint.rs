//! The token endpoint (RFC 6749 section 3.2): a pure decision from headers and body to a token or a [`Refusal`].

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::dev::clients::{Client, Clients};
use crate::dev::dpop::Dpop;
use crate::dev::form::Form;
use crate::dev::refusal::Refusal;
use crate::mint::authority::{Authority, Count};
use crate::mint::token::TokenBuilder;
use crate::scope::ScopeSet;

/// What the endpoint knows.
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    pub(super) authority: Arc<Authority>,
    pub(super) clients: Clients,
    pub(super) dpop: Dpop,
    pub(super) audience: Option<String>,
    pub(super) lifetime: Duration,
    pub(super) issued: Count,
}

impl TokenEndpoint {
    /// Answers one request with the members of RFC 6749 section 5.1.
    pub(super) fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
        let form = Form::parse(headers, body)?;
        let client = self.clients.authenticate(headers, &form)?;
        let key = self.dpop.prove(headers, self.authority.now())?;
        if client.is_dpop_bound && key.is_none() {
            return Err(Refusal::Proof("this client must send a DPoP proof"));
        }
        match form.get("grant_type") {
            Some("client_credentials") => self.client_credentials(client, &form, key),
            Some(_) => Err(Refusal::Grant),
            None => Err(Refusal::Request("grant_type is missing")),
        }
    }

    /// RFC 6749 section 4.4. The token is the client's own (RFC 9068 section 2.2): `sub` is the client. It is bound to
    /// `key`, a thumbprint, where one was proved (RFC 9449 section 5).
    fn client_credentials(&self, client: &Client, form: &Form, key: Option<String>) -> Result<Value, Refusal> {
        let scopes = granted(client, form.get("scope"))?;
        let token = self.builder().audiences(self.audiences(form)?).client(&client.id).client_credentials();
        let token = if scopes.is_empty() { token } else { token.scope(scopes.as_str()) };
        let (token, token_type) = match key {
            Some(jkt) => (token.confirmation(json!({ "jkt": jkt })), "DPoP"),
            None => (token, "Bearer"),
        };
        let mut members = Map::from_iter([
            ("access_token".to_owned(), token.try_sign().map_err(|_| Refusal::Server)?.into()),
            ("token_type".to_owned(), token_type.into()),
            ("expires_in".to_owned(), self.lifetime.as_secs().into()),
        ]);
        if !scopes.is_empty() {
            members.insert("scope".into(), scopes.as_str().into());
        }
        self.issued.add_one();
        Ok(Value::Object(members))
    }

    /// A token of this server, for its default audience where there is one.
    pub(super) fn builder(&self) -> TokenBuilder {
        let token = TokenBuilder::new(&self.authority).expires_in(self.lifetime);
        match &self.audience {
            Some(audience) => token.audience(audience),
            None => token,
        }
    }

    /// The requested resources (RFC 8707 section 2), else the default audience. Any resource will do: which ones a
    /// client may ask for is a policy, and this server has none.
    fn audiences(&self, form: &Form) -> Result<Vec<String>, Refusal> {
        let requested: Vec<String> = form.all("resource").map(str::to_owned).collect();
        if requested.iter().any(|resource| !is_absolute_uri(resource)) {
            return Err(Refusal::Target);
        }
        if !requested.is_empty() {
            return Ok(requested);
        }
        self.audience.clone().map(|audience| vec![audience]).ok_or(Refusal::Target)
    }
}

/// The scopes asked for, each of them the client's; all of the client's when none is asked for (RFC 6749 section 3.3).
fn granted(client: &Client, requested: Option<&str>) -> Result<ScopeSet, Refusal> {
    let Some(requested) = requested else { return Ok(client.scopes.clone()) };
    let scopes = ScopeSet::from_tokens(requested.split(' ')).map_err(|_| Refusal::Scope)?;
    if scopes.iter().all(|scope| client.scopes.contains(scope)) { Ok(scopes) } else { Err(Refusal::Scope) }
}

/// `absolute-URI` of RFC 3986 section 4.3, as far as a scheme, visible characters and no fragment.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\'))
}

#[cfg(test)]
mod tests {
    use http::header;
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{Algorithm, b64_decode};

    fn endpoint(audience: Option<&str>) -> TokenEndpoint {
        let scopes = "orders:read orders:write".parse().unwrap();
        let authority = Arc::new(Authority::new("http://127.0.0.1:1".into(), Algorithm::Es256).unwrap());
        TokenEndpoint {
            dpop: Dpop::new("http://127.0.0.1:1/token".into(), false, authority.now()).unwrap(),
            authority,
            clients: Clients(vec![Client { id: "c".into(), secret: "s".into(), scopes, is_dpop_bound: false }]),
            audience: audience.map(str::to_owned),
            lifetime: Duration::from_secs(60),
            issued: Count::default(),
        }
    }

    fn headers() -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap())])
    }

    fn ask(endpoint: &TokenEndpoint, more: &str) -> Result<Value, Refusal> {
        let body = format!("client_id=c&client_secret=s&grant_type=client_credentials&{more}");
        endpoint.answer(&headers(), body.as_bytes())
    }

    fn claims(answer: &Value) -> Value {
        let payload = answer["access_token"].as_str().unwrap().split('.').nth(1).unwrap();
        serde_json::from_slice(&b64_decode(payload.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn the_token_is_the_clients_own_and_says_so() {
        let endpoint = endpoint(Some("https://api.test"));
        let answer = ask(&endpoint, "scope=orders%3Aread").unwrap();
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&"Bearer".into(), &60.into()));
        assert_eq!(answer["scope"], "orders:read");
        let claims = claims(&answer);
        assert_eq!(
            (&claims["sub"], &claims["client_id"], &claims["scope"]),
            (&"c".into(), &"c".into(), &"orders:read".into())
        );
        assert_eq!(claims["aud"], "https://api.test");
        assert_eq!(claims["exp"].as_i64().unwrap(), claims["iat"].as_i64().unwrap() + 60);
        assert_eq!(endpoint.issued.get(), 1);
    }

    #[test]
    fn only_the_clients_scopes_are_granted_and_all_of_them_by_default() {
        let endpoint = endpoint(Some("https://api.test"));
        assert_eq!(ask(&endpoint, "").unwrap()["scope"], "orders:read orders:write");
        for refused in ["admin", "orders:read+admin", "+orders:read", "orders:read++orders:write", "%22", "ORDERS:READ"]
        {
            assert_eq!(ask(&endpoint, &format!("scope={refused}")).err(), Some(Refusal::Scope), "{refused}");
        }
        assert_eq!(endpoint.issued.get(), 1);
    }

    #[test]
    fn the_resource_decides_the_audience() {
        let endpoint = endpoint(Some("https://api.test"));
        let aud = |more: &str| claims(&ask(&endpoint, more).unwrap())["aud"].clone();
        assert_eq!(aud("resource=https%3A%2F%2Fother.test"), "https://other.test");
        assert_eq!(aud("resource=https%3A%2F%2Fa&resource=urn%3Ab"), serde_json::json!(["https://a", "urn:b"]));
    }

    #[test]
    fn without_any_audience_there_is_no_token() {
        let endpoint = endpoint(None);
        assert_eq!(ask(&endpoint, "").err(), Some(Refusal::Target));
        assert_eq!(ask(&endpoint, "resource=").err(), Some(Refusal::Target));
        for bad in ["orders", "%2Forders", "https%3A%2F%2Fa%23f", "1a%3Ab", "a%3A", "https%3A%2F%2Fa+b", "%C3%A9%3Aa"] {
            assert_eq!(ask(&endpoint, &format!("resource={bad}")).err(), Some(Refusal::Target), "{bad}");
        }
        assert!(ask(&endpoint, "resource=https%3A%2F%2Fa").is_ok());
    }

    #[test]
    fn no_other_grant_is_known() {
        let endpoint = endpoint(Some("https://api.test"));
        let with = |grant: &str| endpoint.answer(&headers(), format!("client_id=c&client_secret=s{grant}").as_bytes());
        for grant in ["password", "authorization_code", "refresh_token", "CLIENT_CREDENTIALS", "client_credentials+"] {
            assert_eq!(with(&format!("&grant_type={grant}")).err(), Some(Refusal::Grant), "{grant}");
        }
        assert_eq!(with("").err(), Some(Refusal::Request("grant_type is missing")));
        let stranger = endpoint.answer(&headers(), b"grant_type=password");
        assert_eq!(stranger.err(), Some(Refusal::Client), "who is not known learns nothing about grants");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_body_makes_the_endpoint_panic(
            body in proptest::collection::vec(any::<u8>(), 0..300),
            authorization in proptest::option::of("(Basic |basic  |Bearer )?[A-Za-z0-9+/=:% ]{0,40}"),
        ) {
            let mut headers = headers();
            headers.extend(authorization.and_then(|value| Some((header::AUTHORIZATION, value.parse().ok()?))));
            let _ = endpoint(None).answer(&headers, &body);
        }

        #[test]
        fn whatever_is_asked_only_the_clients_scopes_are_issued(
            more in "(&?(scope|resource|client_id|grant_type|x)=[a-z:%+ -~]{0,20}){0,4}",
        ) {
            if let Ok(answer) = ask(&endpoint(Some("https://api.test")), &more) {
                let scopes: ScopeSet = answer["scope"].as_str().unwrap().parse().unwrap();
                prop_assert!(scopes.iter().all(|scope| ["orders:read", "orders:write"].contains(&scope)));
            }
        }
    }
}
