//! Faults on demand: an endpoint that is late, or whose answer is lost or spoilt.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::CONTENT_TYPE;

use super::{BrokenOff, Shared};
use crate::dev::endpoint::Endpoint;

/// No answer of an endpoint is longer.
const LONGEST: usize = 1024 * 1024;

/// Waits, hands the request on, and does to the answer what a test has asked for.
pub(super) async fn trouble(
    State((server, endpoint)): State<(Shared, Endpoint)>,
    request: Request,
    next: Next,
) -> Response {
    let wait = endpoint.trouble(&mut server.authority.state().troubles).wait();
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let response = next.run(request).await;
    let fault = endpoint.trouble(&mut server.authority.state().troubles).strikes();
    let Some(fault) = fault else { return response };
    let (head, body) = response.into_parts();
    let content = to_bytes(body, LONGEST).await.unwrap_or_default();
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = ["application/json", crate::dev::introspect::SIGNED, "text/html; charset=utf-8"];
    let media_type = known.into_iter().find(|known| *known == media_type).unwrap_or("application/json");
    match fault.answer(&content, media_type).await {
        Ok(Some(spoilt)) => spoilt.map(Body::new),
        Ok(None) => Response::from_parts(head, Body::from(content)),
        Err(failed) => Response::new(Body::new(BrokenOff(failed))),
    }
}
