//! Logout tokens and security events over HTTP: what an issuer says unasked ends tokens here.

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_oauth::ResourceServer;

use crate::support::{Fixture, RESOURCE, T};

fn router(server: &ResourceServer) -> Router {
    Router::new().nest("/oauth", server.events())
}

async fn post(fixture: &Fixture, path: &str, content_type: &str, body: String) -> (Response<()>, String) {
    let request = Request::post(path).header("content-type", content_type).body(Body::from(body)).unwrap();
    let (head, body) = router(&fixture.server).oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, ()), String::from_utf8(body.to_vec()).unwrap())
}

async fn log_out(fixture: &Fixture, token: &str) -> (Response<()>, String) {
    let form = format!("logout_token={token}");
    post(fixture, "/oauth/backchannel-logout", "application/x-www-form-urlencoded", form).await
}

async fn push(fixture: &Fixture, set: &str) -> (Response<()>, String) {
    post(fixture, "/oauth/security-events", "application/secevent+jwt", set.to_owned()).await
}

/// EVT-04: a logout is answered by 200 and ends the tokens that it names at once.
#[tokio::test]
async fn a_logout_ends_the_session_at_once() {
    let fixture = Fixture::new();
    let in_session = fixture.token().claim("sid", "s-1").sign();
    let other = fixture.token().claim("sid", "s-2").sign();
    fixture.answer(&in_session).await.assert_passed();
    let (response, body) = log_out(&fixture, &fixture.issuer.logout_token(RESOURCE).session("s-1").sign()).await;
    assert_eq!((response.status().as_u16(), body.as_str()), (200, ""));
    assert_eq!(response.headers()["cache-control"], "no-store");
    fixture.answer(&in_session).await.assert_invalid_token("token_revoked");
    fixture.answer(&other).await.assert_passed();
}

/// EVT-01: what is not for us, not of our issuer or over is 400.
/// EVT-02: and so is what is no logout.
/// EVT-03: and what was used before.
#[tokio::test]
async fn a_logout_token_that_is_wrong_in_anything_ends_nothing() {
    let fixture = Fixture::new();
    let token = fixture.token().claim("sid", "s-1").sign();
    let right = || fixture.issuer.logout_token(RESOURCE).session("s-1");
    let stranger = tower_oauth::test::TestIssuer::new("https://evil.example").clock(fixture.clock.clone());
    for wrong in [
        fixture.issuer.logout_token("https://other.example").session("s-1").sign(),
        right().claim("iss", "https://as.example/").sign(),
        right().expired().sign(),
        right().bad_signature().sign(),
        right().signed_by(&stranger).sign(),
        right().unsigned().sign(),
        right().claim("nonce", "n").sign(),
        right().without("events").sign(),
        right().typ("at+jwt").sign(),
        right().without("sub").without("sid").sign(),
        token.clone(),
        String::new(),
    ] {
        let (response, body) = log_out(&fixture, &wrong).await;
        assert_eq!(response.status(), 400, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"], "invalid_request");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    fixture.answer(&token).await.assert_passed();
    let once = right().sign();
    assert_eq!(log_out(&fixture, &once).await.0.status(), 200);
    assert_eq!(log_out(&fixture, &once).await.0.status(), 400);
}

/// EVT-05: a pushed event is answered by 202 without a body, a wrong one by 400 with its code, never by 401.
/// EVT-06: a repeated delivery is answered as the first.
/// EVT-09: what was issued up to the event is over, what comes later is not.
#[tokio::test]
async fn a_revoked_session_is_told_by_a_pushed_event() {
    let fixture = Fixture::new();
    let before = fixture.token().subject("ada").sign();
    fixture.answer(&before).await.assert_passed();
    let set = fixture.issuer.security_event(RESOURCE).subject("ada").session_revoked().happened_at(T).sign();
    for _ in 0..2 {
        let (response, body) = push(&fixture, &set).await;
        assert_eq!((response.status().as_u16(), body.as_str()), (202, ""));
        fixture.answer(&before).await.assert_invalid_token("token_revoked");
    }
    fixture.clock.advance(std::time::Duration::from_secs(1));
    fixture.answer(&fixture.token().subject("ada").sign()).await.assert_passed();
}

#[tokio::test]
async fn a_wrong_event_is_answered_by_its_code() {
    let fixture = Fixture::new();
    let right = || fixture.issuer.security_event(RESOURCE).subject("ada").session_revoked();
    let for_others = fixture.issuer.security_event("https://other.example").subject("ada").session_revoked();
    for (set, code) in [
        (right().bad_signature().sign(), "authentication_failed"),
        (for_others.sign(), "invalid_audience"),
        (right().claim("iss", "https://unknown.example").sign(), "invalid_issuer"),
        (right().claim("exp", T.as_secs() + 60).sign(), "invalid_request"),
        (right().typ("at+jwt").sign(), "invalid_request"),
        (fixture.token().sign(), "invalid_request"),
        ("nonsense".to_owned(), "invalid_request"),
    ] {
        let (response, body) = push(&fixture, &set).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-language"]),
            (400, &"en".parse().unwrap())
        );
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["err"], code, "{body}");
        assert!(body["description"].is_string());
    }
    let (response, _) = post(&fixture, "/oauth/security-events", "application/jwt", right().sign()).await;
    assert_eq!(response.status(), 400);
    fixture.answer(&fixture.token().subject("ada").sign()).await.assert_passed();
}

/// EVT-08: a verification and events of other kinds are taken in and revoke nothing.
#[tokio::test]
async fn a_verification_revokes_nothing() {
    let fixture = Fixture::new();
    let token = fixture.token().subject("ada").sign();
    for set in [
        fixture.issuer.security_event(RESOURCE).verification("state-1"),
        fixture.issuer.security_event(RESOURCE).subject("ada").event("https://other.example/event", json!({})),
    ] {
        assert_eq!(push(&fixture, &set.sign()).await.0.status(), 202);
    }
    fixture.answer(&token).await.assert_passed();
}

#[tokio::test]
async fn a_giant_body_is_not_read() {
    let fixture = Fixture::new();
    let giant = "x".repeat(1024 * 1024);
    assert_eq!(log_out(&fixture, &giant).await.0.status(), 400);
    assert_eq!(push(&fixture, &giant).await.0.status(), 400);
}
