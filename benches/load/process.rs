//! The server under load: a process of its own, which ends with this one.

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::RESOURCE_SERVER;

pub(crate) struct Process {
    child: Child,
    id: u32,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts the server and waits until it listens.
    pub(crate) async fn start(resource: &str, issuer: &str) -> Self {
        let path = std::env::var(RESOURCE_SERVER).expect("RESOURCE_SERVER names the built example; use scripts/load");
        let mut child = Command::new(path)
            .env("LISTEN", "127.0.0.1:0")
            .env("OAUTH_RESOURCE", resource)
            .env("OAUTH_ISSUERS", issuer)
            .env("OAUTH_DANGEROUS_LOOPBACK_HTTP", "true")
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the example resource_server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let line = lines.next_line().await.expect("its output").expect("its first line");
        let address = line.rsplit('/').next().and_then(|address| address.parse().ok()).expect("its address");
        let id = child.id().expect("a process that runs");
        Self { child, id, address }
    }

    /// The processor time that it has used, in its own code and in the system's; zero where `/proc` is not.
    pub(crate) fn processor(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id)).unwrap_or_default();
        // The name before may hold anything, a parenthesis included; fields 14 and 15 are `utime` and `stime` (proc(5)).
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
        // In ticks of USER_HZ, which is 100 for every program that Linux runs.
        Duration::from_millis(ticks * 10)
    }

    /// The bytes that it holds in memory; `None` where `/proc` is not.
    pub(crate) fn resident(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse::<f64>().ok().map(|kibibytes| kibibytes * 1024.0)
    }

    pub(crate) async fn stop(mut self) {
        self.child.kill().await.expect("the server ends");
    }
}
