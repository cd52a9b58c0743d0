//! The assertion of `private_key_jwt` (RFC 7523 section 3, RFC 10070).

use std::time::Duration;

use serde::Serialize;

use super::ClientAuthError;
use super::key::Current;
use crate::crypto::{b64, random};
use crate::secret::Secret;
use crate::time::Timestamp;

/// The value of `client_assertion_type` (RFC 7523 section 2.2).
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Long enough for clocks that differ a little, short enough to be of no use to a thief.
const LIFETIME: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    /// Tells it from every other kind of JWT that this key may sign.
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    /// The issuer's identifier as the only value: an endpoint's address there lets a server that names another's
    /// endpoint as its own collect assertions for it.
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// Signs an assertion for one request.
pub(super) fn sign(
    current: &Current,
    client_id: &str,
    issuer: &str,
    now: Timestamp,
) -> Result<Secret<String>, ClientAuthError> {
    let refused = |why: &str| ClientAuthError(format!("no assertion for this client: {why}").into());
    let jti = b64(&random::<16>().ok_or_else(|| refused("the system has no randomness to give"))?);
    let header =
        Header { alg: current.algorithm.as_str(), typ: "client-authentication+jwt", kid: current.kid.as_deref() };
    let (iat, exp) = (now.as_secs(), now.plus(LIFETIME).as_secs());
    let claims = Claims { iss: client_id, sub: client_id, aud: issuer, iat, exp, jti };
    let encode = |json: serde_json::Result<Vec<u8>>| json.map(|json| b64(&json)).map_err(|_| refused("it is no JSON"));
    let mut jwt = format!("{}.{}", encode(serde_json::to_vec(&header))?, encode(serde_json::to_vec(&claims))?);
    let signature =
        current.key.sign(current.algorithm, jwt.as_bytes()).ok_or_else(|| refused("the key did not sign"))?;
    jwt.push('.');
    jwt.push_str(&b64(&signature));
    Ok(Secret::new(jwt))
}
