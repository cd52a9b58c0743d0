//! Whether a token still stands: asked of its issuer, or held against what was revoked.

use std::sync::Arc;
use std::time::Duration;

use tower_oauth::client_auth::ClientAuth;
use tower_oauth::store::{Denied, DenyRule, Denylist as _, MemoryDenylist};
use tower_oauth::time::{Clock as _, SystemClock};
use tower_oauth::{Issuer, OAuthLayer};

use crate::harness::{Fixture, Limit, Row, bare, call, quick, section, take_turns, with};

const PROSE: &str = "\
An opaque token costs one question to its issuer and then no more than a signed one: the answer is recalled as a verdict \
is. Rules of the denylist cost a recalled verdict one look at a number, however many there are, until a new one comes.";

pub(crate) fn run(fixture: &Fixture) {
    section("Whether a token still stands", PROSE);
    fixture.issuer.registers_client("bench", "s3cret");
    let trust = Issuer::hybrid(fixture.issuer.issuer_url(), ClientAuth::secret_basic("bench", "s3cret"))
        .transport(fixture.issuer.transport())
        .cache_until_exp();
    let asking = fixture.server_of(trust, |config| config);
    let opaque = fixture.opaque(0).issue();
    let mut app = bare().layer(OAuthLayer::new(&asking));
    let ask = |app: &mut axum::Router, token: &str| {
        let answered = fixture.runtime.block_on(tower::ServiceExt::oneshot(app.clone(), with(token)));
        assert_eq!(answered.expect("an answer").status(), 200);
    };
    ask(&mut app, &opaque);
    ask(&mut app, &fixture.token);
    let mut same = app.clone();
    let [signed, introspected] =
        take_turns([&mut || assert_eq!(call(&mut app, with(&fixture.token)), 200), &mut || {
            assert_eq!(call(&mut same, with(&opaque)), 200)
        }]);
    Row::new("an introspected token, its answer recalled")
        .beside("the same signed token again")
        .must(Limit::Times(1.20))
        .aim(Limit::Times(1.10))
        .over(signed, introspected);

    let (list, now) = (Arc::new(MemoryDenylist::new()), SystemClock.now());
    let rules = if quick() { 100_000 } else { 1_000_000 };
    for n in 0..rules {
        let denied = Denied::Token(format!("revoked-{n}").into());
        let rule = DenyRule::new(fixture.issuer.issuer_url(), denied, now.plus(Duration::from_secs(3600)));
        let told = fixture.runtime.block_on(list.deny(rule, now).wait());
        told.expect("there is room");
    }
    let ruled = fixture.server(|config| config.denylist(Arc::clone(&list)));
    let mut among_rules = bare().layer(OAuthLayer::new(&ruled));
    let mut without = fixture.app();
    let [free, denying] = take_turns([&mut || assert_eq!(call(&mut without, with(&fixture.token)), 200), &mut || {
        assert_eq!(call(&mut among_rules, with(&fixture.token)), 200)
    }]);
    Row::new(format!("the same valid token among {rules} rules"))
        .beside("no rule")
        .must(Limit::Times(1.10))
        .over(free, denying);
}
