//! RFC 7662: tokens that nobody can read but their issuer, which is asked.

use std::time::Duration;

use http::{Method, Request};
use serde_json::{Value, json};
use tower_oauth::client_auth::ClientAuth;
use tower_oauth::test::{DpopClient, Fault, IntrospectionAnswer, ManualClock, RequestExt as _, TestIssuer};
use tower_oauth::time::Timestamp;
use tower_oauth::{Issuer, ResourceServer};

use crate::support::{Fixture, ISSUER, ME, RESOURCE, ReadAndWrite, SECRET, T, config, me, send};

const SECOND: Duration = Duration::from_secs(1);

/// A server that asks `issuer` as `auth`.
fn asking_as(issuer: &TestIssuer, clock: &ManualClock, auth: ClientAuth) -> Fixture {
    let trust = Issuer::opaque(ISSUER, auth).transport(issuer.transport());
    let server = ResourceServer::new(config(clock).trust(trust).build().unwrap());
    Fixture { issuer: issuer.clone(), clock: clock.clone(), server }
}

/// INT-01: the question is a form by POST, and no character of the token is lost on the way or seen in the URL.
#[tokio::test]
async fn the_token_is_asked_about_in_the_body_of_a_post() {
    let fixture = Fixture::asking();
    for token in ["a+b/c==", "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"] {
        fixture.answer(token).await.assert_invalid_token("token_inactive");
        let asked = fixture.issuer.last_introspection().unwrap();
        assert_eq!((asked.method(), asked.uri().query()), (&Method::POST, None));
        assert_eq!(asked.headers()["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(asked.parameter("token"), Some(token));
        assert!(!asked.uri().to_string().contains(token));
    }
}

/// INT-02: the resource server proves who it is; id and secret are form-encoded before Basic.
#[tokio::test]
async fn the_server_proves_itself_whatever_characters_its_secret_has() {
    let clock = ManualClock::new(T);
    let issuer = TestIssuer::new(ISSUER).clock(clock.clone());
    issuer.registers_client("a:b", "p%+é");
    issuer.registers_bearer("by-token", "t0ken");
    for (auth, client) in [
        (ClientAuth::secret_basic("a:b", "p%+é"), "a:b"),
        (ClientAuth::secret_post("a:b", "p%+é"), "a:b"),
        (ClientAuth::bearer("t0ken"), "by-token"),
    ] {
        let fixture = asking_as(&issuer, &clock, auth);
        fixture.answer(&fixture.opaque().issue()).await.assert_passed();
        assert_eq!(issuer.last_introspection().unwrap().client(), Some(client));
    }
    let refused = asking_as(&issuer, &clock, ClientAuth::secret_basic("a:b", "wrong"));
    refused.answer(&refused.opaque().issue()).await.assert_refused(503, None);
}

/// INT-03: only the boolean `true` makes a token active.
#[tokio::test]
async fn nothing_but_the_boolean_true_is_active() {
    let fixture = Fixture::asking();
    for active in [json!(false), json!("true"), json!(1), json!(null), json!([true])] {
        fixture.issuer.answers_introspection(IntrospectionAnswer::new().member("active", active));
        fixture.answer(&fixture.opaque().issue()).await.assert_invalid_token("token_inactive");
    }
    for body in ["{}", "[]", "true", "null", r#"[{"active":true}]"#] {
        fixture.issuer.answers_introspection(IntrospectionAnswer::new().body(body));
        fixture.answer(&fixture.opaque().issue()).await.assert_invalid_token("token_inactive");
    }
    fixture.issuer.answers_introspection(IntrospectionAnswer::new());
    fixture.answer(&fixture.opaque().issue()).await.assert_passed();
}

/// INT-04: an issuer that fails is not the client's fault: 503 with the time to try again, no error, never a pass.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_fails_judges_nobody() {
    for fault in [
        Fault::Connect,
        Fault::Hang,
        Fault::Stall,
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(429),
        Fault::Html,
        Fault::Truncated,
        Fault::Oversize,
        Fault::Redirect,
    ] {
        let fixture = Fixture::asking();
        let token = fixture.opaque().issue();
        fixture.issuer.fail_introspection(fault);
        let answer = fixture.answer(&token).await;
        answer.assert_unavailable("introspection_unavailable");
        fixture.issuer.heal();
        tokio::time::advance(Duration::from_secs(61)).await;
        fixture.answer(&token).await.assert_passed();
    }
    for odd in [json!({"active": true, "exp": "soon"}), json!({"active": true, "aud": RESOURCE, "scope": 7})] {
        let fixture = Fixture::asking();
        fixture.issuer.answers_introspection(IntrospectionAnswer::new().body(odd.to_string()));
        fixture.answer(&fixture.opaque().issue()).await.assert_unavailable("introspection_unavailable");
    }
}

/// INT-05: what the issuer says is held to the rules: time, issuer, audience, type, binding.
#[tokio::test]
async fn an_active_token_must_still_be_for_this_server_and_this_moment() {
    let fixture = Fixture::asking();
    let at = |moment: Timestamp| json!(moment.as_secs());
    let refusals: [(&str, Value, &str); 8] = [
        ("exp", at(T), "token_expired"),
        ("nbf", at(T.plus(SECOND)), "token_not_yet_valid"),
        ("iat", at(T.plus(SECOND)), "issued_in_future"),
        ("iss", json!("https://as.example/"), "issuer_unknown"),
        ("aud", json!("https://other.example"), "audience_mismatch"),
        ("aud", json!([]), "audience_mismatch"),
        ("cnf", json!({ "x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" }), "token_bound"),
        ("cnf", json!({ "other": "x" }), "token_bound"),
    ];
    for (member, value, kind) in refusals {
        fixture.issuer.answers_introspection(IntrospectionAnswer::new().member(member, value));
        fixture.answer(&fixture.opaque().issue()).await.assert_invalid_token(kind);
    }
    fixture.issuer.answers_introspection(IntrospectionAnswer::new().without_member("aud"));
    fixture.answer(&fixture.opaque().issue()).await.assert_invalid_token("audience_mismatch");
    fixture.issuer.answers_introspection(IntrospectionAnswer::new());
    let lacking = fixture.opaque().scope("read").issue();
    let answer = send(&fixture.guarded::<ReadAndWrite>(), Request::get("/x").bearer(&lacking)).await;
    answer.assert_refused(403, Some("insufficient_scope"));
    assert_eq!(answer.parameter("scope"), Some("read write"));
}

/// INT-05: the type of the token is compared in any case; only one of an access token passes.
#[tokio::test]
async fn only_types_of_access_tokens_pass() {
    let fixture = Fixture::asking();
    for good in ["Bearer", "bearer", "BEARER"] {
        fixture.answer(&fixture.opaque().token_type(good).issue()).await.assert_passed();
    }
    fixture.issuer.answers_introspection(IntrospectionAnswer::new().without_member("token_type"));
    fixture.answer(&fixture.opaque().issue()).await.assert_passed();
    fixture.issuer.answers_introspection(IntrospectionAnswer::new());
    for bad in ["mac", "N_A", "refresh_token", "", "Bearer "] {
        fixture.answer(&fixture.opaque().token_type(bad).issue()).await.assert_invalid_token("answer_mismatch");
    }
    fixture.issuer.answers_introspection(IntrospectionAnswer::new().member("token_type", 7));
    fixture.answer(&fixture.opaque().issue()).await.assert_invalid_token("answer_mismatch");
}

/// INT-06: an answer serves for a while and never past `exp`; a refusal serves briefly.
#[tokio::test]
async fn answers_are_kept_for_a_while_and_never_past_exp() {
    let fixture = Fixture::asking_with(|issuer| issuer.cache_for(300 * SECOND), |config| config);
    let token = fixture.opaque().expires_in(10 * SECOND).issue();
    for _ in 0..3 {
        fixture.answer(&token).await.assert_passed();
    }
    assert_eq!(fixture.issuer.introspections(), 1);
    fixture.clock.advance(10 * SECOND - Duration::from_millis(1));
    fixture.answer(&token).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 1);
    fixture.clock.advance(Duration::from_millis(1));
    assert!(!fixture.answer(&token).await.passed());
    assert_eq!(fixture.issuer.introspections(), 2, "at exp it is asked again");

    let fixture = Fixture::asking();
    for _ in 0..3 {
        fixture.answer("invented").await.assert_invalid_token("token_inactive");
    }
    assert_eq!(fixture.issuer.introspections(), 1);
    fixture.clock.advance(5 * SECOND);
    fixture.answer("invented").await.assert_invalid_token("token_inactive");
    assert_eq!(fixture.issuer.introspections(), 2);
}

