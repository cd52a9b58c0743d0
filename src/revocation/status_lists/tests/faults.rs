//! Lists that are not to be had, not to be believed, or not to be asked for.

use super::*;

/// TSL-03: whatever is wrong with a list, the token is not judged.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_right_is_not_used() {
    let cases = [
        (Reply::Body("not.a.jwt"), "list_invalid"),
        (Reply::Body(""), "list_invalid"),
        (Reply::ContentType("application/json"), "list_invalid"),
        (Reply::ContentType("application/statuslist+cwt"), "list_invalid"),
        (Reply::ContentType("text/plain"), "list_invalid"),
        (Reply::List(json!({"sub": null})), "list_invalid"),
        (Reply::List(json!({"iat": null})), "list_invalid"),
        (Reply::List(json!({"status_list": null})), "list_invalid"),
        (Reply::List(json!({"status_list": {"bits": 3, "lst": LST}})), "list_invalid"),
        (Reply::List(json!({"status_list": {"bits": 1, "lst": "H4sIAAAAAAAA_w"}})), "list_invalid"),
        (Reply::Status(StatusCode::NOT_FOUND), "status"),
        (Reply::Status(StatusCode::NO_CONTENT), "status"),
        (Reply::Status(StatusCode::NOT_MODIFIED), "status"),
        (Reply::Silence, "timeout"),
        (Reply::Panic, "stopped"),
    ];
    for (reply, code) in cases {
        let world = World::new();
        world.answer(reply);
        let unavailable = world.check(1).await.unwrap_err();
        assert_eq!(unavailable.code, code, "{unavailable}");
        assert!((1..=2).contains(&unavailable.retry_after.as_secs()), "{unavailable:?}");
        assert_eq!(world.events(), [code]);
        world.pass(2);
        world.serve(json!({}));
        assert_eq!(world.check(1).await, Ok(Status::Valid), "after {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_of_the_content_type_and_a_newline_at_the_end_do_no_harm() {
    let world = World::new();
    world.answer(Reply::ContentType("Application/StatusList+JWT; charset=utf-8"));
    assert_eq!(world.check(1).await, Ok(Status::Valid));
}

/// TSL-04: the list of another address is of no use, though the issuer has signed it.
#[tokio::test(start_paused = true)]
async fn another_list_of_the_same_issuer_is_not_used() {
    let world = World::new();
    world.serve(json!({"sub": "https://login.example.com/statuslists/2"}));
    let unavailable = world.check(1).await.unwrap_err();
    assert_eq!(unavailable.code, "list_invalid");
    assert!(unavailable.to_string().contains("sub"), "{unavailable}");
}

/// TSL-10: a redirect is not followed.
#[tokio::test(start_paused = true)]
async fn a_redirect_leads_nowhere() {
    for status in [StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT] {
        let world = World::new();
        world.answer(Reply::Status(status));
        assert_eq!((world.fails().await, world.fetches()), ("redirect", 1));
    }
}

/// TSL-10: only the issuer's own origin and hosts that were listed are asked.
#[tokio::test(start_paused = true)]
async fn an_address_elsewhere_is_not_fetched() {
    let world = World::with_hosts(&["Status.example.com", "cdn.example.net:8443", "plain.example.net:443"]);
    for uri in [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "http://login.example.com/statuslists/1",
        "https://login.example.com:8443/statuslists/1",
        "https://login.example.com.evil.example/statuslists/1",
        "https://login.example.com@evil.example/statuslists/1",
        "https://evil.example/statuslists/1",
        "https://sub.status.example.com/1",
        "https://status.example.com:444/1",
        "http://status.example.com/1",
        "https://cdn.example.net/1",
        "http://127.0.0.1/1",
        "https://[::1]/1",
        "https://localhost/1",
        "file:///etc/passwd",
        "ftp://login.example.com/1",
        "//login.example.com/1",
        "/statuslists/1",
        "https://login.example.com/1#fragment",
        "",
    ] {
        let refused = world.lists.check(uri, 0, NOW).wait().await.unwrap_err();
        assert_eq!((refused.code, world.events()), ("not_admitted", vec!["not_admitted".to_owned()]), "{uri}");
    }
    assert_eq!(world.fetches(), 0);
    for uri in [
        "https://LOGIN.example.com/statuslists/1",
        "https://login.example.com:443/lists/2?page=1",
        "https://status.example.com/1",
        "https://cdn.example.net:8443/1",
        "https://plain.example.net/1",
    ] {
        let checked = world.lists.check(uri, 1, NOW).wait().await;
        // The server tells the address as it was asked for, which http writes in its own way.
        assert!(!matches!(checked, Err(refused) if refused.code == "not_admitted"), "{uri}");
    }
    assert_eq!(world.fetches(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_repeated_for_every_request() {
    let world = World::new();
    world.answer(Reply::Status(StatusCode::SERVICE_UNAVAILABLE));
    for _ in 0..100 {
        assert_eq!(world.fails().await, "status");
    }
    assert_eq!((world.fetches(), world.events().len()), (1, 1));
    let mut seconds = 0;
    while seconds < 600 {
        world.pass(1);
        seconds += 1;
        let unavailable = world.check(0).await.unwrap_err();
        assert!(unavailable.retry_after <= Duration::from_secs(60) && !unavailable.retry_after.is_zero());
    }
    assert!((12..=30).contains(&world.fetches()), "{} in ten minutes", world.fetches());
    world.serve(json!({}));
    world.pass(60);
    assert_eq!(world.check(1).await, Ok(Status::Valid));
}

#[tokio::test(start_paused = true)]
async fn keys_out_of_reach_are_told_as_such() {
    let world = World::new();
    world.signer.away.store(true, Ordering::Relaxed);
    assert_eq!(world.fails().await, "keys_unavailable");
    assert_eq!(world.events(), ["keys_unavailable"]);
    world.signer.away.store(false, Ordering::Relaxed);
    world.pass(2);
    assert_eq!(world.check(1).await, Ok(Status::Valid));
}

#[tokio::test(start_paused = true)]
async fn a_list_signed_by_somebody_else_is_not_used() {
    let (world, other) = (World::new(), Signer::new());
    let claims = json!({"sub": URI, "iat": NOW.as_secs(), "status_list": {"bits": 1, "lst": LST}});
    let forged: &'static str = Box::leak(other.sign("statuslist+jwt", &claims).into_boxed_str());
    world.answer(Reply::Body(forged));
    assert_eq!(world.fails().await, "list_invalid");
}

#[tokio::test(start_paused = true)]
async fn there_are_at_most_so_many_lists_and_those_that_nobody_asks_for_make_room() {
    let world = World::new();
    let uri = |n: usize| format!("https://login.example.com/statuslists/{n}");
    for n in 0..MAX_LISTS {
        assert!(world.lists.check(&uri(n), 0, NOW).wait().await.is_ok());
    }
    let full = world.lists.check(&uri(MAX_LISTS), 0, NOW).wait().await.unwrap_err();
    assert_eq!((full.code, world.fetches()), ("too_many_lists", MAX_LISTS));
    world.pass(IDLE.as_secs() as i64);
    for n in 1..MAX_LISTS {
        assert!(world.lists.check(&uri(n), 0, world.now()).wait().await.is_ok());
    }
    assert!(world.lists.check(&uri(MAX_LISTS), 0, world.now()).wait().await.is_ok(), "the first was not asked for");
    let full = world.lists.check(&uri(0), 0, world.now()).wait().await.unwrap_err();
    assert_eq!(full.code, "too_many_lists");
}

#[tokio::test(start_paused = true)]
async fn all_lists_together_hold_so_many_bytes_and_give_them_back() {
    let world = World::new();
    let uri = |n: usize| format!("https://login.example.com/statuslists/{n}");
    let sixteen = lifetime::b64_of(&vec![0; 16 * 1024 * 1024]);
    world.serve(json!({"status_list": {"bits": 8, "lst": sixteen}}));
    for n in 0..4 {
        assert!(world.lists.check(&uri(n), 0, NOW).wait().await.is_ok(), "{n}");
    }
    assert_eq!(world.lists.check(&uri(4), 0, NOW).wait().await.unwrap_err().code, "too_many_lists");
    assert_eq!(world.lists.shared.bytes.load(Ordering::Relaxed), MAX_BYTES);
    let World { lists, .. } = world;
    let shared = Arc::clone(&lists.shared);
    drop(lists);
    tokio::task::yield_now().await;
    assert_eq!(shared.bytes.load(Ordering::Relaxed), 0);
}
