//! Nothing is measured: two clock readings a request are saved.

use super::{Duration, Event};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch;

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Numbers;

impl Numbers {
    pub(super) fn record(self, _: &Event<'_>) {}
}
