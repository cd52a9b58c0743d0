//! Refusals that cost no signature, and the admission that nothing can be judged: what strangers can ask for at will.

use tower_oauth::test::{Fault, TestIssuer};
use tower_oauth::{OAuthConfig, OAuthLayer};

use crate::harness::{DoNothing, Fixture, Limit, RESOURCE, Row, bare, call, section, take_turns, with, without};

const PROSE: &str = "\
Anybody may send these, as often as he likes, so they must cost less than they cost their sender. What is free to check
comes before the signature: issuer, audience, times. While an issuer is down and no keys are there, requests are
answered 503 with `Retry-After` at once; nobody waits for a fetch that is not due.";

pub(crate) fn run(fixture: &Fixture) {
    section("Refused without a signature", PROSE);
    let mut app = fixture.app();
    let (mut router, mut layered) = (bare(), bare().layer(DoNothing));
    let [floor, nothing, missing] = take_turns([
        &mut || assert_eq!(call(&mut router, without()), 200),
        &mut || assert_eq!(call(&mut layered, without()), 200),
        &mut || assert_eq!(call(&mut app, without()), 401),
    ]);
    let beside = "router without any layer";
    Row::new("a layer that does nothing, for comparison").beside(beside).over(floor, nothing);
    Row::new("no credential").beside(beside).must(Limit::Over(200.0)).aim(Limit::Over(50.0)).over(floor, missing);

    let expired = fixture.builder(0).expired().sign();
    let elsewhere = fixture.builder(0).audience("https://other.test").sign();
    let stranger = fixture.builder(0).issuer_claim("https://stranger.test").sign();
    let garbage = "x".repeat(700);
    for (what, token) in [
        ("expired: refused before the signature", &expired),
        ("another service's audience", &elsewhere),
        ("an unknown issuer", &stranger),
        ("not a JWT at all", &garbage),
    ] {
        let [floor, refused] = take_turns([&mut || assert_eq!(call(&mut router, with(token)), 200), &mut || {
            assert_eq!(call(&mut app, with(token)), 401)
        }]);
        Row::new(what).beside(beside).must(Limit::Within(2500.0)).aim(Limit::Within(1500.0)).over(floor, refused);
    }

    let down = TestIssuer::new("https://login.test");
    down.fail(Fault::Connect);
    let config = OAuthConfig::builder(RESOURCE).trust(down.issuer()).build().expect("a sound configuration");
    let mut unjudged = bare().layer(OAuthLayer::new(config));
    let [floor, unjudged] = take_turns([&mut || assert_eq!(call(&mut router, with(&fixture.token)), 200), &mut || {
        assert_eq!(call(&mut unjudged, with(&fixture.token)), 503)
    }]);
    Row::new("the issuer is down and has no keys: 503").beside(beside).over(floor, unjudged);
}
