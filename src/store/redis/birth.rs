//! Since when a server has lost nothing.
//!
//! A marker beside the keys holds the run id of the process that keeps them, and the time at which it was written. Redis
//! draws a new run id with each start, and a replica that takes over has one of its own. So whoever finds another run
//! id, or no marker at all (the server was emptied), knows that writes may be lost, even those that Redis had confirmed:
//! its replication is asynchronous, and its log is written once in a second by default.

use std::time::Duration;

use crate::store::{Replay, StoreError};
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Birth(Timestamp);

impl Birth {
    pub(super) const fn at(time: Timestamp) -> Self {
        Self(time)
    }

    /// Reads a marker, if it is of the process `run_id`.
    pub(super) fn of_process(marker: &str, run_id: &str) -> Option<Self> {
        let (of, millis) = marker.split_once(' ')?;
        let millis = millis.parse().ok()?;
        (of == run_id).then_some(Self(Timestamp::from_millis(millis)))
    }

    pub(super) fn marker(self, run_id: &str) -> String {
        format!("{run_id} {}", self.0.as_millis())
    }

    /// What is said to a proof that was not found.
    ///
    /// One that was issued before the birth may have been spent, and so may one that claims to be a little younger: its
    /// maker's clock may run ahead, and so may that of the replica that accepted it. The former is refused, the latter
    /// is not judged, so that its sender tries again in a moment and passes then.
    pub(super) fn judge(self, issued_at: Timestamp, tolerance: Duration) -> Replay {
        if issued_at < self.0 {
            return Replay::BeforeBirth;
        }
        if issued_at < self.0.plus(tolerance) {
            return Replay::Unavailable(StoreError::new("Redis has just begun to remember; judged again in seconds"));
        }
        Replay::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    #[test]
    fn a_marker_counts_for_the_process_that_wrote_it_only() {
        let marker = Birth::at(NOW).marker("abc");
        assert_eq!(Birth::of_process(&marker, "abc"), Some(Birth::at(NOW)));
        assert_eq!(Birth::of_process(&marker, "abd"), None);
        assert_eq!(Birth::of_process("abc", "abc"), None);
        assert_eq!(Birth::of_process("abc x", "abc"), None);
        assert_eq!(Birth::of_process("", ""), None);
    }

    #[test]
    fn what_may_have_been_spent_before_the_birth_does_not_pass() {
        let (birth, tolerance) = (Birth::at(NOW), Duration::from_secs(20));
        let second = Duration::from_secs(1);
        assert_eq!(birth.judge(NOW.minus(Duration::from_millis(1)), tolerance), Replay::BeforeBirth);
        assert!(matches!(birth.judge(NOW, tolerance), Replay::Unavailable(_)));
        assert!(matches!(birth.judge(NOW.plus(second * 19), tolerance), Replay::Unavailable(_)));
        assert_eq!(birth.judge(NOW.plus(tolerance), tolerance), Replay::Fresh);
        assert_eq!(birth.judge(NOW, Duration::ZERO), Replay::Fresh);
    }
}
