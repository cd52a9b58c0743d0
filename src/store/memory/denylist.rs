//! A [`Denylist`] in this process: exact, bounded, and without a pause.
//!
//! A rule is kept under a 128-bit keyed hash of what it names (SipHash-2-4, the key random and this list's own): no claim
//! of anybody is kept, and nobody can make two names that share one. It is a slot of 48 bytes and its place in the tables
//! of the replay store's [`shards`](super::shard), about 60 in all, and 4 MB for the tables from the first rule on.
//!
//! # The clock
//!
//! A rule is over at its `keep_until`, and forgotten [`GRACE`] later, a few at a time with each rule that comes: a clock
//! that went ahead by less and was set back has taken nothing away. Only where there is no room for a new rule those go
//! at once that are over. None goes before.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use super::shard::{Corrupt, Found, Shard};
use super::{Count, EXPIRED_AT_ONCE, SHARDS, last_second};
use crate::crypto::random;
use crate::store::{Answer, Denied, DenyRule, Denylist, Marks, Standing, StoreError};
use crate::time::Timestamp;

/// Rules that are kept unless configured.
const DEFAULT_CAPACITY: usize = 1_000_000;

/// How far a clock may have been ahead without any harm when it is set back.
const GRACE: Duration = Duration::from_secs(3600);

/// Rules are over by spans of so many seconds, rounded up, so that the queues of each second do not take more memory
/// than the rules.
const SPAN: i64 = 64;

/// What is said of a token when a thread panicked in the middle of a change. No code here can, short of memory.
const DAMAGED: &str = "unknown";

/// Keeps the rules in this process: the default, and enough for a service of one replica. A restart loses them.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::store::{Denied, DenyRule, Denylist, Marks, MemoryDenylist};
/// use tower_oauth::time::Timestamp;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (list, now) = (MemoryDenylist::new(), Timestamp::from_secs(1_700_000_000));
/// let rule = DenyRule::new("https://login.example.com", Denied::Subject("ada".into()), now.plus(Duration::from_secs(3660)));
/// list.deny(rule.issued_until(now), now).wait().await.unwrap();
///
/// let token = Marks { issuer: "https://login.example.com", subject: Some("ada"), issued_at: Some(now), ..Marks::default() };
/// assert_eq!(list.denies(&token, now), Some("subject"));
/// let later = Marks { issued_at: Some(now.plus(Duration::from_secs(1))), ..token };
/// assert_eq!(list.denies(&later, now), None);
/// # });
/// ```
pub struct MemoryDenylist {
    capacity: usize,
    /// For names.
    key: [u8; 16],
    /// For the places of digests.
    hasher: RandomState,
    live: Count,
    generation: AtomicU64,
    damaged: AtomicBool,
    shards: Box<[Padded]>,
}

#[repr(align(128))]
struct Padded(RwLock<Shard<Latest>>);

/// The latest `iat` that is denied, in milliseconds; the last of all for every token.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Latest(i64);

impl Latest {
    const EVERY_TOKEN: Self = Self(i64::MAX);

    fn of(rule: &DenyRule) -> Self {
        rule.latest_issue().map_or(Self::EVERY_TOKEN, |moment| Self(moment.as_millis()))
    }

    fn denies(self, issued_at: Option<Timestamp>) -> bool {
        issued_at.is_none_or(|issued_at| issued_at.as_millis() <= self.0)
    }
}

impl Default for MemoryDenylist {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryDenylist {
    /// For 1 000 000 rules.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// For `capacity` rules, about 60 bytes each. A rule that there is no room for is an error, and forgets no other.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        // Slots are numbered by 32 bits, and in theory one shard holds them all.
        let capacity = capacity.min(u32::MAX as usize - 1);
        let hasher = RandomState::new();
        let shard = || Padded(RwLock::new(Shard::new(capacity / SHARDS, hasher.clone())));
        Self {
            capacity,
            key: random().unwrap_or_else(|| key_from(&hasher)),
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher,
            live: Count::default(),
            generation: AtomicU64::new(0),
            damaged: AtomicBool::new(false),
        }
    }