/// INT-06: 30 s are the default, zero asks every time, and `exp` alone is the end where the configuration says so.
#[tokio::test]
async fn how_long_answers_serve_is_a_setting() {
    for (change, after, asked) in [
        ((|issuer| issuer) as fn(Issuer) -> Issuer, 29, 1),
        (|issuer| issuer, 30, 2),
        (|issuer: Issuer| issuer.cache_for(Duration::ZERO), 0, 2),
        (|issuer: Issuer| issuer.cache_until_exp(), 299, 1),
    ] {
        let fixture = Fixture::asking_with(change, |config| config);
        let token = fixture.opaque().issue();
        fixture.answer(&token).await.assert_passed();
        fixture.clock.advance(after * SECOND);
        fixture.answer(&token).await.assert_passed();
        assert_eq!(fixture.issuer.introspections(), asked, "after {after} s");
    }
}

/// INT-06: requests that come together share one question.
#[tokio::test(start_paused = true)]
async fn fifty_requests_at_once_ask_once() {
    let fixture = Fixture::asking();
    fixture.issuer.delay_introspection(SECOND);
    let token = fixture.opaque().issue();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (app, token) = (fixture.app(), token.clone());
        requests.spawn(async move { send(&app, Request::get("/x").bearer(&token)).await.assert_passed() });
    }
    requests.join_all().await;
    assert_eq!(fixture.issuer.introspections(), 1);
}

