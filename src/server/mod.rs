//! The engine that every layer of a service shares: whom it believes, their keys, and the verdict on a request.

mod authenticate;
pub(crate) mod config;
mod events;
pub(crate) mod issuer;
mod judge;
mod lists;
pub(crate) mod metadata;
mod online;
pub(crate) mod original;
mod possession;
mod revoke;
mod route;
#[cfg(feature = "axum")]
mod routes;
mod standing;
pub(crate) mod token_cache;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

pub(crate) use authenticate::Decision;
pub use config::{ConfigError, OAuthConfig, OAuthConfigBuilder};
pub use issuer::{Issuer, MaxLifetime};
pub use original::OriginalTarget;
pub use revoke::{Revocation, RevokeError};

use crate::credential::{Scheme, Schemes};
use crate::dpop::target::Target;
use crate::dpop::{Dpop, Mode};
use crate::reject::Challenger;
use crate::server::issuer::Trust;
use crate::server::metadata::Metadata;
use crate::server::route::Routes;
use crate::server::token_cache::TokenCache;
use crate::store::{Denylist, ReplayStore, Standing};
use crate::token::Context;
use crate::transport::FetchError;

/// A resource server: cheap to clone, shared by its layers.
///
/// ```
/// use tower_oauth::{OAuthConfig, OAuthLayer, ResourceServer};
///
/// let config = OAuthConfig::builder("https://api.example.com").trust("https://login.example.com").build()?;
/// let server = ResourceServer::new(config);
/// let required: OAuthLayer = OAuthLayer::new(&server);
/// let optional: OAuthLayer = OAuthLayer::new(&server).optional();
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ResourceServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: u64,
    state: ArcSwap<State>,
}

/// One configuration at work.
#[derive(Debug)]
pub(crate) struct State {
    trusts: Vec<Trust>,
    /// Where each issuer stands in `trusts`.
    names: HashMap<Arc<str>, usize>,
    cache: Option<TokenCache>,
    /// Counts the forgettings: a verdict of an earlier count does not stand.
    epoch: AtomicU64,
    pub(crate) context: Arc<Context>,
    pub(crate) metadata: Metadata,
    refuse_query_tokens: bool,
    taken: Schemes,
    dpop: Dpop,
    target: Target,
    replay: Arc<dyn ReplayStore>,
    own_replay: bool,
    denylist: Arc<dyn Denylist>,
    own_denylist: bool,
    rules_live: Duration,
    routes: Routes,
}

impl ResourceServer {
    /// A server by this configuration. Nothing is fetched yet.
    #[must_use]
    pub fn new(config: OAuthConfig) -> Self {
        static SERVERS: AtomicU64 = AtomicU64::new(0);
        let id = SERVERS.fetch_add(1, Ordering::Relaxed);
        let make = |inner: &Weak<Inner>| Inner { id, state: ArcSwap::from_pointee(State::new(config, id, inner)) };
        Self(Arc::new_cyclic(make))
    }

    /// Serves by another configuration from the next request on; requests under way end by the old one.
    ///
    /// Key sets of issuers that stay as they are stay too, so that a reconfiguration during an outage loses nothing.
    pub fn replace(&self, config: OAuthConfig) {
        let mut state = State::new(config, self.0.id, &Arc::downgrade(&self.0));
        let old = self.0.state.load();
        // A store of the server's own goes on: a new one would have to refuse every proof from before its birth.
        if state.own_replay && old.own_replay {
            state.replay = Arc::clone(&old.replay);
        }
        // So do the rules: what was revoked stays revoked.
        if state.own_denylist && old.own_denylist {
            state.denylist = Arc::clone(&old.denylist);
        }
        for trust in &state.trusts {
            if let Some((_, before)) = old.trusted(&trust.issuer) {
                trust.ring.adopt(&before.ring);
            }
        }
        self.0.state.store(Arc::new(state));
    }

