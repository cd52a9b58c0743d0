//! Opaque tokens: the issuer is asked about them (RFC 7662), once for many requests, and what happens when it is silent.
//!
//! ```sh
//! cargo run --example introspection
//! ```
//!
//! Look at the second column: it counts the questions that the issuer got. A token that was asked about is not asked
//! about again, however many use it at once, except on the route that wants the issuer's own word each time; and an issuer
//! that does not answer is never a 401.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::RETRY_AFTER;
use axum::routing::{get, post};
use tokio::task::JoinSet;
use tower::ServiceExt as _;
use tower_oauth::client_auth::ClientAuth;
use tower_oauth::observe::Event;
use tower_oauth::test::{Fault, RequestExt as _, TestIssuer};
use tower_oauth::{
    Demand, Dependency, Freshness, Granted, Issuer, OAuthConfig, OAuthLayer, OnFailure, Rejection, Requirement,
    ResourceServer, Token,
};

const API: &str = "https://api.example.com";

/// Money moves only on the issuer's own word.
struct Payout;

impl Requirement for Payout {
    const DEMAND: Demand = Demand::scope("payments:write").fresh(Freshness::Always);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // An issuer in memory, which answers whom it knows and nobody else.
    let issuer = TestIssuer::new("https://login.example.com");
    issuer.registers_client("orders-api", "s3cr3t");
    let me = ClientAuth::secret_basic("orders-api", "s3cr3t");

    let config = OAuthConfig::builder(API)
        // Its JWTs are verified here; about its other tokens it is asked.
        .trust(Issuer::hybrid("https://login.example.com", me).transport(issuer.transport()))
        .observer(|event: &Event<'_>| {
            if let Event::FailurePolicyUsed { dependency, policy, .. } = event {
                println!("  event: {dependency} could not be asked, {policy}");
            }
        })
        .build()?;
    let server = ResourceServer::new(config);
    let routes = || {
        Router::new()
            .route("/me", get(|token: Token| async move { token.principal().to_string() }))
            .route("/payouts", post(|_: Granted<Payout>| async { "paid" }))
    };
    let app = routes().layer(OAuthLayer::new(&server));
    // The same service for callers who would rather have an answer of the last minute than none.
    let patient = routes().layer(
        OAuthLayer::new(&server).on_failure(Dependency::Introspection, OnFailure::StaleWithin(Duration::from_secs(60))),
    );
    let me = || Request::get("/me");
    let payout = || Request::post("/payouts");

    println!("what is asked");
    let ada = issuer.opaque_token_for(API).subject("ada").scope("payments:write").issue();
    show(&issuer, "a token, seen for the first time", &app, me().bearer(&ada)).await?;
    show(&issuer, "the same, within 30 s", &app, me().bearer(&ada)).await?;
    show(&issuer, "the same, where money moves", &app, payout().bearer(&ada)).await?;
    show(&issuer, "once more, where money moves", &app, payout().bearer(&ada)).await?;
    let jwt = issuer.token_for(API).subject("ada").scope("payments:write").sign();
    show(&issuer, "a JWT, verified here", &app, me().bearer(&jwt)).await?;
    show(&issuer, "the JWT, where money moves", &app, payout().bearer(&jwt)).await?;

    let crowd = issuer.opaque_token_for(API).subject("bob").issue();
    let before = issuer.introspections();
    let mut requests = JoinSet::new();
    for _ in 0..50 {
        requests.spawn(app.clone().oneshot(me().bearer(&crowd).body(Body::empty())?));
    }
    let answers = requests.join_all().await;
    let passed = answers.iter().flatten().filter(|answer| answer.status().is_success()).count();
    println!(
        "  {:<42} 200 × {passed}, asked {}",
        "fifty requests at once, one new token",
        issuer.introspections() - before
    );

    println!("\nwhat is refused");
    show(&issuer, "an invented token", &app, me().bearer("invented")).await?;
    show(&issuer, "the same, within 5 s", &app, me().bearer("invented")).await?;
    let foreign = issuer.opaque_token_for("https://other.example.com").issue();
    show(&issuer, "an active token for another service", &app, me().bearer(&foreign)).await?;
    issuer.set_claim(&ada, "scope", "payments:read");
    show(&issuer, "a scope withdrawn in mid-session", &app, payout().bearer(&ada)).await?;
    issuer.set_claim(&ada, "scope", "payments:write");
    show(&issuer, "and given back", &app, payout().bearer(&ada)).await?;
    issuer.revoke(&crowd);
    show(&issuer, "revoked, but the answer is 30 s good", &app, me().bearer(&crowd)).await?;

    println!("\nthe issuer does not answer");
    issuer.fail_introspection(Fault::Status(500));
    show(&issuer, "a token whose answer is still good", &app, me().bearer(&ada)).await?;
    show(&issuer, "a token never seen", &app, me().bearer(&issuer.opaque_token_for(API).issue())).await?;
    show(&issuer, "where money moves", &app, payout().bearer(&ada)).await?;
    show(&issuer, "the same, by a layer that takes a minute", &patient, payout().bearer(&ada)).await?;

    println!("\nit is back");
    issuer.heal();
    show(&issuer, "where money moves", &app, payout().bearer(&ada)).await?;
    Ok(())
}

/// Sends a request and prints what came of it, and how often the issuer was asked for it.
async fn show(
    issuer: &TestIssuer,
    what: &str,
    app: &Router,
    request: axum::http::request::Builder,
) -> Result<(), Box<dyn Error>> {
    let before = issuer.introspections();
    let response = app.clone().oneshot(request.body(Body::empty())?).await?;
    let (status, asked) = (response.status().as_u16(), issuer.introspections() - before);
    let kind = response.extensions().get::<Rejection>().map_or("", |rejection| rejection.kind().as_str());
    let retry = response.headers().get(RETRY_AFTER).map(|value| value.to_str()).transpose()?;
    let retry = retry.map(|seconds| format!(", try again in {seconds} s")).unwrap_or_default();
    println!("{}", format!("  {what:<42} {status}, asked {asked}  {kind}{retry}").trim_end());
    Ok(())
}
