//! Clients: signed requests as bytes, and connections of few instructions that carry them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_oauth::test::DpopClient;
use tower_oauth::time::Timestamp;

use super::SERVICE;

/// Far beyond what any answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client whose token is bound to its key.
pub(crate) struct Caller {
    pub(crate) key: DpopClient,
    pub(crate) token: String,
}

impl Caller {
    /// A request with a proof of its own.
    pub(crate) fn request(&self) -> Arc<[u8]> {
        self.signed(&self.key.proof_for(&Method::GET, &format!("{SERVICE}/me"), &self.token).sign())
    }

    /// A request whose proof says that it was made then.
    pub(crate) fn request_of(&self, issued_at: Timestamp) -> Arc<[u8]> {
        let proof = self.key.proof_for(&Method::GET, &format!("{SERVICE}/me"), &self.token);
        self.signed(&proof.issued_at(issued_at).sign())
    }

    fn signed(&self, proof: &str) -> Arc<[u8]> {
        let token = &self.token;
        bytes("GET", "/me", &format!("authorization: DPoP {token}\r\ndpop: {proof}\r\n"))
    }
}

/// A request with a bearer token.
pub(crate) fn bearer(method: &str, path: &str, token: &str) -> Arc<[u8]> {
    bytes(method, path, &format!("authorization: Bearer {token}\r\n"))
}

pub(crate) fn bytes(method: &str, path: &str, headers: &str) -> Arc<[u8]> {
    format!("{method} {path} HTTP/1.1\r\nhost: fleet.example.com\r\ncontent-length: 0\r\n{headers}\r\n")
        .into_bytes()
        .into()
}

/// What came back.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Status {
        status: u16,
        retry_after: bool,
    },
    /// No connection, or none to the end.
    Nobody,
}

/// A connection that is made when needed, and again after it broke.
pub(crate) struct Wire {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Wire {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Never sends a request twice: what was lost on its way may have been judged.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Answer {
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(Ok(answer)) => answer,
            _ => {
                self.stream = None;
                Answer::Nobody
            }
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.write_all(request).await?;
        let mut buffer = Vec::with_capacity(1024);
        loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((answer, length)) = head(&buffer)
                && buffer.len() >= length
            {
                self.stream = Some(stream);
                return Ok(answer);
            }
        }
    }
}

/// The answer, and its whole length, once its head is there.
fn head(answer: &[u8]) -> Option<(Answer, usize)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(answer.get(..end)?).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    };
    let length: usize = header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    Some((Answer::Status { status, retry_after: header("retry-after").is_some() }, end + length))
}
