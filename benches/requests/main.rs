//! What a request costs, each case beside its floor in the same run: read the ratios, not the microseconds.
//!
//! ```sh
//! cargo bench --bench requests                            # everything
//! cargo bench --bench requests -- --quick only=repeated   # one section, roughly
//! ```

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

#[path = "../harness/mod.rs"]
mod harness;

mod dpop;
mod flood;
mod mix;
mod refused;
mod repeated;
mod standing;
mod threads;
mod verified;

use harness::Fixture;

/// A group of cases, under the name by which it is asked for alone.
type Section = (&'static str, fn(&Fixture));

const SECTIONS: [Section; 8] = [
    ("repeated", repeated::run),
    ("verified", verified::run),
    ("dpop", dpop::run),
    ("standing", standing::run),
    ("refused", refused::run),
    ("threads", threads::run),
    ("mix", mix::run),
    ("flood", flood::run),
];

fn main() {
    let fixture = Fixture::new();
    println!(
        "\nTokens are signed by ES256 and have {} bytes; all but the load is measured in process, without sockets.",
        fixture.token.len()
    );
    let only = harness::argument("only");
    for (name, run) in SECTIONS {
        if only.as_deref().is_none_or(|only| only == name) {
            run(&fixture);
        }
    }
}
