//! JSON Web Tokens as access tokens (RFC 9068, RFC 8725): pure rules, no clock, no I/O.
//!
//! A token is taken apart strictly (`compact`, `json`, `claims`), judged by what is free to judge (`rules`, `profile`),
//! and only then by its signature (`verify`), which alone makes the witness that later modules accept.

pub(crate) mod answer;
pub(crate) mod claims;
pub(crate) mod compact;
pub(crate) mod confirmation;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod jwk;
pub(crate) mod profile;
pub(crate) mod rules;
pub(crate) mod shapes;
pub(crate) mod signed;
pub(crate) mod statement;
mod texts;
pub(crate) mod verify;

pub use profile::Profile;
