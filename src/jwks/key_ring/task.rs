//! The task itself: fetches, sleeps until the next refresh is due, and fetches again.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use crate::jwks::key_ring::keeper::Keeper;
use crate::jwks::key_ring::snapshot::Snapshot;
use crate::jwks::key_ring::state::Flight;
use crate::transport::error::Kind;

enum Next {
    Sleep(Instant),
    Fetch(Option<Arc<Snapshot>>),
}

impl Keeper {
    /// What the task does next; `None` when it is not wanted any more.
    fn next(&self, ticket: u64, now: Instant) -> Option<Next> {
        let mut state = self.state();
        self.forget_dead(now);
        let snapshot = self.snapshot();
        let age = snapshot.as_ref().and_then(|snapshot| snapshot.age);
        let due = age.map(|age| age.refresh_at).max(state.backoff.until()).filter(|due| *due > now);
        let task = state.task.as_mut().filter(|task| task.ticket == ticket)?;
        if task.flight.is_none() {
            if let Some(due) = due {
                // Woken at its death too, because cached verdicts must not outlive the set.
                return Some(Next::Sleep(age.map_or(due, |age| due.min(age.dead_at()))));
            }
            task.flight = Some(Flight::new(now, false));
        }
        Some(Next::Fetch(snapshot))
    }
}

/// Fetches, sleeps, and fetches again, for as long as it is the ring's task.
pub(super) async fn keep(guard: Guard) {
    let Guard { keeper, ticket } = &guard;
    while let Some(next) = keeper.next(*ticket, Instant::now()) {
        match next {
            Next::Sleep(until) => sleep_until(until).await,
            Next::Fetch(known) => {
                let validator = known.as_ref().and_then(|known| known.validator.as_ref());
                let loaded = caught(keeper.source.load(validator)).await;
                let loaded = loaded.unwrap_or_else(|| Err(keeper.error(Kind::Stopped)));
                keeper.land(*ticket, known.as_deref(), loaded);
            }
        }
    }
}

/// A panic of the user's transport is a failed fetch like any other: were it to end the task, nobody would notice when
/// the set grows old. The future is not touched again after it has panicked.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// Notices that the task is gone because its runtime was shut down: the next one may fetch at once.
pub(super) struct Guard {
    pub(super) keeper: Arc<Keeper>,
    pub(super) ticket: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.keeper.state().task.take_if(|task| task.ticket == self.ticket);
    }
}
