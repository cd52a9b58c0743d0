//! RFC 8414, OpenID Connect Discovery and RFC 7517: how an issuer's keys are found, kept and given up.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::service_fn;
use tower_oauth::observe::Event;
use tower_oauth::test::{Fault, RequestExt as _, SigningKey, TestIssuer};
use tower_oauth::{Algorithm, Issuer, OAuthConfig};

use crate::support::{Fixture, ISSUER, RESOURCE, send};
use crate::tools::Asked;

/// An issuer of this identifier, and what is asked of it.
fn listened_to(issuer: &str) -> (Fixture, Asked) {
    let asked = Asked::default();
    let trust = |issuer: &TestIssuer| Issuer::jwt(issuer.issuer_url()).transport(asked.on_the_way_to(issuer));
    (Fixture::of(TestIssuer::new(issuer), trust), asked)
}

/// Time passes for keys, not for tokens: second by second, so that whatever falls due is done.
async fn pass(duration: Duration) {
    for _ in 0..duration.as_secs() {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

/// Why the one issuer's keys are not there.
async fn failure(fixture: &Fixture) -> String {
    let missing = fixture.server.ready().await.unwrap_err();
    let mut missing = missing.missing();
    let (issuer, error) = missing.next().unwrap();
    assert_eq!(issuer, fixture.issuer.issuer_url());
    assert!(missing.next().is_none());
    error.code().to_owned()
}

/// So many tokens at once, each signed by a stranger's key under another invented name.
async fn flood(fixture: &Fixture, tokens: usize) {
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let mut requests = JoinSet::new();
    for number in 0..tokens {
        let token = fixture.token().signed_by(&stranger).kid(&format!("invented-{number}")).sign();
        let app = fixture.app();
        requests.spawn(async move { send(&app, Request::get("/x").bearer(&token)).await });
    }
    for answer in requests.join_all().await {
        answer.assert_invalid_token("key_unknown");
    }
}

/// DSC-01: RFC 8414 inserts its well-known string before the issuer's path, whose last slash is dropped.
#[tokio::test]
async fn rfc_8414_metadata_are_asked_for_before_the_path() {
    for (issuer, metadata, keys) in [
        ("https://as.example", "https://as.example/.well-known/oauth-authorization-server", "https://as.example/jwks"),
        ("https://as.example/", "https://as.example/.well-known/oauth-authorization-server", "https://as.example/jwks"),
        (
            "https://as.example/t1",
            "https://as.example/.well-known/oauth-authorization-server/t1",
            "https://as.example/t1/jwks",
        ),
        (
            "https://as.example/t1/",
            "https://as.example/.well-known/oauth-authorization-server/t1",
            "https://as.example/t1/jwks",
        ),
        (
            "https://as.example:8443/a/b/",
            "https://as.example:8443/.well-known/oauth-authorization-server/a/b",
            "https://as.example:8443/a/b/jwks",
        ),
    ] {
        let (fixture, asked) = listened_to(issuer);
        fixture.answer(&fixture.token().sign()).await.assert_passed();
        assert_eq!(asked.urls(), [metadata, keys]);
    }
}

/// DSC-02: OpenID's string is appended after the path, and asked for where RFC 8414's is of no use.
#[tokio::test]
async fn openid_metadata_are_asked_for_after_the_path() {
    for (issuer, metadata) in [
        ("https://as.example/", "https://as.example/.well-known/openid-configuration"),
        ("https://as.example/t1", "https://as.example/t1/.well-known/openid-configuration"),
        ("https://as.example/t1/", "https://as.example/t1/.well-known/openid-configuration"),
    ] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let test = TestIssuer::new(issuer);
        let (log, keys) = (Arc::clone(&asked), test.jwks().to_string());
        let documents = move |request: Request<Full<Bytes>>| {
            let url = request.uri().to_string();
            let answer = match url.as_str() {
                url if url == metadata => json!({ "issuer": issuer, "jwks_uri": "https://keys.example/k" }).to_string(),
                "https://keys.example/k" => keys.clone(),
                _ => String::new(),
            };
            log.lock().unwrap().push(url);
            async move {
                let status = if answer.is_empty() { 404 } else { 200 };
                Ok::<_, Infallible>(Response::builder().status(status).body(Full::new(Bytes::from(answer))).unwrap())
            }
        };
        let fixture = Fixture::of(test, |issuer| Issuer::jwt(issuer.issuer_url()).transport(service_fn(documents)));
        fixture.answer(&fixture.token().sign()).await.assert_passed();
        let asked = asked.lock().unwrap();
        assert!(asked[0].starts_with("https://as.example/.well-known/oauth-authorization-server"), "{asked:?}");
        assert_eq!(asked[1..], [metadata, "https://keys.example/k"]);
    }
}

/// DSC-03: metadata that name another issuer, if only by a slash, are not used: no key is loaded.
#[tokio::test]
async fn metadata_of_another_issuer_are_not_used() {
    for (configured, named) in [
        (ISSUER, "https://as.example/"),
        ("https://as.example/", ISSUER),
        (ISSUER, "https://AS.example"),
        (ISSUER, "HTTPS://as.example"),
        (ISSUER, "https://as.example:443"),
        (ISSUER, "https://as.example/t1"),
        (ISSUER, "https://mixed-up.example"),
        (ISSUER, ""),
    ] {
        let (fixture, asked) = listened_to(configured);
        fixture.issuer.metadata_member("issuer", named);
        fixture.answer(&fixture.token().sign()).await.assert_not_judged();
        assert_eq!(failure(&fixture).await, "issuer_mismatch", "{configured} and {named}");
        assert_eq!(fixture.issuer.jwks_fetches(), 0);
        assert!(asked.urls().iter().all(|url| url.contains("/.well-known/")));
    }
}

/// DSC-03: the same at a refresh; the keys from before go on serving, and no new one is loaded.
#[tokio::test(start_paused = true)]
async fn metadata_that_turn_into_anothers_bring_no_keys() {
    let fixture = Fixture::new();
    let before = fixture.issuer.signing_key();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.issuer.fail_jwks(Fault::Status(404));
    pass(Duration::from_secs(242)).await;
    let fetches = fixture.issuer.jwks_fetches();
    assert!(fetches > 1, "a refresh was tried, and the address of the keys is in doubt");
    fixture.issuer.fail(Fault::WrongIssuer);
    fixture.issuer.rotate();
    pass(Duration::from_secs(300)).await;
    assert!(fixture.issuer.metadata_fetches() > 1);
    assert_eq!(fixture.issuer.jwks_fetches(), fetches);
    fixture.answer(&fixture.token().sign()).await.assert_not_judged();
    fixture.answer(&fixture.token().signed_by(&before).sign()).await.assert_passed();
}

/// DSC-04: only a JSON document of status 200, in time, of reasonable size, and where it was asked for.
#[tokio::test(start_paused = true)]
async fn what_is_no_document_within_the_limits_is_not_used() {
    let faults = [
        (Fault::Status(204), "status"),
        (Fault::Status(404), "status"),
        (Fault::Status(500), "status"),
        (Fault::Html, "not_json"),
        (Fault::Truncated, "not_json"),
        (Fault::Oversize, "too_large"),
        (Fault::Redirect, "redirect"),
        (Fault::Hang, "timeout"),
        (Fault::Stall, "timeout"),
        (Fault::Connect, "connect"),
    ];
    for (fault, code) in faults {
        for fail in [TestIssuer::fail_metadata, TestIssuer::fail_jwks] {
            let (fixture, asked) = listened_to(ISSUER);
            fail(&fixture.issuer, fault);
            let before = Instant::now();
            fixture.answer(&fixture.token().sign()).await.assert_not_judged();
            assert!(before.elapsed() <= Duration::from_secs(5), "{fault:?}");
            assert_eq!(failure(&fixture).await, code, "{fault:?}");
            assert!(asked.urls().iter().all(|url| url.starts_with("https://as.example/")), "{:?}", asked.urls());
        }
    }
}

/// DSC-04: metadata and key sets are JSON objects.
#[tokio::test]
async fn json_of_another_kind_is_not_used() {
    for document in ["[]", "null", "\"keys\"", "7", "{}", r#"{"keys":{}}"#] {
        for trust in [Issuer::jwt(ISSUER), Issuer::jwt(ISSUER).jwks_uri("https://as.example/jwks")] {
            let answer = move |_: Request<Full<Bytes>>| async move {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(document.as_bytes()))))
            };
            let fixture = Fixture::of(TestIssuer::new(ISSUER), |_| trust.transport(service_fn(answer)));
            fixture.answer(&fixture.token().sign()).await.assert_not_judged();
            assert_eq!(failure(&fixture).await, "not_json", "{document}");
        }
    }
}

