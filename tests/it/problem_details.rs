//! RFC 9457: problem details, and the other bodies of refusals.

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde_json::Value;
use tower::{Layer as _, service_fn, util::BoxCloneSyncService};
use tower_oauth::test::{Fault, RequestExt as _};
use tower_oauth::{OAuthLayer, Rejection, require};

use crate::support::{App, Fixture, ReadAndWrite, inner, send};

fn with_problems(fixture: &Fixture) -> App {
    let guarded = require::<ReadAndWrite>().layer(service_fn(inner));
    BoxCloneSyncService::new(OAuthLayer::new(&fixture.server).problem_details().layer(guarded))
}

/// PRB-01: the body is problem+json, its status is that of the answer, and the challenge is still there.
#[tokio::test]
async fn a_problem_repeats_the_status_and_leaves_the_challenge() {
    let fixture = Fixture::new();
    let app = with_problems(&fixture);
    let malformed = Request::get("/x").header("authorization", "Bearer");
    for (request, status) in
        [(Request::get("/x"), 401), (malformed, 400), (Request::get("/x").bearer(&fixture.token().sign()), 403)]
    {
        let answer = send(&app, request).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["error"].as_str(), answer.error());
        assert!(answer.challenge().starts_with("Bearer "));
    }
}

/// PRB-02: the body says nothing of token, claims or cause, its types are stable, and HEAD has none.
#[tokio::test]
async fn a_problem_tells_nothing_of_the_cause() {
    let fixture = Fixture::new();
    let app = with_problems(&fixture);
    let expired = fixture.token().subject("alice").expired().sign();
    let forged = fixture.token().subject("alice").bad_signature().sign();
    let (first, second) =
        (send(&app, Request::get("/x").bearer(&expired)).await, send(&app, Request::get("/x").bearer(&forged)).await);
    assert_eq!(first.body, second.body);
    let expected = concat!(
        r#"{"type":"https://www.rfc-editor.org/rfc/rfc6750#section-3.1","title":"The token is not valid","#,
        r#""status":401,"error":"invalid_token"}"#
    );
    assert_eq!(first.body, expected);
    fixture.issuer.fail(Fault::Connect);
    let unjudged = Fixture::new();
    unjudged.issuer.fail(Fault::Connect);
    let answer = send(&with_problems(&unjudged), Request::get("/x").bearer(&unjudged.token().sign())).await;
    assert_eq!(answer.status(), 503);
    let expected = concat!(
        r#"{"type":"https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4","#,
        r#""title":"The token could not be checked just now","status":503}"#
    );
    assert_eq!(answer.body, expected);
    let head = send(&app, Request::builder().method(Method::HEAD).uri("/x")).await;
    assert_eq!((head.status().as_u16(), head.body.len()), (401, 0));
    let get = send(&app, Request::get("/x")).await;
    assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()));
}

#[tokio::test]
async fn refusals_are_empty_by_default() {
    let fixture = Fixture::new();
    let answer = send(&fixture.app(), Request::get("/x")).await;
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_closure_makes_the_body_of_every_refusal_and_cannot_change_the_verdict() {
    let fixture = Fixture::new();
    let layer = OAuthLayer::new(&fixture.server).on_rejection(|rejection: &Rejection| {
        Response::builder().header("x-own", "yes").body(Full::from(rejection.kind().as_str())).unwrap()
    });
    let app = BoxCloneSyncService::new(layer.layer(require::<ReadAndWrite>().layer(service_fn(inner))));
    for (request, status, body) in [
        (Request::get("/x"), 401, "credentials_missing"),
        (Request::get("/x").bearer(&fixture.token().sign()), 403, "scope_missing"),
    ] {
        let answer = send(&app, request).await;
        assert_eq!((answer.status().as_u16(), answer.body.clone()), (status, Bytes::from(body)));
        assert_eq!(answer.header("x-own"), Some("yes"));
        assert!(answer.challenge().starts_with("Bearer "));
        assert_eq!(answer.rejection().kind().as_str(), body);
    }
}
