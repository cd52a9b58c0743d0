//! The suites that every store must pass: here that of replay stores, in [`denylist`] that of denylists.
//!
//! ```
//! use tower_oauth::store::MemoryReplayStore;
//! use tower_oauth::store::contract::replay_contract;
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! replay_contract(MemoryReplayStore::new).await;
//! # });
//! ```
//!
//! Each check is a function of its own too, to be run alone. All of them give the time as an argument, count from
//! [`BORN`] and end within seconds, so that a server's own expiry, which starts at the true time, does not interfere.

pub mod denylist;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn, spawn_blocking, yield_now};

pub use self::denylist::denylist_contract;
use super::{Replay, ReplayEntry, ReplayStore};
use crate::time::Timestamp;

/// When the stores of this suite are born, except one.
pub const BORN: Timestamp = Timestamp::from_secs(1_700_000_000);

const WINDOW: Duration = Duration::from_secs(80);
const TICK: Duration = Duration::from_millis(1);
const AT_ONCE: usize = 100;

/// Every check, each with a store of its own that `make` gives for a birth: empty, and with room for 20 000 entries.
///
/// Call it on a tokio runtime with its timers and I/O enabled.
///
/// # Panics
///
/// When the store breaks a promise.
pub async fn replay_contract<S: ReplayStore>(make: impl Fn(Timestamp) -> S) {
    what_is_fresh_once_is_seen_from_then_on(make(BORN)).await;
    keys_that_differ_in_one_bit_are_different(make(BORN)).await;
    of_equal_entries_at_once_exactly_one_is_fresh(make(BORN)).await;
    of_equal_entries_in_many_threads_exactly_one_is_fresh(make(BORN)).await;
    an_entry_is_kept_to_the_end_of_its_time(make(BORN)).await;
    an_entry_is_kept_as_long_as_the_longest_of_its_windows(make(BORN)).await;
    an_entry_whose_time_is_over_is_never_fresh(make(BORN)).await;
    a_clock_that_is_set_back_revives_nothing(make(BORN)).await;
    what_was_issued_before_the_birth_is_refused(make(BORN.plus(WINDOW))).await;
    the_order_of_arrival_does_not_matter(make(BORN)).await;
    a_shared_store_is_one_store(make(BORN)).await;
}

/// However often it comes, and whatever came between.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn what_is_fresh_once_is_seen_from_then_on<S: ReplayStore>(store: S) {
    for n in 0..200 {
        assert_eq!(ask(&store, entry(n), BORN).await, Replay::Fresh, "entry {n} came for the first time");
        assert_eq!(ask(&store, entry(n), BORN).await, Replay::Seen, "entry {n} came again");
    }
    for n in 0..200 {
        assert_eq!(ask(&store, entry(n), BORN.plus(TICK)).await, Replay::Seen, "entry {n} came again after others");
    }
}

/// In one of the first 128: a store may keep no more of the digest.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn keys_that_differ_in_one_bit_are_different<S: ReplayStore>(store: S) {
    let key = *entry(0).key();
    assert_eq!(ask(&store, entry(0), BORN).await, Replay::Fresh);
    for bit in 0..128 {
        let mut other = key;
        if let Some(byte) = other.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        let other = ReplayEntry::new(other, BORN, BORN.plus(WINDOW));
        assert_eq!(ask(&store, other, BORN).await, Replay::Fresh, "bit {bit} differs");
    }
}

/// As tasks of one runtime.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn of_equal_entries_at_once_exactly_one_is_fresh<S: ReplayStore>(store: S) {
    let store = Arc::new(store);
    for n in 0..10 {
        let tasks = (0..AT_ONCE).map(|_| {
            let store = Arc::clone(&store);
            spawn(async move {
                yield_now().await;
                vec![ask(&store, entry(n), BORN).await]
            })
        });
        assert_one_is_fresh(tasks.collect(), 1).await;
    }
}

