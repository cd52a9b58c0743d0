//! Token Status Lists: a token that was proved is looked up in the list that it names.

use std::time::Duration;

use http::Request;
use serde_json::json;
use tower_oauth::test::{Fault, RequestExt as _, StatusList};
use tower_oauth::{Dependency, Freshness, OnFailure, Requirement};

use crate::support::{Fixture, send};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_token_whose_list_takes_it_back_is_refused_and_its_neighbour_is_not() {
    let fixture = Fixture::new();
    let tokens = [3, 4].map(|idx| fixture.token().status(1, idx).sign());
    for _ in 0..3 {
        for token in &tokens {
            fixture.answer(token).await.assert_passed();
        }
    }
    assert_eq!(fixture.issuer.status_list_fetches(), 1, "a list is fetched once for all of its tokens");
    fixture.issuer.set_status(1, 3, 1);
    fixture.clock.advance(24 * 3600 * SECOND - SECOND);
    let tokens = [3, 4].map(|idx| fixture.token().status(1, idx).sign());
    fixture.clock.advance(SECOND);
    fixture.answer(&tokens[0]).await.assert_invalid_token("token_revoked");
    fixture.answer(&tokens[1]).await.assert_passed();
}

/// TSL-01: the token itself is judged first; for one that is not valid no list is fetched.
#[tokio::test]
async fn no_list_is_fetched_for_a_token_that_is_refused_anyway() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().status(1, 0).expired().sign()).await.assert_invalid_token("token_expired");
    fixture
        .answer(&fixture.token().status(1, 0).bad_signature().sign())
        .await
        .assert_invalid_token("signature_invalid");
    assert_eq!(fixture.issuer.status_list_fetches(), 0);
}

/// TSL-02: a place in a list is a whole number and an address, or the token is refused.
#[tokio::test]
async fn a_malformed_place_makes_the_token_invalid() {
    let fixture = Fixture::new();
    for place in [
        json!({ "idx": -1, "uri": "https://as.example/status/1" }),
        json!({ "idx": 1.5, "uri": "https://as.example/status/1" }),
        json!({ "idx": "0", "uri": "https://as.example/status/1" }),
        json!({ "idx": 0 }),
    ] {
        let token = fixture.token().claim("status", json!({ "status_list": place })).sign();
        fixture.answer(&token).await.assert_invalid_token("claim_invalid");
    }
    fixture.answer(&fixture.token().claim("status", "active").sign()).await.assert_passed();
}

/// TSL-03: a list that is not to be believed judges nobody.
/// TSL-04: one of another address is none for the token.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_to_be_believed_is_503_and_not_401() {
    for broken in [
        StatusList::new(1, 64).typ("JWT"),
        StatusList::new(1, 64).claim("sub", "https://as.example/status/2"),
        StatusList::new(1, 64).without("iat"),
        StatusList::new(1, 64).bad_signature(),
        StatusList::new(1, 64).told_bits(3),
        StatusList::new(1, 64).gzip(),
    ] {
        let fixture = Fixture::new();
        fixture.issuer.publishes_status_list(1, broken);
        fixture.answer(&fixture.token().status(1, 0).sign()).await.assert_unavailable("revocation_unknown");
    }
}

/// TSL-07: a place beyond the list is no valid token.
/// TSL-08: only 0 is valid.
#[tokio::test]
async fn only_zero_within_the_list_is_valid() {
    let fixture = Fixture::new();
    let list = StatusList::new(4, 8).with(1, 1).with(2, 2).with(3, 3).with(4, 15);
    fixture.issuer.publishes_status_list(7, list);
    fixture.answer(&fixture.token().status(7, 0).sign()).await.assert_passed();
    for idx in [1, 2, 3, 4, 8, 1 << 40] {
        fixture.answer(&fixture.token().status(7, idx).sign()).await.assert_invalid_token("token_revoked");
    }
}

/// TSL-10: a token does not choose whom this service calls.
#[tokio::test]
async fn a_list_elsewhere_is_not_fetched() {
    let fixture = Fixture::new();
    for uri in ["http://169.254.169.254/status", "https://other.example/status/1", "https://as.example:8443/status/1"] {
        let token = fixture.token().claim("status", json!({ "status_list": { "idx": 0, "uri": uri } })).sign();
        fixture.answer(&token).await.assert_unavailable("revocation_unknown");
    }
    assert_eq!(fixture.issuer.status_list_fetches(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_had_is_a_matter_of_the_policy() {
    let fixture = Fixture::new();
    let list = StatusList::new(1, 64).with(1, 1).ttl(60 * SECOND).expires_in(3600 * SECOND);
    fixture.issuer.publishes_status_list(1, list);
    let token = |idx| fixture.token().expires_in(7200 * SECOND).status(1, idx).sign();
    let (valid, over) = (token(0), token(1));
    let with = |on_failure| fixture.layered(|layer| layer.on_failure(Dependency::StatusList, on_failure));
    let (closed, stale, open) =
        (fixture.app(), with(OnFailure::StaleWithin(300 * SECOND)), with(OnFailure::OpenAndCounted));
    let ask = async |app, token: &str| send(app, Request::get("/x").bearer(token)).await;
    ask(&closed, &valid).await.assert_passed();
    fixture.issuer.fail_status_list(Fault::Status(500));
    fixture.clock.advance(61 * SECOND);
    ask(&closed, &valid).await.assert_unavailable("revocation_unknown");
    ask(&stale, &valid).await.assert_passed();
    ask(&stale, &over).await.assert_invalid_token("token_revoked");
    fixture.clock.advance(300 * SECOND);
    ask(&stale, &valid).await.assert_unavailable("revocation_unknown");
    ask(&open, &valid).await.assert_passed();
    ask(&open, &over).await.assert_invalid_token("token_revoked");
    let offline = fixture.layered(|layer| layer.freshness(Freshness::Offline));
    ask(&offline, &over).await.assert_passed();
}

struct Recent;
impl Requirement for Recent {
    const DEMAND: tower_oauth::Demand =
        tower_oauth::Demand::authenticated().fresh(Freshness::Within(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_list_fetched_a_moment_ago_is_as_good_as_an_answer() {
    let fixture = Fixture::asking();
    let token = fixture.token().status(1, 0).sign();
    let recent = fixture.guarded::<Recent>();
    send(&recent, Request::get("/x").bearer(&token)).await.assert_passed();
    assert_eq!((fixture.issuer.status_list_fetches(), fixture.issuer.introspections()), (1, 0));
    fixture.clock.advance(31 * SECOND);
    send(&recent, Request::get("/x").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 1);
}
