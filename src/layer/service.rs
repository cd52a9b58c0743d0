//! Decides who passes; the futures beside it wait.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::Options;
use super::future::{Finish, Held, ResponseFuture};
use super::gate::Gate;
use crate::reject::RejectionResponse;
use crate::server::Decision;
use crate::server::original::original_uri;

/// The service that [`OAuthLayer`](crate::OAuthLayer) makes.
#[derive(Clone)]
pub struct OAuth<S, R> {
    inner: S,
    options: Arc<Options>,
    bodies: R,
}

impl<S, R> OAuth<S, R> {
    pub(super) const fn new(inner: S, options: Arc<Options>, bodies: R) -> Self {
        Self { inner, options, bodies }
    }

    /// The service inside.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for OAuth<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    R: RejectionResponse<ResBody>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if let Some(answer) = self.metadata(&request) {
            return ResponseFuture::answered(answer);
        }
        let (mut parts, body) = request.into_parts();
        let finish = Finish::new(self.bodies.clone(), &parts);
        let gate = Gate::new(&self.options, &parts);
        match gate.decide(&self.options, &parts) {
            Decision::Now(verdict) => match gate.open(verdict, &self.options, &mut parts) {
                Ok(nonce) => {
                    let answer = self.inner.call(Request::from_parts(parts, body));
                    ResponseFuture::calling(answer, finish.with_nonce(nonce))
                }
                Err(rejection) => ResponseFuture::answered(finish.refuse(&rejection)),
            },
            Decision::Later(verdict) => {
                // The service that was polled ready goes, and its place in a concurrency limit with it: a stalled
                // issuer must not hold it. A fresh one is polled ready once the verdict is there.
                let fresh = self.inner.clone();
                self.inner = fresh.clone();
                let request = Request::from_parts(parts, body);
                let held = Held::new(gate, Arc::clone(&self.options), fresh, request);
                ResponseFuture::judging(verdict, held, finish)
            }
        }
    }
}

impl<S, R> OAuth<S, R> {
    /// The document of RFC 9728, if the request asks for it. The path is the one the client sent.
    fn metadata<ReqBody, ResBody>(&self, request: &Request<ReqBody>) -> Option<Response<ResBody>>
    where
        R: RejectionResponse<ResBody>,
    {
        let uri = original_uri(request.extensions(), request.uri());
        if !uri.path().starts_with("/.well-known/") {
            return None;
        }
        let state = self.options.server.state();
        if !state.metadata.is_at(uri) {
            return None;
        }
        let (response, content) = state.metadata.answer(request.method())?;
        let body = self.bodies.document(content)?;
        Some(response.map(|()| body))
    }
}

impl<S: fmt::Debug, R> fmt::Debug for OAuth<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").field("inner", &self.inner).field("options", &self.options).finish_non_exhaustive()
    }
}
