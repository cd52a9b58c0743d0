//! Which server to connect to: the one that was named, or the one that the sentinels tell.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Value, pipe};

use super::address::Address;
use super::cluster::Slots;
use super::dial::{Dial, text};
use super::live::{Live, in_words};
use crate::store::StoreError;

#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) dial: Arc<Dial>,
    pub(super) place: Arc<Place>,
}

#[derive(Debug)]
pub(super) enum Place {
    /// One server.
    Named(Address),
    /// The primary of a group that sentinels watch.
    Watched {
        sentinels: Vec<Address>,
        group: String,
        /// As whom to talk to the primary; host and port are those that the sentinels tell.
        primary: Address,
    },
    /// The server of a cluster that keeps a slot.
    Keeping { nodes: Vec<Address>, slot: u16 },
}

impl Target {
    /// How long a command waits for a connection that is being made: not longer than for its answer, twice.
    pub(super) fn patience(&self) -> Duration {
        self.dial.command_timeout * 2
    }

    /// A connection for commands that wait in the server up to `wait`.
    pub(super) async fn connect(&self, wait: Duration) -> Result<Live, StoreError> {
        self.dial.primary(&self.address().await?, wait).await
    }

    /// Where the primary is now.
    async fn address(&self) -> Result<Address, StoreError> {
        match &*self.place {
            Place::Named(address) => Ok(address.clone()),
            Place::Watched { sentinels, group, primary } => {
                let mut failed = StoreError::new("no sentinel is configured");
                for sentinel in sentinels {
                    match self.ask_sentinel(sentinel, group).await {
                        Ok((host, port)) => return Ok(primary.at(&host, port)),
                        Err(error) => failed = error,
                    }
                }
                Err(failed)
            }
            Place::Keeping { nodes, slot } => {
                let slots = Slots::ask(&self.dial, nodes).await?;
                let primary = slots.primary(*slot).zip(nodes.first());
                let nobody = || StoreError::new("no server of the cluster keeps the slot of the rules");
                primary.map(|((host, port), node)| node.at(host, port)).ok_or_else(nobody)
            }
        }
    }

    async fn ask_sentinel(&self, sentinel: &Address, group: &str) -> Result<(String, u16), StoreError> {
        let live = self.dial.guide(sentinel).await?;
        let mut question = pipe();
        question.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(group);
        let answers = live.ask(&question).await.map_err(|error| in_words(&error))?;
        let unknown = || StoreError::new("a sentinel does not know the primary of the group; is its name right?");
        let Some(Value::Array(parts)) = answers.first() else { return Err(unknown()) };
        let [host, port] = parts.as_slice() else { return Err(unknown()) };
        let port = text(port).and_then(|port| port.parse().ok());
        text(host).map(str::to_owned).zip(port).ok_or_else(unknown)
    }
}
