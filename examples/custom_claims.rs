//! Claims as types of your own, routes that know their caller or not, and refusals in the service's own words.
//!
//! ```sh
//! cargo run --example custom_claims
//! ```
//!
//! Look at the token without a tenant: it is refused before the handler runs, and the client is not told why. The log
//! line above its answer tells it to the operator.

use std::convert::Infallible;
use std::error::Error;
use std::io::stdout;

use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt as _};
use tower_oauth::test::{RequestExt as _, TestIssuer};
use tower_oauth::{Granted, OAuthConfig, OAuthLayer, Rejection, ResourceServer, Token};

const API: &str = "https://api.example.com";

tower_oauth::scopes! {
    /// Place orders.
    WriteOrders = "orders:write";
}

/// What this service reads of a token, beyond what every token has. Any `Deserialize` will do.
#[derive(Deserialize)]
struct Shop {
    tenant: Tenant,
    #[serde(default)]
    roles: Vec<Role>,
}

/// Typed as narrowly as the service means it: nothing else ever reaches a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tenant {
    North,
    South,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Clerk,
    #[serde(other)]
    Unknown,
}

/// `Token<Shop>` dereferences to `Shop`.
async fn me(token: Token<Shop>) -> String {
    format!("{} of {:?} as {:?}", token.principal(), token.tenant, token.roles)
}

/// Scope and claims by one extractor.
async fn place(grant: Granted<WriteOrders, Shop>) -> String {
    format!("an order of {} in {:?}", grant.principal(), grant.tenant)
}

/// `None` only where the layer is optional. A bad token is refused there too.
async fn greeting(token: Option<Token>) -> String {
    token.map_or_else(|| "Hello, whoever you are".to_owned(), |token| format!("Hello, {}", token.principal()))
}

/// The body of every refusal; status and challenge are the layer's and come on top.
fn in_our_words(rejection: &Rejection) -> Response<Body> {
    let message = match rejection.status().as_u16() {
        401 => "please sign in",
        403 => "you may not do this",
        _ => "please try again later",
    };
    Json(json!({ "message": message })).into_response()
}

fn app(server: &ResourceServer) -> Router {
    let members = Router::new().route("/me", get(me)).route("/orders", post(place));
    let visitors = Router::new().route("/greeting", get(greeting));
    let layer = OAuthLayer::new(server).on_rejection(in_our_words);
    members.layer(layer.clone()).merge(visitors.layer(layer.optional()))
}

/// Without extractors: the layer reads the claims, and a plain tower service finds them in the extensions.
async fn plain(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let tenant = request.extensions().get::<Token<Shop>>().map(|token| token.tenant);
    Ok(Response::new(Body::from(format!("the warehouse of {tenant:?}"))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(stdout).init();
    let issuer = TestIssuer::new("https://login.example.com");
    let server = ResourceServer::new(OAuthConfig::builder(API).trust(issuer.issuer()).build()?);

    let known = issuer.token_for(API).subject("alice").scope("orders:write");
    let token = known.clone().claim("tenant", "north").roles(["clerk", "juggler"]).sign();
    let (elsewhere, expired) = (known.claim("tenant", "moon").sign(), issuer.token_for(API).expired().sign());

    let app = app(&server);
    show("a clerk", &app, Request::get("/me").bearer(&token).body(Body::empty())?).await?;
    show("the clerk's order", &app, Request::post("/orders").bearer(&token).body(Body::empty())?).await?;
    show("a tenant that is none", &app, Request::get("/me").bearer(&elsewhere).body(Body::empty())?).await?;
    show("nobody", &app, Request::get("/me").body(Body::empty())?).await?;
    show("a greeted clerk", &app, Request::get("/greeting").bearer(&token).body(Body::empty())?).await?;
    show("a greeted stranger", &app, Request::get("/greeting").body(Body::empty())?).await?;
    show("an expired token", &app, Request::get("/greeting").bearer(&expired).body(Body::empty())?).await?;

    let layer = OAuthLayer::new(&server).claims::<Shop>().on_rejection(in_our_words);
    let warehouse = ServiceBuilder::new().layer(layer).service_fn(plain);
    show("a clerk without axum", &warehouse, Request::get("/").bearer(&token).body(Body::empty())?).await?;
    show("no tenant without axum", &warehouse, Request::get("/").bearer(&elsewhere).body(Body::empty())?).await
}

/// Sends a request through a service and prints the answer.
async fn show<S>(who: &str, service: &S, request: Request<Body>) -> Result<(), Box<dyn Error>>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let line = format!("{} {}", request.method(), request.uri());
    let response = service.clone().oneshot(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    println!("{who:<22} {line:<14} {status}  {}", String::from_utf8_lossy(&body));
    Ok(())
}
