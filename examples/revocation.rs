//! Revocation: how long a token still passes after it was taken back, for each way to take it back.
//!
//! ```sh
//! cargo run --example revocation
//! ```
//!
//! Each block is a timeline in milliseconds: the token is used, taken back, and used again until it is refused. Look at
//! the last number of each block, and at how often the issuer was asked for it.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use tokio::time::sleep;
use tower::ServiceExt as _;
use tower_oauth::client_auth::ClientAuth;
use tower_oauth::test::{RequestExt as _, StatusList, TestIssuer};
use tower_oauth::{
    Demand, Freshness, Granted, Issuer, OAuthConfig, OAuthLayer, Requirement, ResourceServer, Revocation, Token,
};

const API: &str = "https://api.example.com";
const ISSUER: &str = "https://login.example.com";

/// On the issuer's own word, for each request.
struct Always;

impl Requirement for Always {
    const DEMAND: Demand = Demand::authenticated().fresh(Freshness::Always);
}

/// On a word of the issuer that is at most two seconds old.
struct Recent;

impl Requirement for Recent {
    const DEMAND: Demand = Demand::authenticated().fresh(Freshness::Within(Duration::from_secs(2)));
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = TestIssuer::new(ISSUER);
    issuer.registers_client("orders-api", "s3cr3t");
    let me = ClientAuth::secret_basic("orders-api", "s3cr3t");
    let trust = Issuer::jwt(ISSUER).confirm_online(me).transport(issuer.transport());
    let server = ResourceServer::new(OAuthConfig::builder(API).trust(trust).build()?);
    let api = Router::new()
        .route("/orders", get(|_: Token| async {}))
        .route("/recent", get(|_: Granted<Recent>| async {}))
        .route("/always", get(|_: Granted<Always>| async {}))
        .layer(OAuthLayer::new(&server));
    // Where the issuer says that a session is over. Outside of the layer: the issuer has no token, it signs what it says.
    let app = Router::new().nest("/oauth", server.events()).merge(api);

    let token = issuer.token_for(API).subject("ada").sign();
    let line = Timeline::start("the service revokes it: the denylist, at once on every route", &issuer, &app, &token);
    line.used("/orders").await?;
    let alice = issuer.token_for(API).subject("alice").sign();
    ask(&app, "/orders", &alice).await?;
    let taken_back = line.taken_back();
    server.revoke(Revocation::subject(ISSUER, "ada")).await?;
    line.refused("/orders", taken_back).await?;
    println!("             and {} for another user", ask(&app, "/orders", &alice).await?);

    let token = issuer.token_for(API).subject("bob").sign();
    let line = Timeline::start("the issuer revokes it: at once where it is always asked", &issuer, &app, &token);
    line.used("/always").await?;
    let taken_back = line.taken_back();
    issuer.revoke(&token);
    line.refused("/always", taken_back).await?;
    println!("             and {} where nobody asks the issuer", ask(&app, "/orders", &token).await?);

    let token = issuer.token_for(API).subject("carol").sign();
    let line = Timeline::start("the issuer revokes it: within the two seconds of the route", &issuer, &app, &token);
    line.used("/recent").await?;
    let taken_back = line.taken_back();
    issuer.revoke(&token);
    line.refused("/recent", taken_back).await?;

    issuer.publishes_status_list(1, StatusList::new(1, 100_000).ttl(Duration::from_secs(5)));
    let token = issuer.token_for(API).subject("dan").status(1, 42).sign();
    let line = Timeline::start("the issuer's status list says so: within its five seconds", &issuer, &app, &token);
    line.used("/orders").await?;
    let taken_back = line.taken_back();
    issuer.set_status(1, 42, 1);
    line.refused("/orders", taken_back).await?;

    let token = issuer.token_for(API).subject("eve").claim("sid", "s-42").sign();
    let line = Timeline::start("the user logs out at the issuer, which tells: at once", &issuer, &app, &token);
    line.used("/orders").await?;
    let taken_back = line.taken_back();
    let logout = issuer.logout_token("orders-api").session("s-42").sign();
    let told = Request::post("/oauth/backchannel-logout").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let told = app.clone().oneshot(told.body(Body::from(format!("logout_token={logout}")))?).await?;
    assert_eq!(told.status(), StatusCode::OK, "the issuer signed it for this service");
    line.refused("/orders", taken_back).await?;
    Ok(())
}

/// The story of one token.
struct Timeline<'t> {
    issuer: &'t TestIssuer,
    app: &'t Router,
    token: &'t str,
    asked: u64,
    begun: Instant,
}

impl<'t> Timeline<'t> {
    fn start(what: &str, issuer: &'t TestIssuer, app: &'t Router, token: &'t str) -> Self {
        println!("\n{what}");
        let asked = issuer.introspections();
        Self { issuer, app, token, asked, begun: Instant::now() }
    }

    fn say(&self, what: &str) {
        println!("  {:>7.1} ms  {what}", milliseconds(self.begun.elapsed()));
    }

    async fn used(&self, path: &str) -> Result<(), Box<dyn Error>> {
        let status = ask(self.app, path, self.token).await?;
        self.say(&format!("used       {status} {path}"));
        Ok(())
    }

    fn taken_back(&self) -> Instant {
        self.say("taken back");
        Instant::now()
    }

    /// Uses the token until it is refused, twenty times a second.
    async fn refused(&self, path: &str, taken_back: Instant) -> Result<(), Box<dyn Error>> {
        let mut passed = 0;
        loop {
            let status = ask(self.app, path, self.token).await?;
            if status == 401 {
                self.say(&format!("refused    {status} {path}"));
                break;
            }
            passed += 1;
            sleep(Duration::from_millis(50)).await;
        }
        let after = milliseconds(taken_back.elapsed());
        let asked = self.issuer.introspections() - self.asked;
        println!(
            "             {after:.1} ms after, {passed} requests passed meanwhile; the issuer was asked {asked} times"
        );
        Ok(())
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

async fn ask(app: &Router, path: &str, token: &str) -> Result<u16, Box<dyn Error>> {
    let request = Request::get(path).bearer(token).body(Body::empty())?;
    Ok(app.clone().oneshot(request).await?.status().as_u16())
}
