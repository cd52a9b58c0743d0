//! One process of the service.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::SERVICE;
use super::client::{Answer, Wire, bytes};

pub(crate) struct Replica {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Replica {
    /// Starts it, with a clock so many milliseconds ahead.
    pub(crate) fn start(redis: &str, issuer: &str, clock: i64) -> Result<Self, Box<dyn Error>> {
        let this = std::env::current_exe()?;
        let program = this.with_file_name("resource_server");
        let mut command = Command::new(&program);
        command
            .env("LISTEN", "127.0.0.1:0")
            .env("OAUTH_RESOURCE", SERVICE)
            .env("OAUTH_ISSUERS", issuer)
            .env("OAUTH_DANGEROUS_LOOPBACK_HTTP", "true")
            .env("REDIS_URL", redis)
            .env("STORE_SECRET", "of the fleet, and of nobody else in the world")
            .env("CLOCK_OFFSET_MS", clock.to_string())
            .env("RUST_LOG", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let missing = |error| format!("{}: {error}; build it by `cargo build --examples`", program.display());
        let mut process = command.spawn().map_err(missing)?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("it has an output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| format!("the replica said {line:?}"))?;
        Ok(Self { process, address })
    }

    /// Asks its readiness probe until it is.
    pub(crate) async fn becomes_ready(&self) -> Result<(), Box<dyn Error>> {
        for _ in 0..1000 {
            if self.is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("a replica does not become ready".into())
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = Wire::to(self.address).send(&bytes("GET", "/ready", "")).await;
        matches!(answer, Answer::Status { status: 200, .. })
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}