/// DSC-04: issuer and keys are at https addresses, or are not asked for.
#[tokio::test]
async fn no_document_is_fetched_without_tls() {
    for (jwks_uri, code) in [
        (json!("http://as.example/jwks"), "insecure_url"),
        (json!("http://127.0.0.1:9000/jwks"), "insecure_url"),
        (json!("file:///etc/keys"), "insecure_url"),
        (json!("/jwks"), "insecure_url"),
        (json!("https://me:secret@as.example/jwks"), "insecure_url"),
        (json!(7), "not_json"),
        (Value::Null, "no_jwks_uri"),
    ] {
        let (fixture, asked) = listened_to(ISSUER);
        fixture.issuer.metadata_member("jwks_uri", jwks_uri.clone());
        fixture.answer(&fixture.token().sign()).await.assert_not_judged();
        assert_eq!(failure(&fixture).await, code, "{jwks_uri}");
        assert!(asked.urls().iter().all(|url| url.contains("/.well-known/")), "{:?}", asked.urls());
    }
    // Where loopback is admitted, a document that came by TLS does still not lead there.
    let fixture = Fixture::with(|config| config.dangerous_loopback_http());
    fixture.issuer.metadata_member("jwks_uri", "http://127.0.0.1:9000/jwks");
    assert_eq!(failure(&fixture).await, "insecure_url");
    for issuer in [Issuer::jwt("http://as.example"), Issuer::jwt(ISSUER).jwks_uri("http://as.example/jwks")] {
        let problems = OAuthConfig::builder(RESOURCE).trust(issuer).build().unwrap_err().to_string();
        assert!(problems.contains("only https"), "{problems}");
    }
}

