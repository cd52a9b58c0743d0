//! Cached verdicts: every way in which one dies, and that none passes once it is dead. (The property over random histories stands beside the cache itself.)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use tower_oauth::Issuer;
use tower_oauth::observe::Event;
use tower_oauth::test::{Fault, RequestExt as _};
use tower_oauth::time::Timestamp;

use crate::support::{Fixture, ReadAndWrite, T, config, send};

/// A fixture that counts how many tokens were verified and how many recalled.
struct Counted {
    fixture: Fixture,
    verified: Arc<AtomicUsize>,
    recalled: Arc<AtomicUsize>,
}

impl Counted {
    fn new(change: impl FnOnce(tower_oauth::OAuthConfigBuilder) -> tower_oauth::OAuthConfigBuilder) -> Self {
        let (verified, recalled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&verified), Arc::clone(&recalled));
        let fixture = Fixture::with(|config| {
            change(config).observer(move |event: &Event<'_>| {
                if let Event::Accepted { elapsed, .. } = event {
                    let count = if elapsed.is_some() { &counts.0 } else { &counts.1 };
                    count.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        Self { fixture, verified, recalled }
    }

    fn counts(&self) -> (usize, usize) {
        (self.verified.load(Ordering::SeqCst), self.recalled.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_token_is_verified_once_and_recalled_from_then_on() {
    let counted = Counted::new(|config| config);
    let token = counted.fixture.token().subject("alice").sign();
    for _ in 0..5 {
        let answer = counted.fixture.answer(&token).await;
        answer.assert_passed();
        assert_eq!(answer.header("x-principal"), Some("user alice"));
    }
    assert_eq!(counted.counts(), (1, 4));
    counted.fixture.answer(&counted.fixture.token().subject("bob").sign()).await.assert_passed();
    assert_eq!(counted.counts(), (2, 4));
}

#[tokio::test]
async fn nothing_is_kept_when_the_cache_is_off() {
    let counted = Counted::new(|config| config.cached_verdicts(0));
    let token = counted.fixture.token().sign();
    for _ in 0..3 {
        counted.fixture.answer(&token).await.assert_passed();
    }
    assert_eq!(counted.counts(), (3, 0));
}

#[tokio::test]
async fn a_verdict_dies_with_its_token_to_the_millisecond() {
    let fixture = Fixture::with(|config| config.leeway(Duration::from_secs(10)));
    let token = fixture.token().expires_in(Duration::from_secs(100)).sign();
    fixture.answer(&token).await.assert_passed();
    fixture.clock.advance(Duration::from_millis(109_999));
    fixture.answer(&token).await.assert_passed();
    fixture.clock.advance(Duration::from_millis(1));
    fixture.answer(&token).await.assert_invalid_token("token_expired");
}

#[tokio::test]
async fn a_clock_that_is_set_back_finds_a_token_not_yet_valid() {
    let fixture = Fixture::new();
    let token = fixture.token().not_before_in(Duration::ZERO).sign();
    fixture.answer(&token).await.assert_passed();
    fixture.clock.rewind(Duration::from_secs(1));
    fixture.answer(&token).await.assert_invalid_token("token_not_yet_valid");
    fixture.clock.advance(Duration::from_secs(1));
    fixture.answer(&token).await.assert_passed();
}

#[tokio::test]
async fn a_verdict_dies_with_its_key() {
    let fixture = Fixture::new();
    let token = fixture.token().sign();
    fixture.answer(&token).await.assert_passed();
    fixture.issuer.rotate();
    fixture.issuer.withdraw_old();
    // A token of the new key makes the server look.
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.answer(&token).await.assert_invalid_token("key_unknown");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_noticed_by_a_service_that_sees_cached_tokens_alone() {
    let fixture = Fixture::new();
    let token = fixture.token().expires_in(Duration::from_secs(86_400)).sign();
    fixture.answer(&token).await.assert_passed();
    fixture.issuer.rotate();
    fixture.issuer.withdraw_old();
    // The issuer says max-age=300, so the keys are refreshed after 240 seconds.
    for second in 0..300 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fixture.clock.advance(Duration::from_secs(1));
        let answer = fixture.answer(&token).await;
        if !answer.passed() {
            answer.assert_invalid_token("key_unknown");
            assert!((239..=242).contains(&second), "{second}");
            return;
        }
    }
    panic!("a withdrawn key was believed for longer than its set lives");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_does_not_outlive_keys_that_are_too_old_to_serve() {
    let fixture = Fixture::new();
    let token = fixture.token().expires_in(Duration::from_secs(86_400)).sign();
    fixture.answer(&token).await.assert_passed();
    fixture.issuer.fail(Fault::Status(500));
    tokio::time::sleep(Duration::from_secs(300 + 3600 - 1)).await;
    fixture.answer(&token).await.assert_passed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fixture.answer(&token).await.status(), 503);
}

#[tokio::test]
async fn a_verdict_dies_with_its_configuration_and_on_request() {
    let counted = Counted::new(|config| config);
    let fixture = &counted.fixture;
    let token = fixture.token().sign();
    fixture.answer(&token).await.assert_passed();
    fixture.server.forget_verdicts();
    fixture.answer(&token).await.assert_passed();
    assert_eq!(counted.counts(), (2, 0));
    let other_audience = Issuer::audience(fixture.issuer.issuer(), "https://elsewhere.example");
    fixture.server.replace(config(&fixture.clock).trust(other_audience).build().unwrap());
    fixture.answer(&token).await.assert_invalid_token("audience_mismatch");
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let fixture = Fixture::new();
    let early = fixture.token().not_before_in(Duration::from_secs(5)).sign();
    fixture.answer(&early).await.assert_invalid_token("token_not_yet_valid");
    fixture.clock.advance(Duration::from_secs(5));
    fixture.answer(&early).await.assert_passed();
}

#[tokio::test]
async fn demands_are_judged_on_every_request() {
    let fixture = Fixture::new();
    let token = fixture.token().scope("read").sign();
    fixture.answer(&token).await.assert_passed();
    let guarded = send(&fixture.guarded::<ReadAndWrite>(), Request::get("/x").bearer(&token)).await;
    guarded.assert_refused(403, Some("insufficient_scope"));
}

#[tokio::test]
async fn a_token_that_differs_in_one_character_is_another_token() {
    let fixture = Fixture::new();
    let token = fixture.token().sign();
    fixture.answer(&token).await.assert_passed();
    for at in [0, token.len() / 2, token.len() - 2] {
        let mut forged = token.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let answer = fixture.answer(&String::from_utf8(forged).unwrap()).await;
        answer.assert_refused(401, Some("invalid_token"));
    }
}

#[tokio::test]
async fn typed_claims_are_read_once_for_each_token() {
    use tower::{Layer as _, ServiceExt as _, service_fn};
    use tower_oauth::{OAuthLayer, Token};

    #[derive(serde::Deserialize)]
    struct Shop {
        tenant: String,
    }

    let fixture = Fixture::new();
    let app =
        OAuthLayer::new(&fixture.server).claims::<Shop>().layer(service_fn(|request: Request<String>| async move {
            let claims = request.extensions().get::<Token<Shop>>().unwrap().clone().into_claims();
            Ok::<_, std::convert::Infallible>(http::Response::new(Kept(Some(claims))))
        }));
    let token = fixture.token().claim("tenant", "north").sign();
    let mut read = Vec::new();
    for _ in 0..3 {
        let request = Request::get("/x").bearer(&token).body(String::new()).unwrap();
        read.push(app.clone().oneshot(request).await.unwrap().into_body().0.unwrap());
    }
    assert_eq!(read[0].tenant, "north");
    assert!(Arc::ptr_eq(&read[1], &read[2]) && Arc::ptr_eq(&read[0], &read[2]));

    /// A body that carries the claims out.
    struct Kept(Option<Arc<Shop>>);

    impl From<bytes::Bytes> for Kept {
        fn from(_: bytes::Bytes) -> Self {
            Self(None)
        }
    }
}

/// Threads that present a token over and over while it is taken away: once the change has returned, none passes.
fn no_request_passes_after(change: impl FnOnce(&Fixture, &tokio::runtime::Runtime)) {
    let fixture = Fixture::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let token = fixture.token().sign();
    let (gone, stop, passes) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let late: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let app = fixture.app();
                    let mut late = 0;
                    while !stop.load(Ordering::SeqCst) {
                        let was_gone = gone.load(Ordering::SeqCst);
                        let passed = runtime.block_on(send(&app, Request::get("/x").bearer(&token))).passed();
                        passes.fetch_add(usize::from(passed), Ordering::SeqCst);
                        late += usize::from(passed && was_gone);
                    }
                    late
                })
            })
            .collect();
        while passes.load(Ordering::SeqCst) < 200 {
            std::thread::yield_now();
        }
        change(&fixture, &runtime);
        gone.store(true, Ordering::SeqCst);
        let own_late = (0..200).filter(|_| runtime.block_on(fixture.answer(&token)).passed()).count();
        // Only now may anything fail: the other threads must have been told to end.
        stop.store(true, Ordering::SeqCst);
        assert_eq!(own_late, 0);
        for thread in late {
            assert_eq!(thread.join().unwrap(), 0, "a request that began after the change passed");
        }
    });
}

#[test]
fn after_replace_returns_no_hit_passes() {
    no_request_passes_after(|fixture, _| {
        let config = config(&fixture.clock).trust("https://other.example").build().unwrap();
        fixture.server.replace(config);
    });
}

#[test]
fn after_a_withdrawal_was_fetched_no_hit_passes() {
    no_request_passes_after(|fixture, runtime| {
        fixture.issuer.rotate();
        fixture.issuer.withdraw_old();
        // Verified by the new set, so that the withdrawal has been seen.
        assert!(runtime.block_on(fixture.answer(&fixture.token().sign())).passed());
    });
}

#[test]
fn after_the_clock_has_passed_the_end_no_hit_passes() {
    no_request_passes_after(|fixture, _| fixture.clock.set(Timestamp::from_secs(T.as_secs() + 300)));
}
