//! What an introspector and its questions share, and how a question begins.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::breaker::{Breaker, Class};
use super::cache::{AnswerCache, Key};
use super::endpoint::Endpoint;
use super::flights::{Flights, Landing};
use super::gate::{Gate, Place};
use super::question::Question;
use super::{IntrospectorSettings, Need, Outcome, Signatures, Unavailable};
use crate::client_auth::ClientAuth;
use crate::crypto::sha256;
use crate::observe::{Detail, Event, Observers};
use crate::secret::Secret;
use crate::store::{Answer, AnswerStore};
use crate::time::{Clock, Timestamp};
use crate::transport::EXCHANGE_TIMEOUT;
use crate::transport::fetch::Fetcher;

/// One for all questions to one issuer.
pub(super) struct Core {
    pub(super) issuer: Box<str>,
    pub(super) client: ClientAuth,
    pub(super) endpoint: Endpoint,
    pub(super) signatures: Option<Signatures>,
    pub(super) fetcher: Option<Fetcher>,
    pub(super) timeout: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) answers: Option<Arc<dyn AnswerStore>>,
    pub(super) observers: Observers,
    /// Over all but the token of what an answer depends on.
    context: [u8; 32],
    pub(super) cache: AnswerCache,
    pub(super) gate: Gate,
    pub(super) breaker: Breaker,
    /// Never held over an await, a spawn or an abort: each of them may end a task, which takes it.
    flights: Mutex<Flights>,
    /// Shared answers that were asked for at this moment or before, in milliseconds, are not used.
    pub(super) forgotten_at: AtomicI64,
}

impl Core {
    pub(super) fn new(settings: IntrospectorSettings) -> Self {
        let context = settings.context();
        let IntrospectorSettings { issuer, client, endpoint, signatures, fetcher, .. } = settings;
        let IntrospectorSettings { lifetimes, limits, clock, answers, observers, .. } = settings;
        Self {
            endpoint: Endpoint::new(&issuer, endpoint),
            issuer: issuer.into(),
            client,
            signatures,
            fetcher,
            timeout: limits.timeout.min(EXCHANGE_TIMEOUT),
            clock,
            answers,
            observers,
            context,
            cache: AnswerCache::new(limits.entries, lifetimes),
            gate: Gate::new(limits.concurrent),
            breaker: Breaker::default(),
            flights: Mutex::default(),
            forgotten_at: AtomicI64::new(i64::MIN),
        }
    }

    pub(super) fn key(&self, token: &str) -> Key {
        sha256(&[&self.context, token.as_bytes()])
    }

    /// Joins the question under way, or begins one.
    pub(super) fn fly(self: &Arc<Self>, key: Key, token: &str, need: Need, now: Timestamp) -> Answer<Outcome> {
        let class = if self.cache.last_active(&key, now).is_some() { Class::Known } else { Class::New };
        let begun = {
            let mut flights = self.flights();
            if let Some(landing) = flights.join(&key, need, Instant::now()) {
                return waiting(landing);
            }
            // Another question may have landed since the caller looked.
            if let Some(reply) = self.cache.get(&key, need, now) {
                return Answer::Now(Ok(reply));
            }
            self.admit(class).map(|admitted| (admitted, flights.start(key, need, Instant::now())))
        };
        let ((runtime, place), (ticket, landing)) = match begun {
            Ok(begun) => begun,
            Err(unavailable) => {
                self.emit_failure(&unavailable);
                return Answer::Now(Err(unavailable));
            }
        };
        let receiver = landing.subscribe();
        let token = Secret::from(token);
        let question = Question::new(Arc::clone(self), key, token, class, ticket, landing, place);
        let abort = runtime.spawn(question.run()).abort_handle();
        let unwanted = self.flights().started(ticket, abort);
        if let Some(abort) = unwanted {
            abort.abort();
        }
        waiting(receiver)
    }

    /// What a question needs to begin.
    fn admit(&self, class: Class) -> Result<(Handle, Place), Unavailable> {
        let runtime = Handle::try_current().map_err(|_| Unavailable::no_runtime())?;
        // Another replica's answer may be there while the issuer is not asked.
        let closed = self.answers.is_none().then(|| self.breaker.closed(class, Instant::now())).flatten();
        if let Some(closed) = closed {
            return Err(Unavailable::paused(closed));
        }
        let place = self.gate.place(class).ok_or_else(Unavailable::busy)?;
        Ok((runtime, place))
    }

    pub(super) fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn emit_failure(&self, unavailable: &Unavailable) {
        self.observers.emit(&Event::IntrospectionFailed {
            issuer: &self.issuer,
            code: unavailable.code,
            detail: Detail(&unavailable.reason),
            retry_in: unavailable.retry_after,
        });
    }
}

/// Waits for the question; whoever leaves takes nothing with it.
fn waiting(mut landing: Landing) -> Answer<Outcome> {
    Answer::Later(Box::pin(async move {
        match landing.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone().unwrap_or_else(|| Err(Unavailable::stopped())),
            Err(_) => Err(Unavailable::stopped()),
        }
    }))
}
