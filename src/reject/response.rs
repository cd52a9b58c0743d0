//! Refusals as responses: empty by default, problem details by a setting, or made by the user's closure.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Response};

use super::{Rejection, RejectionKind};

/// Builds the body of a refusal, and of the metadata document.
///
/// Whatever the body, the layer sets the status, the challenge and the cache headers of the refusal itself: a closure
/// decides how a refusal looks, not what it says.
pub trait RejectionResponse<B>: Clone {
    /// The response to a refusal. `head` is set for HEAD requests, whose answers have no content.
    fn respond(&self, rejection: &Rejection, head: bool) -> Response<B>;

    /// A body with these bytes; `None` when this service's bodies cannot hold any, which leaves the metadata document
    /// to be served elsewhere.
    fn document(&self, bytes: Bytes) -> Option<B>;
}

/// The default: no content, or `application/problem+json` (RFC 9457) by
/// [`OAuthLayer::problem_details`](crate::OAuthLayer::problem_details).
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardBodies {
    pub(crate) problem_details: bool,
}

impl<B: From<Bytes>> RejectionResponse<B> for StandardBodies {
    fn respond(&self, rejection: &Rejection, head: bool) -> Response<B> {
        if !self.problem_details {
            return Response::new(B::from(Bytes::new()));
        }
        let content = problem(rejection.kind());
        let length = HeaderValue::from(content.len());
        let mut response = Response::new(B::from(if head { Bytes::new() } else { content }));
        if head {
            // What GET would have sent (RFC 9110 section 8.6).
            response.headers_mut().insert(CONTENT_LENGTH, length);
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }

    fn document(&self, bytes: Bytes) -> Option<B> {
        Some(B::from(bytes))
    }
}

/// For bodies that cannot be made from bytes: refusals have none, and no document is served.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyBodies;

impl<B: Default> RejectionResponse<B> for EmptyBodies {
    fn respond(&self, _: &Rejection, _: bool) -> Response<B> {
        Response::new(B::default())
    }

    fn document(&self, _: Bytes) -> Option<B> {
        None
    }
}

/// The user's closure, from [`OAuthLayer::on_rejection`](crate::OAuthLayer::on_rejection).
#[derive(Clone, Copy)]
pub struct OnRejection<F>(pub(crate) F);

impl<F> std::fmt::Debug for OnRejection<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnRejection")
    }
}

impl<F, B> RejectionResponse<B> for OnRejection<F>
where
    F: Fn(&Rejection) -> Response<B> + Clone,
    B: From<Bytes>,
{
    fn respond(&self, rejection: &Rejection, head: bool) -> Response<B> {
        let response = (self.0)(rejection);
        if head { response.map(|_| B::from(Bytes::new())) } else { response }
    }

    fn document(&self, bytes: Bytes) -> Option<B> {
        Some(B::from(bytes))
    }
}

/// Carries a nonce for the client's next proof (RFC 9449 section 8.1).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Marks a refusal that a guard made, whose body the layer around it has yet to render.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unrendered;

/// Sets what a refusal says: status, challenge, when to try again, and that no cache may keep it.
pub(crate) fn apply<B>(rejection: &Rejection, response: &mut Response<B>) {
    *response.status_mut() = rejection.status();
    let headers = response.headers_mut();
    headers.remove(WWW_AUTHENTICATE);
    for challenge in rejection.challenges() {
        headers.append(WWW_AUTHENTICATE, challenge.clone());
    }
    if let Some(nonce) = rejection.dpop_nonce() {
        headers.insert(DPOP_NONCE, nonce.clone());
    }
    if let Some(after) = rejection.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(rejection.clone());
}

/// Lets scripts of other origins read the headers that a client needs; `*` would not reach credentialed requests.
pub(crate) fn expose_to_scripts<B>(response: &mut Response<B>) {
    let names = HeaderValue::from_static("WWW-Authenticate, DPoP-Nonce");
    response.headers_mut().append(ACCESS_CONTROL_EXPOSE_HEADERS, names);
}

/// RFC 9457. The type is the section that defines the error; the kind stays with the operator.
fn problem(kind: RejectionKind) -> Bytes {
    let status = kind.status();
    let (section, title) = match (kind.error(), status.as_u16()) {
        (Some("insufficient_user_authentication"), _) => ("rfc9470#section-3", "A stronger or newer login is needed"),
        (Some("invalid_dpop_proof"), _) => ("rfc9449#section-7.1", "The DPoP proof is not valid"),
        (Some("use_dpop_nonce"), _) => ("rfc9449#section-9", "The DPoP proof needs a nonce"),
        (Some("insufficient_scope"), _) => ("rfc6750#section-3.1", "The token does not grant this"),
        (Some("invalid_request"), _) => ("rfc6750#section-3.1", "The credential is malformed"),
        (Some(_), _) => ("rfc6750#section-3.1", "The token is not valid"),
        (None, 401) => ("rfc6750#section-3", "A token is needed"),
        (None, 503) => ("rfc9110#section-15.6.4", "The token could not be checked just now"),
        (None, _) => ("rfc9110#section-15.6.1", "The service is not set up correctly"),
    };
    let error = kind.error().map(|error| format!(r#","error":"{error}""#)).unwrap_or_default();
    let (url, status) = ("https://www.rfc-editor.org/rfc/", status.as_u16());
    Bytes::from(format!(r#"{{"type":"{url}{section}","title":"{title}","status":{status}{error}}}"#))
}
