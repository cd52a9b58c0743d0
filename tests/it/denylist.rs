//! Revocation here: rules that end tokens before their time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use tower_oauth::observe::Event;
use tower_oauth::test::{DpopClient, RequestExt as _};
use tower_oauth::{Freshness, Revocation, RevokeError};

use crate::support::{Fixture, ISSUER, RESOURCE, T, config, send};

const SECOND: Duration = Duration::from_secs(1);

/// A token that every kind of rule can name, and one that no rule in these tests does.
fn tokens(fixture: &Fixture) -> (String, String) {
    let builder = fixture.token().claim("sid", "s-1").subject("ada").client("shop");
    (builder.jti("j-1").sign(), fixture.token().claim("sid", "s-2").subject("bob").client("till").sign())
}

#[tokio::test]
async fn each_kind_of_rule_ends_what_it_names_at_once_and_spares_the_rest() {
    for rule in [
        Revocation::token(ISSUER, "j-1"),
        Revocation::session(ISSUER, "s-1"),
        Revocation::subject(ISSUER, "ada"),
        Revocation::client(ISSUER, "shop"),
    ] {
        let fixture = Fixture::new();
        let (named, other) = tokens(&fixture);
        // Both are recalled from now on.
        for token in [&named, &other, &named] {
            fixture.answer(token).await.assert_passed();
        }
        fixture.server.revoke(rule).await.unwrap();
        for _ in 0..2 {
            fixture.answer(&named).await.assert_invalid_token("token_revoked");
            fixture.answer(&other).await.assert_passed();
        }
    }
}

#[tokio::test]
async fn a_rule_for_a_whole_issuer_ends_all_of_its_tokens() {
    let fixture = Fixture::new();
    let (one, other) = tokens(&fixture);
    fixture.answer(&one).await.assert_passed();
    fixture.server.revoke(Revocation::everything(ISSUER)).await.unwrap();
    for token in [one, other] {
        fixture.answer(&token).await.assert_invalid_token("token_revoked");
    }
}

#[tokio::test]
async fn a_session_ends_and_the_background_client_of_the_same_user_goes_on() {
    let fixture = Fixture::new();
    let in_session = fixture.token().subject("ada").claim("sid", "s-1").sign();
    let in_background = fixture.token().subject("ada").sign();
    fixture.server.revoke(Revocation::session(ISSUER, "s-1")).await.unwrap();
    fixture.answer(&in_session).await.assert_invalid_token("token_revoked");
    fixture.answer(&in_background).await.assert_passed();
}

#[tokio::test]
async fn after_logging_out_everywhere_a_new_login_works() {
    let fixture = Fixture::new();
    let before = fixture.token().subject("ada").sign();
    let everywhere = Revocation::subject(ISSUER, "ada").issued_until(T);
    fixture.server.revoke(everywhere).await.unwrap();
    fixture.answer(&before).await.assert_invalid_token("token_revoked");
    fixture.clock.advance(SECOND);
    fixture.answer(&fixture.token().subject("ada").sign()).await.assert_passed();
    fixture.answer(&before).await.assert_invalid_token("token_revoked");
}

#[tokio::test]
async fn a_rule_outlives_the_token_by_the_leeway() {
    let fixture = Fixture::with(|config| config.leeway(60 * SECOND));
    let token = fixture.token().jti("j-1").expires_in(100 * SECOND).sign();
    let other = fixture.token().jti("j-2").expires_in(100 * SECOND).sign();
    let exp = T.plus(100 * SECOND);
    fixture.server.revoke(Revocation::token(ISSUER, "j-1").expires_at(exp)).await.unwrap();
    fixture.clock.advance(130 * SECOND);
    fixture.answer(&other).await.assert_passed();
    fixture.answer(&token).await.assert_invalid_token("token_revoked");
    fixture.clock.advance(30 * SECOND - Duration::from_millis(1));
    fixture.answer(&token).await.assert_invalid_token("token_revoked");
    fixture.clock.advance(Duration::from_millis(1));
    fixture.answer(&token).await.assert_invalid_token("token_expired");
}

