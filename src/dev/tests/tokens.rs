//! Refresh tokens, DPoP and the forms of answers at the token endpoint.

use std::time::Duration;

use http::{StatusCode, header};
use serde_json::json;

use super::flow::*;
use crate::dev::{AuditKind, DevClient, DevServer};
use crate::test::{DpopClient, ManualClock};

/// DAS-05: each refresh token is good once, with the same scope; a spent one ends the family and the grant.
#[tokio::test]
async fn reuse_of_a_refresh_token_ends_the_family() {
    let dev = start(|builder| builder).await;
    let first = login(&dev).await;
    let second = refresh(&dev, text(&first, "refresh_token")).await.json();
    assert_eq!(second["scope"], first["scope"]);
    let third = refresh(&dev, text(&second, "refresh_token")).await.json();
    for tokens in [&first, &second, &third] {
        assert!(is_active(&dev, text(tokens, "access_token")).await);
    }
    let reused = refresh(&dev, text(&first, "refresh_token")).await;
    assert_eq!((reused.status, reused.error()), (StatusCode::BAD_REQUEST, "invalid_grant".into()));
    for tokens in [&first, &second, &third] {
        assert_eq!(introspect(&dev, text(tokens, "access_token")).await, json!({ "active": false }));
        assert_eq!(refresh(&dev, text(tokens, "refresh_token")).await.error(), "invalid_grant");
    }
    assert_eq!(dev.refresh_reuses(), 1);
    let other = login(&dev).await;
    assert!(is_active(&dev, text(&other, "access_token")).await, "another login is another family");
}

/// DAS-06: within the grace window the spent token gives the same successor, for the same client and key; it is off by
/// default.
#[tokio::test]
async fn requests_that_cross_get_the_same_successor_within_the_grace_window() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| builder.clock(clock.clone()).refresh_grace(Duration::from_secs(5))).await;
    let key = DpopClient::new().clock(clock.clone());
    let dpop = proof(&dev, &key, "/token");
    let first = redeem_with(&dev, &code(&dev, &[]).await, &[], &[("dpop", &dpop)]).await.json();
    let spent = text(&first, "refresh_token");
    let page = [("client_id", "page")];
    let again = async || {
        let dpop = proof(&dev, &key, "/token");
        refresh_with(&dev, spent, &page, &[("dpop", &dpop)]).await
    };
    let successor = again().await.text("refresh_token");
    clock.advance(Duration::from_secs(5));
    assert_eq!(again().await.text("refresh_token"), successor);
    let stranger = DpopClient::new().clock(clock.clone());
    let foreign = proof(&dev, &stranger, "/token");
    assert_eq!(refresh_with(&dev, spent, &page, &[("dpop", &foreign)]).await.error(), "invalid_grant", "another key");
    clock.advance(Duration::from_secs(1));
    assert_eq!(again().await.error(), "invalid_grant", "later it is a reuse");
    let dpop = proof(&dev, &key, "/token");
    assert_eq!(refresh_with(&dev, &successor, &page, &[("dpop", &dpop)]).await.error(), "invalid_grant", "family over");

    let strict = start(|builder| builder).await;
    let first = login(&strict).await;
    refresh(&strict, text(&first, "refresh_token")).await;
    assert_eq!(refresh(&strict, text(&first, "refresh_token")).await.error(), "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_refreshes_at_once_one_wins_unless_there_is_a_grace_window() {
    for grace in [Duration::ZERO, Duration::from_secs(5)] {
        let dev = std::sync::Arc::new(start(|builder| builder.refresh_grace(grace)).await);
        let token = text(&login(&dev).await, "refresh_token").to_owned();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (dev, token) = (dev.clone(), token.clone());
                tokio::spawn(async move { refresh(&dev, &token).await })
            })
            .collect();
        let mut successors = Vec::new();
        for task in tasks {
            let answer = task.await.unwrap();
            if answer.status == StatusCode::OK {
                successors.push(answer.text("refresh_token"));
            }
        }
        assert_eq!(successors.len(), if grace.is_zero() { 1 } else { 8 });
        successors.dedup();
        assert_eq!(successors.len(), 1, "one successor, however many asked");
    }
}

