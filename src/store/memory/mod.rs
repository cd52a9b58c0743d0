//! A [`ReplayStore`] in this process: exact, bounded, and without a pause. So is the [`Denylist`](super::Denylist) beside
//! it, in the same slots.
//!
//! * **Exact.** An entry is found until its last second is over; nothing is evicted to make room.
//! * **Bounded.** One count over all shards: at the capacity a store says [`Replay::Full`], after it looked for an entry
//!   whose time is over in every shard. A slot is 32 bytes and its place in the tables 4 to 8, up to 40 more where each
//!   second keeps one entry only: about 40 MB for a million. How far away `keep_until` lies does not matter to that, so
//!   it is taken as it is: it comes from the service's own policy, and to shorten it would be to forget early.
//! * **Without a pause.** Slots are allocated in small chunks and used again, so no table ever grows by moving, and each
//!   request that comes to a shard takes a few of those that are over with it; nobody pays for a whole second of them.
//!
//! # The clock
//!
//! The time is an argument, and may jump. Each shard remembers the latest second that it forgot something of, and
//! answers [`Replay::BeforeBirth`] to what is unknown and ends no later: a clock that went ahead and was set back revives
//! nothing, and costs fresh proofs at most the length of their own window.
//!
//! # Digests
//!
//! The first 128 bits of a key are kept. Two proofs that share them are a false refusal, never a false pass, and for
//! another's proof to be hit is a second preimage of 128 bits. Keys are chosen by their makers, who could look for those
//! that fall into one shard or one chain, so their place is by a keyed hash of this store (`RandomState`, SipHash).

mod denylist;
mod shard;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use self::denylist::MemoryDenylist;
use self::shard::{Corrupt, Found, Shard};
use super::{Answer, Replay, ReplayEntry, ReplayStore, StoreError};
use crate::time::Timestamp;

/// Live proofs that are remembered unless configured.
const DEFAULT_CAPACITY: usize = 1_000_000;

/// So many that two threads seldom meet in one, and so few that all can be visited in microseconds.
const SHARDS: usize = 64;

/// Entries that one request takes away at most when their time is over. It adds one, so a backlog always shrinks.
const EXPIRED_AT_ONCE: usize = 4;

/// Remembers in this process what was spent: the default, and enough for a service of one replica.
///
/// It begins empty, hence its birth: what was issued before is refused, for an earlier life may have seen it. Proofs
/// whose makers' clocks are ahead may carry a time after that birth and have been spent before it; add to `born` the
/// tolerance for such clocks to refuse them too.
pub struct MemoryReplayStore {
    born: Timestamp,
    capacity: usize,
    hasher: RandomState,
    live: Count,
    shards: Box<[Padded]>,
}

/// On a line of its own in the processor's cache: every insert writes to it.
#[derive(Default)]
#[repr(align(128))]
struct Count(AtomicUsize);

#[repr(align(128))]
struct Padded(Mutex<Shard<()>>);

impl MemoryReplayStore {
    /// For 1 000 000 live entries, knowing all that was issued since `born`: usually the current time.
    #[must_use]
    pub fn new(born: Timestamp) -> Self {
        Self::with_capacity(DEFAULT_CAPACITY, born)
    }

    /// For `capacity` live entries, about 40 bytes each. What there is no room for is not judged.
    #[must_use]
    pub fn with_capacity(capacity: usize, born: Timestamp) -> Self {
        // Slots are numbered by 32 bits, and in theory one shard holds them all.
        let capacity = capacity.min(u32::MAX as usize - 1);
        let hasher = RandomState::new();
        let shard = || Padded(Mutex::new(Shard::new(capacity / SHARDS, hasher.clone())));
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { born, capacity, hasher, live: Count::default(), shards }
    }

