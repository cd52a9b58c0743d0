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
//! | `tower_oauth::introspection` | issuers asked about tokens, with success or without |
//! | `tower_oauth::revocation` | rules, status lists, logout and security events, failure policies at work |
//! | `tower_oauth::store` | shared stores that went, came or lost something |

#[cfg(feature = "metrics")]
mod numbers;
#[cfg(not(feature = "metrics"))]
#[path = "no_numbers.rs"]
mod numbers;
mod trace;

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
        /// The algorithm of the signature; `None` when the issuer was asked about the token instead.
        algorithm: Option<Algorithm>,
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
    /// An issuer was asked about a token (RFC 7662) and has answered.
    Introspected {
        /// The configured issuer.
        issuer: &'a str,
        /// Whether the token is active.
        active: bool,
        /// How long it took.
        elapsed: Duration,
    },
    /// An issuer could not be asked about a token, or its answer was of no use.
    IntrospectionFailed {
        /// The configured issuer.
        issuer: &'a str,
        /// A stable code: that of [`FetchError::code`](crate::transport::FetchError::code), or `busy`, `breaker_open`,
        /// `told_to_wait`, `answer_invalid`, `answer_unsigned`, `keys_unavailable`, `client_auth`.
        code: &'static str,
        /// The cause in words.
        detail: Detail<'a>,
        /// When asking again may help.
        retry_in: Duration,
    },
    /// An issuer is not asked for a while, because it failed again and again; or it is asked again.
    IntrospectionPaused {
        /// The configured issuer.
        issuer: &'a str,
        /// For how long; `None` when it is asked again.
        pause: Option<Duration>,
    },
    /// A rule was added to the denylist here.
    RuleAdded {
        /// The configured issuer whose tokens it denies.
        issuer: &'a str,
        /// The kind of rule: `token`, `session`, `subject`, `client` or `everything`.
        kind: &'static str,
    },
    /// A Token Status List was fetched.
    StatusListFetched {
        /// The configured issuer.
        issuer: &'a str,
        /// How many tokens it tells of.
        entries: u64,
        /// How long it took.
        elapsed: Duration,
    },
    /// A Token Status List could not be had, or is not to be believed.
    StatusListFailed {
        /// The configured issuer.
        issuer: &'a str,
        /// A stable code: that of [`FetchError::code`](crate::transport::FetchError::code), or `list_invalid`,
        /// `not_admitted`, `too_many_lists`, `keys_unavailable`.
        code: &'static str,
        /// The cause in words.
        detail: Detail<'a>,
        /// When asking again may help.
        retry_in: Duration,
    },
    /// A logout token or security event token came in (OpenID Back-Channel Logout, RFC 8935).
    EventReceived {
        /// The configured issuer; `None` when the token was not believed.
        issuer: Option<&'a str>,
        /// What became of it: `applied`, `ignored`, `repeated`, or the error that was answered.
        outcome: &'static str,
    },
    /// A request passed although something could not be asked, because the configuration says so.
    FailurePolicyUsed {
        /// What could not be asked: `introspection`, `status_list`, `denylist` or `replay`.
        dependency: &'static str,
        /// What was done instead: `stale_within` or `open_and_counted`.
        policy: &'static str,
        /// The configured issuer.
        issuer: &'a str,
    },
    /// A shared store is out of reach, lost what it knew, or is back.
    StoreChanged {
        /// Which one: `redis`, or the name that a store of your own gives.
        store: &'a str,
        /// `up`, `down` or `lost`.
        standing: &'static str,
        /// The cause in words.
        detail: Detail<'a>,
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
        trace::trace(event);
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
