//! One shard: slots in a hash table by chains, and in a queue by the second at which they are over.
//!
//! A slot never moves. It is in one chain and in one queue as long as it is used, and in the list of free ones else. All
//! three are numbers of slots, 4 bytes each, and the ends of a list are [`NONE`].

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::mem;

/// A slot's number.
type Link = u32;

const NONE: Link = Link::MAX;

/// 8 KiB: allocated within a request, so not much longer than that takes.
const CHUNK: usize = 256;

/// So many entries that were prolonged are passed by for each one that may be forgotten: a bound on the work at once.
const PROLONGED_PER_EXPIRED: usize = 64;

/// What a `BTreeMap` takes for an entry of 12 bytes when its nodes are but half full.
const BYTES_PER_SECOND: usize = 40;

/// A link leads nowhere, or a thread panicked in the middle of a change.
#[derive(Debug)]
pub(super) struct Corrupt;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Seen,
    /// Not here, and what ended when it ends has been forgotten, in part at least.
    MaybeForgotten,
    Unknown,
}

/// Slots of one shard. `T` is what is kept beside the time.
pub(super) struct Shard<T> {
    hasher: RandomState,
    /// First slot of each chain; a power of two of them, allocated at the first insert.
    chains: Box<[Link]>,
    chains_planned: usize,
    slots: Vec<Vec<Slot<T>>>,
    free: Link,
    /// First slot of those to be looked at when this second has come.
    due: BTreeMap<i64, Link>,
    /// The latest second of which something was forgotten.
    forgotten: i64,
}

#[derive(Clone, Copy)]
struct Slot<T> {
    digest: u128,
    kept: T,
    /// The second at which it may be forgotten; its queue is that of this second, or of an earlier one.
    until: i64,
    next_in_chain: Link,
    next_in_queue: Link,
}

impl<T: Copy + Default> Shard<T> {
    /// For about `entries`; it holds as many as come.
    pub(super) fn new(entries: usize, hasher: RandomState) -> Self {
        let chains_planned = entries.clamp(16, 1 << 20).next_power_of_two();
        let (chains, slots, due) = (Box::default(), Vec::new(), BTreeMap::new());
        Self { hasher, chains, chains_planned, slots, free: NONE, due, forgotten: i64::MIN }
    }

    /// Whether `digest` is here. If so it stays until `until`, should that be later: a window may be longer for one
    /// request than for another, and the longest counts.
    pub(super) fn find(&mut self, digest: u128, hash: u64, until: i64) -> Result<Found, Corrupt> {
        let link = self.seek(digest, hash)?;
        if link == NONE {
            return Ok(if until <= self.forgotten { Found::MaybeForgotten } else { Found::Unknown });
        }
        let slot = self.slot_mut(link)?;
        slot.until = slot.until.max(until);
        Ok(Found::Seen)
    }

    /// What is kept beside `digest`, if it is here.
    pub(super) fn kept(&self, digest: u128, hash: u64) -> Result<Option<T>, Corrupt> {
        match self.seek(digest, hash)? {
            NONE => Ok(None),
            link => Ok(Some(self.slot(link)?.kept)),
        }
    }

    /// Keeps something else beside a `digest` that is here.
    pub(super) fn keep(&mut self, digest: u128, hash: u64, kept: T) -> Result<(), Corrupt> {
        let link = self.seek(digest, hash)?;
        self.slot_mut(link)?.kept = kept;
        Ok(())
    }

    /// Whether `digest` is here, and until `until` at least.
    #[cfg(feature = "redis")]
    pub(super) fn keeps(&self, digest: u128, hash: u64, until: i64) -> Result<bool, Corrupt> {
        match self.seek(digest, hash)? {
            NONE => Ok(false),
            link => Ok(self.slot(link)?.until >= until),
        }
    }

    /// Remembers what was not found.
    pub(super) fn insert(&mut self, digest: u128, hash: u64, until: i64, kept: T) -> Result<(), Corrupt> {
        if self.chains.is_empty() {
            self.chains = vec![NONE; self.chains_planned].into();
        }
        let link = self.vacant()?;
        let chain = self.chain(hash);
        let next_in_chain = mem::replace(self.chains.get_mut(chain).ok_or(Corrupt)?, link);
        *self.slot_mut(link)? = Slot { digest, kept, until, next_in_chain, next_in_queue: NONE };
        self.queue(link, until)
    }

