//! An authorization server on loopback, for development and tests: **never for production**.
//!
//! It issues access tokens by client credentials (RFC 6749 section 4.4, RFC 9068), publishes its metadata (RFC 8414)
//! and keys, rotates them when told to, and fails in the ways of [`Fault`]. Keys live in memory and end with it; so do
//! its socket and its background task.
//!
//! ```
//! use tower_oauth::dev::{DevServer, DevServerError};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), DevServerError> {
//! let dev = DevServer::builder()
//!     .client("shop", "s3cr3t", ["orders:read"])
//!     .audience("http://127.0.0.1:3000")
//! #   .quiet()
//!     .start()
//!     .await?;
//! assert!(dev.issuer_url().starts_with("http://127.0.0.1:"));
//! let token = dev.token().scope("orders:read").sign();
//! # assert_eq!(token.split('.').count(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! ```sh
//! curl -u shop:s3cr3t -d grant_type=client_credentials -d scope=orders:read http://127.0.0.1:PORT/token
//! ```
//!
//! A token request with a DPoP proof gets a token bound to its key (RFC 9449 section 5); a client registered by
//! [`dpop_bound_client`](DevServerBuilder::dpop_bound_client) gets no other, and
//! [`dpop_nonce`](DevServerBuilder::dpop_nonce) makes proofs carry a nonce.

mod builder;
mod clients;
mod dpop;
mod form;
mod listen;
mod refusal;
mod routes;
#[cfg(test)]
mod tests;
mod token_endpoint;

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use builder::{DevServerBuilder, DevServerError};

pub use crate::mint::MintError;
pub use crate::mint::fault::Fault;
pub use crate::mint::keys::SigningKey;
pub use crate::mint::token::TokenBuilder;

use crate::dev::token_endpoint::TokenEndpoint;
use crate::mint::authority::Authority;
use crate::mint::controls::{authority_controls, made};

/// A running authorization server. Dropping it closes its socket and its connections.
pub struct DevServer {
    authority: Arc<Authority>,
    endpoint: Arc<TokenEndpoint>,
    /// Held, never used: its end is the end of the server.
    owner: watch::Sender<()>,
    task: JoinHandle<()>,
}

authority_controls!(DevServer);

impl DevServer {
    fn new(endpoint: Arc<TokenEndpoint>, owner: watch::Sender<()>, task: JoinHandle<()>) -> Self {
        Self { authority: Arc::clone(&endpoint.authority), endpoint, owner, task }
    }

    /// Sets up a server.
    pub fn builder() -> DevServerBuilder {
        DevServerBuilder::new()
    }

    /// Starts a server without clients, whose tokens come from [`token`](Self::token).
    ///
    /// # Errors
    /// [`DevServerError`], from the operating system.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub async fn start() -> Result<Self, DevServerError> {
        Self::builder().start().await
    }

    /// A token straight from the server's keys, valid until told otherwise. Its audience is the server's default;
    /// without one it has none, so name it.
    pub fn token(&self) -> TokenBuilder {
        self.endpoint.builder()
    }

    /// Gives out a new DPoP nonce from now on; the one before it is still accepted, older ones are not. Nonces also
    /// turn each minute. Nothing happens when [no nonce is asked for](DevServerBuilder::dpop_nonce).
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn rotate_dpop_nonce(&self) {
        made(self.endpoint.dpop.rotate(self.authority.now()));
    }

    /// How many tokens the token endpoint has issued.
    #[must_use]
    pub fn tokens_issued(&self) -> u64 {
        self.endpoint.issued.get()
    }

    /// Ends the server and returns when its socket and all its connections are closed.
    pub async fn stop(self) {
        let Self { owner, task, .. } = self;
        drop(owner);
        // Only a panic of the task or the end of the runtime is an error here, and the server has ended either way.
        drop(task.await);
    }
}

impl fmt::Debug for DevServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevServer").field("issuer", &self.issuer_url()).finish_non_exhaustive()
    }
}
