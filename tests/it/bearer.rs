//! RFC 6750 and OAuth 2.1 section 5: Bearer tokens.

use http::{Method, Request};
use tower_oauth::test::RequestExt as _;

use crate::support::{Fixture, ReadAndWrite, send, send_with_body};

/// BEA-01: the token is taken from the Authorization header.
#[tokio::test]
async fn a_valid_token_passes() {
    let fixture = Fixture::new();
    let answer = fixture.answer(&fixture.token().subject("alice").sign()).await;
    answer.assert_passed();
    assert_eq!(answer.header("x-principal"), Some("user alice"));
}

/// BEA-02: nothing presented gets a challenge without an error code or text.
#[tokio::test]
async fn without_a_credential_the_challenge_has_no_error() {
    let answer = send(&Fixture::new().app(), Request::get("/x")).await;
    answer.assert_refused(401, None);
    assert!(!answer.challenge().contains("error"));
    assert_eq!(answer.rejection().kind().as_str(), "credentials_missing");
}

/// BEA-03: another scheme counts as nothing presented.
#[tokio::test]
async fn another_scheme_counts_as_nothing() {
    let answer = Fixture::new().authorized("Basic dTpw").await;
    answer.assert_refused(401, None);
    assert!(!answer.challenge().contains("error"));
}

/// BEA-04: a challenge has at least one parameter, realm configured or not.
#[tokio::test]
async fn a_challenge_always_has_parameters() {
    for fixture in [Fixture::new(), Fixture::with(|config| config.realm(""))] {
        for answer in [send(&fixture.app(), Request::get("/x")).await, fixture.answer("notajwt").await] {
            assert!(answer.challenge().starts_with("Bearer realm=\""), "{}", answer.challenge());
        }
    }
}

/// BEA-05: each parameter stands once, however many layers are nested.
#[tokio::test]
async fn nested_layers_answer_with_one_challenge() {
    use tower::{Layer as _, service_fn, util::BoxCloneSyncService};
    use tower_oauth::{OAuthLayer, require};
    let fixture = Fixture::new();
    let layer = || OAuthLayer::new(&fixture.server);
    let inner = require::<ReadAndWrite>().layer(service_fn(crate::support::inner));
    let app = BoxCloneSyncService::new(layer().layer(layer().layer(inner)));
    for (token, status) in [("", 401), (fixture.token().sign().as_str(), 403)] {
        let request = if token.is_empty() { Request::get("/x") } else { Request::get("/x").bearer(token) };
        let answer = send(&app, request).await;
        assert_eq!(answer.status(), status);
        for name in ["realm", "error", "scope", "resource_metadata"] {
            let _ = answer.parameter(name);
            assert!(answer.challenge().matches(&format!("{name}=")).count() <= 1, "{}", answer.challenge());
        }
    }
}

/// BEA-06: what does not fit into a challenge's character sets is sanitised or refused at build time.
#[tokio::test]
async fn a_challenge_cannot_be_split_or_broken() {
    let fixture = Fixture::with(|config| config.realm("say \"hi\" \\o/"));
    let answer = fixture.answer("x\"").await;
    assert_eq!(answer.status(), 400);
    assert!(answer.challenge().starts_with(r#"Bearer realm="say \"hi\" \\o/", "#), "{}", answer.challenge());
    for realm in ["line\r\nX: y", "é", "\u{7f}"] {
        let built =
            tower_oauth::OAuthConfig::builder("https://rs.example").trust("https://as.example").realm(realm).build();
        assert!(built.unwrap_err().to_string().contains("realm"));
    }
    let description = answer.parameter("error_description").unwrap();
    assert!(description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)));
}

/// BEA-07: expired, malformed and badly signed tokens are invalid_token.
#[tokio::test]
async fn a_bad_token_is_invalid_token() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().expired().sign()).await.assert_invalid_token("token_expired");
    fixture.answer("notajwt").await.assert_invalid_token("token_malformed");
    fixture.answer(&fixture.token().bad_signature().sign()).await.assert_invalid_token("signature_invalid");
}

