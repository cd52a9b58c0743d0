//! How often the issuer is asked, and what each request gets.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_thousand_invented_kids_cause_one_fetch() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.delay = Duration::from_millis(300));
    let ring = Arc::new(issuer.ring());
    ring.ready().await.unwrap();
    assert_eq!(issuer.count(), 1);
    let asking: Vec<_> = (0..1000)
        .map(|n| {
            let ring = ring.clone();
            tokio::spawn(async move { ask(&ring, &format!("junk{n}")).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Verdict::NoSuchKey);
    }
    assert_eq!(issuer.count(), 2);
    for n in 0..1000 {
        assert_eq!(ask(&ring, &format!("later{n}")).await, Verdict::NoSuchKey);
        assert_eq!(ask(&ring, "a").await, Verdict::Served, "known keys go on");
    }
    assert_eq!(issuer.count(), 2, "the cooldown holds");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_invented_kids_costs_two_fetches_a_minute() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    let started = Instant::now();
    let mut fetched_at = Vec::new();
    while started.elapsed() < Duration::from_secs(130) {
        let before = issuer.count();
        assert_eq!(ask(&ring, "junk").await, Verdict::NoSuchKey);
        if issuer.count() > before {
            fetched_at.push(started.elapsed().as_secs());
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(fetched_at, [0, 5, 15, 35, 65, 95, 125], "cooldowns of 5, 10, 20, 30, 30 and 30 seconds");
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_served_at_once_and_five_seconds_after_junk_at_the_latest() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    issuer.publish(&["a", "b"]);
    assert_eq!(ask(&ring, "b").await, Verdict::Served, "the first load starts no cooldown");
    pass(100).await;
    assert_eq!(ask(&ring, "junk").await, Verdict::NoSuchKey);
    issuer.publish(&["b", "c"]);
    assert_eq!(ask(&ring, "c").await, Verdict::NoSuchKey);
    pass(5).await;
    assert_eq!(ask(&ring, "c").await, Verdict::Served);
}

#[tokio::test(start_paused = true)]
async fn first_requests_share_one_fetch_and_junk_among_them_starts_no_second() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.delay = Duration::from_millis(300));
    let ring = Arc::new(issuer.ring());
    let asking: Vec<_> = (0..100)
        .map(|n| {
            let ring = ring.clone();
            tokio::spawn(async move { ask(&ring, if n % 2 == 0 { "a" } else { "junk" }).await })
        })
        .collect();
    for (n, asked) in asking.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap(), if n % 2 == 0 { Verdict::Served } else { Verdict::NoSuchKey });
    }
    assert_eq!(issuer.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_ring_is_fresh_when_the_next_request_comes() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.max_age = Some(600));
    let ring = issuer.ring();
    assert_eq!(ask(&ring, "a").await, Verdict::Served);
    pass(479).await;
    assert_eq!(issuer.count(), 1);
    pass(2).await;
    assert_eq!(issuer.count(), 2, "at 80 % of ten minutes");
    pass(1200).await;
    let before = issuer.count();
    assert_eq!(settled(&ring.lookup(Some("a"), RS)), Verdict::Served);
    tokio::task::yield_now().await;
    assert_eq!(issuer.count(), before, "and the request fetched nothing");
}

#[tokio::test(start_paused = true)]
async fn without_max_age_a_set_is_asked_for_every_48_minutes() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    pass(10 * 60 * 60).await;
    assert_eq!(issuer.count(), 1 + 10 * 60 / 48);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_set_is_renewed_by_a_304_and_keeps_its_generation() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| (script.etags, script.max_age) = (true, Some(100)));
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    let generation = ring.generation();
    pass(1000).await;
    let requests = issuer.requests();
    assert!(requests.len() > 10 && requests[1..].iter().all(|url| url.ends_with('?')), "{requests:?}");
    assert!(ring.is_current(generation));
    assert_eq!(settled(&ring.lookup(Some("a"), RS)), Verdict::Served);
    issuer.publish(&["b"]);
    pass(100).await;
    assert!(!ring.is_current(generation), "verdicts of the old keys end");
    assert_eq!(ask(&ring, "b").await, Verdict::Served);
}

#[tokio::test(start_paused = true)]
async fn a_304_that_says_nothing_of_age_leaves_the_lifetime_as_it_was() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| (script.etags, script.max_age) = (true, Some(100)));
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    issuer.set(|script| script.max_age = None);
    pass(405).await;
    assert_eq!(issuer.count(), 6, "every 80 seconds");
}

