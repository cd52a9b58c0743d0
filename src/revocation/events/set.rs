//! Security event tokens (RFC 8417) as the Shared Signals Framework profiles them, with the events of CAEP.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::error::SetError;
use super::subject::denied;
use super::{Deny, Expected, MAX_MEMORY, object};
use crate::jwt::compact::MAX_ID_BYTES;
use crate::jwt::json::{self, NumericDate, OneOrMany, Text, present};
use crate::jwt::signed::Signed;
use crate::store::ReplayEntry;
use crate::time::Timestamp;

/// The media type of a SET, and its `typ`.
pub(crate) const SET_MEDIA_TYPE: &str = "application/secevent+jwt";

/// A SET that was taken in, to be answered by 202 however often it comes (RFC 8935 section 2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// What follows from each of its events.
    pub(crate) effects: Vec<Effect>,
    /// Tells a repeated delivery from a first one, for whoever counts them. The effects hold either way: the rule of the
    /// first delivery may have been lost.
    pub(crate) entry: ReplayEntry,
}

/// What follows from one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Deny(Deny),
    /// The stream works: the issuer was asked to say so, perhaps with this `state`.
    Verification {
        state: Option<Box<str>>,
    },
    /// Another event, or one about nobody who is known here.
    Ignored,
}

#[derive(Deserialize)]
struct Claims<'p> {
    #[serde(borrow, default, deserialize_with = "present")]
    iss: Option<Text<'p>>,
    #[serde(borrow, default, deserialize_with = "present")]
    aud: Option<OneOrMany<'p>>,
    iat: NumericDate,
    #[serde(borrow)]
    jti: Text<'p>,
    #[serde(default, deserialize_with = "present")]
    toe: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<IgnoredAny>,
    #[serde(borrow, default, deserialize_with = "present")]
    sub_id: Option<&'p RawValue>,
    #[serde(borrow)]
    events: &'p RawValue,
}

#[derive(Deserialize)]
struct Events<'p> {
    #[serde(borrow, rename = "https://schemas.openid.net/secevent/caep/event-type/session-revoked")]
    session_revoked: Option<&'p RawValue>,
    #[serde(borrow, rename = "https://schemas.openid.net/secevent/caep/event-type/credential-change")]
    credential_change: Option<&'p RawValue>,
    #[serde(borrow, rename = "https://schemas.openid.net/secevent/caep/event-type/token-claims-change")]
    token_claims_change: Option<&'p RawValue>,
    #[serde(borrow, rename = "https://schemas.openid.net/secevent/ssf/event-type/verification")]
    verification: Option<&'p RawValue>,
}

#[derive(Deserialize)]
struct CaepEvent {
    #[serde(default, deserialize_with = "present")]
    event_timestamp: Option<NumericDate>,
}

#[derive(Deserialize)]
struct Verification<'p> {
    #[serde(borrow)]
    state: Option<Text<'p>>,
}

/// Judges what `expected.issuer` has signed.
pub(crate) fn judge_set(document: &Signed, expected: &Expected<'_>) -> Result<Received, SetError> {
    if !document.is_typed(SET_MEDIA_TYPE) {
        return Err(SetError::Request("its typ is not secevent+jwt"));
    }
    let claims: Claims<'_> = json::from_slice(document.payload().as_bytes())
        .map_err(|_unread| SetError::Request("a claim is missing or malformed"))?;
    if claims.iss.is_none_or(|Text(iss)| iss != expected.issuer) {
        return Err(SetError::Issuer);
    }
    if !expected.is_for_us(claims.aud.as_ref()) {
        return Err(SetError::Audience);
    }
    if claims.exp.is_some() || claims.sub.is_some() {
        return Err(SetError::Request("it has exp or sub, which tell other tokens from SETs"));
    }
    let NumericDate(issued_at) = claims.iat;
    if expected.is_ahead(issued_at) {
        return Err(SetError::Request("it was issued in the future"));
    }
    if claims.jti.0.is_empty() || claims.jti.0.len() > MAX_ID_BYTES {
        return Err(SetError::Request("jti is empty or longer than 256 bytes"));
    }
    let names: Option<serde_json::Map<String, serde_json::Value>> = object(claims.events);
    let event_count =
        names.filter(|names| names.values().all(serde_json::Value::is_object)).map_or(0, |names| names.len());
    let (1.., Some(events)) = (event_count, object::<Events<'_>>(claims.events)) else {
        return Err(SetError::Request("events is not an object of at least one event"));
    };

    let told_at = claims.toe.map_or(issued_at, |NumericDate(toe)| toe);
    let caep = [events.session_revoked, events.credential_change, events.token_claims_change].into_iter().flatten();
    let (mut effects, mut known) = (Vec::new(), 0);
    for event in caep {
        known += 1;
        let issued_until = Some(moment(event, told_at, issued_at)?);
        let of_session = events.session_revoked.is_some_and(|revoked| std::ptr::eq(revoked, event));
        let denied = claims.sub_id.map(|subject| denied(subject, of_session, expected)).unwrap_or_default();
        if denied.is_empty() {
            effects.push(Effect::Ignored);
        }
        effects.extend(denied.into_iter().map(|denied| Effect::Deny(Deny { denied, issued_until })));
    }
    if let Some(verification) = events.verification {
        known += 1;
        let state = object::<Verification<'_>>(verification).and_then(|verification| verification.state);
        effects.push(Effect::Verification { state: state.map(|Text(state)| state.into()) });
    }
    effects.extend((known..event_count).map(|_| Effect::Ignored));
    let entry = expected.entry("set", &claims.jti.0, issued_at, expected.now.plus(MAX_MEMORY));
    Ok(Received { effects, entry })
}

/// When the event happened: not after it was told, whatever it says, so that it denies no token of a later login.
fn moment(event: &RawValue, told_at: Timestamp, issued_at: Timestamp) -> Result<Timestamp, SetError> {
    let event: CaepEvent = object(event).ok_or(SetError::Request("event_timestamp is not a number of seconds"))?;
    Ok(event.event_timestamp.map_or(told_at, |NumericDate(moment)| moment).min(issued_at))
}

/// Whether a pushed body says that it is a SET (RFC 8935 section 2.1).
pub(crate) fn is_set(content_type: Option<&str>) -> bool {
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(SET_MEDIA_TYPE)
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