    /// Rules that it holds, some of which may be over already.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.0.load(Ordering::Relaxed)
    }

    /// Bytes that it has allocated; it keeps what it once needed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let shards = self.shards.iter().filter_map(|shard| Some(shard.0.read().ok()?.bytes()));
        shards.sum::<usize>() + self.shards.len() * size_of::<Padded>() + size_of::<Self>()
    }

    /// Whether there was room for the rule.
    fn take(&self, rule: &DenyRule, now: Timestamp) -> Result<bool, Corrupt> {
        let name = name(&self.of_issuer(rule.issuer()), rule.denied().kind(), value(rule.denied()));
        let (hash, own) = self.place(name);
        loop {
            if self.take_in(own, name, hash, rule, now)? {
                return Ok(true);
            }
            if !self.make_room(own, now)? {
                return Ok(false);
            }
        }
    }

    fn take_in(&self, own: usize, name: u128, hash: u64, rule: &DenyRule, now: Timestamp) -> Result<bool, Corrupt> {
        let (until, latest) = (last_span(rule.keep_until()), Latest::of(rule));
        let mut shard = self.shards.get(own).ok_or(Corrupt)?.0.write().map_err(|_poisoned| Corrupt)?;
        // Of two rules for one name the stricter holds, to the later of their ends.
        if shard.find(name, hash, until)? == Found::Seen {
            let before = shard.kept(name, hash)?.ok_or(Corrupt)?;
            shard.keep(name, hash, before.max(latest))?;
            return Ok(true);
        }
        self.live.release(shard.expire(now.minus(GRACE).as_secs(), EXPIRED_AT_ONCE)?);
        if !self.live.reserve(self.capacity) {
            return Ok(false);
        }
        shard.insert(name, hash, until, latest)?;
        Ok(true)
    }

    /// Takes a few rules away that are over, wherever they are; whether there were any.
    fn make_room(&self, own: usize, now: Timestamp) -> Result<bool, Corrupt> {
        for shard in self.shards.iter().cycle().skip(own + 1).take(SHARDS) {
            let gone = shard.0.write().map_err(|_poisoned| Corrupt)?.expire(now.as_secs(), EXPIRED_AT_ONCE)?;
            if gone > 0 {
                self.live.release(gone);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_denied(&self, name: u128, issued_at: Option<Timestamp>) -> Result<bool, Corrupt> {
        let (hash, own) = self.place(name);
        let shard = self.shards.get(own).ok_or(Corrupt)?.0.read().map_err(|_poisoned| Corrupt)?;
        Ok(shard.kept(name, hash)?.is_some_and(|latest| latest.denies(issued_at)))
    }

    fn of_issuer(&self, issuer: &str) -> SipHasher24 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_usize(issuer.len());
        hasher.write(issuer.as_bytes());
        hasher
    }

    /// The topmost bits choose the shard, the lowest the chain in it.
    fn place(&self, name: u128) -> (u64, usize) {
        let hash = self.hasher.hash_one(name);
        (hash, (hash >> 58) as usize)
    }
}

/// What a rule and the tokens that it denies have in common. 0xFF stands in no text, so it ends the kind.
fn name(issuer: &SipHasher24, kind: &str, value: &str) -> u128 {
    let mut hasher = *issuer;
    hasher.write(kind.as_bytes());
    hasher.write_u8(0xFF);
    hasher.write(value.as_bytes());
    hasher.finish128().as_u128()
}

fn value(denied: &Denied) -> &str {
    match denied {
        Denied::Token(value) | Denied::Session(value) | Denied::Subject(value) | Denied::Client(value) => value,
        Denied::Everything => "",
    }
}

/// The end of the span in which a rule is over, in seconds.
fn last_span(keep_until: Timestamp) -> i64 {
    let second = last_second(keep_until);
    second.saturating_add((-second).rem_euclid(SPAN))
}

/// Where the system gives no random bytes but gave those that every hash table begins with.
fn key_from(hasher: &RandomState) -> [u8; 16] {
    let (first, second) = (hasher.hash_one(0_u8), hasher.hash_one(1_u8));
    ((u128::from(first) << 64) | u128::from(second)).to_le_bytes()
}

impl Denylist for MemoryDenylist {
    fn deny(&self, rule: DenyRule, now: Timestamp) -> Answer<Result<(), StoreError>> {
        Answer::Now(match self.take(&rule, now) {
            Ok(true) => {
                // After the rule: whoever reads the new number finds it.
                self.generation.fetch_add(1, Ordering::Release);
                Ok(())
            }
            Ok(false) => Err(StoreError::new("the denylist in memory is full; give it a larger capacity")),
            Err(Corrupt) => {
                self.damaged.store(true, Ordering::Release);
                Err(StoreError::new("the denylist in memory is damaged; restart"))
            }
        })
    }

    fn denies(&self, token: &Marks<'_>, _now: Timestamp) -> Option<&'static str> {
        if self.live() == 0 {
            return None;
        }
        let issuer = self.of_issuer(token.issuer);
        let marks = [
            ("token", token.token_id),
            ("session", token.session_id),
            ("subject", token.subject),
            ("client", token.client_id),
            ("everything", Some("")),
        ];
        for (kind, value) in marks {
            let Some(value) = value else { continue };
            match self.is_denied(name(&issuer, kind, value), token.issued_at) {
                Ok(false) => {}
                Ok(true) => return Some(kind),
                Err(Corrupt) => {
                    self.damaged.store(true, Ordering::Release);
                    return Some(DAMAGED);
                }
            }
        }
        None
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Always current: whoever shares this list shares its memory.
    fn standing(&self, _now: Timestamp) -> Standing {
        if self.damaged.load(Ordering::Acquire) { Standing::Lost } else { Standing::Current }
    }
}

impl fmt::Debug for MemoryDenylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MemoryDenylist");
        debug.field("capacity", &self.capacity).field("live", &self.live()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "denylist_tests.rs"]
mod tests;
