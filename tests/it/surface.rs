//! The public surface, as the documentation shows it: this file compiles or the crate has changed under its users.

use std::time::Duration;

use axum::body::Body;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::Request;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use tower::ServiceExt as _;
use tower_oauth::test::{RequestExt as _, TestIssuer};
use tower_oauth::{
    AnyOf, Demand, Granted, Issuer, OAuthConfig, OAuthLayer, Profile, Requirement, ResourceServer, ScopeHierarchy,
    Token, require,
};

tower_oauth::scopes! {
    /// See orders.
    pub ReadOrders = "orders:read";
    pub WriteOrders = "orders:write";
    pub Admin = "admin";
}

/// Paying out needs a user with a strong, recent login.
pub(crate) struct Payout;

impl Requirement for Payout {
    const DEMAND: Demand = Demand::scope("payments:write").user_only().acr(&["phr"]).max_age(Duration::from_secs(300));
}

#[derive(Deserialize, Clone, Debug)]
struct TenantId(String);

#[derive(Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Role {
    Clerk,
}

#[derive(Deserialize)]
struct Shop {
    tenant: TenantId,
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct NewOrder {
    item: String,
}

async fn list(_: Granted<ReadOrders>) {}
async fn export(_: Granted<(ReadOrders, Admin)>) {}
async fn purge(_: Granted<AnyOf<(Admin, WriteOrders)>>) {}
async fn cancel(grant: Granted<WriteOrders>) {
    refund(&grant);
}
fn refund(_proof: &Granted<WriteOrders>) {}
async fn payout(_: Granted<Payout>) {}
async fn orders(token: Token<Shop>) -> String {
    format!("{} at {} as {:?}", token.principal(), token.tenant.0, token.roles)
}
async fn create(grant: Granted<WriteOrders, Shop>, Json(order): Json<NewOrder>) -> String {
    format!("{} for {} by {}", order.item, grant.tenant.0, grant.principal())
}
async fn peek(token: Option<Token>) -> &'static str {
    if token.is_some() { "known" } else { "unknown" }
}

fn app(cfg: OAuthConfig) -> Router {
    let server = ResourceServer::new(cfg);
    let admin = Router::new().route("/admin", get(|| async { "all" })).route_layer(require::<Admin>());
    let api = Router::new()
        .route("/me", get(|token: Token| async move { format!("Hello, {}!", token.principal()) }))
        .route("/orders", get(list).post(create))
        .route("/shop", get(orders))
        .route("/export", get(export))
        .route("/purge", delete(purge))
        .route("/cancel", post(cancel))
        .route("/payout", post(payout))
        .merge(admin)
        .layer(OAuthLayer::new(&server));
    let public = Router::new().route("/peek", get(peek)).layer(OAuthLayer::new(&server).optional());
    api.merge(public).merge(server.metadata())
}

