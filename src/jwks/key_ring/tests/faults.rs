//! An issuer that fails: what is served meanwhile, and how soon it is asked again.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_fault_keeps_the_last_good_set_and_has_its_code() {
    let oversize = format!(r#"{{"keys":[],"pad":"{}"}}"#, "x".repeat(256 * 1024));
    let faults = [
        (Answer::Status(500), "status"),
        (Answer::Status(404), "status"),
        (Answer::Status(302), "redirect"),
        (Answer::Status(304), "status"),
        (Answer::Body("<html></html>".into()), "not_json"),
        (Answer::Body(r#"{"keys":[],"keys":[]}"#.into()), "not_json"),
        (Answer::Body(oversize), "too_large"),
        (Answer::Body(r#"{"keys":[]}"#.into()), "no_keys"),
        (Answer::Body(r#"{"keys":[{"kty":"AKP"}]}"#.into()), "no_keys"),
        (Answer::Silence, "timeout"),
        (Answer::Panic, "stopped"),
    ];
    for (fault, code) in faults {
        let issuer = Issuer::with(&["a"]);
        issuer.set(|script| script.max_age = Some(60));
        let ring = issuer.ring();
        ring.ready().await.unwrap();
        let generation = ring.generation();
        issuer.answer(fault.clone());
        let Lookup::Missing(refresh) = ring.lookup(Some("new"), RS) else { panic!() };
        assert_eq!(refresh.await.unwrap_err().code(), code);
        assert_eq!(ask(&ring, "new").await, Verdict::NotJudged, "{code}");
        assert_eq!(settled(&ring.lookup(Some("a"), RS)), Verdict::Served, "{code}");
        assert!(ring.is_current(generation), "{code}");
        pass(600).await;
        assert_eq!(ask(&ring, "a").await, Verdict::ServedStale, "{code}");
        issuer.publish(&["a", "new"]);
        pass(61).await;
        assert_eq!(ask(&ring, "new").await, Verdict::Served, "{code}");

        issuer.answer(fault);
        let empty = issuer.ring();
        assert_eq!(empty.ready().await.unwrap_err().code(), code, "without a set nothing is served");
        assert_eq!(ask(&empty, "a").await, Verdict::NotJudged, "{code}");
        issuer.publish(&["a"]);
        pass(2).await;
        assert_eq!(ask(&empty, "a").await, Verdict::Served, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_understood_disturbs_no_other() {
    let issuer = Issuer::with(&[]);
    let x = b64(&[9; 32]);
    for odd in [
        r#"{"kty":"AKP","alg":"ML-DSA-65","pub":"AA","kid":"pq"}"#.to_owned(),
        format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}","kid":"x"}}"#),
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
        r#"{"kty":7}"#.to_owned(),
    ] {
        issuer.answer(Answer::Body(format!(r#"{{"keys":[{odd},{}]}}"#, jwk("a"))));
        assert_eq!(ask(&issuer.ring(), "a").await, Verdict::Served, "{odd}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_good_set_serves_for_an_hour_past_its_lifetime() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.max_age = Some(600));
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    let generation = ring.generation();
    issuer.answer(Answer::Status(503));
    pass(599).await;
    assert_eq!(settled(&ring.lookup(Some("a"), RS)), Verdict::Served);
    pass(2).await;
    assert_eq!(settled(&ring.lookup(Some("a"), RS)), Verdict::ServedStale);
    pass(3597).await;
    assert_eq!(settled(&ring.lookup(Some("a"), RS)), Verdict::ServedStale);
    assert!(ring.is_current(generation));
    pass(3).await;
    assert!(!ring.is_current(generation), "verdicts of the dead set end, with no request asking");
    assert_eq!(ask(&ring, "a").await, Verdict::NotJudged);
    assert!(ring.ready().await.is_err());
    issuer.publish(&["a"]);
    pass(61).await;
    assert_eq!(ask(&ring, "a").await, Verdict::Served);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_probed_at_growing_distances_whoever_asks() {
    let issuer = Issuer::with(&["a"]);
    issuer.answer(Answer::Status(500));
    let ring = issuer.ring();
    assert_eq!(ask(&ring, "a").await, Verdict::NotJudged);
    let started = Instant::now();
    let mut attempts = vec![started];
    while started.elapsed() < Duration::from_secs(600) {
        let before = issuer.count();
        sleep(Duration::from_millis(50)).await;
        assert_eq!(ask(&ring, "a").await, Verdict::NotJudged);
        assert!(ring.ready().await.is_err());
        if issuer.count() > before {
            attempts.push(Instant::now());
        }
    }
    assert_eq!(issuer.count(), attempts.len());
    let distances: Vec<_> = attempts.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    assert!(distances.iter().all(|distance| (0.95..60.2).contains(distance)), "{distances:?}");
    assert!(distances[0] < 2.2 && distances.last().unwrap() > &29.9, "{distances:?}");
    assert!((12..30).contains(&attempts.len()), "{distances:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_says_when_the_next_attempt_is_due() {
    let issuer = Issuer::with(&["a"]);
    issuer.answer(Answer::Status(500));
    let ring = issuer.ring();
    ring.ready().await.unwrap_err();
    let Lookup::Cooling { refreshed: false, retry_after } = ring.lookup(Some("a"), RS) else { panic!() };
    assert!((1.0..=2.0).contains(&retry_after.as_secs_f64()), "{retry_after:?}");
    issuer.publish(&["a"]);
    sleep(retry_after).await;
    assert_eq!(ask(&ring, "a").await, Verdict::Served);
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_for_an_unknown_kid_does_not_wait_for_the_next_scheduled_one() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    issuer.answer(Answer::Status(500));
    assert_eq!(ask(&ring, "b").await, Verdict::NotJudged);
    issuer.publish(&["a", "b"]);
    assert_eq!(ask(&ring, "b").await, Verdict::NotJudged, "not at once either");
    pass(2).await;
    assert_eq!(ask(&ring, "b").await, Verdict::Served);
}

#[tokio::test(start_paused = true)]
async fn without_a_transport_the_error_says_what_to_enable() {
    for source in [KeySource::Url(JWKS.into()), KeySource::Discovered] {
        let ring = KeyRing::new(ISSUER, source, None, RingLimits::default(), Observers::default());
        let error = ring.ready().await.unwrap_err();
        assert_eq!(error.code(), "no_transport");
        assert!(error.to_string().contains("http-client"));
    }
}

#[tokio::test(start_paused = true)]
async fn events_tell_the_story_without_its_content() {
    let story = Arc::new(Mutex::new(Vec::new()));
    let log = story.clone();
    let observers = Observers::with(move |event: &Event<'_>| log.lock().unwrap().push(format!("{event:?}")));
    let issuer = Issuer::with(&["a"]);
    let source = KeySource::Url("https://issuer.example/jwks?key=s3cr3t".into());
    let ring = KeyRing::new(ISSUER, source, Some(issuer.fetcher()), RingLimits::default(), observers);
    ring.ready().await.unwrap();
    issuer.answer(Answer::Body("s3cr3t".into()));
    assert_eq!(ask(&ring, "s3cr3t-kid").await, Verdict::NotJudged);
    pass(60 * 60).await;
    let story = story.lock().unwrap();
    assert!(story[0].starts_with("KeysFetched") && story[0].contains("keys: 1, skipped: 0, changed: true"));
    assert!(story[1].starts_with("KeyMissing"));
    assert!(story[2].starts_with("KeysFetchFailed") && story[2].contains("not_json"));
    assert!(story[2].contains("serving_age: Some("), "{}", story[2]);
    assert!(!story.concat().contains("s3cr3t"), "{story:?}");
}