    /// Forgets up to `at_most` entries whose second has come; how many it was.
    pub(super) fn expire(&mut self, now: i64, at_most: usize) -> Result<usize, Corrupt> {
        let mut gone = 0;
        // What was prolonged is queued anew and takes nobody's place: a store is full only when there is nothing over.
        for _ in 0..at_most * PROLONGED_PER_EXPIRED {
            if gone == at_most {
                break;
            }
            let Some(mut first) = self.due.first_entry().filter(|first| *first.key() <= now) else { break };
            let (second, link) = (*first.key(), *first.get());
            let Slot { digest, until, next_in_queue, .. } = *slot(&self.slots, link)?;
            if next_in_queue == NONE {
                first.remove();
            } else {
                first.insert(next_in_queue);
            }
            if until > second {
                self.queue(link, until)?;
                continue;
            }
            self.forgotten = self.forgotten.max(second);
            self.leave_chain(link, digest)?;
            self.slot_mut(link)?.next_in_queue = mem::replace(&mut self.free, link);
            gone += 1;
        }
        Ok(gone)
    }

    pub(super) fn bytes(&self) -> usize {
        let slots: usize = self.slots.iter().map(|chunk| chunk.capacity() * size_of::<Slot<T>>()).sum();
        let chunks = self.slots.capacity() * size_of::<Vec<Slot<T>>>();
        slots + chunks + self.chains.len() * size_of::<Link>() + self.due.len() * BYTES_PER_SECOND
    }

    fn chain(&self, hash: u64) -> usize {
        hash as usize & (self.chains_planned - 1)
    }

    /// A slot that nobody uses.
    fn vacant(&mut self) -> Result<Link, Corrupt> {
        if self.free != NONE {
            let link = self.free;
            self.free = self.slot(link)?.next_in_queue;
            return Ok(link);
        }
        if self.slots.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.slots.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.slots.len() - 1) * CHUNK;
        let chunk = self.slots.last_mut().ok_or(Corrupt)?;
        chunk.push(Slot { digest: 0, kept: T::default(), until: 0, next_in_chain: NONE, next_in_queue: NONE });
        Link::try_from(before + chunk.len() - 1).map_err(|_too_many| Corrupt)
    }

    /// To be looked at when `second` has come.
    fn queue(&mut self, link: Link, second: i64) -> Result<(), Corrupt> {
        let next = self.due.insert(second, link).unwrap_or(NONE);
        self.slot_mut(link)?.next_in_queue = next;
        Ok(())
    }

    fn leave_chain(&mut self, gone: Link, digest: u128) -> Result<(), Corrupt> {
        let chain = self.chain(self.hasher.hash_one(digest));
        let after = self.slot(gone)?.next_in_chain;
        let first = self.chains.get_mut(chain).ok_or(Corrupt)?;
        if *first == gone {
            *first = after;
            return Ok(());
        }
        let mut link = *first;
        loop {
            let slot = self.slot_mut(link)?;
            if slot.next_in_chain == gone {
                slot.next_in_chain = after;
                return Ok(());
            }
            link = slot.next_in_chain;
        }
    }

    /// The slot of `digest`, or [`NONE`].
    fn seek(&self, digest: u128, hash: u64) -> Result<Link, Corrupt> {
        let mut link = self.chains.get(self.chain(hash)).copied().unwrap_or(NONE);
        while link != NONE {
            let slot = self.slot(link)?;
            if slot.digest == digest {
                break;
            }
            link = slot.next_in_chain;
        }
        Ok(link)
    }

    fn slot(&self, link: Link) -> Result<&Slot<T>, Corrupt> {
        slot(&self.slots, link)
    }

    fn slot_mut(&mut self, link: Link) -> Result<&mut Slot<T>, Corrupt> {
        let link = link as usize;
        self.slots.get_mut(link / CHUNK).and_then(|chunk| chunk.get_mut(link % CHUNK)).ok_or(Corrupt)
    }
}

fn slot<T>(slots: &[Vec<Slot<T>>], link: Link) -> Result<&Slot<T>, Corrupt> {
    let link = link as usize;
    slots.get(link / CHUNK).and_then(|chunk| chunk.get(link % CHUNK)).ok_or(Corrupt)
}
