//! Heap allocations of one request on each path, and the memory of a cached verdict.
//!
//! A bench of its own, because the allocator that counts costs time. `cargo bench --bench allocations`

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

#[path = "harness/mod.rs"]
mod harness;

use std::alloc::System;

use axum::Router;
use axum::body::Body;
use http::Request;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use tower_oauth::test::{Fault, TestIssuer};
use tower_oauth::{OAuthConfig, OAuthLayer};

use harness::{DoNothing, Fixture, Limit, RESOURCE, Row, Unit, bare, call, quick, section, turns, with, without};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUESTS: usize = 1000;

const ALLOCATIONS: &str = "\
Allocations and reallocations of one whole request, those of the router, of the request and of the answer included. The
floor is the same request through a layer that does nothing.";

const MEMORY: &str = "\
What the process holds more after so many distinct tokens than before, divided by their number.";

fn main() {
    let fixture = Fixture::new();
    allocations(&fixture);
    memory(&fixture);
}

fn allocations(fixture: &Fixture) {
    section("Heap allocations", ALLOCATIONS);
    let (mut app, mut layered) = (fixture.app(), bare().layer(DoNothing));
    let mut uncached = bare().layer(OAuthLayer::new(&fixture.uncached));
    let floor = per_request(&mut layered, || with(&fixture.token), 200);
    let row = |what| Row::new(what).beside("do-nothing layer").unit(Unit::Allocations);
    let hit = per_request(&mut app, || with(&fixture.token), 200);
    row("the same valid token again").must(Limit::Over(4.0)).over(floor, hit);
    let tokens = fixture.tokens(REQUESTS * 2 + 1);
    let next = turns(&tokens);
    row("never seen, cache insert included").over(floor, per_request(&mut app, || with(next()), 200));
    row("a valid token, cache off").over(floor, per_request(&mut uncached, || with(next()), 200));
    let forged = fixture.forged(100);
    let next = turns(&forged);
    row("a bad signature").over(floor, per_request(&mut app, || with(next()), 401));
    let expired = fixture.builder(0).expired().sign();
    row("expired: refused before the signature").over(floor, per_request(&mut app, || with(&expired), 401));
    let garbage = "x".repeat(700);
    row("not a JWT at all").over(floor, per_request(&mut app, || with(&garbage), 401));
    let down = TestIssuer::new("https://login.test");
    down.fail(Fault::Connect);
    let config = OAuthConfig::builder(RESOURCE).trust(down.issuer()).build().expect("a sound configuration");
    let mut unjudged = bare().layer(OAuthLayer::new(config));
    row("the issuer is down: 503").over(floor, per_request(&mut unjudged, || with(&fixture.token), 503));
    let floor = per_request(&mut layered, without, 200);
    row("no credential").over(floor, per_request(&mut app, without, 401));
}

/// The first requests fill caches; they are not counted.
fn per_request(app: &mut Router, request: impl Fn() -> Request<Body>, status: u16) -> f64 {
    let mut run = || (0..REQUESTS).for_each(|_| assert_eq!(call(app, request()), status));
    run();
    let counted = counted(run);
    (counted.allocations + counted.reallocations) as f64 / REQUESTS as f64
}

fn memory(fixture: &Fixture) {
    section("Memory", MEMORY);
    let verdicts = if quick() { 10_000 } else { 100_000 };
    let tokens = fixture.tokens(verdicts);
    let server = fixture.server(|config| config.cached_verdicts(verdicts));
    let mut app = bare().layer(OAuthLayer::new(&server));
    let held = counted(|| tokens.iter().for_each(|token| assert_eq!(call(&mut app, with(token)), 200)));
    let bytes = held.bytes_allocated as f64 - held.bytes_deallocated as f64;
    Row::new(format_args!("a cached verdict, of {verdicts}"))
        .unit(Unit::Bytes)
        .must(Limit::Within(1024.0))
        .alone(bytes / verdicts as f64);
    let before = bytes;
    let more = fixture.tokens(verdicts * 2).split_off(verdicts);
    let held = counted(|| more.iter().for_each(|token| assert_eq!(call(&mut app, with(token)), 200)));
    let more = held.bytes_allocated as f64 - held.bytes_deallocated as f64;
    Row::new("all of it after as many tokens again").beside("before").unit(Unit::Mebibytes).over(before, before + more);
}

fn counted(run: impl FnOnce()) -> Stats {
    let region = Region::new(COUNTING);
    run();
    region.change()
}
