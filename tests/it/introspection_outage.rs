//! An issuer that is asked about tokens and fails in every way: nobody is refused by its silence, nobody passes
//! unjudged, nobody else waits, and when it comes back it is asked again soon.

use std::time::Duration;

use http::Request;
use tokio::time::Instant;
use tower_oauth::test::{DpopClient, Fault, ManualClock, RequestExt as _, TestIssuer};
use tower_oauth::{Demand, Freshness, Issuer, Requirement, ResourceServer};

use crate::support::{Answer, Fixture, ISSUER, ME, RESOURCE, SECRET, T, config, me, send};

const SECOND: Duration = Duration::from_secs(1);

struct Always;
impl Requirement for Always {
    const DEMAND: Demand = Demand::authenticated().fresh(Freshness::Always);
}

/// Lets time pass for both clocks.
async fn pass(fixture: &Fixture, duration: Duration) {
    fixture.clock.advance(duration);
    tokio::time::advance(duration).await;
}

/// Judged, or not judged: never a refusal of the client for what is not its fault.
#[track_caller]
fn assert_honest(answer: &Answer, fault: Fault) {
    if !answer.passed() {
        assert_eq!(answer.status(), 503, "{fault:?}: {:?}", answer.response);
        answer.assert_unavailable("introspection_unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn through_every_outage_nobody_is_refused_nobody_passes_unjudged_and_recovery_is_soon() {
    for fault in [
        Fault::Connect,
        Fault::Hang,
        Fault::Stall,
        Fault::Status(500),
        Fault::Status(401),
        Fault::Garbage,
        Fault::Oversize,
        Fault::Html,
        Fault::Flapping { ok: 1, failed: 3 },
    ] {
        let fixture = Fixture::asking();
        let always = fixture.guarded::<Always>();
        let (opaque, signed, revoked) = (fixture.opaque().issue(), fixture.token().sign(), fixture.opaque().issue());
        fixture.issuer.revoke(&revoked);
        let request = |token: &str| Request::get("/x").bearer(token);
        for token in [&opaque, &signed] {
            send(&always, request(token)).await.assert_passed();
        }
        fixture.issuer.fail_introspection(fault);
        for _ in 0..12 {
            for token in [&opaque, &signed] {
                assert_honest(&send(&always, request(token)).await, fault);
            }
            let never_seen = fixture.opaque().issue();
            assert_honest(&fixture.answer(&never_seen).await, fault);
            let answer = fixture.answer(&revoked).await;
            assert!(!answer.passed(), "{fault:?}: a revoked token passed");
            assert!([401, 503].contains(&answer.status().as_u16()));
            // What needs nobody's word is served on.
            fixture.answer(&signed).await.assert_passed();
            pass(&fixture, SECOND).await;
        }
        // As late as can be: the last failures may have begun a pause.
        for _ in 0..6 {
            assert_honest(&send(&always, request(&opaque)).await, fault);
        }
        fixture.issuer.heal();
        let began = Instant::now();
        while !send(&always, request(&opaque)).await.passed() {
            pass(&fixture, SECOND / 4).await;
            assert!(began.elapsed() <= 11 * SECOND, "{fault:?}: not recovered");
        }
        println!("{fault:?}: asked again {} ms after it came back", began.elapsed().as_millis());
        send(&always, request(&signed)).await.assert_passed();
        pass(&fixture, 11 * SECOND).await;
        fixture.answer(&revoked).await.assert_invalid_token("token_inactive");
    }
}

/// With the endpoint stalled and more requests waiting for it than it bears, signed tokens and another issuer's opaque
/// ones are judged without the clock moving.
#[tokio::test(start_paused = true)]
async fn a_stalled_issuer_holds_up_nobody_elses_tokens() {
    let clock = ManualClock::new(T);
    let issuers = [ISSUER, "https://second.example"].map(|url| {
        let issuer = TestIssuer::new(url).clock(clock.clone());
        issuer.registers_client(ME, SECRET);
        issuer
    });
    let [stalled, healthy] = &issuers;
    let trust = |issuer: &TestIssuer, prefix: &str| {
        let trust = Issuer::hybrid(issuer.issuer_url(), me()).tokens_starting(prefix);
        trust.transport(issuer.transport())
    };
    let built = config(&clock).trust(trust(stalled, "one_")).trust(trust(healthy, "two_")).build().unwrap();
    let fixture = Fixture { issuer: stalled.clone(), clock, server: ResourceServer::new(built) };
    let signed = fixture.token().sign();
    fixture.answer(&signed).await.assert_passed();
    stalled.fail_introspection(Fault::Stall);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (app, token) = (fixture.app(), stalled.opaque_token_for(RESOURCE).starting("one_").issue());
        waiting.spawn(async move { send(&app, Request::get("/x").bearer(&token)).await });
    }
    tokio::task::yield_now().await;
    let began = Instant::now();
    let client = DpopClient::new().clock(fixture.clock.clone());
    for _ in 0..200 {
        fixture.answer(&signed).await.assert_passed();
        fixture.answer(&fixture.token().sign()).await.assert_passed();
        let bound = fixture.token().bound_to(&client).sign();
        send(&fixture.app(), Request::get("/x").dpop(&client, "https://rs.example", &bound)).await.assert_passed();
        let other = healthy.opaque_token_for(RESOURCE).starting("two_").issue();
        fixture.answer(&other).await.assert_passed();
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody waited");
    while let Some(answer) = waiting.join_next().await {
        answer.unwrap().assert_unavailable("introspection_unavailable");
    }
}

/// A flood of invented tokens neither starves those that are in use nor pauses the questions about them.
#[tokio::test(start_paused = true)]
async fn a_flood_of_invented_tokens_leaves_a_place_for_known_ones() {
    let fixture = Fixture::asking();
    let known = fixture.opaque().issue();
    fixture.answer(&known).await.assert_passed();
    fixture.issuer.delay_introspection(SECOND);
    let mut flood = tokio::task::JoinSet::new();
    for n in 0..500 {
        let app = fixture.app();
        flood.spawn(async move { send(&app, Request::get("/x").bearer(&format!("invented-{n}"))).await.status() });
    }
    tokio::task::yield_now().await;
    fixture.clock.advance(31 * SECOND);
    fixture.answer(&known).await.assert_passed();
    while let Some(status) = flood.join_next().await {
        assert!([401, 503].contains(&status.unwrap().as_u16()));
    }
    fixture.answer(&fixture.opaque().issue()).await.assert_passed();
}
