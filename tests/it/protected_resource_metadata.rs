//! RFC 9728: how clients learn from a resource server whom it believes.

use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use axum::{Router, body::to_bytes};
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_oauth::crypto::Algorithm;
use tower_oauth::test::RequestExt as _;
use tower_oauth::{Demand, Dpop, OAuthConfig, OAuthLayer, Requirement, ResourceServer};

use crate::support::{Answer, Fixture, ISSUER, RESOURCE, ReadAndWrite, send};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A server that nothing is fetched for: the document needs no keys.
fn server(resource: &str) -> ResourceServer {
    ResourceServer::new(OAuthConfig::builder(resource).trust(ISSUER).build().unwrap())
}

/// One route behind one layer.
fn app(resource: &str) -> Router {
    orders().layer(OAuthLayer::new(server(resource)))
}

fn orders() -> Router {
    Router::new().route("/orders", get(|| async { "orders" }))
}

async fn ask(app: &Router, method: Method, uri: &str) -> Answer {
    let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    Answer { response: Response::from_parts(parts, ()), body: to_bytes(body, usize::MAX).await.unwrap() }
}

impl Answer {
    /// The document. It must come as RFC 9728 section 3.2 has it.
    #[track_caller]
    fn document(&self) -> Value {
        assert_eq!(self.status(), 200, "{:?}", self.response);
        assert_eq!(self.header("content-type"), Some("application/json"));
        let document: Value = serde_json::from_slice(&self.body).unwrap();
        assert!(document.is_object());
        document
    }
}

/// PRM-01: the well-known string is inserted between host and path or query, never appended.
#[tokio::test]
async fn the_document_is_where_clients_look_for_it() {
    for (resource, at, elsewhere) in [
        ("https://rs.example", "", &["/", "/api"][..]),
        ("https://rs.example/", "", &["/"]),
        ("https://rs.example/api", "/api", &["", "/", "/api/", "/api/v2"]),
        ("https://rs.example/api/", "/api/", &["/api"]),
        ("https://rs.example/api?t=1", "/api?t=1", &["/api", "/api?t=2", "/api?t=1&u=2", "?t=1"]),
        ("https://rs.example?t=1", "?t=1", &["", "/?t=1"]),
        ("https://rs.example:8443/a/b", "/a/b", &["/a", "/b"]),
    ] {
        for app in [app(resource), server(resource).metadata()] {
            let document = ask(&app, Method::GET, &format!("{WELL_KNOWN}{at}")).await.document();
            assert_eq!(document["resource"], resource);
            for elsewhere in elsewhere {
                let answer = ask(&app, Method::GET, &format!("{WELL_KNOWN}{elsewhere}")).await;
                assert_ne!(answer.status(), 200, "{resource} at {elsewhere}");
            }
            assert_ne!(ask(&app, Method::GET, &format!("/api{WELL_KNOWN}")).await.status(), 200, "appended");
        }
        let challenge = ask(&app(resource), Method::GET, "/orders").await;
        let origin = resource.get(..resource[8..].find(['/', '?']).map_or(resource.len(), |at| at + 8)).unwrap();
        assert_eq!(challenge.parameter("resource_metadata"), Some(&*format!("{origin}{WELL_KNOWN}{at}")));
    }
}

/// PRM-02: anybody gets the document by GET as JSON, and only the document is open.
#[tokio::test]
async fn the_document_needs_no_token_and_opens_nothing_else() {
    let fixture = Fixture::new();
    let path = format!("{WELL_KNOWN}/api");
    for app in [orders().layer(OAuthLayer::new(&fixture.server)), orders().merge(fixture.server.metadata())] {
        assert_eq!(ask(&app, Method::GET, &path).await.document()["resource"], RESOURCE);
        assert_ne!(ask(&app, Method::POST, &path).await.status(), 200);
    }
    let app = orders().layer(OAuthLayer::new(&fixture.server));
    for path in ["/orders", "/.well-known/other", "/.well-known/oauth-protected-resource-api"] {
        ask(&app, Method::GET, path).await.assert_refused(401, None);
    }
    let unknown = Request::get("/.well-known/other").bearer(&fixture.token().sign()).body(Body::empty()).unwrap();
    assert_eq!(app.oneshot(unknown).await.unwrap().status(), 404);
    assert_eq!(ask(&fixture.server.metadata(), Method::GET, "/.well-known/other").await.status(), 404);
}

/// PRM-02: a credential, however bad, does not close the document.
#[tokio::test]
async fn a_bad_token_does_not_close_the_document() {
    let fixture = Fixture::new();
    let answer = send(&fixture.app(), Request::get(format!("{WELL_KNOWN}/api")).bearer("junk")).await;
    assert_eq!(answer.document()["resource"], RESOURCE);
}

