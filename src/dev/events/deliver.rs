//! The task that sends: a few events at a time, each tried a few times and then given up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Delivery;
use crate::dev::audit::AuditKind;
use crate::dev::listen::gone;
use crate::dev::server::AuthorizationServer;

/// How long a listener may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The waits before the second and the third attempt.
const WAITS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];

type Sender = Client<HttpConnector, Full<Bytes>>;

/// So many at a time, so that one listener that hangs does not hold up the others.
const AT_ONCE: usize = 16;

/// Sends until the owner is gone.
pub(crate) async fn deliver(server: Arc<AuthorizationServer>, owner: watch::Receiver<()>) {
    let Some(mut receiver) = server.events.take_receiver() else { return };
    let client: Sender = Client::builder(TokioExecutor::new()).build_http();
    let sending = async {
        // Whatever is under way ends with it.
        let mut attempts = JoinSet::new();
        while let Some(delivery) = receiver.recv().await {
            if attempts.len() >= AT_ONCE {
                attempts.join_next().await;
            }
            while attempts.try_join_next().is_some() {}
            attempts.spawn(send(Arc::clone(&server), client.clone(), delivery));
        }
    };
    tokio::select! {
        () = sending => {}
        () = gone(owner) => {}
    }
}

async fn send(server: Arc<AuthorizationServer>, client: Sender, delivery: Delivery) {
    let is_taken = attempts(&client, &delivery).await;
    let kind = if is_taken { AuditKind::EventDelivered } else { AuditKind::EventLost };
    server.note(kind, server.now(), |event| event);
    server.events.done();
}

async fn attempts(client: &Sender, delivery: &Delivery) -> bool {
    for wait in WAITS {
        match attempt(client, delivery).await {
            Outcome::Taken => return true,
            // It was read and is not wanted: the same again would be no better.
            Outcome::Refused => return false,
            Outcome::Unheard => tokio::time::sleep(wait).await,
        }
    }
    matches!(attempt(client, delivery).await, Outcome::Taken)
}

enum Outcome {
    Taken,
    Refused,
    Unheard,
}

async fn attempt(client: &Sender, delivery: &Delivery) -> Outcome {
    let mut request = Request::new(Full::from(Bytes::from(delivery.body.0.clone())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = delivery.url.clone();
    request.headers_mut().insert(header::CONTENT_TYPE, delivery.content_type.clone());
    request.headers_mut().insert(header::ACCEPT, http::HeaderValue::from_static("application/json"));
    match tokio::time::timeout(TIMEOUT, client.request(request)).await {
        Ok(Ok(response)) if response.status().is_success() => Outcome::Taken,
        Ok(Ok(response)) if response.status().is_client_error() => Outcome::Refused,
        _ => Outcome::Unheard,
    }
}
