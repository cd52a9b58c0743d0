//! Who owns the task: rings, requests and runtimes that come and go.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

#[tokio::test(start_paused = true)]
async fn keys_arrive_though_the_request_that_asked_has_gone() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.delay = Duration::from_secs(2));
    let ring = issuer.ring();
    assert!(timeout(Duration::from_millis(10), ask(&ring, "a")).await.is_err());
    drop(ring.lookup(Some("a"), RS));
    pass(2).await;
    assert_eq!(settled(&ring.lookup(Some("a"), RS)), Verdict::Served);
    assert_eq!(issuer.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_ring_ends_its_task() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.max_age = Some(60));
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(alive, 1);
    drop(ring);
    pass(10_000).await;
    assert_eq!(issuer.count(), 1);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_ring_ends_the_fetch_and_whoever_waits_learns_it() {
    let issuer = Issuer::with(&["a"]);
    issuer.answer(Answer::Silence);
    let ring = issuer.ring();
    let Lookup::Empty(refresh) = ring.lookup(Some("a"), RS) else { panic!() };
    pass(1).await;
    drop(ring);
    let started = Instant::now();
    assert_eq!(refresh.await.unwrap_err().code(), "stopped");
    assert_eq!(started.elapsed(), Duration::ZERO);
    pass(100).await;
    assert_eq!(issuer.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ring_has_one_task_however_much_happens() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.max_age = Some(60));
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    for _ in 0..50 {
        ask(&ring, "junk").await;
        pass(31).await;
        assert!(tokio::runtime::Handle::current().metrics().num_alive_tasks() <= 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_ask_at_the_same_time_share_the_fetches_too() {
    for _ in 0..20 {
        let issuer = Issuer::with(&["a"]);
        let ring = Arc::new(issuer.ring());
        let asking: Vec<_> = (0..200)
            .map(|n| {
                let ring = ring.clone();
                tokio::spawn(async move { ask(&ring, if n % 2 == 0 { "a" } else { "junk" }).await })
            })
            .collect();
        for (n, asked) in asking.into_iter().enumerate() {
            assert_eq!(asked.await.unwrap(), if n % 2 == 0 { Verdict::Served } else { Verdict::NoSuchKey });
        }
        assert!(issuer.count() <= 2, "the load, and a refresh where no junk came before it had landed");
    }
}

#[test]
fn outside_a_runtime_nothing_panics_and_the_error_says_so() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    let Lookup::Empty(refresh) = ring.lookup(Some("a"), RS) else { panic!() };
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = pin!(refresh).poll(&mut context) else { panic!() };
    assert_eq!(error.code(), "no_runtime");
    assert_eq!(issuer.count(), 0);
    let runtime = runtime();
    assert_eq!(runtime.block_on(ask(&ring, "a")), Verdict::Served, "and no failure is remembered");
    assert_eq!(settled(&ring.lookup(Some("a"), RS)), Verdict::Served);
    let Lookup::Missing(_) = ring.lookup(Some("b"), RS) else { panic!() };
    ring.adopt(&issuer.ring());
}

#[test]
fn a_runtime_that_was_shut_down_mid_fetch_does_not_wedge_the_ring() {
    let issuer = Issuer::with(&["a"]);
    issuer.answer(Answer::Silence);
    let ring = Arc::new(issuer.ring());
    let first = runtime();
    let waiting = first.block_on(async {
        let Lookup::Empty(refresh) = ring.lookup(Some("a"), RS) else { panic!() };
        pass(1).await;
        Some(refresh)
    });
    let waiting = waiting.unwrap();
    drop(first);
    let second = runtime();
    assert_eq!(second.block_on(waiting).unwrap_err().code(), "stopped");
    issuer.publish(&["a"]);
    assert_eq!(second.block_on(ask(&ring, "a")), Verdict::Served);
    drop(second);
    issuer.publish(&["a", "b"]);
    assert_eq!(runtime().block_on(ask(&ring, "b")), Verdict::Served, "nor does one shut down in between");
}

#[test]
fn a_fetch_left_behind_in_a_runtime_that_stands_still_is_given_up() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    let idle = runtime();
    let left_behind = {
        let _inside = idle.enter();
        ring.lookup(Some("a"), RS)
    };
    let driven = runtime();
    driven.block_on(async {
        let Lookup::Empty(joined) = ring.lookup(Some("a"), RS) else { panic!() };
        assert!(timeout(Duration::from_secs(19), joined).await.is_err());
        pass(2).await;
        assert_eq!(ask(&ring, "a").await, Verdict::Served);
        let Lookup::Empty(left_behind) = left_behind else { panic!() };
        assert_eq!(left_behind.await.unwrap_err().code(), "stopped");
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_new_ring_adopts_the_set_with_its_age() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.max_age = Some(600));
    let old = issuer.ring();
    old.ready().await.unwrap();
    pass(400).await;
    issuer.publish(&["b"]);
    let new = issuer.ring();
    new.adopt(&old);
    drop(old);
    assert_eq!(settled(&new.lookup(Some("a"), RS)), Verdict::Served);
    assert_eq!(issuer.count(), 1);
    pass(81).await;
    assert_eq!(issuer.count(), 2, "refreshed when the old ring would have been");
    assert_eq!(ask(&new, "a").await, Verdict::NoSuchKey);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_adopted_from_another_issuer_or_place_nor_a_dead_set() {
    let issuer = Issuer::with(&["a"]);
    let old = issuer.ring();
    old.ready().await.unwrap();
    let generation = old.generation();
    let adopts = |issuer_name: &str, source| {
        let new =
            KeyRing::new(issuer_name, source, Some(issuer.fetcher()), RingLimits::default(), Observers::default());
        new.adopt(&old);
        new.generation() == generation
    };
    let url = |url: &str| KeySource::Url(url.into());
    assert!(adopts(ISSUER, url(JWKS)));
    assert!(!adopts("https://other.example", url(JWKS)));
    assert!(!adopts(ISSUER, url("https://issuer.example/jwks2")));
    assert!(!adopts(ISSUER, KeySource::Discovered));
    issuer.answer(Answer::Status(500));
    pass(3 * 60 * 60).await;
    assert!(!adopts(ISSUER, url(JWKS)));
}

#[tokio::test(start_paused = true)]
async fn an_adopted_set_obeys_the_new_limits() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.max_age = Some(24 * 60 * 60));
    let limits = RingLimits { max_lifetime: Duration::from_secs(24 * 60 * 60) };
    let source = || KeySource::Url(JWKS.into());
    let old = KeyRing::new(ISSUER, source(), Some(issuer.fetcher()), limits, Observers::default());
    old.ready().await.unwrap();
    pass(10 * 60 * 60).await;
    assert_eq!(issuer.count(), 1, "24 hours by opt-in");
    issuer.answer(Answer::Status(500));
    let new = issuer.ring();
    new.adopt(&old);
    assert_eq!(ask(&new, "a").await, Verdict::NotJudged, "ten hours are too old for a lifetime of one");
}

#[tokio::test(start_paused = true)]
async fn configured_keys_are_never_fetched_and_never_old() {
    let issuer = Issuer::with(&[]);
    let set = KeySet::parse(document(&["a"]).as_bytes()).unwrap();
    let ring = issuer.ring_of(KeySource::Static(set));
    ring.ready().await.unwrap();
    pass(1_000_000).await;
    assert_eq!(ask(&ring, "a").await, Verdict::Served);
    assert_eq!(settled(&ring.lookup(Some("b"), RS)), Verdict::NoSuchKey);
    assert_eq!(settled(&ring.after_bad_signature(ring.generation(), Some("a"), RS)), Verdict::NoSuchKey);
    assert_eq!(issuer.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_again_every_minute_and_a_broken_one_keeps_the_last_good_set() {
    let path = std::env::temp_dir().join(format!("tower-oauth-keys-{}.json", std::process::id()));
    std::fs::write(&path, document(&["a"])).unwrap();
    let ring = Issuer::with(&[]).ring_of(KeySource::File(path.clone()));
    assert_eq!(ask(&ring, "a").await, Verdict::Served);
    std::fs::write(&path, document(&["b"])).unwrap();
    pass(49).await;
    assert_eq!(ask(&ring, "b").await, Verdict::Served);
    assert_eq!(ask(&ring, "a").await, Verdict::NoSuchKey);
    for broken in ["", "{", "<html>", r#"{"keys":[]}"#, &" ".repeat(256 * 1024 + 1)] {
        std::fs::write(&path, broken).unwrap();
        pass(120).await;
        assert_eq!(ask(&ring, "b").await, Verdict::ServedStale, "{:.9}", broken);
        std::fs::write(&path, document(&["b"])).unwrap();
        pass(61).await;
        assert_eq!(ask(&ring, "b").await, Verdict::Served);
    }
    std::fs::remove_file(&path).unwrap();
    pass(120).await;
    assert_eq!(ask(&ring, "b").await, Verdict::ServedStale);
    let missing = Issuer::with(&[]).ring_of(KeySource::File(path)).ready().await.unwrap_err();
    assert_eq!(missing.code(), "file");
    let folder = Issuer::with(&[]).ring_of(KeySource::File(std::env::temp_dir())).ready().await.unwrap_err();
    assert_eq!(folder.code(), "file");
}
