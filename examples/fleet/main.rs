//! A fleet on one machine: three replicas of `resource_server` with one Redis and one authorization server, put through
//! every fault that replicas know, and counted.
//!
//! ```sh
//! cargo build --examples && cargo run --example fleet
//! ```
//!
//! It needs `redis-server` (Debian: `apt-get install redis-server`), starts its own on a free port and stops it. It takes
//! about two minutes, most of them waiting: after Redis may have lost something, proofs are not judged for 20 s, because
//! their makers' clocks and those of replicas may differ by so much. The clocks of the replicas are 5 s apart all along.
//!
//! The last line reads `wrong accepts: 0`, or this ends with an error.

#![expect(clippy::indexing_slicing, reason = "three replicas and twenty clients, counted by remainders")]

mod client;
mod faults;
#[path = "../../src/store/redis/tests/server.rs"]
mod redis;
mod replica;
mod tally;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tower_oauth::dev::DevServer;
use tower_oauth::test::DpopClient;

use client::Caller;
use replica::Replica;
use tally::{Row, Table};

/// How clients know the service, whichever replica answers.
const SERVICE: &str = "https://fleet.example.com";

/// Proofs that are sent to two replicas at once.
const PROOFS: usize = 10_000;
const REVOCATIONS: usize = 200;

/// The clocks of replicas, in milliseconds ahead of the true time: 5 s apart.
const CLOCKS: [i64; 3] = [0, 2500, -2500];

/// Everything that runs.
struct Fleet {
    redis: redis::Server,
    issuer: DevServer,
    replicas: [Replica; 3],
    /// Clients whose tokens are bound to their keys.
    callers: Arc<[Caller]>,
    /// Proofs that were spent within the last minute, as requests: none may ever pass again.
    spent: Vec<Arc<[u8]>>,
    /// Tokens of users that were revoked, as requests.
    revoked: Vec<(String, Arc<[u8]>)>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let redis = redis::Server::start_lasting();
    let issuer = DevServer::builder().audience(SERVICE).quiet().start().await?;
    let start = |clock| Replica::start(&redis.url(), issuer.issuer_url(), clock);
    let replicas = [start(CLOCKS[0])?, start(CLOCKS[1])?, start(CLOCKS[2])?];
    let callers = (0..20).map(|number| {
        let key = DpopClient::new();
        let token = issuer.token().subject(format!("user-{number}")).scope("orders:read").bound_to(&key).sign();
        Caller { key, token }
    });
    let callers = callers.collect();
    let mut fleet = Fleet { redis, issuer, replicas, callers, spent: Vec::new(), revoked: Vec::new() };

    let mut table = Table::default();
    table.add(fleet.first_start().await?);
    table.add(fleet.same_proof_at_two_replicas(PROOFS).await);
    table.add(fleet.spent_proofs("spent proofs, once more").await);
    table.add(fleet.revocations(REVOCATIONS).await);
    table.add(fleet.rotation().await);
    table.add(fleet.proofs_of_every_age().await);
    table.add(fleet.redis_stopped().await);
    table.add(fleet.redis_back_with_its_data().await);
    table.add(fleet.redis_emptied().await);
    table.add(fleet.replica_killed().await?);
    table.add(fleet.same_proof_at_two_replicas(PROOFS / 10).await);
    table.add(fleet.spent_proofs("spent proofs, at the end").await);
    table.add(fleet.revoked_users("revoked users, at the end").await);
    table.print();
    if table.is_clean() { Ok(()) } else { Err("the fleet broke a promise; see the table".into()) }
}

impl Fleet {
    /// A Redis that nobody remembers: what is spent is remembered from now on, and nothing is judged until no proof can
    /// be older than that.
    async fn first_start(&mut self) -> Result<Row, Box<dyn Error>> {
        for replica in &self.replicas {
            replica.becomes_ready().await?;
        }
        let (mut row, seconds) = self.until_proofs_pass("first start, clocks 5 s apart").await;
        row.note(format!("proofs are judged after {seconds:.1} s"));
        Ok(row)
    }

    /// Sends fresh proofs and spent ones until every replica judges again; how long that took.
    async fn until_proofs_pass(&mut self, name: &str) -> (Row, f64) {
        let (mut row, begun) = (Row::new(name), std::time::Instant::now());
        loop {
            let (fresh, passed) = self.fresh_proofs().await;
            row.join(&fresh);
            row.join(&self.some_spent_proofs().await);
            if passed || begun.elapsed() > Duration::from_secs(90) {
                row.require(passed, "no proof passes");
                return (row, begun.elapsed().as_secs_f64());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
