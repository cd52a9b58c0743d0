//! Userinfo (OpenID Connect Core 1.0 section 5.3): this server as a resource, for tokens with the scope `openid`.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::dev::active::active;
use crate::dev::dpop::Place;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;
use crate::time::Timestamp;

/// Why nothing is told, in the words of RFC 6750 section 3 and RFC 9449 section 7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unwelcome {
    pub(crate) status: StatusCode,
    scheme: &'static str,
    error: Option<&'static str>,
}

impl Unwelcome {
    const fn new(scheme: &'static str, error: &'static str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, scheme, error: Some(error) }
    }

    pub(crate) fn challenge(self) -> HeaderValue {
        let Self { scheme, error, .. } = self;
        let algorithms = if scheme == "DPoP" { " algs=\"ES256 EdDSA\"" } else { "" };
        let separator = if algorithms.is_empty() { " " } else { ", " };
        let error = error.map(|error| format!("{separator}error=\"{error}\"")).unwrap_or_default();
        HeaderValue::try_from(format!("{scheme}{algorithms}{error}")).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

/// The claims about the user whose token came along.
pub(crate) fn userinfo(
    server: &AuthorizationServer,
    headers: &HeaderMap,
    method: &str,
    now: Timestamp,
) -> Result<Value, Unwelcome> {
    const NONE: Unwelcome = Unwelcome { status: StatusCode::UNAUTHORIZED, scheme: "Bearer", error: None };
    let credential = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(NONE)?;
    let (scheme, token) = credential.split_once(' ').ok_or(NONE)?;
    let is_dpop = scheme.eq_ignore_ascii_case("DPoP");
    if !is_dpop && !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(NONE);
    }
    let scheme = if is_dpop { "DPoP" } else { "Bearer" };
    let token = token.trim_start_matches(' ');
    let claims = active(server, token, now).ok_or(Unwelcome::new(scheme, "invalid_token"))?.claims;
    let bound = claims.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str);
    if is_dpop != bound.is_some() {
        return Err(Unwelcome::new(if bound.is_some() { "DPoP" } else { "Bearer" }, "invalid_token"));
    }
    if let Some(bound) = bound {
        let place = Place { method, path: &server.path("/userinfo") };
        let proved = server.dpop.prove(headers, place, Some(token), now).map_err(|refusal| {
            Unwelcome::new("DPoP", if refusal == Refusal::Nonce { "use_dpop_nonce" } else { "invalid_dpop_proof" })
        })?;
        if proved.as_deref() != Some(bound) {
            return Err(Unwelcome::new("DPoP", "invalid_dpop_proof"));
        }
    }
    let scopes = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    if !scopes.split(' ').any(|scope| scope == "openid") {
        let short = Unwelcome::new(scheme, "insufficient_scope");
        return Err(Unwelcome { status: StatusCode::FORBIDDEN, ..short });
    }
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let user = server.users.get(subject);
    let mut told = user.map(|user| user.profile(scopes.split(' '))).unwrap_or_default();
    told.insert("sub".into(), subject.into());
    Ok(Value::Object(told))
}
