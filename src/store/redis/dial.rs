//! Making a connection, and looking whether the server is fit for what is asked of it.

use std::fmt;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Value, pipe};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use super::live::{Live, in_words};
use super::tls::Tls;
use crate::store::StoreError;

/// Commands that wait to be written; the number of commands under way is bounded by the link.
const WRITE_QUEUE: usize = 256;

/// How connections are made, whichever server they go to.
pub(super) struct Dial {
    pub(super) tls: Tls,
    pub(super) connect_timeout: Duration,
    pub(super) command_timeout: Duration,
}

impl Dial {
    /// A connection to a server that takes writes and forgets nothing early, for commands that wait in it up to `wait`.
    pub(super) async fn primary(&self, address: &Address, wait: Duration) -> Result<Live, StoreError> {
        let make = async {
            let live = self.open(address, self.command_timeout + wait).await?;
            let answers = live.ask(pipe().cmd("INFO")).await.map_err(|error| in_words(&error))?;
            let Some(info) = answers.first().and_then(text) else {
                return Err(StoreError::new("Redis does not answer INFO; its user needs the command"));
            };
            let run_id = fit(info)?.to_owned();
            Ok(live.of_process(&run_id))
        };
        self.in_time(address, make).await
    }

    /// A connection to a server that tells of others.
    pub(super) async fn guide(&self, address: &Address) -> Result<Live, StoreError> {
        self.in_time(address, self.open(address, self.command_timeout)).await
    }

    async fn open(&self, address: &Address, response: Duration) -> Result<Live, StoreError> {
        let unreachable = |error| StoreError::new(format!("Redis is out of reach: {error}"));
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(response))
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(WRITE_QUEUE);
        if address.tls {
            let stream = self.tls.handshake(stream, &address.host).await?;
            let made = MultiplexedConnection::new_with_config(&address.login, stream, config).await;
            let (connection, driver) = made.map_err(|error| in_words(&error))?;
            return Live::new(connection, driver);
        }
        let made = MultiplexedConnection::new_with_config(&address.login, stream, config).await;
        let (connection, driver) = made.map_err(|error| in_words(&error))?;
        Live::new(connection, driver)
    }

    async fn in_time(
        &self,
        address: &Address,
        make: impl Future<Output = Result<Live, StoreError>>,
    ) -> Result<Live, StoreError> {
        let late = |_| StoreError::new(format!("{address:?} could not be connected in {:?}", self.connect_timeout));
        timeout(self.connect_timeout, make).await.map_err(late)?
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connect_timeout, command_timeout, .. } = self;
        f.debug_struct("Dial")
            .field("connect_timeout", connect_timeout)
            .field("command_timeout", command_timeout)
            .finish_non_exhaustive()
    }
}

/// The text of an answer, whichever version of the protocol it came in.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

/// Holds what a server says of itself against what is needed of it; its run id, if it is fit.
fn fit(info: &str) -> Result<&str, StoreError> {
    let fact = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(key, value)| (key == name).then_some(value.trim()))
    };
    let major = fact("redis_version").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if major.is_none_or(|major| major < 7) {
        return Err(StoreError::new("the server is older than Redis 7.0 or Valkey 7.2"));
    }
    if fact("role") != Some("master") {
        return Err(StoreError::new("the server is a replica of another one; name the primary, or use sentinel()"));
    }
    let bounded = fact("maxmemory").is_some_and(|bytes| bytes != "0");
    if bounded && fact("maxmemory_policy") != Some("noeviction") {
        let wrong =
            "the server evicts keys to make room, so a spent proof may pass again; set maxmemory-policy noeviction";
        return Err(StoreError::new(wrong));
    }
    fact("run_id").filter(|run_id| !run_id.is_empty()).ok_or_else(|| StoreError::new("the server has no run_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nmaxmemory:0\r\nrole:master\r\n";

    #[test]
    fn a_server_that_evicts_or_follows_another_or_is_old_is_refused() {
        assert_eq!(fit(SOUND).unwrap(), "abc");
        let bounded = SOUND.replace("maxmemory:0", "maxmemory:1000\r\nmaxmemory_policy:noeviction");
        assert_eq!(fit(&bounded).unwrap(), "abc");
        for (from, to, why) in [
            ("maxmemory:0", "maxmemory:1000\r\nmaxmemory_policy:allkeys-lru", "noeviction"),
            ("role:master", "role:slave", "primary"),
            ("redis_version:7.0.15", "redis_version:6.2.7", "older"),
            ("run_id:abc", "run_id:", "run_id"),
        ] {
            let refused = fit(&SOUND.replace(from, to)).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
