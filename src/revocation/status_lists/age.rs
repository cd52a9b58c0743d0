//! How long a list serves, and when it may be fetched again. Pure.
//!
//! Counted by the service's clock, because `exp` is, and because a verdict that is checked against a list on every
//! request has the time at hand already. A clock that is set back makes no list young: one that seems to come from the
//! future is refreshed.

use std::time::Duration;

use crate::time::Timestamp;

/// However short `ttl` says: else a list would be fetched for each request.
const MIN_LIFETIME: Duration = Duration::from_secs(5);

/// However long `ttl` says: for so long a status may go unnoticed that its issuer wants to be seen.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Where neither the list nor HTTP says how long.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// Between two fetches of one list, also where `exp` ends the first at once.
const MIN_PAUSE: Duration = Duration::from_secs(1);

const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Two requests at once read the clock in this or that order; only more than this is a clock set back.
const SET_BACK: Duration = Duration::from_secs(60);

/// When a list was fetched and how long it serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    pub(super) fetched_at: Timestamp,
    refresh_at: Timestamp,
    /// Its lifetime is over.
    old_at: Timestamp,
    /// `exp`.
    expires_at: Option<Timestamp>,
}

/// What a list is good for by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Serves, and nothing is to be done.
    Young,
    /// Serves, and is to be fetched again behind.
    Due,
    /// Does not serve.
    Old,
}

impl Age {
    /// `ttl` outranks `max_age`, which HTTP says (section 8.2 of the draft).
    pub(super) fn new(
        fetched_at: Timestamp,
        ttl: Option<Duration>,
        max_age: Option<Duration>,
        expires_at: Option<Timestamp>,
    ) -> Self {
        let lifetime = ttl.or(max_age).unwrap_or(DEFAULT_LIFETIME).clamp(MIN_LIFETIME, MAX_LIFETIME);
        let old_at = fetched_at.plus(lifetime);
        let serves = expires_at.map_or(old_at, |exp| exp.min(old_at)).since(fetched_at);
        Self { fetched_at, refresh_at: fetched_at.plus(serves * 4 / 5), old_at, expires_at }
    }

    pub(super) fn phase(&self, now: Timestamp) -> Phase {
        if now >= self.old_at || self.is_expired(now) {
            Phase::Old
        } else if now >= self.refresh_at || now.plus(SET_BACK) < self.fetched_at {
            Phase::Due
        } else {
            Phase::Young
        }
    }

    /// Whether it may serve by a policy that lets it, so long past its lifetime. `exp` stands.
    pub(super) fn serves_stale(&self, within: Duration, now: Timestamp) -> bool {
        now < self.old_at.plus(within) && !self.is_expired(now)
    }

    pub(super) fn is_within(&self, most: Duration, now: Timestamp) -> bool {
        now.since(self.fetched_at) <= most && now.plus(SET_BACK) >= self.fetched_at
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|exp| now >= exp)
    }
}

/// For how long no fetch is started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    failures: u32,
    since: Timestamp,
    until: Timestamp,
}

impl Default for Pause {
    fn default() -> Self {
        let past = Timestamp::from_millis(i64::MIN);
        Self { failures: 0, since: past, until: past }
    }
}

impl Pause {
    pub(super) fn succeeded(&mut self, now: Timestamp) {
        *self = Self { failures: 0, since: now, until: now.plus(MIN_PAUSE) };
    }

    /// From one second, doubling up to a minute; `random` in `0.0..1.0` spreads it over the upper half.
    pub(super) fn failed(&mut self, now: Timestamp, random: f64) -> Duration {
        let longest = MIN_PAUSE * 2_u32.saturating_pow(self.failures.min(10) + 1);
        let pause = longest.min(MAX_PAUSE).mul_f64(0.5 + random / 2.0);
        *self = Self { failures: self.failures.saturating_add(1), since: now, until: now.plus(pause) };
        pause
    }

