//! Why an endpoint refuses, and how the client is told (RFC 6749 section 5.2). Nothing of the request is repeated.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::dev::grants::shelf::Full;
use crate::mint::MintError;

/// A request that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Malformed, for this reason.
    Request(&'static str),
    /// The body is longer than is read.
    TooLarge,
    /// The client is unknown or did not prove itself. Which of the two is not told.
    Client,
    /// The client may not do this, for this reason.
    Unauthorized(&'static str),
    /// A grant that this server does not have, and what to use instead.
    GrantType(&'static str),
    /// The code, the refresh token or the subject token is not good, for this reason.
    Grant(&'static str),
    /// A scope that is malformed, or not the client's.
    Scope,
    /// No resource, or not one that can be served, for this reason (RFC 8707 section 2).
    Target(&'static str),
    /// The DPoP proof is refused or missing, for this reason (RFC 9449 section 5).
    Proof(&'static str),
    /// The DPoP proof lacks a nonce of this server (RFC 9449 section 8).
    Nonce,
    /// Too much is remembered to take one more.
    Busy,
    /// What was to be made could not be made.
    Server,
}

impl Refusal {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Client => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Server => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Request(_)
            | Self::Unauthorized(_)
            | Self::GrantType(_)
            | Self::Grant(_)
            | Self::Scope
            | Self::Target(_)
            | Self::Proof(_)
            | Self::Nonce => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Request(_) | Self::TooLarge => "invalid_request",
            Self::Client => "invalid_client",
            Self::Unauthorized(_) => "unauthorized_client",
            Self::GrantType(_) => "unsupported_grant_type",
            Self::Grant(_) => "invalid_grant",
            Self::Scope => "invalid_scope",
            Self::Target(_) => "invalid_target",
            Self::Proof(_) => "invalid_dpop_proof",
            Self::Nonce => "use_dpop_nonce",
            Self::Busy => "temporarily_unavailable",
            Self::Server => "server_error",
        }
    }

    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Request(reason)
            | Self::Unauthorized(reason)
            | Self::GrantType(reason)
            | Self::Grant(reason)
            | Self::Target(reason)
            | Self::Proof(reason) => reason,
            Self::TooLarge => "the body is longer than 64 KiB",
            Self::Client => {
                "the client is unknown or did not prove itself; identifier and secret are form-encoded before Basic, and \
                 an assertion has the issuer as its only audience"
            }
            Self::Scope => "a scope is malformed or not granted to this client",
            Self::Nonce => "the DPoP proof needs the nonce of the DPoP-Nonce header",
            Self::Busy => "this server remembers as much as it may; try again later",
            Self::Server => "the token could not be made",
        }
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::Busy
    }
}

impl From<MintError> for Refusal {
    fn from(_: MintError) -> Self {
        Self::Server
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json_response(&json!({ "error": self.code(), "error_description": self.description() }));
        *response.status_mut() = self.status();
        if self == Self::Client {
            let challenge = HeaderValue::from_static("Basic realm=\"token endpoint\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// JSON that no cache may keep (RFC 6749 section 5.1).
pub(crate) fn json_response(value: &serde_json::Value) -> Response {
    uncached("application/json", value.to_string())
}

/// An answer that no cache may keep.
pub(crate) fn uncached(media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
