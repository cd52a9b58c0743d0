//! How new the knowledge must be that a token still stands.

use std::time::Duration;

/// How sure a route must be that a token was not revoked. Each level includes those before it; of two, the stricter
/// holds.
///
/// A signature proves what was true when it was made. What happened since is told by the denylist and the issuer's
/// status lists, from memory, or by the issuer itself, at the price of a question (RFC 7662).
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::{Demand, Freshness, Requirement};
///
/// /// Reading an account may rest on an answer of the last half minute.
/// struct ReadAccount;
/// impl Requirement for ReadAccount {
///     const DEMAND: Demand = Demand::scope("account:read").fresh(Freshness::Within(Duration::from_secs(30)));
/// }
///
/// assert_eq!(Freshness::Denylist.stricter(Freshness::Always), Freshness::Always);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// The signature and the times alone.
    Offline,
    /// Besides, neither a rule of the denylist nor a status list denies the token: the default.
    #[default]
    Denylist,
    /// Besides, the issuer was asked about the token, or published its status list, at most so long ago.
    Within(Duration),
    /// Besides, the issuer is asked for this very request.
    Always,
}

impl Freshness {
    /// The stricter of the two.
    #[must_use]
    pub const fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Within(one), Self::Within(two)) => {
                Self::Within(if one.as_nanos() < two.as_nanos() { one } else { two })
            }
            _ => {
                if self.level() < other.level() {
                    other
                } else {
                    self
                }
            }
        }
    }

    const fn level(self) -> u8 {
        match self {
            Self::Offline => 0,
            Self::Denylist => 1,
            Self::Within(_) => 2,
            Self::Always => 3,
        }
    }

    /// Whether the denylist and the status lists are looked at.
    pub(crate) const fn looks_at_revocations(self) -> bool {
        self.level() >= Self::Denylist.level()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_two_holds_whichever_comes_first() {
        let [long, short] = [60, 5].map(|seconds| Freshness::Within(Duration::from_secs(seconds)));
        let by_strictness = [Freshness::Offline, Freshness::Denylist, long, short, Freshness::Always];
        for (at, strict) in by_strictness.into_iter().enumerate() {
            for loose in by_strictness.into_iter().take(at + 1) {
                assert_eq!(strict.stricter(loose), strict);
                assert_eq!(loose.stricter(strict), strict);
            }
        }
    }
}
