//! What a million rules of a denylist cost: time to ask all that a token bears, time to add one, and memory.
//!
//! `cargo bench --bench revocation`. The floor is one lookup in a `HashMap` of the same size behind one lock, by a key
//! that is hashed already; a token bears up to four names, each asked apart, and its issuer. A verdict that is cached pays
//! the line `what a cached verdict asks` alone.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::RwLock;
use std::time::{Duration, Instant};

use tower_oauth::store::{Answer, Denied, DenyRule, Denylist, Marks, MemoryDenylist, Standing};
use tower_oauth::time::Timestamp;

const MILLION: u64 = 1_000_000;
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const ISSUER: &str = "https://login.example.com";

fn main() {
    let resident = resident_bytes();
    let list = MemoryDenylist::with_capacity(MILLION as usize + MILLION as usize / 10);
    println!("a million rules, {} threads at hand\n", std::thread::available_parallelism().map_or(1, usize::from));
    let mut filling = times(|n| deny(&list, n, NOW));
    print("a rule added, from none to a million", &mut filling);
    println!("{:<40} {:>6.1} bytes each", "memory, by its own count", list.bytes() as f64 / list.live() as f64);
    let grown = resident_bytes().zip(resident).map(|(now, before)| now.saturating_sub(before) / 1024 / 1024);
    println!(
        "{:<40} {:>6} MiB, the list of times (4 MiB) included",
        "memory, by the system",
        grown.unwrap_or_default()
    );

    // Spread over all rules, as nobody's tokens come in the order of the rules.
    let spread = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % MILLION;
    mean("a token that no rule names (5 lookups)", |n| {
        let name = format!("x{n}");
        let none = marks(Some(&name), Some(&name), Some(&name), Some(&name));
        assert_eq!(black_box(list.denies(&none, NOW)), None);
    });
    mean("the same with jti and sub alone", |n| {
        let name = format!("x{n}");
        assert_eq!(black_box(list.denies(&marks(Some(&name), None, Some(&name), None), NOW)), None);
    });
    mean("a token that its jti denies", |n| {
        let name = name(spread(n));
        assert_eq!(black_box(list.denies(&marks(Some(&name), None, None, None), NOW)), Some("token"));
    });
    mean("what a cached verdict asks", |_| {
        black_box(list.generation());
        assert_eq!(black_box(list.standing(NOW)), Standing::Current);
    });
    let over = NOW.plus(Duration::from_secs(3 * 3600));
    let mut after = times(|n| deny(&list, MILLION + n, over));
    print("a rule added, after a million are over", &mut after);

    let floor: HashMap<u128, u64> = (0..MILLION).map(|n| (digest(n), n)).collect();
    let floor = RwLock::new(floor);
    mean("floor: one lookup in a HashMap", |n| {
        black_box(floor.read().expect("no panic").get(&digest(spread(n))));
    });
    mean("floor: making a name", |n| {
        black_box(name(spread(n)));
    });
}

fn deny(list: &MemoryDenylist, n: u64, now: Timestamp) {
    let until = now.plus(Duration::from_secs(3600 + n % 3600));
    let rule = DenyRule::new(ISSUER, Denied::Token(name(n).into()), until);
    match list.deny(rule, now) {
        Answer::Now(done) => done.expect("there is room"),
        Answer::Later(_) => unreachable!("in memory"),
    }
}

fn marks<'a>(jti: Option<&'a str>, sid: Option<&'a str>, sub: Option<&'a str>, client: Option<&'a str>) -> Marks<'a> {
    Marks {
        issuer: ISSUER,
        token_id: jti,
        session_id: sid,
        subject: sub,
        client_id: client,
        issued_at: Some(NOW.minus(Duration::from_secs(60))),
    }
}

/// As long as many a `jti` is.
fn name(n: u64) -> String {
    format!("{:032x}", digest(n))
}

fn digest(n: u64) -> u128 {
    u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
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

/// Over a million calls, without a look at the clock in between.
fn mean(what: &str, mut call: impl FnMut(u64)) {
    let began = Instant::now();
    (0..MILLION).for_each(&mut call);
    println!("{what:<40} {:>6.1} ns mean", began.elapsed().as_nanos() as f64 / MILLION as f64);
}

fn print(what: &str, times: &mut [u32]) {
    times.sort_unstable();
    let of = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let mean = times.iter().map(|time| u64::from(*time)).sum::<u64>() / times.len() as u64;
    let (p50, p99, p9999, max) = (of(0.5), of(0.99), of(0.9999), of(1.0));
    println!("{what:<40} {mean:>6} ns mean {p50:>6} p50 {p99:>6} p99 {p9999:>7} p99.99 {max:>9} max");
}

fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}
