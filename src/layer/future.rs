//! Waits for the verdict, for the inner service to be ready, and for its answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::Options;
use super::gate::Gate;
use crate::reject::{DPOP_NONCE, Rejection, RejectionResponse, Unrendered, apply, expose_to_scripts};
use crate::token::Authenticated;

type Verdict = Pin<Box<dyn Future<Output = Result<Option<Authenticated>, Rejection>> + Send>>;

pin_project! {
    /// The answer of [`OAuth`](crate::layer::OAuth).
    pub struct ResponseFuture<S, R, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        step: Step<S, S::Future, ReqBody, ResBody>,
        finish: Option<Finish<R>>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<S, F, ReqBody, ResBody> {
        Answered { response: Option<Response<ResBody>> },
        Judging { verdict: Verdict, held: Option<Box<Held<S, ReqBody>>> },
        Readying { held: Option<Box<Held<S, ReqBody>>> },
        Calling { #[pin] answer: F },
    }
}

/// What waits for the verdict: a clone of the service that holds no place in any limit, and the request.
pub(super) struct Held<S, ReqBody> {
    gate: Gate,
    options: Arc<Options>,
    service: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody> Held<S, ReqBody> {
    pub(super) const fn new(gate: Gate, options: Arc<Options>, service: S, request: Request<ReqBody>) -> Self {
        Self { gate, options, service, request }
    }
}

impl<S, R, ReqBody, ResBody> ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) const fn answered(response: Response<ResBody>) -> Self {
        Self { step: Step::Answered { response: Some(response) }, finish: None }
    }

    pub(super) const fn calling(answer: S::Future, finish: Finish<R>) -> Self {
        Self { step: Step::Calling { answer }, finish: Some(finish) }
    }

    pub(super) fn judging(verdict: Verdict, held: Held<S, ReqBody>, finish: Finish<R>) -> Self {
        Self { step: Step::Judging { verdict, held: Some(Box::new(held)) }, finish: Some(finish) }
    }
}

impl<S, R, ReqBody, ResBody> Future for ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: RejectionResponse<ResBody>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    #[expect(
        clippy::panic,
        reason = "a future polled after its end is a bug of its caller, not reachable by a request"
    )]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.step.as_mut().project() {
                StepProjection::Judging { verdict, held } => {
                    let verdict = ready!(verdict.as_mut().poll(cx));
                    let Some(mut waiting) = held.take() else { panic!("polled after completion") };
                    let (mut parts, body) = waiting.request.into_parts();
                    match waiting.gate.open(verdict, &waiting.options, &mut parts) {
                        Ok(nonce) => {
                            *this.finish = this.finish.take().map(|finish| finish.with_nonce(nonce));
                            waiting.request = Request::from_parts(parts, body);
                            Step::Readying { held: Some(waiting) }
                        }
                        Err(rejection) => {
                            Step::Answered { response: this.finish.take().map(|finish| finish.refuse(&rejection)) }
                        }
                    }
                }
                StepProjection::Readying { held } => {
                    let Some(mut waiting) = held.take() else { panic!("polled after completion") };
                    match waiting.service.poll_ready(cx) {
                        Poll::Ready(Ok(())) => {
                            let Held { mut service, request, .. } = *waiting;
                            Step::Calling { answer: service.call(request) }
                        }
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => {
                            *held = Some(waiting);
                            return Poll::Pending;
                        }
                    }
                }
                StepProjection::Calling { answer } => {
                    let response = ready!(answer.poll(cx))?;
                    return Poll::Ready(Ok(match this.finish.take() {
                        Some(finish) => finish.pass(response),
                        None => response,
                    }));
                }
                StepProjection::Answered { response } => {
                    let Some(response) = response.take() else { panic!("polled after completion") };
                    return Poll::Ready(Ok(response));
                }
            };
            this.step.set(next);
        }
    }
}

impl<S, R, ReqBody, ResBody> std::fmt::Debug for ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// What is done to every answer on its way out.
pub(super) struct Finish<R> {
    bodies: R,
    head: bool,
    cross_origin: bool,
    nonce: Option<HeaderValue>,
}

impl<R> Finish<R> {
    pub(super) fn new(bodies: R, parts: &Parts) -> Self {
        let (head, cross_origin) = (parts.method == Method::HEAD, parts.headers.contains_key(ORIGIN));
        Self { bodies, head, cross_origin, nonce: None }
    }

    pub(super) fn with_nonce(self, nonce: Option<HeaderValue>) -> Self {
        Self { nonce, ..self }
    }

    /// The answer to a refused request.
    pub(super) fn refuse<B>(self, rejection: &Rejection) -> Response<B>
    where
        R: RejectionResponse<B>,
    {
        let mut response = self.bodies.respond(rejection, self.head);
        apply(rejection, &mut response);
        if self.cross_origin {
            expose_to_scripts(&mut response);
        }
        response
    }

    /// The inner service's answer; a guard's refusal gets the same body as the layer's own.
    fn pass<B>(self, mut response: Response<B>) -> Response<B>
    where
        R: RejectionResponse<B>,
    {
        if response.extensions_mut().remove::<Unrendered>().is_some()
            && let Some(rejection) = response.extensions().get::<Rejection>().cloned()
        {
            return self.refuse(&rejection);
        }
        if let Some(nonce) = self.nonce {
            // One nonce alone, and no cache that would hand it to another client (RFC 9449 sections 8.1 and 8.2).
            response.headers_mut().insert(DPOP_NONCE, nonce);
            response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        }
        if self.cross_origin {
            expose_to_scripts(&mut response);
        }
        response
    }
}
