//! The Fetch standard: what browsers need of a protected service.

use http::{HeaderValue, Method, Request, StatusCode};
use tower::{Layer as _, service_fn, util::BoxCloneSyncService};
use tower_http::cors::CorsLayer;
use tower_oauth::test::RequestExt as _;
use tower_oauth::{OAuthLayer, Preflight, layer};

use crate::support::{App, Fixture, inner, send};

fn preflight() -> http::request::Builder {
    Request::builder()
        .method(Method::OPTIONS)
        .uri("/x")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization,dpop")
}

/// The protected service behind a CORS layer, as one would deploy it.
fn behind_cors(fixture: &Fixture) -> App {
    let cors = CorsLayer::new()
        .allow_origin(HeaderValue::from_static("https://app.example"))
        .allow_methods([Method::GET])
        .allow_headers(layer::cors_allowed_headers())
        .expose_headers(layer::cors_exposed_headers());
    BoxCloneSyncService::new(cors.layer(fixture.app()))
}

/// COR-01: a preflight is not refused for lack of credentials; it reaches whatever answers it.
#[tokio::test]
async fn a_preflight_reaches_the_inner_service() {
    let fixture = Fixture::new();
    let answer = send(&fixture.app(), preflight()).await;
    answer.assert_passed();
    assert_eq!(answer.header("x-anonymous"), Some("yes"));
}

/// COR-01: only a real preflight passes, and `Preflight::Refuse` lets none pass.
#[tokio::test]
async fn what_only_looks_like_a_preflight_is_refused() {
    let fixture = Fixture::new();
    for request in [
        Request::builder().method(Method::OPTIONS).uri("/x"),
        Request::builder().method(Method::OPTIONS).uri("/x").header("origin", "https://app.example"),
        Request::builder().method(Method::OPTIONS).uri("/x").header("access-control-request-method", "GET"),
        Request::get("/x").header("origin", "https://app.example").header("access-control-request-method", "GET"),
    ] {
        send(&fixture.app(), request).await.assert_refused(401, None);
    }
    send(&fixture.app(), preflight().bearer("junk")).await.assert_invalid_token("token_malformed");
    let strict = OAuthLayer::new(&fixture.server).preflight(Preflight::Refuse).layer(service_fn(inner));
    send(&BoxCloneSyncService::new(strict), preflight()).await.assert_refused(401, None);
}

/// COR-02: scripts may read the challenge and the nonce, of refusals and of answers.
#[tokio::test]
async fn the_challenge_is_exposed_to_scripts() {
    let fixture = Fixture::new();
    let refused = Request::get("/x").header("origin", "https://app.example");
    let passed = Request::get("/x").header("origin", "https://app.example").bearer(&fixture.token().sign());
    for (request, status) in [(refused, 401), (passed, 200)] {
        let answer = send(&fixture.app(), request).await;
        assert_eq!(answer.status(), status);
        let exposed = answer.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
        for name in ["www-authenticate", "dpop-nonce"] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{exposed}");
        }
    }
    let same_origin = send(&fixture.app(), Request::get("/x")).await;
    assert_eq!(same_origin.header("access-control-expose-headers"), None);
}

/// COR-03: the headers that a preflight must allow are listed by name.
#[tokio::test]
async fn authorization_and_dpop_are_allowed_by_name() {
    let answer = send(&behind_cors(&Fixture::new()), preflight()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let allowed = answer.header("access-control-allow-headers").unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("dpop"), "{allowed}");
}

/// COR-04: refusals carry the CORS headers too, so that a script can read them.
#[tokio::test]
async fn refusals_are_readable_across_origins() {
    let fixture = Fixture::new();
    let app = behind_cors(&fixture);
    fixture.issuer.fail(tower_oauth::test::Fault::Connect);
    let unjudged = Request::get("/x").bearer(&fixture.token().sign());
    for (request, status) in
        [(Request::get("/x"), 401), (Request::get("/x").header("authorization", "Bearer"), 400), (unjudged, 503)]
    {
        let answer = send(&app, request.header("origin", "https://app.example")).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
        assert!(answer.header("access-control-expose-headers").is_some());
    }
}
