//! What remembering a proof costs when a million are live: time, memory, and whether expiry makes anybody wait.
//!
//! `cargo bench --bench replay`. The floor is one insert into a `HashSet` of the same size behind one lock, which forgets
//! nothing; read the ratio, not the nanoseconds.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tower_oauth::store::{Answer, MemoryReplayStore, Replay, ReplayEntry, ReplayStore as _};
use tower_oauth::time::Timestamp;

const MILLION: u64 = 1_000_000;
const BORN: Timestamp = Timestamp::from_secs(1_700_000_000);
const WINDOW: Duration = Duration::from_secs(80);

fn main() {
    let resident = resident_bytes();
    let store = MemoryReplayStore::with_capacity(MILLION as usize + MILLION as usize / 10, BORN);
    let mut filling = times(|n| insert(&store, n, at(n)));
    println!(
        "a million live proofs, {} threads at hand\n",
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    print("insert, from none to a million", &mut filling);
    println!("{:<40} {:>6.1} bytes each", "memory, by its own count", store.bytes() as f64 / store.live() as f64);
    let grown = resident_bytes().zip(resident).map(|(now, before)| now.saturating_sub(before) / 1024 / 1024);
    println!(
        "{:<40} {:>6} MiB, the list of times (4 MiB) included",
        "memory, by the system",
        grown.unwrap_or_default()
    );

    let mut steady = times(|n| insert(&store, MILLION + n, at(MILLION + n)));
    print("insert, while as many expire", &mut steady);
    // After a pause of a whole window, everything is over at once.
    let pause = at(2 * MILLION).plus(WINDOW);
    let mut after = times(|n| insert(&store, 2 * MILLION + n, pause));
    print("insert, after a million expired at once", &mut after);
    let mut seen = times(|n| assert_eq!(ask(&store, 2 * MILLION + n, pause), Replay::Seen));
    print("a replay", &mut seen);

    let floor = Mutex::new(HashSet::<u128>::new());
    let mut floor = times(|n| {
        black_box(floor.lock().expect("no panic").insert(u128::from_be_bytes(digest(n))));
    });
    print("floor: HashSet behind one lock", &mut floor);
    two_threads();
}

/// The rate at which a million are live: one window takes a million.
fn at(n: u64) -> Timestamp {
    BORN.plus(WINDOW.mul_f64(n as f64 / MILLION as f64))
}

fn insert(store: &MemoryReplayStore, n: u64, now: Timestamp) {
    assert_eq!(ask(store, n, now), Replay::Fresh);
}

fn ask(store: &MemoryReplayStore, n: u64, now: Timestamp) -> Replay {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&digest(n));
    match store.check_and_insert(ReplayEntry::new(key, now, now.plus(WINDOW)), now) {
        Answer::Now(verdict) => verdict,
        Answer::Later(_) => unreachable!("in memory"),
    }
}

fn digest(n: u64) -> [u8; 16] {
    u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()
}

/// Nanoseconds of each of a million calls.
fn times(mut call: impl FnMut(u64)) -> Vec<u32> {
    let one = |n| {
        let began = Instant::now();
        call(n);
        began.elapsed().as_nanos() as u32
    };
    (0..MILLION).map(one).collect()
}

fn print(what: &str, times: &mut [u32]) {
    times.sort_unstable();
    let of = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let mean = times.iter().map(|time| u64::from(*time)).sum::<u64>() / times.len() as u64;
    let (p50, p99, p9999, max) = (of(0.5), of(0.99), of(0.9999), of(1.0));
    println!("{what:<40} {mean:>6} ns mean {p50:>6} p50 {p99:>6} p99 {p9999:>7} p99.99 {max:>9} max");
}

/// Two threads in one store, beside two that have one each: the ratio is what sharing costs.
fn two_threads() {
    let rate = |stores: [&MemoryReplayStore; 2]| {
        let began = Instant::now();
        std::thread::scope(|scope| {
            for (store, odd) in stores.into_iter().zip([0, 1]) {
                scope.spawn(move || (0..MILLION / 2).for_each(|n| insert(store, 2 * n + odd, BORN)));
            }
        });
        MILLION as f64 / began.elapsed().as_secs_f64() / 1e6
    };
    let store = || MemoryReplayStore::new(BORN);
    let mut rounds: Vec<_> = (0..9)
        .map(|_| {
            [rate([&store(), &store()]), {
                let shared = store();
                rate([&shared; 2])
            }]
        })
        .collect();
    let mut median = |of: usize| {
        rounds.sort_by(|one, other| one[of].total_cmp(&other[of]));
        rounds[rounds.len() / 2][of]
    };
    let (apart, shared) = (median(0), median(1));
    println!("{:<40} {shared:>6.2} M/s, {apart:.2} M/s with one each: {:.2} ×", "two threads", shared / apart);
}

fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}
