//! A resource server as one would deploy it, configured wholly by environment variables: put it before any issuer.
//!
//! ```sh
//! OAUTH_RESOURCE=https://api.example.com OAUTH_ISSUERS=https://login.example.com cargo run --example resource_server
//! ```
//!
//! It prints `listening on http://127.0.0.1:3000` and serves until Ctrl-C or SIGTERM:
//!
//! | route | who |
//! |---|---|
//! | `/public`, `/ready` | everybody |
//! | `/me` | every valid token |
//! | `/read`, `/write`, `/admin` | the scope `orders:read`, `orders:write`, `admin` |
//! | `POST /logout` | every valid token: it is the last request that passes with it |
//! | `/revoke/SUBJECT` by POST | the scope `admin`: a user's tokens are refused from now on, at every replica |
//! | `/reseeded` by POST | the scope `admin`: what Redis lost of the revocations is there again |
//! | `POST /oauth/backchannel-logout`, `POST /oauth/security-events` | issuers, by what they have signed |
//!
//! Look at the log, on standard error: each refusal says why, and no line holds a token. Each `OAUTH_` variable may also
//! be given as `<NAME>_FILE`, the path of a file that holds the value.
//!
//! | variable | meaning |
//! |---|---|
//! | `LISTEN` | address and port, `127.0.0.1:3000` by default; port 0 takes a free one |
//! | `CORS_ORIGINS` | origins whose scripts may call, separated by commas; none by default |
//! | `RUST_LOG` | what is logged; `info` by default, `tower_http=debug,tower_oauth=debug` adds every request |
//! | `REDIS_URL`, `STORE_SECRET` | what replicas share, and at least 32 bytes for it; everything in memory by default |
//! | `CLOCK_OFFSET_MS` | how far this replica's clock is ahead, for trying out a fleet |
//! | `OAUTH_RESOURCE` | this service's identifier (required) |
//! | `OAUTH_ISSUERS` | issuers, separated by commas (required) |
//! | `OAUTH_AUDIENCES` | further audiences, separated by commas |
//! | `OAUTH_PROFILE` | `rfc9068` (default), `keycloak`, `auth0`, `entra`, `okta`, `cognito` |
//! | `OAUTH_ROLES_AT` | further paths of roles in the token, separated by commas |
//! | `OAUTH_ALGORITHMS` | accepted algorithms, separated by commas; all supported ones by default |
//! | `OAUTH_JWKS_URI`, `OAUTH_JWKS_FILE` | where the keys of a single issuer are; discovered by default |
//! | `OAUTH_KIND` | the tokens of a single issuer: `jwt` (default), `opaque` or `hybrid` |
//! | `OAUTH_CONFIRM_ONLINE` | `true` lets a single issuer of JWTs be asked where a route wants its own word |
//! | `OAUTH_CLIENT_AUTH` | how this service proves itself: `secret_basic` (default), `secret_post`, `private_key_jwt`, `bearer` |
//! | `OAUTH_CLIENT_ID`, `OAUTH_CLIENT_SECRET` | as whom this service asks |
//! | `OAUTH_CLIENT_KEY_FILE`, `OAUTH_CLIENT_KEY_ID`, `OAUTH_CLIENT_KEY_ALGORITHM` | the private key of `private_key_jwt` |
//! | `OAUTH_INTROSPECTION_ENDPOINT` | where the issuer is asked; discovered by default |
//! | `OAUTH_SIGNED_ANSWERS` | `true` takes only answers that the issuer has signed |
//! | `OAUTH_CACHE_SECONDS` | how long an answer that a token is active serves: 30 by default |
//! | `OAUTH_CACHE_UNTIL_EXP` | `true` lets it serve until the token's `exp` |
//! | `OAUTH_CACHE_REFUSALS_SECONDS` | how long an answer that a token is not active serves: 5 by default |
//! | `OAUTH_STATUS_LIST_ORIGINS` | origins of status lists besides the issuers' own, separated by commas |
//! | `OAUTH_EVENT_AUDIENCES` | the names under which issuers send logout tokens and security events |
//! | `OAUTH_FRESHNESS` | `offline`, `denylist` (default), `always`, or a number of seconds |
//! | `OAUTH_ON_INTROSPECTION_FAILURE`, `OAUTH_ON_STATUS_LIST_FAILURE` | `closed` (default), `open_and_counted`, or seconds |
//! | `OAUTH_ON_DENYLIST_FAILURE`, `OAUTH_ON_REPLAY_FAILURE` | the same; 30 seconds by default for the denylist |
//! | `OAUTH_RULES_LIVE_FOR_SECONDS` | how long a revocation is kept: 86400 by default |
//! | `OAUTH_LEEWAY_SECONDS` | how far clocks may differ: 60 by default, at most 120 |
//! | `OAUTH_MAX_LIFETIME_SECONDS` | refuses tokens that live longer |
//! | `OAUTH_SCOPE_SEPARATOR` | the separator of hierarchical scopes, one character |
//! | `OAUTH_SCOPES_SUPPORTED` | further scopes to list in the metadata, separated by commas |
//! | `OAUTH_REALM` | the `realm` of challenges |
//! | `OAUTH_REFUSE_QUERY_TOKENS` | `true` refuses requests with a token in the query string |
//! | `OAUTH_DPOP` | `off`, `accepted` (default) or `required` |
//! | `OAUTH_DPOP_MAX_AGE_SECONDS` | how old a proof may be: 60 by default |
//! | `OAUTH_DPOP_NONCE_SECRET`, `OAUTH_DPOP_PREVIOUS_NONCE_SECRET` | at least 32 bytes: proofs need a nonce |
//! | `OAUTH_ALSO_AT`, `OAUTH_PUBLIC_PREFIX` | how clients reach the service, for the `htu` of proofs |
//! | `OAUTH_CACHED_VERDICTS` | how many verdicts are kept: 32768 by default, 0 verifies every request |
//! | `OAUTH_DANGEROUS_LOOPBACK_HTTP` | `true` admits `http` at literal loopback addresses |

