//! Shared answers: found by every replica, read by nobody else, never younger than they are.

use super::server::Server;
use super::*;
use crate::secret::Secret;

fn answer(body: &str, asked_at: Timestamp) -> StoredAnswer {
    StoredAnswer { body: Secret::new(body.as_bytes().to_vec()), asked_at }
}

async fn get(store: &RedisStore, key: u8, now: Timestamp) -> Option<(String, Timestamp)> {
    let found = store.get([key; 32], now).wait().await.unwrap()?;
    Some((String::from_utf8(found.body.expose().clone()).unwrap(), found.asked_at))
}

async fn put(store: &RedisStore, key: u8, body: &str, asked_at: Timestamp, keep_until: Timestamp) {
    store.put([key; 32], answer(body, asked_at), keep_until, NOW).wait().await.unwrap();
}

#[tokio::test]
async fn what_one_replica_was_answered_every_replica_finds_with_the_time_it_was_asked() {
    let server = Server::start();
    let (one, other) = (store(&server, "shared").build().unwrap(), store(&server, "shared").build().unwrap());
    let asked = NOW.minus(Duration::from_millis(1234));
    put(&one, 1, r#"{"active":true}"#, asked, NOW.plus(WINDOW)).await;
    assert_eq!(get(&other, 1, NOW).await, Some((r#"{"active":true}"#.to_owned(), asked)));
    assert_eq!(get(&other, 2, NOW).await, None, "another token");
    assert_eq!(get(&other, 1, NOW.plus(WINDOW)).await, None, "its time is over by the clock that asks");
    other.forget([1; 32]).wait().await.unwrap();
    assert_eq!(get(&one, 1, NOW).await, None);
}

#[tokio::test]
async fn an_answer_ends_in_redis_when_its_time_ends() {
    let server = Server::start();
    let store = store(&server, "end").build().unwrap();
    put(&store, b'k', "{}", NOW, NOW.plus(Duration::from_millis(900))).await;
    let left = server.ask(&format!("PTTL end:a:{}", "k".repeat(32)));
    assert!((1..=900).contains(&left.trim_start_matches(':').parse::<i64>().unwrap()), "{left}");
    put(&store, b'o', "{}", NOW, NOW).await;
    assert_eq!(server.ask(&format!("EXISTS end:a:{}", "o".repeat(32))), ":0", "what is over is not kept");
}

#[tokio::test]
async fn redis_sees_neither_the_answer_nor_how_to_make_one() {
    let server = Server::start();
    let store = store(&server, "sealed").build().unwrap();
    put(&store, b'k', r#"{"sub":"alice","scope":"orders:read"}"#, NOW, NOW.plus(WINDOW)).await;
    let name = |key: &str| format!("sealed:a:{}", key.repeat(32));
    let kept = server.ask(&format!("GET {}", name("k")));
    assert!(!kept.contains("alice") && !kept.contains("orders"), "{kept}");
    // Moved to the key of another token, it is none.
    assert_eq!(server.ask(&format!("COPY {} {}", name("k"), name("m"))), ":1");
    assert_eq!(get(&store, b'm', NOW).await, None);
    // Touched, it is none.
    assert_eq!(server.ask(&format!("SETRANGE {} 20 {}", name("k"), "xxxx")).chars().next(), Some(':'));
    assert_eq!(get(&store, b'k', NOW).await, None);
    assert_eq!(server.ask(&format!("SET {} junk", name("k"))), "+OK");
    assert_eq!(get(&store, b'k', NOW).await, None);
    // With another secret, it is none.
    put(&store, b'k', "{}", NOW, NOW.plus(WINDOW)).await;
    let stranger =
        RedisStore::builder(&server.url(), StoreKey::from_secret([8; 32])).namespace("sealed").build().unwrap();
    assert_eq!(get(&stranger, b'k', NOW).await, None);
    assert!(get(&store, b'k', NOW).await.is_some());
}

#[tokio::test]
async fn without_redis_there_is_an_error_and_no_answer() {
    let mut server = Server::start();
    let store = store(&server, "gone").build().unwrap();
    put(&store, 1, "{}", NOW, NOW.plus(WINDOW)).await;
    server.stop();
    assert!(store.get([1; 32], NOW).wait().await.is_err());
    assert!(store.put([1; 32], answer("{}", NOW), NOW.plus(WINDOW), NOW).wait().await.is_err());
    assert!(store.forget([1; 32]).wait().await.is_err());
}
