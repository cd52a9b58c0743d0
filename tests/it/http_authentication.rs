//! RFC 9110 section 11: the syntax of HTTP authentication.

use http::{HeaderMap, Request};
use tower_oauth::test::RequestExt as _;

use crate::support::{Fixture, send};

/// HTT-01: the scheme's name has any case.
#[tokio::test]
async fn the_scheme_has_any_case() {
    let fixture = Fixture::new();
    let token = fixture.token().sign();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        fixture.authorized(format!("{scheme} {token}")).await.assert_passed();
    }
}

/// HTT-02: spaces separate scheme and token, other whitespace is malformed.
#[tokio::test]
async fn only_spaces_separate_scheme_and_token() {
    let fixture = Fixture::new();
    let token = fixture.token().sign();
    fixture.authorized(format!("Bearer  {token}")).await.assert_passed();
    fixture.authorized(format!("Bearer\t{token}")).await.assert_refused(400, Some("invalid_request"));
}

/// HTT-03: a token is token68; an opaque one is well-formed, though no JWT.
#[tokio::test]
async fn a_token_is_token68() {
    let fixture = Fixture::new();
    for opaque in ["Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", "a+/="] {
        fixture.answer(opaque).await.assert_invalid_token("token_malformed");
    }
    for malformed in [&b"Bearer a=b"[..], b"Bearer a\"b", b"Bearer a\xFF"] {
        fixture.authorized(malformed).await.assert_refused(400, Some("invalid_request"));
    }
}

/// HTT-04: several field lines, or a list in one, are malformed; the first is never taken.
#[tokio::test]
async fn several_credentials_are_refused() {
    let fixture = Fixture::new();
    let token = fixture.token().sign();
    for second in [format!("Bearer {token}"), format!("DPoP {token}"), "Basic dTpw".to_owned()] {
        let request = Request::get("/x").bearer(&token).header("authorization", second);
        send(&fixture.app(), request).await.assert_refused(400, Some("invalid_request"));
    }
    fixture.authorized(format!("Bearer {token}, DPoP {token}")).await.assert_refused(400, Some("invalid_request"));
}

/// HTT-05: every 401 has a challenge.
#[tokio::test]
async fn every_401_has_a_challenge() {
    let fixture = Fixture::new();
    for answer in [
        send(&fixture.app(), Request::get("/x")).await,
        fixture.authorized("Basic dTpw").await,
        fixture.answer("junk").await,
        fixture.answer(&fixture.token().expired().sign()).await,
    ] {
        assert_eq!(answer.status(), 401);
        assert!(answer.challenge().starts_with("Bearer "));
    }
}

/// HTT-06: the realm is a quoted string with escapes.
#[tokio::test]
async fn the_realm_is_quoted() {
    let fixture = Fixture::with(|config| config.realm("a\"b"));
    let answer = send(&fixture.app(), Request::get("/x")).await;
    assert!(answer.challenge().contains(r#"realm="a\"b""#), "{}", answer.challenge());
}

/// HTT-07: Proxy-Authorization is no source of credentials.
#[tokio::test]
async fn proxy_authorization_is_not_read() {
    let fixture = Fixture::new();
    let token = fixture.token().sign();
    for scheme in ["Bearer", "DPoP"] {
        let mut headers = HeaderMap::new();
        headers.insert("proxy-authorization", format!("{scheme} {token}").parse().unwrap());
        let mut request = Request::get("/x");
        *request.headers_mut().unwrap() = headers;
        send(&fixture.app(), request).await.assert_refused(401, None);
    }
}
