//! What happened, as plain data: one [`Event`] for each verdict, fetch and change of keys.
//!
//! Every event goes to `tracing` under the targets below, to the `metrics` facade when that feature is on, and to an
//! [`Observer`] of your own. Codes are stable; no event carries a token, a key or the value of a claim. The table of
//! events, fields and metrics is in [the guide](crate::guide::observability).
//!
//! Metrics find their recorder when they are first counted and keep to it: install the recorder before the first request.
//!
//! | target | events |
//! |---|---|
//! | `tower_oauth::verdict` | accepted and refused requests |
//! | `tower_oauth::keys` | key sets fetched, changed, stale or missing |

#[cfg(feature = "metrics")]
mod numbers;
#[cfg(not(feature = "metrics"))]
#[path = "no_numbers.rs"]
mod numbers;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::Algorithm;
use numbers::Numbers;
pub(crate) use numbers::Stopwatch;

/// Receives events. Called on the path of requests, so it must neither block nor panic.
pub trait Observer: Send + Sync + 'static {
    /// One event.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Something that an operator may want to count or read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A credential was verified.
    Accepted {
        /// The configured issuer.
        issuer: &'a str,
        /// The algorithm of the signature.
        algorithm: Algorithm,
        /// How long the verification took; `None` when the verdict on an earlier request still stood. Zero unless the
        /// `metrics` feature measures it.
        elapsed: Option<Duration>,
    },
    /// A request was refused, or could not be judged (status 503).
    Refused {
        /// The stable code of [`Rejection::kind`](crate::Rejection::kind).
        code: &'static str,
        /// The HTTP status of the answer.
        status: u16,
        /// The configured issuer, once one was chosen.
        issuer: Option<&'a str>,
        /// Whether the token had been verified when the request was refused.
        verified: bool,
        /// The cause in words, for the operator; never sent to the client.
        detail: Detail<'a>,
    },
    /// A token lives longer than the configured `max_lifetime`, which only reports.
    LifetimeTooLong {
        /// The configured issuer.
        issuer: &'a str,
    },
    /// A key set was fetched, or confirmed as unchanged.
    KeysFetched {
        /// The configured issuer.
        issuer: &'a str,
        /// Usable keys.
        keys: usize,
        /// Keys that were skipped because they are not understood or not sound.
        skipped: usize,
        /// Whether the set differs from the one before.
        changed: bool,
        /// How long it took.
        elapsed: Duration,
    },
    /// A key set could not be fetched.
    KeysFetchFailed {
        /// The configured issuer.
        issuer: &'a str,
        /// The stable code of [`FetchError::code`](crate::transport::FetchError::code).
        code: &'static str,
        /// The cause in words.
        detail: Detail<'a>,
        /// How old the last good set is, if there is one that still serves.
        serving_age: Option<Duration>,
        /// When the next attempt is due.
        retry_in: Duration,
    },
    /// A token asked for a key that the set lacks, or none of its keys verified it; one shared refresh was started.
    KeyMissing {
        /// The configured issuer.
        issuer: &'a str,
    },
}

/// A cause in words, for the operator.
#[derive(Clone, Copy)]
pub struct Detail<'a>(pub(crate) &'a dyn fmt::Display);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where events go: to `tracing` and `metrics` always, and to the user's observer.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    numbers: Numbers,
    own: Option<Arc<dyn Observer>>,
}

impl Observers {
    pub(crate) fn with(observer: impl Observer) -> Self {
        Self { own: Some(Arc::new(observer)), ..Self::default() }
    }

    pub(crate) fn emit(&self, event: &Event<'_>) {
        trace(event);
        self.numbers.record(event);
        if let Some(observer) = &self.own {
            observer.observe(event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.own.is_some() { "Observers(tracing, own)" } else { "Observers(tracing)" })
    }
}

const VERDICT: &str = "tower_oauth::verdict";
const KEYS: &str = "tower_oauth::keys";

fn trace(event: &Event<'_>) {
    match *event {
        Event::Accepted { issuer, algorithm, elapsed } => {
            let cached = elapsed.is_none();
            tracing::debug!(target: VERDICT, issuer, algorithm = algorithm.as_str(), cached, "accepted");
        }
        Event::Refused { code, status: status @ 500, issuer, detail, .. } => {
            tracing::error!(target: VERDICT, code, status, issuer, %detail, "the service is not set up correctly");
        }
        Event::Refused { code, status: status @ 501.., issuer, verified, detail } => {
            tracing::warn!(target: VERDICT, code, status, issuer, verified, %detail, "not judged");
        }
        // A request without a credential is the ordinary first step of a client, not worth a line by default.
        Event::Refused { code: code @ "credentials_missing", status, .. } => {
            tracing::debug!(target: VERDICT, code, status, "no credential");
        }
        Event::Refused { code, status, issuer, verified, detail } => {
            tracing::info!(target: VERDICT, code, status, issuer, verified, %detail, "refused");
        }
        Event::LifetimeTooLong { issuer } => {
            tracing::warn!(target: VERDICT, issuer, "a token lives longer than max_lifetime");
        }
        Event::KeysFetched { issuer, keys, skipped, changed, elapsed } => {
            let elapsed_ms = elapsed.as_millis() as u64;
            tracing::info!(target: KEYS, issuer, keys, skipped, changed, elapsed_ms, "keys fetched");
        }
        Event::KeysFetchFailed { issuer, code, detail, serving_age, retry_in } => {
            let serving_age_secs = serving_age.map(|age| age.as_secs());
            let retry_in_ms = retry_in.as_millis() as u64;
            tracing::warn!(target: KEYS, issuer, code, %detail, serving_age_secs, retry_in_ms, "keys not fetched");
        }
        Event::KeyMissing { issuer } => {
            tracing::info!(target: KEYS, issuer, "a token fits no key that is there; refreshing once");
        }
    }
}
