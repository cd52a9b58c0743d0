//! Proofs: the contract, two replicas, and every way to lose a memory.

use std::sync::{Arc, Mutex};

use super::server::Server;
use super::*;
use crate::observe::Event;
use crate::secret::Secret;
use crate::store::{Denied, DenyRule, Denylist as _, Standing};

const SECOND: Duration = Duration::from_secs(1);

#[cfg(feature = "test-util")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_a_replay_store() {
    let server = Server::start();
    crate::store::contract::replay_contract(|_born| store(&server, &namespace()).build().unwrap()).await;
}

/// Requests in turn at two replicas, which share nothing but the server.
#[derive(Debug)]
struct Fleet {
    replicas: [RedisStore; 2],
    turn: AtomicUsize,
}

impl ReplayStore for Fleet {
    fn check_and_insert(&self, entry: ReplayEntry, now: Timestamp) -> Answer<Replay> {
        let [one, other] = &self.replicas;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if turn.is_multiple_of(2) { one.check_and_insert(entry, now) } else { other.check_and_insert(entry, now) }
    }
}

#[cfg(feature = "test-util")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_keeps_every_promise_of_one_replay_store() {
    let server = Server::start();
    let fleet = |_born| {
        let namespace = namespace();
        // Without a near memory, so that it is Redis that is tested.
        let replica = || store(&server, &namespace).near_capacity(0).build().unwrap();
        Fleet { replicas: [replica(), replica()], turn: AtomicUsize::new(0) }
    };
    crate::store::contract::replay_contract(fleet).await;
}

#[tokio::test]
async fn what_passed_here_is_refused_without_asking() {
    let mut server = Server::start();
    let store = store(&server, "near").build().unwrap();
    assert_eq!(ask(&store, entry(1, NOW), NOW).await, Replay::Fresh);
    server.stop();
    assert!(matches!(store.check_and_insert(entry(1, NOW), NOW), Answer::Now(Replay::Seen)));
    assert!(matches!(ask(&store, entry(2, NOW), NOW).await, Replay::Unavailable(_)));
}

#[tokio::test]
async fn a_key_lives_as_long_as_its_entry_and_never_forever() {
    let server = Server::start();
    let store = store(&server, "px").near_capacity(0).build().unwrap();
    assert_eq!(ask(&store, ReplayEntry::new([b'a'; 32], NOW, NOW.plus(WINDOW)), NOW).await, Replay::Fresh);
    let left = |server: &Server| {
        let answer = server.ask(&format!("PTTL px:p:{}", "a".repeat(16)));
        answer.trim_start_matches(':').parse::<i64>().unwrap()
    };
    assert!((60_000..=80_000).contains(&left(&server)), "{}", left(&server));
    // A policy with a longer window asks for the same proof: it is remembered for that one.
    assert_eq!(ask(&store, ReplayEntry::new([b'a'; 32], NOW, NOW.plus(WINDOW * 3)), NOW).await, Replay::Seen);
    assert!((200_000..=240_000).contains(&left(&server)), "{}", left(&server));
    assert_eq!(ask(&store, ReplayEntry::new([b'a'; 32], NOW, NOW.plus(WINDOW)), NOW).await, Replay::Seen);
    assert!((200_000..=240_000).contains(&left(&server)), "a shorter one takes nothing away");
    let forever = ReplayEntry::new([b'b'; 32], NOW, Timestamp::from_millis(i64::MAX));
    assert_eq!(ask(&store, forever, NOW).await, Replay::Fresh, "however far away the end is");
}

#[tokio::test]
async fn a_server_that_comes_back_empty_is_noticed_within_the_request() {
    let mut server = Server::start();
    let lost = Arc::new(Mutex::new(Vec::new()));
    let store = {
        let lost = Arc::clone(&lost);
        let noting = move |event: &Event<'_>| {
            if let Event::StoreChanged { store, standing, .. } = event {
                lost.lock().unwrap().push(format!("{store} {standing}"));
            }
        };
        store(&server, "empty").near_capacity(0).observer(noting).build().unwrap()
    };
    assert_eq!(ask(&store, entry(1, NOW), NOW).await, Replay::Fresh);
    server.stop();
    assert!(matches!(ask(&store, entry(1, NOW), NOW).await, Replay::Unavailable(_)));
    server.begin_empty();
    let later = NOW.plus(SECOND);
    assert_eq!(back(&store, entry(1, NOW), later).await, Replay::BeforeBirth, "it was spent");
    assert_eq!(ask(&store, entry(2, NOW), later).await, Replay::BeforeBirth, "it may have been spent");
    assert_eq!(ask(&store, entry(3, later), later).await, Replay::Fresh, "nothing of that age can have been");
    assert_eq!(*lost.lock().unwrap(), ["redis up", "redis lost", "redis down", "redis up", "redis lost"]);
}

/// Redis confirms before it has written to disk or to a replica, so data that survived may lack the last second.
#[tokio::test]
async fn a_server_that_comes_back_with_its_data_is_not_believed_to_have_all_of_it() {
    let mut server = Server::start_lasting();
    let store = store(&server, "data").near_capacity(0).build().unwrap();
    assert_eq!(ask(&store, entry(1, NOW), NOW).await, Replay::Fresh);
    server.stop();
    server.begin();
    let later = NOW.plus(SECOND);
    assert_eq!(back(&store, entry(1, NOW), later).await, Replay::Seen);
    assert_eq!(ask(&store, entry(2, NOW), later).await, Replay::BeforeBirth);
    assert_eq!(ask(&store, entry(3, later), later).await, Replay::Fresh);
}

