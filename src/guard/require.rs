//! A demand as a tower layer, for routes and for services without extractors.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::authenticated;
use crate::demand::Requirement;
use crate::reject::{Rejection, Unrendered, apply};

/// Lets only requests pass whose token meets `R`; stands inside an [`OAuthLayer`](crate::OAuthLayer).
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_oauth::require;
///
/// tower_oauth::scopes! { Admin = "admin"; }
///
/// # fn main() {
/// let admin: Router = Router::new()
///     .route("/admin", get(|| async { "all of it" }))
///     .route_layer(require::<Admin>());
/// # }
/// ```
pub const fn require<R: Requirement>() -> RequireLayer<R> {
    RequireLayer(PhantomData)
}

/// The layer of [`require`].
#[must_use = "a layer protects nothing until it is applied"]
pub struct RequireLayer<R>(PhantomData<fn() -> R>);

impl<R> Clone for RequireLayer<R> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<R: Requirement> fmt::Debug for RequireLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequireLayer").field(&R::DEMAND).finish()
    }
}

impl<S, R> Layer<S> for RequireLayer<R> {
    type Service = Require<S, R>;

    fn layer(&self, inner: S) -> Require<S, R> {
        Require { inner, requirement: PhantomData }
    }
}

/// The service of [`require`].
pub struct Require<S, R> {
    inner: S,
    requirement: PhantomData<fn() -> R>,
}

impl<S: Clone, R> Clone for Require<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), requirement: PhantomData }
    }
}

impl<S: fmt::Debug, R: Requirement> fmt::Debug for Require<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Require").field("demand", &R::DEMAND).field("inner", &self.inner).finish()
    }
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for Require<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: Requirement,
    ResBody: Default,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = RequireFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let met =
            authenticated(request.extensions(), &R::DEMAND).and_then(|authenticated| authenticated.meets(&R::DEMAND));
        match met {
            Ok(()) => RequireFuture::Passed { answer: self.inner.call(request) },
            Err(rejection) => RequireFuture::Refused { rejection },
        }
    }
}

pin_project! {
    /// The answer of [`Require`].
    #[project = RequireProjection]
    #[derive(Debug)]
    #[expect(missing_docs, reason = "the variants are of no use outside")]
    pub enum RequireFuture<F> {
        Passed { #[pin] answer: F },
        Refused { rejection: Rejection },
    }
}

impl<F, E, B> Future for RequireFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            RequireProjection::Passed { answer } => answer.poll(cx),
            RequireProjection::Refused { rejection } => {
                let mut response = Response::new(B::default());
                apply(rejection, &mut response);
                response.extensions_mut().insert(Unrendered);
                Poll::Ready(Ok(response))
            }
        }
    }
}
