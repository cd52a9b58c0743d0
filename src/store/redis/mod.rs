//! One truth for many replicas, in Redis or Valkey (7.0 or 7.2 and later; one server, a group under Sentinel, or a
//! cluster).
//!
//! ```
//! use tower_oauth::OAuthConfig;
//! use tower_oauth::store::{RedisStore, StoreKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let secret = [7; 32];
//! let config = OAuthConfig::builder("https://api.example.com")
//!     .trust("https://login.example.com")
//!     .replay(RedisStore::new("rediss://10.0.0.5", StoreKey::from_secret(secret))?)
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Two tiers, and what each may say
//!
//! | tier | may say | may not say |
//! |---|---|---|
//! | this process's memory | `Seen` to a proof that passed here | `Fresh`: another replica may have seen it |
//! | Redis | `Fresh`, `Seen`, `Full`, `BeforeBirth` | `Fresh` when its memory may have gaps |
//! | nobody answered | `Unavailable`: 503 with `Retry-After` unless chosen otherwise | anything else |
//!
//! # Lost memory
//!
//! Redis that was restarted, emptied, or replaced by a replica of it may have forgotten what it had confirmed. It is
//! recognised by a marker beside the keys (see `birth`), within the round trip of the request: proofs from before are
//! refused, and those of the first seconds after are not judged
//! ([`clock_tolerance`](RedisStoreBuilder::clock_tolerance)). A server that evicts keys is refused when it is connected.
//!
//! # TLS
//!
//! The connection and its TLS are made here, and only the protocol is left to the `redis` crate: its own TLS takes the
//! rustls provider from the process, or puts one there.

mod address;
mod answers;
mod birth;
mod builder;
mod cluster;
mod commands;
mod denylist;
mod dial;
mod follow;
mod key;
mod keys;
mod link;
mod live;
mod marker;
mod near;
mod replay;
mod rules;
mod standing;
mod sweep;
mod target;
mod tls;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

pub use self::builder::RedisStoreBuilder;
use self::commands::Commands;
use self::follow::Rules;
pub use self::key::StoreKey;
use self::keys::Keys;
use self::live::Owned;
use self::near::Near;
use crate::crypto::aead::SealingKey;
use crate::observe::Observers;
use crate::store::{Answer, AnswerStore, Replay, ReplayEntry, ReplayStore, StoreError, StoredAnswer};
use crate::time::Timestamp;

/// What replicas share: a handle that is cheap to clone, whose connections end with the last of its clones.
///
/// Making one connects to nothing; it connects when it is first asked, and again by itself after a loss.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    keys: Keys,
    commands: Commands,
    spent: Near,
    /// Held by whoever writes markers of birth.
    births: AsyncMutex<()>,
    rules: Arc<Rules>,
    follower: Mutex<Option<Owned>>,
    sealing: Arc<SealingKey>,
    clock_tolerance: Duration,
    observers: Observers,
}

impl RedisStore {
    /// A store at one server: `redis[s]://[user[:password]@]host[:port][/database]`, everything else by default.
    ///
    /// # Errors
    /// [`StoreError`] when the URL or the key's secret cannot be used.
    pub fn new(url: &str, key: StoreKey) -> Result<Self, StoreError> {
        Self::builder(url, key).build()
    }

    /// A store at one server, to be configured.
    pub fn builder(url: &str, key: StoreKey) -> RedisStoreBuilder {
        RedisStoreBuilder::one(url, key)
    }

    /// A store at whichever server is the primary of `group`, as its sentinels tell. They are asked anew for each
    /// connection, so a failover is followed.
    pub fn sentinel<'a>(sentinels: impl IntoIterator<Item = &'a str>, group: &str, key: StoreKey) -> RedisStoreBuilder {
        RedisStoreBuilder::watched(sentinels.into_iter().map(str::to_owned).collect(), group, key)
    }

    /// A store at a cluster, some of whose nodes are named; they tell of the others. Database 0 is the only one there.
    pub fn cluster<'a>(nodes: impl IntoIterator<Item = &'a str>, key: StoreKey) -> RedisStoreBuilder {
        RedisStoreBuilder::cluster(nodes.into_iter().map(str::to_owned).collect(), key)
    }
}

impl ReplayStore for RedisStore {
    fn check_and_insert(&self, entry: ReplayEntry, now: Timestamp) -> Answer<Replay> {
        if self.0.spent.refuses(&entry) {
            return Answer::Now(Replay::Seen);
        }
        if entry.keep_until() <= now {
            return Answer::Now(Replay::BeforeBirth);
        }
        let inner = Arc::clone(&self.0);
        Answer::Later(Box::pin(async move { inner.spend(entry, now).await }))
    }
}

impl AnswerStore for RedisStore {
    fn get(&self, key: [u8; 32], now: Timestamp) -> Answer<Result<Option<StoredAnswer>, StoreError>> {
        let inner = Arc::clone(&self.0);
        Answer::Later(Box::pin(async move { inner.stored_answer(key, now).await }))
    }

    fn put(
        &self,
        key: [u8; 32],
        answer: StoredAnswer,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Answer<Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Answer::Later(Box::pin(async move { inner.store_answer(key, answer, keep_until, now).await }))
    }

    fn forget(&self, key: [u8; 32]) -> Answer<Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Answer::Later(Box::pin(async move { inner.forget_answer(key).await }))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { keys, commands, spent, rules, .. } = &*self.0;
        f.debug_struct("RedisStore")
            .field("keys", keys)
            .field("commands", commands)
            .field("spent", spent)
            .field("rules", &rules.list)
            .field("knowledge", &rules.knowledge)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