/// PRM-03: each of several resources of one host has its own document, which names that resource.
#[tokio::test]
async fn several_resources_of_a_host_have_their_own_documents() {
    let resources = ["https://rs.example", "https://rs.example/api", "https://rs.example/api/v2"];
    let app = resources.into_iter().fold(orders(), |app, resource| app.merge(server(resource).metadata()));
    for (resource, path) in resources.into_iter().zip(["", "/api", "/api/v2"]) {
        let document = ask(&app, Method::GET, &format!("{WELL_KNOWN}{path}")).await.document();
        assert_eq!(document["resource"], resource);
    }
}

/// PRM-03: after the server was renamed, the old address does not serve the new name.
#[tokio::test]
async fn an_address_never_serves_another_resources_document() {
    let server = server(RESOURCE);
    let routed = server.metadata::<()>();
    let layered = orders().layer(OAuthLayer::new(&server));
    server.replace(OAuthConfig::builder("https://rs.example/v2").trust(ISSUER).build().unwrap());
    for app in [&routed, &layered] {
        assert_ne!(ask(app, Method::GET, &format!("{WELL_KNOWN}/api")).await.status(), 200);
    }
    let renamed = ask(&layered, Method::GET, &format!("{WELL_KNOWN}/v2")).await.document();
    assert_eq!(renamed["resource"], "https://rs.example/v2");
}

/// PRM-03: the layer goes by the path that the client sent, wherever in nested routers it stands.
#[tokio::test]
async fn in_nested_routers_the_path_that_the_client_sent_decides() {
    let server = server(RESOURCE);
    let path = format!("{WELL_KNOWN}/api");
    let layer = || OAuthLayer::new(&server);
    let at_top = Router::new().nest("/api", orders()).layer(layer());
    let inside_and_routed = Router::new().nest("/api", orders().layer(layer())).merge(server.metadata());
    let on_routes_and_routed = Router::new().nest("/api", orders()).route_layer(layer()).merge(server.metadata());
    let deep = Router::new().nest("/api", Router::new().nest("/v1", orders())).layer(layer());
    let with_fallback = || orders().fallback(|| async { "elsewhere" }).layer(layer());
    let around_the_path = Router::new().nest("/.well-known", with_fallback());
    for app in [&at_top, &inside_and_routed, &on_routes_and_routed, &deep, &around_the_path] {
        assert_eq!(ask(app, Method::GET, &path).await.document()["resource"], RESOURCE);
    }
    for app in [&at_top, &inside_and_routed, &on_routes_and_routed] {
        let challenged = ask(app, Method::GET, "/api/orders").await;
        challenged.assert_refused(401, None);
        assert_eq!(challenged.parameter("resource_metadata"), Some(&*format!("https://rs.example{path}")));
    }
    // A path that only looks like it once the prefix is gone.
    let under_a_prefix = Router::new().nest("/tenant", with_fallback());
    ask(&under_a_prefix, Method::GET, &format!("/tenant{path}")).await.assert_refused(401, None);
    assert_eq!(ask(&under_a_prefix, Method::GET, &path).await.status(), 404);
}

/// PRM-04: a client that follows the challenge and compares strictly is served if, and only if, the resource is named as
/// the client addresses it.
#[tokio::test]
async fn a_strict_client_accepts_a_resource_named_as_it_addresses_it() {
    /// RFC 9728 section 3.3: the document found through `resource_metadata` must name the URL that was requested.
    async fn accepts(app: &Router, requested: &str) -> bool {
        let challenged = ask(app, Method::GET, requested).await;
        let metadata = challenged.parameter("resource_metadata").unwrap().to_owned();
        ask(app, Method::GET, &metadata).await.document()["resource"] == requested
    }
    let orders = "https://rs.example/orders";
    assert!(accepts(&app(orders), orders).await);
    assert!(!accepts(&app("https://rs.example"), orders).await);
    assert!(!accepts(&app("https://rs.example/orders/"), orders).await);
}

/// PRM-05: members without a value are left out.
#[tokio::test]
async fn members_without_a_value_are_left_out() {
    let config = OAuthConfig::builder(RESOURCE).trust(ISSUER).dpop(Dpop::off()).build().unwrap();
    let app = orders().layer(OAuthLayer::new(config));
    let document = ask(&app, Method::GET, &format!("{WELL_KNOWN}/api")).await.document();
    assert_eq!(
        document,
        json!({ "resource": RESOURCE, "authorization_servers": [ISSUER], "bearer_methods_supported": ["header"] })
    );
}

