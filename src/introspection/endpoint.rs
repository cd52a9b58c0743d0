//! At which address an issuer is asked: configured, or what its metadata say.
//!
//! A discovered address is used until a better one is known, and looked up again behind: once an hour, and soon after it
//! has failed, so that a metadata endpoint that fails never stops the questions. Only where no address is known yet does
//! a question wait for it, and all of them for one look-up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::crypto::unit_random;
use crate::discovery::introspection_endpoint;
use crate::transport::FetchError;
use crate::transport::error::Kind;
use crate::transport::fetch::Fetcher;

const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// After a failure at the address, or of a look-up that has nothing to replace.
const DOUBT: Duration = Duration::from_secs(60);

const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Endpoint {
    issuer: Box<str>,
    configured: Option<Arc<str>>,
    known: Mutex<Known>,
    /// Whose turn it is to look up.
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct Known {
    address: Option<Arc<str>>,
    looked_up_at: Option<Instant>,
    /// From when on to look again; before that, the last error is the answer where there is no address.
    look_at: Option<Instant>,
    failures: u32,
    error: Option<FetchError>,
}

impl Endpoint {
    pub(super) fn new(issuer: &str, configured: Option<String>) -> Self {
        Self {
            issuer: issuer.into(),
            configured: configured.map(Into::into),
            known: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    /// The address; or why there is none, and when to look again.
    pub(super) async fn address(&self, fetcher: &Fetcher) -> Result<Arc<str>, (FetchError, Duration)> {
        if let Some(settled) = self.settled() {
            return settled;
        }
        let _turn = self.turn.acquire().await;
        if let Some(settled) = self.settled() {
            return settled;
        }
        self.look_up(fetcher).await;
        let stopped = || Err((FetchError::new(&self.issuer, Kind::Stopped), Duration::from_secs(1)));
        self.settled().unwrap_or_else(stopped)
    }

    /// Looks up again what is due for it. For a task that nobody waits for any more.
    pub(super) async fn refresh(&self, fetcher: &Fetcher) {
        if self.configured.is_some() {
            return;
        }
        let Ok(_turn) = self.turn.try_acquire() else { return };
        let due = self.known().look_at.is_some_and(|at| at <= Instant::now());
        if due {
            self.look_up(fetcher).await;
        }
    }

    /// The address has failed: it may have moved.
    pub(super) fn doubt(&self) {
        let mut known = self.known();
        let soonest = known.looked_up_at.map(|at| at + DOUBT);
        known.look_at = known.look_at.min(soonest);
    }

    fn settled(&self) -> Option<Result<Arc<str>, (FetchError, Duration)>> {
        if let Some(configured) = &self.configured {
            return Some(Ok(Arc::clone(configured)));
        }
        let known = self.known();
        if let Some(address) = &known.address {
            return Some(Ok(Arc::clone(address)));
        }
        let rest = known.look_at?.saturating_duration_since(Instant::now());
        let error = known.error.clone().filter(|_| !rest.is_zero())?;
        Some(Err((error, rest)))
    }

    async fn look_up(&self, fetcher: &Fetcher) {
        let found = introspection_endpoint(fetcher, &self.issuer).await;
        let now = Instant::now();
        let mut known = self.known();
        known.looked_up_at = Some(now);
        match found {
            Ok(address) => {
                let (address, look_at) = (Some(address.into()), Some(now + LIFETIME));
                *known = Known { address, looked_up_at: Some(now), look_at, failures: 0, error: None };
            }
            Err(_) if known.address.is_some() => known.look_at = Some(now + DOUBT),
            Err(error) => {
                known.failures = known.failures.saturating_add(1);
                let longest = Duration::from_secs(1 << known.failures.min(6)).min(LONGEST_BACKOFF);
                known.look_at = Some(now + longest.mul_f64(0.5 + unit_random() / 2.0));
                known.error = Some(error);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
