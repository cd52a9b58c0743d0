//! One list: what it says by now, and the one fetch that brings the next.
//!
//! A request never fetches. It starts the task or joins it, and takes nothing with it when it goes away. The lock is never
//! held over an await or a spawn (which may drop the task at once, whose guard takes the lock).

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::age::{Age, Pause, Phase};
use super::{Checked, LATER, Shared, StatusUnavailable};
use crate::crypto::unit_random;
use crate::observe::{Detail, Event};
use crate::revocation::status_list::StatusList;
use crate::store::Answer;
use crate::time::Timestamp;

/// How exactly is known when a list was asked last: a write for each request would slow its neighbours down.
const USE_GRAIN: i64 = 30;

/// A handle on one list. Cloning it is cheap, asking it takes an atomic load and a shift while the list is young.
#[derive(Clone)]
pub(crate) struct List(Arc<Inner>);

struct Inner {
    uri: Box<str>,
    shared: Arc<Shared>,
    loaded: ArcSwapOption<Loaded>,
    state: Mutex<State>,
    /// In seconds.
    used_at: AtomicI64,
}

/// A list in memory.
pub(super) struct Loaded {
    pub(super) list: StatusList,
    pub(super) age: Age,
    pub(super) _held: Held,
}

/// Counts the bytes of a list among those of all, as long as it is there.
pub(super) struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

#[derive(Default)]
struct State {
    flight: Option<Landing>,
    pause: Pause,
    /// How the last fetch failed, for those who come within the pause.
    failed: Option<StatusUnavailable>,
}

/// How a fetch ends, for everybody who waits for it.
type Landing = watch::Receiver<Option<Landed>>;
type Landed = Result<Arc<Loaded>, StatusUnavailable>;

impl List {
    pub(super) fn new(uri: &str, shared: Arc<Shared>, now: Timestamp) -> Self {
        let (loaded, state, used_at) = (ArcSwapOption::empty(), Mutex::default(), AtomicI64::new(now.as_secs()));
        Self(Arc::new(Inner { uri: uri.into(), shared, loaded, state, used_at }))
    }

    /// What the list says of the token at `idx`. At once where it is in memory and in its lifetime.
    pub(crate) fn check(&self, idx: u64, now: Timestamp) -> Answer<Result<Checked, StatusUnavailable>> {
        self.check_if(idx, now, |_| true)
    }

    /// The same by a list that was fetched at most `most` ago, which is fetched again if need be. Within less than a
    /// second of the last fetch there is none: whoever wants that asks the issuer about the token itself.
    pub(crate) fn check_within(
        &self,
        idx: u64,
        most: Duration,
        now: Timestamp,
    ) -> Answer<Result<Checked, StatusUnavailable>> {
        self.check_if(idx, now, |age| age.is_within(most, now))
    }

    /// The same by a list whose lifetime is over by less than `within`, and whose `exp` is not: for a service that is
    /// configured to go on while the list cannot be had. `None` where there is none.
    pub(crate) fn check_stale(&self, idx: u64, within: Duration, now: Timestamp) -> Option<Checked> {
        let loaded = self.0.loaded.load();
        loaded.as_ref().filter(|loaded| loaded.age.serves_stale(within, now)).map(|loaded| loaded.say(idx))
    }

    fn check_if(
        &self,
        idx: u64,
        now: Timestamp,
        will_do: impl Fn(&Age) -> bool,
    ) -> Answer<Result<Checked, StatusUnavailable>> {
        self.used(now);
        let loaded = self.0.loaded.load();
        if let Some(loaded) = loaded.as_ref().filter(|loaded| will_do(&loaded.age)) {
            match loaded.age.phase(now) {
                Phase::Young => return Answer::Now(Ok(loaded.say(idx))),
                Phase::Due => {
                    // In vain where the last one has just failed: the list serves on, and somebody comes again.
                    let _ = self.fetched(now);
                    return Answer::Now(Ok(loaded.say(idx)));
                }
                Phase::Old => {}
            }
        }
        match self.fetched(now) {
            Err(unavailable) => Answer::Now(Err(unavailable)),
            Ok(mut landing) => Answer::Later(Box::pin(async move {
                let landed = landing.wait_for(Option::is_some).await.ok().and_then(|landed| landed.clone());
                landed.unwrap_or_else(|| Err(stopped())).map(|loaded| loaded.say(idx))
            })),
        }
    }