/// INT-06: a request that goes away takes its question with it from nobody.
#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_ends_no_question() {
    let fixture = Fixture::asking();
    fixture.issuer.delay_introspection(SECOND);
    let token = fixture.opaque().issue();
    let (app, first) = (fixture.app(), token.clone());
    let leaving = tokio::spawn(async move { send(&app, Request::get("/x").bearer(&first)).await });
    tokio::time::sleep(SECOND / 2).await;
    leaving.abort();
    fixture.answer(&token).await.assert_passed();
    assert_eq!(fixture.issuer.introspections(), 1);
}

/// INT-07: what one client is told is nothing to another, and two issuers' answers are two.
#[tokio::test]
async fn answers_are_kept_apart_by_issuer_and_client() {
    let clock = ManualClock::new(T);
    let issuer = TestIssuer::new(ISSUER).clock(clock.clone());
    issuer.registers_client(ME, SECRET);
    issuer.registers_client("other", SECRET);
    let mine = asking_as(&issuer, &clock, me());
    let theirs = asking_as(&issuer, &clock, ClientAuth::secret_basic("other", SECRET));
    let token = mine.opaque().issue();
    mine.answer(&token).await.assert_passed();
    issuer.answers_introspection(IntrospectionAnswer::new().member("active", false));
    theirs.answer(&token).await.assert_invalid_token("token_inactive");
    mine.answer(&token).await.assert_passed();
    assert!(!format!("{:?}{:?}", mine.server, theirs.server).contains(&token));
}

/// INT-08: an http endpoint is a mistake of the configuration, except on loopback where that is switched on.
#[test]
fn only_https_is_asked() {
    let build = |issuer: &str, endpoint: &str, loopback: bool| {
        let trust = Issuer::opaque(issuer, me()).introspection_endpoint(endpoint);
        let config = config(&ManualClock::new(T)).trust(trust);
        if loopback { config.dangerous_loopback_http().build() } else { config.build() }
    };
    assert!(build(ISSUER, "https://as.example/introspect", false).is_ok());
    for endpoint in ["http://as.example/introspect", "http://127.0.0.1/introspect", "/introspect", "https://a@b/x"] {
        let problems = build(ISSUER, endpoint, false).unwrap_err().to_string();
        assert!(problems.contains("introspection_endpoint"), "{problems}");
    }
    assert!(build(ISSUER, "http://127.0.0.1:9/introspect", true).is_ok());
    assert!(build(ISSUER, "http://localhost:9/introspect", true).is_err());
}