/// DAS-07: answers and errors of the token endpoint are not cached; `invalid_client` is 401 with a challenge.
#[tokio::test]
async fn answers_are_not_cached_and_errors_have_their_codes() {
    let dev = start(|builder| builder).await;
    let good = redeem(&dev, &code(&dev, &[]).await).await;
    let unknown = post(&dev, "/token", &[("client_id", "nobody"), ("grant_type", "refresh_token")]).await;
    let without = redeem_with(&dev, "x", &[("client_id", "shop")], &[]).await;
    let typed = send(
        &dev,
        http::Request::post(dev.server.path("/token"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(axum::body::Body::from("{}"))
            .unwrap(),
    )
    .await;
    for (answer, status, error) in [
        (&good, 200, "none"),
        (&unknown, 401, "invalid_client"),
        (&without, 401, "invalid_client"),
        (&typed, 400, "invalid_request"),
    ] {
        assert_eq!((answer.status.as_u16(), &*answer.error()), (status, error), "{answer:?}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(answer.headers.contains_key(header::WWW_AUTHENTICATE), status == 401);
    }
}

/// DAS-09: the refresh token of a public client is bound to its DPoP key, that of a confidential one is not.
#[tokio::test]
async fn a_public_clients_refresh_token_is_bound_to_its_key() {
    let dev = start(|builder| builder).await;
    let (key, other) = (DpopClient::new(), DpopClient::new());
    let tokens = redeem_with(&dev, &code(&dev, &[]).await, &[], &[("dpop", &proof(&dev, &key, "/token"))]).await.json();
    assert_eq!(tokens["token_type"], "DPoP");
    let token = text(&tokens, "refresh_token");
    let page = [("client_id", "page")];
    assert_eq!(refresh(&dev, token).await.error(), "invalid_grant", "no proof");
    let foreign = proof(&dev, &other, "/token");
    assert_eq!(refresh_with(&dev, token, &page, &[("dpop", &foreign)]).await.error(), "invalid_grant");
    let own = proof(&dev, &key, "/token");
    let refreshed = refresh_with(&dev, token, &page, &[("dpop", &own)]).await;
    assert_eq!(claims(&refreshed.text("access_token"))["cnf"]["jkt"], key.thumbprint());

    let shop = [("client_id", "shop"), ("client_secret", "s3cr3t")];
    let fresh = code(&dev, &[("client_id", "shop")]).await;
    let tokens = redeem_with(&dev, &fresh, &shop, &[("dpop", &proof(&dev, &key, "/token"))]).await.json();
    let foreign = proof(&dev, &other, "/token");
    let refreshed = refresh_with(&dev, text(&tokens, "refresh_token"), &shop, &[("dpop", &foreign)]).await;
    assert_eq!(claims(&refreshed.text("access_token"))["cnf"]["jkt"], other.thumbprint());
}

/// DAS-10: `dpop_jkt`, or the proof of a pushed request, binds the code to a key; both must agree; a bound client must
/// send a proof.
#[tokio::test]
async fn a_code_is_bound_to_the_key_that_its_request_names() {
    let dev = start(|builder| {
        builder.register(DevClient::public("bound").redirect_uri(CALLBACK).scopes(["orders:read"]).dpop_bound())
    })
    .await;
    let (key, other) = (DpopClient::new(), DpopClient::new());
    let named = [("dpop_jkt", key.thumbprint())];
    let fresh = code(&dev, &named).await;
    assert_eq!(redeem(&dev, &fresh).await.error(), "invalid_grant", "no proof");
    let foreign = proof(&dev, &other, "/token");
    assert_eq!(redeem_with(&dev, &fresh, &[], &[("dpop", &foreign)]).await.error(), "invalid_grant");
    let own = proof(&dev, &key, "/token");
    assert_eq!(redeem_with(&dev, &fresh, &[], &[("dpop", &own)]).await.json()["token_type"], "DPoP");

    let own = proof(&dev, &key, "/par");
    let pushed = post_with(&dev, "/par", &request(&[]), &[("dpop", &own)]).await;
    assert_eq!(pushed.status, StatusCode::CREATED);
    let request_uri = pushed.text("request_uri");
    let path = format!(
        "{}?{}",
        dev.server.path("/authorize"),
        encoded(&[("client_id", "page"), ("request_uri", &request_uri)])
    );
    let told = get(&dev, &path, &[]).await.told();
    let foreign = proof(&dev, &other, "/token");
    assert_eq!(redeem_with(&dev, &told["code"], &[], &[("dpop", &foreign)]).await.error(), "invalid_grant");
    let own = proof(&dev, &key, "/token");
    assert_eq!(redeem_with(&dev, &told["code"], &[], &[("dpop", &own)]).await.status, StatusCode::OK);

    let foreign = proof(&dev, &other, "/par");
    let disagree = post_with(&dev, "/par", &request(&named), &[("dpop", &foreign)]).await;
    assert_eq!(disagree.error(), "invalid_dpop_proof");
    let fresh = code(&dev, &[("client_id", "bound"), ("scope", "orders:read")]).await;
    assert_eq!(redeem_with(&dev, &fresh, &[("client_id", "bound")], &[]).await.error(), "invalid_dpop_proof");
}

/// DAS-24: neither another client nor one that does not prove itself refreshes, and neither ends the family.
#[tokio::test]
async fn a_refresh_by_somebody_else_is_refused_and_ends_nothing() {
    let dev = start(|builder| builder).await;
    let shop = [("client_id", "shop"), ("client_secret", "s3cr3t")];
    let fresh = code(&dev, &[("client_id", "shop")]).await;
    let tokens = redeem_with(&dev, &fresh, &shop, &[]).await.json();
    let spent = text(&tokens, "refresh_token");
    let current = refresh_with(&dev, spent, &shop, &[]).await.text("refresh_token");
    for token in [spent, &current] {
        assert_eq!(refresh(&dev, token).await.error(), "invalid_grant", "another client");
        let unproven = refresh_with(&dev, token, &[("client_id", "shop")], &[]).await;
        assert_eq!((unproven.status.as_u16(), &*unproven.error()), (401, "invalid_client"));
    }
    let next = refresh_with(&dev, &current, &shop, &[]).await;
    assert_eq!(next.status, StatusCode::OK, "the owner's next refresh passes");
    assert_eq!(dev.refresh_reuses(), 0);
}

/// DAS-28: access tokens live ten minutes, and a family ends at an absolute time that refreshing does not move.
#[tokio::test]
async fn a_family_ends_at_a_time_that_no_refresh_moves() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| builder.clock(clock.clone())).await;
    let mut tokens = login(&dev).await;
    assert_eq!(tokens["expires_in"], 600);
    let access = text(&tokens, "access_token").to_owned();
    clock.advance(Duration::from_secs(599));
    assert!(is_active(&dev, &access).await);
    clock.advance(Duration::from_secs(2));
    assert!(!is_active(&dev, &access).await);
    for _ in 0..23 {
        clock.advance(Duration::from_secs(3600));
        tokens = refresh(&dev, text(&tokens, "refresh_token")).await.json();
    }
    clock.advance(Duration::from_secs(3600));
    assert_eq!(refresh(&dev, text(&tokens, "refresh_token")).await.error(), "invalid_grant", "a day is over");
    assert_eq!(dev.refresh_reuses(), 0);

    let quick = start(|builder| {
        let builder = builder.token_lifetime(Duration::from_secs(7)).refresh_lifetime(Duration::from_secs(60));
        builder.clock(clock.clone())
    })
    .await;
    let tokens = login(&quick).await;
    assert_eq!(tokens["expires_in"], 7);
    clock.advance(Duration::from_secs(61));
    assert_eq!(refresh(&quick, text(&tokens, "refresh_token")).await.error(), "invalid_grant");
}

/// DAS-29: many refreshes of one family in a short time are told.
#[tokio::test]
async fn a_burst_of_refreshes_is_told() {
    let dev = start(|builder| builder).await;
    let mut token = text(&login(&dev).await, "refresh_token").to_owned();
    for _ in 0..10 {
        token = refresh(&dev, &token).await.text("refresh_token");
    }
    let bursts = |dev: &DevServer| dev.audit().iter().filter(|event| event.kind == AuditKind::RefreshBurst).count();
    assert_eq!(bursts(&dev), 0);
    refresh(&dev, &token).await;
    assert_eq!(bursts(&dev), 1);
}
