//! Events for those who listen: security event tokens to resource servers (RFC 8935), logout tokens to clients (OpenID
//! Connect Back-Channel Logout 1.0). They wait in a bounded queue, and one task sends them in turn.

mod deliver;
mod tokens;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Uri};
use tokio::sync::{mpsc, watch};

use crate::dev::audit::AuditKind;
use crate::dev::grants::Session;
use crate::dev::server::AuthorizationServer;
use crate::mint::MintError;
use crate::time::Timestamp;

pub(crate) use deliver::deliver;

/// The most events that wait.
const MOST: usize = 256;

/// How long an answer that has caused events waits until they are delivered, so that who reads it may rely on it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A resource server that is told when sessions end.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) url: Uri,
    pub(crate) audience: String,
}

/// One event on its way.
#[derive(Debug)]
pub(crate) struct Delivery {
    url: Uri,
    content_type: HeaderValue,
    /// A token for its receiver; not for a log.
    body: Body,
}

pub(crate) struct Body(String);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Events {
    listeners: Vec<Listener>,
    sender: mpsc::Sender<Delivery>,
    /// Until the task takes it.
    receiver: Mutex<Option<mpsc::Receiver<Delivery>>>,
    /// How many are on their way.
    under_way: watch::Sender<usize>,
}

impl Events {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        let (sender, receiver) = mpsc::channel(MOST);
        let under_way = watch::channel(0).0;
        Self { listeners, sender, receiver: Mutex::new(Some(receiver)), under_way }
    }

    fn take_receiver(&self) -> Option<mpsc::Receiver<Delivery>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts an event into the queue; false when it is full.
    fn push(&self, delivery: Delivery) -> bool {
        self.under_way.send_modify(|count| *count += 1);
        let is_taken = self.sender.try_send(delivery).is_ok();
        if !is_taken {
            self.done();
        }
        is_taken
    }

    fn done(&self) {
        self.under_way.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// Returns when nothing is on its way.
    pub(crate) async fn settled(&self) {
        // Never an error: the sender lives in `self`.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// The same, but not for ever.
    pub(crate) async fn settled_soon(&self) {
        if *self.under_way.borrow() > 0 {
            let _ = tokio::time::timeout(PATIENCE, self.settled()).await;
        }
    }
}

/// Tells everybody concerned that a session is over: every listener, and of the clients with a logout URI those that took
/// part, or that are resource servers.
pub(crate) fn session_ended(
    server: &AuthorizationServer,
    sid: &str,
    session: Option<&Session>,
    why: &'static str,
    now: Timestamp,
) {
    let subject = session.map(|session| session.subject.as_str());
    let made = server.events.listeners.iter().map(|listener| {
        let set = tokens::session_revoked(server, listener, sid, subject, why, now)?;
        Ok::<_, MintError>((listener.url.clone(), HeaderValue::from_static("application/secevent+jwt"), set))
    });
    let took_part = |id: &str| session.is_some_and(|session| session.clients().any(|client| client == id));
    let clients = server.clients.iter().filter(|client| !client.resources.is_empty() || took_part(&client.id));
    let logouts =
        clients.filter_map(|client| Some((client, client.backchannel_logout_uri.as_ref()?))).map(|(client, url)| {
            let token = tokens::logout_token(server, &client.id, sid, subject)?;
            let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            Ok((url.clone(), content_type, format!("logout_token={token}")))
        });
    for delivery in made.chain(logouts) {
        let is_taken = delivery.is_ok_and(|(url, content_type, body): (Uri, _, _)| {
            server.events.push(Delivery { url, content_type, body: Body(body) })
        });
        if !is_taken {
            server.note(AuditKind::EventLost, now, |event| event.sid(sid).detail("queue_full"));
        }
    }
}

/// A URL to which this server can send: plain `http`, for it has no TLS.
pub(crate) fn url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    (url.scheme_str() == Some("http") && url.host().is_some()).then_some(url)
}

type Made = Result<String, MintError>;
