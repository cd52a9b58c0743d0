//! From HTTP to the decisions, and back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http::HeaderName;
use http_body::Frame;

use crate::dev::form::MAX_BODY_BYTES;
use crate::dev::refusal::{Refusal, json_response};
use crate::dev::token_endpoint::TokenEndpoint;
use crate::mint::documents::issuer_path;
use crate::mint::fault::ConnectionFailed;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

pub(super) fn routes(endpoint: Arc<TokenEndpoint>) -> Router {
    let token_path = format!("{}/token", issuer_path(endpoint.authority.issuer()));
    Router::new().route(&token_path, post(token)).fallback(document).with_state(endpoint)
}

async fn token(State(endpoint): State<Arc<TokenEndpoint>>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else { return Refusal::TooLarge.into_response() };
    let mut response = match endpoint.answer(&request.headers, &body) {
        Ok(answer) => json_response(&answer),
        Err(refusal) => refusal.into_response(),
    };
    // Whoever sends proofs learns the nonce to use next, whatever became of this one (RFC 9449 section 8.2).
    if request.headers.contains_key("dpop") {
        response.headers_mut().extend(endpoint.dpop.nonce(endpoint.authority.now()).map(|nonce| (DPOP_NONCE, nonce)));
    }
    response
}

async fn document(State(endpoint): State<Arc<TokenEndpoint>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    match endpoint.authority.answer(&request).await {
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
