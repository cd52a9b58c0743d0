//! Rules: known to every replica, through every loss, or known to be missing.

use super::server::Server;
use super::*;
use crate::store::{Denied, DenyRule, Denylist, Marks, Standing};

const ISSUER: &str = "https://login.example.com";
const HOUR: Duration = Duration::from_secs(3600);

fn rule(subject: &str) -> DenyRule {
    DenyRule::new(ISSUER, Denied::Subject(subject.into()), NOW.plus(HOUR))
}

fn denies(store: &RedisStore, subject: &str) -> bool {
    store.denies(&Marks { issuer: ISSUER, subject: Some(subject), ..Marks::default() }, NOW).is_some()
}

async fn deny(store: &RedisStore, subject: &str) {
    store.deny(rule(subject), NOW).wait().await.unwrap();
}

/// What is not true at once, and must become true by itself.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), wait).await.is_ok(), "never: {what}");
}

async fn current(store: &RedisStore) {
    until("the list is current", || store.standing(NOW) == Standing::Current).await;
}

async fn lost(store: &RedisStore) {
    until("the loss is noticed", || store.standing(NOW) == Standing::Lost).await;
}

#[cfg(feature = "test-util")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_a_denylist() {
    let server = Server::start();
    crate::store::contract::denylist_contract(|| {
        let store = store(&server, &namespace()).build().unwrap();
        let ready = current(&store);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(ready));
        store
    })
    .await;
}

#[tokio::test]
async fn a_rule_reaches_every_replica_and_those_that_start_later() {
    let server = Server::start();
    let replica = || store(&server, "spread").build().unwrap();
    let (one, other) = (replica(), replica());
    current(&one).await;
    current(&other).await;
    let generation = other.generation();
    deny(&one, "ada").await;
    assert!(denies(&one, "ada"), "at once where it was set");
    let own = one.generation();
    until("the other one denies", || denies(&other, "ada")).await;
    assert_ne!(other.generation(), generation, "cached verdicts are looked at again");
    assert!(!denies(&other, "bob"));
    assert_eq!(one.generation(), own, "its own rule is no news to it");
    let third = replica();
    current(&third).await;
    assert!(denies(&third, "ada"), "it is not current before it has caught up");
}

#[tokio::test]
async fn more_rules_than_one_page_are_all_caught_up_with() {
    let server = Server::start();
    let one = store(&server, "pages").build().unwrap();
    for n in 0..2500 {
        deny(&one, &format!("user-{n}")).await;
    }
    let other = store(&server, "pages").build().unwrap();
    current(&other).await;
    assert!((0..2500).all(|n| denies(&other, &format!("user-{n}"))));
}

#[tokio::test]
async fn a_list_that_never_reached_redis_knows_nothing_and_says_so() {
    let mut server = Server::start();
    server.stop();
    let store = store(&server, "never").build().unwrap();
    assert_eq!(store.standing(NOW), Standing::Behind(Timestamp::from_millis(i64::MIN)));
    assert!(store.deny(rule("ada"), NOW).wait().await.is_err(), "others do not learn of it");
    assert!(denies(&store, "ada"), "here it holds");
    server.begin();
    current(&store).await;
}

#[tokio::test]
async fn a_replica_that_was_cut_off_says_since_when_goes_on_with_its_rules_and_catches_up() {
    let mut server = Server::start_lasting();
    let (one, other) = (store(&server, "cut").build().unwrap(), store(&server, "cut").build().unwrap());
    current(&one).await;
    current(&other).await;
    deny(&one, "ada").await;
    until("the other one denies", || denies(&other, "ada")).await;
    server.stop();
    until("it is behind", || matches!(other.standing(NOW), Standing::Behind(_))).await;
    let Standing::Behind(since) = other.standing(NOW) else { panic!() };
    assert!(since <= NOW && NOW.since(since) < Duration::from_secs(30), "{since:?}");
    assert!(denies(&other, "ada"));
    server.begin();
    while one.deny(rule("bob"), NOW).wait().await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    until("the other one denies", || denies(&other, "bob")).await;
    current(&other).await;
    current(&one).await;
}

/// Its connection stays open; only its silence tells.
#[tokio::test]
async fn a_server_that_hangs_is_noticed() {
    let server = Server::start();
    let store = store(&server, "hangs").build().unwrap();
    current(&store).await;
    server.freeze();
    until("it is behind", || matches!(store.standing(NOW), Standing::Behind(_))).await;
    server.go_on();
    current(&store).await;
}

#[tokio::test]
async fn rules_that_redis_lost_are_missed_by_every_replica_until_it_is_seeded_anew() {
    let mut server = Server::start();
    let replica = || store(&server, "lost").build().unwrap();
    let (one, other) = (replica(), replica());
    current(&one).await;
    current(&other).await;
    deny(&one, "ada").await;
    until("the other one denies", || denies(&other, "ada")).await;
    server.stop();
    server.begin_empty();
    let replica = || store(&server, "lost").build().unwrap();
    lost(&one).await;
    lost(&other).await;
    assert!(denies(&one, "ada") && denies(&other, "ada"), "what is known still holds");
    let third = replica();
    lost(&third).await;
    assert!(!denies(&third, "ada"), "one that starts now knows of the loss, and not of the rule");
    deny(&one, "ada").await;
    assert_eq!(one.standing(NOW), Standing::Lost, "a rule alone does not make it whole");
    one.reseeded().await.unwrap();
    for replica in [&one, &other, &third, &replica()] {
        current(replica).await;
        assert!(denies(replica, "ada"));
    }
}

