//! RFC 9068: JWT access tokens.

use std::time::Duration;

use http::Request;
use serde_json::json;
use tower_oauth::test::{RequestExt as _, TestIssuer};
use tower_oauth::{Demand, Issuer, OAuthConfig, Profile, Requirement, ResourceServer};

use crate::support::{Fixture, ISSUER, RESOURCE, T, config, send};

/// ATJ-01: typ is at+jwt, in any case and with or without application/; nothing else.
#[tokio::test]
async fn only_access_tokens_pass_by_their_type() {
    let fixture = Fixture::new();
    for typ in ["at+jwt", "at+JWT", "application/at+jwt", "Application/AT+JWT"] {
        fixture.answer(&fixture.token().typ(typ).sign()).await.assert_passed();
    }
    for typ in ["JWT", "dpop+jwt", "logout+jwt", "token-introspection+jwt", "xat+jwt", "", "text/at+jwt"] {
        fixture.answer(&fixture.token().typ(typ).sign()).await.assert_invalid_token("wrong_token_type");
    }
    fixture.answer(&fixture.token().without_typ().sign()).await.assert_invalid_token("wrong_token_type");
}

/// ATJ-02: another typ passes only by a preset, which demands another mark; the issuer's ID token never does.
#[tokio::test]
async fn another_type_needs_a_preset_and_its_mark() {
    let issuer = TestIssuer::new(ISSUER);
    let trust = || issuer.issuer().profile(Profile::marked_by("kind", "access"));
    let build = |issuer: Issuer| ResourceServer::new(OAuthConfig::builder(RESOURCE).trust(issuer).build().unwrap());
    let (strict, lenient) = (build(issuer.issuer()), build(trust()));
    let token = issuer.token_for(RESOURCE).typ("JWT").claim("kind", "access").sign();
    let id_token = issuer.token_for(RESOURCE).typ("JWT").claim("kind", "id").sign();
    let unmarked = issuer.token_for(RESOURCE).typ("JWT").sign();
    for (server, token, passes) in
        [(&strict, &token, false), (&lenient, &token, true), (&lenient, &id_token, false), (&lenient, &unmarked, false)]
    {
        let fixture = Fixture { server: server.clone(), ..Fixture::new() };
        assert_eq!(fixture.answer(token).await.passed(), passes);
    }
}

/// ATJ-03: each required claim must be there, with the right type.
#[tokio::test]
async fn each_required_claim_must_be_there_and_well_typed() {
    let fixture = Fixture::new();
    for claim in ["exp", "aud", "sub", "client_id", "iat", "jti"] {
        let missing = fixture.answer(&fixture.token().without(claim).sign()).await;
        missing.assert_invalid_token("claim_missing");
        for wrong in [json!({}), json!(null), json!([7]), json!(true)] {
            let token = fixture.token().claim(claim, &wrong).sign();
            fixture.answer(&token).await.assert_invalid_token("claim_invalid");
        }
    }
    fixture.answer(&fixture.token().without("iss").sign()).await.assert_invalid_token("issuer_unknown");
    fixture.answer(&fixture.token().claim("iss", 7).sign()).await.assert_invalid_token("claim_invalid");
    for claim in ["exp", "iat", "nbf"] {
        fixture.answer(&fixture.token().claim(claim, "1").sign()).await.assert_invalid_token("claim_invalid");
    }
}

/// ATJ-04: the issuer is compared code point by code point.
#[tokio::test]
async fn the_issuer_is_compared_exactly() {
    let fixture = Fixture::new();
    for other in ["https://as.example/", "https://AS.example", "HTTPS://as.example", "https://as.example:443", ""] {
        fixture.answer(&fixture.token().issuer_claim(other).sign()).await.assert_invalid_token("issuer_unknown");
    }
}

