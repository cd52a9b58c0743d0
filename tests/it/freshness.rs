//! How new the knowledge must be that a token still stands: for a server, a layer and a route.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, service_fn};
use tower_oauth::observe::Event;
use tower_oauth::test::{DpopClient, Fault, ManualClock, RequestExt as _, TestIssuer};
use tower_oauth::{
    Authenticated, Demand, Dependency, Freshness, Granted, Issuer, OAuthLayer, OnFailure, PathRules, Requirement,
    ResourceServer, require,
};

use crate::support::{App, Fixture, ISSUER, ME, SECRET, T, config, inner, me, send};

const SECOND: Duration = Duration::from_secs(1);

struct Always;
impl Requirement for Always {
    const DEMAND: Demand = Demand::scope("pay").fresh(Freshness::Always);
}

struct Recent;
impl Requirement for Recent {
    const DEMAND: Demand = Demand::scope("pay").fresh(Freshness::Within(Duration::from_secs(10)));
}

struct Listed;
impl Requirement for Listed {
    const DEMAND: Demand = Demand::authenticated().fresh(Freshness::Denylist);
}

/// The layer as changed around `require::<R>()` around [`inner`].
fn guarded<R: Requirement>(fixture: &Fixture, change: impl FnOnce(OAuthLayer) -> OAuthLayer) -> App {
    let layer = change(OAuthLayer::new(&fixture.server));
    BoxCloneSyncService::new(layer.layer(require::<R>().layer(service_fn(inner))))
}

#[tokio::test]
async fn a_signed_token_is_asked_about_on_every_request_where_the_route_says_always() {
    let fixture = Fixture::asking();
    let (always, plain) = (fixture.guarded::<Always>(), fixture.app());
    let token = fixture.token().scope("pay").sign();
    for asked in 1..=3 {
        send(&always, Request::get("/x").bearer(&token)).await.assert_passed();
        assert_eq!(fixture.issuer.introspections(), asked);
    }
    send(&plain, Request::get("/x").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 3, "only the route that asks pays");
    fixture.issuer.revoke(&token);
    send(&always, Request::get("/x").bearer(&token)).await.assert_invalid_token("token_inactive");
    send(&plain, Request::get("/x").bearer(&token)).await.assert_passed();
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_once_for_a_request_however_many_want_it() {
    let fixture = Fixture::asking();
    let always = guarded::<Always>(&fixture, |layer| layer.freshness(Freshness::Always));
    let token = fixture.opaque().scope("pay").issue();
    for asked in 1..=3 {
        send(&always, Request::get("/x").bearer(&token)).await.assert_passed();
        assert_eq!(fixture.issuer.introspections(), asked);
    }
    fixture.issuer.revoke(&token);
    send(&always, Request::get("/x").bearer(&token)).await.assert_invalid_token("token_inactive");
    fixture.answer(&token).await.assert_invalid_token("token_inactive");
}

#[tokio::test]
async fn an_answer_of_the_last_seconds_is_enough_where_the_route_says_so() {
    let fixture = Fixture::asking();
    let recent = fixture.guarded::<Recent>();
    for token in [fixture.token().scope("pay").sign(), fixture.opaque().scope("pay").issue()] {
        let before = fixture.issuer.introspections();
        send(&recent, Request::get("/x").bearer(&token)).await.assert_passed();
        fixture.clock.advance(10 * SECOND);
        send(&recent, Request::get("/x").bearer(&token)).await.assert_passed();
        assert_eq!(fixture.issuer.introspections(), before + 1);
        fixture.issuer.revoke(&token);
        send(&recent, Request::get("/x").bearer(&token)).await.assert_passed();
        fixture.clock.advance(Duration::from_millis(1));
        send(&recent, Request::get("/x").bearer(&token)).await.assert_invalid_token("token_inactive");
    }
}

#[tokio::test]
async fn a_scope_withdrawn_in_mid_session_is_missing_where_the_issuer_is_asked() {
    let fixture = Fixture::asking();
    let (always, recent) = (fixture.guarded::<Always>(), fixture.guarded::<Recent>());
    let token = fixture.token().scope("pay").sign();
    send(&recent, Request::get("/x").bearer(&token)).await.assert_passed();
    fixture.issuer.set_claim(&token, "scope", "read");
    send(&recent, Request::get("/x").bearer(&token)).await.assert_passed();
    let answer = send(&always, Request::get("/x").bearer(&token)).await;
    answer.assert_refused(403, Some("insufficient_scope"));
    send(&recent, Request::get("/x").bearer(&token)).await.assert_refused(403, Some("insufficient_scope"));
}

#[tokio::test]
async fn a_layer_relaxes_or_raises_what_the_server_says_and_a_demand_only_raises_it() {
    let fixture = Fixture::asking_with(|issuer| issuer, |config| config.freshness(Freshness::Always));
    let token = fixture.token().scope("pay").sign();
    fixture.answer(&token).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 1, "the server's own default");
    let relaxed = fixture.layered(|layer| layer.freshness(Freshness::Offline));
    send(&relaxed, Request::get("/x").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 1, "relaxed by the layer");
    let raised = guarded::<Always>(&fixture, |layer| layer.freshness(Freshness::Offline));
    send(&raised, Request::get("/x").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 2, "raised by the demand");
    let not_lowered = guarded::<Listed>(&fixture, |layer| layer.freshness(Freshness::Always));
    send(&not_lowered, Request::get("/x").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 3, "a demand for less lowers nothing");
}

