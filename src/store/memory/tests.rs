//! A store in memory keeps every promise of a store, within its bounds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const BORN: Timestamp = Timestamp::from_secs(1_700_000_000);
const WINDOW: Duration = Duration::from_secs(80);

#[cfg(feature = "test-util")]
#[tokio::test]
async fn the_contract_of_replay_stores_is_kept() {
    crate::store::contract::replay_contract(MemoryReplayStore::new).await;
    crate::store::contract::replay_contract(|born| Arc::new(MemoryReplayStore::with_capacity(20_000, born))).await;
}

#[test]
fn an_answer_is_there_at_once() {
    let store = MemoryReplayStore::new(BORN);
    assert!(matches!(store.check_and_insert(entry(0, BORN), BORN), Answer::Now(Replay::Fresh)));
}

#[test]
fn a_full_store_refuses_forgets_nothing_and_recovers_when_time_has_passed() {
    let store = MemoryReplayStore::with_capacity(1000, BORN);
    let judge = |n, now| store.judge(entry(n, now), now).unwrap();
    for n in 0..1000 {
        assert_eq!(judge(n, BORN), Replay::Fresh);
    }
    let end = BORN.plus(WINDOW);
    let last = end.minus(Duration::from_millis(1));
    for now in [BORN, last] {
        for n in 1000..2000 {
            assert_eq!(judge(n, now), Replay::Full, "{n}");
        }
        for n in 0..1000 {
            assert_eq!(store.judge(entry(n, BORN), now).unwrap(), Replay::Seen, "{n}");
        }
    }
    // What was not judged was not spent, and finds room in whatever shard the room is.
    for n in 1000..2000 {
        assert_eq!(judge(n, end), Replay::Fresh, "{n}");
    }
    assert_eq!(judge(2000, end), Replay::Full);
    assert_eq!(store.live(), 1000);
}

#[test]
fn a_place_that_is_free_in_one_shard_is_found_from_any_other() {
    let store = MemoryReplayStore::with_capacity(1, BORN);
    for n in 0..200 {
        let now = BORN.plus(WINDOW * n);
        assert_eq!(store.judge(entry(n.into(), now), now).unwrap(), Replay::Fresh, "{n}");
        assert_eq!(store.judge(entry(u64::from(n) + 1000, now), now).unwrap(), Replay::Full, "{n}");
    }
}

#[test]
fn no_capacity_is_full_at_once() {
    let store = MemoryReplayStore::with_capacity(0, BORN);
    assert_eq!(store.judge(entry(0, BORN), BORN).unwrap(), Replay::Full);
}

#[test]
fn a_clock_set_back_costs_fresh_proofs_their_window_and_no_more() {
    let store = MemoryReplayStore::new(BORN);
    let judge = |n, now| store.judge(entry(n, now), now).unwrap();
    (0..1000).for_each(|n| assert_eq!(judge(n, BORN), Replay::Fresh));
    // One reading of a clock that is far ahead takes a handful away.
    assert_eq!(judge(1000, BORN.plus(WINDOW * 100)), Replay::Fresh);
    assert!(store.live() >= 1001 - EXPIRED_AT_ONCE);
    (2000..4000).for_each(|n| assert_eq!(judge(n, BORN.plus(WINDOW * 100)), Replay::Fresh));
    for n in 0..1000 {
        assert_ne!(store.judge(entry(n, BORN), BORN).unwrap(), Replay::Fresh);
    }
    assert_eq!(judge(9000, BORN), Replay::BeforeBirth);
    assert_eq!(judge(9000, BORN.plus(Duration::from_secs(1))), Replay::Fresh);
}

#[test]
fn a_window_without_end_takes_a_slot_and_nothing_more() {
    let store = MemoryReplayStore::with_capacity(2, BORN);
    for (n, until) in [(0, i64::MAX), (1, i64::MAX - 999)] {
        let entry = ReplayEntry::new(*entry(n, BORN).key(), BORN, Timestamp::from_millis(until));
        assert_eq!(store.judge(entry, BORN).unwrap(), Replay::Fresh);
        assert_eq!(store.judge(entry, BORN.plus(WINDOW * 1000)).unwrap(), Replay::Seen);
    }
    assert_eq!(store.judge(entry(2, BORN), BORN).unwrap(), Replay::Full);
}

#[test]
fn a_million_live_entries_take_at_most_120_bytes_each_and_the_next_million_takes_none() {
    const MILLION: u64 = 1_000_000;
    let store = MemoryReplayStore::new(BORN);
    for n in 0..2 * MILLION {
        let now = BORN.plus(Duration::from_millis(n / 12));
        assert_eq!(store.judge(entry(n, now), now).unwrap(), Replay::Fresh);
        if n == 950_000 {
            assert!(store.live() > 940_000, "{}", store.live());
        }
    }
    assert!(store.live() <= 1_000_000);
    assert!(store.bytes() <= 120 * MILLION as usize, "{} bytes", store.bytes());
    assert!(store.bytes() <= 44 * MILLION as usize, "{} bytes, and the page says 40 million", store.bytes());
}

