//! An authorization server on loopback, for development and tests: **never for production**.
//!
//! The whole flow without a real issuer (OAuth 2.1): authorization code with PKCE and a page where a person clicks or a
//! setting answers, client credentials, refresh tokens that are good once, token exchange (RFC 8693), DPoP (RFC 9449),
//! pushed requests (RFC 9126), introspection (RFC 7662, RFC 9701), revocation (RFC 7009), ID tokens and userinfo. It
//! publishes its metadata and keys, rotates them when told to, and fails in the ways of [`Fault`]. Everything is in
//! memory and bounded, and ends with it; so do its socket and its background task.
//!
//! ```
//! use tower_oauth::dev::{DevServer, DevServerError};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), DevServerError> {
//! let dev = DevServer::builder()
//!     .client("shop", "s3cr3t", ["orders:read"])
//!     .public_client("page", ["http://127.0.0.1/callback"], ["openid", "orders:read"])
//!     .audience("http://127.0.0.1:3000")
//!     .auto_approve("ada")
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
//! A token request with a DPoP proof gets a token bound to its key (RFC 9449 section 5), and the refresh token of a public
//! client is bound to it too; a [`dpop_bound`](DevClient::dpop_bound) client gets no other, and
//! [`dpop_nonce`](DevServerBuilder::dpop_nonce) makes proofs carry a nonce.
//!
//! What happened is told by [`audit`](DevServer::audit), and to the log under the target `tower_oauth::dev`.

mod active;
mod audit;
mod authorize;
mod builder;
mod clients;
mod dpop;
mod endpoint;
mod events;
mod form;
mod grants;
mod id_token;
mod introspect;
mod listen;
mod logout;
mod metadata;
mod misplaced;
mod par;
mod pkce;
mod refusal;
mod revoke;
mod routes;
mod server;
mod status;
#[cfg(test)]
mod tests;
mod token;
mod userinfo;
mod users;

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use audit::{AuditEvent, AuditKind};
pub use builder::{DevServerBuilder, DevServerError};
pub use clients::DevClient;
pub use endpoint::Endpoint;
pub use server::Consent;
pub use users::DevUser;

pub use crate::mint::MintError;
pub use crate::mint::fault::Fault;
pub use crate::mint::keys::SigningKey;
pub use crate::mint::opaque::OpaqueTokenBuilder;
pub use crate::mint::token::TokenBuilder;

use crate::dev::grants::shelf::Full;
use crate::dev::server::AuthorizationServer;
use crate::dev::token::issue::OPAQUE_PREFIX;
use crate::mint::authority::Authority;
use crate::mint::controls::{authority_controls, made};

const FULL: MintError = MintError("there is no room to remember one more revocation");

/// A running authorization server. Dropping it closes its socket and its connections.
pub struct DevServer {
    authority: Arc<Authority>,
    server: Arc<AuthorizationServer>,
    /// Held, never used: its end is the end of the server.
    owner: watch::Sender<()>,
    task: JoinHandle<()>,
}

authority_controls!(DevServer);

impl DevServer {
    fn new(server: Arc<AuthorizationServer>, owner: watch::Sender<()>, task: JoinHandle<()>) -> Self {
        Self { authority: Arc::clone(&server.authority), server, owner, task }
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
        self.server.builder()
    }

    /// An opaque token straight from the server (RFC 7662), which begins with `opq_`. Its audience is that of
    /// [`token`](Self::token).
    pub fn opaque_token(&self) -> OpaqueTokenBuilder {
        let token = OpaqueTokenBuilder::new(&self.authority).starting(OPAQUE_PREFIX);
        let token = token.expires_in(self.server.settings.lifetimes.access_token);
        match &self.server.settings.audience {
            Some(audience) => token.audience(audience),
            None => token,
        }
    }

    /// Gives out a new DPoP nonce from now on; the one before it is still accepted, older ones are not. Nonces also
    /// turn each minute. Nothing happens when [no nonce is asked for](DevServerBuilder::dpop_nonce).
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn rotate_dpop_nonce(&self) {
        made(self.server.dpop.rotate(self.authority.now()));
    }

    /// How many tokens the token endpoint has issued.
    #[must_use]
    pub fn tokens_issued(&self) -> u64 {
        self.server.counts.tokens.get()
    }

    /// Ends a token now: an access token, or a refresh token with everything that came of it (RFC 7009 section 2.1).
    /// What is no token of this server changes nothing.
    ///
    /// # Panics
    /// When tens of thousands of tokens are revoked already.
    pub fn revoke(&self, token: &str) {
        made(revoke::end(&self.server, token, None, self.server.now()).map_err(|Full| FULL));
    }

    /// Ends the session that tokens carry in `sid`, with all its tokens.
    ///
    /// # Panics
    /// When tens of thousands of sessions have ended already.
    pub fn revoke_session(&self, sid: &str) {
        made(logout::end_session(&self.server, sid, "by order", self.server.now()).map_err(|Full| FULL));
    }

    /// Returns when every event that was caused so far was delivered to its listeners, or given up. Answers of the server
    /// itself wait for that, two seconds at most.
    pub async fn events_delivered(&self) {
        self.server.events.settled().await;
    }

    /// What happened, oldest first; the last 1024 events.
    #[must_use]
    pub fn audit(&self) -> Vec<AuditEvent> {
        self.server.audit.events()
    }

    /// How often a client has revoked a token.
    #[must_use]
    pub fn revocations(&self) -> u64 {
        self.server.counts.revocations.get()
    }

    /// How often a spent refresh token came back.
    #[must_use]
    pub fn refresh_reuses(&self) -> u64 {
        self.server.counts.reuses.get()
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