#[tokio::test]
async fn the_token_of_a_request_is_revoked_by_its_own_name() {
    let fixture = Fixture::asking();
    let named = [fixture.token().sign(), fixture.opaque().issue()];
    // Many an issuer names no opaque token, because the token itself is its name.
    let [unnamed, other] = [(); 2].map(|()| fixture.opaque().without("jti").issue());
    for token in named.into_iter().chain([unnamed]) {
        let authenticated = fixture.authenticated(&token).await;
        fixture.server.revoke_token(&authenticated).await.unwrap();
        fixture.answer(&token).await.assert_invalid_token("token_revoked");
    }
    fixture.answer(&other).await.assert_passed();
    let misspelt = Revocation::subject("https://as.example/", "ada");
    assert_eq!(fixture.server.revoke(misspelt).await, Err(RevokeError::IssuerUnknown));
}

#[tokio::test]
async fn a_replaced_configuration_keeps_the_rules() {
    let fixture = Fixture::new();
    let (named, other) = tokens(&fixture);
    fixture.server.revoke(Revocation::session(ISSUER, "s-1")).await.unwrap();
    fixture.server.replace(config(&fixture.clock).trust(fixture.issuer.issuer()).build().unwrap());
    fixture.answer(&named).await.assert_invalid_token("token_revoked");
    fixture.answer(&other).await.assert_passed();
}

#[tokio::test]
async fn a_layer_that_wants_signatures_alone_does_not_look_at_rules() {
    let fixture = Fixture::new();
    let (named, _) = tokens(&fixture);
    fixture.server.revoke(Revocation::session(ISSUER, "s-1")).await.unwrap();
    let offline = fixture.layered(|layer| layer.freshness(Freshness::Offline));
    send(&offline, Request::get("/x").bearer(&named)).await.assert_passed();
    fixture.answer(&named).await.assert_invalid_token("token_revoked");
}

#[tokio::test]
async fn a_refused_proof_of_a_revoked_token_stays_unspent() {
    let fixture = Fixture::new();
    let client = DpopClient::new().clock(fixture.clock.clone());
    let token = fixture.token().claim("sid", "s-1").bound_to(&client).sign();
    let request = || Request::get("/x").dpop(&client, "https://rs.example", &token);
    send(&fixture.app(), request()).await.assert_passed();
    fixture.server.revoke(Revocation::session(ISSUER, "s-1")).await.unwrap();
    send(&fixture.app(), request()).await.assert_dpop_refused(401, "invalid_token", "token_revoked");
}

#[tokio::test]
async fn rules_and_refusals_by_them_are_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let fixture = Fixture::with(|config| {
        let told = Arc::clone(&told);
        config.observer(move |event: &Event<'_>| match *event {
            Event::RuleAdded { issuer, kind } => told.lock().unwrap().push(format!("{issuer} {kind}")),
            Event::Refused { code, verified, .. } => told.lock().unwrap().push(format!("{code} {verified}")),
            _ => {}
        })
    });
    let (named, _) = tokens(&fixture);
    fixture.server.revoke(Revocation::client(ISSUER, "shop")).await.unwrap();
    assert!(!fixture.answer(&named).await.passed());
    assert_eq!(*told.lock().unwrap(), [format!("{ISSUER} client"), "token_revoked true".to_owned()]);
}

/// However many threads serve the token, none lets it pass in a request that begins after `revoke` has returned.
#[test]
fn no_request_that_begins_after_a_revocation_passes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    for round in 0..30 {
        let fixture = Fixture::new();
        let session = format!("s-{round}");
        let token = fixture.issuer.token_for(RESOURCE).claim("sid", session.as_str()).sign();
        let revoked = Arc::new(AtomicBool::new(false));
        runtime.block_on(async {
            fixture.answer(&token).await.assert_passed();
            let mut requests = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let (app, token, revoked) = (fixture.app(), token.clone(), Arc::clone(&revoked));
                requests.spawn(async move {
                    loop {
                        let begun_after = revoked.load(Ordering::SeqCst);
                        let passed = send(&app, Request::get("/x").bearer(&token)).await.passed();
                        assert!(!(begun_after && passed), "passed after it was revoked");
                        if begun_after {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                });
            }
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            fixture.server.revoke(Revocation::session(ISSUER, session)).await.unwrap();
            revoked.store(true, Ordering::SeqCst);
            requests.join_all().await;
        });
    }
}