#[tokio::test(start_paused = true)]
async fn the_same_keys_in_another_order_are_nothing_new() {
    let issuer = Issuer::with(&["a", "b"]);
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    let generation = ring.generation();
    issuer.publish(&["b", "a"]);
    assert_eq!(ask(&ring, "junk").await, Verdict::NoSuchKey);
    assert_eq!(issuer.count(), 2);
    assert!(ring.is_current(generation));
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_gone_after_the_refresh() {
    let issuer = Issuer::with(&["a", "b"]);
    issuer.set(|script| script.max_age = Some(60));
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    let generation = ring.generation();
    issuer.publish(&["b"]);
    assert_eq!(ask(&ring, "a").await, Verdict::Served);
    pass(49).await;
    assert_eq!(ask(&ring, "a").await, Verdict::NoSuchKey);
    assert_eq!(ask(&ring, "b").await, Verdict::Served);
    assert!(!ring.is_current(generation));
}

#[tokio::test(start_paused = true)]
async fn a_key_replaced_under_its_kid_is_found_by_one_refresh() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    let seen = ring.generation();
    let old = thumbprint(&ring.lookup(Some("a"), RS));
    issuer.publish(&["a'"]);
    let Lookup::Missing(refresh) = ring.after_bad_signature(seen, Some("a"), RS) else { panic!() };
    refresh.await.unwrap();
    assert_ne!(thumbprint(&ring.lookup(Some("a"), RS)), old);
    let again = ring.after_bad_signature(seen, Some("a"), RS);
    assert_ne!(thumbprint(&again), old, "who saw the old keys gets the new ones without a fetch");
    assert_eq!(issuer.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_bad_signatures_cause_one_fetch_in_each_cooldown() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    for round in 0..2 {
        for _ in 0..1000 {
            match ring.after_bad_signature(ring.generation(), Some("a"), RS) {
                Lookup::Missing(refresh) => refresh.await.unwrap(),
                Lookup::Cooling { refreshed: true, .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(issuer.count(), 2 + round);
        pass(5).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_signature_is_judged_while_the_set_is_in_its_lifetime() {
    let issuer = Issuer::with(&["a"]);
    let ring = issuer.ring();
    ring.ready().await.unwrap();
    issuer.answer(Answer::Status(500));
    let bad = || ring.after_bad_signature(ring.generation(), Some("a"), RS);
    let Lookup::Missing(refresh) = bad() else { panic!() };
    assert_eq!(refresh.await.unwrap_err().code(), "status");
    assert_eq!(settled(&bad()), Verdict::NoSuchKey);
    assert_eq!(ask(&ring, "junk").await, Verdict::NotJudged, "an unknown kid is not: it may be new");
    pass(3 * 60 * 60 / 2).await;
    assert_eq!(ask(&ring, "a").await, Verdict::ServedStale);
    assert_eq!(settled(&bad()), Verdict::NotJudged);
}

#[tokio::test(start_paused = true)]
async fn the_address_of_the_keys_is_discovered_again_hourly_and_after_a_failure() {
    const MOVED: &str = "https://keys.example/jwks";
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| script.max_age = Some(600));
    let ring = issuer.ring_of(KeySource::Discovered);
    ring.ready().await.unwrap();
    assert_eq!(issuer.requests(), [METADATA, JWKS]);
    pass(30 * 60).await;
    assert_eq!(issuer.requests().iter().filter(|url| *url == METADATA).count(), 1);
    issuer.set(|script| script.jwks_uri = MOVED);
    pass(40 * 60).await;
    assert_eq!(issuer.requests().last().unwrap(), MOVED);
    issuer.set(|script| (script.jwks_uri, script.answer) = (JWKS, Answer::Status(404)));
    pass(10 * 60).await;
    issuer.publish(&["b"]);
    pass(60).await;
    assert_eq!(ask(&ring, "b").await, Verdict::Served);
    assert_eq!(issuer.requests().last().unwrap(), JWKS);
}

#[tokio::test(start_paused = true)]
async fn a_validator_is_never_sent_to_another_address() {
    let issuer = Issuer::with(&["a"]);
    issuer.set(|script| (script.max_age, script.etags) = (Some(600), true));
    let ring = issuer.ring_of(KeySource::Discovered);
    ring.ready().await.unwrap();
    issuer.set(|script| script.jwks_uri = "https://keys.example/jwks");
    pass(80 * 60).await;
    let requests = issuer.requests();
    assert!(requests.contains(&"https://issuer.example/jwks?".to_owned()), "{requests:?}");
    let moved = requests.iter().find(|url| url.starts_with("https://keys.example")).unwrap();
    assert!(!moved.ends_with('?'), "{requests:?}");
}
