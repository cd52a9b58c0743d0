//! What must be remembered from one request to the next, and the contract of whoever remembers it.
//!
//! A proof of possession is good for one request (RFC 9449 section 11.1). What was spent is kept in a [`ReplayStore`]:
//! in memory by default ([`MemoryReplayStore`]), elsewhere when several replicas must agree. A store knows nothing of
//! proofs: it gets a digest and two times, and answers in one atomic step.
//!
//! ```
//! use std::time::Duration;
//! use tower_oauth::store::{MemoryReplayStore, Replay, ReplayEntry, ReplayStore};
//! use tower_oauth::time::Timestamp;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let now = Timestamp::from_secs(1_700_000_000);
//! let store = MemoryReplayStore::new(now);
//! let entry = ReplayEntry::new([7; 32], now, now.plus(Duration::from_secs(80)));
//! assert_eq!(store.check_and_insert(entry, now).wait().await, Replay::Fresh);
//! assert_eq!(store.check_and_insert(entry, now).wait().await, Replay::Seen);
//! # });
//! ```
//!
//! Tokens that are refused before their time are the rules of a [`Denylist`], in memory by default ([`MemoryDenylist`]).
//!
//! A store of your own holds the suite in `store::contract` (feature `test-util`), or it is none.

mod answers;
#[cfg(feature = "test-util")]
pub mod contract;
mod denylist;
mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::time::Timestamp;

pub use self::answers::{AnswerStore, StoredAnswer};
pub use self::denylist::{Denied, DenyRule, Denylist, Marks, Standing};
pub use self::memory::{MemoryDenylist, MemoryReplayStore};
#[cfg(feature = "redis")]
pub use self::redis::{RedisStore, RedisStoreBuilder, StoreKey};

/// An answer that is there, or on its way.
///
/// A store in memory answers [`Now`](Self::Now), and the request neither allocates nor waits for it.
pub enum Answer<T> {
    /// Known already.
    Now(T),
    /// Being asked for. Dropped before its end, what was asked may be done or not.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Answer<T> {
    /// The answer, waited for if need be.
    pub async fn wait(self) -> T {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

/// Something that is good for one use: what it is called, since when it can exist, and how long it must be remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReplayEntry {
    key: [u8; 32],
    issued_at: Timestamp,
    keep_until: Timestamp,
}

impl ReplayEntry {
    /// An entry to be spent.
    ///
    /// * `key`: a SHA-256 digest over all that tells this one from others, the user's name for it (`jti`) included. A
    ///   store may keep its first 128 bits only.
    /// * `issued_at`: when it came to be, by a clock that was held against ours: `iat` within its window, or the time
    ///   sealed in a nonce of ours where that stands instead. Anything else would let its maker choose to be younger
    ///   than the store.
    /// * `keep_until`: from then on it is refused without asking a store, whatever the clocks of a fleet say. The window
    ///   of one entry must not grow: whoever lengthens it must refuse what was issued before that.
    #[must_use]
    pub const fn new(key: [u8; 32], issued_at: Timestamp, keep_until: Timestamp) -> Self {
        Self { key, issued_at, keep_until }
    }

    /// The digest.
    #[must_use]
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// When it came to be.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// The first moment at which it may be forgotten.
    #[must_use]
    pub const fn keep_until(&self) -> Timestamp {
        self.keep_until
    }
}

impl fmt::Debug for ReplayEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issued_at, keep_until, .. } = self;
        f.debug_struct("ReplayEntry")
            .field("issued_at", issued_at)
            .field("keep_until", keep_until)
            .finish_non_exhaustive()
    }
}

/// What a store says to an entry. Only [`Fresh`](Self::Fresh) may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// Never seen, and remembered from now on.
    Fresh,
    /// Seen before: a replay.
    Seen,
    /// It may have been seen: it is older than the store's memory, or its time is over.
    BeforeBirth,
    /// There is no room to remember it. Not judged, so it was not spent.
    Full,
    /// The store could not be asked, or its answer was lost. Not judged; it may have been spent all the same.
    Unavailable(StoreError),
}

/// Why a store could not answer, in words for the operator; never sent to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(Cow<'static, str>);

impl StoreError {
    /// `message` must hold neither secrets nor what a client sent: it is logged.
    #[must_use]
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for StoreError {}

/// Remembers what was spent.
///
/// # Wrong answers that are attacks
///
/// * **Two [`Replay::Fresh`] for one key within its time.** A stolen proof was accepted. To look first and to insert
///   then is not one step: two requests at once, or two replicas, both find nothing.
/// * **Forgetting early**, to make room or because a clock jumped: the same, later. A store without room says
///   [`Replay::Full`]. What it forgot because of a clock it never accepts again, however that clock is set.
/// * **Losing what it knew without a word** (a restart, a failover that lost writes). A store knows its birth, the
///   moment since which it has lost nothing, and says [`Replay::BeforeBirth`] to all that was issued before.
/// * **[`Replay::Fresh`] because nobody answered.** That is [`Replay::Unavailable`]; what follows from it is decided by
///   whoever asked.
///
/// Other wrong answers refuse somebody who is honest; bad, and no attack: [`Replay::Seen`] for another's key, or past
/// the time of an entry.
pub trait ReplayStore: Send + Sync + fmt::Debug + 'static {
    /// Whether `entry` is fresh, and that it is spent now: **one atomic step** over all who share the store.
    ///
    /// `now` is the caller's clock, which may be behind that of an earlier call. An entry that comes again with a later
    /// `keep_until` is remembered until then. One whose `keep_until` is not after `now` is never [`Replay::Fresh`].
    fn check_and_insert(&self, entry: ReplayEntry, now: Timestamp) -> Answer<Replay>;
}

impl<S: ReplayStore + ?Sized> ReplayStore for Arc<S> {
    fn check_and_insert(&self, entry: ReplayEntry, now: Timestamp) -> Answer<Replay> {
        (**self).check_and_insert(entry, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_the_same_whether_it_is_there_or_on_its_way() {
        assert_eq!(Answer::Now(1).wait().await, 1);
        assert_eq!(Answer::Later(Box::pin(async { 1 })).wait().await, 1);
    }

    #[test]
    fn what_is_printed_of_an_entry_is_not_its_key() {
        let entry = ReplayEntry::new([0xAB; 32], Timestamp::from_secs(1), Timestamp::from_secs(2));
        let printed = format!("{entry:?}");
        assert!(!printed.contains("171") && !printed.to_lowercase().contains("ab"), "{printed}");
    }
}
