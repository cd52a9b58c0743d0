//! Verdicts on tokens that were verified before, so that a token seen again costs a hash and not a signature.
//!
//! Sound, because nothing is taken on trust from the first time but the signature and what it covers:
//!
//! * The key is a 128-bit keyed hash over the whole token, under a random key of this process. Nobody who lacks that
//!   key can make two tokens that share it, and it is of no use to whoever reads memory. The token is not kept.
//! * A verdict dies with its time (`nbf`, `iat` and `exp` with the leeway, compared at every hit), with its key (the
//!   issuer's key set changed or grew too old to serve), with its configuration ([`ResourceServer::replace`] starts
//!   an empty cache) and with [`ResourceServer::forget_verdicts`].
//! * Refusals are not kept: they cost their attacker more than us, and would be a place to fill.
//! * What a route demands, and what may change between two requests, is judged on every request.
//!
//! # Choices
//!
//! Measured for an 800-byte token on one machine in November 2026, in nanoseconds:
//!
//! | hash | ns | | cache, 10 000 keys in turn | ns | one key, two threads | ns |
//! |---|---|---|---|---|---|---|
//! | SHA-256 | 450 | | moka 0.12 | 156 | moka | 485 |
//! | SipHash-2-4-128 | 317 | | quick_cache 0.7 | 20 | quick_cache | 327 |
//! | HighwayHash-128 | 116 | | | | a front of each thread's own | 15 |
//!
//! SipHash-2-4, the best-studied of the keyed hashes, is kept: 0.2 µs a request are not worth a younger function where
//! a collision would be another user's rights. quick_cache admits by use (S3-FIFO): with 1000 hot tokens in a flood of
//! a million others, no hot token was pushed out, as with moka. One hot token under several threads contends for the
//! cache's lock, hence the fronts.
//!
//! [`ResourceServer::replace`]: crate::ResourceServer::replace
//! [`ResourceServer::forget_verdicts`]: crate::ResourceServer::forget_verdicts

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::available_parallelism;

use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::crypto::random;
use crate::jwks::key_ring::Generation;
use crate::time::Timestamp;
use crate::token::{Verdict, VerdictRef};

/// Verdicts that are kept unless configured.
pub(crate) const DEFAULT_CACHED_VERDICTS: usize = 32_768;

/// A verdict and the conditions under which it still stands.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) verdict: Arc<Verdict>,
    /// Which of the configuration's issuers proved it.
    pub(crate) trust: usize,
    /// The keys that proved it; none when the issuer was asked.
    pub(crate) keys: Option<Generation>,
    /// [`State`](super::State)'s count of forgettings, read before the token was judged.
    pub(crate) epoch: u64,
    /// From `nbf` and `iat`, less the leeway; from when the issuer was asked.
    pub(crate) from: Timestamp,
    /// `exp` and the leeway, or the end of the issuer's answer; no longer valid at this very moment.
    pub(crate) until: Timestamp,
}

impl Cached {
    pub(crate) fn is_timely(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

/// A token's keyed hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u128);

/// The verdicts of one configuration.
pub(crate) struct TokenCache {
    key: [u8; 16],
    shared: Cache<u128, Arc<Cached>, ByMemory, BuildHasherDefault<AlreadyHashed>, Lifecycle>,
    fronts: Box<[Front]>,
}

type Lifecycle = DefaultLifecycle<u128, Arc<Cached>>;

/// The hottest tokens of one thread, in slots by their hash: no two threads write to the same memory for them.
///
/// A line of its own in the processor's cache, and an `Arc` of its own around each entry, for the same reason.
#[repr(align(128))]
struct Front(Mutex<Box<[Slot; FRONT_SLOTS]>>);

type Slot = Option<Hot>;

struct Hot {
    print: u128,
    entry: Arc<Cached>,
    /// Counted by this thread alone.
    verdict: Arc<VerdictRef>,
}

const FRONT_SLOTS: usize = 64;

impl TokenCache {
    /// `None` when nothing is to be kept, or when the system has no randomness for the key.
    pub(crate) fn new(verdicts: usize) -> Option<Self> {
        if verdicts == 0 {
            return None;
        }
        let threads = available_parallelism().map_or(4, usize::from).min(64);
        let fronts = (0..threads * 2).map(|_| Front(Mutex::new(Box::new([const { None }; FRONT_SLOTS]))));
        let shared = Cache::with(
            verdicts.min(1024),
            verdicts as u64,
            ByMemory,
            BuildHasherDefault::default(),
            DefaultLifecycle::default(),
        );
        Some(Self { key: random()?, shared, fronts: fronts.collect() })
    }

    pub(crate) fn fingerprint(&self, token: &[u8]) -> Fingerprint {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(token);
        Fingerprint(hasher.finish128().as_u128())
    }

    /// A verdict that `stands`; one that does not is forgotten.
    pub(crate) fn get(&self, print: Fingerprint, stands: impl Fn(&Cached) -> bool) -> Option<Arc<VerdictRef>> {
        let Some(mut front) = self.front() else {
            return self.shared_get(print, stands).map(|entry| Arc::new(VerdictRef(Arc::clone(&entry.verdict))));
        };
        let slot = front.get_mut(print.0 as usize % FRONT_SLOTS)?;
        if let Some(hot) = slot.as_ref().filter(|hot| hot.print == print.0) {
            if stands(&hot.entry) {
                return Some(Arc::clone(&hot.verdict));
            }
            *slot = None;
        }
        let entry = self.shared_get(print, stands)?;
        let verdict = Arc::new(VerdictRef(Arc::clone(&entry.verdict)));
        *slot = Some(Hot { print: print.0, entry, verdict: Arc::clone(&verdict) });
        Some(verdict)
    }

    pub(crate) fn insert(&self, print: Fingerprint, entry: Arc<Cached>) {
        self.shared.insert(print.0, entry);
    }

    fn shared_get(&self, print: Fingerprint, stands: impl Fn(&Cached) -> bool) -> Option<Arc<Cached>> {
        let entry = self.shared.get(&print.0)?;
        if stands(&entry) {
            return Some(entry);
        }
        self.shared.remove_if(&print.0, |current| Arc::ptr_eq(current, &entry));
        None
    }

    /// This thread's front, unless another thread that shares it is using it.
    fn front(&self) -> Option<std::sync::MutexGuard<'_, Box<[Slot; FRONT_SLOTS]>>> {
        thread_local!(static THREAD: Cell<Option<usize>> = const { Cell::new(None) });
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        let thread = THREAD.with(|number| {
            let thread = number.get().unwrap_or_else(|| THREADS.fetch_add(1, Ordering::Relaxed));
            number.set(Some(thread));
            thread
        });
        match self.fronts.get(thread % self.fronts.len())?.0.try_lock() {
            Ok(front) => Some(front),
            // Slots are replaced whole, so a panic in between leaves nothing half done.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("verdicts", &self.shared.len()).finish_non_exhaustive()
    }
}

/// A verdict counts as one, and once more for each KiB of claims beyond the first: the bound is one of memory.
#[derive(Clone)]
struct ByMemory;

impl Weighter<u128, Arc<Cached>> for ByMemory {
    fn weight(&self, _: &u128, entry: &Arc<Cached>) -> u64 {
        1 + entry.verdict.statement.payload().len() as u64 / 1024
    }
}

/// The key is a hash already.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = (hash >> 64) as u64 ^ hash as u64;
    }
}

#[cfg(all(test, feature = "test-util"))]
#[path = "token_cache_tests.rs"]
mod tests;
