//! A token that was seen before.

use tower_oauth::OAuthLayer;

use crate::harness::{DoNothing, Fixture, Limit, Row, bare, call, section, take_turns, turns, with};

const PROSE: &str = "\
Most requests repeat a token that was verified a moment ago. They cost a keyed hash of the token and a look at the
cached verdict, whose time, keys and configuration are compared every time. The floor is the same router with a layer
that does nothing.";

pub(crate) fn run(fixture: &Fixture) {
    section("The same token again", PROSE);
    let (mut app, mut layered) = (fixture.app(), bare().layer(DoNothing));
    let mut uncached = bare().layer(OAuthLayer::new(&fixture.uncached));
    let [floor, hit, verified] = take_turns([
        &mut || assert_eq!(call(&mut layered, with(&fixture.token)), 200),
        &mut || assert_eq!(call(&mut app, with(&fixture.token)), 200),
        &mut || assert_eq!(call(&mut uncached, with(&fixture.token)), 200),
    ]);
    Row::new("the same valid token again")
        .beside("do-nothing layer")
        .must(Limit::Over(600.0))
        .aim(Limit::Over(400.0))
        .over(floor, hit);
    Row::new("verifying it each time instead")
        .beside("the same valid token again")
        .must(Limit::AtLeast(30.0))
        .aim(Limit::AtLeast(38.0))
        .over(hit, verified);

    let tokens = fixture.tokens(10_000);
    tokens.iter().for_each(|token| assert_eq!(call(&mut app, with(token)), 200));
    let (next, again) = (turns(&tokens), turns(&tokens));
    let [floor, hit] = take_turns([&mut || assert_eq!(call(&mut layered, with(again())), 200), &mut || {
        assert_eq!(call(&mut app, with(next())), 200)
    }]);
    Row::new("10 000 tokens in turn, second time round")
        .beside("do-nothing layer")
        .must(Limit::Over(1100.0))
        .aim(Limit::Over(800.0))
        .over(floor, hit);
}
