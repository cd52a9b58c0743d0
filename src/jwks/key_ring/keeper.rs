//! What a ring and its one task share, and how that task is started, replaced and ended.
//!
//! A ring has at most one task: it fetches, sleeps until the next refresh is due, and fetches again. Requests never
//! fetch; they start the task or join its fetch, and a request that goes away takes nothing with it. A sleeping task
//! is not woken but replaced, so that one left behind in a runtime that nobody drives any more is no obstacle.
//!
//! Every change goes through one lock that is never held over an await, a spawn or an abort (each of which may drop
//! the task at once, whose guard takes the lock).

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::crypto::unit_random;
use crate::jwks::key_ring::schedule::{Age, RingLimits};
use crate::jwks::key_ring::snapshot::{Generation, Phase, Snapshot};
use crate::jwks::key_ring::source::{Loaded, Source};
use crate::jwks::key_ring::state::{Cause, Decision, Flight, Landing, Pause, State, Task};
use crate::jwks::key_ring::task::{Guard, keep};
use crate::observe::{Detail, Event, Observers};
use crate::transport::FetchError;
use crate::transport::error::Kind;

/// What a ring and its task share.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) source: Source,
    pub(super) limits: RingLimits,
    observers: Observers,
    snapshot: ArcSwapOption<Snapshot>,
    generation: AtomicU64,
    state: Mutex<State>,
}

/// The fetch that many wait for. It goes on when this is dropped.
pub(crate) struct Refresh(Pin<Box<dyn Future<Output = Result<(), FetchError>> + Send>>);

impl Future for Refresh {
    type Output = Result<(), FetchError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refresh")
    }
}