    /// Entries that it holds, some of which may be over already.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.0.load(Ordering::Relaxed)
    }

    /// Bytes that it has allocated; it keeps what it once needed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let shards = self.shards.iter().filter_map(|shard| Some(shard.0.lock().ok()?.bytes()));
        shards.sum::<usize>() + self.shards.len() * size_of::<Padded>() + size_of::<Self>()
    }

    /// Whether `entry` is here, and will be until its `keep_until`. Nothing is inserted.
    #[cfg(feature = "redis")]
    pub(crate) fn remembers(&self, entry: &ReplayEntry) -> bool {
        let (digest, hash, own) = self.place(entry);
        let shard = self.shards.get(own).and_then(|shard| shard.0.lock().ok());
        shard.is_some_and(|shard| shard.keeps(digest, hash, last_second(entry.keep_until)).unwrap_or(false))
    }

    /// What is kept of an entry, its hash, and the number of its shard: the topmost bits choose that, the lowest the
    /// chain in it.
    fn place(&self, entry: &ReplayEntry) -> (u128, u64, usize) {
        let [digest @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = entry.key;
        let digest = u128::from_be_bytes(digest);
        let hash = self.hasher.hash_one(digest);
        (digest, hash, (hash >> 58) as usize)
    }

    fn judge(&self, entry: ReplayEntry, now: Timestamp) -> Result<Replay, Corrupt> {
        if entry.issued_at < self.born {
            return Ok(Replay::BeforeBirth);
        }
        let (digest, hash, own) = self.place(&entry);
        loop {
            let verdict = self.judge_in(own, digest, hash, entry.keep_until, now)?;
            if verdict != Replay::Full || !self.make_room(own, now)? {
                return Ok(verdict);
            }
        }
    }

    /// The atomic step: one lock, from looking to inserting.
    fn judge_in(
        &self,
        own: usize,
        digest: u128,
        hash: u64,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Result<Replay, Corrupt> {
        let until = last_second(keep_until);
        let mut shard = self.shards.get(own).ok_or(Corrupt)?.0.lock().map_err(|_poisoned| Corrupt)?;
        match shard.find(digest, hash, until)? {
            Found::Seen => return Ok(Replay::Seen),
            Found::MaybeForgotten => return Ok(Replay::BeforeBirth),
            Found::Unknown if keep_until <= now => return Ok(Replay::BeforeBirth),
            Found::Unknown => {}
        }
        self.live.release(shard.expire(now.as_secs(), EXPIRED_AT_ONCE)?);
        if !self.live.reserve(self.capacity) {
            return Ok(Replay::Full);
        }
        shard.insert(digest, hash, until, ())?;
        Ok(Replay::Fresh)
    }

    /// Takes a few entries away that are over, wherever they are; whether there were any.
    fn make_room(&self, own: usize, now: Timestamp) -> Result<bool, Corrupt> {
        // From the neighbour on, so that requests at once do not all begin with the same shard.
        for shard in self.shards.iter().cycle().skip(own + 1).take(SHARDS) {
            let mut shard = shard.0.lock().map_err(|_poisoned| Corrupt)?;
            let gone = shard.expire(now.as_secs(), EXPIRED_AT_ONCE)?;
            if gone > 0 {
                self.live.release(gone);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Count {
    /// A place for one more. A mere count: what is in a shard is ordered by the shard's lock.
    fn reserve(&self, capacity: usize) -> bool {
        let more = |live: usize| (live < capacity).then_some(live + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn release(&self, gone: usize) {
        if gone > 0 {
            self.0.fetch_sub(gone, Ordering::Relaxed);
        }
    }
}

/// Entries are forgotten by whole seconds: at the first that is not before `keep_until`.
fn last_second(keep_until: Timestamp) -> i64 {
    let millis = keep_until.as_millis();
    millis.div_euclid(1000) + i64::from(millis.rem_euclid(1000) > 0)
}

impl ReplayStore for MemoryReplayStore {
    fn check_and_insert(&self, entry: ReplayEntry, now: Timestamp) -> Answer<Replay> {
        // A shard that is not whole may lack what it was told, so it vouches for nothing any more.
        let corrupt = |_| Replay::Unavailable(StoreError::new("the replay store in memory is damaged; restart"));
        Answer::Now(self.judge(entry, now).unwrap_or_else(corrupt))
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MemoryReplayStore");
        debug.field("born", &self.born).field("capacity", &self.capacity).field("live", &self.live());
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