/// PRM-06: the document says what is configured, and says the new when that changes.
#[tokio::test]
async fn the_document_follows_the_configuration() {
    tower_oauth::scopes! { Offline = "offline_access"; Read = "read"; }
    let config = || OAuthConfig::builder(RESOURCE).trust("https://a.example").trust("https://b.example/t1/");
    let server = ResourceServer::new(
        config()
            .dpop(Dpop::required().algorithms([Algorithm::Es256]))
            .advertise::<ReadAndWrite>()
            .advertise::<(Read, Offline)>()
            .resource_name("Orders")
            .resource_documentation("https://rs.example/docs")
            .build()
            .unwrap(),
    );
    let apps = [orders().layer(OAuthLayer::new(&server)), server.metadata()];
    for app in &apps {
        assert_eq!(
            ask(app, Method::GET, &format!("{WELL_KNOWN}/api")).await.document(),
            json!({
                "resource": RESOURCE,
                "authorization_servers": ["https://a.example", "https://b.example/t1/"],
                "scopes_supported": ["read", "write"],
                "bearer_methods_supported": ["header"],
                "dpop_signing_alg_values_supported": ["ES256"],
                "dpop_bound_access_tokens_required": true,
                "resource_name": "Orders",
                "resource_documentation": "https://rs.example/docs",
            })
        );
    }
    server.replace(config().trust("https://c.example").build().unwrap());
    for app in &apps {
        let document = ask(app, Method::GET, &format!("{WELL_KNOWN}/api")).await.document();
        let issuers = json!(["https://a.example", "https://b.example/t1/", "https://c.example"]);
        assert_eq!(document["authorization_servers"], issuers);
        assert_eq!(document.get("scopes_supported"), None);
    }
}

/// PRM-07: a resource is an https URL without a fragment; http is for loopback, by a switch.
#[test]
fn a_resource_is_https_without_a_fragment() {
    let build = |resource: &str| OAuthConfig::builder(resource).trust(ISSUER).build();
    for bad in [
        "http://rs.example",
        "http://127.0.0.1:3000",
        "https://rs.example/#f",
        "https://rs.example/api#",
        "https://me:secret@rs.example",
        "rs.example",
        "/api",
        "urn:example:api",
    ] {
        let problems = build(bad).unwrap_err().problems().join("\n");
        assert!(problems.contains(&format!("resource {bad:?}")), "{problems}");
    }
    assert!(build("").unwrap_err().to_string().contains("no resource is set"));
    for good in ["https://rs.example", "https://rs.example:8443/a/b/", "https://rs.example/api?t=1"] {
        assert!(build(good).is_ok(), "{good}");
    }
    let on_loopback = |resource: &str| {
        OAuthConfig::builder(resource).trust("http://127.0.0.1:9000").dangerous_loopback_http().build().is_ok()
    };
    assert!(on_loopback("http://127.0.0.1:3000") && on_loopback("http://[::1]:3000"));
    assert!(!on_loopback("http://rs.example") && !on_loopback("http://localhost:3000"));
}

/// PRM-08: every challenge names the document by its absolute URL, once, beside whatever else it says.
#[tokio::test]
async fn every_challenge_names_the_document() {
    struct RecentLogin;
    impl Requirement for RecentLogin {
        const DEMAND: Demand = Demand::scope("read").acr(&["phr"]).max_age(Duration::from_secs(300));
    }
    let fixture = Fixture::new();
    let scoped = fixture.guarded::<ReadAndWrite>();
    let stepped_up = fixture.guarded::<RecentLogin>();
    let token = fixture.token().sign();
    let request = || Request::get("/x");
    for (answer, status, error) in [
        (send(&scoped, request()).await, 401, None),
        (send(&scoped, request().header("authorization", "Bearer a b")).await, 400, Some("invalid_request")),
        (send(&scoped, request().bearer("junk")).await, 401, Some("invalid_token")),
        (send(&scoped, request().bearer(&token)).await, 403, Some("insufficient_scope")),
        (send(&stepped_up, request().bearer(&token)).await, 401, Some("insufficient_user_authentication")),
    ] {
        answer.assert_refused(status, error);
        let url = format!("https://rs.example{WELL_KNOWN}/api");
        assert_eq!(answer.parameter("resource_metadata"), Some(&*url));
        assert_eq!(answer.challenge().matches("resource_metadata").count(), 1);
    }
    let step_up = send(&stepped_up, request().bearer(&token)).await;
    assert_eq!((step_up.parameter("max_age"), step_up.parameter("acr_values")), (Some("300"), Some("phr")));
}

/// PRM-10: the document may be cached for a while, and scripts of any origin may read it.
#[tokio::test]
async fn browsers_may_read_and_caches_may_keep_the_document() {
    let server = server(RESOURCE);
    let path = format!("{WELL_KNOWN}/api");
    for app in [orders().layer(OAuthLayer::new(&server)), server.metadata()] {
        let got = ask(&app, Method::GET, &path).await;
        let head = ask(&app, Method::HEAD, &path).await;
        for answer in [&got, &head] {
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        }
        assert!(!got.body.is_empty() && head.body.is_empty());
        // RFC 9110 section 8.6: of the same length as the answer to GET.
        assert_eq!(head.header("content-length"), Some(&*got.body.len().to_string()));
        let preflight = Request::options(&path)
            .header("origin", "https://app.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version");
        for request in [preflight, Request::options(&path)] {
            let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(answer.status(), 204);
            let header = |name| answer.headers().get(name).unwrap().to_str().unwrap();
            assert_eq!(header("access-control-allow-origin"), "*");
            assert!(header("access-control-allow-methods").contains("GET"));
            assert_eq!(header("access-control-allow-headers"), "*");
            assert!(header("access-control-max-age").parse::<u32>().is_ok());
        }
    }
}