#[tokio::test]
async fn a_layer_within_a_layer_asks_for_what_it_wants_beyond_and_for_nothing_twice() {
    let fixture = Fixture::asking();
    let within = |freshness| {
        let inner_layer = OAuthLayer::new(&fixture.server).freshness(freshness);
        let app: App =
            BoxCloneSyncService::new(OAuthLayer::new(&fixture.server).layer(inner_layer.layer(service_fn(inner))));
        app
    };
    let token = fixture.token().sign();
    send(&within(Freshness::Denylist), Request::get("/x").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 0);
    send(&within(Freshness::Always), Request::get("/x").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 1);
    fixture.issuer.revoke(&token);
    send(&within(Freshness::Always), Request::get("/x").bearer(&token)).await.assert_invalid_token("token_inactive");
}

#[tokio::test]
async fn a_demand_on_a_path_raises_the_freshness_of_that_path() {
    let fixture = Fixture::asking();
    let rules = || PathRules::new().require::<Always>("/pay/{*rest}").require::<Listed>("/{*rest}");
    let app = fixture.layered(|layer| layer.paths(rules()));
    let token = fixture.token().scope("pay").sign();
    send(&app, Request::get("/orders").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 0);
    send(&app, Request::get("/pay/out").bearer(&token)).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 1);
}

#[tokio::test]
async fn a_proof_is_spent_once_however_often_the_token_is_asked_about() {
    let fixture = Fixture::asking();
    let client = DpopClient::new().clock(fixture.clock.clone());
    let always = fixture.guarded::<Always>();
    for token in
        [fixture.token().scope("pay").bound_to(&client).sign(), fixture.opaque().scope("pay").bound_to(&client).issue()]
    {
        send(&always, Request::get("/x").dpop(&client, "https://rs.example", &token)).await.assert_passed();
    }
}

#[tokio::test]
async fn a_binding_that_changed_at_the_issuer_ends_the_token() {
    let fixture = Fixture::asking();
    let [client, other] = [(); 2].map(|()| DpopClient::new().clock(fixture.clock.clone()));
    let always = fixture.guarded::<Always>();
    for token in
        [fixture.token().scope("pay").bound_to(&client).sign(), fixture.opaque().scope("pay").bound_to(&client).issue()]
    {
        let request = || Request::get("/x").dpop(&client, "https://rs.example", &token);
        send(&fixture.app(), request()).await.assert_passed();
        fixture.issuer.set_claim(&token, "cnf", serde_json::json!({ "jkt": other.thumbprint() }));
        send(&always, request()).await.assert_dpop_refused(401, "invalid_token", "answer_mismatch");
    }
}

#[tokio::test]
async fn a_route_that_wants_the_issuer_asked_where_nobody_can_is_a_mistake_of_the_service() {
    let fixture = Fixture::new();
    let token = fixture.token().scope("pay").sign();
    let answer = send(&fixture.guarded::<Always>(), Request::get("/x").bearer(&token)).await;
    answer.assert_refused(500, None);
    assert_eq!(answer.rejection().kind().as_str(), "freshness_impossible");
    assert!(answer.rejection().to_string().contains("confirm_online"));
}

