//! What this process itself has seen pass: it may refuse by that, and never accept.

use crate::store::{MemoryReplayStore, ReplayEntry, ReplayStore as _};
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Near(MemoryReplayStore);

impl Near {
    pub(super) fn new(capacity: usize) -> Self {
        // Its own birth does not matter: what it does not know is asked of Redis.
        Self(MemoryReplayStore::with_capacity(capacity, Timestamp::from_millis(i64::MIN)))
    }

    /// Whether an entry passed here, and is known for as long as it must be.
    pub(super) fn refuses(&self, entry: &ReplayEntry) -> bool {
        self.0.remembers(entry)
    }

    pub(super) fn remember(&self, entry: ReplayEntry, now: Timestamp) {
        let _ = self.0.check_and_insert(entry, now);
    }
}
