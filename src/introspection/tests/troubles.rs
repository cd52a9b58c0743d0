//! An issuer that fails, hangs, talks nonsense or comes back; and strangers who make it busy.

use super::*;

/// Whatever the issuer does instead of answering, the token is not judged.
#[tokio::test(start_paused = true)]
async fn a_failing_issuer_judges_nobody() {
    let json = "application/json";
    for (says, code) in [
        (Says::Status(400, ""), "status"),
        (Says::Status(401, ""), "status"),
        (Says::Status(403, ""), "status"),
        (Says::Status(404, ""), "status"),
        (Says::Status(204, ""), "status"),
        (Says::Status(500, ""), "status"),
        (Says::Status(503, "7"), "status"),
        (Says::Status(307, ""), "redirect"),
        (Says::Status(429, "7"), "told_to_wait"),
        (Says::Silence, "timeout"),
        (Says::Refused, "connect"),
        (Says::Panic, "stopped"),
        (Says::Body(json, "<html>".into()), "answer_invalid"),
        (Says::Body(json, String::new()), "answer_invalid"),
        (Says::Body(json, r#"{"active":false,"active":true}"#.into()), "answer_invalid"),
        (Says::Body(json, r#"{"active":true,"exp":"soon"}"#.into()), "answer_invalid"),
        (Says::Body("text/html", r#"{"active":true}"#.into()), "answer_invalid"),
        (Says::Body("", r#"{"active":true}"#.into()), "answer_invalid"),
        (Says::Body(json, "x".repeat(300 * 1024)), "too_large"),
    ] {
        let server = Server::new(says);
        let asker = server.asker();
        assert_eq!(asker.ask(TOKEN).await, Ends::NotJudged(code));
        server.says(Says::Active);
        pass(10_000).await;
        assert_eq!(asker.ask(TOKEN).await, Ends::Active, "after {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_failure_says_when_to_try_again() {
    for (says, secs) in [
        (Says::Status(503, "7"), 7),
        (Says::Status(500, ""), 1),
        (Says::Status(401, ""), 10),
        (Says::Status(429, "7"), 7),
        (Says::Status(429, ""), 1),
        (Says::Status(429, "86400"), 60),
        (Says::Status(429, "Tue, 14 Nov 2023 22:13:40 GMT"), 20),
        (Says::Refused, 1),
    ] {
        let asker = Server::new(says).asker();
        assert_eq!(asker.failure(TOKEN).await.retry_after, Duration::from_secs(secs));
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_says_429_is_left_alone_for_as_long_as_it_says() {
    let server = Server::new(Says::Status(429, "7"));
    let asker = server.asker();
    assert_eq!(asker.ask(TOKEN).await, Ends::NotJudged("told_to_wait"));
    server.says(Says::Active);
    pass(6_900).await;
    assert_eq!(asker.ask("another").await, Ends::NotJudged("told_to_wait"));
    assert_eq!(server.count(), 1);
    pass(100).await;
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
}

#[tokio::test(start_paused = true)]
async fn five_failures_pause_the_questions_and_one_tries_after_ten_seconds() {
    for (says, calls) in [(Says::Status(500, ""), 5), (Says::Silence, 5), (Says::Refused, 10)] {
        let server = Server::new(says);
        let asker = server.asker();
        for n in 0..8 {
            let ends = asker.ask(&format!("t{n}")).await;
            assert_eq!(ends == Ends::NotJudged("breaker_open"), n >= 5, "{n}: {ends:?}");
        }
        assert_eq!(server.count(), calls);
        pass(10_000).await;
        server.says(Says::Active);
        let trying = asker.ask_behind("t8", Need::Cached);
        pass(1).await;
        assert_eq!(asker.ask("t9").await, Ends::NotJudged("breaker_open"), "one at a time");
        assert_eq!(trying.await.unwrap(), Ends::Active);
        assert_eq!(asker.ask("t9").await, Ends::Active);
        assert_eq!(server.count(), calls + 2);
        let paused: Vec<_> = server.events().into_iter().filter(|event| event.contains("Paused")).collect();
        assert!(paused.len() == 2 && paused[0].contains("pause: Some(10s)") && paused[1].contains("pause: None"));
    }
}

#[tokio::test(start_paused = true)]
async fn only_silence_broken_connections_and_5xx_pause_the_questions() {
    for says in [
        Says::Status(401, ""),
        Says::Status(404, ""),
        Says::Status(302, ""),
        Says::Body("text/html", "<html>".into()),
        Says::Inactive,
    ] {
        let server = Server::new(says);
        let asker = server.asker();
        for n in 0..20 {
            asker.ask(&format!("t{n}")).await;
        }
        assert_eq!(server.count(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_tried_once_more_with_a_proof_of_its_own() {
    let server = Server::new(Says::Active);
    server.set(|script| script.first = vec![Says::Refused]);
    let proofs = Arc::new(AtomicI64::new(0));
    let asked = proofs.clone();
    let asker = server.asker_with(|it| {
        let secret = ClientSecret::asked(move || format!("s{}", asked.fetch_add(1, Ordering::Relaxed)).into());
        it.client = ClientAuth::secret_post("me", secret);
    });
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    server.read(|script| {
        let secrets: Vec<_> = script.asked.iter().map(|asked| asked.parameter("client_secret").unwrap()).collect();
        assert_eq!(secrets, ["s0", "s1"]);
    });
    server.set(|script| script.first = vec![Says::Status(500, "")]);
    assert_eq!(asker.ask("another").await, Ends::NotJudged("status"), "an answer is not asked for again");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_issuer_is_waited_for_no_longer_than_configured() {
    let server = Server::new(Says::Silence);
    let asker = server.asker_with(|it| it.limits.timeout = Duration::from_millis(800));
    let started = tokio::time::Instant::now();
    assert_eq!(asker.ask(TOKEN).await, Ends::NotJudged("timeout"));
    assert_eq!(started.elapsed(), Duration::from_millis(800));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_invented_tokens_neither_starves_known_ones_nor_grows_without_bound() {
    let server = Server::new(Says::Active);
    let asker = server.asker_with(|it| it.limits.concurrent = 8);
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    server.says(Says::Silence);
    let flood: Vec<_> = (0..1000).map(|n| asker.ask_behind(&format!("junk{n}"), Need::Cached)).collect();
    pass(1).await;
    assert_eq!(server.count(), 1 + 6, "two slots are kept");
    assert_eq!(asker.introspector.0.flights().len(), 12, "six more wait");
    server.says(Says::Active);
    asker.wall.pass(31);
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    assert_eq!(asker.ask("new").await, Ends::NotJudged("busy"));
    let mut busy = 0;
    for asked in flood {
        busy += usize::from(asked.await.unwrap() == Ends::NotJudged("busy"));
    }
    assert_eq!(busy, 994);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_make_the_issuer_stumble_stop_no_question_about_known_ones() {
    let server = Server::new(Says::Active);
    let asker = server.asker();
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    server.says(Says::Status(500, ""));
    for n in 0..6 {
        asker.ask(&format!("poison{n}")).await;
    }
    assert_eq!(asker.ask("poison").await, Ends::NotJudged("breaker_open"));
    server.says(Says::Active);
    asker.wall.pass(31);
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cannot_prove_itself_asks_nobody() {
    let server = Server::new(Says::Active);
    let secret = ClientSecret::file("/nowhere/secret");
    let asker = server.asker_with(|it| it.client = ClientAuth::secret_basic("me", secret));
    for _ in 0..7 {
        let failure = asker.failure(TOKEN).await;
        assert_eq!(failure.code, "client_auth");
        assert!(failure.reason.contains("/nowhere/secret"));
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_address_over_plain_http_gets_no_token() {
    let server = Server::new(Says::Active);
    let asker = server.asker_with(|it| it.endpoint = Some("http://issuer.example/introspect".into()));
    assert_eq!(asker.ask(TOKEN).await, Ends::NotJudged("insecure_url"));
    let asker = server.asker_with(|it| it.fetcher = None);
    assert_eq!(asker.ask(TOKEN).await, Ends::NotJudged("no_transport"));
    assert_eq!(server.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_address_is_discovered_once_and_again_after_an_hour_behind() {
    let server = Server::new(Says::Active);
    let asker = server.asker_with(|it| it.endpoint = None);
    let asking: Vec<_> = (0..20).map(|n| asker.ask_behind(&format!("t{n}"), Need::Cached)).collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Ends::Active);
    }
    assert_eq!(server.read(|script| script.looked_up), 1);
    pass(59 * 60 * 1000).await;
    assert_eq!(asker.ask("a").await, Ends::Active);
    assert_eq!(server.read(|script| script.looked_up), 1);
    server.set(|script| script.metadata = script.metadata.replace("/introspect", "/moved"));
    pass(60 * 1000).await;
    assert_eq!(asker.ask("b").await, Ends::Active);
    pass(1).await;
    assert_eq!(asker.ask("c").await, Ends::Active);
    server.read(|script| {
        assert_eq!(script.looked_up, 2);
        let urls: Vec<_> = script.asked.iter().rev().take(2).map(|asked| asked.url.clone()).collect();
        assert_eq!(urls, ["https://issuer.example/moved", ENDPOINT], "nobody waited for the second look");
    });
}

#[tokio::test(start_paused = true)]
async fn an_address_that_fails_is_looked_up_again_within_a_minute() {
    let server = Server::new(Says::Active);
    let asker = server.asker_with(|it| it.endpoint = None);
    assert_eq!(asker.ask("a").await, Ends::Active);
    server.set(|script| script.metadata = script.metadata.replace("/introspect", "/moved"));
    server.says(Says::Status(404, ""));
    assert_eq!(asker.ask("b").await, Ends::NotJudged("status"));
    pass(60 * 1000).await;
    assert_eq!(asker.ask("c").await, Ends::NotJudged("status"));
    pass(1).await;
    server.says(Says::Active);
    assert_eq!(asker.ask("d").await, Ends::Active);
    assert!(server.read(|script| script.asked.last().unwrap().url.ends_with("/moved")));
}

#[tokio::test(start_paused = true)]
async fn metadata_without_an_address_are_asked_for_again_with_a_backoff() {
    let server = Server::new(Says::Active);
    let complete = server.read(|script| script.metadata.clone());
    server.set(|script| script.metadata = format!(r#"{{"issuer":"{ISSUER}"}}"#));
    let asker = server.asker_with(|it| it.endpoint = None);
    for _ in 0..20 {
        assert_eq!(asker.ask(TOKEN).await, Ends::NotJudged("no_introspection_endpoint"));
    }
    assert_eq!(server.read(|script| script.looked_up), 2, "both addresses, once");
    assert_eq!(server.count(), 0);
    server.set(|script| script.metadata = complete);
    pass(2_000).await;
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
}

/// No token, secret or claim reaches an event, an error or a `Debug` text.
#[tokio::test(start_paused = true)]
async fn nothing_prints_a_token_a_secret_or_a_claim() {
    let body = format!(r#"{{"active":true,"sub":"{CLAIM}","exp":"{TOKEN}"}}"#);
    for says in [
        Says::Active,
        Says::Inactive,
        Says::Silence,
        Says::Refused,
        Says::Status(401, ""),
        Says::Status(500, ""),
        Says::Body("application/json", body.clone()),
        Says::Body("application/json", format!("{CLAIM}{TOKEN}{SECRET}")),
        Says::Body(CLAIM, body.clone()),
    ] {
        let server = Server::new(says);
        let asker = server.asker();
        let asking = asker.introspector.ask(TOKEN, Need::Cached, T);
        let while_asking = format!("{asking:?} {:?}", asker.introspector);
        let outcome = asking.wait().await;
        let failure = outcome.as_ref().map_or_else(ToString::to_string, |_| String::new());
        let last = asker.introspector.last_known(TOKEN, T);
        let flights = format!("{:?}", asker.introspector.0.flights());
        let printed = format!(
            "{while_asking} {outcome:?} {failure} {last:?} {:?} {flights} {:?}",
            asker.introspector,
            server.events()
        );
        assert!(!server.events().is_empty());
        for secret in [TOKEN, SECRET, CLAIM, "Basic"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
    let (settings, _) = Server::new(Says::Active).settings();
    assert!(!format!("{settings:?}").contains(SECRET));
}
