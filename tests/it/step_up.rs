//! RFC 9470: a login that is too weak or too old is asked for again, by 401 and not by 403.

use std::time::Duration;

use http::Request;
use tower_oauth::test::{DpopClient, RequestExt as _};
use tower_oauth::{Demand, Requirement};

use crate::support::{Fixture, T, send};

struct Strong;
impl Requirement for Strong {
    const DEMAND: Demand = Demand::scope("pay").acr(&["a", "b"]);
}

struct Recent;
impl Requirement for Recent {
    const DEMAND: Demand = Demand::authenticated().max_age(Duration::from_secs(5));
}

struct StrongAndRecent;
impl Requirement for StrongAndRecent {
    const DEMAND: Demand = Demand::scope("pay").acr(&["a", "b"]).max_age(Duration::from_secs(5));
}

/// STU-01: too weak a login is 401 with the levels that would do, best first.
/// STU-02: one of the levels suffices; another one, or none, does not.
#[tokio::test]
async fn a_login_of_one_of_the_levels_suffices_and_any_other_is_asked_for_again() {
    let fixture = Fixture::new();
    let app = fixture.guarded::<Strong>();
    let with = |acr: &str| fixture.token().scope("pay").acr(acr).sign();
    for acr in ["a", "b"] {
        send(&app, Request::get("/x").bearer(&with(acr))).await.assert_passed();
    }
    for token in [with("c"), with("A"), with("a b"), fixture.token().scope("pay").sign()] {
        let answer = send(&app, Request::get("/x").bearer(&token)).await;
        answer.assert_refused(401, Some("insufficient_user_authentication"));
        assert_eq!(answer.parameter("acr_values"), Some("a b"));
        assert_eq!((answer.parameter("max_age"), answer.parameter("scope")), (None, None));
    }
}

/// STU-03: `max_age` counts from `auth_time` to the second, and a login of unknown time is too old.
#[tokio::test]
async fn the_age_of_a_login_is_counted_to_the_second() {
    let fixture = Fixture::new();
    let app = fixture.guarded::<Recent>();
    let at = |seconds| fixture.token().auth_time(T.minus(Duration::from_secs(seconds))).sign();
    send(&app, Request::get("/x").bearer(&at(5))).await.assert_passed();
    for token in [at(6), fixture.token().sign()] {
        let answer = send(&app, Request::get("/x").bearer(&token)).await;
        answer.assert_refused(401, Some("insufficient_user_authentication"));
        assert_eq!((answer.parameter("max_age"), answer.parameter("acr_values")), (Some("5"), None));
    }
    let wrong = fixture.token().claim("auth_time", "today").sign();
    send(&app, Request::get("/x").bearer(&wrong)).await.assert_invalid_token("claim_invalid");
}

/// STU-04: all that a new login must bring is told at once, the scope too.
#[tokio::test]
async fn level_age_and_scope_are_asked_for_in_one_challenge() {
    let fixture = Fixture::new();
    let app = fixture.guarded::<StrongAndRecent>();
    let answer = send(&app, Request::get("/x").bearer(&fixture.token().sign())).await;
    answer.assert_refused(401, Some("insufficient_user_authentication"));
    let told = ["acr_values", "max_age", "scope"].map(|name| answer.parameter(name));
    assert_eq!(told, [Some("a b"), Some("5"), Some("pay")]);
    let scoped = fixture.token().scope("pay").acr("c").auth_time(T).sign();
    let answer = send(&app, Request::get("/x").bearer(&scoped)).await;
    let told = ["acr_values", "max_age", "scope"].map(|name| answer.parameter(name));
    assert_eq!(told, [Some("a b"), None, None]);
}

/// STU-05: an introspected token, and one with a proof, are held to the same.
#[tokio::test]
async fn introspected_and_bound_tokens_are_held_to_the_same_login() {
    let fixture = Fixture::asking();
    let app = fixture.guarded::<StrongAndRecent>();
    let opaque = |acr: &str| fixture.opaque().scope("pay").acr(acr).auth_time(T).issue();
    send(&app, Request::get("/x").bearer(&opaque("b"))).await.assert_passed();
    let answer = send(&app, Request::get("/x").bearer(&opaque("c"))).await;
    answer.assert_refused(401, Some("insufficient_user_authentication"));
    assert_eq!(answer.parameter("acr_values"), Some("a b"));

    let client = DpopClient::new().clock(fixture.clock.clone());
    let bound = fixture.token().scope("pay").acr("c").auth_time(T).bound_to(&client).sign();
    let answer = send(&app, Request::get("/x").dpop(&client, "https://rs.example", &bound)).await;
    answer.assert_dpop_refused(401, "insufficient_user_authentication", "step_up_required");
    assert_eq!(answer.parameter_of("DPoP", "acr_values"), Some("a b"));
}

/// STU-06: whether the token is valid is judged first, so that strangers learn no requirement; `iat` is no login time.
#[tokio::test]
async fn an_invalid_token_is_told_nothing_of_the_login_that_the_route_wants() {
    let fixture = Fixture::new();
    let app = fixture.guarded::<StrongAndRecent>();
    let expired = fixture.token().scope("pay").acr("c").expired().sign();
    let answer = send(&app, Request::get("/x").bearer(&expired)).await;
    answer.assert_invalid_token("token_expired");
    assert_eq!((answer.parameter("acr_values"), answer.parameter("max_age")), (None, None));
    let issued_now = fixture.token().issued_at(T).sign();
    send(&fixture.guarded::<Recent>(), Request::get("/x").bearer(&issued_now))
        .await
        .assert_refused(401, Some("insufficient_user_authentication"));
}
