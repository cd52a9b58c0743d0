//! Help for whoever sends a request to the wrong endpoint: the refusal names the right one.

use crate::dev::endpoint::Endpoint;
use crate::dev::form::Form;

/// What is said to a request that has the marks of another endpoint's and not of this one's.
pub(crate) fn misplaced(here: Endpoint, form: &Form) -> Option<&'static str> {
    let has = |name: &str| form.has(name);
    let is_for_tokens = has("grant_type") || has("code") || has("refresh_token") || has("code_verifier");
    let is_for_authorization = has("response_type") || has("request_uri");
    match here {
        Endpoint::Authorization if is_for_tokens => {
            Some("grant_type, code, code_verifier and refresh_token belong to the token endpoint, by POST to /token")
        }
        Endpoint::PushedRequests if is_for_tokens => {
            Some("grant_type, code, code_verifier and refresh_token belong to the token endpoint, by POST to /token")
        }
        Endpoint::Token if !has("grant_type") && is_for_authorization => {
            Some("response_type and request_uri belong to the authorization endpoint, in a browser at /authorize")
        }
        Endpoint::Token if !has("grant_type") && has("token") => {
            Some("token belongs to the introspection or the revocation endpoint, by POST to /introspect or /revoke")
        }
        Endpoint::Introspection | Endpoint::Revocation if !has("token") && is_for_tokens => {
            Some("grant_type, code and refresh_token belong to the token endpoint, by POST to /token")
        }
        Endpoint::Introspection | Endpoint::Revocation if !has("token") && is_for_authorization => {
            Some("response_type and request_uri belong to the authorization endpoint, in a browser at /authorize")
        }
        _ => None,
    }
}
