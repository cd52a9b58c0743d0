//! The metadata as an axum router, for services whose layer does not see the well-known path.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::any;
use http::StatusCode;

use super::ResourceServer;

impl ResourceServer {
    /// The RFC 9728 document at its well-known path.
    ///
    /// A layer answers that path itself where it sees the request; merge this where it sits inside `nest`, is a
    /// `route_layer`, or belongs to one of several merged routers.
    ///
    /// Merged into a protected router, these routes bring axum's plain fallback with them: unknown paths are then answered
    /// by 404 instead of 401. `server.metadata().merge(protected)` keeps the protected fallback.
    pub fn metadata<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let path = self.state().metadata.path().to_owned();
        let server = self.clone();
        let answer = move |request: Request| {
            let metadata = &server.state().metadata;
            // The route knows neither the query nor that the resource was renamed since.
            let answer = match metadata.is_at(request.uri()) {
                true => metadata.answer(request.method()).ok_or(StatusCode::METHOD_NOT_ALLOWED),
                false => Err(StatusCode::NOT_FOUND),
            };
            async move {
                match answer {
                    Ok((response, content)) => response.map(|()| Body::from(content)),
                    Err(status) => status.into_response(),
                }
            }
        };
        Router::new().route(&escaped(&path), any(answer))
    }
}

/// axum reads braces as captures.
fn escaped(path: &str) -> String {
    path.replace('{', "{{").replace('}', "}}")
}
