//! `private_key_jwt`: an assertion that the client signed (RFC 7523 section 3, with the audience of RFC 10070).

use std::time::Duration;

use serde::Deserialize;

use super::{Authentication, Client};
use crate::dev::form::Form;
use crate::dev::refusal::Refusal;
use crate::jwt::compact::{Compact, MAX_ID_BYTES};
use crate::jwt::json::{self, NumericDate, OneOrMany, Text, present};
use crate::time::Timestamp;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The longest that an assertion may be good, so that what is remembered of it ends.
const LONGEST: Duration = Duration::from_secs(600);
/// How far the clocks may differ.
const LEEWAY: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Claims<'c> {
    #[serde(borrow)]
    iss: Text<'c>,
    #[serde(borrow)]
    sub: Text<'c>,
    #[serde(borrow)]
    aud: OneOrMany<'c>,
    #[serde(borrow)]
    jti: Text<'c>,
    exp: NumericDate,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<NumericDate>,
}

/// A client that has signed for itself.
pub(super) struct Asserted<'c> {
    pub(super) client: &'c Client,
    /// Of client and `jti`, for the memory of what was used.
    pub(super) id: String,
    pub(super) until: Timestamp,
}

/// Every refusal is the same `invalid_client`: the client knows what it signed.
pub(super) fn verify<'c>(
    text: &str,
    form: &Form,
    issuer: &str,
    now: Timestamp,
    find: impl FnOnce(&str) -> Option<&'c Client>,
) -> Result<Asserted<'c>, Refusal> {
    if form.get("client_assertion_type") != Some(TYPE) {
        return Err(Refusal::Request("client_assertion_type must be that of jwt-bearer (RFC 7523 section 2.2)"));
    }
    let assertion = Compact::parse(text).map_err(|_| Refusal::Client)?;
    // Untyped ones are still about; one made for another purpose is not meant for us (RFC 10070).
    let is_ours = |typ: &str| ["client-authentication+jwt", "JWT"].iter().any(|known| typ.eq_ignore_ascii_case(known));
    if !assertion.header.media_type().is_none_or(is_ours) {
        return Err(Refusal::Client);
    }
    let claims: Claims<'_> = json::from_slice(assertion.payload.as_bytes()).map_err(|_| Refusal::Client)?;
    let client = find(&claims.sub.0).ok_or(Refusal::Client)?;
    let Authentication::Key(keys) = &client.authentication else { return Err(Refusal::Client) };
    let algorithm = assertion.header.alg;
    let is_signed = keys
        .iter()
        .any(|(own, key)| *own == algorithm && key.verifies(algorithm, assertion.signed, &assertion.signature));
    // The issuer alone, under its own name: an assertion for an endpoint or for several servers could be carried on to
    // another (RFC 10070).
    let mut audiences = claims.aud.iter();
    let is_for_us = audiences.next() == Some(issuer) && audiences.next().is_none();
    let (starts, ends) = (claims.nbf.map_or(now, |nbf| nbf.0), claims.exp.0);
    let is_alive = starts <= now.plus(LEEWAY) && now <= ends.plus(LEEWAY) && ends <= now.plus(LONGEST);
    let is_named = (1..=MAX_ID_BYTES).contains(&claims.jti.0.len());
    if !(is_signed && is_for_us && is_alive && is_named && claims.iss.0 == claims.sub.0) {
        return Err(Refusal::Client);
    }
    Ok(Asserted { client, id: format!("{} {}", client.id, claims.jti.0), until: ends.plus(LEEWAY) })
}
