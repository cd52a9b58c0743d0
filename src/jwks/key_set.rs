//! A JWK Set (RFC 7517 section 5): which keys may be used, and which of them a token may mean.
//!
//! The document is read strictly as a whole; its keys are read one by one, so that a key of a kind not known here (or
//! broken, too small, meant for encryption) is skipped and counted and never locks everybody out. An issuer may add
//! post-quantum keys any day.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::crypto::{Algorithm, Key};
use crate::jwks::jwk::VerificationKey;
use crate::jwt::json::{self, JsonError};

/// Keys of one set that are used; more are counted as skipped.
const MAX_KEYS: usize = 100;

/// Keys that one token is tried with, so that nobody makes us verify a signature a hundred times.
pub(crate) const MAX_CANDIDATES: usize = 4;

/// The usable keys of a set.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    skipped: usize,
    /// Whether any usable key has a `kid`; see [`KeySet::select`].
    named: bool,
}

/// The document is no key set at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySetError(pub(crate) JsonError);

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a JWK set: {}", self.0)
    }
}

impl std::error::Error for KeySetError {}

#[derive(Deserialize)]
struct Document<'d> {
    #[serde(borrow)]
    keys: Vec<&'d RawValue>,
}

impl KeySet {
    /// Reads a set. One without a usable key is a set too, an empty one.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        let document: Document<'_> = json::from_slice(document).map_err(KeySetError)?;
        let mut set = Self::default();
        for jwk in document.keys {
            match VerificationKey::from_jwk(jwk.get()) {
                // A repetition would only use up a candidate.
                Ok(key) if set.keys.len() < MAX_KEYS && !set.keys.contains(&key) => set.keys.push(key),
                _ => set.skipped += 1,
            }
        }
        set.named = set.keys.iter().any(|key| key.kid.is_some());
        Ok(set)
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys were not understood, not sound, repeated or too many.
    pub(crate) fn skipped(&self) -> usize {
        self.skipped
    }

    /// Where the keys are that a token of this `kid` and `alg` may have been signed with, at most [`MAX_CANDIDATES`].
    ///
    /// A `kid` may stand twice, with keys of different kinds or even of one kind: each that fits is a candidate. A
    /// token without `kid` may mean every key that fits. A token **with** one never means a key of another name, nor a
    /// nameless key in a set that names keys; only where no usable key has a name can the token's `kid` not be looked
    /// up, and then it is ignored, because the issuer evidently does not use names to choose.
    pub(crate) fn positions(&self, kid: Option<&str>, alg: Algorithm) -> impl Iterator<Item = usize> {
        let kid = kid.filter(|_| self.named);
        self.keys
            .iter()
            .enumerate()
            .filter(move |(_, key)| (kid.is_none() || key.kid.as_deref() == kid) && key.is_for(alg))
            .map(|(position, _)| position)
            .take(MAX_CANDIDATES)
    }

    /// The keys themselves.
    #[cfg(test)]
    pub(crate) fn select(&self, kid: Option<&str>, alg: Algorithm) -> impl Iterator<Item = &Key> {
        self.positions(kid, alg).filter_map(|position| self.key_at(position))
    }

    /// The key at a position that [`positions`](Self::positions) gave.
    pub(crate) fn key_at(&self, position: usize) -> Option<&Key> {
        self.keys.get(position).map(|key| &key.key)
    }
}

/// The same usable keys, in whatever order: then a refresh has brought nothing new.
impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        // No set holds a key twice, so equal lengths and inclusion suffice.
        self.keys.len() == other.keys.len() && self.keys.iter().all(|key| other.keys.contains(key))
    }
}

impl Eq for KeySet {}

#[cfg(test)]
#[path = "key_set_tests.rs"]
mod tests;
