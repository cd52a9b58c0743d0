//! One issuer's keys over time: fetched once however many ask, refreshed ahead, bounded against strangers.
//!
//! | a token's key | what happens |
//! |---|---|
//! | is in the set | served; from 80 % of the set's lifetime on, a refresh runs behind |
//! | is in a set past its lifetime | served for up to an hour while the issuer cannot be reached, then not judged |
//! | is in no set, or none is there yet | one fetch, shared by all who ask, however they go away |
//! | is unknown again | a cooldown of 5 s, doubling to 30 s: anybody can invent key names, nobody may make us fetch |
//! | verifies no token any more | the same: it may have been replaced under its name |
//!
//! Failures back off from 1 s to 60 s, for everybody. All of it is measured with the monotonic clock. Nothing is
//! fetched before the first request or [`KeyRing::begin`], so a ring can be made without a runtime; its task starts
//! with the first fetch and ends with the ring.

mod keeper;
mod schedule;
mod snapshot;
mod source;
mod state;
mod task;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::keeper::Keeper;
use self::snapshot::{Phase, Snapshot};
use self::source::Source;
use self::state::{Cause, Pause};
use crate::crypto::Algorithm;
use crate::observe::Observers;
use crate::transport::FetchError;
use crate::transport::fetch::Fetcher;

pub(crate) use self::keeper::Refresh;
pub(crate) use self::schedule::RingLimits;
pub(crate) use self::snapshot::{Candidates, Generation};
pub(crate) use self::source::KeySource;

/// The keys of one issuer. Dropping it ends its task and the fetch under way.
pub(crate) struct KeyRing(Arc<Keeper>);

/// What a ring has for a token.
///
/// After a [`Refresh`] has ended, look up once more. That second answer is final: a key still unknown is then
/// [`Cooling`](Self::Cooling), because the refresh that was waited for has started the cooldown. Should it be missing
/// or empty again all the same (the fetch was stopped with its runtime), the token is not judged.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// Keys from a set in its lifetime.
    Found(Candidates),
    /// Keys from a set past its lifetime; a refresh runs behind where one is possible.
    Stale(Candidates),
    /// There is a set, and the key is not in it: wait for the refresh, then look up again.
    Missing(Refresh),
    /// The key is unknown, and no fetch is started now.
    Cooling {
        /// Whether the last word on unknown keys was a successful refresh: then the token is judged, and its key does
        /// not exist. Otherwise nobody knows, and the token is not judged.
        refreshed: bool,
        /// When asking again may help.
        retry_after: Duration,
    },
    /// There is no set yet, or no more: wait for the fetch, then look up again.
    Empty(Refresh),
}

impl KeyRing {
    /// Neither fetches nor needs a runtime.
    pub(crate) fn new(
        issuer: &str,
        source: KeySource,
        fetcher: Option<Fetcher>,
        limits: RingLimits,
        observers: Observers,
    ) -> Self {
        let (configured, source) = match source {
            KeySource::Static(set) => (Some(Snapshot::configured(set)), None),
            elsewhere => (None, Some(elsewhere)),
        };
        Self(Arc::new(Keeper::new(Source::new(issuer, source, fetcher), configured, limits, observers)))
    }

    /// Takes over the last good set of `old`, with its age, when both keep the same issuer's keys from the same place.
    /// Failures and cooldowns are not taken over: the new configuration may be what repairs them.
    pub(crate) fn adopt(&self, old: &Self) {
        if !self.0.source.is_same_as(&old.0.source) {
            return;
        }
        let adopted = old.0.snapshot().and_then(|snapshot| snapshot.within(self.0.limits));
        if let Some(snapshot) = adopted.filter(|snapshot| snapshot.phase(Instant::now()) != Phase::Dead) {
            self.0.adopt(snapshot);
        }
    }

    /// The keys for a token of this `kid` and `alg`.
    pub(crate) fn lookup(&self, kid: Option<&str>, alg: Algorithm) -> Lookup {
        loop {
            // Once more only when a fetch has landed in between.
            if let Some(lookup) = self.look(kid, alg) {
                return lookup;
            }
        }
    }

