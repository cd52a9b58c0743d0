//! How often a list is fetched, by whom, and how long it serves.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_list_is_fetched_once_and_asked_from_memory_from_then_on() {
    let world = World::new();
    assert_eq!(world.check(0).await, Ok(Status::Invalid));
    for (idx, status) in [(0, Status::Invalid), (1, Status::Valid), (15, Status::Invalid), (16, Status::NotListed)] {
        assert_eq!(world.at_once(idx), Some(Ok(status)), "{idx}");
    }
    assert_eq!((world.fetches(), world.events()), (1, vec!["fetched 16".to_owned()]));
    assert_eq!(world.signer.asked.load(Ordering::Relaxed), 1, "the signature was verified once");
}

/// TSL-10: the list is asked for by its media type, and no encoding is offered that would have to be undone.
#[tokio::test(start_paused = true)]
async fn a_list_is_asked_for_by_its_media_type() {
    let world = World::new();
    world.check(0).await.unwrap();
    let requests = world.requests.lock().unwrap();
    assert_eq!(requests[0].method(), "GET");
    assert_eq!(requests[0].headers()[ACCEPT], "application/statuslist+jwt");
    assert!(!requests[0].headers().contains_key(ACCEPT_ENCODING));
}

/// TSL-09: `ttl` counts from the fetch and outranks `max-age=86400`.
#[tokio::test(start_paused = true)]
async fn a_list_is_fetched_again_when_its_ttl_is_over_whatever_http_says() {
    let world = World::new();
    world.serve(json!({"iat": NOW.as_secs() - 1_000_000}));
    world.check(0).await.unwrap();
    world.pass(47);
    assert_eq!((world.at_once(0), world.fetches()), (Some(Ok(Status::Invalid)), 1));
    world.pass(13);
    assert_eq!(world.at_once(0), None, "60 s later it is not in memory any more");
    assert_eq!((world.check(0).await, world.fetches()), (Ok(Status::Invalid), 2));

    let world = World::new();
    world.serve(json!({"ttl": null, "exp": null}));
    world.check(0).await.unwrap();
    world.pass(60_000);
    assert!(world.at_once(0).is_some(), "where the list says nothing, HTTP does");
    assert_eq!(world.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn from_four_fifths_of_its_lifetime_on_a_list_is_fetched_behind() {
    let world = World::new();
    world.check(0).await.unwrap();
    world.pass(48);
    world.serve(json!({"status_list": {"bits": 1, "lst": b64_of(&[0])}}));
    assert_eq!(world.at_once(0), Some(Ok(Status::Invalid)), "nobody waits");
    assert_eq!(world.at_once(0), Some(Ok(Status::Invalid)));
    world.settle().await;
    assert_eq!((world.at_once(0), world.fetches()), (Some(Ok(Status::Valid)), 2));
}

/// TSL-09: `exp` is a hard stop, whatever `ttl` says.
#[tokio::test(start_paused = true)]
async fn an_expired_list_serves_nobody() {
    let world = World::new();
    world.serve(json!({"ttl": 3600, "exp": NOW.as_secs() + 100}));
    let list = world.lists.list(URI, NOW).unwrap();
    list.check(0, NOW).wait().await.unwrap();
    world.answer(Reply::Status(StatusCode::INTERNAL_SERVER_ERROR));
    world.pass(99);
    assert_eq!(world.at_once(0), Some(Ok(Status::Invalid)));
    world.settle().await;
    world.pass(1);
    assert_eq!(world.fails().await, "status");
    assert_eq!(list.check_stale(0, Duration::from_secs(3600), world.now()), None, "by no policy either");
    // What is fetched and over already is of no use.
    world.pass(60);
    world.serve(json!({"exp": NOW.as_secs() + 100}));
    assert_eq!(world.fails().await, "list_invalid");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_ends_at_once_is_not_fetched_for_every_request() {
    let world = World::new();
    world.serve(json!({"exp": NOW.as_secs() + 1}));
    world.check(0).await.unwrap();
    world.pass(1);
    for n in 0..10 {
        world.serve(json!({"exp": world.now().as_secs() + 1}));
        assert_eq!(world.check(0).await, Ok(Status::Invalid), "{n}");
        let before = world.fetches();
        let later = world.now().plus(Duration::from_millis(999));
        assert!(world.lists.check(URI, 0, later).wait().await.is_ok());
        assert_eq!(world.fetches(), before);
        world.pass(1);
    }
}

#[tokio::test(start_paused = true)]
async fn by_policy_a_list_past_its_lifetime_serves_while_it_cannot_be_had() {
    let world = World::new();
    let list = world.lists.list(URI, NOW).unwrap();
    let within = Duration::from_secs(30);
    assert_eq!(list.check_stale(0, within, NOW), None, "there is none yet");
    list.check(0, NOW).wait().await.unwrap();
    world.answer(Reply::Status(StatusCode::NOT_FOUND));
    world.pass(89);
    assert_eq!(world.fails().await, "status");
    let stale = list.check_stale(0, within, world.now()).unwrap();
    assert_eq!(stale, Checked { status: Status::Invalid, fetched_at: NOW });
    world.pass(1);
    assert_eq!(list.check_stale(0, within, world.now()), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_a_younger_list_gets_one() {
    let world = World::new();
    world.serve(json!({"ttl": 3600}));
    let list = world.lists.list(URI, NOW).unwrap();
    let most = Duration::from_secs(10);
    assert_eq!(list.check_within(0, most, NOW).wait().await.unwrap().fetched_at, NOW);
    world.pass(10);
    assert!(matches!(list.check_within(0, most, world.now()), Answer::Now(Ok(Checked { fetched_at: NOW, .. }))));
    world.pass(1);
    assert!(matches!(list.check(0, world.now()), Answer::Now(Ok(_))));
    let younger = list.check_within(0, most, world.now()).wait().await.unwrap();
    assert_eq!((younger.fetched_at, world.fetches()), (world.now(), 2));
    world.answer(Reply::Status(StatusCode::BAD_GATEWAY));
    world.pass(11);
    assert_eq!(list.check_within(0, most, world.now()).wait().await.unwrap_err().code, "status");
    assert!(matches!(list.check(0, world.now()), Answer::Now(Ok(_))), "others are served on");
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_there_is_one_fetch_and_who_goes_away_takes_nothing_with_it() {
    let world = World::new();
    let held = Arc::new(Notify::new());
    world.answer(Reply::Held(Arc::clone(&held)));
    let ask = |idx| tokio::spawn(world.lists.check(URI, idx, NOW).wait());
    let first = ask(0);
    let others: Vec<_> = (0..50).map(|n| ask(n % 16)).collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    first.abort();
    assert!(first.await.is_err());
    held.notify_one();
    for other in others {
        assert!(other.await.unwrap().is_ok());
    }
    assert_eq!(world.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handle_kept_with_a_verdict_sees_the_next_list() {
    let world = World::new();
    let list = world.lists.list(URI, NOW).unwrap();
    assert_eq!(list.check(1, NOW).wait().await.unwrap().status, Status::Valid);
    world.pass(60);
    world.serve(json!({"status_list": {"bits": 1, "lst": b64_of(&[0xFF, 0xFF])}}));
    assert_eq!(list.check(1, world.now()).wait().await.unwrap().status, Status::Invalid);
    assert!(matches!(list.check(1, world.now()), Answer::Now(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn fetches_end_with_their_owner_and_lists_that_are_held_serve_to_their_end() {
    let world = World::new();
    let list = world.lists.list(URI, NOW).unwrap();
    list.check(0, NOW).wait().await.unwrap();
    world.answer(Reply::Silence);
    world.pass(60);
    let waiting = tokio::spawn(list.check(0, world.now()).wait());
    tokio::time::sleep(Duration::from_millis(10)).await;
    let World { lists, clock, requests, events, .. } = world;
    events.lock().unwrap().clear();
    drop(lists);
    assert_eq!(waiting.await.unwrap().unwrap_err().code, "stopped");
    assert!(events.lock().unwrap().is_empty());
    assert!(matches!(list.check(0, NOW), Answer::Now(Ok(_))));
    assert!(matches!(list.check(0, clock.now()), Answer::Now(Err(_))));
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[test]
fn lists_need_no_runtime_until_somebody_asks_and_outlive_the_one_that_fetched_them() {
    let world = World::new();
    assert_eq!(world.at_once(0).unwrap().unwrap_err().code, "no_runtime");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime().block_on(world.check(0)), Ok(Status::Invalid));
    world.pass(60);
    world.answer(Reply::Silence);
    let short_lived = runtime();
    short_lived.block_on(async { assert_eq!(world.at_once(0), None) });
    drop(short_lived);
    world.pass(2);
    world.serve(json!({}));
    assert_eq!(runtime().block_on(world.check(0)), Ok(Status::Invalid));
}

pub(super) fn b64_of(bytes: &[u8]) -> String {
    crate::crypto::b64(&miniz_oxide::deflate::compress_to_vec_zlib(bytes, 6))
}

/// `cargo test --release --lib -- --ignored --nocapture the_time_of_a_check`
#[tokio::test]
#[ignore = "a measurement: what a check in memory takes, and what a list of a million entries keeps"]
async fn the_time_of_a_check() {
    const CHECKS: u64 = 10_000_000;
    let world = World::new();
    world.serve(json!({"ttl": 3600, "status_list": {"bits": 1, "lst": b64_of(&[0; 1 << 17])}}));
    let list = world.lists.list(URI, NOW).unwrap();
    list.check(0, NOW).wait().await.unwrap();
    let began = tokio::time::Instant::now();
    let valid = (0..CHECKS).filter(|n| {
        let idx = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (1 << 20);
        matches!(list.check(std::hint::black_box(idx), NOW), Answer::Now(Ok(checked)) if checked.status.is_valid())
    });
    assert_eq!(valid.count() as u64, CHECKS);
    let nanos = began.elapsed().as_nanos() as f64 / CHECKS as f64;
    let bytes = world.lists.shared.bytes.load(Ordering::Relaxed);
    println!("a check in a list of 2^20 entries: {nanos:.1} ns; the list keeps {bytes} bytes");
}