    pub(super) fn uri(&self) -> &str {
        &self.0.uri
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(super) fn used_at(&self) -> Timestamp {
        Timestamp::from_secs(self.0.used_at.load(Ordering::Relaxed))
    }

    fn used(&self, now: Timestamp) {
        let now = now.as_secs();
        if now.abs_diff(self.0.used_at.load(Ordering::Relaxed)) >= USE_GRAIN.unsigned_abs() {
            self.0.used_at.store(now, Ordering::Relaxed);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fetch under way, or a new one.
    fn fetched(&self, now: Timestamp) -> Result<Landing, StatusUnavailable> {
        let runtime = Handle::try_current().map_err(|_none| unavailable("no_runtime", "there is no tokio runtime"))?;
        let (sender, landing) = watch::channel(None);
        {
            let mut state = self.state();
            if let Some(flight) = &state.flight {
                return Ok(flight.clone());
            }
            if self.0.shared.closed.load(Ordering::Acquire) {
                return Err(stopped());
            }
            if let Some(retry_after) = state.pause.remaining(now) {
                let just_fetched = || {
                    unavailable(
                        "just_fetched",
                        "the list was fetched within this second, and is over or too old already",
                    )
                };
                return Err(StatusUnavailable { retry_after, ..state.failed.clone().unwrap_or_else(just_fetched) });
            }
            state.flight = Some(landing.clone());
        }
        let guard = Guard { list: self.clone(), landing: Some(sender) };
        let mut tasks = self.0.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // What has ended is of no interest any more; without this the set would grow.
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(async move { guard.run().await }, &runtime);
        if self.0.shared.closed.load(Ordering::Acquire) {
            tasks.abort_all();
        }
        Ok(landing)
    }

    /// Takes in what a fetch brought.
    fn land(
        &self,
        landed: Result<Loaded, StatusUnavailable>,
        elapsed: Duration,
    ) -> Result<Arc<Loaded>, StatusUnavailable> {
        let Shared { clock, observers, keys, .. } = &*self.0.shared;
        let (now, issuer) = (clock.now(), keys.issuer());
        let mut state = self.state();
        state.flight = None;
        match landed {
            Ok(loaded) => {
                let loaded = Arc::new(loaded);
                self.0.loaded.store(Some(Arc::clone(&loaded)));
                state.pause.succeeded(now);
                state.failed = None;
                drop(state);
                let entries = loaded.list.entries();
                observers.emit(&Event::StatusListFetched { issuer, entries, elapsed });
                Ok(loaded)
            }
            Err(error) => {
                let retry_in = state.pause.failed(now, unit_random());
                let error = StatusUnavailable { retry_after: retry_in, ..error };
                state.failed = Some(error.clone());
                drop(state);
                // Of what was ended on purpose nobody needs to hear.
                if self.0.shared.closed.load(Ordering::Acquire) {
                    return Err(error);
                }
                let detail = Detail(&error.reason);
                observers.emit(&Event::StatusListFailed { issuer, code: error.code, detail, retry_in });
                Err(error)
            }
        }
    }
}

impl Loaded {
    fn say(&self, idx: u64) -> Checked {
        Checked { status: self.list.status(idx), fetched_at: self.age.fetched_at }
    }
}

impl Held {
    /// `None` where there would be more than `most` of all lists.
    pub(super) fn new(shared: &Arc<Shared>, bytes: usize, most: usize) -> Option<Self> {
        let more = |held: usize| held.checked_add(bytes).filter(|all| *all <= most);
        shared.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self { shared: Arc::clone(shared), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Lands a fetch whichever way it ends: by itself, by a panic of the transport, or with its runtime.
struct Guard {
    list: List,
    landing: Option<watch::Sender<Option<Landed>>>,
}

impl Guard {
    async fn run(mut self) {
        let began = tokio::time::Instant::now();
        let loaded = self.list.load().await;
        self.land(loaded, began.elapsed());
    }

    fn land(&mut self, loaded: Result<Loaded, StatusUnavailable>, elapsed: Duration) {
        if let Some(landing) = self.landing.take() {
            let _ = landing.send(Some(self.list.land(loaded, elapsed)));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.land(Err(stopped()), Duration::ZERO);
    }
}

pub(super) fn unavailable(code: &'static str, reason: impl Into<Arc<str>>) -> StatusUnavailable {
    StatusUnavailable { code, reason: reason.into(), retry_after: LATER }
}

fn stopped() -> StatusUnavailable {
    unavailable("stopped", "the fetch was stopped before its end")
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("uri", &self.0.uri).finish_non_exhaustive()
    }
}
