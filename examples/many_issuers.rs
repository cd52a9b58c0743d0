//! Three issuers, each with its own algorithm and its own way to write tokens, and one of them does not answer.
//!
//! ```sh
//! cargo run --example many_issuers
//! ```
//!
//! All requests of a block are sent at once. Look at the times: the partner's token waits until the fetch of its keys is
//! given up after five seconds, and is then told to come back, not that it is bad; everybody else is served meanwhile.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::RETRY_AFTER;
use axum::routing::get;
use serde_json::json;
use tokio::time::sleep;
use tower::ServiceExt as _;
use tower_oauth::test::{Fault, RequestExt as _, TestIssuer};
use tower_oauth::{Algorithm, OAuthConfig, OAuthLayer, Profile, Token};

const API: &str = "https://api.example.com";

async fn me(token: Token) -> String {
    format!("{} from {}", token.principal(), token.issuer())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let staff = TestIssuer::new("https://login.example.com");
    let customers = TestIssuer::with_algorithm("https://customers.example.com/", Algorithm::Rs256);
    let partner = TestIssuer::with_algorithm("https://sso.example.org/realms/partner", Algorithm::EdDsa);

    // A token's `iss` picks among these and no others. What one of them may do, another may not: each has its own keys,
    // its own dialect, and if need be its own algorithms and audience.
    let config = OAuthConfig::builder(API)
        .trust(staff.issuer())
        .trust(customers.issuer().profile(Profile::auth0()).algorithms([Algorithm::Rs256]))
        .trust(partner.issuer().profile(Profile::keycloak()).audience("orders"))
        .build()?;
    let app = Router::new().route("/me", get(me)).layer(OAuthLayer::new(config));

    // Each as its issuer writes it; for RFC 9068 nothing need be said.
    let of_staff = staff.token_for(API).subject("alice").sign();
    let of_customer = customers.token_for(API).subject("auth0|bob").typ("JWT");
    let of_customer = of_customer.without("client_id").claim("azp", "web-shop").sign();
    let of_partner = partner.token_for("orders").subject("carol").typ("JWT").claim("typ", "Bearer");
    let of_partner = of_partner.claim("azp", "portal").claim("realm_access", json!({ "roles": ["buyer"] })).sign();

    // A staging issuer that got hold of the real one's key: neither name nor key opens anything by itself.
    let staging = TestIssuer::new("https://login.staging.example.com");
    let of_staging = staging.token_for(API).signed_by(&staff).sign();
    let forged = staff.token_for(API).signed_by(&staging).sign();

    println!("\nthe partner's issuer hangs");
    partner.fail(Fault::Hang);
    let ((), (), (), (), ()) = tokio::try_join!(
        show("partner", &app, &of_partner),
        show("staff", &app, &of_staff),
        show("customer", &app, &of_customer),
        show("staging", &app, &of_staging),
        show("forged", &app, &forged),
    )?;

    println!("\nit is back, and the keys of the others are there already");
    partner.heal();
    // As long as the first failure keeps anybody from asking again.
    sleep(Duration::from_secs(2)).await;
    let ((), (), ()) = tokio::try_join!(
        show("partner", &app, &of_partner),
        show("staff", &app, &of_staff),
        show("customer", &app, &of_customer),
    )?;

    println!("\nkey sets fetched from staging: {}", staging.jwks_fetches());
    Ok(())
}

/// Sends a request and prints how long the answer took.
async fn show(who: &str, app: &Router, token: &str) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let response = app.clone().oneshot(Request::get("/me").bearer(token).body(Body::empty())?).await?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let retry = response.headers().get(RETRY_AFTER).map(|value| value.to_str()).transpose()?;
    let retry = retry.map(|seconds| format!(", try again in {seconds} s")).unwrap_or_default();
    println!("  {took:>7.1} ms  {who:<9} {}{retry}", response.status().as_u16());
    Ok(())
}
