//! A tower [`Layer`](tower::Layer) that turns any axum, hyper or plain tower service into an OAuth 2.0 resource server.
//!
//! It takes the Bearer or DPoP token from a request, proves it against the issuers that the service believes, holds a
//! bound token to a proof of its key (RFC 9449), checks what each route demands, and puts typed claims into the
//! request's extensions.
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
//! Start with the README; the [`guide`] has a chapter for each question that comes after it: [how a token is
//! judged](guide::jwt), [several issuers](guide::many_issuers), [opaque tokens](guide::opaque),
//! [revocation](guide::revocation), [DPoP](guide::dpop), [the flow](guide::flows), [scopes](guide::scopes),
//! [testing](guide::testing), [configuration](guide::configuration), [deploying](guide::deploying),
//! [scaling](guide::scaling), [observing](guide::observability), [every default](guide::defaults) and [the threat
//! model](guide::threats).
//!
//! # The map
//!
//! A folder is a capability, in the order in which a request meets it. Each room knows those above it only, and a test
//! holds every path in the source against that. ● is pure: no `async`, no clock, no I/O; the time is an argument.
//!
//! ```text
//! lib.rs            what it is, this map, the names that users import
//! guide.rs          the chapters of docs/guide as pages of this documentation
//! — words —         what everything else is said in
//! time.rs           Timestamp, the trait Clock, SystemClock
//! secret.rs ●       Secret: not printed, wiped, compared in constant time
//! scope.rs ●        ScopeSet, ScopeHierarchy, scopes!
//! demand/ ●         Demand, Requirement, AnyOf: what a route asks, as constant data
//! crypto/ ●         Algorithm, parsed public keys, hashes, seals; the only place that verifies a signature
//! observe/          events as plain data, tracing, metrics
//! — ports —         what is asked of the world
//! transport/        any tower service that answers HTTP; the limits that none can loosen; the built-in HTTPS client
//! store/            what must be remembered: the contracts of a replay store and of a denylist, and those in memory
//! — rules —         how a credential is judged
//! credential.rs ●   the Authorization header, and nothing else
//! client_auth/      how this server proves to an issuer who it is
//! jwt/ ●            compact serialization, strict JSON, claims, profiles, rules, signature; VerifiedJwt is the witness
//! dpop/ ●           proofs of possession: their checks, the URI that they are for, nonces without memory, the policy
//! — sources —       where the knowledge about an issuer and its tokens comes from
//! discovery.rs      an issuer's metadata, believed only under its own name
//! introspection/    asking an issuer about a token: once however many wait, and never more than it bears
//! jwks/             key sets read key by key, and the ring that keeps one fresh
//! revocation/       status lists, and the events by which an issuer takes tokens back
//! — verdicts —
//! reject/           the table from every error to what goes over the wire
//! token/            Authenticated, Anonymous, Token: what was proved
//! — engine —
//! server/           configuration, issuers, the story of one request, cached verdicts, whether a token still stands,
//!                   revocations and the events that bring them, the metadata of RFC 9728
//! — surfaces —
//! layer/            OAuthLayer, its service and future, the path rules
//! guard/            Token and Granted as extractors, require as a layer
//! — apart —
//! mint/             keys and tokens for the two below; private
//! dev/              DevServer: an authorization server on loopback
//! test/             TestIssuer and what it issues, publishes and answers; DpopClient, ManualClock
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `axum` (default) | the extractors, `ResourceServer::metadata` |
//! | `http-client` (default) | the built-in HTTPS client; without it, bring a [`transport`] |
//! | `metrics` | counters, gauges and a histogram through the `metrics` facade |
//! | `redis` | [`store::RedisStore`]: proofs, rules and answers that several replicas share |
//! | `test-util` | [`mod@test`]: real signatures without sockets |
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

pub mod store;
pub mod transport;

pub mod client_auth;
mod credential;
mod dpop;
mod jwt;

mod discovery;
mod introspection;
mod jwks;
mod revocation;

mod reject;
mod token;

mod server;

pub mod guard;
pub mod layer;

#[cfg(doc)]
pub mod guide;

#[cfg(feature = "dev-server")]
pub mod dev;
#[cfg(any(feature = "test-util", feature = "dev-server"))]
mod mint;
#[cfg(feature = "test-util")]
pub mod test;

pub use client_auth::ClientAuth;
pub use crypto::Algorithm;
pub use demand::{AnyOf, Demand, Detail, Freshness, Requirement};
pub use dpop::{Dpop, NonceKey};
pub use guard::{Granted, require};
pub use jwt::Profile;
pub use layer::{OAuthLayer, PathRules, Preflight};
pub use reject::{EmptyBodies, OnRejection, Rejection, RejectionKind, RejectionResponse, StandardBodies};
pub use scope::ScopeHierarchy;
pub use server::{
    ConfigError, Issuer, MaxLifetime, NotReady, OAuthConfig, OAuthConfigBuilder, OriginalTarget, ResourceServer,
    Revocation, RevokeError,
};
pub use token::{Actor, Anonymous, Authenticated, ClaimsError, Dependency, OnFailure, Principal, Token};

/// The README's examples, run like those of the guide.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
