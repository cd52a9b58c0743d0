//! DPoP: the client proves with each request that it holds the key that its token is bound to (RFC 9449).
//!
//! [`Dpop`] is the policy. A proof is taken from the header and verified without clock or memory (`proof`, with `htu`
//! judged by `target`), then held against the time and, where demanded, a `nonce`; whether it was used before is asked
//! of a store, under [`replay_key`], last of all.
//!
//! ```
//! use std::time::Duration;
//! use tower_oauth::{Dpop, NonceKey};
//!
//! # let secret = [7; 32];
//! let dpop = Dpop::required().max_age(Duration::from_secs(30)).nonce(NonceKey::from_secret(secret));
//! ```

pub(crate) mod error;
pub(crate) mod nonce;
pub(crate) mod proof;
pub(crate) mod target;

use std::time::Duration;

use http::HeaderValue;

use crate::crypto::{Algorithm, sha256};
use crate::dpop::error::DpopError;
use crate::dpop::proof::Proof;
use crate::time::Timestamp;

pub use nonce::NonceKey;

/// How far ahead `iat` or a nonce may lie: clocks differ by seconds (FAPI 2.0 section 5.3.2.1 asks for these ten).
const FUTURE: Duration = Duration::from_secs(10);

/// How far the clocks of replicas that share a store may lie apart.
const FLEET_SKEW: Duration = Duration::from_secs(10);

const MAX_AGES: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
const NONCE_LIFETIMES: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(3600);

/// What clients sign proofs with: ES256, which every platform and secure element has, its larger sisters, Ed25519 under
/// both of its names, PS256 for FAPI 2.0, and RS256 for keys in older TPMs and smart cards. The RSA algorithms over
/// SHA-384 and SHA-512 add ways in and no clients.
const ALGORITHMS: [Algorithm; 7] = [
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Ed25519,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

/// Whether and how proofs of possession are taken.
#[derive(Clone, Debug)]
pub struct Dpop {
    mode: Mode,
    max_age: Duration,
    algorithms: Vec<Algorithm>,
    nonce: Option<NonceKey>,
    nonce_lifetime: Duration,
    nonce_instead_of_iat: bool,
}

/// What the scheme `DPoP` means to this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Not spoken; a bound token is refused.
    Off,
    /// A bound token needs its proof; others may come as Bearer.
    Accepted,
    /// Every token must be bound and come with its proof.
    Required,
}

impl Dpop {
    /// The scheme `DPoP` is not spoken. A token that is bound to a key is refused, because nobody could prove it.
    #[must_use]
    pub fn off() -> Self {
        Self::new(Mode::Off)
    }

    /// Tokens that are bound to a key need a proof, others pass as Bearer: the default.
    #[must_use]
    pub fn accepted() -> Self {
        Self::new(Mode::Accepted)
    }

    /// Every token must be bound to a key and come with a proof.
    #[must_use]
    pub fn required() -> Self {
        Self::new(Mode::Required)
    }

    fn new(mode: Mode) -> Self {
        Self {
            mode,
            max_age: Duration::from_secs(60),
            algorithms: ALGORITHMS.into(),
            nonce: None,
            nonce_lifetime: Duration::from_secs(300),
            nonce_instead_of_iat: false,
        }
    }

    /// How old a proof may be by its `iat`: 60 s unless set, 1 to 300 s. Ahead it may lie 10 s.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// The algorithms that proofs may be signed by, as challenges list them: `ES256`, `EdDSA`, `Ed25519`, `ES384`,
    /// `ES512`, `PS256` and `RS256` unless set. `EdDSA` and `Ed25519` are two names of one; to admit both, list both.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Demands in every proof a nonce that this service handed out (RFC 9449 section 9), so that none can be made in
    /// advance. Costs each client one refused request at first.
    #[must_use]
    pub fn nonce(mut self, key: NonceKey) -> Self {
        self.nonce = Some(key);
        self
    }

    /// How long a nonce is accepted: 5 minutes unless set, 10 s to 1 h. Newer ones do not end it.
    #[must_use]
    pub fn nonce_lifetime(mut self, lifetime: Duration) -> Self {
        self.nonce_lifetime = lifetime;
        self
    }