/// As threads that meet before each entry, for the races that tasks on one thread never run into.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn of_equal_entries_in_many_threads_exactly_one_is_fresh<S: ReplayStore>(store: S) {
    const THREADS: usize = 4;
    const ENTRIES: u64 = 4_000;
    let (store, arrived) = (Arc::new(store), Arc::new(AtomicUsize::new(0)));
    let thread = |_| {
        let (store, arrived, runtime) = (Arc::clone(&store), Arc::clone(&arrived), Handle::current());
        spawn_blocking(move || {
            let ask = |n: u64| {
                let everybody = THREADS * (n as usize + 1);
                arrived.fetch_add(1, Ordering::AcqRel);
                // In vain only where the runtime has fewer threads for this than it asks for, or one panicked.
                (0..2_000)
                    .take_while(|_| arrived.load(Ordering::Acquire) < everybody)
                    .for_each(|_| thread::yield_now());
                runtime.block_on(ask(&store, entry(n), BORN))
            };
            (0..ENTRIES).map(ask).collect()
        })
    };
    assert_one_is_fresh((0..THREADS).map(thread).collect(), ENTRIES as usize).await;
}

/// To the last millisecond before `keep_until`, for windows that end anywhere in a second.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn an_entry_is_kept_to_the_end_of_its_time<S: ReplayStore>(store: S) {
    let windows: Vec<_> = [60_001, 60_500, 60_999, 61_000, 79_999, 80_000].map(Duration::from_millis).into();
    for (n, window) in (0..).zip(&windows) {
        let entry = ReplayEntry::new(*entry(n).key(), BORN, BORN.plus(*window));
        assert_eq!(ask(&store, entry, BORN).await, Replay::Fresh, "a window of {window:?}");
    }
    for (n, window) in (0..).zip(&windows) {
        let entry = ReplayEntry::new(*entry(n).key(), BORN, BORN.plus(*window));
        let last = entry.keep_until().minus(TICK);
        busy(&store, 1_000 * (n + 1), last).await;
        assert_eq!(ask(&store, entry, last).await, Replay::Seen, "a window of {window:?}, 1 ms before its end");
    }
}

/// The second time may come with a longer window, by another policy of the same service.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn an_entry_is_kept_as_long_as_the_longest_of_its_windows<S: ReplayStore>(store: S) {
    let longer = ReplayEntry::new(*entry(0).key(), BORN, BORN.plus(WINDOW * 3));
    assert_eq!(ask(&store, entry(0), BORN).await, Replay::Fresh);
    assert_eq!(ask(&store, longer, BORN).await, Replay::Seen);
    assert_eq!(ask(&store, entry(0), BORN).await, Replay::Seen);
    for second in (0..240).step_by(30) {
        let now = BORN.plus(Duration::from_secs(second));
        busy(&store, 1_000 * (second + 1), now).await;
        assert_eq!(ask(&store, longer, now).await, Replay::Seen, "{second} s of 240 later");
    }
}

/// Nothing would be remembered of it, so it must not pass.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn an_entry_whose_time_is_over_is_never_fresh<S: ReplayStore>(store: S) {
    for (n, late) in (0..).zip([Duration::ZERO, TICK, WINDOW]) {
        let now = BORN.plus(WINDOW).plus(late);
        for time in ["first", "second"] {
            assert_refused(&ask(&store, entry(n), now).await, &format!("{late:?} after its end, for the {time} time"));
        }
    }
}

/// What was forgotten because it seemed late stays spent when it turns out to be early.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn a_clock_that_is_set_back_revives_nothing<S: ReplayStore>(store: S) {
    for n in 0..200 {
        assert_eq!(ask(&store, entry(n), BORN).await, Replay::Fresh);
    }
    let ahead = BORN.plus(Duration::from_secs(3600));
    busy(&store, 1_000, ahead).await;
    for n in 0..200 {
        assert_refused(&ask(&store, entry(n), BORN).await, &format!("entry {n}, after the clock was an hour ahead"));
    }
}