    pub(super) fn remaining(&self, now: Timestamp) -> Option<Duration> {
        (now < self.until && now.plus(SET_BACK) >= self.since).then(|| self.until.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lifetime(ttl: Option<u64>, max_age: Option<u64>, exp: Option<u64>) -> (u64, u64) {
        let age = Age::new(NOW, ttl.map(secs), max_age.map(secs), exp.map(|exp| NOW.plus(secs(exp))));
        let first = |is: fn(Phase) -> bool| (0..100_000).find(|second| is(age.phase(NOW.plus(secs(*second))))).unwrap();
        (first(|phase| phase != Phase::Young), first(|phase| phase == Phase::Old))
    }

    /// TSL-09: `ttl` outranks HTTP, `exp` outranks both, and both are bounded.
    #[test]
    fn the_list_says_how_long_it_serves_and_http_does_only_where_it_does_not() {
        for (ttl, max_age, exp, expected) in [
            (Some(60), Some(86_400), None, (48, 60)),
            (Some(600), Some(0), None, (480, 600)),
            (None, Some(100), None, (80, 100)),
            (None, None, None, (240, 300)),
            (Some(600), None, Some(100), (80, 100)),
            (None, None, Some(100), (80, 100)),
            (Some(600), None, Some(100_000), (480, 600)),
            (Some(1), None, None, (4, 5)),
            (None, Some(0), None, (4, 5)),
            (Some(u64::MAX / 1000), None, None, (69_120, 86_400)),
            (None, None, Some(u64::MAX / 1000), (240, 300)),
            // A hard stop is not put off by the shortest lifetime.
            (Some(1), None, Some(2), (2, 2)),
        ] {
            assert_eq!(lifetime(ttl, max_age, exp), expected, "ttl {ttl:?}, max-age {max_age:?}, exp {exp:?}");
        }
    }

    #[test]
    fn by_policy_a_list_serves_past_its_lifetime_and_never_past_its_end() {
        let age = Age::new(NOW, Some(secs(60)), None, Some(NOW.plus(secs(100))));
        let stale = |second, within| age.serves_stale(secs(within), NOW.plus(secs(second)));
        assert!(stale(0, 0) && stale(59, 0) && !stale(60, 0));
        assert!(stale(89, 30) && !stale(90, 30));
        assert!(stale(99, 3600) && !stale(100, 3600));
    }

    #[test]
    fn a_clock_set_back_makes_no_list_young() {
        let age = Age::new(NOW, Some(secs(3600)), None, None);
        assert_eq!(age.phase(NOW.minus(secs(60))), Phase::Young);
        assert_eq!(age.phase(NOW.minus(secs(61))), Phase::Due);
        assert!(age.is_within(secs(5), NOW.plus(secs(5))) && !age.is_within(secs(5), NOW.plus(secs(6))));
        assert!(age.is_within(secs(5), NOW.minus(secs(60))) && !age.is_within(secs(5), NOW.minus(secs(61))));
    }

    #[test]
    fn failures_pause_between_one_second_and_a_minute() {
        for random in [0.0, 0.5, 0.999] {
            let mut pause = Pause::default();
            assert_eq!(pause.remaining(NOW), None);
            let pauses: Vec<_> = (0..50).map(|_| pause.failed(NOW, random)).collect();
            assert!(pauses.is_sorted() && pauses[0] <= secs(2) && pauses[49] >= secs(30), "{pauses:?}");
            assert!(pauses.iter().all(|pause| (secs(1)..=secs(60)).contains(pause)), "{pauses:?}");
            assert!(pause.remaining(NOW.plus(secs(1))).is_some_and(|rest| rest >= secs(28)));
            assert_eq!(pause.remaining(NOW.plus(secs(60))), None);
            assert_eq!(pause.remaining(NOW.minus(secs(61))), None, "a clock set back lengthens no pause");
            pause.succeeded(NOW);
            assert_eq!(pause.remaining(NOW), Some(secs(1)));
            assert!(pause.failed(NOW, random) <= secs(2), "a success forgets the failures");
        }
    }
}