#[tokio::test]
async fn a_server_that_is_emptied_under_an_open_connection_is_noticed() {
    let server = Server::start();
    let store = store(&server, "flush").near_capacity(0).build().unwrap();
    assert_eq!(ask(&store, entry(1, NOW), NOW).await, Replay::Fresh);
    assert_eq!(server.ask("FLUSHALL"), "+OK");
    assert_eq!(ask(&store, entry(1, NOW), NOW.plus(SECOND)).await, Replay::BeforeBirth);
}

/// The clock of the replica that accepted a proof before may have been ahead, and that of its maker too.
#[tokio::test]
async fn for_as_long_as_clocks_may_differ_nothing_passes_after_a_loss() {
    let server = Server::start();
    let tolerance = Duration::from_secs(20);
    let store = store(&server, "clocks").clock_tolerance(tolerance).build().unwrap();
    let ahead = entry(1, NOW.plus(SECOND * 15));
    assert!(matches!(ask(&store, ahead, NOW).await, Replay::Unavailable(_)));
    let later = NOW.plus(tolerance);
    assert_eq!(ask(&store, entry(2, later), later).await, Replay::Fresh);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable_in_time_and_back_by_itself() {
    let server = Server::start();
    let store = store(&server, "frozen").command_timeout(Duration::from_millis(50)).build().unwrap();
    assert_eq!(ask(&store, entry(1, NOW), NOW).await, Replay::Fresh);
    server.freeze();
    for n in 2..20 {
        assert!(matches!(ask(&store, entry(n, NOW), NOW).await, Replay::Unavailable(_)));
    }
    server.go_on();
    assert_eq!(back(&store, entry(20, NOW), NOW).await, Replay::Fresh);
}

#[tokio::test]
async fn what_is_over_the_limit_is_refused_at_once_and_not_queued() {
    let server = Server::start();
    let store = store(&server, "bound").max_in_flight(4).command_timeout(Duration::from_secs(5)).build().unwrap();
    assert_eq!(ask(&store, entry(0, NOW), NOW).await, Replay::Fresh);
    server.freeze();
    let asked: Vec<_> = (1..=4)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { ask(&store, entry(n, NOW), NOW).await })
        })
        .collect();
    while store.0.commands.free() > 0 {
        tokio::task::yield_now().await;
    }
    let refused = ask(&store, entry(5, NOW), NOW).await;
    assert!(matches!(&refused, Replay::Unavailable(why) if why.to_string().contains("too many")), "{refused:?}");
    server.go_on();
    for answer in asked {
        assert_eq!(answer.await.unwrap(), Replay::Fresh);
    }
}

#[tokio::test]
async fn a_full_server_says_so() {
    let server = Server::start_with(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let store = store(&server, "full").near_capacity(0).build().unwrap();
    for n in 0..u32::MAX {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&n.to_le_bytes());
        match ask(&store, ReplayEntry::new(digest, NOW, NOW.plus(WINDOW)), NOW).await {
            Replay::Fresh => {}
            other => {
                assert_eq!(other, Replay::Full);
                assert!(n > 1000, "after {n} proofs");
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_would_evict_proofs_is_not_used() {
    let server = Server::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let store = store(&server, "evict").build().unwrap();
    let refused = ask(&store, entry(0, NOW), NOW).await;
    assert!(matches!(&refused, Replay::Unavailable(why) if why.to_string().contains("noeviction")), "{refused:?}");
}

#[tokio::test]
async fn a_user_of_an_access_list_needs_the_listed_commands_only() {
    let server = Server::start_with(&["--requirepass", "admin"]);
    let rights =
        "on >pass resetkeys resetchannels ~acl:* -@all +info +set +get +pexpire +del +xadd +xrange +xread +xdel +xinfo";
    assert_eq!(server.ask(&format!("AUTH admin\r\nACL SETUSER shop {rights}\r\nPING")), "+OK");
    let url = format!("redis://shop:pass@127.0.0.1:{}", server.port());
    let store = RedisStore::builder(&url, key()).namespace("acl").clock_tolerance(Duration::ZERO).build().unwrap();
    assert_eq!(ask(&store, entry(0, NOW), NOW).await, Replay::Fresh);
    assert_eq!(ask(&store, ReplayEntry::new([0; 32], NOW, NOW.plus(WINDOW * 2)), NOW).await, Replay::Seen);
    while store.standing(NOW) != Standing::Current {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rule = DenyRule::new("https://i", Denied::Everything, NOW.plus(WINDOW));
    store.deny(rule, NOW).wait().await.unwrap();
    let live = store.0.rules.target.connect(Duration::ZERO).await.unwrap();
    store.0.rules.knowledge.tell_time(NOW.plus(WINDOW * 100));
    super::super::sweep::Sweep::default().page(&store.0.rules, &live).await.unwrap();
    store.reseeded().await.unwrap();
    let answer = StoredAnswer { body: Secret::new(Vec::new()), asked_at: NOW };
    store.put([1; 32], answer, NOW.plus(WINDOW), NOW).wait().await.unwrap();
    assert!(store.get([1; 32], NOW).wait().await.unwrap().is_some());
    store.forget([1; 32]).wait().await.unwrap();
    let wrong = url.replace("pass@", "wrong@");
    let refused = ask(&RedisStore::new(&wrong, key()).unwrap(), entry(1, NOW), NOW).await;
    assert!(matches!(&refused, Replay::Unavailable(why) if why.to_string().contains("password")), "{refused:?}");
}

/// Asks until the server is back, as clients do.
async fn back(store: &RedisStore, entry: ReplayEntry, now: Timestamp) -> Replay {
    loop {
        match ask(store, entry, now).await {
            Replay::Unavailable(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            judged => return judged,
        }
    }
}
