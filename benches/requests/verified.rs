//! Tokens whose signature must be checked.

use tower_oauth::OAuthLayer;

use crate::harness::{Fixture, Limit, RawVerifier, Row, bare, call, section, take_turns, turns, with};

const PROSE: &str = "\
The signature is the physical floor: one ES256 verification with a key that was parsed before. What lies above it is
the whole rest of a request, from the router to the rules of RFC 9068.";

pub(crate) fn run(fixture: &Fixture) {
    section("A signature to check", PROSE);
    let tokens = fixture.tokens(2000);
    let forged = fixture.forged(2000);
    let raw = RawVerifier::new(&fixture.issuer);
    let (mut app, mut attacked) = (fixture.app(), fixture.app());
    let mut uncached = bare().layer(OAuthLayer::new(&fixture.uncached));
    // The first one causes a refresh; from then on it is cooling.
    assert_eq!(call(&mut attacked, with(&forged[0])), 401);
    let (floors, seen, kept, bad) = (turns(&tokens), turns(&tokens), turns(&tokens), turns(&forged));
    let [floor, without_cache, first, refused] = take_turns([
        &mut || assert!(raw.verify(floors())),
        &mut || assert_eq!(call(&mut uncached, with(seen())), 200),
        // Forgotten at once, so that every request is a first one and its insert is paid.
        &mut || {
            fixture.server.forget_verdicts();
            assert_eq!(call(&mut app, with(kept())), 200);
        },
        &mut || assert_eq!(call(&mut attacked, with(bad())), 401),
    ]);
    let beside = "raw verify, key parsed";
    Row::new("never seen, cache insert included")
        .beside(beside)
        .must(Limit::Times(1.20))
        .aim(Limit::Times(1.12))
        .over(floor, first);
    Row::new("a valid token, cache off").beside(beside).must(Limit::Times(1.15)).over(floor, without_cache);
    Row::new("a bad signature, never cached")
        .beside(beside)
        .must(Limit::Times(1.15))
        .aim(Limit::Times(1.10))
        .over(floor, refused);
}