/// ATJ-05: the audience names this resource, whole.
#[tokio::test]
async fn the_audience_must_name_this_resource() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().audiences(["x", RESOURCE]).sign()).await.assert_passed();
    for other in ["https://rs.example", "https://rs.example/api/v2", "https://rs.example/api/", ""] {
        fixture.answer(&fixture.token().audience(other).sign()).await.assert_invalid_token("audience_mismatch");
    }
    fixture.answer(&fixture.token().claim("aud", json!([])).sign()).await.assert_invalid_token("audience_mismatch");
    fixture.answer(&fixture.token().without("aud").sign()).await.assert_invalid_token("claim_missing");
}

/// ATJ-06: now < exp, nbf is honoured, and times may have fractions.
#[tokio::test]
async fn times_are_judged_to_the_fraction_of_a_second() {
    let fixture = Fixture::new();
    let now = T.as_secs();
    for (exp, passes) in
        [(json!(now), false), (json!(now as f64 + 0.5), true), (json!(now + 1), true), (json!(now - 1), false)]
    {
        assert_eq!(fixture.answer(&fixture.token().claim("exp", &exp).sign()).await.passed(), passes, "exp {exp}");
    }
    fixture.answer(&fixture.token().claim("nbf", now + 1).sign()).await.assert_invalid_token("token_not_yet_valid");
    fixture.answer(&fixture.token().claim("nbf", now).sign()).await.assert_passed();
    fixture.answer(&fixture.token().claim("iat", now + 1).sign()).await.assert_invalid_token("issued_in_future");
    fixture.answer(&fixture.token().claim("iat", now).sign()).await.assert_passed();
    fixture.answer(&fixture.token().claim("exp", now.to_string()).sign()).await.assert_invalid_token("claim_invalid");
}

/// ATJ-06: the default leeway of 60 seconds holds for exp, nbf and iat, to the second.
#[tokio::test]
async fn the_default_leeway_is_a_minute() {
    let fixture = Fixture::with(|config| config.leeway(Duration::from_secs(60)));
    let now = T.as_secs();
    for (claim, offset, passes) in [
        ("exp", -59, true),
        ("exp", -60, false),
        ("nbf", 60, true),
        ("nbf", 61, false),
        ("iat", 60, true),
        ("iat", 61, false),
    ] {
        let token = fixture.token().issued_at(T).claim(claim, now + offset).sign();
        assert_eq!(fixture.answer(&token).await.passed(), passes, "{claim} {offset}");
    }
    let clock = &fixture.clock;
    let unset = OAuthConfig::builder(RESOURCE).clock(clock.clone()).trust(fixture.issuer.issuer()).build().unwrap();
    let unset = Fixture { server: ResourceServer::new(unset), ..fixture };
    assert!(unset.answer(&unset.token().claim("exp", now - 59).sign()).await.passed());
    assert!(!unset.answer(&unset.token().claim("exp", now - 60).sign()).await.passed());
}

/// ATJ-07: keys come only from the issuer that iss names, and an unknown issuer causes no fetch.
#[tokio::test]
async fn keys_come_only_from_the_issuer_that_is_named() {
    let other = TestIssuer::new("https://other.example").clock(tower_oauth::test::ManualClock::new(T));
    let fixture = Fixture::with(|config| config.trust(other.issuer()));
    let forged = fixture.token().signed_by(&other).kid(&fixture.issuer.kid()).sign();
    fixture.answer(&forged).await.assert_invalid_token("signature_invalid");
    let own_kid = fixture.token().signed_by(&other).sign();
    fixture.answer(&own_kid).await.assert_invalid_token("key_unknown");
    assert_eq!((other.metadata_fetches(), other.jwks_fetches()), (0, 0));
    fixture.answer(&other.token_for(RESOURCE).sign()).await.assert_passed();

    let stranger = Fixture::new();
    let canary = TestIssuer::new("https://canary.example");
    stranger.answer(&canary.token_for(RESOURCE).sign()).await.assert_invalid_token("issuer_unknown");
    let fetched = [&canary, &stranger.issuer].map(|issuer| issuer.metadata_fetches() + issuer.jwks_fetches());
    assert_eq!(fetched, [0, 0]);
}

