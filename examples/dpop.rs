//! DPoP: a token that was stolen is worthless (RFC 9449).
//!
//! ```sh
//! cargo run --example dpop
//! ```
//!
//! One bound token, used well and then in the ways of a thief. Look at the reasons: the first column is what the client
//! reads, the last one what the operator reads.

use std::error::Error;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::routing::get;
use tower::ServiceExt as _;
use tower_oauth::test::{DpopClient, RequestExt as _, TestIssuer};
use tower_oauth::{Dpop, NonceKey, OAuthConfig, OAuthLayer, Rejection, Token};

const API: &str = "https://api.example.com";
const ORDERS: &str = "https://api.example.com/orders";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // An issuer in memory: real signatures, no sockets.
    let issuer = TestIssuer::new("https://login.example.com");
    let config = OAuthConfig::builder(API)
        .trust(issuer.issuer())
        // Replicas share one secret; `generated()` fits a single process.
        .dpop(Dpop::accepted().nonce(NonceKey::generated()))
        .build()?;
    let app = Router::new()
        .route("/orders", get(|token: Token| async move { format!("orders of {}", token.principal()) }))
        .route("/invoices", get(|_: Token| async { "invoices" }))
        .layer(OAuthLayer::new(config));

    // The proof's `iat` is in whole seconds, and the memory of used proofs begins with the server: a proof of the very
    // second in which it started may have been made before.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let (client, thief) = (DpopClient::new(), DpopClient::new());
    let token = issuer.token_for(API).subject("ada").bound_to(&client).sign();
    let get = |path: &str| Request::get(path);

    // The first proof cannot hold a nonce yet: the answer brings one, and the client tries again.
    let first = ask(&app, "first proof, without a nonce", get("/orders").dpop(&client, API, &token)).await?;
    client.note_nonce(API, first.headers());
    ask(&app, "the owner, with the nonce", get("/orders").dpop(&client, API, &token)).await?;

    ask(&app, "stolen, sent as Bearer", get("/orders").bearer(&token)).await?;

    let proof = client.proof_for(&Method::GET, ORDERS, &token).sign();
    ask(&app, "a proof, for the first time", get("/orders").dpop_with(&token, &proof)).await?;
    ask(&app, "the same proof, replayed", get("/orders").dpop_with(&token, &proof)).await?;

    let proof = client.proof_for(&Method::GET, ORDERS, &token).sign();
    ask(&app, "a proof for another path", get("/invoices").dpop_with(&token, &proof)).await?;

    thief.note_nonce(API, first.headers());
    ask(&app, "signed by the thief's own key", get("/orders").dpop(&thief, API, &token)).await?;

    let forged = thief.proof_for(&Method::GET, ORDERS, &token).jwk(client_key(&client)).sign();
    ask(&app, "the owner's key, another's hand", get("/orders").dpop_with(&token, &forged)).await?;
    Ok(())
}

/// The public key that everybody saw in the client's proofs.
fn client_key(client: &DpopClient) -> serde_json::Value {
    tower_oauth::test::SigningKey::from(client).public_jwk()
}

async fn ask(
    app: &Router,
    what: &str,
    request: axum::http::request::Builder,
) -> Result<axum::response::Response, Box<dyn Error>> {
    let response = app.clone().oneshot(request.body(Body::empty())?).await?;
    let status = response.status().as_u16();
    match response.extensions().get::<Rejection>() {
        None => println!("{what:<34} {status}"),
        Some(rejection) => {
            let error = rejection.kind().error().unwrap_or("-");
            println!("{what:<34} {status}  {error:<20} {rejection}");
        }
    }
    Ok(response)
}