async fn call(app: &Router, request: Request<Body>) -> (u16, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn with(method: &str, path: &str, token: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).bearer(token).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_reader_may_list_but_not_cancel() {
    let issuer = TestIssuer::new("https://login.test");
    let app = app(OAuthConfig::builder("https://api.test").trust(issuer.issuer()).build().unwrap());
    let token = issuer.token_for("https://api.test").scope("orders:read").sign();
    let listed =
        app.clone().oneshot(Request::get("/orders").bearer(&token).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(listed.status(), 200);
    assert_eq!(call(&app, with("POST", "/cancel", &token)).await.0, 403);
    assert_eq!(call(&app, with("GET", "/export", &token)).await.0, 403);
    assert_eq!(call(&app, with("DELETE", "/purge", &token)).await.0, 403);
    assert_eq!(call(&app, with("GET", "/admin", &token)).await.0, 403);
    assert_eq!(call(&app, with("GET", "/me", &token)).await, (200, "Hello, user-1!".to_owned()));
}

#[tokio::test]
async fn either_of_two_scopes_and_both_of_two_scopes() {
    let issuer = TestIssuer::new("https://login.test");
    let app = app(OAuthConfig::builder("https://api.test").trust(issuer.issuer()).build().unwrap());
    let token = |scope: &str| issuer.token_for("https://api.test").scope(scope).sign();
    assert_eq!(call(&app, with("DELETE", "/purge", &token("orders:write"))).await.0, 200);
    assert_eq!(call(&app, with("DELETE", "/purge", &token("admin"))).await.0, 200);
    assert_eq!(call(&app, with("GET", "/export", &token("admin"))).await.0, 403);
    assert_eq!(call(&app, with("GET", "/export", &token("admin orders:read"))).await.0, 200);
    assert_eq!(call(&app, with("GET", "/admin", &token("admin"))).await, (200, "all".to_owned()));
}

#[tokio::test]
async fn claims_are_typed_and_a_token_without_them_is_refused() {
    let issuer = TestIssuer::new("https://login.test");
    let app = app(OAuthConfig::builder("https://api.test").trust(issuer.issuer()).build().unwrap());
    let token = issuer.token_for("https://api.test").claim("tenant", "north").roles(["clerk"]).scope("orders:write");
    assert_eq!(call(&app, with("GET", "/shop", &token.sign())).await, (200, "user-1 at north as [Clerk]".to_owned()));
    let order = Request::post("/orders").bearer(&token.sign()).header("content-type", "application/json");
    let created = call(&app, order.body(Body::from(r#"{"item":"tea"}"#)).unwrap()).await;
    assert_eq!(created, (200, "tea for north by user-1".to_owned()));
    assert_eq!(call(&app, with("GET", "/shop", &issuer.token_for("https://api.test").sign())).await.0, 401);
}

#[tokio::test]
async fn a_payout_needs_a_user_with_a_strong_and_recent_login() {
    let issuer = TestIssuer::new("https://login.test");
    let app = app(OAuthConfig::builder("https://api.test").trust(issuer.issuer()).build().unwrap());
    let token = || issuer.token_for("https://api.test").scope("payments:write");
    let now = tower_oauth::time::Clock::now(&tower_oauth::time::SystemClock);
    let strong = token().acr("phr").auth_time(now.minus(Duration::from_secs(10)));
    assert_eq!(call(&app, with("POST", "/payout", &strong.sign())).await.0, 200);
    let old = token().acr("phr").auth_time(now.minus(Duration::from_secs(400)));
    let response = app.clone().oneshot(with("POST", "/payout", &old.sign())).await.unwrap();
    assert_eq!(response.status(), 401);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    assert!(challenge.contains("max_age=\"300\"") && !challenge.contains("acr_values"), "{challenge}");
    let client = token().acr("phr").auth_time(now).client_credentials();
    assert_eq!(call(&app, with("POST", "/payout", &client.sign())).await.0, 403);
}

#[tokio::test]
async fn an_optional_route_sees_none_and_a_route_without_a_layer_says_what_is_missing() {
    let issuer = TestIssuer::new("https://login.test");
    let app = app(OAuthConfig::builder("https://api.test").trust(issuer.issuer()).build().unwrap());
    let anonymous = || Request::get("/peek").body(Body::empty()).unwrap();
    assert_eq!(call(&app, anonymous()).await, (200, "unknown".to_owned()));
    let token = issuer.token_for("https://api.test").sign();
    assert_eq!(call(&app, with("GET", "/peek", &token)).await, (200, "known".to_owned()));
    assert_eq!(call(&app, with("GET", "/peek", "junk")).await.0, 401);

    let bare = Router::new().route("/peek", get(peek)).route("/me", get(|_: Token| async {}));
    for path in ["/peek", "/me"] {
        let response = bare.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        let rejection = response.extensions().get::<tower_oauth::Rejection>().unwrap();
        assert!(rejection.to_string().contains("OAuthLayer"), "{rejection}");
    }
}

#[test]
fn a_configuration_is_written_as_the_documentation_shows() {
    let config = OAuthConfig::builder("https://api.example.com/orders")
        .trust("https://login.example.com")
        .trust(Issuer::jwt("https://acme.eu.auth0.com/").profile(Profile::auth0()))
        .audience("api://orders")
        .scopes(ScopeHierarchy::separated_by(':').implies("admin", ["orders:write", "orders:read"]))
        .build();
    assert!(config.is_ok(), "{config:?}");
}

#[tokio::test]
async fn plain_tower_services_find_the_token_in_the_extensions() {
    use tower::{Layer as _, service_fn};
    let issuer = TestIssuer::new("https://login.test");
    let cfg = OAuthConfig::builder("https://api.test").trust(issuer.issuer()).build().unwrap();
    let layer = OAuthLayer::new(cfg).claims::<Shop>();
    let service = layer.layer(service_fn(|req: Request<Body>| async move {
        let token = req.extensions().get::<Token<Shop>>().unwrap();
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::from(token.tenant.0.clone())))
    }));
    let token = issuer.token_for("https://api.test").claim("tenant", "north").sign();
    let request = Request::get("/").bearer(&token).body(Body::empty()).unwrap();
    let body = service.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "north");
    let without = Request::get("/").bearer(&issuer.token_for("https://api.test").sign()).body(Body::empty()).unwrap();
    assert_eq!(service.oneshot(without).await.unwrap().status(), 401);
}