/// An earlier life may have seen it. The store is born a window after [`BORN`].
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn what_was_issued_before_the_birth_is_refused<S: ReplayStore>(store: S) {
    let born = BORN.plus(WINDOW);
    for (n, before) in (0..).zip([TICK, Duration::from_secs(1), WINDOW]) {
        let older = ReplayEntry::new(*entry(n).key(), born.minus(before), born.plus(WINDOW));
        assert_eq!(ask(&store, older, born).await, Replay::BeforeBirth, "issued {before:?} before");
        let younger = ReplayEntry::new(*entry(n).key(), born, born.plus(WINDOW));
        assert_eq!(ask(&store, younger, born).await, Replay::Fresh, "a refusal for age spends nothing");
    }
}

/// A proof that was issued earlier may come later, at a replica whose clock is behind.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn the_order_of_arrival_does_not_matter<S: ReplayStore>(store: S) {
    // A step that is prime to their number visits every one, in an order that is none.
    let at = |n: u64| {
        let issued = BORN.plus(Duration::from_millis(100 * (37 * n % 500)));
        (entry_at(n, issued), BORN.plus(Duration::from_millis(100 * (91 * n % 500))))
    };
    for n in 0..500 {
        let (entry, now) = at(n);
        assert_eq!(ask(&store, entry, now).await, Replay::Fresh, "{entry:?} at {now:?}");
    }
    for n in (0..500).rev() {
        let (entry, now) = at(n);
        assert_eq!(ask(&store, entry, now).await, Replay::Seen, "{entry:?} at {now:?}");
    }
}

/// Behind an `Arc`, and as a trait object.
///
/// # Panics
///
/// When the store breaks the promise.
pub async fn a_shared_store_is_one_store<S: ReplayStore>(store: S) {
    let store = Arc::new(store);
    let other: Arc<dyn ReplayStore> = Arc::<S>::clone(&store);
    assert_eq!(ask(&store, entry(0), BORN).await, Replay::Fresh);
    assert_eq!(ask(&other, entry(0), BORN).await, Replay::Seen);
}

async fn ask(store: &impl ReplayStore, entry: ReplayEntry, now: Timestamp) -> Replay {
    store.check_and_insert(entry, now).wait().await
}

/// Others in between: a store may tidy up whenever it inserts.
async fn busy(store: &impl ReplayStore, from: u64, now: Timestamp) {
    for n in from..from + 1_000 {
        ask(store, entry_at(n, now), now).await;
    }
}

fn entry(n: u64) -> ReplayEntry {
    entry_at(n, BORN)
}

/// With a key that looks like a digest, another for each `n`: odd factors lose nothing of it.
fn entry_at(n: u64, issued_at: Timestamp) -> ReplayEntry {
    let mut key = [0; 32];
    for (part, factor) in key.chunks_exact_mut(8).zip([0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 3, 5]) {
        part.copy_from_slice(&n.wrapping_add(1).wrapping_mul(factor).to_be_bytes());
    }
    ReplayEntry::new(key, issued_at, issued_at.plus(WINDOW))
}

fn assert_refused(verdict: &Replay, what: &str) {
    assert!(matches!(verdict, Replay::Seen | Replay::BeforeBirth), "{what}: {verdict:?}");
}

/// Every one of `of` entries is fresh for one of those who asked, and seen for all others.
async fn assert_one_is_fresh(asked: Vec<JoinHandle<Vec<Replay>>>, of: usize) {
    let mut fresh = vec![0; of];
    for asker in asked {
        let verdicts = asker.await.unwrap_or_default();
        assert_eq!(verdicts.len(), of, "who asked got no answer");
        for (count, verdict) in fresh.iter_mut().zip(verdicts) {
            assert!(matches!(verdict, Replay::Fresh | Replay::Seen), "{verdict:?}");
            *count += usize::from(verdict == Replay::Fresh);
        }
    }
    assert!(fresh.iter().all(|count| *count == 1), "how many were fresh at once, by entry: {fresh:?}");
}
