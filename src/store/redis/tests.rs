//! What a store in Redis promises, held against a real server.

mod answers;
mod denylist;
mod groups;
mod replay;
pub(crate) mod server;
mod tls;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const WINDOW: Duration = Duration::from_secs(80);

/// Each test's keys, on a server that several may share.
fn namespace() -> String {
    static NAMES: AtomicUsize = AtomicUsize::new(0);
    format!("test-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

fn key() -> StoreKey {
    StoreKey::from_secret([7; 32])
}

/// A store for clocks that agree.
fn store(server: &server::Server, namespace: &str) -> RedisStoreBuilder {
    RedisStore::builder(&server.url(), key()).namespace(namespace).clock_tolerance(Duration::ZERO)
}

fn entry(n: u8, issued_at: Timestamp) -> ReplayEntry {
    ReplayEntry::new([n; 32], issued_at, issued_at.plus(WINDOW))
}

async fn ask(store: &RedisStore, entry: ReplayEntry, now: Timestamp) -> Replay {
    store.check_and_insert(entry, now).wait().await
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_connected() {
    assert!(RedisStore::new("redis://h", StoreKey::from_secret("short")).is_err());
    assert!(RedisStore::new("http://h", key()).is_err());
    assert!(RedisStore::builder("redis://h", key()).namespace("").build().is_err());
    assert!(RedisStore::builder("redis://h", key()).namespace("a{b").build().is_err());
    assert!(RedisStore::builder("redis://h", key()).max_in_flight(0).build().is_err());
    assert!(RedisStore::builder("redis://h", key()).command_timeout(Duration::ZERO).build().is_err());
    assert!(RedisStore::builder("rediss://h", key()).root_certificates_pem("no certificate").build().is_err());
    assert!(RedisStore::sentinel([], "main", key()).build().is_err());
    assert!(RedisStore::new("redis://192.0.2.1", key()).is_ok());
}

#[test]
fn neither_password_nor_secret_is_printed() {
    let builder = RedisStore::builder("redis://u:hunter2@h", StoreKey::from_secret("hunter2".repeat(5)));
    let printed = format!("{builder:?} {:?}", key()) + &format!("{:?}", builder.build().unwrap());
    assert!(!printed.contains("hunter2"), "{printed}");
}
