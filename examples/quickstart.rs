//! A protected API, the authorization server that it believes, and a client: the whole token flow in one process.
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! It prints the address of a page, on which a person signs in, uses the API, and tries to steal something. For a
//! terminal it prints the same story as `curl` lines, each under what it will answer: paste them into another shell. Look
//! at `www-authenticate` in the refusals, which tells a client what to do next, and at the log of this process, which
//! tells you why: that part never goes over the wire.
//!
//! The page is in `quickstart/`: HTML and ES modules as they are, to be read; `client.js` is the OAuth client.

#[path = "quickstart/page.rs"]
mod page;
#[path = "quickstart/terminal.rs"]
mod terminal;

use std::error::Error;
use std::io::stderr;
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tower_oauth::dev::{DevClient, DevServer, DevUser};
use tower_oauth::{Demand, Dpop, Granted, NonceKey, OAuthConfig, OAuthLayer, Requirement, ResourceServer};

tower_oauth::scopes! {
    /// See orders.
    ReadOrders = "orders:read";
    /// Place orders.
    WriteOrders = "orders:write";
    /// Run the shop.
    Admin = "admin";
}

/// Paying out wants a user with a strong login that is not older than five minutes (RFC 9470).
struct Payout;

impl Requirement for Payout {
    const DEMAND: Demand = Demand::scope("payouts:write").user_only().acr(&["phr"]).max_age(Duration::from_secs(300));
}

/// What each handler takes says who may call it; no handler looks at a token.
fn orders() -> Router {
    Router::new().route("/orders", get(list).post(place).delete(clear)).route("/payouts", post(pay_out))
}

async fn list(_: Granted<ReadOrders>) -> Json<[&'static str; 2]> {
    Json(["tea", "bread"])
}

async fn place(grant: Granted<WriteOrders>) -> (StatusCode, String) {
    (StatusCode::CREATED, format!("an order of {}\n", grant.principal()))
}

async fn clear(_: Granted<Admin>) -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn pay_out(grant: Granted<Payout>) -> (StatusCode, String) {
    (StatusCode::CREATED, format!("Paid out to {}.\n", grant.principal()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter("tower_oauth::verdict=debug").with_writer(stderr).init();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let api = format!("http://{}", listener.local_addr()?);

    // Stands in for the issuer of your organisation. A real service has its URL and nothing more.
    let page = DevClient::public("page").redirect_uri(format!("{api}/callback")).dpop_bound();
    let dev = DevServer::builder()
        .client("shop", "s3cr3t", ["orders:read", "orders:write"])
        .register(page.scopes(["openid", "profile", "orders:read", "orders:write", "payouts:write"]))
        .public_client("terminal", ["http://127.0.0.1/callback"], ["orders:read"])
        .user(DevUser::new("ada").name("Ada Lovelace"))
        .user(DevUser::new("grace").name("Grace Hopper"))
        .audience(&api)
        .token_lifetime(Duration::from_secs(3600))
        // Two tabs of a browser may wake at once and refresh by the same token.
        .refresh_grace(Duration::from_secs(5))
        .dpop_nonce(true)
        // Is told when a session ends, so that its tokens end with it.
        .listener(format!("{api}/oauth/security-events"))
        .start()
        .await?;

    let config = OAuthConfig::builder(&api)
        .trust(dev.issuer_url())
        .dpop(Dpop::accepted().nonce(NonceKey::generated()))
        .advertise::<(ReadOrders, WriteOrders, Admin, Payout)>()
        // Issuer and API are on loopback without TLS. Leave this out, and only https is believed.
        .dangerous_loopback_http()
        .build()?;
    let server = ResourceServer::new(config);
    let app = orders()
        .layer(OAuthLayer::new(&server))
        .merge(server.metadata())
        .merge(page::page(dev.issuer_url())?)
        .nest("/oauth", server.events());

    println!("Open {api}/ in a browser: sign in, use the API, try to steal something.\n");
    terminal::print_lines(&api, &dev)?;
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        interrupted = ctrl_c() => interrupted?,
    }
    Ok(())
}