/// ATJ-08: an encrypted token is refused: no decryption is configured.
#[tokio::test]
async fn an_encrypted_token_is_refused() {
    let fixture = Fixture::new();
    fixture.answer("eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d").await.assert_invalid_token("token_encrypted");
    assert_eq!(fixture.issuer.jwks_fetches(), 0);
}

/// ATJ-09: whatever is wrong with a token is told as invalid_token, in the same words.
#[tokio::test]
async fn every_fault_of_a_token_is_told_alike() {
    let fixture = Fixture::new();
    let mut answers = Vec::new();
    for token in [
        fixture.token().typ("JWT").sign(),
        fixture.token().without("sub").sign(),
        fixture.token().issuer_claim("https://evil.example").sign(),
        fixture.token().audience("https://elsewhere.example").sign(),
        fixture.token().expired().sign(),
        fixture.token().bad_signature().sign(),
        fixture.token().kid("unknown").sign(),
        "a.b.c.d.e".to_owned(),
    ] {
        let answer = fixture.answer(&token).await;
        answer.assert_refused(401, Some("invalid_token"));
        answers.push(answer);
    }
    let challenges: Vec<_> = answers.iter().map(|answer| answer.challenge()).collect();
    assert!(challenges.windows(2).all(|pair| pair[0] == pair[1]), "{challenges:#?}");
}

/// ATJ-10: scopes and roles decide; a missing scope claim is no scope, and an array is malformed.
#[tokio::test]
async fn scopes_and_roles_decide() {
    tower_oauth::scopes! { Read = "read"; }
    struct Clerk;
    impl Requirement for Clerk {
        const DEMAND: Demand = Demand::authenticated().roles(&["clerk"]);
    }
    let fixture = Fixture::new();
    let reads = fixture.guarded::<Read>();
    let with = |token: String| Request::get("/x").bearer(&token);
    send(&reads, with(fixture.token().without("scope").sign())).await.assert_refused(403, Some("insufficient_scope"));
    send(&reads, with(fixture.token().scope("read").sign())).await.assert_passed();
    let array = fixture.token().claim("scope", json!(["read"])).sign();
    send(&reads, with(array)).await.assert_invalid_token("claim_invalid");

    let clerks = fixture.guarded::<Clerk>();
    send(&clerks, with(fixture.token().roles(["clerk"]).sign())).await.assert_passed();
    let lacking = send(&clerks, with(fixture.token().roles(["guest"]).sign())).await;
    lacking.assert_refused(403, Some("insufficient_scope"));
    assert_eq!(lacking.rejection().kind().as_str(), "role_missing");

    let clock = &fixture.clock;
    let lenient = config(clock).trust(fixture.issuer.issuer().profile(Profile::rfc9068().scope_arrays()));
    let lenient = Fixture { server: ResourceServer::new(lenient.build().unwrap()), ..fixture };
    let array = lenient.token().claim("scope", json!(["read"])).sign();
    send(&lenient.guarded::<Read>(), with(array)).await.assert_passed();
}

/// ATJ-11: a client's own token does not pass for a user of the same name.
#[tokio::test]
async fn a_client_is_not_a_user() {
    struct Users;
    impl Requirement for Users {
        const DEMAND: Demand = Demand::authenticated().user_only();
    }
    let fixture = Fixture::new();
    let token = fixture.token().client("alice").client_credentials().sign();
    assert_eq!(fixture.answer(&token).await.header("x-principal"), Some("client alice"));
    let users = fixture.guarded::<Users>();
    let refused = send(&users, Request::get("/x").bearer(&token)).await;
    refused.assert_refused(403, Some("insufficient_scope"));
    assert_eq!(refused.rejection().kind().as_str(), "user_required");
    send(&users, Request::get("/x").bearer(&fixture.token().subject("alice").client("app").sign()))
        .await
        .assert_passed();
}