#[tokio::test]
async fn a_server_that_is_emptied_under_open_connections_is_noticed() {
    let server = Server::start();
    let store = store(&server, "flushed").build().unwrap();
    current(&store).await;
    assert_eq!(server.ask("FLUSHALL"), "+OK");
    lost(&store).await;
}

/// A replica that started in between takes the empty server for a new one; those who know better correct it.
#[tokio::test]
async fn a_newcomer_cannot_make_the_loss_unseen() {
    let mut server = Server::start();
    let old = store(&server, "newcomer").build().unwrap();
    current(&old).await;
    deny(&old, "ada").await;
    server.stop();
    server.elsewhere(|server| {
        assert_eq!(server.ask("FLUSHALL"), "+OK");
        assert_eq!(server.ask("SET newcomer:rules-marker \"another new\""), "+OK");
    });
    server.begin();
    lost(&old).await;
    lost(&store(&server, "newcomer").build().unwrap()).await;
}

/// What a failover to a replica that lagged behind looks like, and a crash between two writes to disk.
#[tokio::test]
async fn the_loss_of_the_latest_rules_alone_is_noticed() {
    let mut server = Server::start();
    let replica = || store(&server, "tail").build().unwrap();
    let (store, other) = (replica(), replica());
    current(&store).await;
    deny(&other, "ada").await;
    assert_eq!(server.ask("SAVE"), "+OK");
    deny(&other, "bob").await;
    until("it knows both", || denies(&store, "ada") && denies(&store, "bob")).await;
    drop(other);
    server.stop();
    server.begin();
    lost(&store).await;
    assert!(denies(&store, "bob"));
}

/// Others have added rules since, so that the last entry is younger than any that was lost.
#[tokio::test]
async fn the_loss_of_rules_is_noticed_though_others_were_added_since() {
    let mut server = Server::start();
    let replica = || store(&server, "count").build().unwrap();
    let (store, other) = (replica(), replica());
    current(&store).await;
    deny(&other, "ada").await;
    assert_eq!(server.ask("SAVE"), "+OK");
    deny(&other, "bob").await;
    until("it knows both", || denies(&store, "ada") && denies(&store, "bob")).await;
    drop(other);
    server.stop();
    server.elsewhere(|server| {
        for _ in 0..3 {
            assert!(server.ask("XADD count:rules * kind note").contains('-'));
        }
    });
    server.begin();
    lost(&store).await;
}

#[tokio::test]
async fn a_restart_with_all_data_loses_no_rule_and_is_no_loss() {
    let mut server = Server::start_lasting();
    let store = store(&server, "kept").build().unwrap();
    current(&store).await;
    deny(&store, "ada").await;
    server.stop();
    until("it is behind", || matches!(store.standing(NOW), Standing::Behind(_))).await;
    server.begin();
    current(&store).await;
}

#[tokio::test]
async fn an_empty_redis_is_a_loss_where_it_is_configured_to_be_one() {
    let server = Server::start();
    let careful = store(&server, "careful").empty_is_lost().build().unwrap();
    lost(&careful).await;
    careful.reseeded().await.unwrap();
    current(&careful).await;
    current(&store(&server, "careful").empty_is_lost().build().unwrap()).await;
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_is_a_rule_that_is_missing() {
    let server = Server::start();
    let store = store(&server, "odd").build().unwrap();
    current(&store).await;
    assert!(server.ask("XADD odd:rules * kind planet issuer x value y until 1").contains('-'));
    lost(&store).await;
}

#[tokio::test]
async fn a_rule_that_has_no_room_is_a_rule_that_is_missing() {
    let server = Server::start();
    let (small, large) =
        (store(&server, "room").rules_capacity(2).build().unwrap(), store(&server, "room").build().unwrap());
    for subject in ["ada", "bob", "eve"] {
        deny(&large, subject).await;
    }
    lost(&small).await;
    current(&large).await;
    assert!(small.deny(rule("dan"), NOW).wait().await.is_err());
}

#[tokio::test]
async fn rules_that_are_over_leave_redis_and_no_other_does() {
    let server = Server::start();
    let store = store(&server, "sweep").build().unwrap();
    current(&store).await;
    deny(&store, "ada").await;
    let long = DenyRule::new(ISSUER, Denied::Subject("bob".into()), NOW.plus(HOUR * 9));
    store.deny(long, NOW).wait().await.unwrap();
    let live = store.0.rules.target.connect(Duration::ZERO).await.unwrap();
    for (now, left) in [(NOW.plus(HOUR * 2), ":2"), (NOW.plus(HOUR * 2 + WINDOW), ":1"), (NOW.plus(HOUR * 11), ":0")] {
        store.0.rules.knowledge.tell_time(now);
        super::super::sweep::Sweep::default().page(&store.0.rules, &live).await.unwrap();
        assert_eq!(server.ask("XLEN sweep:rules"), left);
    }
    current(&store).await;
}

#[tokio::test]
async fn connections_and_tasks_end_with_the_store() {
    let server = Server::start();
    let store = store(&server, "ends").build().unwrap();
    current(&store).await;
    deny(&store, "ada").await;
    assert_eq!(server.ask("CLIENT LIST").lines().count(), 3);
    let clone = store.clone();
    drop(store);
    assert!(denies(&clone, "ada"));
    drop(clone);
    until("nobody is connected any more", || server.ask("CLIENT LIST").lines().count() == 1).await;
}
