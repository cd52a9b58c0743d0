//! Nonces of the token endpoint (RFC 9449 section 8): random, and the last two are good.

use std::fmt;
use std::time::Duration;

use crate::mint::MintError;
use crate::mint::claims::random_id;
use crate::time::Timestamp;

/// How long a nonce is given out. It is accepted for as long again, so that a request under way does not fail.
const TURN: Duration = Duration::from_secs(60);

/// Turned by time and never by requests: otherwise three clients at once would take the nonce from one another.
pub(crate) struct Nonces {
    current: String,
    previous: Option<String>,
    since: Timestamp,
}

impl Nonces {
    pub(crate) fn new(now: Timestamp) -> Result<Self, MintError> {
        Ok(Self { current: random_id()?, previous: None, since: now })
    }

    pub(crate) fn current(&self) -> &str {
        &self.current
    }

    pub(crate) fn accept(&self, nonce: &str) -> bool {
        nonce == self.current || self.previous.as_deref() == Some(nonce)
    }

    /// Goes with the time. After two turns without any request both nonces are past.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Result<(), MintError> {
        let age = now.since(self.since);
        if age >= TURN {
            self.rotate(now)?;
        }
        if age >= 2 * TURN {
            self.previous = None;
        }
        Ok(())
    }

    pub(crate) fn rotate(&mut self, now: Timestamp) -> Result<(), MintError> {
        self.previous = Some(std::mem::replace(&mut self.current, random_id()?));
        self.since = now;
        Ok(())
    }
}

/// A nonce that is still good is not for a log.
impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("since", &self.since).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_are_accepted_and_no_older_one() {
        let mut nonces = Nonces::new(Timestamp::from_secs(0)).unwrap();
        let first = nonces.current().to_owned();
        nonces.rotate(Timestamp::from_secs(1)).unwrap();
        let second = nonces.current().to_owned();
        assert!(first != second && nonces.accept(&first) && nonces.accept(&second));
        nonces.rotate(Timestamp::from_secs(2)).unwrap();
        assert!(!nonces.accept(&first) && nonces.accept(&second) && !nonces.accept(""));
        assert!(!format!("{nonces:?}").contains(&second));
    }

    #[test]
    fn a_nonce_is_given_out_for_a_minute_and_accepted_for_one_more() {
        let mut nonces = Nonces::new(Timestamp::from_secs(0)).unwrap();
        let first = nonces.current().to_owned();
        nonces.turn(Timestamp::from_millis(59_999)).unwrap();
        assert_eq!(nonces.current(), first);
        nonces.turn(Timestamp::from_secs(60)).unwrap();
        assert!(nonces.current() != first && nonces.accept(&first));
        nonces.turn(Timestamp::from_secs(120)).unwrap();
        assert!(!nonces.accept(&first));
        let late = nonces.current().to_owned();
        nonces.turn(Timestamp::from_secs(1_000)).unwrap();
        assert!(!nonces.accept(&late), "nobody asked for two minutes");
    }
}
