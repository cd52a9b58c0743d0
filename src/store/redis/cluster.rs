//! A cluster: which server keeps a key, and a link to each of them.
//!
//! Keys fall into 16 384 slots, and each slot has one primary. The map of them is asked from any node and corrected
//! where a node says `MOVED`. While a single slot is on its way (`ASK`, `TRYAGAIN`) its proofs are not judged: a moment,
//! and nothing was written then. A slot that has moved, or whose primary was replaced, has a server of another run id,
//! which begins to remember anew (see `birth`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{Pipeline, ServerErrorKind, Value, pipe};
use arc_swap::ArcSwap;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout};

use super::address::Address;
use super::dial::{Dial, text};
use super::link::Link;
use super::live::{Live, in_words};
use super::target::{Place, Target};
use crate::observe::Observers;
use crate::store::StoreError;

/// The map is asked for at most this often, however many are sent elsewhere.
const REFRESH: Duration = Duration::from_millis(100);

/// Nodes that a map may have: more than any cluster that can gossip.
const MAX_NODES: usize = 1000;

/// Who keeps which slots.
#[derive(Debug, Default)]
pub(super) struct Slots(Vec<Span>);

#[derive(Debug)]
struct Span {
    first: u16,
    last: u16,
    host: String,
    port: u16,
}

impl Slots {
    pub(super) fn primary(&self, slot: u16) -> Option<(&str, u16)> {
        let span = self.0.iter().find(|span| (span.first..=span.last).contains(&slot))?;
        Some((&span.host, span.port))
    }

