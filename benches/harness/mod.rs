//! What the benchmarks share: an issuer and servers, floors to compare with, turns to be taken, and tables.
//!
//! Everything is printed as Markdown, so that a run is the page that it is published as.

#![allow(dead_code, unused_imports, reason = "each benchmark uses a part of it")]

mod client;
mod fixture;
mod floor;
mod service;
mod table;
mod turns;

pub(crate) use client::{Connection, request_bytes};
pub(crate) use fixture::{Fixture, RESOURCE};
pub(crate) use floor::{DoNothing, RawVerifier};
pub(crate) use service::{bare, call, plain, with, without};
pub(crate) use table::{Limit, Row, Unit, section};
pub(crate) use turns::{percentile, quick, take_turns, turns};

/// The environment variable that names the built example `resource_server`.
pub(crate) const RESOURCE_SERVER: &str = "RESOURCE_SERVER";

/// The value of an argument `name=value` of this run.
pub(crate) fn argument(name: &str) -> Option<String> {
    std::env::args().find_map(|argument| Some(argument.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}
