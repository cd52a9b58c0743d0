//! Scopes in every form: one, both, either, a whole router's, a hierarchy of them, and a proof that is passed on.
//!
//! ```sh
//! cargo run --example scopes
//! ```
//!
//! Each token asks for each route. Look at what the refusals ask for, and at the broad scopes at the end: no route names
//! `orders`, and it opens every route that names a part of it.

use std::error::Error;

use axum::Router;
use axum::body::Body;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Method, Request};
use axum::routing::{delete, get, post};
use tower::ServiceExt as _;
use tower_oauth::test::{RequestExt as _, TestIssuer};
use tower_oauth::{AnyOf, Granted, OAuthConfig, OAuthLayer, ScopeHierarchy, require};

const API: &str = "https://api.example.com";

tower_oauth::scopes! {
    /// See orders.
    ReadOrders = "orders:read";
    /// Place, cancel and archive orders.
    WriteOrders = "orders:write";
    /// See what customers owe.
    ReadAccounts = "accounts:read";
    /// Run the shop.
    Admin = "admin";
}

fn orders() -> Router {
    // The layer demands for many routes what the extractor demands for one.
    let back_office = Router::new().route("/back-office", get(|| async {})).route_layer(require::<Admin>());
    Router::new()
        .route("/orders", get(list))
        .route("/statement", get(statement))
        .route("/archive", delete(archive))
        .route("/orders/7/cancel", post(cancel))
        .merge(back_office)
}

async fn list(_: Granted<ReadOrders>) {}

/// A tuple demands all of its parts.
async fn statement(_: Granted<(ReadOrders, ReadAccounts)>) {}

/// One of several is enough; the challenge asks for the first.
async fn archive(_: Granted<AnyOf<(WriteOrders, Admin)>>) {}

async fn cancel(grant: Granted<WriteOrders>) -> String {
    refund(&grant)
}

/// Only a checked token makes a `Granted`, so no code path reaches this function without the scope.
fn refund(proof: &Granted<WriteOrders>) -> String {
    format!("refunded by {}", proof.principal())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // An issuer in memory: real signatures, no sockets.
    let issuer = TestIssuer::new("https://login.example.com");
    let config = OAuthConfig::builder(API)
        .trust(issuer.issuer())
        // `orders` covers `orders:read`, by whole segments; an administrator has all of two such families.
        .scopes(ScopeHierarchy::separated_by(':').implies("admin", ["orders", "accounts"]))
        .build()?;
    let app = orders().layer(OAuthLayer::new(config));

    for scope in ["orders:read", "orders:write", "orders:read accounts:read", "orders", "admin"] {
        let token = issuer.token_for(API).scope(scope).sign();
        println!("\na token with {scope:?}");
        for (method, path) in [
            (Method::GET, "/orders"),
            (Method::GET, "/statement"),
            (Method::DELETE, "/archive"),
            (Method::POST, "/orders/7/cancel"),
            (Method::GET, "/back-office"),
        ] {
            let line = format!("{method} {path}");
            let request = Request::builder().method(method).uri(path).bearer(&token).body(Body::empty())?;
            let response = app.clone().oneshot(request).await?;
            let challenge = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str()).transpose()?;
            let status = response.status().as_u16();
            match challenge.and_then(wanted_scope) {
                Some(scope) => println!("  {status}  {line:<22} needs {scope:?}"),
                None => println!("  {status}  {line}"),
            }
        }
    }
    Ok(())
}

/// The scopes that a client is to come back with (RFC 6750 section 3).
fn wanted_scope(challenge: &str) -> Option<&str> {
    let (_, rest) = challenge.split_once(" scope=\"")?;
    rest.split('"').next()
}
