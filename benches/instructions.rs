//! One path, a given number of times and nothing else: to be run under a profiler.
//!
//! `scripts/instructions` counts by it how many instructions a request takes, which no noisy neighbour changes.
//!
//! ```sh
//! cargo bench --bench instructions -- path=hit requests=1000
//! ```

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

#[path = "harness/mod.rs"]
mod harness;

use harness::{DoNothing, Fixture, argument, bare, call, with, without};

fn main() {
    let path = argument("path").unwrap_or_else(|| "hit".to_owned());
    let requests = argument("requests").map_or(1000, |requests| requests.parse().expect("a number of requests"));
    let fixture = Fixture::new();
    let expired = fixture.builder(0).expired().sign();
    let (mut app, mut layered, mut router) = (fixture.app(), bare().layer(DoNothing), bare());
    for _ in 0..requests {
        match path.as_str() {
            "router" => assert_eq!(call(&mut router, without()), 200),
            "nothing" => assert_eq!(call(&mut layered, with(&fixture.token)), 200),
            "hit" => assert_eq!(call(&mut app, with(&fixture.token)), 200),
            "never-seen" => {
                fixture.server.forget_verdicts();
                assert_eq!(call(&mut app, with(&fixture.token)), 200);
            }
            "no-credential" => assert_eq!(call(&mut app, without()), 401),
            "expired" => assert_eq!(call(&mut app, with(&expired)), 401),
            other => {
                panic!("no such path: {other}; there are router, nothing, hit, never-seen, no-credential, expired")
            }
        }
    }
}
