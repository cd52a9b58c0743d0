//! Questions under way: who joins which, and how all of them end with their owner. Pure but for the channels.
//!
//! A question belongs to no request: it goes on when the one that began it leaves. Whoever comes while it waits to be
//! sent may join it, whatever they need, because it takes over the strictest need. Once it is sent, only those may join
//! whom an answer of that moment satisfies; the others begin the next one, and it alone is joined and kept from then on.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::cache::Key;
use super::{Need, Outcome};
use crate::time::Timestamp;

/// A question that is older belongs to a runtime that stands still, and is given up.
const LIMIT: Duration = Duration::from_secs(40);

/// How a question ends, for everybody who waits for it.
pub(super) type Landing = watch::Receiver<Option<Outcome>>;

#[derive(Debug, Default)]
pub(super) struct Flights {
    /// The newest question about each token.
    newest: HashMap<Key, Flight>,
    /// Every task; `None` between its start and the moment its handle is known.
    tasks: HashMap<u64, Option<AbortHandle>>,
    tickets: u64,
    /// Grows whenever somebody forgets answers.
    forgettings: u64,
}

#[derive(Debug)]
struct Flight {
    ticket: u64,
    started: Instant,
    phase: Phase,
    landing: Landing,
}

#[derive(Debug)]
enum Phase {
    /// Not sent, with the strictest need of those who wait.
    Waiting(Need),
    /// Sent, or answered by another replica's question, at this moment.
    Asked(Timestamp),
}

impl Flights {
    /// Waits with those who are there, if what they wait for meets the need.
    pub(super) fn join(&mut self, key: &Key, need: Need, now: Instant) -> Option<Landing> {
        let flight = self.newest.get_mut(key).filter(|flight| now < flight.started + LIMIT)?;
        match &mut flight.phase {
            Phase::Waiting(strictest) => *strictest = strictest.stricter(need),
            Phase::Asked(at) if need.is_met_by(*at) => {}
            Phase::Asked(_) => return None,
        }
        Some(flight.landing.clone())
    }

    /// Begins a question, which is the newest about its token from now on.
    pub(super) fn start(&mut self, key: Key, need: Need, now: Instant) -> (u64, watch::Sender<Option<Outcome>>) {
        self.tickets += 1;
        let (sender, landing) = watch::channel(None);
        self.newest.insert(key, Flight { ticket: self.tickets, started: now, phase: Phase::Waiting(need), landing });
        self.tasks.insert(self.tickets, None);
        (self.tickets, sender)
    }

    /// Keeps the handle of a task. Gives it back when the task has ended already, or must not go on.
    pub(super) fn started(&mut self, ticket: u64, abort: AbortHandle) -> Option<AbortHandle> {
        match self.tasks.get_mut(&ticket) {
            Some(task) => {
                *task = Some(abort);
                None
            }
            None => Some(abort),
        }
    }

    /// Whether an answer that was asked for at this moment is good enough for all who wait; nobody else joins then but
    /// those for whom it is.
    pub(super) fn accepts(&mut self, key: &Key, ticket: u64, asked_at: Timestamp) -> bool {
        let Some(flight) = self.newest.get_mut(key).filter(|flight| flight.ticket == ticket) else { return false };
        let accepted = matches!(flight.phase, Phase::Waiting(need) if need.is_met_by(asked_at));
        if accepted {
            flight.phase = Phase::Asked(asked_at);
        }
        accepted
    }

    /// What those who wait need at least; nothing less than a new answer where the question is not the newest any more.
    pub(super) fn need(&self, key: &Key, ticket: u64) -> Need {
        match self.newest.get(key).filter(|flight| flight.ticket == ticket).map(|flight| &flight.phase) {
            Some(Phase::Waiting(need)) => *need,
            _ => Need::Anew,
        }
    }

    /// The question is about to be sent.
    pub(super) fn asked(&mut self, key: &Key, ticket: u64, at: Timestamp) {
        if let Some(flight) = self.newest.get_mut(key).filter(|flight| flight.ticket == ticket) {
            flight.phase = Phase::Asked(at);
        }
    }

    /// The question is over. Whether it was the newest about its token, whose answer is kept.
    pub(super) fn land(&mut self, key: &Key, ticket: u64) -> bool {
        let newest = self.newest.get(key).is_some_and(|flight| flight.ticket == ticket);
        if newest {
            self.newest.remove(key);
        }
        newest
    }

    /// The task has ended.
    pub(super) fn ended(&mut self, key: &Key, ticket: u64) {
        self.land(key, ticket);
        self.tasks.remove(&ticket);
    }

    /// Nobody joins the question about this token any more, and its answer is not kept.
    pub(super) fn disown(&mut self, key: &Key) {
        self.forgettings += 1;
        self.newest.remove(key);
    }

    /// As [`disown`](Self::disown), for all tokens.
    pub(super) fn disown_all(&mut self) {
        self.forgettings += 1;
        self.newest.clear();
    }

    /// Tells whether anything was forgotten in between.
    pub(super) fn forgettings(&self) -> u64 {
        self.forgettings
    }

    /// Takes all tasks, to be ended outside of the lock.
    pub(super) fn close(&mut self) -> Vec<AbortHandle> {
        self.newest.clear();
        self.tasks.drain().filter_map(|(_, abort)| abort).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}
