//! Connections that end with their owner: when it is gone, whatever would wait for the other side ends instead.
//!
//! Graceful shutdown alone is not enough: it waits for requests that a client began and never finishes, and for
//! answers that hang on demand.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Ready once the sender, which the owner holds, is dropped. Nothing is ever sent.
pub(super) async fn gone(mut owner: watch::Receiver<()>) {
    while owner.changed().await.is_ok() {}
}

/// A listener whose connections know their owner.
pub(super) struct OwnedListener {
    pub(super) listener: TcpListener,
    pub(super) owner: watch::Receiver<()>,
}

impl Listener for OwnedListener {
    type Io = OwnedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (OwnedStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (OwnedStream { stream, owner: Some(Box::pin(gone(self.owner.clone()))) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that waits for nobody once its owner is gone.
pub(super) struct OwnedStream {
    stream: TcpStream,
    /// `None` once the owner is gone.
    owner: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl OwnedStream {
    /// What is ready stays; what would wait becomes `end` without an owner.
    fn unless_gone<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
        end: io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            return poll;
        }
        if self.owner.as_mut().is_some_and(|owner| owner.as_mut().poll(cx).is_ready()) {
            self.owner = None;
        }
        if self.owner.is_none() { Poll::Ready(end) } else { Poll::Pending }
    }
}

impl AsyncRead for OwnedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.unless_gone(cx, poll, Ok(()))
    }
}

impl AsyncWrite for OwnedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.unless_gone(cx, poll, Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.unless_gone(cx, poll, Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.unless_gone(cx, poll, Ok(()))
    }
}
