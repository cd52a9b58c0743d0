//! The refresh tokens of one grant: each is good once, and a spent one shows that somebody else has it (RFC 9700 section
//! 4.14.2).
//!
//! A token names its grant and its place in the line, sealed by a secret of the family. So every token that was ever
//! spent is known again, however many there were, and none of them is stored.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use subtle::ConstantTimeEq as _;

use crate::crypto::{b64, random, sha256};
use crate::mint::MintError;
use crate::time::Timestamp;

/// How a refresh token begins, so that a person who finds one knows what it is.
const PREFIX: &str = "rt_";

/// So many refreshes of one family ...
const BURST: usize = 10;
/// ... within this time are no ordinary client.
const BURST_WINDOW: Duration = Duration::from_secs(10);

/// A line of refresh tokens, of which the last is good.
pub(crate) struct Family {
    secret: [u8; 32],
    generation: u64,
    rotated: Option<Timestamp>,
    recent: VecDeque<Timestamp>,
}

/// What a presented token is to its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The one that is good.
    Current,
    /// The one before, so soon after that two requests of one client have crossed.
    Crossed,
    /// Used before.
    Spent,
    /// None of this family.
    Foreign,
}

/// A refresh token, taken apart and not yet believed.
pub(crate) struct RefreshToken<'t> {
    pub(crate) grant: &'t str,
    generation: u64,
    seal: &'t str,
}

impl<'t> RefreshToken<'t> {
    pub(crate) fn parse(token: &'t str) -> Option<Self> {
        let mut parts = token.strip_prefix(PREFIX)?.split('.');
        let (grant, generation, seal) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Self { grant, generation: generation.parse().ok()?, seal })
    }
}

impl Family {
    pub(crate) fn new() -> Result<Self, MintError> {
        let secret = random().ok_or(MintError("the system has no randomness"))?;
        Ok(Self { secret, generation: 0, rotated: None, recent: VecDeque::new() })
    }

    /// The token that is good now, for the grant named.
    pub(crate) fn token(&self, grant: &str) -> String {
        format!("{PREFIX}{grant}.{}.{}", self.generation, self.seal(grant, self.generation))
    }

    /// Both inputs before the name have one length, so nothing runs into anything.
    fn seal(&self, grant: &str, generation: u64) -> String {
        b64(&sha256(&[&self.secret, &generation.to_be_bytes(), grant.as_bytes()]))
    }

    /// `grace` is how long after its rotation the token before is still answered; zero for not at all.
    pub(crate) fn standing(&self, token: &RefreshToken<'_>, grace: Duration, now: Timestamp) -> Standing {
        let seal = self.seal(token.grant, token.generation);
        if token.generation > self.generation || !bool::from(seal.as_bytes().ct_eq(token.seal.as_bytes())) {
            return Standing::Foreign;
        }
        if token.generation == self.generation {
            return Standing::Current;
        }
        // Of a clock that was turned back nothing follows but a longer wait.
        let is_soon = !grace.is_zero() && self.rotated.is_some_and(|rotated| now.since(rotated) <= grace);
        if token.generation + 1 == self.generation && is_soon { Standing::Crossed } else { Standing::Spent }
    }

    /// The next token is good from now on.
    pub(crate) fn rotate(&mut self, now: Timestamp) {
        self.generation = self.generation.saturating_add(1);
        self.rotated = Some(now);
    }

    /// Counts a refresh; true when it is the one that makes a burst of many.
    pub(crate) fn is_burst(&mut self, now: Timestamp) -> bool {
        self.recent.retain(|at| now.since(*at) <= BURST_WINDOW);
        self.recent.push_back(now);
        if self.recent.len() > BURST {
            // Begins anew, so that a long burst is told once for each ten and not each time.
            self.recent.clear();
            return true;
        }
        false
    }
}

/// The secret makes every token of the family.
impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("generation", &self.generation).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn standing(family: &Family, token: &str, grace: Duration, now: i64) -> Standing {
        family.standing(&RefreshToken::parse(token).unwrap(), grace, at(now))
    }

    #[test]
    fn one_token_is_good_and_each_before_it_is_known_as_spent() {
        let mut family = Family::new().unwrap();
        let mut tokens = vec![family.token("g")];
        for _ in 0..3 {
            family.rotate(at(0));
            tokens.push(family.token("g"));
        }
        let judged: Vec<_> = tokens.iter().map(|token| standing(&family, token, Duration::ZERO, 0)).collect();
        assert_eq!(judged, [Standing::Spent, Standing::Spent, Standing::Spent, Standing::Current]);
    }

    #[test]
    fn the_token_before_is_answered_within_the_grace_window_and_no_older_one() {
        let mut family = Family::new().unwrap();
        let first = family.token("g");
        family.rotate(at(10));
        let second = family.token("g");
        assert_eq!(standing(&family, &first, GRACE, 15), Standing::Crossed);
        assert_eq!(standing(&family, &first, GRACE, 16), Standing::Spent);
        assert_eq!(standing(&family, &first, Duration::ZERO, 10), Standing::Spent, "off by default");
        family.rotate(at(11));
        assert_eq!(standing(&family, &first, GRACE, 12), Standing::Spent, "its successor was used");
        assert_eq!(standing(&family, &second, GRACE, 12), Standing::Crossed);
    }

    #[test]
    fn nobody_makes_up_a_token() {
        let (family, other) = (Family::new().unwrap(), Family::new().unwrap());
        let token = family.token("g");
        assert_eq!(standing(&family, &other.token("g"), GRACE, 0), Standing::Foreign);
        assert_eq!(standing(&family, &token.replace("rt_g", "rt_h"), GRACE, 0), Standing::Foreign);
        assert_eq!(standing(&family, &token.replace(".0.", ".1."), GRACE, 0), Standing::Foreign);
        for odd in ["", "rt_", "rt_a.0", "rt_a.0.b.c", "rt_a.x.b", "rt_a.-1.b", "a.0.b"] {
            assert!(RefreshToken::parse(odd).is_none(), "{odd}");
        }
        assert!(!format!("{family:?}").contains(&b64(&family.secret)));
    }

    #[test]
    fn a_burst_is_told_once_for_each_eleven() {
        let mut family = Family::new().unwrap();
        let told = (0..22).filter(|_| family.is_burst(at(1))).count();
        assert_eq!(told, 2);
        assert_eq!((0..60).filter(|second| family.is_burst(at(100 + second))).count(), 5, "one each second");
        let mut slow = Family::new().unwrap();
        assert!((0..60).all(|n| !slow.is_burst(at(2 * n))));
    }
}
