//! RFC 9396: what a token grants in detail.

use http::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_oauth::test::RequestExt as _;
use tower_oauth::{Authenticated, Demand, Detail, Requirement};

use crate::support::{Answer, Fixture, send};

struct Initiate;
impl Requirement for Initiate {
    const DEMAND: Demand = Demand::authenticated()
        .details(&[Detail::of_type("payment").actions(&["initiate"]).locations(&["https://rs.example/api"])]);
}

async fn initiate(fixture: &Fixture, details: Value) -> Answer {
    let token = fixture.token().claim("authorization_details", details).sign();
    send(&fixture.guarded::<Initiate>(), Request::get("/x").bearer(&token)).await
}

fn payment(kind: &str, action: &str, location: &str) -> Value {
    json!({ "type": kind, "actions": ["status", action], "locations": [location], "limit": 100 })
}

/// RAR-01: details are an array of objects with a type; a token with anything else there is refused.
#[tokio::test]
async fn details_of_another_shape_make_the_token_invalid() {
    let fixture = Fixture::new();
    let good = payment("payment", "initiate", "https://rs.example/api");
    initiate(&fixture, json!([good])).await.assert_passed();
    for bad in
        [good, json!("payment"), json!(["payment"]), json!([{ "actions": ["initiate"] }]), json!([{ "type": 7 }])]
    {
        initiate(&fixture, bad).await.assert_invalid_token("claim_invalid");
    }
}

/// RAR-01: of an introspected token they are read from the top level of the answer.
#[tokio::test]
async fn an_introspected_token_grants_in_detail_too() {
    let fixture = Fixture::asking();
    let app = fixture.guarded::<Initiate>();
    let details = json!([payment("payment", "initiate", "https://rs.example/api")]);
    let token = fixture.opaque().claim("authorization_details", details).issue();
    send(&app, Request::get("/x").bearer(&token)).await.assert_passed();
    let lacking = fixture.opaque().issue();
    send(&app, Request::get("/x").bearer(&lacking)).await.assert_refused(403, Some("insufficient_scope"));
}

/// RAR-02: types, actions and locations are compared exactly, and a type that nobody demands grants nothing.
/// RAR-03: what no detail grants whole is 403.
#[tokio::test]
async fn only_a_detail_that_grants_all_of_it_counts() {
    let fixture = Fixture::new();
    let here = "https://rs.example/api";
    for lacking in [
        json!([]),
        json!([payment("Payment", "initiate", here)]),
        json!([payment("payment_v2", "initiate", here)]),
        json!([payment("payment", "Initiate", here)]),
        json!([payment("payment", "initiate", "https://rs.example/api/")]),
        json!([payment("payment", "status", here), payment("payment", "initiate", "https://other.example")]),
    ] {
        let answer = initiate(&fixture, lacking).await;
        answer.assert_refused(403, Some("insufficient_scope"));
        assert_eq!(answer.rejection().kind().as_str(), "detail_missing");
    }
    let without = send(&fixture.guarded::<Initiate>(), Request::get("/x").bearer(&fixture.token().sign())).await;
    without.assert_refused(403, Some("insufficient_scope"));
}

#[derive(Debug, Deserialize)]
struct Payment {
    limit: u64,
}

/// RAR-03: what only the request knows is held against the details in the handler.
#[tokio::test]
async fn an_amount_above_the_grant_is_refused_by_the_handler() {
    let fixture = Fixture::new();
    let details = json!([
        { "type": "payment", "limit": "a lot" },
        { "type": "payment", "limit": 100 },
        { "type": "Payment", "limit": 9000 },
    ]);
    let token = fixture.token().claim("authorization_details", details).sign();
    let authenticated: Authenticated = fixture.authenticated(&token).await;
    let up_to = |amount: u64| authenticated.detail("payment", |payment: &Payment| amount <= payment.limit);
    assert_eq!(up_to(100).unwrap().limit, 100);
    let rejection = up_to(101).unwrap_err();
    assert_eq!((rejection.status().as_u16(), rejection.kind().as_str()), (403, "detail_missing"));
}
