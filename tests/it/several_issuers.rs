//! Several issuers in one configuration, reconfiguration while serving, and layers within layers.

use std::time::Duration;

use http::Request;
use tower::{Layer as _, service_fn, util::BoxCloneSyncService};
use tower_oauth::test::{Fault, ManualClock, RequestExt as _, TestIssuer};
use tower_oauth::{OAuthConfig, OAuthLayer, ResourceServer};

use crate::support::{Fixture, RESOURCE, T, config, inner, send};

fn second(fixture_clock: &ManualClock) -> TestIssuer {
    TestIssuer::new("https://second.example").clock(fixture_clock.clone())
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_slows_no_other() {
    let hanging = second(&ManualClock::new(T));
    let fixture = Fixture::with(|config| config.trust(hanging.issuer()));
    hanging.fail(Fault::Hang);
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (app, token) = (fixture.app(), hanging.token_for(RESOURCE).sign());
            tokio::spawn(async move { send(&app, Request::get("/x").bearer(&token)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    assert_eq!(began.elapsed(), Duration::ZERO);
    for answer in waiting {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 503);
        assert!(answer.header("retry-after").is_some_and(|after| after.parse::<u64>().unwrap() >= 1));
        assert!(answer.response.headers().get("www-authenticate").is_none());
    }
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_staging_issuer_with_the_same_key_client_and_audience_is_a_stranger() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    let staging = fixture.token().issuer_claim("https://staging.as.example").sign();
    fixture.answer(&staging).await.assert_invalid_token("issuer_unknown");
}

#[tokio::test]
async fn readiness_names_every_issuer_whose_keys_are_missing() {
    let down = second(&ManualClock::new(T));
    let fixture = Fixture::with(|config| config.trust(down.issuer()));
    down.fail(Fault::Status(500));
    let error = fixture.server.ready().await.unwrap_err();
    let missing: Vec<_> = error.missing().map(|(issuer, _)| issuer).collect();
    assert_eq!(missing, ["https://second.example"]);
    assert!(error.to_string().contains("https://second.example"));
    assert_eq!(fixture.issuer.jwks_fetches(), 1);
}

#[tokio::test]
async fn a_server_is_reconfigured_while_it_serves() {
    let fixture = Fixture::new();
    let app = fixture.app();
    let token = fixture.token().sign();
    send(&app, Request::get("/x").bearer(&token)).await.assert_passed();

    let other = second(&fixture.clock);
    fixture.server.replace(config(&fixture.clock).trust(other.issuer()).build().unwrap());
    send(&app, Request::get("/x").bearer(&token)).await.assert_invalid_token("issuer_unknown");
    send(&app, Request::get("/x").bearer(&other.token_for(RESOURCE).sign())).await.assert_passed();
}

#[tokio::test]
async fn a_reconfiguration_during_an_outage_keeps_the_keys() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.issuer.fail(Fault::Connect);
    fixture.server.replace(config(&fixture.clock).trust(fixture.issuer.issuer()).realm("new").build().unwrap());
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    assert_eq!(send(&fixture.app(), Request::get("/x")).await.parameter("realm"), Some("new"));
    assert_eq!(fixture.issuer.jwks_fetches(), 1);
}

#[tokio::test]
async fn a_layer_within_a_layer_of_the_same_server_reuses_the_verdict() {
    let fixture = Fixture::new();
    let layer = || OAuthLayer::new(&fixture.server);
    let stripped = BoxCloneSyncService::new(layer().strip_credential().layer(layer().layer(service_fn(inner))));
    let answer = send(&stripped, Request::get("/x").bearer(&fixture.token().sign())).await;
    answer.assert_passed();
    assert_eq!(answer.header("x-saw-credential"), None);
    let optional_outside = BoxCloneSyncService::new(layer().optional().layer(layer().layer(service_fn(inner))));
    send(&optional_outside, Request::get("/x")).await.assert_refused(401, None);
    send(&optional_outside, Request::get("/x").bearer(&fixture.token().sign())).await.assert_passed();
}

#[tokio::test]
async fn a_layer_within_a_layer_of_another_server_is_a_mistake_that_says_so() {
    let (outer, other) = (Fixture::new(), Fixture::new());
    let inside = OAuthLayer::new(&other.server).layer(service_fn(inner));
    let app = BoxCloneSyncService::new(OAuthLayer::new(&outer.server).layer(inside));
    let answer = send(&app, Request::get("/x").bearer(&outer.token().sign())).await;
    assert_eq!(answer.status(), 500);
    assert!(!answer.passed());
    assert!(answer.rejection().to_string().contains("share one server"), "{}", answer.rejection());
}

#[tokio::test(start_paused = true)]
async fn the_keys_stay_warm_and_their_task_ends_with_the_server() {
    let fixture = Fixture::new();
    fixture.issuer.cache_control("");
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    // Idle for two lifetimes of an hour; the owned task refreshes at 80 % of each.
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..130 {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let fetches = fixture.issuer.jwks_fetches();
    assert!((3..=4).contains(&fetches), "{fetches}");
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    assert_eq!(fixture.issuer.jwks_fetches(), fetches);
    let issuer = fixture.issuer.clone();
    drop(fixture);
    tokio::time::sleep(Duration::from_secs(100_000)).await;
    assert_eq!(issuer.jwks_fetches(), fetches);
}

#[tokio::test]
async fn the_presented_token_is_there_for_an_exchange_and_is_not_printed() {
    let issuer = TestIssuer::new("https://as.example");
    let server = ResourceServer::new(OAuthConfig::builder(RESOURCE).trust(issuer.issuer()).build().unwrap());
    let token = issuer.token_for(RESOURCE).sign();
    let expected = token.clone();
    let app = OAuthLayer::new(server).layer(service_fn(move |request: Request<String>| {
        let known = request.extensions().get::<tower_oauth::Authenticated>().unwrap();
        assert_eq!(*known.presented_token().expose(), expected);
        assert!(!format!("{known:?} {:?}", known.presented_token()).contains(&expected[..20]));
        assert!(!format!("{:?}", request.headers()).contains(&expected[..20]), "the header is marked as sensitive");
        async { Ok::<_, std::convert::Infallible>(http::Response::new(bytes::Bytes::new())) }
    }));
    let request = Request::get("/x").bearer(&token).body(String::new()).unwrap();
    assert_eq!(tower::ServiceExt::oneshot(app, request).await.unwrap().status(), 200);
}
