//! From HTTP to the decisions, and back.

mod browser;
mod cors;
mod endpoints;
mod trouble;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use bytes::Bytes;
use http_body::Frame;

use crate::dev::endpoint::Endpoint;
use crate::dev::server::AuthorizationServer;
use crate::dev::status;
use crate::mint::fault::ConnectionFailed;

pub(crate) type Shared = Arc<AuthorizationServer>;

/// Every endpoint under the issuer's path. Pages of other origins may read what a client reads, and never what a person
/// sees.
pub(crate) fn routes(server: Shared) -> Router {
    let mut for_clients = Router::new().fallback(document);
    let mut for_others = Router::new().route(&server.path("/consent"), post(browser::consent));
    for (endpoint, methods) in [
        (Endpoint::Token, post(endpoints::token)),
        (Endpoint::PushedRequests, post(endpoints::par)),
        (Endpoint::Revocation, post(endpoints::revoke)),
        (Endpoint::Userinfo, get(endpoints::userinfo).post(endpoints::userinfo)),
    ] {
        for_clients = for_clients.route(&server.path(endpoint.path()), troubled(&server, endpoint, methods));
    }
    for (endpoint, methods) in [
        (Endpoint::Introspection, post(endpoints::introspect)),
        (Endpoint::Authorization, get(browser::authorize).post(browser::authorize)),
        (Endpoint::Logout, get(browser::logout).post(browser::logout)),
    ] {
        for_others = for_others.route(&server.path(endpoint.path()), troubled(&server, endpoint, methods));
    }
    for_others.merge(for_clients.layer(from_fn(cors::cors))).with_state(server)
}

fn troubled(server: &Shared, endpoint: Endpoint, methods: MethodRouter<Shared>) -> MethodRouter<Shared> {
    methods.layer(from_fn_with_state((Arc::clone(server), endpoint), trouble::trouble))
}

async fn document(State(server): State<Shared>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    status::refresh(&server, server.now());
    match server.authority.answer(&request).await {
        Ok(response) => response.map(Body::new),
        Err(failed) => Response::new(Body::new(BrokenOff(failed))),
    }
}

/// A body that fails at once, by which hyper closes the connection before it has sent anything.
struct BrokenOff(ConnectionFailed);

impl http_body::Body for BrokenOff {
    type Data = Bytes;
    type Error = ConnectionFailed;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ConnectionFailed>>> {
        Poll::Ready(Some(Err(self.0)))
    }
}