    /// Asks each of `nodes` in turn until one tells.
    pub(super) async fn ask(dial: &Dial, nodes: &[Address]) -> Result<Self, StoreError> {
        let mut failed = StoreError::new("name at least one node of the cluster");
        for node in nodes {
            match Self::ask_node(dial, node).await {
                Ok(slots) => return Ok(slots),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn ask_node(dial: &Dial, node: &Address) -> Result<Self, StoreError> {
        let live = dial.guide(node).await?;
        let mut question = pipe();
        question.cmd("CLUSTER").arg("SLOTS");
        let answers = live.ask(&question).await.map_err(|error| in_words(&error))?;
        let none = || StoreError::new("the server does not tell of slots; is it part of a cluster?");
        let Some(Value::Array(spans)) = answers.first() else { return Err(none()) };
        let spans: Option<Vec<_>> = spans.iter().map(|span| Span::read(span, node)).collect();
        spans.filter(|spans| !spans.is_empty()).map(Self).ok_or_else(none)
    }
}

impl Span {
    /// `first, last, [host, port, ..], replicas..`; a node that does not know its own host is the one that was asked.
    fn read(span: &Value, asked: &Address) -> Option<Self> {
        let Value::Array(parts) = span else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = parts.as_slice() else { return None };
        let [host, Value::Int(port), ..] = primary.as_slice() else { return None };
        let host = text(host).filter(|host| !host.is_empty() && *host != "?").unwrap_or(&asked.host).to_owned();
        Some(Self {
            first: u16::try_from(*first).ok()?,
            last: u16::try_from(*last).ok()?,
            host,
            port: u16::try_from(*port).ok()?,
        })
    }
}

/// Links to the primaries of a cluster.
pub(super) struct Cluster {
    seeds: Vec<Address>,
    dial: Arc<Dial>,
    max_in_flight: usize,
    observers: Observers,
    slots: ArcSwap<Slots>,
    refreshed: AsyncMutex<Option<Instant>>,
    links: Mutex<HashMap<(String, u16), Arc<Link>>>,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<Address>, dial: Arc<Dial>, max_in_flight: usize, observers: Observers) -> Self {
        let (slots, refreshed, links) = (ArcSwap::default(), AsyncMutex::default(), Mutex::default());
        Self { seeds, dial, max_in_flight, observers, slots, refreshed, links }
    }

    /// One round trip to whoever keeps `key`; another one where the key has moved.
    pub(super) async fn ask(&self, key: &[u8], commands: &Pipeline) -> Result<(Arc<Live>, Vec<Value>), StoreError> {
        let slot = slot(key);
        let link = match self.link(slot) {
            Some(link) => link,
            None => self.refreshed_link(slot).await?,
        };
        let answered = match link.ask(commands).await {
            Ok((live, answers)) => match answers.iter().find_map(moved_to) {
                // Of commands for one slot all were sent away, so none was carried out.
                Some((host, port)) => {
                    let link =
                        self.link_to(host, port).ok_or_else(|| StoreError::new("the cluster has too many nodes"))?;
                    let answered = link.ask(commands).await;
                    let _ = self.refreshed_link(slot).await;
                    answered
                }
                None => Ok((live, answers)),
            },
            Err(error) => {
                // Another server may have taken its place, for whoever asks next.
                let _ = self.refreshed_link(slot).await;
                Err(error)
            }
        };
        let (live, answers) = answered?;
        match answers.iter().any(is_moving) {
            true => Err(StoreError::new("the slot of the key is moving to another server")),
            false => Ok((live, answers)),
        }
    }

    fn link(&self, slot: u16) -> Option<Arc<Link>> {
        let slots = self.slots.load();
        let (host, port) = slots.primary(slot)?;
        self.link_to(host, port)
    }

    fn link_to(&self, host: &str, port: u16) -> Option<Arc<Link>> {
        let node = self.seeds.first().map(|seed| seed.at(if host.is_empty() { &seed.host } else { host }, port))?;
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (node.host.clone(), port);
        if let Some(link) = links.get(&key) {
            return Some(Arc::clone(link));
        }
        if links.len() >= MAX_NODES {
            return None;
        }
        let target = Target { dial: Arc::clone(&self.dial), place: Arc::new(Place::Named(node)) };
        let link = Link::new(target, self.max_in_flight, self.observers.clone());
        links.insert(key, Arc::clone(&link));
        Some(link)
    }

    async fn refreshed_link(&self, slot: u16) -> Result<Arc<Link>, StoreError> {
        let late = |_| StoreError::new("the cluster did not tell in time who keeps which keys");
        timeout(self.dial.command_timeout * 2, self.refresh()).await.map_err(late)??;
        self.link(slot).ok_or_else(|| StoreError::new("no server of the cluster keeps the slot of the key"))
    }

    /// One at a time; who waited for another's finds it done.
    async fn refresh(&self) -> Result<(), StoreError> {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_some_and(|at| at.elapsed() < REFRESH) {
            return Ok(());
        }
        let known = self.slots.load();
        let seed = self.seeds.first();
        let known = known.0.iter().filter_map(|span| Some(seed?.at(&span.host, span.port)));
        let nodes: Vec<_> = self.seeds.iter().cloned().chain(known).take(MAX_NODES).collect();
        let slots = Slots::ask(&self.dial, &nodes).await;
        *refreshed = Some(Instant::now());
        let slots = slots?;
        let keeps = |(host, port): &(String, u16)| slots.0.iter().any(|span| span.host == *host && span.port == *port);
        self.links.lock().unwrap_or_else(PoisonError::into_inner).retain(|node, _| keeps(node));
        self.slots.store(Arc::new(slots));
        Ok(())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

/// Where `MOVED slot host:port` sends.
fn moved_to(answer: &Value) -> Option<(&str, u16)> {
    let Value::ServerError(error) = answer else { return None };
    let details = error.details().filter(|_| error.kind() == Some(ServerErrorKind::Moved))?;
    let (host, port) = details.split_ascii_whitespace().nth(1)?.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Whether nobody can tell at this moment who keeps the key.
fn is_moving(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else { return false };
    let kinds = [ServerErrorKind::Moved, ServerErrorKind::Ask, ServerErrorKind::TryAgain, ServerErrorKind::ClusterDown];
    error.kind().is_some_and(|kind| kinds.contains(&kind))
}

/// The slot of a key: CRC-16/XMODEM of its hash tag, or of the whole where there is none, modulo 16 384.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}').filter(|length| *length > 0)?;
        rest.get(..close)
    });
    let step = |crc: u16, byte: &u8| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 },
        )
    };
    tag.unwrap_or(key).iter().fold(0, step) % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-16/XMODEM, and the examples of the cluster specification.
    #[test]
    fn a_slot_is_that_of_the_hash_tag() {
        assert_eq!(slot(b"123456789"), 0x31C3);
        assert_eq!(slot(b"{user1000}.following"), slot(b"{user1000}.followers"));
        assert_eq!(slot(b"foo{}{bar}"), slot(b"foo{}{bar}"));
        assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"), "an empty tag is none");
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
    }
}