impl Keeper {
    pub(super) fn new(source: Source, configured: Option<Snapshot>, limits: RingLimits, observers: Observers) -> Self {
        let generation = configured.as_ref().map_or(Generation::NONE, |snapshot| snapshot.generation);
        Self {
            source,
            limits,
            observers,
            snapshot: ArcSwapOption::new(configured.map(Arc::new)),
            generation: AtomicU64::new(generation.0),
            state: Mutex::default(),
        }
    }

    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    pub(super) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Acquire))
    }

    pub(super) fn last_error(&self) -> FetchError {
        self.state().last_error.clone().unwrap_or_else(|| self.error(Kind::Stopped))
    }

    /// Joins the fetch under way, or starts one where nothing forbids it. `seen` is what the caller found wanting:
    /// were a fetch started for what another has repaired meanwhile, a busy start would fetch many times.
    pub(super) fn refresh(
        self: &Arc<Self>,
        now: Instant,
        seen: Option<&Snapshot>,
        cause: Cause<'_>,
    ) -> Result<Refresh, Pause> {
        let mut state = self.state();
        if !self.is_at(seen) {
            return Err(Pause::Outdated);
        }
        match state.decide(now, cause) {
            Decision::Join(landing) => return Ok(self.wait_for(landing)),
            Decision::Pause(pause) => return Err(pause),
            Decision::Start => {}
        }
        let Ok(runtime) = Handle::try_current() else {
            let error = self.error(Kind::NoRuntime);
            return Ok(Refresh(Box::pin(async { Err(error) })));
        };
        let flight = Flight::caused_by(cause, now);
        let refresh = self.wait_for(flight.landing.subscribe());
        let (ticket, replaced) = state.replace_task(Some(flight));
        drop(state);
        end(replaced);
        if cause.is_unknown_key() {
            self.observers.emit(&Event::KeyMissing { issuer: self.source.issuer() });
        }
        self.spawn(&runtime, ticket);
        Ok(refresh)
    }

    /// Starts a fetch that nobody waits for, unless it is under way or must pause. Cheap, because requests call it for as
    /// long as a set is old.
    pub(super) fn refresh_behind(self: &Arc<Self>, now: Instant, seen: &Snapshot) {
        let decision = self.state().decide(now, Cause::Due);
        if matches!(decision, Decision::Start) {
            drop(self.refresh(now, Some(seen), Cause::Due));
        }
    }

    /// Takes over a set, and watches its age if there is a runtime to do so; otherwise the first lookup that finds it
    /// old starts the task.
    pub(super) fn adopt(self: &Arc<Self>, snapshot: Snapshot) {
        let mut state = self.state();
        if self.snapshot.load().is_some() {
            return;
        }
        self.publish(Some(snapshot));
        if let Ok(runtime) = Handle::try_current() {
            let (ticket, replaced) = state.replace_task(None);
            drop(state);
            end(replaced);
            self.spawn(&runtime, ticket);
        }
    }

    /// Forgets a set that is too old to serve, so that verdicts reached with it end too.
    pub(super) fn expire(&self, now: Instant) {
        let _state = self.state();
        self.forget_dead(now);
    }

    /// Ends the task and whatever it does. The ring is gone.
    pub(super) fn close(&self) {
        let task = self.state().task.take();
        end(task);
    }

    /// Whether `seen` is still the snapshot that serves. Only under the lock.
    fn is_at(&self, seen: Option<&Snapshot>) -> bool {
        let current = self.snapshot.load();
        current.as_deref().map(std::ptr::from_ref) == seen.map(std::ptr::from_ref)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn error(&self, kind: Kind) -> FetchError {
        FetchError::new(self.source.place(), kind)
    }

    fn wait_for(&self, mut landing: Landing) -> Refresh {
        let stopped = self.error(Kind::Stopped);
        Refresh(Box::pin(async move {
            match landing.wait_for(Option::is_some).await {
                Ok(landed) => landed.clone().unwrap_or(Err(stopped)),
                Err(_) => Err(stopped),
            }
        }))
    }

    /// Only under the lock.
    fn publish(&self, snapshot: Option<Snapshot>) {
        let generation = snapshot.as_ref().map_or(Generation::NONE, |snapshot| snapshot.generation);
        self.snapshot.store(snapshot.map(Arc::new));
        self.generation.store(generation.0, Ordering::Release);
    }

    /// Only under the lock.
    pub(super) fn forget_dead(&self, now: Instant) {
        if self.snapshot.load().as_ref().is_some_and(|snapshot| snapshot.phase(now) == Phase::Dead) {
            self.publish(None);
        }
    }

    fn spawn(self: &Arc<Self>, runtime: &Handle, ticket: u64) {
        let guard = Guard { keeper: self.clone(), ticket };
        let abort = runtime.spawn(keep(guard)).abort_handle();
        let mut state = self.state();
        match state.task.as_mut().filter(|task| task.ticket == ticket) {
            Some(task) => task.abort = Some(abort),
            None => {
                drop(state);
                abort.abort();
            }
        }
    }

    /// Takes in what a fetch brought and tells everybody who waits. The ring is up to date before they go on.
    pub(super) fn land(&self, ticket: u64, known: Option<&Snapshot>, loaded: Result<Loaded, FetchError>) {
        let now = Instant::now();
        let mut state = self.state();
        let Some(flight) = state.task.as_mut().filter(|task| task.ticket == ticket).and_then(|task| task.flight.take())
        else {
            return;
        };
        let elapsed = now.saturating_duration_since(flight.started);
        let before = self.snapshot();
        let after = loaded.map(|loaded| match (loaded, known) {
            (Loaded::Fetched { set, validator, max_age }, _) => {
                let age = Age::new(now, max_age, self.limits);
                Some(Snapshot::fetched(set, before.as_deref(), validator, age))
            }
            (Loaded::Same { max_age }, known) => known.map(|known| known.renewed(now, max_age, self.limits)),
        });
        let landed = match after.and_then(|after| after.ok_or_else(|| self.error(Kind::Status(304)))) {
            Ok(after) => {
                let changed = before.is_none_or(|before| before.generation != after.generation);
                let (keys, skipped) = (after.set.len(), after.set.skipped());
                let disappointed = flight.disappointed(&after);
                self.publish(Some(after));
                state.backoff.succeeded();
                state.last_error = None;
                if disappointed {
                    state.cooldown.start(now, changed);
                }
                drop(state);
                let issuer = self.source.issuer();
                self.observers.emit(&Event::KeysFetched { issuer, keys, skipped, changed, elapsed });
                Ok(())
            }
            Err(error) => {
                let retry_in = state.backoff.failed(now, unit_random());
                state.last_error = Some(error.clone());
                self.forget_dead(now);
                drop(state);
                self.emit_failure(&error, now, retry_in);
                Err(error)
            }
        };
        flight.landing.send_replace(Some(landed));
    }

    fn emit_failure(&self, error: &FetchError, now: Instant, retry_in: Duration) {
        let age = self.snapshot().and_then(|snapshot| snapshot.age);
        self.observers.emit(&Event::KeysFetchFailed {
            issuer: self.source.issuer(),
            code: error.code(),
            detail: Detail(&error.with_causes()),
            serving_age: age.map(|age| now.saturating_duration_since(age.confirmed)),
            retry_in,
        });
    }
}

/// Ends a task that was taken out of the state. Who waited for its fetch learns that it stopped.
fn end(task: Option<Task>) {
    if let Some(abort) = task.and_then(|task| task.abort) {
        abort.abort();
    }
}