/// INT-08: a redirect is a failure; nothing goes where it leads.
#[tokio::test]
async fn no_redirect_carries_the_credentials_away() {
    let fixture = Fixture::asking();
    fixture.issuer.fail_introspection(Fault::Redirect);
    fixture.answer(&fixture.opaque().issue()).await.assert_unavailable("introspection_unavailable");
    assert_eq!(fixture.issuer.introspections(), 1);
}

/// INT-09: no JWT is sent to anybody because of what it says of itself, and a JWT that fails is not tried again by
/// asking.
#[tokio::test]
async fn a_jwt_is_sent_to_nobody_who_is_not_configured_to_be_asked() {
    let fixture = Fixture::asking();
    let stranger = TestIssuer::new("https://evil.example").clock(fixture.clock.clone());
    let unknown = stranger.token_for(RESOURCE).sign();
    fixture.answer(&unknown).await.assert_invalid_token("issuer_unknown");
    let forged = fixture.token().bad_signature().sign();
    fixture.answer(&forged).await.assert_invalid_token("signature_invalid");
    fixture.answer(&fixture.token().expired().sign()).await.assert_invalid_token("token_expired");
    fixture.answer(&format!("{}x", fixture.token().sign())).await.assert_refused(401, Some("invalid_token"));
    assert_eq!((fixture.issuer.introspections(), stranger.introspections()), (0, 0));
}

/// INT-09: a JWT of an issuer that is configured to be asked is asked about.
#[tokio::test]
async fn a_jwt_of_an_opaque_issuer_is_asked_about() {
    let clock = ManualClock::new(T);
    let issuer = TestIssuer::new(ISSUER).clock(clock.clone());
    issuer.registers_client(ME, SECRET);
    let fixture = asking_as(&issuer, &clock, me());
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    assert_eq!((issuer.introspections(), issuer.jwks_fetches()), (1, 0));
}

#[tokio::test]
async fn a_server_is_ready_without_the_keys_of_an_issuer_that_is_only_asked() {
    let clock = ManualClock::new(T);
    let issuer = TestIssuer::new(ISSUER).clock(clock.clone());
    issuer.registers_client(ME, SECRET);
    issuer.fail_jwks(Fault::Status(404));
    let fixture = asking_as(&issuer, &clock, me());
    fixture.server.ready().await.unwrap();
    fixture.answer(&fixture.opaque().issue()).await.assert_passed();
    assert_eq!(issuer.jwks_fetches(), 0);
}

/// Each opaque token is shown to the issuer whose mark it bears, and one that bears none or two to nobody.
#[tokio::test]
async fn a_token_is_shown_to_its_own_issuer_alone() {
    let clock = ManualClock::new(T);
    let [legacy, partner] = ["https://legacy.example", "https://partner.example"].map(|url| {
        let issuer = TestIssuer::new(url).clock(clock.clone());
        issuer.registers_client(ME, SECRET);
        issuer
    });
    let trust = |issuer: &TestIssuer| Issuer::opaque(issuer.issuer_url(), me()).transport(issuer.transport());
    let config = config(&clock)
        .trust(trust(&legacy).tokens_starting("lgc_"))
        .trust(trust(&partner).tokens_matching(|token| token.contains("ptn")));
    let server = ResourceServer::new(config.build().unwrap());
    let fixture = Fixture { issuer: legacy.clone(), clock, server };
    fixture.answer(&legacy.opaque_token_for(RESOURCE).starting("lgc_").issue()).await.assert_passed();
    fixture.answer(&partner.opaque_token_for(RESOURCE).starting("ptn_").issue()).await.assert_passed();
    assert_eq!((legacy.introspections(), partner.introspections()), (1, 1));
    fixture.answer("unmarked").await.assert_invalid_token("token_malformed");
    fixture.answer("lgc_and_ptn").await.assert_invalid_token("issuer_unknown");
    assert_eq!((legacy.introspections(), partner.introspections()), (1, 1));
}

