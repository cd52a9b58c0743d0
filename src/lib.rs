//! placeholder
#![allow(dead_code)]
pub mod crypto;
pub mod demand;
mod discovery;
mod jwks;
mod jwt;
pub mod observe;
pub mod scope;
pub mod secret;
pub mod time;
pub mod transport;
pub use demand::{AnyOf, Demand, Requirement};
