//! Answers, for as long as they may be used.
//!
//! Active and inactive ones are kept apart, so that a flood of invented tokens pushes out no token that is in use. Both
//! are bounded by entries, and an active one counts once more for each KiB of claims. quick_cache holds them, for the
//! reasons and figures that stand at the cache of verdicts; expiry is kept in the entry and judged by the caller's clock.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::wire::Statement;
use super::{Need, Reply, State};
use crate::time::Timestamp;

/// A SHA-256 digest over issuer, client and token. The token is not kept.
pub(super) type Key = [u8; 32];

/// How long answers may be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub(crate) active: ActiveLifetime,
    pub(crate) inactive: Duration,
}

/// How long a token counts as active after the issuer was asked; never past its `exp`, whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActiveLifetime {
    /// For so long. Zero asks for each request anew.
    For(Duration),
    /// Until `exp`: a revocation is not noticed. Where the answer names no `exp`, for the default.
    UntilExp,
}

impl Lifetimes {
    const DEFAULT_ACTIVE: Duration = Duration::from_secs(30);

    /// The first moment at which an answer must not be used any more.
    pub(super) fn end(&self, said: &Statement, asked_at: Timestamp) -> Timestamp {
        match said.state {
            State::Inactive => asked_at.plus(self.inactive),
            State::Active(_) => self.active_end(asked_at, said.expires_at),
        }
    }

    /// The first moment at which an answer that a token is active must not be used any more.
    pub(super) fn active_end(&self, asked_at: Timestamp, expires_at: Option<Timestamp>) -> Timestamp {
        let lifetime = match (self.active, expires_at) {
            (ActiveLifetime::UntilExp, Some(exp)) => return exp,
            (ActiveLifetime::UntilExp, None) => Self::DEFAULT_ACTIVE,
            (ActiveLifetime::For(lifetime), _) => lifetime,
        };
        let end = asked_at.plus(lifetime);
        expires_at.map_or(end, |exp| exp.min(end))
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { active: ActiveLifetime::For(Self::DEFAULT_ACTIVE), inactive: Duration::from_secs(5) }
    }
}

pub(super) struct AnswerCache {
    active: Cache<Key, Arc<Active>, ByMemory>,
    /// When each was asked about.
    inactive: Cache<Key, Timestamp>,
    lifetimes: Lifetimes,
}

struct Active {
    claims: Arc<str>,
    asked_at: Timestamp,
    ends_at: Timestamp,
    expires_at: Option<Timestamp>,
}

impl AnswerCache {
    pub(super) fn new(entries: usize, lifetimes: Lifetimes) -> Self {
        Self {
            active: Cache::with_weighter(entries.min(1024), entries as u64, ByMemory),
            inactive: Cache::new(entries),
            lifetimes,
        }
    }

    pub(super) fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// What a caller who keeps no answers needs is a new one.
    pub(super) fn need(&self, need: Need) -> Need {
        if self.lifetimes.active == ActiveLifetime::For(Duration::ZERO) { Need::Anew } else { need }
    }

    /// An answer in its lifetime that meets the need. One that was asked for in the future, by a clock that was set
    /// back since, is of no age that anybody could tell.
    pub(super) fn get(&self, key: &Key, need: Need, now: Timestamp) -> Option<Reply> {
        let usable =
            |asked_at: Timestamp, ends_at: Timestamp| asked_at <= now && now < ends_at && need.is_met_by(asked_at);
        if need == Need::Anew {
            return None;
        }
        if let Some(active) = self.active.get(key).filter(|it| usable(it.asked_at, it.ends_at)) {
            return Some(active.reply());
        }
        let asked_at = self.inactive.get(key)?;
        usable(asked_at, asked_at.plus(self.lifetimes.inactive)).then_some(Reply { asked_at, state: State::Inactive })
    }

    /// The last answer that called the token active, however old, while its `exp` lies ahead.
    pub(super) fn last_active(&self, key: &Key, now: Timestamp) -> Option<Reply> {
        let timely = |it: &Arc<Active>| it.asked_at <= now && it.expires_at.is_none_or(|exp| now < exp);
        self.active.get(key).filter(timely).map(|active| active.reply())
    }

    /// Puts the newest answer in the place of whatever is there.
    pub(super) fn put(&self, key: Key, said: &Statement, asked_at: Timestamp) {
        match &said.state {
            State::Active(claims) => {
                let ends_at = self.lifetimes.end(said, asked_at);
                let claims = Arc::clone(claims);
                self.active.insert(key, Arc::new(Active { claims, asked_at, ends_at, expires_at: said.expires_at }));
                self.inactive.remove(&key);
            }
            State::Inactive => {
                self.active.remove(&key);
                self.inactive.insert(key, asked_at);
            }
        }
    }

