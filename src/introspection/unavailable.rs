//! Why nobody knows what the issuer would say of a token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::breaker::Closed;
use crate::transport::FetchError;

/// After a failure that another attempt may mend.
const SOON: Duration = Duration::from_secs(1);

/// After one that somebody has to mend first.
const LATER: Duration = Duration::from_secs(10);

/// The issuer could not be asked, or its answer is of no use. The token was not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable {
    /// A stable code in snake_case.
    pub(crate) code: &'static str,
    /// In words for the operator: nothing of the token, the client's secret or the answer.
    pub(crate) reason: Arc<str>,
    /// When to try again.
    pub(crate) retry_after: Duration,
}

impl Unavailable {
    fn new(code: &'static str, reason: impl Into<Arc<str>>, retry_after: Duration) -> Self {
        Self { code, reason: reason.into(), retry_after }
    }

    pub(super) fn busy() -> Self {
        let reason = "as many questions as the limit admits are under way: the issuer is slow, or the limit is low";
        Self::new("busy", reason, SOON)
    }

    pub(super) fn paused(closed: Closed) -> Self {
        match closed {
            Closed::Failing(rest) => {
                Self::new("breaker_open", "the issuer failed again and again, so it is not asked for a while", rest)
            }
            Closed::ToldToWait(rest) => Self::told_to_wait(rest),
        }
    }

    pub(super) fn told_to_wait(rest: Duration) -> Self {
        let reason =
            "the issuer answered with status 429, too many requests, and is not asked before the time it named";
        Self::new("told_to_wait", reason, rest)
    }

    pub(super) fn no_runtime() -> Self {
        Self::new("no_runtime", "an issuer can only be asked inside a tokio runtime", LATER)
    }

    pub(super) fn stopped() -> Self {
        let reason = "the task that asked ended early: its runtime was shut down, or the transport panicked";
        Self::new("stopped", reason, SOON)
    }

    pub(super) fn timeout(limit: Duration) -> Self {
        let reason = format!("the issuer did not answer in full within {} ms", limit.as_millis());
        Self::new("timeout", reason, SOON)
    }

    pub(super) fn client(error: &impl fmt::Display) -> Self {
        Self::new("client_auth", error.to_string(), LATER)
    }

    pub(super) fn fetch(error: &FetchError, retry_after: Option<Duration>) -> Self {
        Self::new(error.code(), error.with_causes().to_string(), retry_after.unwrap_or(SOON))
    }

    pub(super) fn status(status: u16, retry_after: Option<Duration>) -> Self {
        let reason = match status {
            401 | 403 => {
                format!("the issuer refused this client with status {status}: check its id, secret and rights")
            }
            _ => format!("the issuer answered with status {status} instead of 200: check the address and the server"),
        };
        Self::new("status", reason, retry_after.unwrap_or(if status < 500 { LATER } else { SOON }))
    }

    pub(super) fn invalid(code: &'static str, reason: String, retry_after: Option<Duration>) -> Self {
        Self::new(code, reason, retry_after.unwrap_or(LATER))
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the issuer could not be asked about the token: {}", self.reason)
    }
}

impl std::error::Error for Unavailable {}