    /// Waits until every issuer's keys are there, fetching those that are not: for a readiness probe.
    ///
    /// A service need not wait for this: the first request fetches what it needs. All issuers are asked at once, each for
    /// at most 15 s (three documents of 5 s); keys that serve already cost nothing. Errors are not kept, so a probe may
    /// ask again, and a fetch goes on when the probe gives up on it.
    ///
    /// # Errors
    /// [`NotReady`] with every issuer whose keys could not be had, and with a shared denylist that is not current: one
    /// that has just been asked for the first time is so in a moment.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let state = self.0.state.load_full();
        let mut missing = Vec::new();
        // All fetches are begun before the first is waited for.
        // An issuer of opaque tokens alone may publish no keys.
        let verifying = state.trusts.iter().filter(|trust| trust.verifies);
        let begun: Vec<_> = verifying.map(|trust| (&trust.issuer, trust.ring.begin())).collect();
        for (issuer, begun) in begun {
            let ended = match begun {
                Ok(Some(refresh)) => refresh.await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            missing.extend(ended.err().map(|error| (issuer.to_string(), error)));
        }
        let standing = state.denylist.standing(state.context.now());
        let denylist = (standing != Standing::Current).then_some(standing);
        if missing.is_empty() && denylist.is_none() { Ok(()) } else { Err(NotReady { missing, denylist }) }
    }

    /// Has every token verified anew, and its issuer asked anew, whatever was cached here.
    pub fn forget_verdicts(&self) {
        let state = self.0.state.load();
        for online in state.trusts.iter().filter_map(|trust| trust.online.as_ref()) {
            online.forget_all(state.context.now());
        }
        state.epoch.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn state(&self) -> Guard<Arc<State>> {
        self.0.state.load()
    }
}

impl State {
    fn new(config: OAuthConfig, server: u64, inner: &Weak<Inner>) -> Self {
        let taken = match config.dpop.mode() {
            Mode::Off => Schemes::only(Scheme::Bearer),
            Mode::Accepted => Schemes { bearer: true, dpop: true },
            Mode::Required => Schemes::only(Scheme::Dpop),
        };
        let algorithms: Vec<_> = config.dpop.allowed().iter().map(|algorithm| algorithm.as_str()).collect();
        let context = Context {
            server,
            challenger: Challenger::new(&config.realm, config.metadata.url(), taken, &algorithms),
            hierarchy: config.hierarchy,
            clock: config.clock,
            observers: config.observers,
            terms: config.terms,
            server_itself: Weak::clone(inner) as _,
        };
        let names = config.trusts.iter().enumerate().map(|(at, trust)| (Arc::clone(&trust.issuer), at));
        Self {
            names: names.collect(),
            routes: Routes::new(&config.trusts),
            trusts: config.trusts,
            cache: TokenCache::new(config.cached_verdicts),
            epoch: AtomicU64::new(0),
            context: Arc::new(context),
            metadata: config.metadata,
            refuse_query_tokens: config.refuse_query_tokens,
            taken,
            dpop: config.dpop,
            target: config.target,
            replay: config.replay,
            own_replay: config.own_replay,
            denylist: config.denylist,
            own_denylist: config.own_denylist,
            rules_live: config.rules_live,
        }
    }

    /// The configured issuer of this very name.
    fn trusted(&self, issuer: &str) -> Option<(usize, &Trust)> {
        let at = *self.names.get(issuer)?;
        Some((at, self.trusts.get(at)?))
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}

impl From<OAuthConfig> for ResourceServer {
    fn from(config: OAuthConfig) -> Self {
        Self::new(config)
    }
}

impl From<&Self> for ResourceServer {
    fn from(server: &Self) -> Self {
        server.clone()
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.load();
        let mut issuers: Vec<_> = state.names.keys().collect();
        issuers.sort();
        f.debug_struct("ResourceServer").field("metadata", &state.metadata.url()).field("issuers", &issuers).finish()
    }
}

/// Some issuers' keys are not there, or revocations are not known.
#[derive(Clone, Debug)]
pub struct NotReady {
    missing: Vec<(String, FetchError)>,
    denylist: Option<Standing>,
}

impl NotReady {
    /// The issuers and why their keys could not be had.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &FetchError)> {
        self.missing.iter().map(|(issuer, error)| (issuer.as_str(), error))
    }

    /// How much the denylist knows, where that is not everything.
    #[must_use]
    pub const fn denylist(&self) -> Option<Standing> {
        self.denylist
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not ready:")?;
        match self.denylist {
            None => {}
            Some(Standing::Lost) => f.write_str("\n  - the denylist lost rules; seed it anew")?,
            Some(_) => f.write_str("\n  - the denylist is not up to date")?,
        }
        self.missing.iter().try_for_each(|(issuer, error)| write!(f, "\n  - no keys of {issuer}: {error}"))
    }
}

impl std::error::Error for NotReady {}