/// DSC-05: however many tokens with unknown keys come, and however they go on, there is one fetch for each cooldown, and
/// known keys are served meanwhile.
#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_costs_one_fetch_for_each_cooldown() {
    let fixture = Fixture::new();
    fixture.issuer.max_age(Duration::from_secs(3600));
    let known = fixture.token().sign();
    fixture.answer(&known).await.assert_passed();
    assert_eq!((fixture.issuer.metadata_fetches(), fixture.issuer.jwks_fetches()), (1, 1));
    fixture.issuer.delay(Duration::from_secs(1));
    for fetches in 2..5 {
        let began = Instant::now();
        let known_meanwhile = async {
            tokio::task::yield_now().await;
            let answer = fixture.answer(&known).await;
            (answer, began.elapsed())
        };
        let ((), (answer, waited)) = tokio::join!(flood(&fixture, 1000), known_meanwhile);
        answer.assert_passed();
        assert_eq!(waited, Duration::ZERO, "known keys wait for nothing");
        flood(&fixture, 10).await;
        assert_eq!(fixture.issuer.jwks_fetches(), fetches);
        assert!(began.elapsed() < Duration::from_secs(5));
        pass(Duration::from_secs(30)).await;
    }
    assert_eq!(fixture.issuer.metadata_fetches(), 1);
}

/// DSC-05: a rotated key is found by the first token that names it, at once and once for all who wait.
#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_found_by_one_fetch() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.issuer.rotate();
    fixture.issuer.delay(Duration::from_secs(1));
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let (app, token) = (fixture.app(), fixture.token().sign());
        requests.spawn(async move { send(&app, Request::get("/x").bearer(&token)).await });
    }
    for answer in requests.join_all().await {
        answer.assert_passed();
    }
    assert_eq!(fixture.issuer.jwks_fetches(), 2);
}

/// DSC-05: a flood delays a rotated key by a cooldown at most.
#[tokio::test(start_paused = true)]
async fn a_flood_delays_a_rotated_key_by_seconds() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    flood(&fixture, 10).await;
    fixture.issuer.rotate();
    fixture.answer(&fixture.token().sign()).await.assert_invalid_token("key_unknown");
    pass(Duration::from_secs(5)).await;
    fixture.answer(&fixture.token().sign()).await.assert_passed();
}

