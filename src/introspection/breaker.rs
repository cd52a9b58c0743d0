//! When an issuer is not asked for a while, because it fails again and again or said so. Pure: the time is an argument.
//!
//! Only silence, broken connections and status 5xx count, and only of calls that were sent. There is one row of
//! failures for tokens that were active before and one for all others: whoever sends tokens that make the issuer
//! stumble stops the questions about strangers' tokens, not those about tokens that are known.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open a line.
const FAILURES: u32 = 5;

/// How long a line stays open before one call may try.
pub(super) const OPEN: Duration = Duration::from_secs(10);

/// A call that tries out an open line and never comes back is given up after this.
const PROBE_LIMIT: Duration = Duration::from_secs(30);

/// However long a `Retry-After` says.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Whose token is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A token that the issuer called active before.
    Known,
    /// Any other: perhaps invented.
    New,
}

/// Leave to ask once. Dropped before anything came of it, somebody else may try.
#[derive(Debug)]
pub(super) struct Leave<'b> {
    breaker: &'b Breaker,
    class: Class,
    epoch: u64,
}

/// Why the issuer is not asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It failed too often; try again after this.
    Failing(Duration),
    /// It answered 429 and named a time.
    ToldToWait(Duration),
}

/// What a result changes for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    Paused(Duration),
    Resumed,
}

#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    known: Line,
    new: Line,
    wait_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Line {
    failures: u32,
    /// While it stands the line is open, or being tried out.
    open_until: Option<Instant>,
    probing_since: Option<Instant>,
    /// Grows whenever the line opens or closes: the result of a call that began before says nothing new.
    epoch: u64,
}

impl Breaker {
    /// Whether a call may be sent now. A leave that tries out an open line keeps all others from it.
    pub(super) fn leave(&self, class: Class, now: Instant) -> Result<Leave<'_>, Closed> {
        let mut lines = self.lines();
        if let Some(wait) = lines.wait(now) {
            return Err(Closed::ToldToWait(wait));
        }
        let line = lines.line(class);
        if let Some(rest) = line.closed(now) {
            return Err(Closed::Failing(rest));
        }
        if line.open_until.is_some() {
            line.probing_since = Some(now);
        }
        Ok(Leave { breaker: self, class, epoch: line.epoch })
    }

    /// Whether a call would be refused now; takes no leave.
    pub(super) fn closed(&self, class: Class, now: Instant) -> Option<Closed> {
        let mut lines = self.lines();
        lines.wait(now).map(Closed::ToldToWait).or_else(|| lines.line(class).closed(now).map(Closed::Failing))
    }

    /// The issuer has answered 429; gives back for how long nobody asks.
    pub(super) fn told_to_wait(&self, wait: Duration, now: Instant) -> Duration {
        let wait = wait.min(LONGEST_WAIT);
        let mut lines = self.lines();
        lines.wait_until = lines.wait_until.max(Some(now + wait));
        wait
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// The issuer has answered, whatever it said.
    pub(super) fn answered(self) -> Change {
        let mut lines = self.breaker.lines();
        let line = lines.line(self.class);
        if line.epoch != self.epoch {
            return Change::Nothing;
        }
        line.failures = 0;
        line.probing_since = None;
        if line.open_until.take().is_none() {
            return Change::Nothing;
        }
        line.epoch += 1;
        if lines.is_paused() { Change::Nothing } else { Change::Resumed }
    }

    /// The issuer was silent, broke off or failed.
    pub(super) fn failed(self, now: Instant) -> Change {
        let mut lines = self.breaker.lines();
        let paused_before = lines.is_paused();
        let line = lines.line(self.class);
        if line.epoch != self.epoch {
            return Change::Nothing;
        }
        line.failures = line.failures.saturating_add(1);
        if line.failures < FAILURES && line.open_until.is_none() {
            return Change::Nothing;
        }
        line.open_until = Some(now + OPEN);
        line.probing_since = None;
        line.epoch += 1;
        if paused_before { Change::Nothing } else { Change::Paused(OPEN) }
    }
}

/// After a result, the line is of another epoch or is not being tried out, so nothing changes.
impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut lines = self.breaker.lines();
        let line = lines.line(self.class);
        if line.epoch == self.epoch {
            line.probing_since = None;
        }
    }
}

impl Lines {
    fn line(&mut self, class: Class) -> &mut Line {
        match class {
            Class::Known => &mut self.known,
            Class::New => &mut self.new,
        }
    }

    fn is_paused(&self) -> bool {
        self.known.open_until.is_some() || self.new.open_until.is_some()
    }

