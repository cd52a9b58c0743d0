//! The status lists of one issuer over time: fetched once however many ask, verified, and asked from memory.
//!
//! | a list | what happens |
//! |---|---|
//! | is in its lifetime | a shift in memory; from 80 % on, a fetch runs behind |
//! | is not there, or old | one fetch, shared by all who ask, however they go away |
//! | cannot be had | not judged; the next fetch is 1 s to 60 s away |
//!
//! The lifetime is the list's `ttl` from when it was fetched, else what HTTP says, else 5 minutes; within 5 s and 24 h.
//! `exp` is a hard stop. Lists come from the issuer's origin and from hosts that were listed; there are at most
//! [`MAX_LISTS`] of them with [`MAX_BYTES`] in all. Nothing is fetched before somebody asks, and no task outlives
//! [`StatusLists`].

mod admitted;
mod age;
mod fetch;
mod list;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::task::JoinSet;

use self::admitted::Admitted;
pub(crate) use self::list::List;
use crate::jwt::signed::IssuerKeys;
use crate::observe::{Detail, Event, Observers};
use crate::revocation::status_list::Status;
#[cfg(test)]
use crate::store::Answer;
use crate::time::{Clock, Timestamp};
use crate::transport::fetch::Fetcher;

/// Lists that are kept at once.
const MAX_LISTS: usize = 64;

/// Bytes of all lists together.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A list that nobody asked for so long makes room for another.
const IDLE: Duration = Duration::from_secs(600);

/// When to ask again where time alone changes nothing.
const LATER: Duration = Duration::from_secs(60);

/// What a list said of a token, and when it was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) status: Status,
    /// Before the list was asked for, so no later than what it says.
    pub(crate) fetched_at: Timestamp,
}

/// A status that nobody can tell by now. The token is not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusUnavailable {
    /// One of those that [`Event::StatusListFailed`] tells.
    pub(crate) code: &'static str,
    /// In words, for the operator.
    pub(crate) reason: Arc<str>,
    /// When to ask again.
    pub(crate) retry_after: Duration,
}

impl fmt::Display for StatusUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the status list of the token is not available: {}", self.reason)
    }
}

impl std::error::Error for StatusUnavailable {}

/// The lists of one issuer. Dropping it ends its fetches; lists that somebody still holds serve from memory to their end.
pub(crate) struct StatusLists {
    shared: Arc<Shared>,
    admitted: Admitted,
    lists: RwLock<HashMap<Box<str>, List>>,
}

/// What all lists have in common.
struct Shared {
    fetcher: Fetcher,
    keys: Arc<dyn IssuerKeys>,
    clock: Arc<dyn Clock>,
    observers: Observers,
    closed: AtomicBool,
    /// The bytes of all lists.
    bytes: AtomicUsize,
    tasks: Mutex<JoinSet<()>>,
}

impl StatusLists {
    /// Of the issuer of `keys`. `hosts` are those besides its own that its lists may be fetched from, each with its port
    /// where that is not 443. Neither fetches nor needs a runtime.
    pub(crate) fn new(
        fetcher: Fetcher,
        keys: Arc<dyn IssuerKeys>,
        hosts: &[Box<str>],
        clock: Arc<dyn Clock>,
        observers: Observers,
    ) -> Self {
        let admitted = Admitted::new(keys.issuer(), hosts);
        let (closed, bytes, tasks) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::default());
        let shared = Arc::new(Shared { fetcher, keys, clock, observers, closed, bytes, tasks });
        Self { shared, admitted, lists: RwLock::default() }
    }

    /// The list at `uri`, to be asked now and kept with a verdict to be asked again.
    ///
    /// Only for a token that was proved and is in its time: a stranger chooses no address.
    pub(crate) fn list(&self, uri: &str, now: Timestamp) -> Result<List, StatusUnavailable> {
        if let Some(list) = self.lists.read().unwrap_or_else(PoisonError::into_inner).get(uri) {
            return Ok(list.clone());
        }
        self.admitted.check(uri, &self.shared.fetcher).map_err(|why| self.refused("not_admitted", why))?;
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= MAX_LISTS && !lists.contains_key(uri) && !forget_idle(&mut lists, now) {
            drop(lists);
            return Err(self.refused("too_many_lists", format!("{MAX_LISTS} other lists are in use")));
        }
        let list = || List::new(uri, Arc::clone(&self.shared), now);
        Ok(lists.entry(uri.into()).or_insert_with(list).clone())
    }

    /// What the list at `uri` says of the token at `idx`.
    #[cfg(test)]
    fn check(&self, uri: &str, idx: u64, now: Timestamp) -> Answer<Result<Checked, StatusUnavailable>> {
        match self.list(uri, now) {
            Ok(list) => list.check(idx, now),
            Err(unavailable) => Answer::Now(Err(unavailable)),
        }
    }

    fn refused(&self, code: &'static str, reason: String) -> StatusUnavailable {
        let (issuer, retry_in) = (self.shared.keys.issuer(), LATER);
        self.shared.observers.emit(&Event::StatusListFailed { issuer, code, detail: Detail(&reason), retry_in });
        StatusUnavailable { code, reason: reason.into(), retry_after: LATER }
    }
}

/// Whether there was a list that nobody asked for long; the one that was asked last of all goes.
fn forget_idle(lists: &mut HashMap<Box<str>, List>, now: Timestamp) -> bool {
    let idle = lists.iter().filter(|(_, list)| now.since(list.used_at()) >= IDLE);
    let Some(uri) = idle.min_by_key(|(_, list)| list.used_at()).map(|(uri, _)| uri.clone()) else { return false };
    lists.remove(&uri).is_some()
}

impl Drop for StatusLists {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl fmt::Debug for StatusLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = self.lists.read().map_or(0, |lists| lists.len());
        f.debug_struct("StatusLists").field("admitted", &self.admitted).field("lists", &lists).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
