//! Commands that are answered at once, sent to whoever keeps their key.

use std::sync::Arc;

use ::redis::{Pipeline, Value};

use super::cluster::Cluster;
use super::link::Link;
use super::live::Live;
use crate::store::StoreError;

#[derive(Debug)]
pub(super) enum Commands {
    /// All keys are on one server.
    One(Arc<Link>),
    /// Keys are spread.
    Spread(Cluster),
}

impl Commands {
    /// One round trip: an answer for each command, errors of single commands included, and who gave them. All commands
    /// are about keys that lie where `key` does.
    pub(super) async fn ask(&self, key: &[u8], commands: &Pipeline) -> Result<(Arc<Live>, Vec<Value>), StoreError> {
        match self {
            Self::One(link) => link.ask(commands).await,
            Self::Spread(cluster) => cluster.ask(key, commands).await,
        }
    }

    /// How many commands may still be sent at once.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        match self {
            Self::One(link) => link.free(),
            Self::Spread(_) => usize::MAX,
        }
    }
}
