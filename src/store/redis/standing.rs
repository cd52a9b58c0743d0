//! How much the list of rules in this process knows, read on every request.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::observe::{Detail, Event, Observers};
use crate::store::Standing;
use crate::time::Timestamp;

const NOT_FOLLOWING: u8 = 0;
const BEHIND: u8 = 1;
const CURRENT: u8 = 2;
const LOST: u8 = 3;

/// Written by who follows the rules, read by everybody.
#[derive(Debug)]
pub(super) struct Knowledge {
    state: AtomicU8,
    /// When everything was known last, by a clock that nobody sets.
    synced: Mutex<Option<Instant>>,
    /// What time it is for those who ask, to the second: the list has no clock of its own.
    now: AtomicI64,
    observers: Observers,
}

impl Knowledge {
    pub(super) fn new(observers: Observers) -> Self {
        Self { state: AtomicU8::new(NOT_FOLLOWING), synced: Mutex::default(), now: AtomicI64::new(0), observers }
    }

    pub(super) fn standing(&self, now: Timestamp) -> Standing {
        self.tell_time(now);
        match self.state.load(Ordering::Acquire) {
            CURRENT => Standing::Current,
            LOST => Standing::Lost,
            _ => {
                let synced = *self.synced.lock().unwrap_or_else(PoisonError::into_inner);
                let never = Timestamp::from_millis(i64::MIN);
                Standing::Behind(synced.map_or(never, |synced| now.minus(synced.elapsed())))
            }
        }
    }

    pub(super) fn is_followed(&self) -> bool {
        self.state.load(Ordering::Acquire) != NOT_FOLLOWING
    }

    /// Seldom a write, so that requests do not wait for each other's.
    pub(super) fn tell_time(&self, now: Timestamp) {
        if self.now.load(Ordering::Relaxed).abs_diff(now.as_millis()) >= 1000 {
            self.now.store(now.as_millis(), Ordering::Relaxed);
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }

    /// Every rule is known, as of now.
    pub(super) fn current(&self) {
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.change(CURRENT, "up", &"every rule is known");
    }

    /// No more than what was known last.
    pub(super) fn behind(&self, why: &dyn std::fmt::Display) {
        if self.state.load(Ordering::Acquire) != LOST {
            self.change(BEHIND, "down", why);
        }
    }

    /// Rules are missing, and nobody knows which.
    pub(super) fn lost(&self, why: &dyn std::fmt::Display) {
        self.change(LOST, "lost", why);
    }

    /// Nobody follows any more. What was lost stays lost until somebody has looked again.
    pub(super) fn abandoned(&self) {
        self.state.store(NOT_FOLLOWING, Ordering::Release);
    }

    fn change(&self, to: u8, standing: &'static str, why: &dyn std::fmt::Display) {
        if self.state.swap(to, Ordering::AcqRel) != to {
            let store = "redis_denylist";
            self.observers.emit(&Event::StoreChanged { store, standing, detail: Detail(why) });
        }
    }
}