#[tokio::test]
async fn an_issuer_of_signed_tokens_can_be_asked_about_them_and_not_about_others() {
    let clock = ManualClock::new(T);
    let issuer = TestIssuer::new(ISSUER).clock(clock.clone());
    issuer.registers_client(ME, SECRET);
    let trust = Issuer::jwt(ISSUER).confirm_online(me()).transport(issuer.transport());
    let server = ResourceServer::new(config(&clock).trust(trust).build().unwrap());
    let fixture = Fixture { issuer, clock, server };
    let always = fixture.guarded::<Always>();
    send(&always, Request::get("/x").bearer(&fixture.token().scope("pay").sign())).await.assert_passed();
    fixture.answer(&fixture.opaque().issue()).await.assert_invalid_token("token_malformed");
    assert_eq!(fixture.issuer.introspections(), 1);
}

#[tokio::test]
async fn a_check_without_an_extractor_asks_too_and_one_that_cannot_wait_says_so() {
    let fixture = Fixture::asking();
    let token = fixture.token().scope("pay").sign();
    let authenticated: Authenticated = fixture.authenticated(&token).await;
    let rejection = authenticated.meets(&Always::DEMAND).unwrap_err();
    assert_eq!((rejection.status().as_u16(), rejection.kind().as_str()), (500, "freshness_impossible"));
    let proved = authenticated.proves(&Always::DEMAND).await.unwrap();
    assert!(proved.introspected_at().is_some() && proved.meets(&Always::DEMAND).is_ok());
    let granted: Granted<Always> = Granted::check(&authenticated).await.unwrap();
    assert_eq!(granted.principal().id(), "user-1");
    assert_eq!(fixture.issuer.introspections(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_does_not_answer_is_503_unless_the_layer_says_otherwise_by_name() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let fixture = Fixture::asking_with(
        |issuer| issuer,
        |config| {
            let told = Arc::clone(&told);
            config.observer(move |event: &Event<'_>| {
                if let Event::FailurePolicyUsed { dependency, policy, issuer } = *event {
                    told.lock().unwrap().push(format!("{dependency} {policy} {issuer}"));
                }
            })
        },
    );
    // Layer and route may each have to go on without an answer; each time it is told.
    let told = || {
        let mut told: Vec<_> = told.lock().unwrap().drain(..).collect();
        told.dedup();
        told
    };
    let closed = fixture.guarded::<Always>();
    let stale = guarded::<Always>(&fixture, |layer| {
        layer.on_failure(Dependency::Introspection, OnFailure::StaleWithin(60 * SECOND))
    });
    let open =
        guarded::<Always>(&fixture, |layer| layer.on_failure(Dependency::Introspection, OnFailure::OpenAndCounted));
    for token in [fixture.token().scope("pay").sign(), fixture.opaque().scope("pay").issue()] {
        fixture.issuer.heal();
        send(&stale, Request::get("/x").bearer(&token)).await.assert_passed();
        fixture.issuer.fail_introspection(Fault::Status(400));
        fixture.clock.advance(60 * SECOND);
        send(&closed, Request::get("/x").bearer(&token)).await.assert_unavailable("introspection_unavailable");
        send(&stale, Request::get("/x").bearer(&token)).await.assert_passed();
        assert_eq!(told(), [format!("introspection stale_within {ISSUER}")]);
        fixture.clock.advance(SECOND);
        send(&stale, Request::get("/x").bearer(&token)).await.assert_unavailable("introspection_unavailable");
        send(&open, Request::get("/x").bearer(&token)).await.assert_passed();
        assert_eq!(told(), [format!("introspection open_and_counted {ISSUER}")]);
    }
    let never_seen = fixture.opaque().scope("pay").issue();
    send(&open, Request::get("/x").bearer(&never_seen)).await.assert_unavailable("introspection_unavailable");
}

#[tokio::test(start_paused = true)]
async fn no_policy_lets_an_expired_token_pass() {
    let fixture = Fixture::asking();
    let open = fixture.layered(|layer| layer.on_failure(Dependency::Introspection, OnFailure::OpenAndCounted));
    let token = fixture.opaque().expires_in(40 * SECOND).issue();
    send(&open, Request::get("/x").bearer(&token)).await.assert_passed();
    fixture.issuer.fail_introspection(Fault::Status(400));
    fixture.clock.advance(39 * SECOND);
    send(&open, Request::get("/x").bearer(&token)).await.assert_passed();
    fixture.clock.advance(SECOND);
    assert!(!send(&open, Request::get("/x").bearer(&token)).await.passed());
}