/// DSC-06: keys that are not understood, incomplete or out of range are skipped and counted; the good one serves.
#[tokio::test]
async fn odd_keys_are_skipped() {
    let good = SigningKey::generate(Algorithm::Es256).unwrap().public_jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let odd = [
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "pq" }),
        json!({ "kty": "OKP", "crv": "Ed448", "x": "AAAA" }),
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({ "kty": "RSA", "n": "AQAB" }),
        json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": 7 }),
        json!({}),
        json!("key"),
        Value::Null,
        with("crv", json!("secp256k1")),
        with("crv", json!("P-384")),
        with("y", Value::Null),
        with("x", json!("AAAA")),
        with("alg", json!("ES256K")),
    ];
    let skipped = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&skipped);
    let fixture = Fixture::with(|config| {
        config.observer(move |event: &Event<'_>| {
            if let Event::KeysFetched { keys, skipped, .. } = event {
                *seen.lock().unwrap() = Some((*keys, *skipped));
            }
        })
    });
    for jwk in &odd {
        fixture.issuer.publish(jwk.clone());
    }
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    assert_eq!(*skipped.lock().unwrap(), Some((1, odd.len())));
}

/// DSC-07: without keys nothing is judged, and a client is told to come again, not that its token is bad.
#[tokio::test(start_paused = true)]
async fn an_issuer_down_at_the_start_is_an_outage_and_no_bad_token() {
    for fault in [Fault::Connect, Fault::Status(500), Fault::Hang, Fault::EmptyKeys] {
        let fixture = Fixture::new();
        fixture.issuer.fail(fault);
        for _ in 0..3 {
            fixture.answer(&fixture.token().sign()).await.assert_not_judged();
        }
        fixture.issuer.heal();
        pass(Duration::from_secs(60)).await;
        fixture.answer(&fixture.token().sign()).await.assert_passed();
    }
}

/// DSC-07: the last good set serves for an hour past its lifetime, then nothing is judged until the issuer is back.
#[tokio::test(start_paused = true)]
async fn the_last_good_keys_serve_for_an_hour_and_no_longer() {
    let fixture = Fixture::new();
    let token = fixture.token().sign();
    fixture.issuer.max_age(Duration::from_secs(600));
    fixture.answer(&token).await.assert_passed();
    fixture.issuer.fail(Fault::Connect);
    pass(Duration::from_secs(600 + 3590)).await;
    fixture.answer(&token).await.assert_passed();
    fixture.answer(&fixture.token().bad_signature().sign()).await.assert_not_judged();
    pass(Duration::from_secs(11)).await;
    fixture.answer(&token).await.assert_not_judged();
    fixture.issuer.heal();
    pass(Duration::from_secs(60)).await;
    fixture.answer(&token).await.assert_passed();
}

/// DSC-07: a set without a usable key is a failure too, not the end of all keys.
#[tokio::test(start_paused = true)]
async fn an_empty_set_does_not_replace_a_good_one() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.issuer.fail(Fault::EmptyKeys);
    pass(Duration::from_secs(1000)).await;
    assert!(fixture.issuer.jwks_fetches() > 2);
    fixture.answer(&fixture.token().sign()).await.assert_passed();
}

/// DSC-08: a key that the issuer has withdrawn verifies nothing after the next refresh.
#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_dies_at_the_refresh() {
    let fixture = Fixture::new();
    fixture.issuer.max_age(Duration::from_secs(600));
    let withdrawn = fixture.token().sign();
    fixture.answer(&withdrawn).await.assert_passed();
    fixture.issuer.rotate();
    fixture.issuer.withdraw_old();
    pass(Duration::from_secs(479)).await;
    fixture.answer(&withdrawn).await.assert_passed();
    pass(Duration::from_secs(2)).await;
    fixture.answer(&withdrawn).await.assert_invalid_token("key_unknown");
    fixture.answer(&fixture.token().sign()).await.assert_passed();
}

/// DSC-08: a refresh that another token caused ends it as well.
#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_dies_at_any_refresh() {
    let fixture = Fixture::new();
    let withdrawn = fixture.token().sign();
    fixture.answer(&withdrawn).await.assert_passed();
    fixture.issuer.rotate();
    fixture.issuer.withdraw_old();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.answer(&withdrawn).await.assert_invalid_token("key_unknown");
}
