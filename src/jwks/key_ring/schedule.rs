//! When a set is old, when a failure may be repeated, and how often an unknown key may cause a fetch. Pure: the time
//! and the randomness are arguments.

use std::time::Duration;

use tokio::time::Instant;

/// However short `max-age` says: else an issuer that forbids caching would be asked for each request.
const MIN_LIFETIME: Duration = Duration::from_secs(60);
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long past its lifetime a set still serves while the issuer cannot be reached.
const MAX_STALE: Duration = Duration::from_secs(60 * 60);

const MAX_BACKOFF: Duration = Duration::from_secs(60);

const FIRST_COOLDOWN: Duration = Duration::from_secs(5);
const MAX_COOLDOWN: Duration = Duration::from_secs(30);

/// A cooldown that nobody ran into for so long is no sign of a flood any more, and the next starts small again.
const COOLDOWN_MEMORY: Duration = Duration::from_secs(60);

/// What the configuration decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingLimits {
    /// The longest lifetime that a `max-age` can give a set; between one minute and 24 hours.
    pub(crate) max_lifetime: Duration,
}

impl Default for RingLimits {
    fn default() -> Self {
        Self { max_lifetime: DEFAULT_LIFETIME }
    }
}

/// When a set was last confirmed by its issuer, and until when it serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    pub(super) confirmed: Instant,
    pub(super) lifetime: Duration,
    /// At 80 % of the lifetime, so that a failed attempt or two do not make the set old. Kept, because each request
    /// compares it.
    pub(super) refresh_at: Instant,
}

impl Age {
    pub(super) fn new(confirmed: Instant, max_age: Option<Duration>, limits: RingLimits) -> Self {
        let longest = limits.max_lifetime.clamp(MIN_LIFETIME, LONGEST_LIFETIME);
        let lifetime = max_age.unwrap_or(DEFAULT_LIFETIME).clamp(MIN_LIFETIME, longest);
        Self { confirmed, lifetime, refresh_at: confirmed + lifetime * 4 / 5 }
    }

    pub(super) fn fresh_until(&self) -> Instant {
        self.confirmed + self.lifetime
    }

    pub(super) fn dead_at(&self) -> Instant {
        self.fresh_until() + MAX_STALE
    }
}

/// Failures in a row, and until when no fetch is started by anybody.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        remaining(self.until, now)
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// 1–2 s after the first failure, then doubled, to 30–60 s. Half of it is `random` (in `0.0..1.0`), so that the
    /// replicas of a service do not return to a recovering issuer all at once.
    pub(super) fn failed(&mut self, now: Instant, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let longest = Duration::from_secs(1 << self.failures.min(6)).min(MAX_BACKOFF);
        let delay = longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        self.until = Some(now + delay);
        delay
    }
}

/// The pause after a refresh that a token with an unknown key caused: strangers decide how often such tokens come, so
/// they must not decide how often the issuer is asked.
#[derive(Debug, Default)]
pub(super) struct Cooldown {
    length: Duration,
    until: Option<Instant>,
}

impl Cooldown {
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        remaining(self.until, now)
    }

    /// A refresh that an unknown key caused has succeeded. Short after one that brought something new; doubled by each
    /// that did not.
    pub(super) fn start(&mut self, now: Instant, brought_something_new: bool) {
        let quiet = self.until.is_none_or(|until| now > until + COOLDOWN_MEMORY);
        self.length = match quiet || brought_something_new {
            true => FIRST_COOLDOWN,
            false => (self.length * 2).clamp(FIRST_COOLDOWN, MAX_COOLDOWN),
        };
        self.until = Some(now + self.length);
    }
}

fn remaining(until: Option<Instant>, now: Instant) -> Option<Duration> {
    until.map(|until| until.saturating_duration_since(now)).filter(|rest| !rest.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_lifetime_follows_max_age_within_its_bounds() {
        let now = Instant::now();
        let lifetime = |max_age: Option<u64>, longest: u64| {
            let limits = RingLimits { max_lifetime: secs(longest) };
            Age::new(now, max_age.map(secs), limits).lifetime.as_secs()
        };
        for (max_age, expected) in [(None, 3600), (Some(0), 60), (Some(600), 600), (Some(7200), 3600)] {
            assert_eq!(lifetime(max_age, RingLimits::default().max_lifetime.as_secs()), expected);
        }
        assert_eq!(lifetime(Some(200_000), 86_400), 86_400, "raised by opt-in");
        assert_eq!(lifetime(Some(200_000), 1_000_000), 86_400, "but not beyond a day");
        assert_eq!(lifetime(None, 86_400), 3600, "only an issuer that says so is believed for longer");
        assert_eq!(lifetime(None, 600), 600);
        assert_eq!(lifetime(Some(600), 1), 60);
    }

    #[test]
    fn a_set_is_refreshed_at_four_fifths_and_dies_an_hour_after_its_lifetime() {
        let age = Age::new(Instant::now(), Some(secs(1000)), RingLimits::default());
        assert_eq!(age.refresh_at - age.confirmed, secs(800));
        assert_eq!(age.fresh_until() - age.confirmed, secs(1000));
        assert_eq!(age.dead_at() - age.confirmed, secs(4600));
    }

    #[test]
    fn failures_back_off_between_one_second_and_a_minute() {
        let now = Instant::now();
        for random in [0.0, 0.5, 0.999_999] {
            let mut backoff = Backoff::default();
            let delays: Vec<_> = (0..100).map(|_| backoff.failed(now, random)).collect();
            assert!(delays.iter().all(|delay| (secs(1)..=secs(60)).contains(delay)), "{delays:?}");
            assert!(delays.is_sorted() && delays[99] >= secs(30) && delays[0] <= secs(2));
            assert_eq!(backoff.remaining(now), Some(delays[99]));
            assert_eq!(backoff.remaining(now + secs(60)), None);
            backoff.succeeded();
            assert_eq!(backoff.remaining(now), None);
            assert!(backoff.failed(now, random) <= secs(2), "a success forgets the failures");
        }
    }

    #[test]
    fn a_cooldown_doubles_while_nothing_new_comes() {
        let mut now = Instant::now();
        let mut cooldown = Cooldown::default();
        let mut after = |new| {
            cooldown.start(now, new);
            let length = cooldown.remaining(now).unwrap();
            now += length;
            assert_eq!(cooldown.remaining(now), None);
            length.as_secs()
        };
        assert_eq!([false; 6].map(&mut after), [5, 10, 20, 30, 30, 30]);
        assert_eq!([true, true, false].map(&mut after), [5, 5, 10]);
        now += secs(61);
        cooldown.start(now, false);
        assert_eq!(cooldown.remaining(now), Some(secs(5)), "an old flood is forgotten");
    }
}
