//! Decides who passes; the futures beside it wait.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{Method, Request, Response, Uri};
use tower::Service;

use super::future::{Finish, ResponseFuture};
use super::paths::Ruling;
use super::{Access, Options, Preflight};
use crate::reject::{Cause, Rejection, RejectionResponse};
use crate::server::{Decision, ResourceServer};
use crate::token::{Anonymous, Authenticated};

/// The service that [`OAuthLayer`](crate::OAuthLayer) makes.
#[derive(Clone)]
pub struct OAuth<S, R> {
    inner: S,
    server: ResourceServer,
    options: Arc<Options>,
    bodies: R,
}

impl<S, R> OAuth<S, R> {
    pub(super) const fn new(inner: S, server: ResourceServer, options: Arc<Options>, bodies: R) -> Self {
        Self { inner, server, options, bodies }
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
        let gate = Gate::new(&self.server, &self.options, &parts);
        match gate.decide(&self.server, &parts) {
            Decision::Now(verdict) => match gate.open(verdict, &mut parts) {
                Ok(()) => ResponseFuture::calling(self.inner.call(Request::from_parts(parts, body)), finish),
                Err(rejection) => ResponseFuture::answered(finish.refuse(&rejection)),
            },
            Decision::Later(verdict) => {
                // The service that was polled ready goes, and its place in a concurrency limit with it: a stalled
                // issuer must not hold it. A fresh one is polled ready once the verdict is there.
                let fresh = self.inner.clone();
                self.inner = fresh.clone();
                ResponseFuture::judging(verdict, gate, fresh, Request::from_parts(parts, body), finish)
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
        let state = self.server.state();
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
        f.debug_struct("OAuth").field("inner", &self.inner).field("server", &self.server).finish_non_exhaustive()
    }
}

/// What one request needs to pass.
pub(super) struct Gate {
    options: Arc<Options>,
    server: ResourceServer,
    ruling: Ruling,
}

impl Gate {
    fn new(server: &ResourceServer, options: &Arc<Options>, parts: &Parts) -> Self {
        let ruling = match &options.paths {
            _ if options.preflight == Preflight::Pass && is_preflight(parts) => Ruling::of(Access::Public),
            Some(rules) => rules.rule(&parts.method, parts.uri.path()),
            None => Ruling::of(options.access),
        };
        Self { options: Arc::clone(options), server: server.clone(), ruling }
    }

    fn decide(&self, server: &ResourceServer, parts: &Parts) -> Decision {
        if self.ruling.access == Access::Public {
            return Decision::Now(Ok(None));
        }
        match parts.extensions.get::<Authenticated>() {
            None => server.authenticate(parts),
            // A layer of the same server around this one has proved the credential already.
            Some(known) if known.context().server == server.id() => Decision::Now(Ok(Some(known.clone()))),
            Some(known) => {
                let mixed = Rejection::new(Cause::ServersMixed, None);
                Decision::Now(Err(known.context().refuse(mixed, None, true)))
            }
        }
    }

    /// Puts the verdict into the request's extensions, or says why the request may not pass.
    pub(super) fn open(
        &self,
        verdict: Result<Option<Authenticated>, Rejection>,
        parts: &mut Parts,
    ) -> Result<(), Rejection> {
        match verdict? {
            Some(authenticated) => {
                self.ruling.demands.iter().try_for_each(|demand| authenticated.meets(demand))?;
                if let Some(inject) = self.options.typed {
                    inject(&authenticated, &mut parts.extensions)?;
                }
                parts.extensions.remove::<Anonymous>();
                parts.extensions.insert(authenticated);
            }
            None => {
                let anonymous = Anonymous::new(Arc::clone(&self.server.state().context));
                if self.ruling.access == Access::Required {
                    return Err(anonymous.reject(&self.ruling.first_demand()));
                }
                // A verdict of a layer further out stays; a path that is public here takes nothing away.
                if parts.extensions.get::<Authenticated>().is_none() {
                    parts.extensions.insert(anonymous);
                }
            }
        }
        if self.options.strip_credential {
            parts.headers.remove(AUTHORIZATION);
        }
        Ok(())
    }
}

/// A preflight as browsers send it: without credentials, and with both headers that make it one.
fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && !parts.headers.contains_key(AUTHORIZATION)
}

#[cfg(feature = "axum")]
fn original_uri<'r>(extensions: &'r http::Extensions, uri: &'r Uri) -> &'r Uri {
    extensions.get::<axum::extract::OriginalUri>().map_or(uri, |original| &original.0)
}

#[cfg(not(feature = "axum"))]
fn original_uri<'r>(_: &'r http::Extensions, uri: &'r Uri) -> &'r Uri {
    uri
}
