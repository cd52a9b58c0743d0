//! A tower [`Layer`](tower::Layer) that turns any axum, hyper or plain tower service into an OAuth 2.0 resource server.
//!
//! It takes the Bearer token from a request, proves it against the issuers that the service believes, checks what each
//! route demands, and puts typed claims into the request's extensions.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_oauth::{Granted, OAuthConfig, OAuthLayer, Token};
//!
//! tower_oauth::scopes! {
//!     /// See orders.
//!     pub ReadOrders = "orders:read";
//! }
//!
//! # fn main() -> Result<(), tower_oauth::ConfigError> {
//! let config = OAuthConfig::builder("https://api.example.com")
//!     .trust("https://login.example.com")
//!     .build()?;
//!
//! let app: Router = Router::new()
//!     .route("/me", get(|token: Token| async move { format!("Hello, {}!", token.principal()) }))
//!     .route("/orders", get(|_: Granted<ReadOrders>| async { "all of them" }))
//!     .layer(OAuthLayer::new(config));
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//!
//! A folder is a capability, in the order in which a request meets it. Each room knows those above it only.
//!
//! | room | what it is |
//! |---|---|
//! | [`time`], [`secret`], [`scope`], [`demand`], [`crypto`], [`observe`] | words: what everything else is said in |
//! | [`transport`] | port: how documents are fetched |
//! | `credential`, `jwt` | rules: pure, `now` is an argument |
//! | `discovery`, `jwks` | sources: metadata and keys |
//! | `reject`, `token` | verdicts: the table of refusals, and what was proved |
//! | `server` | engine: the story of one request |
//! | [`layer`], [`guard`] | surfaces: the middleware, the extractors |
//! | `mint`, [`test`], [`dev`] | apart: keys and tokens for tests and development |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `axum` (default) | extractors, `ResourceServer::metadata` |
//! | `http-client` (default) | the built-in HTTPS client |
//! | `metrics` | counters through the `metrics` facade |
//! | `test-util` | [`test`]: real signatures without sockets |
//! | `dev-server` | [`dev`]: an authorization server on loopback |
//!
//! A feature adds API and dependencies; none changes a verdict.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod crypto;
pub mod demand;
pub mod observe;
pub mod scope;
pub mod secret;
pub mod time;

pub mod transport;

mod credential;
mod jwt;

mod discovery;
mod jwks;

mod reject;
mod token;

mod server;

pub mod guard;
pub mod layer;

#[cfg(feature = "dev-server")]
pub mod dev;
#[cfg(any(feature = "test-util", feature = "dev-server"))]
mod mint;
#[cfg(feature = "test-util")]
pub mod test;

pub use crypto::Algorithm;
pub use demand::{AnyOf, Demand, Requirement};
pub use guard::{Granted, require};
pub use jwt::Profile;
pub use layer::{OAuthLayer, PathRules, Preflight};
pub use reject::{EmptyBodies, OnRejection, Rejection, RejectionKind, RejectionResponse, StandardBodies};
pub use scope::ScopeHierarchy;
pub use server::{ConfigError, Issuer, MaxLifetime, NotReady, OAuthConfig, OAuthConfigBuilder, ResourceServer};
pub use token::{Anonymous, Authenticated, ClaimsError, Principal, Token};
