//! Many users, few of them busy: tokens drawn by Zipf's law from more than the cache holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_oauth::OAuthLayer;
use tower_oauth::observe::Event;

use crate::harness::{DoNothing, Fixture, Row, Unit, bare, call, quick, section, take_turns, turns, with};

const PROSE: &str = "\
100 000 tokens, drawn by Zipf's law (the k-th as often as 1/k), beside the 32 768 verdicts that are kept by default:
how often the cache answers, and what the average request costs.";

pub(crate) fn run(fixture: &Fixture) {
    section("A mix of many users", PROSE);
    let (users, warming) = if quick() { (10_000, 20_000) } else { (100_000, 300_000) };
    let tokens = fixture.tokens(users);
    let draws = zipf(users, warming);
    let (cached, all) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counts = (Arc::clone(&cached), Arc::clone(&all));
    let kept = if quick() { users * 32_768 / 100_000 } else { 32_768 };
    let server = fixture.server(|config| {
        config.cached_verdicts(kept).observer(move |event: &Event<'_>| {
            if let Event::Accepted { elapsed, .. } = event {
                counts.0.fetch_add(u64::from(elapsed.is_none()), Ordering::Relaxed);
                counts.1.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let (mut app, mut layered) = (bare().layer(OAuthLayer::new(&server)), bare().layer(DoNothing));
    for at in &draws {
        assert_eq!(call(&mut app, with(&tokens[*at])), 200);
    }
    let before = (cached.load(Ordering::Relaxed), all.load(Ordering::Relaxed));
    let (next, again) = (turns(&draws), turns(&draws));
    let [floor, case] = take_turns([&mut || assert_eq!(call(&mut layered, with(&tokens[*again()])), 200), &mut || {
        assert_eq!(call(&mut app, with(&tokens[*next()])), 200)
    }]);
    Row::new("the average request").beside("do-nothing layer").over(floor, case);
    let hits = cached.load(Ordering::Relaxed) - before.0;
    let requests = all.load(Ordering::Relaxed) - before.1;
    Row::new("answered by the cache").unit(Unit::Percent).alone(hits as f64 * 100.0 / requests as f64);
}

/// Positions below `users`, the same ones in each run.
fn zipf(users: usize, draws: usize) -> Vec<usize> {
    let mut sum = 0.0;
    let weights: Vec<f64> = (1..=users)
        .map(|k| {
            sum += 1.0 / k as f64;
            sum
        })
        .collect();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let draw = |_| {
        // xorshift64: even enough, and repeatable.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let at = random as f64 / u64::MAX as f64 * sum;
        weights.partition_point(|weight| *weight < at).min(users - 1)
    };
    (0..draws).map(draw).collect()
}
