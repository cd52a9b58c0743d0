//! A connection that is made when first used, and anew when it is lost.
//!
//! * One attempt at a time, in a task of its own: however many requests wait for it, and whoever of them leaves.
//! * After a failed attempt every command fails at once for a moment, longer from time to time, so that an outage neither
//!   piles up requests nor storms a server that comes back.
//! * So many commands at once and no more: what is over the limit fails at once.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ::redis::{ErrorKind, Pipeline, ServerErrorKind, Value};
use arc_swap::ArcSwapOption;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use super::live::{Live, Owned, in_words};
use super::target::Target;
use crate::crypto::random;
use crate::observe::{Detail, Event, Observers};
use crate::store::StoreError;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long to wait before the next attempt. Replicas that lost a server together do not come back together.
pub(super) fn pause(failures: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(8)).min(LONGEST_PAUSE);
    let [share] = random::<1>().unwrap_or([u8::MAX]);
    longest / 2 + longest / 2 * u32::from(share) / 255
}

type Attempt = Option<Result<Arc<Live>, StoreError>>;

pub(super) struct Link {
    target: Target,
    live: ArcSwapOption<Live>,
    making: Mutex<Making>,
    room: Semaphore,
    observers: Observers,
    /// Itself, for the task that makes a connection.
    this: Weak<Self>,
}

#[derive(Default)]
struct Making {
    attempt: Option<(watch::Receiver<Attempt>, Owned)>,
    failures: u32,
    failed: Option<(StoreError, Instant)>,
    /// What was last said about this: `None` before the first attempt.
    up: Option<bool>,
}

impl Link {
    pub(super) fn new(target: Target, max_in_flight: usize, observers: Observers) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            target,
            live: ArcSwapOption::empty(),
            making: Mutex::default(),
            room: Semaphore::new(max_in_flight),
            observers,
            this: Weak::clone(this),
        })
    }

    /// One round trip: an answer for each command, errors of single commands included, and who gave them.
    pub(super) async fn ask(&self, commands: &Pipeline) -> Result<(Arc<Live>, Vec<Value>), StoreError> {
        let _room = self.room.try_acquire().map_err(|_| StoreError::new("too many commands wait for Redis"))?;
        let live = self.live().await?;
        match live.ask(commands).await {
            Ok(answers) => match answers.iter().find_map(unfit) {
                None => Ok((live, answers)),
                Some(why) => Err(self.lose(&live, why)),
            },
            // One that has not answered in time may never do so, and a new one can be had in the same time.
            Err(error) if error.is_timeout() || error.kind() == ErrorKind::Io => {
                Err(self.lose(&live, in_words(&error)))
            }
            Err(error) => Err(in_words(&error)),
        }
    }

    /// How many commands may still be sent at once.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.room.available_permits()
    }

    /// The connection, waited for if it is being made.
    pub(super) async fn live(&self) -> Result<Arc<Live>, StoreError> {
        if let Some(live) = self.live.load_full().filter(|live| !live.is_closed()) {
            return Ok(live);
        }
        let mut attempt = self.attempt()?;
        let ended = timeout(self.target.patience(), attempt.wait_for(Option::is_some)).await;
        let over = || StoreError::new("no connection to Redis was made in time");
        ended.map_err(|_late| over())?.map_err(|_gone| over())?.clone().ok_or_else(over)?
    }

    /// Joins the attempt that is under way, or starts one where it is time for it.
    fn attempt(&self) -> Result<watch::Receiver<Attempt>, StoreError> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        // Its task may have ended without a word, with the runtime that it ran on.
        if let Some((attempt, _task)) = making.attempt.as_ref().filter(|(_, task)| !task.is_over()) {
            return Ok(attempt.clone());
        }
        if let Some((error, until)) = &making.failed
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        let (tell, attempt) = watch::channel(None);
        let (this, target) = (Weak::clone(&self.this), self.target.clone());
        let task = Owned::spawn(async move {
            let made = target.connect(Duration::ZERO).await.map(Arc::new);
            if let Some(link) = this.upgrade() {
                link.settle(&made);
            }
            tell.send_replace(Some(made));
        })?;
        making.attempt = Some((attempt.clone(), task));
        Ok(attempt)
    }

    fn settle(&self, made: &Result<Arc<Live>, StoreError>) {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match made {
            Ok(live) => {
                self.live.store(Some(Arc::clone(live)));
                (making.failures, making.failed) = (0, None);
                self.say(&mut making, true, &"connected");
            }
            Err(error) => {
                let pause = pause(making.failures);
                making.failures = making.failures.saturating_add(1);
                making.failed = Some((error.clone(), Instant::now() + pause));
                self.say(&mut making, false, error);
            }
        }
    }

    /// Lets go of a connection that is of no use any more.
    fn lose(&self, live: &Arc<Live>, why: StoreError) -> StoreError {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.live.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, live)) {
            self.live.store(None);
            making.attempt = None;
            self.say(&mut making, false, &why);
        }
        why
    }

    fn say(&self, making: &mut Making, up: bool, detail: &dyn fmt::Display) {
        if making.up.replace(up) != Some(up) {
            let standing = if up { "up" } else { "down" };
            self.observers.emit(&Event::StoreChanged { store: "redis", standing, detail: Detail(detail) });
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("target", &self.target).field("live", &self.live.load()).finish_non_exhaustive()
    }
}

/// Why the server behind this answer is not the one to ask any more.
fn unfit(answer: &Value) -> Option<StoreError> {
    let Value::ServerError(error) = answer else { return None };
    let why = match error.kind()? {
        ServerErrorKind::ReadOnly => "the server has become a replica of another one",
        ServerErrorKind::MasterDown => "the server has lost its primary",
        ServerErrorKind::BusyLoading => "the server is loading its data",
        _ => return None,
    };
    Some(StoreError::new(why))
}
