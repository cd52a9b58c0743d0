//! RFC 8693: who acts for whom.

use http::Request;
use serde_json::json;
use tower_oauth::test::RequestExt as _;
use tower_oauth::{Demand, Requirement};

use crate::support::{Fixture, send};

struct Admin;
impl Requirement for Admin {
    const DEMAND: Demand = Demand::scope("admin");
}

struct Clerk;
impl Requirement for Clerk {
    const DEMAND: Demand = Demand::authenticated().roles(&["clerk"]);
}

/// ACT-01: rights are those of the token alone; whoever acts or acted adds none, and the chain can be read.
#[tokio::test]
async fn an_actor_adds_no_rights_and_is_told_with_those_before() {
    let fixture = Fixture::new();
    let act = json!({
        "sub": "service-a", "client_id": "a", "scope": "admin", "roles": ["clerk"],
        "act": { "sub": "service-b", "scope": "admin", "act": { "client_id": "c" } },
    });
    let token = fixture.token().claim("act", act).sign();
    for app in [fixture.guarded::<Admin>(), fixture.guarded::<Clerk>()] {
        send(&app, Request::get("/x").bearer(&token)).await.assert_refused(403, Some("insufficient_scope"));
    }
    let authenticated = fixture.authenticated(&token).await;
    assert_eq!(authenticated.subject(), Some("user-1"));
    let actor = authenticated.actor().unwrap();
    assert_eq!((actor.subject(), actor.client_id()), (Some("service-a"), Some("a")));
    let before: Vec<_> = actor.prior().map(|actor| actor.subject().or(actor.client_id())).collect();
    assert_eq!(before, [Some("service-b"), Some("c")]);
}

/// ACT-02: an actor is an object, at every depth, and who may act gives the presenter nothing.
#[tokio::test]
async fn an_actor_that_is_no_object_makes_the_token_invalid() {
    let fixture = Fixture::new();
    for act in [json!("service-a"), json!([]), json!(null), json!({ "sub": "a", "act": "b" }), json!({ "sub": 7 })] {
        fixture.answer(&fixture.token().claim("act", act).sign()).await.assert_invalid_token("claim_invalid");
    }
    let may_act = fixture.token().claim("may_act", json!({ "sub": "service-a" })).sign();
    fixture.answer(&may_act).await.assert_passed();
    assert_eq!(fixture.authenticated(&may_act).await.actor(), None);
}
