//! The service that is measured, its requests, and a call of it.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use tokio::runtime::Handle;
use tower::Service;
use tower_oauth::test::RequestExt as _;

/// A router without any layer.
pub(crate) fn bare() -> Router {
    Router::new().route("/plain", get(plain))
}

pub(crate) async fn plain() -> &'static str {
    "ok"
}

pub(crate) fn with(token: &str) -> Request<Body> {
    Request::get("/plain").bearer(token).body(Body::empty()).expect("a request")
}

pub(crate) fn without() -> Request<Body> {
    Request::get("/plain").body(Body::empty()).expect("a request")
}

/// Calls a service whose answer needs no waiting; where it does for once, because keys are refreshed, it is waited for.
pub(crate) fn call(app: &mut Router, request: Request<Body>) -> u16 {
    let mut answer = pin!(Service::call(app, request));
    let response = match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(response) => response,
        Poll::Pending => Handle::current().block_on(answer),
    };
    response.map_or(0, |response| response.status().as_u16())
}
