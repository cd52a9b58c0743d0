//! Whether a fetch is joined, started or left for now. Pure: the time is an argument, and nothing is spawned here.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::crypto::Algorithm;
use crate::jwks::key_ring::schedule::{Backoff, Cooldown};
use crate::jwks::key_ring::snapshot::Snapshot;
use crate::transport::FetchError;

/// Three exchanges at most (two of discovery, one for the keys) end sooner. A fetch that is older belongs to a runtime
/// that stands still, and is given up.
const FLIGHT_LIMIT: Duration = Duration::from_secs(20);

/// Keys that requests wait for, remembered until the fetch has landed.
const MAX_WANTED: usize = 4;

/// How a fetch ends, for everybody who waits for it.
pub(super) type Landing = watch::Receiver<Option<Result<(), FetchError>>>;

/// Why somebody asks for a fetch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause<'k> {
    /// The set is old enough, or missing and nobody wants a key of it in particular.
    Due,
    /// There is no set, and this key is wanted.
    Empty(Option<&'k str>, Algorithm),
    /// The set lacks this key.
    Unknown(Option<&'k str>, Algorithm),
    /// The set has the key, but it does not verify the token.
    Replaced,
}

/// Why no fetch was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// The last refresh that an unknown key caused succeeded so recently.
    Cooldown(Duration),
    /// The last fetch failed so recently.
    Backoff(Duration),
    /// A fetch has landed since the caller looked: look again.
    Outdated,
}

impl Cause<'_> {
    /// Whether strangers decide how often it comes.
    pub(super) fn is_unknown_key(self) -> bool {
        matches!(self, Self::Unknown(..) | Self::Replaced)
    }
}

/// What to do for a cause.
pub(super) enum Decision {
    Join(Landing),
    Pause(Pause),
    Start,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) backoff: Backoff,
    pub(super) cooldown: Cooldown,
    pub(super) last_error: Option<FetchError>,
    tickets: u64,
    pub(super) task: Option<Task>,
}

#[derive(Debug)]
pub(super) struct Task {
    /// Tells a task whether it is still the one.
    pub(super) ticket: u64,
    pub(super) abort: Option<AbortHandle>,
    /// `None` while it sleeps.
    pub(super) flight: Option<Flight>,
}

/// A fetch under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) started: Instant,
    pub(super) landing: watch::Sender<Option<Result<(), FetchError>>>,
    /// Whether a token caused it whose key the set lacks, so that a cooldown follows.
    unknown: bool,
    wanted: Vec<(Option<Box<str>>, Algorithm)>,
}

impl State {
    /// Whether to join the fetch under way, to start one, or to leave it for now.
    ///
    /// The cooldown comes before a fetch under way: whoever has waited once is not to wait again because an ordinary
    /// refresh happens to run.
    pub(super) fn decide(&mut self, now: Instant, cause: Cause<'_>) -> Decision {
        if let Some(rest) = self.cooldown.remaining(now).filter(|_| cause.is_unknown_key()) {
            return Decision::Pause(Pause::Cooldown(rest));
        }
        let flight = self.task.as_mut().and_then(|task| task.flight.as_mut());
        if let Some(flight) = flight.filter(|flight| now < flight.started + FLIGHT_LIMIT) {
            flight.joined_by(cause);
            return Decision::Join(flight.landing.subscribe());
        }
        self.backoff.remaining(now).map_or(Decision::Start, |rest| Decision::Pause(Pause::Backoff(rest)))
    }

    /// Puts a new task into the place of the old one, which the caller ends after the lock.
    pub(super) fn replace_task(&mut self, flight: Option<Flight>) -> (u64, Option<Task>) {
        self.tickets += 1;
        let task = Task { ticket: self.tickets, abort: None, flight };
        (self.tickets, self.task.replace(task))
    }
}

impl Flight {
    pub(super) fn new(started: Instant, unknown: bool) -> Self {
        Self { started, landing: watch::Sender::new(None), unknown, wanted: Vec::new() }
    }

    /// A fetch for this reason.
    pub(super) fn caused_by(cause: Cause<'_>, started: Instant) -> Self {
        let mut flight = Self::new(started, cause.is_unknown_key());
        flight.joined_by(cause);
        flight
    }

    /// Whether a token's key was asked for and is not in what the fetch brought.
    pub(super) fn disappointed(&self, snapshot: &Snapshot) -> bool {
        self.unknown || self.wanted.iter().any(|(kid, alg)| !snapshot.has(kid.as_deref(), *alg))
    }

    /// Whoever waits for a key and does not get it has had its refresh: the next such token must not start another.
    fn joined_by(&mut self, cause: Cause<'_>) {
        match cause {
            Cause::Due => {}
            Cause::Replaced => self.unknown = true,
            Cause::Empty(kid, alg) | Cause::Unknown(kid, alg) => {
                let known = self.wanted.iter().any(|(wanted, of)| wanted.as_deref() == kid && *of == alg);
                if !known && self.wanted.len() < MAX_WANTED {
                    self.wanted.push((kid.map(Box::from), alg));
                }
            }
        }
    }
}
