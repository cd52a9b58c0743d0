//! Configuring a store: which servers, whose certificates, how long to wait.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use super::address::Address;
use super::cluster::{Cluster, slot};
use super::commands::Commands;
use super::dial::Dial;
use super::follow::Rules;
use super::keys::Keys;
use super::link::Link;
use super::near::Near;
use super::standing::Knowledge;
use super::target::{Place, Target};
use super::tls::Tls;
use super::{Inner, RedisStore, StoreKey};
use crate::crypto::{b64, random};
use crate::observe::{Observer, Observers};
use crate::store::{MemoryDenylist, StoreError};

/// Proofs may be as far ahead as the DPoP policy admits (10 s), and clocks of replicas as far apart as it allows for
/// (10 s more).
const CLOCK_TOLERANCE: Duration = Duration::from_secs(20);

/// A [`RedisStore`] to be. All of it is optional.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::store::{RedisStore, StoreKey};
///
/// # fn main() -> Result<(), tower_oauth::store::StoreError> {
/// # let secret = [7; 32];
/// let store = RedisStore::builder("rediss://shop:password@10.0.0.5", StoreKey::from_secret(secret))
///     .namespace("orders")
///     .command_timeout(Duration::from_millis(200))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct RedisStoreBuilder {
    servers: Servers,
    key: StoreKey,
    namespace: String,
    connect_timeout: Duration,
    command_timeout: Duration,
    clock_tolerance: Duration,
    max_in_flight: usize,
    near_capacity: usize,
    rules_capacity: usize,
    empty_is_lost: bool,
    roots: Option<Vec<u8>>,
    observers: Observers,
}

enum Servers {
    One(String),
    Watched { sentinels: Vec<String>, group: String, primary: Option<String> },
    Cluster(Vec<String>),
}

impl RedisStoreBuilder {
    pub(super) fn one(url: &str, key: StoreKey) -> Self {
        Self::new(Servers::One(url.to_owned()), key)
    }

    pub(super) fn watched(sentinels: Vec<String>, group: &str, key: StoreKey) -> Self {
        Self::new(Servers::Watched { sentinels, group: group.to_owned(), primary: None }, key)
    }

    pub(super) fn cluster(nodes: Vec<String>, key: StoreKey) -> Self {
        Self::new(Servers::Cluster(nodes), key)
    }

    fn new(servers: Servers, key: StoreKey) -> Self {
        Self {
            servers,
            key,
            namespace: "tower-oauth".to_owned(),
            connect_timeout: Duration::from_secs(2),
            command_timeout: Duration::from_millis(300),
            clock_tolerance: CLOCK_TOLERANCE,
            max_in_flight: 4096,
            near_capacity: 1_000_000,
            rules_capacity: 1_000_000,
            empty_is_lost: false,
            roots: None,
            observers: Observers::default(),
        }
    }