#[test]
fn issuers_that_cannot_be_told_apart_are_a_mistake_of_the_configuration() {
    let opaque = |name: &str| Issuer::opaque(format!("https://{name}.example"), me());
    let build = |one: Issuer, two: Issuer| config(&ManualClock::new(T)).trust(one).trust(two).build();
    for (one, two) in [
        (opaque("a"), opaque("b")),
        (opaque("a"), Issuer::hybrid("https://b.example", me())),
        (opaque("a").tokens_starting("x_"), opaque("b").tokens_starting("x_")),
        (opaque("a").tokens_starting("x_"), opaque("b").tokens_starting("x_y_")),
    ] {
        let problems = build(one, two).unwrap_err().to_string();
        assert!(problems.contains("could both answer") && problems.contains("tokens_starting"), "{problems}");
    }
    assert!(build(opaque("a"), opaque("b").tokens_starting("x_")).is_ok());
    assert!(build(opaque("a"), Issuer::jwt("https://b.example").confirm_online(me())).is_ok());
    assert!(build(opaque("a").tokens_starting(""), opaque("b")).is_err());
    assert!(build(Issuer::jwt("https://a.example").cache_for(SECOND), opaque("b")).is_err());
}

/// DPP-35: the binding of an introspected token is that of its answer, proved on every request, recalled or not.
/// DPP-21: a bound opaque token sent as Bearer is refused.
#[tokio::test]
async fn a_bound_opaque_token_needs_a_proof_of_its_key_each_time() {
    let fixture = Fixture::asking();
    let (client, thief) =
        (DpopClient::new().clock(fixture.clock.clone()), DpopClient::new().clock(fixture.clock.clone()));
    let token = fixture.opaque().bound_to(&client).issue();
    let with = |client: &DpopClient| Request::get("/x").dpop(client, "https://rs.example", &token);
    for _ in 0..2 {
        send(&fixture.app(), with(&client)).await.assert_passed();
        send(&fixture.app(), with(&thief)).await.assert_dpop_refused(401, "invalid_token", "dpop_key_mismatch");
        let answer = fixture.answer(&token).await;
        answer.assert_invalid_token("token_bound");
        assert!(answer.parameter_of("DPoP", "algs").is_some());
    }
    assert_eq!(fixture.issuer.introspections(), 1, "all but the first are judged by the answer that is kept");
    let unbound = fixture.opaque().issue();
    let answer = send(&fixture.app(), Request::get("/x").dpop(&client, "https://rs.example", &unbound)).await;
    answer.assert_dpop_refused(401, "invalid_token", "token_unbound");
    let said_only = fixture.opaque().token_type("DPoP").issue();
    fixture.answer(&said_only).await.assert_invalid_token("token_bound");
    let answer = send(&fixture.app(), Request::get("/x").dpop(&client, "https://rs.example", &said_only)).await;
    answer.assert_dpop_refused(401, "invalid_token", "token_bound");
}

/// V-01 of the checklist: the example of RFC 9449 section 7.1 with the answer of section 6.2 passes whole.
#[tokio::test]
async fn the_printed_proof_passes_with_the_printed_answer() {
    const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let clock = ManualClock::new(Timestamp::from_secs(1_562_262_618));
    let issuer = TestIssuer::new("https://server.example.com").clock(clock.clone());
    issuer.registers_client(ME, SECRET);
    let answer = json!({
        "active": true, "sub": "someone@example.com", "iss": "https://server.example.com",
        "aud": "https://resource.example.org", "nbf": 1_562_262_611, "exp": 1_562_266_216,
        "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" },
    });
    issuer.answers_introspection(IntrospectionAnswer::new().body(answer.to_string()));
    let trust = Issuer::opaque("https://server.example.com", me()).transport(issuer.transport());
    let config = tower_oauth::OAuthConfig::builder("https://resource.example.org").clock(clock.clone()).trust(trust);
    let fixture = Fixture { issuer, clock, server: ResourceServer::new(config.build().unwrap()) };
    send(&fixture.app(), Request::get("/protectedresource").dpop_with(TOKEN, PROOF)).await.assert_passed();
}
