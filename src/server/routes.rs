//! What a server answers itself, as axum routers: its metadata, and the events that issuers send.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::ResourceServer;
use super::events::MAX_EVENT_BYTES;

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

impl ResourceServer {
    /// Where issuers say unasked that tokens are over: `POST /backchannel-logout` for OpenID Back-Channel Logout 1.0, and
    /// `POST /security-events` for security event tokens by push (RFC 8935) with the CAEP events session-revoked,
    /// credential-change and token-claims-change.
    ///
    /// What an issuer has signed becomes rules of the denylist. Nest it where no layer asks for a token: the issuer has
    /// none, and its signature is what counts. See [`Issuer::event_audience`](crate::Issuer::event_audience).
    ///
    /// ```
    /// use axum::Router;
    /// use tower_oauth::{OAuthConfig, OAuthLayer, ResourceServer};
    ///
    /// let server = ResourceServer::new(
    ///     OAuthConfig::builder("https://api.example.com").trust("https://login.example.com").build()?,
    /// );
    /// let orders: Router = Router::new().layer(OAuthLayer::new(&server));
    /// let app: Router = Router::new().nest("/oauth", server.events()).merge(orders);
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn events<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let (logout, event) = (self.clone(), self.clone());
        Router::new()
            .route("/backchannel-logout", post(move |request: Request| log_out(logout.clone(), request)))
            .route("/security-events", post(move |request: Request| take_event(event.clone(), request)))
    }
}

async fn log_out(server: ResourceServer, request: Request) -> Response {
    // A body that is too long has no token that anybody would believe.
    let form = to_bytes(request.into_body(), MAX_EVENT_BYTES).await.unwrap_or_default();
    answer(server.back_channel_logout(&form).await)
}

async fn take_event(server: ResourceServer, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let set = to_bytes(body, MAX_EVENT_BYTES).await.unwrap_or_default();
    answer(server.security_event(content_type, &set).await)
}

fn answer(response: http::Response<String>) -> Response {
    response.map(Body::from)
}

/// axum reads braces as captures.
fn escaped(path: &str) -> String {
    path.replace('{', "{{").replace('}', "}}")
}
