//! What articles tell: a look-up of the session for each request, beside a token that is verified where it arrives.
//!
//! `cargo bench --bench story`

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

#[path = "harness/mod.rs"]
mod harness;

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tower_oauth::OAuthLayer;

use harness::{Connection, Fixture, Row, Unit, bare, call, percentile, quick, request_bytes, section, with, without};

const PROSE: &str = "\
A service that asks a session store about each request waits for the answer each time; here the store is 20 ms away and
the network is loopback. A token that is verified where it arrives needs nobody, and one that was seen before needs not
even its signature checked. What the look-up buys is that a session ends at once; what the token costs is that it lives
until it expires, is revoked, or its key is withdrawn.";

const AWAY: Duration = Duration::from_millis(20);

fn main() {
    let fixture = Fixture::new();
    section("The story: a session store, or a token", PROSE);
    let (lookups, requests) = if quick() { (10, 500) } else { (100, 20_000) };
    let looked_up = fixture.runtime.block_on(sessions(lookups));
    let mut uncached = bare().layer(OAuthLayer::new(&fixture.uncached));
    let verified = time(requests, || assert_eq!(call(&mut uncached, with(&fixture.token)), 200));
    let mut app = fixture.app();
    let cached = time(requests, || assert_eq!(call(&mut app, with(&fixture.token)), 200));
    let row = |what| Row::new(what).unit(Unit::Millis).beside("a cached verdict");
    row("a session look-up for each request").over(cached, looked_up);
    row("the token verified each time").over(cached, verified);
    Row::new("the token's cached verdict").unit(Unit::Millis).alone(cached);
}

/// The nanoseconds of a request that asks the session store first.
async fn sessions(lookups: usize) -> f64 {
    let store = Router::new().route(
        "/session",
        get(|| async {
            tokio::time::sleep(AWAY).await;
            "user-1"
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move { axum::serve(listener, store).await });
    let mut connection = Connection::open(address).await.expect("a connection");
    let (question, mut router) = (request_bytes("/session", "b1946ac92492d2347c6235b4d2611184"), bare());
    let mut timings = Vec::with_capacity(lookups);
    for _ in 0..lookups {
        let began = Instant::now();
        assert_eq!(connection.send(&question).await.expect("an answer"), 200);
        assert_eq!(call(&mut router, without()), 200);
        timings.push(began.elapsed().as_nanos() as f64);
    }
    serving.abort();
    percentile(timings, 50.0)
}

fn time(requests: usize, mut request: impl FnMut()) -> f64 {
    let timed = |_| {
        let began = Instant::now();
        request();
        began.elapsed().as_nanos() as f64
    };
    percentile((0..requests).map(timed).collect(), 50.0)
}
