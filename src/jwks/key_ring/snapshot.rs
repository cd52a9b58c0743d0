//! A key set at a point in time, and the keys in it that one token may mean. Pure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::crypto::{Algorithm, Key};
use crate::jwks::key_ring::schedule::{Age, RingLimits};
use crate::jwks::key_ring::source::Validator;
use crate::jwks::key_set::{KeySet, MAX_CANDIDATES};

/// Which keys a verdict was reached with. It changes when the keys do, not when a refresh finds them unchanged, so a
/// cached verdict lives as long as the keys that proved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Generation(pub(super) u64);

impl Generation {
    /// That of a ring without keys; no verdict has it.
    pub(super) const NONE: Self = Self(0);

    /// Never given before in this process, so that rings which replace each other cannot be confused.
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A key set and how old it is.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) set: Arc<KeySet>,
    pub(super) generation: Generation,
    pub(super) validator: Option<Validator>,
    /// `None` for keys that were configured and never age.
    pub(super) age: Option<Age>,
}

/// What a set is good for by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Serves, and nothing is to be done.
    Young,
    /// Serves, and is to be refreshed behind.
    Due,
    /// Past its lifetime; serves because the issuer cannot be reached.
    Stale,
    /// Too old to serve.
    Dead,
}

impl Snapshot {
    pub(super) fn configured(set: KeySet) -> Self {
        Self { set: Arc::new(set), generation: Generation::next(), validator: None, age: None }
    }

    /// What follows `before` when `set` was fetched. Equal keys keep their generation.
    pub(super) fn fetched(set: KeySet, before: Option<&Self>, validator: Option<Validator>, age: Age) -> Self {
        let same = before.filter(|before| *before.set == set);
        let (set, generation) = match same {
            Some(same) if same.set.skipped() == set.skipped() => (same.set.clone(), same.generation),
            Some(same) => (Arc::new(set), same.generation),
            None => (Arc::new(set), Generation::next()),
        };
        Self { set, generation, validator, age: Some(age) }
    }

    /// The same set, confirmed by its issuer. A 304 that says nothing of age leaves the lifetime as it was.
    pub(super) fn renewed(&self, now: Instant, max_age: Option<Duration>, limits: RingLimits) -> Self {
        let max_age = max_age.or(self.age.map(|age| age.lifetime));
        self.with_age(Age::new(now, max_age, limits))
    }

    /// The same set as seen by a ring with other limits.
    pub(super) fn within(&self, limits: RingLimits) -> Option<Self> {
        self.age.map(|age| self.with_age(Age::new(age.confirmed, Some(age.lifetime), limits)))
    }

    fn with_age(&self, age: Age) -> Self {
        let (set, validator) = (self.set.clone(), self.validator.clone());
        Self { set, generation: self.generation, validator, age: Some(age) }
    }

    pub(super) fn phase(&self, now: Instant) -> Phase {
        match &self.age {
            None => Phase::Young,
            Some(age) if now < age.refresh_at => Phase::Young,
            Some(age) if now < age.fresh_until() => Phase::Due,
            Some(age) if now < age.dead_at() => Phase::Stale,
            Some(_) => Phase::Dead,
        }
    }

    pub(super) fn has(&self, kid: Option<&str>, alg: Algorithm) -> bool {
        self.set.positions(kid, alg).next().is_some()
    }
}

/// The keys that a token may have been signed with: at least one, at most four. Choosing them allocates nothing.
#[derive(Debug)]
pub(crate) struct Candidates {
    snapshot: Arc<Snapshot>,
    positions: [u8; MAX_CANDIDATES],
    count: usize,
}

impl Candidates {
    /// Gives the snapshot back when it holds no key for the token.
    pub(super) fn select(snapshot: Arc<Snapshot>, kid: Option<&str>, alg: Algorithm) -> Result<Self, Arc<Snapshot>> {
        let mut positions = [0; MAX_CANDIDATES];
        let mut count = 0;
        for (slot, position) in positions.iter_mut().zip(snapshot.set.positions(kid, alg)) {
            // A set holds at most a hundred keys.
            *slot = u8::try_from(position).unwrap_or(u8::MAX);
            count += 1;
        }
        if count == 0 { Err(snapshot) } else { Ok(Self { snapshot, positions, count }) }
    }

    /// Each key once, in the order of the set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        let set = &self.snapshot.set;
        self.positions.iter().take(self.count).filter_map(|position| set.key_at(usize::from(*position)))
    }

    /// To be kept with a verdict that one of these keys proved.
    pub(crate) fn generation(&self) -> Generation {
        self.snapshot.generation
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn phase(&self, now: Instant) -> Phase {
        self.snapshot.phase(now)
    }
}