#[test]
fn entries_that_end_a_second_each_take_at_most_120_bytes_too() {
    let store = MemoryReplayStore::with_capacity(100_000, BORN);
    for n in 0..100_000 {
        let entry = ReplayEntry::new(*entry(n, BORN).key(), BORN, BORN.plus(Duration::from_secs(n + 1)));
        assert_eq!(store.judge(entry, BORN).unwrap(), Replay::Fresh);
    }
    assert!(store.bytes() <= 120 * 100_000, "{} bytes", store.bytes());
}

#[test]
fn threads_that_fill_a_store_together_fill_it_to_the_last_place() {
    let store = MemoryReplayStore::with_capacity(10_000, BORN);
    let fresh: usize = std::thread::scope(|scope| {
        let ask = |thread: u64| {
            let store = &store;
            move || {
                (0..4000).filter(|n| store.judge(entry(n * 4 + thread, BORN), BORN).unwrap() == Replay::Fresh).count()
            }
        };
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(ask(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((fresh, store.live()), (10_000, 10_000));
    // Seconds later they take the same places again, from whichever shard has one left.
    let later = BORN.plus(WINDOW);
    let again = (0..20_000).filter(|n| store.judge(entry(50_000 + n, later), later).unwrap() == Replay::Fresh).count();
    assert_eq!((again, store.live()), (10_000, 10_000));
}

#[test]
fn a_store_that_a_panic_left_damaged_vouches_for_nothing() {
    let store = Arc::new(MemoryReplayStore::new(BORN));
    let shared = Arc::clone(&store);
    let panicked = std::thread::spawn(move || {
        let _locked: Vec<_> = shared.shards.iter().map(|shard| shard.0.lock().unwrap()).collect();
        panic!("in the middle of a change");
    });
    assert!(panicked.join().is_err());
    let answer = store.check_and_insert(entry(0, BORN), BORN);
    assert!(matches!(answer, Answer::Now(Replay::Unavailable(_))), "{answer:?}");
}

/// One request: which key, how long ago it was issued, how long it is kept, how far the clock moved since the last.
type Step = (u64, u64, u64, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let moved = prop_oneof![6 => 0..900_i64, 2 => Just(0), 1 => -5_000..0_i64, 1 => 5_000..60_000_i64];
    proptest::collection::vec((0..40_u64, 0..3_000_u64, 1..20_000_u64, moved), 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_history_makes_the_store_accept_twice_or_refuse_without_a_reason(history in steps(), capacity in 1..60_usize) {
        let store = MemoryReplayStore::with_capacity(capacity, BORN);
        // When each key is over that was ever accepted, as the store counts it: in whole seconds.
        let mut spent = HashMap::<u64, i64>::new();
        let (mut now, mut latest) = (BORN.plus(Duration::from_secs(2)), BORN);
        for (n, ago, window, moved) in history {
            now = Timestamp::from_millis(now.as_millis() + moved);
            latest = latest.max(now);
            let issued = now.minus(Duration::from_millis(ago));
            let entry = ReplayEntry::new(*entry(n, BORN).key(), issued, issued.plus(Duration::from_millis(window)));
            let until = last_second(entry.keep_until());
            let before = spent.get(&n).copied();
            let (surely, perhaps) = {
                let alive_at = |time: Timestamp| spent.values().filter(|until| **until > time.as_secs()).count();
                (alive_at(latest), alive_at(now))
            };
            let too_old = issued < BORN || entry.keep_until() <= now;
            match store.judge(entry, now).unwrap() {
                Replay::Fresh => {
                    prop_assert!(!too_old);
                    prop_assert!(surely < capacity, "more than it may hold");
                    prop_assert!(before.is_none_or(|before| before <= latest.as_secs() && before < until), "a replay");
                    spent.insert(n, until);
                }
                Replay::Seen => {
                    prop_assert!(before.is_some(), "seen, but never accepted");
                    spent.insert(n, until.max(before.unwrap_or(until)));
                }
                Replay::BeforeBirth => prop_assert!(too_old || until <= latest.as_secs(), "refused while all is known"),
                Replay::Full => prop_assert!(perhaps >= capacity, "full with {perhaps} of {capacity}"),
                Replay::Unavailable(why) => prop_assert!(false, "{why}"),
            }
            prop_assert!(store.live() <= capacity);
        }
    }
}

/// Keys as digests are: without any order.
fn entry(n: u64, issued_at: Timestamp) -> ReplayEntry {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    ReplayEntry::new(key, issued_at, issued_at.plus(WINDOW))
}
