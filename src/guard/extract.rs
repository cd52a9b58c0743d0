//! The guards as axum extractors.

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::{Granted, authenticated};
use crate::demand::{Demand, Requirement};
use crate::reject::{Rejection, Unrendered, apply};
use crate::token::{Anonymous, Authenticated, Token};

impl<S, C> FromRequestParts<S> for Token<C>
where
    S: Send + Sync,
    C: DeserializeOwned + Send + Sync + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Self::read(authenticated(&parts.extensions, &Demand::authenticated())?)
    }
}

/// `None` only where an optional layer, a public path or a preflight let the request pass without a credential.
impl<S, C> OptionalFromRequestParts<S> for Token<C>
where
    S: Send + Sync,
    C: DeserializeOwned + Send + Sync + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        match (parts.extensions.get::<Authenticated>(), parts.extensions.get::<Anonymous>()) {
            (Some(authenticated), _) => Self::read(authenticated.clone()).map(Some),
            (None, Some(_)) => Ok(None),
            (None, None) => Err(Rejection::layer_missing()),
        }
    }
}

impl<S, R, C> FromRequestParts<S> for Granted<R, C>
where
    S: Send + Sync,
    R: Requirement,
    C: DeserializeOwned + Send + Sync + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let known = authenticated(&parts.extensions, &R::DEMAND)?;
        match known.prove(&R::DEMAND).wait().await? {
            None => Self::read(known),
            Some(fresher) => {
                // Further guards of the same handler need not ask again, and see the same facts.
                parts.extensions.insert(fresher.clone());
                Self::read(fresher)
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        authenticated(&parts.extensions, &Demand::authenticated())
    }
}

/// The refusal as it goes over the wire; the layer around renders its body.
impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        apply(&self, &mut response);
        response.extensions_mut().insert(Unrendered);
        response
    }
}
