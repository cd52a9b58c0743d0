//! Nonces that nobody has to remember: the time, sealed (RFC 9449 section 8).
//!
//! A nonce says when it was made, and only holders of the key can make one. So every replica that shares the secret
//! accepts what any of them handed out, and nothing is stored. That a proof is used once is the replay store's matter.

use std::fmt;
use std::sync::Arc;

use crate::crypto::aead::SealingKey;
use crate::crypto::{b64, b64_decode, random};
use crate::secret::Secret;
use crate::time::Timestamp;

/// Keeps the key apart from any other that may be derived from the same secret.
const PURPOSE: &[u8] = b"tower-oauth DPoP-Nonce v1";

/// A secret shorter than the key that is made of it would be the weaker of the two.
const MIN_SECRET_BYTES: usize = 32;

/// 12 bytes nonce of the seal, 8 bytes time, 16 bytes tag, as base64url: characters of NQCHAR only (RFC 9449 section 8.1).
const NONCE_CHARS: usize = 48;

/// What [`Dpop::nonce`](crate::Dpop::nonce) seals nonces with.
///
/// ```
/// use tower_oauth::NonceKey;
///
/// # let (new, old) = ([1; 32], [2; 32]);
/// let key = NonceKey::from_secret(new).previous(old);
/// assert_eq!(format!("{key:?}"), "NonceKey([redacted])");
/// ```
#[derive(Clone)]
pub struct NonceKey {
    current: Result<Arc<SealingKey>, &'static str>,
    previous: Vec<Arc<SealingKey>>,
    generated: bool,
    short_previous: bool,
}

impl NonceKey {
    /// From a secret of at least 32 random bytes, which all replicas share. A shorter one is reported when the
    /// configuration is built.
    #[must_use]
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Self {
        Self { current: derive(secret.as_ref()), previous: Vec::new(), generated: false, short_previous: false }
    }

    /// From a fresh random secret: for a service of one process, whose clients fetch a new nonce after a restart.
    #[must_use]
    pub fn generated() -> Self {
        let secret = random::<MIN_SECRET_BYTES>().map(|secret| Secret::new(secret.to_vec()));
        let current = match secret {
            Some(secret) => derive(secret.expose()),
            None => Err("the system has no randomness for a NonceKey"),
        };
        Self { current, previous: Vec::new(), generated: true, short_previous: false }
    }

    /// Also accepts nonces of the secret before. Give every replica the new secret as `previous` first, then exchange
    /// the two, and drop the old one after a nonce's lifetime.
    #[must_use]
    pub fn previous(mut self, secret: impl AsRef<[u8]>) -> Self {
        match derive(secret.as_ref()) {
            Ok(key) => self.previous.push(key),
            Err(_) => self.short_previous = true,
        }
        self
    }

    /// Why no nonce can be made, or none of the secret before be read.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let short = self.short_previous.then_some("NonceKey::previous needs a secret of at least 32 bytes");
        self.current.as_ref().err().copied().or(short)
    }

    /// Whether no other replica can have the key.
    pub(crate) fn is_generated(&self) -> bool {
        self.generated
    }

    /// A nonce made `now`.
    pub(crate) fn seal(&self, now: Timestamp) -> Option<String> {
        self.current.as_ref().ok()?.seal(&now.as_millis().to_be_bytes()).map(|sealed| b64(&sealed))
    }

    /// When a nonce was made; `None` for one that no key of ours made.
    pub(crate) fn open(&self, nonce: &str) -> Option<Timestamp> {
        if nonce.len() != NONCE_CHARS {
            return None;
        }
        let sealed = b64_decode(nonce.as_bytes())?;
        let mut keys = self.current.iter().chain(&self.previous);
        let time = keys.find_map(|key| key.open(&sealed))?;
        time.try_into().ok().map(|time| Timestamp::from_millis(i64::from_be_bytes(time)))
    }
}

fn derive(secret: &[u8]) -> Result<Arc<SealingKey>, &'static str> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err("a NonceKey needs a secret of at least 32 bytes");
    }
    SealingKey::derive(secret, PURPOSE).map(Arc::new).ok_or("a NonceKey could not be derived")
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_123);

    fn key(seed: u8) -> NonceKey {
        NonceKey::from_secret([seed; 32])
    }

    /// RFC 9449 section 8.1: NQCHAR only, unpredictable, and accepted by whoever shares the secret.
    #[test]
    fn a_nonce_is_plain_text_that_every_holder_of_the_secret_can_read() {
        let nonce = key(1).seal(NOW).unwrap();
        assert_eq!(nonce.len(), NONCE_CHARS);
        assert!(nonce.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)));
        assert_ne!(key(1).seal(NOW).unwrap(), nonce);
        assert_eq!(key(1).open(&nonce), Some(NOW));
    }

    /// DPP-16: a nonce of another server, a touched one and none at all do not open; the secret before still counts.
    #[test]
    fn only_our_own_nonces_open() {
        let nonce = key(1).seal(NOW).unwrap();
        assert_eq!(key(2).open(&nonce), None);
        assert_eq!(key(2).previous([1; 32]).open(&nonce), Some(NOW));
        assert_eq!(key(3).previous([2; 32]).previous([1; 32]).open(&nonce), Some(NOW));
        assert_eq!(NonceKey::generated().open(&nonce), None);
        let generated = NonceKey::generated();
        assert_eq!(generated.clone().open(&generated.seal(NOW).unwrap()), Some(NOW));
        for other in ["", "abc", "eyJ7S_zG.eyJH0-Z.HX4w-7v", &nonce[1..], &format!("{nonce}A"), &format!("{nonce}=")] {
            assert_eq!(key(1).open(other), None, "{other}");
        }
    }

    #[test]
    fn a_short_secret_is_a_problem_and_makes_no_nonce() {
        assert!(key(1).problem().is_none() && NonceKey::generated().problem().is_none());
        let short = NonceKey::from_secret([1; 31]);
        assert!(short.problem().is_some());
        assert_eq!(short.seal(NOW), None);
        assert!(key(1).previous("short").problem().unwrap().contains("previous"));
        assert!(NonceKey::generated().is_generated() && !key(1).is_generated());
    }

    #[test]
    fn nothing_of_the_key_is_printed() {
        assert_eq!(format!("{:?}", key(77).previous([78; 32])), "NonceKey([redacted])");
    }

    proptest! {
        #[test]
        fn no_text_opens_or_panics(text in "[A-Za-z0-9_-]{48}", other in ".{0,60}") {
            prop_assert_eq!(key(1).open(&text), None);
            prop_assert_eq!(key(1).open(&other), None);
        }

        #[test]
        fn every_time_survives(millis in any::<i64>(), at in 0_usize..48, letter in "[A-Za-z0-9_-]") {
            let time = Timestamp::from_millis(millis);
            let mut nonce = key(1).seal(time).unwrap();
            prop_assert_eq!(key(1).open(&nonce), Some(time));
            if nonce[at..=at] != letter {
                nonce.replace_range(at..=at, &letter);
                prop_assert_eq!(key(1).open(&nonce), None);
            }
        }
    }
}
