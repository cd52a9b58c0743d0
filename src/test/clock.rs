//! A clock that stands still until it is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::time::{Clock, SystemClock, Timestamp};

/// Tells the time that it was told. Clones share it, so the test keeps one and gives others away:
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::test::{ManualClock, TestIssuer};
/// use tower_oauth::time::{Clock as _, Timestamp};
///
/// let clock = ManualClock::new(Timestamp::from_secs(1_700_000_000));
/// let issuer = TestIssuer::new("https://login.test").clock(clock.clone());
/// let token = issuer.token_for("https://api.test").sign();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now().as_secs(), 1_700_003_600);
/// # let _ = token;
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_millis())))
    }

    /// Stands at the time of the system's clock.
    #[must_use]
    pub fn starting_now() -> Self {
        Self::new(SystemClock.now())
    }

    /// Moves forward; stops at the end of the range.
    pub fn advance(&self, duration: Duration) {
        self.change(|now| now.plus(duration));
    }

    /// Moves back, as an operating system's clock does when it is corrected.
    pub fn rewind(&self, duration: Duration) {
        self.change(|now| now.minus(duration));
    }

    /// Moves to `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    fn change(&self, to: impl Fn(Timestamp) -> Timestamp) {
        let step = |now| Some(to(Timestamp::from_millis(now)).as_millis());
        // Never an error: `step` always gives a value.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_one_clock() {
        let clock = ManualClock::new(Timestamp::from_secs(100));
        let other = clock.clone();
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(other.now(), Timestamp::from_millis(101_500));
        other.rewind(Duration::from_secs(100));
        assert_eq!(clock.now(), Timestamp::from_millis(1_500));
        other.set(Timestamp::from_secs(7));
        assert_eq!(clock.now(), Timestamp::from_secs(7));
    }

    #[test]
    fn it_stops_at_the_end_instead_of_wrapping() {
        let clock = ManualClock::starting_now();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::from_millis(i64::MAX));
    }
}
