//! The tower [`Layer`]: protects any service whose requests and responses are HTTP's.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_oauth::{OAuthConfig, OAuthLayer, Token};
//!
//! let config = OAuthConfig::builder("https://api.example.com").trust("https://login.example.com").build()?;
//! let app: Router = Router::new()
//!     .route("/me", get(|token: Token| async move { format!("Hello, {}!", token.principal()) }))
//!     .layer(OAuthLayer::new(config));
//! # Ok::<(), tower_oauth::ConfigError>(())
//! ```

mod future;
mod gate;
mod paths;
mod service;

use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderName, Response};
use serde::de::DeserializeOwned;
use tower::Layer;

pub use future::ResponseFuture;
pub use paths::{PathPattern, PathRules};
pub use service::OAuth;

use crate::demand::Freshness;
use crate::reject::{EmptyBodies, OnRejection, Rejection, StandardBodies};
use crate::server::ResourceServer;
use crate::token::{Authenticated, Dependency, OnFailure, Token, Wishes};

/// Requires a valid token on every request, and answers the metadata path of RFC 9728.
///
/// `R` makes the bodies of refusals: nothing or problem details by default, see [`on_rejection`](Self::on_rejection)
/// and [`empty_bodies`](Self::empty_bodies).
#[derive(Clone)]
#[must_use = "a layer protects nothing until it is applied"]
pub struct OAuthLayer<R = StandardBodies> {
    options: Arc<Options>,
    bodies: R,
}

/// What the services of one layer share: by one pointer, because routers clone a service for each request, and threads
/// that count up and down in the same place wait for each other.
#[derive(Clone)]
pub(crate) struct Options {
    server: ResourceServer,
    access: Access,
    preflight: Preflight,
    strip_credential: bool,
    typed: Option<TypedInjector>,
    paths: Option<PathRules>,
    wishes: Wishes,
}

/// Puts `Token<C>` into the extensions, or refuses a token without those claims.
type TypedInjector = fn(&Authenticated, &mut Extensions) -> Result<(), Rejection>;

/// Who may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody; no credential is looked at.
    Public,
    /// Everybody without a credential, and those with a valid one.
    Optional,
    /// Those with a valid credential.
    Required,
}

/// What becomes of CORS preflight requests, which cannot carry credentials (Fetch standard).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preflight {
    /// They pass as [`Anonymous`](crate::Anonymous), for a CORS layer or handler inside: the default.
    #[default]
    Pass,
    /// They are refused like any request without a credential: right in front of a service that would act on OPTIONS.
    Refuse,
}

impl OAuthLayer {
    /// A layer of its own server, or one that shares a [`ResourceServer`].
    pub fn new(server: impl Into<ResourceServer>) -> Self {
        let options = Options {
            server: server.into(),
            access: Access::Required,
            preflight: Preflight::default(),
            strip_credential: false,
            typed: None,
            paths: None,
            wishes: Wishes::default(),
        };
        Self { options: Arc::new(options), bodies: StandardBodies::default() }
    }

    /// Refusals carry problem details (RFC 9457) beside the challenge.
    pub fn problem_details(mut self) -> Self {
        self.bodies.problem_details = true;
        self
    }
}

impl<R> OAuthLayer<R> {
    /// Lets requests without a credential pass; a credential that is there must be valid all the same.
    pub fn optional(self) -> Self {
        self.with(|options| options.access = Access::Optional)
    }

    /// Puts [`Token<C>`](crate::Token) into the extensions, and refuses a token that lacks those claims by 401.
    ///
    /// For services without axum's extractors, or to have every token of a service checked for a claim.
    pub fn claims<C: DeserializeOwned + Send + Sync + 'static>(self) -> Self {
        self.with(|options| {
            options.typed = Some(|authenticated, extensions| {
                let token = Token::<C>::read(authenticated.clone())?;
                extensions.insert(token);
                Ok(())
            });
        })
    }

    /// Removes the `Authorization` header before the inner service sees the request, so that it cannot log or forward
    /// the token.
    pub fn strip_credential(self) -> Self {
        self.with(|options| options.strip_credential = true)
    }

    /// What becomes of CORS preflight requests.
    pub fn preflight(self, preflight: Preflight) -> Self {
        self.with(|options| options.preflight = preflight)
    }

    /// How sure this layer's routes must be that a token was not revoked, instead of what the server says: more, or
    /// less. What a [`Demand`](crate::Demand) asks for holds in any case.
    pub fn freshness(self, freshness: Freshness) -> Self {
        self.with(|options| options.wishes.freshness = Some(freshness))
    }

    /// What becomes of this layer's requests while `dependency` cannot be asked, instead of what the server says.
    pub fn on_failure(self, dependency: Dependency, on_failure: OnFailure) -> Self {
        self.with(|options| options.wishes.on_failure.push((dependency, on_failure)))
    }

    /// Decides by path what is public, optional or demanded, for services without routers of their own. A path that no
    /// rule names needs a token, [`optional`](Self::optional) or not.
    pub fn paths(self, rules: PathRules) -> Self {
        self.with(|options| options.paths = Some(rules))
    }

    /// Builds the response to every refusal, those of guards included. Status, challenge and cache headers are set by
    /// the layer afterwards.
    ///
    /// ```
    /// use axum::{Json, body::Body, response::IntoResponse};
    /// use tower_oauth::{OAuthConfig, OAuthLayer, Rejection};
    ///
    /// # let config = OAuthConfig::builder("https://api.example.com").trust("https://login.example.com").build()?;
    /// let layer = OAuthLayer::new(config)
    ///     .on_rejection(|rejection: &Rejection| -> http::Response<Body> {
    ///         Json(serde_json::json!({ "message": "please sign in", "status": rejection.status().as_u16() })).into_response()
    ///     });
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn on_rejection<F, B>(self, respond: F) -> OAuthLayer<OnRejection<F>>
    where
        F: Fn(&Rejection) -> Response<B> + Clone,
    {
        OAuthLayer { options: self.options, bodies: OnRejection(respond) }
    }

    /// For response bodies that are `Default` but not `From<Bytes>`: refusals are empty, and the metadata document is
    /// not served here.
    pub fn empty_bodies(self) -> OAuthLayer<EmptyBodies> {
        OAuthLayer { options: self.options, bodies: EmptyBodies }
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.options));
        self
    }
}

impl<S, R: Clone> Layer<S> for OAuthLayer<R> {
    type Service = OAuth<S, R>;

    fn layer(&self, inner: S) -> OAuth<S, R> {
        OAuth::new(inner, Arc::clone(&self.options), self.bodies.clone())
    }
}

impl<R> fmt::Debug for OAuthLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthLayer").field("options", &self.options).finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("server", &self.server)
            .field("access", &self.access)
            .field("preflight", &self.preflight)
            .field("strip_credential", &self.strip_credential)
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

/// The response headers that scripts of other origins must be able to read: for a CORS layer's exposed headers.
#[must_use]
pub fn cors_exposed_headers() -> [HeaderName; 2] {
    [http::header::WWW_AUTHENTICATE, HeaderName::from_static("dpop-nonce")]
}

/// The request headers that scripts of other origins must be able to send: for a CORS layer's allowed headers. `*` never
/// covers `Authorization` (Fetch standard).
#[must_use]
pub fn cors_allowed_headers() -> [HeaderName; 2] {
    [http::header::AUTHORIZATION, HeaderName::from_static("dpop")]
}
