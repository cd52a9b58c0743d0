//! More than one server: a cluster whose keys move, and a group whose primary dies.

use super::server::{Server, free_port};
use super::*;
use crate::secret::Secret;
use crate::store::{Denied, DenyRule, Denylist as _, Marks, Standing};

const ISSUER: &str = "https://login.example.com";

fn rule(subject: &str) -> DenyRule {
    DenyRule::new(ISSUER, Denied::Subject(subject.into()), NOW.plus(WINDOW))
}

fn denies(store: &RedisStore, subject: &str) -> bool {
    store.denies(&Marks { issuer: ISSUER, subject: Some(subject), ..Marks::default() }, NOW).is_some()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), wait).await.is_ok(), "never: {what}");
}

/// Two primaries with half of the slots each.
fn cluster() -> [Server; 2] {
    let node = || {
        let bus = free_port();
        (Server::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()]), bus)
    };
    let ((one, _), (other, bus)) = (node(), node());
    assert_eq!(one.ask("CLUSTER ADDSLOTSRANGE 0 8191"), "+OK");
    assert_eq!(other.ask("CLUSTER ADDSLOTSRANGE 8192 16383"), "+OK");
    assert_eq!(one.ask(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", other.port())), "+OK");
    for node in [&one, &other] {
        while !node.ask("CLUSTER INFO").contains("cluster_state:ok") {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    [one, other]
}

#[cfg(feature = "test-util")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_every_promise_of_a_replay_store() {
    let nodes = cluster();
    crate::store::contract::replay_contract(|_born| {
        let builder = RedisStore::cluster([nodes[1].url().as_str()], key()).namespace(&namespace());
        builder.clock_tolerance(Duration::ZERO).near_capacity(0).build().unwrap()
    })
    .await;
    for node in &nodes {
        let keys: usize = node.ask("DBSIZE").trim_start_matches(':').parse().unwrap();
        assert!(keys > 1000, "proofs spread over all nodes, {keys} are here");
    }
}

#[tokio::test]
async fn a_cluster_keeps_rules_and_answers_and_follows_slots_that_move() {
    let [one, other] = cluster();
    let store = || {
        let builder = RedisStore::cluster([one.url().as_str()], key()).namespace("moving");
        builder.clock_tolerance(Duration::ZERO).near_capacity(0).build().unwrap()
    };
    let (here, there) = (store(), store());
    until("the list is current", || here.standing(NOW) == Standing::Current).await;
    until("the list is current", || there.standing(NOW) == Standing::Current).await;
    here.deny(rule("ada"), NOW).wait().await.unwrap();
    until("the other one denies", || denies(&there, "ada")).await;
    for n in 0..16 {
        let answer = StoredAnswer { body: Secret::new(vec![n]), asked_at: NOW };
        here.put([n; 32], answer, NOW.plus(WINDOW), NOW).wait().await.unwrap();
        assert!(there.get([n; 32], NOW).wait().await.unwrap().is_some());
    }

    // A slot that is empty moves: its proofs are judged by the other server, without anybody being told.
    let digest = [200; 32];
    let moved = super::super::cluster::slot(&here.0.keys.proof(&digest));
    let (from, to) = if moved < 8192 { (&one, &other) } else { (&other, &one) };
    assert_eq!(ask(&here, entry(1, NOW), NOW).await, Replay::Fresh);
    assert_eq!(from.ask("DEL {moving:c8}:birth"), ":1", "every marker is written when the first is");
    let id = to.ask("CLUSTER MYID");
    for node in [to, from] {
        assert_eq!(node.ask(&format!("CLUSTER SETSLOT {moved} NODE {id}")), "+OK");
    }
    let entry = ReplayEntry::new(digest, NOW, NOW.plus(WINDOW));
    let before = to.ask("DBSIZE");
    assert_eq!(ask(&here, entry, NOW).await, Replay::Fresh);
    assert_ne!(to.ask("DBSIZE"), before);
    assert_eq!(ask(&there, entry, NOW).await, Replay::Seen);
}

/// The replica may lack what the primary had confirmed, so it begins to remember when it takes over.
#[tokio::test]
async fn when_the_primary_dies_the_next_one_is_followed_and_not_believed_to_know_everything() {
    let mut primary = Server::start();
    let replica = Server::start_with(&["--replicaof", &format!("127.0.0.1 {}", primary.port())]);
    until("the replica is in step", || replica.ask("INFO replication").contains("master_link_status:up")).await;
    let sentinel = Server::start_sentinel(primary.port());
    until("the sentinel knows both", || sentinel.ask("SENTINEL REPLICAS main").starts_with("*1")).await;

    let store = RedisStore::sentinel([sentinel.url().as_str()], "main", key());
    let store = store.namespace("group").clock_tolerance(Duration::ZERO).near_capacity(0).build().unwrap();
    until("the list is current", || store.standing(NOW) == Standing::Current).await;
    store.deny(rule("ada"), NOW).wait().await.unwrap();
    assert_eq!(ask(&store, entry(1, NOW), NOW).await, Replay::Fresh);
    until("the replica has it all", || replica.ask("DBSIZE") == primary.ask("DBSIZE")).await;

    primary.stop();
    let later = NOW.plus(Duration::from_secs(5));
    let judged = loop {
        match ask(&store, entry(1, NOW), later).await {
            Replay::Unavailable(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            judged => break judged,
        }
    };
    assert_eq!(judged, Replay::Seen, "by the replica that took over");
    assert_eq!(ask(&store, entry(2, NOW), later).await, Replay::BeforeBirth);
    assert_eq!(ask(&store, entry(3, later), later).await, Replay::Fresh);
    until("the list is current", || store.standing(NOW) == Standing::Current).await;
    assert!(denies(&store, "ada"));
}
