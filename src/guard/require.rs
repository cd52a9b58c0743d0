//! A demand as a tower layer, for routes and for services without extractors.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::authenticated;
use crate::demand::Requirement;
use crate::reject::{Rejection, Unrendered, apply};
use crate::token::{Authenticated, Proving};

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
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    R: Requirement,
    ResBody: Default,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = RequireFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let proved = authenticated(request.extensions(), &R::DEMAND).map(|known| known.prove(&R::DEMAND));
        match proved {
            Ok(Proving::Now(Ok(fresher))) => {
                request.extensions_mut().extend(fresher.map(extension).unwrap_or_default());
                RequireFuture::Passed { answer: self.inner.call(request) }
            }
            Ok(Proving::Now(Err(rejection))) | Err(rejection) => RequireFuture::Refused { rejection },
            Ok(Proving::Later(proved)) => {
                // As in the layer: whoever waits for an issuer holds no place in the service inside.
                let fresh = self.inner.clone();
                self.inner = fresh.clone();
                RequireFuture::Asking { proved, held: Some(Box::new((fresh, request))) }
            }
        }
    }
}

fn extension(fresher: Authenticated) -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(fresher);
    extensions
}

type Asking = Pin<Box<dyn Future<Output = Result<Option<Authenticated>, Rejection>> + Send>>;

pin_project! {
    /// The answer of [`Require`].
    #[project = RequireProjection]
    #[expect(missing_docs, reason = "the variants are of no use outside")]
    pub enum RequireFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Asking { proved: Asking, held: Option<Box<(S, Request<ReqBody>)>> },
        Readying { held: Option<Box<(S, Request<ReqBody>)>> },
        Passed { #[pin] answer: S::Future },
        Refused { rejection: Rejection },
    }
}

impl<S, ReqBody, ResBody> Future for RequireFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<Response<ResBody>, S::Error>;

    #[expect(
        clippy::panic,
        reason = "a future polled after its end is a bug of its caller, not reachable by a request"
    )]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project() {
                RequireProjection::Asking { proved, held } => match ready!(proved.as_mut().poll(cx)) {
                    Ok(fresher) => {
                        let Some(mut waiting) = held.take() else { panic!("polled after completion") };
                        waiting.1.extensions_mut().extend(fresher.map(extension).unwrap_or_default());
                        Self::Readying { held: Some(waiting) }
                    }
                    Err(rejection) => Self::Refused { rejection },
                },
                RequireProjection::Readying { held } => {
                    let Some(waiting) = held.as_mut() else { panic!("polled after completion") };
                    ready!(waiting.0.poll_ready(cx))?;
                    let Some(waiting) = held.take() else { panic!("polled after completion") };
                    let (mut service, request) = *waiting;
                    Self::Passed { answer: service.call(request) }
                }
                RequireProjection::Passed { answer } => return answer.poll(cx),
                RequireProjection::Refused { rejection } => {
                    let mut response = Response::new(ResBody::default());
                    apply(rejection, &mut response);
                    response.extensions_mut().insert(Unrendered);
                    return Poll::Ready(Ok(response));
                }
            };
            self.set(next);
        }
    }
}

impl<S, ReqBody> fmt::Debug for RequireFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireFuture").finish_non_exhaustive()
    }
}
