//! Tokens bound to a key, with a fresh proof for every request.

use std::time::Duration;

use http::{Method, Request};
use tower_oauth::OAuthLayer;
use tower_oauth::crypto::Algorithm;
use tower_oauth::store::MemoryReplayStore;
use tower_oauth::test::{DpopClient, RequestExt as _};
use tower_oauth::time::{Clock as _, SystemClock};

use crate::harness::{Fixture, Limit, RESOURCE, RawVerifier, Row, bare, call, quick, section, take_turns, turns};

const PROSE: &str = "\
The token was seen before; the proof is new each time, and its signature is the floor. Above it lie the router, the \
lookup of the verdict, the proof's own key and rules, and the memory that it was used.";

/// More than one run of the rounds takes; each proof passes once.
const PROOFS: usize = 24_000;

pub(crate) fn run(fixture: &Fixture) {
    section("A proof of possession (DPoP)", PROSE);
    let born = SystemClock.now().minus(Duration::from_secs(60));
    let server = fixture.server(|config| config.replay(MemoryReplayStore::new(born)));
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Rs256] {
        let client = DpopClient::with_algorithm(algorithm);
        let token = fixture.issuer.token_for(RESOURCE).scope("orders:read").bound_to(&client).sign();
        let url = format!("{RESOURCE}/plain");
        let count = if quick() { PROOFS / 3 } else { PROOFS };
        let proofs: Vec<_> = (0..count).map(|_| client.proof_for(&Method::GET, &url, &token).sign()).collect();
        let raw = RawVerifier::of_client(&client);
        let mut app = bare().layer(OAuthLayer::new(&server));
        let (floors, fresh) = (turns(&proofs), turns(&proofs));
        let [floor, whole] = take_turns([&mut || assert!(raw.verify(floors())), &mut || {
            let request = Request::get("/plain").dpop_with(&token, fresh());
            let request = request.body(axum::body::Body::empty()).expect("a request");
            assert_eq!(call(&mut app, request), 200, "are there enough proofs for all rounds?");
        }]);
        let row = Row::new(format!("bound token seen, fresh {algorithm} proof, replay insert included"));
        let row = row.beside("raw verify, key parsed");
        match algorithm {
            Algorithm::Es256 => row.must(Limit::Times(1.20)).aim(Limit::Times(1.10)).over(floor, whole),
            _ => row.over(floor, whole),
        }
    }
}