    pub(super) fn forget(&self, key: &Key) {
        self.active.remove(key);
        self.inactive.remove(key);
    }

    pub(super) fn clear(&self) {
        self.active.clear();
        self.inactive.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.active.len() + self.inactive.len()
    }
}

impl Active {
    fn reply(&self) -> Reply {
        Reply { asked_at: self.asked_at, state: State::Active(Arc::clone(&self.claims)) }
    }
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<Key, Arc<Active>> for ByMemory {
    fn weight(&self, _: &Key, active: &Arc<Active>) -> u64 {
        1 + active.claims.len() as u64 / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [7; 32];
    const T: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn at(secs: u64) -> Timestamp {
        T.plus(Duration::from_secs(secs))
    }

    fn active(exp: Option<u64>) -> Statement {
        Statement { state: State::Active("{}".into()), expires_at: exp.map(at) }
    }

    fn cache(active: ActiveLifetime) -> AnswerCache {
        AnswerCache::new(100, Lifetimes { active, ..Lifetimes::default() })
    }

    fn serves(cache: &AnswerCache, secs: u64) -> bool {
        cache.get(&KEY, Need::Cached, at(secs)).is_some()
    }

    /// An answer is used for its lifetime, and never past `exp`.
    #[test]
    fn an_active_answer_ends_with_its_lifetime_or_its_exp() {
        for (lifetime, exp, last) in [
            (ActiveLifetime::For(Duration::from_secs(30)), None, 29),
            (ActiveLifetime::For(Duration::from_secs(300)), Some(10), 9),
            (ActiveLifetime::For(Duration::from_secs(30)), Some(3600), 29),
            (ActiveLifetime::UntilExp, Some(3600), 3599),
            (ActiveLifetime::UntilExp, None, 29),
        ] {
            let cache = cache(lifetime);
            cache.put(KEY, &active(exp), T);
            assert!(serves(&cache, 0) && serves(&cache, last), "{lifetime:?} {exp:?}");
            assert!(!serves(&cache, last + 1), "{lifetime:?} {exp:?}");
        }
    }

    #[test]
    fn an_inactive_answer_is_used_for_seconds() {
        let cache = cache(ActiveLifetime::UntilExp);
        cache.put(KEY, &Statement::INACTIVE, T);
        assert!(serves(&cache, 4) && !serves(&cache, 5));
    }

    #[test]
    fn the_newest_answer_stands_alone() {
        let cache = cache(ActiveLifetime::UntilExp);
        cache.put(KEY, &active(Some(3600)), T);
        cache.put(KEY, &Statement::INACTIVE, at(1));
        assert_eq!(cache.get(&KEY, Need::Cached, at(2)).unwrap().state, State::Inactive);
        assert!(!serves(&cache, 20) && cache.last_active(&KEY, at(20)).is_none());
        cache.put(KEY, &active(Some(3600)), at(21));
        assert_ne!(cache.get(&KEY, Need::Cached, at(22)).unwrap().state, State::Inactive);
        cache.forget(&KEY);
        assert!(!serves(&cache, 22) && cache.len() == 0);
    }

    #[test]
    fn a_need_is_met_by_answers_that_were_asked_for_late_enough() {
        let cache = cache(ActiveLifetime::UntilExp);
        cache.put(KEY, &active(Some(3600)), at(10));
        let met = |need| cache.get(&KEY, need, at(20)).is_some();
        assert!(met(Need::Cached) && met(Need::NotBefore(at(10))));
        assert!(!met(Need::NotBefore(at(11))) && !met(Need::Anew));
        assert!(!serves(&cache, 9), "asked for in the future");
    }

    #[test]
    fn the_last_active_answer_outlives_its_lifetime_but_not_exp() {
        let cache = cache(ActiveLifetime::For(Duration::from_secs(30)));
        cache.put(KEY, &active(Some(100)), T);
        assert!(!serves(&cache, 99));
        assert_eq!(cache.last_active(&KEY, at(99)).unwrap().asked_at, T);
        assert!(cache.last_active(&KEY, at(100)).is_none());
    }

    #[test]
    fn a_flood_of_inactive_tokens_pushes_out_no_active_one() {
        let cache = cache(ActiveLifetime::UntilExp);
        cache.put(KEY, &active(Some(3600)), T);
        for n in 0..10_000_u32 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&n.to_le_bytes());
            cache.put(key, &Statement::INACTIVE, T);
        }
        assert!(serves(&cache, 1) && cache.len() <= 101);
    }

    #[test]
    fn claims_count_by_their_size() {
        let cache = AnswerCache::new(10, Lifetimes::default());
        for n in 0..100 {
            let claims = "x".repeat(5 * 1024).into();
            cache.put([n; 32], &Statement { state: State::Active(claims), expires_at: None }, T);
        }
        assert!(cache.len() <= 1, "{}", cache.len());
    }
}
