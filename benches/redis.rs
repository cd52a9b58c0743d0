//! What one truth for a fleet costs: a proof spent in Redis, beside a bare `SET NX PX` by the same client on the same
//! server; what a connection carries; what Redis remembers each by.
//!
//! `cargo bench --bench redis` needs `redis-server` and starts its own. Read the ratios, not the microseconds: client and
//! server share this machine.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

#[path = "../src/store/redis/tests/server.rs"]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use tokio::task::JoinSet;
use tower_oauth::secret::Secret;
use tower_oauth::store::{
    AnswerStore as _, Denied, DenyRule, Denylist as _, Marks, RedisStore, Replay, ReplayEntry, ReplayStore as _,
    Standing, StoreKey, StoredAnswer,
};
use tower_oauth::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const WINDOW: Duration = Duration::from_secs(80);
const ROUNDS: usize = 10;
const PER_ROUND: u64 = 2_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(run());
}

async fn run() {
    let server = server::Server::start();
    let store = store(&server, "bench");
    let bare = redis::Client::open(server.url()).expect("a URL");
    let bare = bare.get_multiplexed_async_connection().await.expect("a connection");
    assert_eq!(spend(&store, next()).await, Replay::Fresh);

    println!("one at a time, µs");
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..PER_ROUND {
            let began = Instant::now();
            set(&bare, next()).await;
            floor.push(began.elapsed());
            let began = Instant::now();
            assert_eq!(spend(&store, next()).await, Replay::Fresh);
            ours.push(began.elapsed());
        }
    }
    let (ours, floor) = (print("a proof, spent", &mut ours), print("floor: bare SET NX PX", &mut floor));
    println!("{:<44} {:>6.2} ×\n", "p50 of a proof by p50 of the floor", ours / floor);

    println!("one connection, thousands a second");
    for tasks in [16, 64, 256] {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let connection = bare.clone();
            floor.push(rate(tasks, move |n| {
                let connection = connection.clone();
                async move { set(&connection, n).await }
            }));
            let floor_rate = floor.pop().expect("just pushed").await;
            let store = store.clone();
            let ours_rate = rate(tasks, move |n| {
                let store = store.clone();
                async move { assert_eq!(spend(&store, n).await, Replay::Fresh) }
            });
            ours.push((ours_rate.await, floor_rate));
        }
        ours.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (ours, floor) = ours[ours.len() / 2];
        println!("{:<44} {ours:>6.1}, floor {floor:.1}: {:.2} ×", format!("{tasks} requests at once"), ours / floor);
    }

    memory(&server, &store).await;
    answers(&store).await;
    rules(&server).await;
}

fn store(server: &server::Server, namespace: &str) -> RedisStore {
    let store = RedisStore::builder(&server.url(), StoreKey::from_secret([7; 32])).namespace(namespace);
    store.clock_tolerance(Duration::ZERO).build().expect("a store")
}

/// A number that no other call got.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn digest(n: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    let wide = u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    digest[..16].copy_from_slice(&wide.to_be_bytes());
    digest
}

async fn spend(store: &RedisStore, n: u64) -> Replay {
    store.check_and_insert(ReplayEntry::new(digest(n), NOW, NOW.plus(WINDOW)), NOW).wait().await
}

async fn set(connection: &MultiplexedConnection, n: u64) {
    let mut set = redis::cmd("SET");
    set.arg([b"bare:p:".as_slice(), &digest(n)[..16]].concat()).arg("").arg("NX").arg("PX").arg(80_000);
    let set: bool = set.query_async(&mut connection.clone()).await.expect("Redis answers");
    assert!(set);
}

/// Thousands of calls a second, so many at once, on one connection.
async fn rate<F>(tasks: u64, call: impl Fn(u64) -> F + Send + Sync + 'static) -> f64
where
    F: Future<Output = ()> + Send,
{
    const CALLS: u64 = 40_000;
    let (call, began) = (Arc::new(call), Instant::now());
    let mut all = JoinSet::new();
    for _ in 0..tasks {
        let call = Arc::clone(&call);
        all.spawn(async move {
            for _ in 0..CALLS / tasks {
                call(next()).await;
            }
        });
    }
    all.join_all().await;
    (CALLS / tasks * tasks) as f64 / began.elapsed().as_secs_f64() / 1e3
}

/// By Redis's own count, and ours.
async fn memory(server: &server::Server, store: &RedisStore) {
    const PROOFS: u64 = 200_000;
    assert_eq!(server.ask("FLUSHALL"), "+OK");
    // The marker is written anew, and the tables are as large as they were.
    assert_eq!(spend(store, next()).await, Replay::Fresh);
    let before = used(server);
    let store = store.clone();
    rate(256, move |n| {
        let store = store.clone();
        async move { assert_eq!(spend(&store, n).await, Replay::Fresh) }
    })
    .await;
    let first: f64 = (used(server) - before) as f64 / 40_000.0;
    println!("\n{:<44} {first:>6.0} bytes", "a live proof in Redis, among 40 000");
    let bare = redis::Client::open(server.url()).expect("a URL");
    let bare = bare.get_multiplexed_async_connection().await.expect("a connection");
    let begin = used(server);
    for _ in 0..PROOFS / 40_000 {
        let connection = bare.clone();
        rate(256, move |n| {
            let connection = connection.clone();
            async move { set(&connection, n).await }
        })
        .await;
    }
    let each = (used(server) - begin) as f64 / PROOFS as f64;
    println!("{:<44} {each:>6.0} bytes", "a key of that length, among 240 000");
}

fn used(server: &server::Server) -> u64 {
    let info = server.ask("INFO memory");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.and_then(|used| used.trim().parse().ok()).expect("a number")
}

async fn answers(store: &RedisStore) {
    let answer = StoredAnswer { body: Secret::new(vec![b'x'; 400]), asked_at: NOW };
    store.put([1; 32], answer, NOW.plus(WINDOW), NOW).wait().await.expect("kept");
    let mut times = Vec::new();
    for _ in 0..5_000 {
        let began = Instant::now();
        assert!(store.get([1; 32], NOW).wait().await.expect("asked").is_some());
        times.push(began.elapsed());
    }
    println!();
    print("a shared answer of 400 bytes, fetched", &mut times);
}

/// From the call that denies to the refusal at another replica.
async fn rules(server: &server::Server) {
    let (one, other) = (store(server, "rules"), store(server, "rules"));
    while one.standing(NOW) != Standing::Current || other.standing(NOW) != Standing::Current {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (mut times, issuer, before) = (Vec::new(), "https://login.example.com", used(server));
    for n in 0..2_000 {
        let subject = format!("user-{n}");
        let rule = DenyRule::new(issuer, Denied::Subject(subject.as_str().into()), NOW.plus(WINDOW));
        let began = Instant::now();
        one.deny(rule, NOW).wait().await.expect("denied");
        let marks = Marks { issuer, subject: Some(&subject), ..Marks::default() };
        while other.denies(&marks, NOW).is_none() {
            tokio::task::yield_now().await;
        }
        times.push(began.elapsed());
    }
    print("a rule, from here to another replica", &mut times);
    println!("{:<44} {:>6} bytes", "a rule in Redis", (used(server) - before) / 2_000);
}

/// Prints a distribution; its median in microseconds.
fn print(what: &str, times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    let of = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    println!("{what:<44} {:>6.1} p50 {:>7.1} p99 {:>8.1} max", of(0.5), of(0.99), of(1.0));
    of(0.5)
}
