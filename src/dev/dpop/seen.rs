//! The proofs that were used, for as long as they could be used again (RFC 9449 section 11.1).

use std::collections::HashMap;

use crate::dev::refusal::Refusal;
use crate::time::Timestamp;

/// The most proofs that are remembered, some 130 a second for the two minutes that one can stay fresh.
const MOST: usize = 16_384;

/// Digests of key and `jti`, and until when each proof would be fresh.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<[u8; 32], Timestamp>);

impl Seen {
    /// Remembers a proof, once. Nothing is forgotten early: when there is no room, the request has to wait.
    pub(super) fn insert(&mut self, proof: [u8; 32], until: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        if self.0.contains_key(&proof) {
            return Err(Refusal::Proof("it was used before"));
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, until| *until >= now);
        }
        if self.0.len() >= MOST {
            return Err(Refusal::Busy);
        }
        self.0.insert(proof, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&n.to_le_bytes());
        digest
    }

    #[test]
    fn a_full_memory_refuses_until_something_in_it_is_past() {
        let (mut seen, until) = (Seen::default(), Timestamp::from_secs(60));
        for n in 0..MOST {
            assert_eq!(seen.insert(digest(n), until, Timestamp::from_secs(0)), Ok(()));
        }
        assert_eq!(seen.insert(digest(MOST), until, until), Err(Refusal::Busy));
        assert_eq!(seen.insert(digest(0), until, until), Err(Refusal::Proof("it was used before")));
        let past = Timestamp::from_millis(60_001);
        assert_eq!(seen.insert(digest(MOST), past, past), Ok(()));
        assert_eq!(seen.0.len(), 1);
    }
}
