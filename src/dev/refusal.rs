//! Why no token was issued, and how the client is told (RFC 6749 section 5.2). Nothing of the request is repeated.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// A token request that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Malformed, for this reason.
    Request(&'static str),
    /// The body is longer than is read.
    TooLarge,
    /// The client is unknown or did not prove itself. Which of the two is not told.
    Client,
    /// A grant that this server does not have.
    Grant,
    /// A scope that is malformed, or not the client's.
    Scope,
    /// No resource, or one that is no absolute URI (RFC 8707 section 2).
    Target,
    /// The DPoP proof is refused or missing, for this reason (RFC 9449 section 5).
    Proof(&'static str),
    /// The DPoP proof lacks a nonce of this server (RFC 9449 section 8).
    Nonce,
    /// Too many proofs are remembered to take one more.
    Busy,
    /// The token could not be made.
    Server,
}

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::Client => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Server => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Request(_) | Self::Grant | Self::Scope | Self::Target | Self::Proof(_) | Self::Nonce => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Request(_) | Self::TooLarge => "invalid_request",
            Self::Client => "invalid_client",
            Self::Grant => "unsupported_grant_type",
            Self::Scope => "invalid_scope",
            Self::Target => "invalid_target",
            Self::Proof(_) => "invalid_dpop_proof",
            Self::Nonce => "use_dpop_nonce",
            Self::Busy => "temporarily_unavailable",
            Self::Server => "server_error",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Request(reason) | Self::Proof(reason) => reason,
            Self::TooLarge => "the body is longer than 64 KiB",
            Self::Client => "the client is unknown or its secret is wrong; both are form-encoded before Basic",
            Self::Grant => "only client_credentials is supported",
            Self::Scope => "a scope is malformed or not granted to this client",
            Self::Target => "a resource is missing or is no absolute URI without fragment",
            Self::Nonce => "the DPoP proof needs the nonce of the DPoP-Nonce header",
            Self::Busy => "too many DPoP proofs at once",
            Self::Server => "the token could not be made",
        }
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
pub(super) fn json_response(value: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
