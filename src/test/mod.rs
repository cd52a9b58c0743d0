//! Tests with real signatures and without sockets: an issuer in memory, its tokens, a clock that you move.
//!
//! ```
//! use http::Request;
//! use tower_oauth::test::{RequestExt as _, TestIssuer};
//!
//! let issuer = TestIssuer::new("https://login.test");
//! let token = issuer.token_for("https://api.test").scope("orders:read").sign();
//! let request = Request::get("/orders").bearer(&token).body(())?;
//! # assert!(request.headers().contains_key("authorization"));
//! # Ok::<(), http::Error>(())
//! ```
//!
//! A [`TokenBuilder`] makes a valid token (RFC 9068) and breaks it on demand: `.expired()`, `.without("aud")`,
//! `.signed_by(&another)`. A [`TestIssuer`] rotates its keys, fails in the ways of [`Fault`], and counts what is
//! fetched from it. A [`DpopClient`] holds the key of a bound token and makes its proofs (RFC 9449), which a
//! [`ProofBuilder`] breaks one rule at a time.
//!
//! The issuer also keeps opaque tokens (an [`OpaqueTokenBuilder`] makes them), answers introspection (RFC 7662, RFC 9701;
//! an [`IntrospectionAnswer`] breaks it), revokes, publishes a [`StatusList`], and signs logout tokens and security
//! events ([`LogoutTokenBuilder`], [`SecurityEventBuilder`]). Nothing here sleeps: a [`ManualClock`] judges tokens, and tokio's paused
//! clock does the rest.

mod clock;
mod dpop;
mod issuer;
mod online;
mod request;

pub use clock::ManualClock;
pub use dpop::DpopClient;
pub use issuer::{TestIssuer, TestTransport};
pub use request::RequestExt;

pub use crate::mint::MintError;
pub use crate::mint::events::logout::LogoutTokenBuilder;
pub use crate::mint::events::security::SecurityEventBuilder;
pub use crate::mint::fault::Fault;
pub use crate::mint::introspection::answer::IntrospectionAnswer;
pub use crate::mint::introspection::request::IntrospectionRequest;
pub use crate::mint::keys::SigningKey;
pub use crate::mint::opaque::OpaqueTokenBuilder;
pub use crate::mint::proof::ProofBuilder;
pub use crate::mint::status_list::StatusList;
pub use crate::mint::token::TokenBuilder;
