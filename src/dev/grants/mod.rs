//! What the server remembers: codes, pushed requests, sessions, grants with their refresh tokens, access tokens.
//!
//! One lock holds all of it and is never held over an await, so that of two requests for one code exactly one wins. Every
//! shelf is bounded; a full one refuses and forgets nothing early. Codes, tokens and cookies are kept as hashes.

mod access;
mod codes;
pub(crate) mod family;
mod refresh;
mod sessions;
pub(crate) mod shelf;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::crypto::sha256;
use crate::dev::authorize::{AuthorizationRequest, Pending};
use crate::dev::grants::family::Family;
use crate::dev::grants::shelf::Shelf;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

pub(crate) use access::Issued;
pub(crate) use codes::{Code, Redemption, RedemptionError};
pub(crate) use refresh::{Refresh, RefreshError};
pub(crate) use sessions::Session;

/// A secret as it is kept.
pub(crate) type Digest = [u8; 32];

pub(crate) fn digest(secret: &str) -> Digest {
    sha256(&[secret.as_bytes()])
}

/// The most that is remembered of what waits for a person or for the next step of a client.
const MOST_WAITING: usize = 4_096;
/// The most grants and sessions.
const MOST_GRANTS: usize = 16_384;
/// The most access tokens, and the most that are revoked before their end.
const MOST_TOKENS: usize = 65_536;

/// Everything that the server remembers.
pub(crate) struct Grants(Mutex<State>);

/// What is under the lock.
pub(crate) struct State {
    /// By hash of the code.
    codes: Shelf<Digest, Code>,
    /// Pushed authorization requests (RFC 9126), by hash of the `request_uri`.
    pub(crate) pushed: Shelf<Digest, Arc<AuthorizationRequest>>,
    /// Requests that wait for a person's answer, by hash of the ticket in the page.
    pub(crate) pending: Shelf<Digest, Pending>,
    /// By `sid`.
    sessions: Shelf<String, Session>,
    /// The `sid` of a browser, by hash of its cookie.
    browsers: Shelf<Digest, String>,
    /// Sessions that are over while tokens of theirs may still be around, by `sid`.
    ended: Shelf<String, ()>,
    /// By the grant's identifier.
    grants: Shelf<String, Grant>,
    /// By hash of the token.
    issued: Shelf<Digest, Issued>,
    /// Access tokens that were revoked before their end.
    revoked: Shelf<Digest, ()>,
    /// How many places of the status list were given.
    statuses: u64,
}

/// What a user agreed to, and how the user was known.
#[derive(Clone, Debug)]
pub(crate) struct Consented {
    pub(crate) client_id: String,
    pub(crate) subject: String,
    pub(crate) sid: String,
    pub(crate) scopes: ScopeSet,
    pub(crate) resources: Vec<String>,
    pub(crate) auth_time: Timestamp,
    pub(crate) acr: String,
    /// `authorization_details` (RFC 9396), passed through.
    pub(crate) details: Option<Value>,
}

/// One authorization that became tokens.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) consented: Arc<Consented>,
    /// The key that a public client's refresh tokens are bound to (RFC 9449 section 5).
    jkt: Option<String>,
    family: Family,
    /// No refresh goes beyond.
    ends: Timestamp,
    revoked: bool,
}

impl Grants {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            codes: Shelf::new(MOST_WAITING),
            pushed: Shelf::new(MOST_WAITING),
            pending: Shelf::new(MOST_WAITING),
            sessions: Shelf::new(MOST_GRANTS),
            browsers: Shelf::new(MOST_GRANTS),
            ended: Shelf::new(MOST_TOKENS),
            grants: Shelf::new(MOST_GRANTS),
            issued: Shelf::new(MOST_TOKENS),
            revoked: Shelf::new(MOST_TOKENS),
            statuses: 0,
        }))
    }

    /// The state is sound between any two statements, so a panic elsewhere while it was held changes nothing.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What clients and users have sent is theirs.
impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants").finish_non_exhaustive()
    }
}

/// How long things are remembered and good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub(crate) code: Duration,
    pub(crate) access_token: Duration,
    /// From the user's consent to the end of the last refresh token.
    pub(crate) refresh: Duration,
    /// How long after a refresh the token before is still answered; zero for not at all.
    pub(crate) grace: Duration,
}
