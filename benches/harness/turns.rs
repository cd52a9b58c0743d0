//! Cases and floors take turns in short rounds, and the median of the rounds counts: a noisy neighbour hits all alike.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUND: Duration = Duration::from_millis(3);
const BATCH: u32 = 16;

/// Whether this run is to be short, for development: its figures are rough.
pub(crate) fn quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// Nanoseconds of one call of each case.
pub(crate) fn take_turns<const N: usize>(mut cases: [&mut dyn FnMut(); N]) -> [f64; N] {
    let rounds = if quick() { 25 } else { 101 };
    let mut timings = [(); N].map(|()| Vec::with_capacity(rounds));
    for _ in 0..rounds {
        for (case, timings) in cases.iter_mut().zip(&mut timings) {
            timings.push(round(*case));
        }
    }
    timings.map(|timings| percentile(timings, 50.0))
}

fn round(call: &mut dyn FnMut()) -> f64 {
    let (began, mut calls) = (Instant::now(), 0_u32);
    while began.elapsed() < ROUND {
        for _ in 0..BATCH {
            call();
        }
        calls += BATCH;
    }
    began.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// The value below which `percent` of all lie.
pub(crate) fn percentile(mut values: Vec<f64>, percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    black_box(values.get((last as f64 * percent / 100.0) as usize).copied().unwrap_or(f64::NAN))
}

/// One after the other, and from the start again.
pub(crate) fn turns<'v, T>(values: &'v [T]) -> impl Fn() -> &'v T {
    let at = Cell::new(0);
    move || {
        at.set((at.get() + 1) % values.len());
        &values[at.get()]
    }
}
