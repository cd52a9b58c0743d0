//! What a handler writes into its signature: extractors and layers that demand.

#[cfg(feature = "axum")]
mod extract;
mod granted;
mod require;

use http::Extensions;

pub use granted::Granted;
pub use require::{Require, RequireFuture, RequireLayer, require};

use crate::demand::Demand;
use crate::reject::Rejection;
use crate::token::{Anonymous, Authenticated};

/// What the layer left. Without any layer the mistake is the service's, and the answer says so to its author.
fn authenticated(extensions: &Extensions, demand: &Demand) -> Result<Authenticated, Rejection> {
    match (extensions.get::<Authenticated>(), extensions.get::<Anonymous>()) {
        (Some(authenticated), _) => Ok(authenticated.clone()),
        (None, Some(anonymous)) => Err(anonymous.reject(demand)),
        (None, None) => Err(Rejection::layer_missing()),
    }
}
