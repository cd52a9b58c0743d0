//! One question, from the shared answers to the issuer's own: the task that a request waits for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::breaker::{Change, Class, Leave};
use super::cache::Key;
use super::core::Core;
use super::gate::Place;
use super::retry_after::retry_after;
use super::wire::{self, Statement};
use super::{Need, Outcome, Reply, State, Unavailable, signed};
use crate::client_auth::ClientAuthError;
use crate::observe::Event;
use crate::secret::Secret;
use crate::store::StoredAnswer;
use crate::time::Timestamp;
use crate::transport::error::Kind;
use crate::transport::fetch::Fetcher;
use crate::transport::{FetchError, MAX_DOCUMENT_BYTES};

/// A shared store that is slower is passed over: asking the issuer is as quick.
const STORE_TIMEOUT: Duration = Duration::from_millis(250);

/// For a 429 that names no time.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// A question that has begun. Dropped early, it leaves no trace, and whoever waits learns that it stopped.
pub(super) struct Question {
    core: Arc<Core>,
    key: Key,
    token: Secret<String>,
    class: Class,
    ticket: u64,
    landing: watch::Sender<Option<Outcome>>,
    _place: Place,
}

/// What the issuer or a replica said, and when it was asked.
struct Said {
    statement: Statement,
    asked_at: Timestamp,
    /// Whether others may want to share it: not, where it was shared already.
    own: bool,
}

/// Why an exchange brought no response.
enum Broken {
    Client(ClientAuthError),
    Fetch(FetchError),
    Timeout,
}

impl Question {
    pub(super) fn new(
        core: Arc<Core>,
        key: Key,
        token: Secret<String>,
        class: Class,
        ticket: u64,
        landing: watch::Sender<Option<Outcome>>,
        place: Place,
    ) -> Self {
        Self { core, key, token, class, ticket, landing, _place: place }
    }

    pub(super) async fn run(self) {
        // Longer than one exchange, because an address or keys may have to be fetched first.
        let limit = self.core.timeout * 2;
        let said = timeout(limit, self.answer()).await.unwrap_or_else(|_| Err(Unavailable::timeout(limit)));
        if let Err(unavailable) = &said {
            self.core.emit_failure(unavailable);
        }
        let kept = self.land(&said);
        if let (Ok(said), Some(forgettings)) = (said, kept)
            && said.own
        {
            self.share(said, forgettings).await;
        }
        if let Some(fetcher) = &self.core.fetcher {
            self.core.endpoint.refresh(fetcher).await;
        }
    }

    /// Tells everybody who waits. The answer is kept before they go on, unless it is not the newest any more; then the
    /// count of forgettings at that moment is given back.
    fn land(&self, said: &Result<Said, Unavailable>) -> Option<u64> {
        let kept = {
            let mut flights = self.core.flights();
            let newest = flights.land(&self.key, self.ticket);
            if let (true, Ok(said)) = (newest, said) {
                self.core.cache.put(self.key, &said.statement, said.asked_at);
            }
            newest.then(|| flights.forgettings())
        };
        let outcome = match said {
            Ok(said) => Ok(Reply { asked_at: said.asked_at, state: said.statement.state.clone() }),
            Err(unavailable) => Err(unavailable.clone()),
        };
        self.landing.send_replace(Some(outcome));
        kept
    }

    async fn answer(&self) -> Result<Said, Unavailable> {
        if let Some(shared) = self.shared().await {
            return Ok(shared);
        }
        let core = &*self.core;
        if let Some(closed) = core.breaker.closed(self.class, Instant::now()) {
            return Err(Unavailable::paused(closed));
        }
        let slot = core.gate.slot(self.class).await.ok_or_else(Unavailable::busy)?;
        let no_transport = || Unavailable::fetch(&FetchError::new(&core.issuer, Kind::NoTransport), None);
        let fetcher = core.fetcher.as_ref().ok_or_else(no_transport)?;
        let address = core.endpoint.address(fetcher).await;
        let address = address.map_err(|(error, retry)| Unavailable::fetch(&error, Some(retry)))?;
        let leave = core.breaker.leave(self.class, Instant::now()).map_err(Unavailable::paused)?;
        let (asked_at, started) = (core.clock.now(), Instant::now());
        core.flights().asked(&self.key, self.ticket, asked_at);
        let exchanged = timeout(core.timeout, self.exchange(fetcher, &address)).await.unwrap_or(Err(Broken::Timeout));
        let response = self.settle(leave, exchanged)?;
        drop(slot);
        let statement = self.read(&response).await?;
        let active = statement.state != State::Inactive;
        core.observers.emit(&Event::Introspected { issuer: &core.issuer, active, elapsed: started.elapsed() });
        Ok(Said { statement, asked_at, own: true })
    }

    /// Asks, and asks once more where the connection failed: a question changes nothing, so it can be repeated.
    async fn exchange(&self, fetcher: &Fetcher, address: &str) -> Result<Response<Bytes>, Broken> {
        match self.send(fetcher, address).await {
            Err(Broken::Fetch(error)) if matches!(error.kind(), Kind::Connect(_)) => self.send(fetcher, address).await,
            settled => settled,
        }
    }

    async fn send(&self, fetcher: &Fetcher, address: &str) -> Result<Response<Bytes>, Broken> {
        let core = &*self.core;
        let proof = core.client.proof(&core.issuer, core.clock.now()).await.map_err(Broken::Client)?;
        let accept = if core.signatures.is_some() { signed::MEDIA_TYPE } else { wire::JSON };
        let request = wire::question(self.token.expose(), proof, accept);
        fetcher.send(address, request, MAX_DOCUMENT_BYTES).await.map_err(Broken::Fetch)
    }