/// BEA-08: broken header syntax is a bad request.
#[tokio::test]
async fn broken_syntax_is_invalid_request() {
    let fixture = Fixture::new();
    for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b"] {
        fixture.authorized(value).await.assert_refused(400, Some("invalid_request"));
    }
}

/// BEA-09: too little scope is 403 with everything that the operation needs, in one challenge.
#[tokio::test]
async fn a_missing_scope_is_told_with_all_that_is_needed() {
    let fixture = Fixture::new();
    let app = fixture.guarded::<ReadAndWrite>();
    let answer = send(&app, Request::get("/x").bearer(&fixture.token().scope("read").sign())).await;
    answer.assert_refused(403, Some("insufficient_scope"));
    assert_eq!(answer.parameter("scope"), Some("read write"));
    send(&app, Request::get("/x").bearer(&fixture.token().scope("write read").sign())).await.assert_passed();
}

/// BEA-10: scopes are case-sensitive, whole words, in any order.
#[tokio::test]
async fn scopes_are_compared_as_whole_words() {
    tower_oauth::scopes! { FilesRead = "files:read"; }
    let fixture = Fixture::new();
    let app = fixture.guarded::<FilesRead>();
    for (scope, status) in [("Files:read", 403), ("files:read2", 403), ("b files:read a", 200), ("", 403)] {
        let answer = send(&app, Request::get("/x").bearer(&fixture.token().claim("scope", scope).sign())).await;
        assert_eq!(answer.status(), status, "{scope}");
    }
}

/// BEA-11: a token in the query string is ignored.
#[tokio::test]
async fn a_token_in_the_query_is_ignored() {
    let fixture = Fixture::new();
    let uri = format!("/x?access_token={}", fixture.token().sign());
    send(&fixture.app(), Request::get(uri)).await.assert_refused(401, None);
}

/// BEA-12: beside a header, a query token has no effect, or is refused by the strict option.
#[tokio::test]
async fn a_query_token_beside_a_header_has_no_effect_or_is_refused() {
    let lax = Fixture::new();
    let request = |fixture: &Fixture| Request::get("/x?a=1&access_token=junk").bearer(&fixture.token().sign());
    send(&lax.app(), request(&lax)).await.assert_passed();
    let strict = Fixture::with(|config| config.refuse_query_tokens());
    send(&strict.app(), request(&strict)).await.assert_refused(400, Some("invalid_request"));
    send(&strict.app(), Request::get("/x?a=1").bearer(&strict.token().sign())).await.assert_passed();
}

/// BEA-14: the body is never read for a token, and arrives as it was sent.
#[tokio::test]
async fn a_token_in_the_body_is_not_read() {
    let fixture = Fixture::new();
    let request = || Request::post("/x").header("content-type", "application/x-www-form-urlencoded");
    send_with_body(&fixture.app(), request(), "access_token=x").await.assert_refused(401, None);
    let answer = send_with_body(&fixture.optional(), request(), "access_token=x").await;
    answer.assert_passed();
    assert_eq!(answer.body, "access_token=x");
}

/// BEA-16: on an optional route nothing is anonymous, and a bad credential never becomes so.
#[tokio::test]
async fn a_bad_credential_is_never_anonymous() {
    let fixture = Fixture::new();
    let app = fixture.optional();
    let anonymous = send(&app, Request::get("/x")).await;
    anonymous.assert_passed();
    assert_eq!(anonymous.header("x-anonymous"), Some("yes"));
    let expired = Request::builder().method(Method::GET).uri("/x").bearer(&fixture.token().expired().sign());
    send(&app, expired).await.assert_invalid_token("token_expired");
    let known = send(&app, Request::get("/x").bearer(&fixture.token().sign())).await;
    assert_eq!(known.header("x-anonymous"), None);
    known.assert_passed();
}
