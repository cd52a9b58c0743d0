//! The token endpoint (RFC 6749 section 3.2): from headers and body to a token or a [`Refusal`], one file for each grant.

mod client_credentials;
mod code;
mod exchange;
pub(crate) mod issue;
mod refresh;
pub(crate) mod target;

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::dev::audit::AuditKind;
use crate::dev::clients::Client;
use crate::dev::dpop::Place;
use crate::dev::endpoint::Endpoint;
use crate::dev::form::Form;
use crate::dev::misplaced::misplaced;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;
use crate::time::Timestamp;

/// The grants that there are, as the metadata list them.
pub(crate) const GRANT_TYPES: [&str; 4] =
    ["authorization_code", "refresh_token", "client_credentials", exchange::GRANT_TYPE];

/// A request whose client is known and whose key is proved.
pub(crate) struct TokenRequest<'r> {
    client: &'r Client,
    form: &'r Form,
    /// The thumbprint of the key that the request has proved.
    jkt: Option<String>,
    now: Timestamp,
}

/// Answers one request with the members of RFC 6749 section 5.1.
pub(crate) fn answer(
    server: &AuthorizationServer,
    headers: &HeaderMap,
    form: &Form,
    now: Timestamp,
) -> Result<Value, Refusal> {
    if let Some(hint) = misplaced(Endpoint::Token, form) {
        return Err(Refusal::Request(hint));
    }
    let client = server.authenticate(headers, form, now)?;
    let place = Place { method: "POST", path: &server.path("/token") };
    let granted = server.dpop.prove(headers, place, None, now).and_then(|jkt| {
        if client.is_dpop_bound && jkt.is_none() {
            return Err(Refusal::Proof("this client must send a DPoP proof"));
        }
        grant(server, &TokenRequest { client, form, jkt, now })
    });
    if let Err(refusal) = granted {
        server.note(AuditKind::Refused, now, |event| event.client(&client.id).detail(refusal.code()));
    }
    granted.map(Value::Object)
}

fn grant(server: &AuthorizationServer, request: &TokenRequest<'_>) -> Result<Map<String, Value>, Refusal> {
    match request.form.get("grant_type") {
        Some("authorization_code") => code::grant(server, request),
        Some("refresh_token") => refresh::grant(server, request),
        Some("client_credentials") => client_credentials::grant(server, request),
        Some(exchange::GRANT_TYPE) => exchange::grant(server, request),
        Some("password") => Err(Refusal::GrantType(
            "the password grant is gone from OAuth 2.1 (RFC 9700 section 2.4); use authorization_code with PKCE",
        )),
        Some("implicit") => {
            Err(Refusal::GrantType("the implicit grant is gone from OAuth 2.1; use authorization_code with PKCE"))
        }
        Some(_) => Err(Refusal::GrantType(
            "the grants are authorization_code, refresh_token, client_credentials and token exchange",
        )),
        None => Err(Refusal::Request("grant_type is missing")),
    }
}

#[cfg(test)]
mod tests {
    use http::header;
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::b64_decode;
    use crate::dev::{DevServer, DevServerBuilder};
    use crate::scope::ScopeSet;
    use std::time::Duration;

    fn endpoint(audience: Option<&str>) -> AuthorizationServer {
        let builder = DevServer::builder()
            .client("c", "s", ["orders:read", "orders:write"])
            .token_lifetime(Duration::from_secs(60));
        let builder = audience.into_iter().fold(builder, DevServerBuilder::audience);
        builder.assemble("http://127.0.0.1:1").unwrap()
    }

    fn answer(endpoint: &AuthorizationServer, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
        super::answer(endpoint, headers, &Form::parse(headers, body)?, endpoint.now())
    }

    fn headers() -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap())])
    }

    fn ask(endpoint: &AuthorizationServer, more: &str) -> Result<Value, Refusal> {
        let body = format!("client_id=c&client_secret=s&grant_type=client_credentials&{more}");
        answer(endpoint, &headers(), body.as_bytes())
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
        assert_eq!(endpoint.counts.tokens.get(), 1);
    }

    #[test]
    fn only_the_clients_scopes_are_granted_and_all_of_them_by_default() {
        let endpoint = endpoint(Some("https://api.test"));
        assert_eq!(ask(&endpoint, "").unwrap()["scope"], "orders:read orders:write");
        for refused in ["admin", "orders:read+admin", "+orders:read", "orders:read++orders:write", "%22", "ORDERS:READ"]
        {
            assert_eq!(ask(&endpoint, &format!("scope={refused}")).err(), Some(Refusal::Scope), "{refused}");
        }
        assert_eq!(endpoint.counts.tokens.get(), 1);
    }

    #[test]
    fn the_resource_decides_the_audience() {
        let endpoint = endpoint(Some("https://api.test"));
        let aud = |more: &str| claims(&ask(&endpoint, more).unwrap())["aud"].clone();
        assert_eq!(aud("resource=https%3A%2F%2Fother.test"), "https://other.test");
        assert_eq!(aud("resource=urn%3Ab"), "urn:b");
        let both = ask(&endpoint, "resource=https%3A%2F%2Fa&resource=urn%3Ab");
        assert!(matches!(both, Err(Refusal::Target(_))), "a scope would be good where it was not meant");
    }

    #[test]
    fn without_any_audience_there_is_no_token() {
        let endpoint = endpoint(None);
        assert!(matches!(ask(&endpoint, ""), Err(Refusal::Target(_))));
        assert!(matches!(ask(&endpoint, "resource="), Err(Refusal::Target(_))));
        for bad in ["orders", "%2Forders", "https%3A%2F%2Fa%23f", "1a%3Ab", "a%3A", "https%3A%2F%2Fa+b", "%C3%A9%3Aa"] {
            assert!(matches!(ask(&endpoint, &format!("resource={bad}")), Err(Refusal::Target(_))), "{bad}");
        }
        assert!(ask(&endpoint, "resource=https%3A%2F%2Fa").is_ok());
    }

    #[test]
    fn no_other_grant_is_known() {
        let endpoint = endpoint(Some("https://api.test"));
        let with =
            |grant: &str| answer(&endpoint, &headers(), format!("client_id=c&client_secret=s{grant}").as_bytes());
        for grant in ["password", "implicit", "CLIENT_CREDENTIALS", "client_credentials+"] {
            let refused = with(&format!("&grant_type={grant}"));
            assert!(matches!(refused, Err(Refusal::GrantType(_))), "{grant}");
        }
        assert_eq!(with("").err(), Some(Refusal::Request("grant_type is missing")));
        let stranger = answer(&endpoint, &headers(), b"grant_type=password");
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
            let _ = answer(&endpoint(None), &headers, &body);
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
