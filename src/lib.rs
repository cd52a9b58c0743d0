//! placeholder
#![allow(dead_code)]
pub mod crypto;
pub mod demand;
mod discovery;
mod jwks;
#[cfg(feature = "dev-server")]
pub mod dev;
mod jwt;
#[cfg(any(feature = "test-util", feature = "dev-server"))]
mod mint;
pub mod observe;
pub mod scope;
pub mod secret;
#[cfg(feature = "test-util")]
pub mod test;
pub mod time;
pub mod transport;
pub use demand::{AnyOf, Demand, Requirement};