    fn look(&self, kid: Option<&str>, alg: Algorithm) -> Option<Lookup> {
        let now = Instant::now();
        let Some(snapshot) = self.0.snapshot() else { return self.empty(now, kid, alg) };
        match Candidates::select(snapshot, kid, alg) {
            Ok(candidates) => match candidates.phase(now) {
                Phase::Young => Some(Lookup::Found(candidates)),
                Phase::Due => {
                    self.0.refresh_behind(now, candidates.snapshot());
                    Some(Lookup::Found(candidates))
                }
                Phase::Stale => {
                    self.0.refresh_behind(now, candidates.snapshot());
                    Some(Lookup::Stale(candidates))
                }
                Phase::Dead => self.expired(now, kid, alg),
            },
            Err(snapshot) if snapshot.phase(now) == Phase::Dead => self.expired(now, kid, alg),
            Err(snapshot) => self.unknown(now, &snapshot, Cause::Unknown(kid, alg), false),
        }
    }

    /// What to do after none of the keys of generation `seen` verified a token: its key may have been replaced under
    /// its name. One refresh under the same cooldown as for an unknown key; keys that are newer than `seen` already
    /// are given at once.
    pub(crate) fn after_bad_signature(&self, seen: Generation, kid: Option<&str>, alg: Algorithm) -> Lookup {
        loop {
            let now = Instant::now();
            let Some(snapshot) = self.0.snapshot().filter(|snapshot| snapshot.generation == seen) else {
                return self.lookup(kid, alg);
            };
            let lookup = match snapshot.phase(now) {
                Phase::Dead => self.expired(now, kid, alg),
                // A set in its lifetime is good enough to say that the signature is not the issuer's.
                phase => self.unknown(now, &snapshot, Cause::Replaced, phase != Phase::Stale),
            };
            if let Some(lookup) = lookup {
                return lookup;
            }
        }
    }

    /// Has keys fetched if none are there, and gives what to wait for.
    pub(crate) fn begin(&self) -> Result<Option<Refresh>, FetchError> {
        let now = Instant::now();
        if self.0.snapshot().is_some_and(|snapshot| snapshot.phase(now) != Phase::Dead) {
            return Ok(None);
        }
        self.0.expire(now);
        match self.0.refresh(now, None, Cause::Due) {
            Ok(refresh) => Ok(Some(refresh)),
            Err(Pause::Outdated) => Ok(None),
            Err(_) => Err(self.0.last_error()),
        }
    }

    /// Whether the keys are still those that a verdict of `generation` was reached with. One atomic load.
    pub(crate) fn is_current(&self, generation: Generation) -> bool {
        self.0.generation() == generation
    }

    /// Does what a lookup does for keys that are there: has them refreshed behind when they are due, and forgets them
    /// when they are too old. For a ring that is asked by [`is_current`](Self::is_current) alone for long.
    pub(crate) fn tend(&self) {
        let now = Instant::now();
        let Some(snapshot) = self.0.snapshot() else { return };
        match snapshot.phase(now) {
            Phase::Young => {}
            Phase::Due | Phase::Stale => self.0.refresh_behind(now, &snapshot),
            Phase::Dead => self.0.expire(now),
        }
    }

    /// That of the keys that serve now.
    #[cfg(test)]
    pub(crate) fn generation(&self) -> Generation {
        self.0.generation()
    }

    fn unknown(&self, now: Instant, snapshot: &Snapshot, cause: Cause<'_>, judged: bool) -> Option<Lookup> {
        if snapshot.age.is_none() {
            return Some(Lookup::Cooling { refreshed: true, retry_after: Duration::ZERO });
        }
        match self.0.refresh(now, Some(snapshot), cause) {
            Ok(refresh) => Some(Lookup::Missing(refresh)),
            Err(Pause::Cooldown(retry_after)) => Some(Lookup::Cooling { refreshed: true, retry_after }),
            Err(Pause::Backoff(retry_after)) => Some(Lookup::Cooling { refreshed: judged, retry_after }),
            Err(Pause::Outdated) => None,
        }
    }

    fn expired(&self, now: Instant, kid: Option<&str>, alg: Algorithm) -> Option<Lookup> {
        self.0.expire(now);
        self.empty(now, kid, alg)
    }

    fn empty(&self, now: Instant, kid: Option<&str>, alg: Algorithm) -> Option<Lookup> {
        match self.0.refresh(now, None, Cause::Empty(kid, alg)) {
            Ok(refresh) => Some(Lookup::Empty(refresh)),
            Err(Pause::Backoff(retry_after) | Pause::Cooldown(retry_after)) => {
                Some(Lookup::Cooling { refreshed: false, retry_after })
            }
            Err(Pause::Outdated) => None,
        }
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.snapshot().map(|snapshot| snapshot.set.len());
        f.debug_struct("KeyRing").field("source", &self.0.source).field("keys", &keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