    /// What every key begins with, `tower-oauth` by default. Services that share a server and not their clients'
    /// proofs take one each; replicas of one service take the same.
    pub fn namespace(self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self }
    }

    /// How long making a connection may take: 2 s by default.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// How long a command may take: 300 ms by default. A request waits no longer than that for its verdict, or twice
    /// that when a connection must be made first.
    pub fn command_timeout(self, command_timeout: Duration) -> Self {
        Self { command_timeout, ..self }
    }

    /// How many commands may be under way at once, 4096 by default. What is over is not judged (503).
    pub fn max_in_flight(self, max_in_flight: usize) -> Self {
        Self { max_in_flight, ..self }
    }

    /// How far ahead of this process's clock a proof may have claimed to be when it was spent at any replica: 20 s by
    /// default, 10 s for clients' clocks and 10 s for those of the fleet. For that long after Redis lost its memory no
    /// proof is judged, because it could have been spent before. With a shorter time a fleet is back earlier; how far
    /// its clocks and those of its clients can be apart is then yours to know.
    pub fn clock_tolerance(self, clock_tolerance: Duration) -> Self {
        Self { clock_tolerance, ..self }
    }

    /// How many spent proofs this process remembers on its own, to refuse their next coming without a round trip:
    /// 1 000 000 by default, about 40 bytes each. Fewer cost round trips, never a wrong verdict.
    pub fn near_capacity(self, near_capacity: usize) -> Self {
        Self { near_capacity, ..self }
    }

    /// How many rules of the denylist each process keeps: 1 000 000 by default, about 60 bytes each. Where there are
    /// more, the list is lost, as far as anybody can tell.
    pub fn rules_capacity(self, rules_capacity: usize) -> Self {
        Self { rules_capacity, ..self }
    }

    /// Takes a Redis without any rules for one that lost them, until [`RedisStore::reseeded`] is called.
    ///
    /// A loss is noticed by every process that lived before it. That all processes and Redis began anew together looks
    /// like the first start of all, and is taken for it unless this is set.
    pub fn empty_is_lost(self) -> Self {
        Self { empty_is_lost: true, ..self }
    }

    /// Trusts the certificates in `pem`, one or more, instead of the system's, for `rediss://`.
    pub fn root_certificates_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { roots: Some(pem.into()), ..self }
    }

    /// As whom to talk to the servers that sentinels tell of, as a URL whose host does not matter:
    /// `rediss://user:password@primary/0`. Without it the login of the first sentinel's URL is taken.
    pub fn primary(mut self, url: &str) -> Self {
        if let Servers::Watched { primary, .. } = &mut self.servers {
            *primary = Some(url.to_owned());
        }
        self
    }

    /// Where the store's events go besides `tracing` and `metrics`.
    pub fn observer(self, observer: impl Observer) -> Self {
        Self { observers: Observers::with(observer), ..self }
    }

    /// The store, without connecting.
    ///
    /// # Errors
    /// [`StoreError`] when a URL, the key's secret, a certificate or a limit cannot be used.
    pub fn build(self) -> Result<RedisStore, StoreError> {
        if self.namespace.is_empty() || self.namespace.contains(['{', '}']) {
            return Err(StoreError::new("a namespace must have characters, and braces may not be among them"));
        }
        if self.connect_timeout.is_zero() || self.command_timeout.is_zero() || self.max_in_flight == 0 {
            return Err(StoreError::new("timeouts and max_in_flight of a RedisStore must be greater than 0"));
        }
        let tls = Tls::new(self.roots.as_deref())?;
        let (connect_timeout, command_timeout) = (self.connect_timeout, self.command_timeout);
        let dial = Arc::new(Dial { tls, connect_timeout, command_timeout });
        let keys = Keys::new(&self.namespace, matches!(self.servers, Servers::Cluster(_)));
        let place = self.servers.place(&keys)?;
        let (max_in_flight, observers) = (self.max_in_flight, self.observers.clone());
        let cluster = match &place {
            Place::Keeping { nodes, .. } => {
                Some(Cluster::new(nodes.clone(), Arc::clone(&dial), max_in_flight, observers))
            }
            _ => None,
        };
        let target = Target { dial, place: Arc::new(place) };
        let rules = Rules {
            list: MemoryDenylist::with_capacity(self.rules_capacity),
            knowledge: Knowledge::new(self.observers.clone()),
            target: target.clone(),
            stream: keys.rules(),
            marker: keys.rules_marker(),
            beat: keys.rules_beat(),
            empty_is_lost: self.empty_is_lost,
            origin: random::<12>().map(|name| b64(&name).into()).ok_or_else(|| StoreError::new("no randomness"))?,
        };
        let commands = match cluster {
            Some(cluster) => Commands::Spread(cluster),
            None => Commands::One(Link::new(target, max_in_flight, self.observers.clone())),
        };
        Ok(RedisStore(Arc::new(Inner {
            keys,
            rules: Arc::new(rules),
            follower: Mutex::default(),
            commands,
            spent: Near::new(self.near_capacity),
            births: AsyncMutex::default(),
            sealing: self.key.sealing()?,
            clock_tolerance: self.clock_tolerance,
            observers: self.observers,
        })))
    }
}

impl Servers {
    fn place(self, keys: &Keys) -> Result<Place, StoreError> {
        match self {
            Self::One(url) => Ok(Place::Named(Address::parse(&url)?)),
            Self::Watched { sentinels, group, primary } => {
                let sentinels = sentinels.iter().map(|url| Address::parse(url)).collect::<Result<Vec<_>, _>>()?;
                let primary =
                    primary.as_deref().map(Address::parse).transpose()?.or_else(|| sentinels.first().cloned());
                let primary = primary.ok_or_else(|| StoreError::new("name at least one sentinel"))?;
                Ok(Place::Watched { sentinels, group, primary })
            }
            Self::Cluster(nodes) => {
                let nodes = nodes.iter().map(|url| Address::parse(url)).collect::<Result<Vec<_>, _>>()?;
                if nodes.is_empty() {
                    return Err(StoreError::new("name at least one node of the cluster"));
                }
                Ok(Place::Keeping { nodes, slot: slot(keys.rules().as_bytes()) })
            }
        }
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