use std::env;
use std::error::Error;
use std::io::{self, IsTerminal as _};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::TraceLayer;
use tower_oauth::store::{RedisStore, StoreKey};
use tower_oauth::time::{Clock, SystemClock, Timestamp};
use tower_oauth::{
    Freshness, Granted, OAuthConfigBuilder, OAuthLayer, PathRules, ResourceServer, Revocation, RevokeError, Token,
    layer,
};
use tracing_subscriber::EnvFilter;

tower_oauth::scopes! {
    /// See orders.
    ReadOrders = "orders:read";
    /// Place orders.
    WriteOrders = "orders:write";
    /// Run the shop.
    Admin = "admin";
}

/// What handlers work with.
#[derive(Clone)]
struct Service {
    server: ResourceServer,
    store: Option<RedisStore>,
}

fn routes() -> Router<Service> {
    Router::new()
        .route("/public", get(|| async { "for everybody" }))
        .route("/ready", get(ready))
        .route("/me", get(|token: Token| async move { format!("Hello, {}!", token.principal()) }))
        .route("/read", get(|_: Granted<ReadOrders>| async { "the orders" }))
        .route("/write", get(|_: Granted<WriteOrders>| async { "written" }))
        .route("/admin", get(|_: Granted<Admin>| async { "the back office" }))
        .route("/logout", post(logout))
}

/// Ends the token that the request came with, at once and whatever its issuer says of it.
async fn logout(State(service): State<Service>, token: Token) -> StatusCode {
    revoked(service.server.revoke_token(token.authenticated()).await)
}