    /// Takes the nonce for the proof's time and ignores `iat`: for clients whose clocks are wrong (RFC 9449 section
    /// 11.1). Needs [`nonce`](Self::nonce).
    #[must_use]
    pub fn nonce_instead_of_iat(mut self) -> Self {
        self.nonce_instead_of_iat = true;
        self
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Those that proofs may be signed by.
    pub(crate) fn allowed(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Whether nonces are sealed with a key that no other replica can have.
    pub(crate) fn has_generated_key(&self) -> bool {
        self.nonce.as_ref().is_some_and(NonceKey::is_generated)
    }

    /// Everything that is wrong with the policy.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        if !MAX_AGES.contains(&self.max_age) {
            problems.push("Dpop::max_age(..) is from 1 to 300 seconds".into());
        }
        if self.algorithms.is_empty() {
            problems.push("Dpop::algorithms(..) lists none, so no proof could be accepted".into());
        }
        if !NONCE_LIFETIMES.contains(&self.nonce_lifetime) {
            problems.push("Dpop::nonce_lifetime(..) is from 10 seconds to 1 hour".into());
        }
        if self.nonce_instead_of_iat && self.nonce.is_none() {
            problems
                .push("Dpop::nonce_instead_of_iat() needs Dpop::nonce(..): without either a proof never ages".into());
        }
        problems.extend(self.nonce.as_ref().and_then(NonceKey::problem).map(String::from));
        problems
    }

    /// Judges nonce and `iat` (checks 10 and 11 of RFC 9449 section 4.3), and tells until when the proof must be
    /// remembered so that it passes once: as long as any replica could accept it.
    pub(crate) fn check_time(&self, proof: &Proof, now: Timestamp) -> Result<Timestamp, DpopError> {
        let nonce_end = match &self.nonce {
            Some(key) => Some(self.nonce_time(key, proof, now)?.plus(self.nonce_lifetime).plus(FLEET_SKEW)),
            None => None,
        };
        // What the client says of its clock bounds nothing then: one that is years ahead would be kept for years.
        if let Some(end) = nonce_end.filter(|_| self.nonce_instead_of_iat) {
            return Ok(end);
        }
        if proof.issued_at > now.plus(FUTURE) {
            return Err(DpopError::FromFuture);
        }
        if proof.issued_at.plus(self.max_age) < now {
            return Err(DpopError::TooOld);
        }
        let end = proof.issued_at.plus(self.max_age).plus(FUTURE).plus(FLEET_SKEW);
        Ok(nonce_end.map_or(end, |nonce_end| nonce_end.max(end)))
    }

    fn nonce_time(&self, key: &NonceKey, proof: &Proof, now: Timestamp) -> Result<Timestamp, DpopError> {
        let nonce = proof.nonce.as_deref().ok_or(DpopError::NonceMissing)?;
        let made = key.open(nonce).ok_or(DpopError::NonceInvalid)?;
        let alive = made <= now.plus(FUTURE) && now <= made.plus(self.nonce_lifetime);
        if alive { Ok(made) } else { Err(DpopError::NonceInvalid) }
    }

    /// The earliest time at which the proof can have been used, to be held against the birth of the replay store: its
    /// nonce's where that stands in for `iat`, which then proves nothing.
    pub(crate) fn born(&self, proof: &Proof) -> Timestamp {
        let key = self.nonce.as_ref().filter(|_| self.nonce_instead_of_iat);
        let made = key.and_then(|key| key.open(proof.nonce.as_deref()?));
        made.unwrap_or(proof.issued_at)
    }

    /// A nonce for the next proof, where nonces are demanded.
    pub(crate) fn fresh_nonce(&self, now: Timestamp) -> Option<HeaderValue> {
        HeaderValue::try_from(self.nonce.as_ref()?.seal(now)?).ok()
    }
}

impl Default for Dpop {
    fn default() -> Self {
        Self::accepted()
    }
}

/// What a store remembers of a proof: a hash, so that neither the length of `jti` nor its content matters. With issuer
/// and key in it, equal `jti` of different clients do not collide.
pub(crate) fn replay_key(issuer: &str, jkt: &str, jti: &str) -> [u8; 32] {
    let lengths = [issuer, jkt, jti].map(|part| (part.len() as u64).to_be_bytes());
    let [a, b, c] = &lengths;
    sha256(&[a, issuer.as_bytes(), b, jkt.as_bytes(), c, jti.as_bytes()])
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