    /// Tells the breaker what came of it, and the caller whether there is an answer to read.
    fn settle(
        &self,
        leave: Leave<'_>,
        exchanged: Result<Response<Bytes>, Broken>,
    ) -> Result<Response<Bytes>, Unavailable> {
        let core = &*self.core;
        let failed = |leave: Leave<'_>| {
            core.endpoint.doubt();
            leave.failed(Instant::now())
        };
        let (change, settled) = match exchanged {
            Ok(response) => {
                let (status, wait) = (response.status(), retry_after(response.headers(), core.clock.now()));
                match status {
                    StatusCode::OK => (leave.answered(), Ok(response)),
                    StatusCode::TOO_MANY_REQUESTS => {
                        let wait = core.breaker.told_to_wait(wait.unwrap_or(DEFAULT_WAIT), Instant::now());
                        (leave.answered(), Err(Unavailable::told_to_wait(wait)))
                    }
                    _ if status.is_server_error() => (failed(leave), Err(Unavailable::status(status.as_u16(), wait))),
                    _ => {
                        core.endpoint.doubt();
                        (leave.answered(), Err(Unavailable::status(status.as_u16(), wait)))
                    }
                }
            }
            Err(Broken::Timeout) => (failed(leave), Err(Unavailable::timeout(core.timeout))),
            Err(Broken::Client(error)) => (Change::Nothing, Err(Unavailable::client(&error))),
            Err(Broken::Fetch(error)) => {
                let change = match error.kind() {
                    Kind::Connect(_) | Kind::Timeout => failed(leave),
                    Kind::InsecureUrl(_) => Change::Nothing,
                    _ => {
                        core.endpoint.doubt();
                        leave.answered()
                    }
                };
                (change, Err(Unavailable::fetch(&error, None)))
            }
        };
        self.emit(change);
        settled
    }

    fn emit(&self, change: Change) {
        let issuer = &self.core.issuer;
        match change {
            Change::Nothing => {}
            Change::Paused(pause) => {
                self.core.observers.emit(&Event::IntrospectionPaused { issuer, pause: Some(pause) });
            }
            Change::Resumed => self.core.observers.emit(&Event::IntrospectionPaused { issuer, pause: None }),
        }
    }

    async fn read(&self, response: &Response<Bytes>) -> Result<Statement, Unavailable> {
        let (headers, body) = (response.headers(), response.body());
        let Some(signatures) = &self.core.signatures else {
            if !wire::is_typed(headers, wire::JSON) {
                let reason = "the answer is not application/json: check the address".to_owned();
                return Err(Unavailable::invalid("answer_invalid", reason, None));
            }
            let invalid = |error| format!("the answer is of no use: {error}");
            return wire::read(body).map_err(|error| Unavailable::invalid("answer_invalid", invalid(error), None));
        };
        if !wire::is_typed(headers, signed::MEDIA_TYPE) {
            let reason = "the answer is not signed: have introspection_signed_response_alg registered for this client";
            return Err(Unavailable::invalid("answer_unsigned", reason.to_owned(), None));
        }
        let read = signatures.read(body, &self.core.issuer, self.core.clock.now()).await;
        read.map_err(|disbelief| Unavailable::invalid(disbelief.code(), disbelief.to_string(), disbelief.retry_after()))
    }

    /// An answer to another replica's question, if it is good enough for all who wait.
    async fn shared(&self) -> Option<Said> {
        let core = &*self.core;
        let answers = core.answers.as_ref()?;
        if core.flights().need(&self.key, self.ticket) == Need::Anew {
            return None;
        }
        let looking = answers.get(self.key, core.clock.now());
        let StoredAnswer { body, asked_at } = timeout(STORE_TIMEOUT, looking.wait()).await.ok()?.ok()??;
        let statement = wire::read(body.expose()).ok()?;
        let now = core.clock.now();
        let fresh = asked_at <= now && now < core.cache.lifetimes().end(&statement, asked_at);
        let forgotten = asked_at.as_millis() <= core.forgotten_at.load(Ordering::Relaxed);
        let usable = fresh && !forgotten && core.flights().accepts(&self.key, self.ticket, asked_at);
        usable.then_some(Said { statement, asked_at, own: false })
    }

    /// Lets the other replicas have the answer. That it fails costs them a question. Should somebody forget answers
    /// while it is on its way, it is taken back: it may be the very one.
    async fn share(&self, Said { statement, asked_at, .. }: Said, forgettings: u64) {
        let Some(answers) = &self.core.answers else { return };
        let keep_until = self.core.cache.lifetimes().end(&statement, asked_at);
        let now = self.core.clock.now();
        if keep_until <= now {
            return;
        }
        let body = match &statement.state {
            State::Active(claims) => claims.as_bytes().to_vec(),
            State::Inactive => br#"{"active":false}"#.to_vec(),
        };
        let answer = StoredAnswer { body: Secret::new(body), asked_at };
        let _ = timeout(STORE_TIMEOUT, answers.put(self.key, answer, keep_until, now).wait()).await;
        let forgotten = self.core.flights().forgettings() != forgettings;
        if forgotten {
            let _ = timeout(STORE_TIMEOUT, answers.forget(self.key).wait()).await;
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.core.flights().ended(&self.key, self.ticket);
    }
}