fn revoked(told: Result<(), RevokeError>) -> StatusCode {
    match told {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(error) => {
            tracing::warn!(%error, "not revoked everywhere");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// What must work when revocations were lost: here a token is judged without them.
fn repairs() -> Router<Service> {
    Router::new().route("/revoke/{subject}", post(revoke)).route("/reseeded", post(reseeded))
}

/// Refuses what the administrator's own issuer gave to a user.
async fn revoke(State(service): State<Service>, admin: Granted<Admin>, Path(subject): Path<String>) -> StatusCode {
    revoked(service.server.revoke(Revocation::subject(admin.issuer(), subject)).await)
}

/// Called once every revocation that Redis lost has been made anew. Until then no token passes anywhere else.
async fn reseeded(State(service): State<Service>, _: Granted<Admin>) -> StatusCode {
    let Some(store) = service.store else { return StatusCode::NOT_FOUND };
    match store.reseeded().await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(error) => {
            tracing::warn!(%error, "Redis could not be told");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// For the readiness probe of an orchestrator: whether the keys of every issuer are there, and all revocations known.
async fn ready(State(service): State<Service>) -> StatusCode {
    match service.server.ready().await {
        Ok(()) => StatusCode::OK,
        Err(missing) => {
            // Whom this service believes is for the operator to read, not for whoever finds the probe.
            tracing::warn!(%missing, "not ready");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// The layers as a request meets them, from the outside in.
fn app(service: &Service, origins: Vec<HeaderValue>) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE].into_iter().chain(layer::cors_allowed_headers()).collect::<Vec<_>>())
        .expose_headers(layer::cors_exposed_headers());
    let public = PathRules::new().public("/public").public("/ready");
    let server = &service.server;
    let repairs = repairs().with_state(service.clone()).layer(OAuthLayer::new(server).freshness(Freshness::Offline));
    let api = routes().with_state(service.clone()).layer(
        ServiceBuilder::new()
            // Around the layer that refuses: scripts must be able to read a refusal, and a preflight carries no token.
            .layer(cors)
            // Around all routes, so that a forgotten one is closed.
            .layer(OAuthLayer::new(server).paths(public)),
    );
    // The metadata are for clients of every origin and say so themselves, so they stand outside of `cors`; and issuers,
    // who tell here that a session is over, have no token. Of merged routers axum keeps the last one's answer to unknown
    // paths: that is to be the protected one's.
    server.metadata().nest("/oauth", server.events()).merge(repairs).merge(api).layer(
        ServiceBuilder::new()
            // First of all, so that nothing that prints headers prints a token.
            .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]))
            // Around the layer that refuses, so that refusals are seen as well. The path alone is logged: clients put
            // tokens into queries, though none is taken from there.
            .layer(TraceLayer::new_for_http().make_span_with(|request: &Request<_>| {
                tracing::info_span!("request", method = %request.method(), path = request.uri().path())
            })),
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();

    // Checked as a whole and without a network: a sleeping issuer does not stop a deploy, a mistake here does.
    let config = OAuthConfigBuilder::from_env().advertise::<(ReadOrders, WriteOrders, Admin)>();
    let config = match env::var("CLOCK_OFFSET_MS") {
        Ok(offset) => config.clock(Ahead(offset.parse()?)),
        Err(_) => config,
    };
    let store = match env::var("REDIS_URL") {
        Ok(url) => Some(RedisStore::new(&url, StoreKey::from_secret(env::var("STORE_SECRET")?))?),
        Err(_) => None,
    };
    let config = match &store {
        Some(store) => config.store(store.clone()),
        None => config,
    };
    let service = Service { server: ResourceServer::new(config.build()?), store };

    let origins = env::var("CORS_ORIGINS").unwrap_or_default();
    let origins = origins.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::parse);
    let app = app(&service, origins.collect::<Result<_, _>>()?);

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(told_to_stop()?).await?;
    Ok(())
}

/// A clock that is set wrongly, by milliseconds.
#[derive(Debug)]
struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.0)
    }
}

/// Ctrl-C, or SIGTERM from an orchestrator. Requests under way are answered first.
#[cfg(unix)]
fn told_to_stop() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ctrl-C. Requests under way are answered first.
#[cfg(windows)]
fn told_to_stop() -> io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