    fn wait(&self, now: Instant) -> Option<Duration> {
        Some(self.wait_until?.saturating_duration_since(now)).filter(|rest| !rest.is_zero())
    }
}

impl Line {
    fn closed(&self, now: Instant) -> Option<Duration> {
        let rest = self.open_until?.saturating_duration_since(now);
        if !rest.is_zero() {
            return Some(rest);
        }
        let probing = self.probing_since.is_some_and(|since| now < since + PROBE_LIMIT);
        probing.then_some(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, class: Class, times: u32, now: Instant) -> Vec<Change> {
        (0..times).map(|_| breaker.leave(class, now).unwrap().failed(now)).collect()
    }

    #[test]
    fn five_failures_in_a_row_pause_for_ten_seconds_and_one_call_tries() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        let changes = fail(&breaker, Class::New, 5, now);
        assert_eq!(changes[4], Change::Paused(OPEN));
        assert!(changes[..4].iter().all(|change| *change == Change::Nothing));
        assert_eq!(breaker.leave(Class::New, now).unwrap_err(), Closed::Failing(OPEN));
        let later = now + OPEN;
        let probe = breaker.leave(Class::New, later).unwrap();
        assert_eq!(breaker.leave(Class::New, later).unwrap_err(), Closed::Failing(Duration::from_secs(1)));
        assert_eq!(probe.failed(later), Change::Nothing, "it was paused already");
        assert_eq!(breaker.leave(Class::New, later).unwrap_err(), Closed::Failing(OPEN));
        let probe = breaker.leave(Class::New, later + OPEN).unwrap();
        assert_eq!(probe.answered(), Change::Resumed);
        assert!(breaker.leave(Class::New, later + OPEN).is_ok() && breaker.leave(Class::New, later + OPEN).is_ok());
    }

    #[test]
    fn an_answer_in_between_begins_the_row_anew() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..3 {
            fail(&breaker, Class::New, 4, now);
            assert_eq!(breaker.leave(Class::New, now).unwrap().answered(), Change::Nothing);
        }
        assert_eq!(breaker.closed(Class::New, now), None);
    }

    #[test]
    fn failures_about_strangers_tokens_leave_known_ones_alone() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        fail(&breaker, Class::New, 5, now);
        assert!(breaker.leave(Class::Known, now).is_ok());
        assert_eq!(fail(&breaker, Class::Known, 5, now)[4], Change::Nothing, "that it is paused was told before");
        let probe = breaker.leave(Class::Known, now + OPEN).unwrap();
        assert_eq!(probe.answered(), Change::Nothing, "the other line is still open");
        let probe = breaker.leave(Class::New, now + OPEN).unwrap();
        assert_eq!(probe.answered(), Change::Resumed);
    }

    #[test]
    fn results_of_calls_that_began_before_say_nothing_new() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        let mut early: Vec<_> = (0..11).map(|_| breaker.leave(Class::New, now).unwrap()).collect();
        let last = early.pop().unwrap();
        let changes: Vec<_> = early
            .into_iter()
            .enumerate()
            .map(|(n, leave)| leave.failed(now + Duration::from_secs(n as u64 / 5)))
            .collect();
        assert_eq!(changes.iter().filter(|change| **change != Change::Nothing).count(), 1);
        assert_eq!(
            breaker.closed(Class::New, now + Duration::from_secs(9)),
            Some(Closed::Failing(Duration::from_secs(1)))
        );
        assert_eq!(last.answered(), Change::Nothing);
        assert!(breaker.closed(Class::New, now).is_some(), "an old answer does not close it");
    }

    #[test]
    fn a_probe_that_comes_to_nothing_keeps_nobody_else_away() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        fail(&breaker, Class::New, 5, now);
        let later = now + OPEN;
        drop(breaker.leave(Class::New, later).unwrap());
        let _lost = breaker.leave(Class::New, later).unwrap();
        assert!(breaker.leave(Class::New, later).is_err());
        assert!(breaker.leave(Class::New, later + PROBE_LIMIT).is_ok(), "not even one that is lost");
    }

    #[test]
    fn whoever_is_told_to_wait_waits_a_minute_at_most() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.told_to_wait(Duration::from_secs(7), now), Duration::from_secs(7));
        for class in [Class::Known, Class::New] {
            assert_eq!(breaker.leave(class, now).unwrap_err(), Closed::ToldToWait(Duration::from_secs(7)));
            assert!(breaker.leave(class, now + Duration::from_secs(7)).is_ok());
        }
        assert_eq!(breaker.told_to_wait(Duration::MAX, now), LONGEST_WAIT);
    }
}
