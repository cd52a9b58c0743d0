//! OpenID Connect Back-Channel Logout 1.0: a form that brings one signed token.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::error::LogoutError;
use super::{Deny, Expected, object};
use crate::jwt::compact::MAX_ID_BYTES;
use crate::jwt::error::JwtError;
use crate::jwt::json::{self, NumericDate, OneOrMany, Text, present};
use crate::jwt::signed::Signed;
use crate::store::{Denied, ReplayEntry};

/// What a logout token denies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Logout {
    pub(crate) deny: Deny,
    /// To be spent after the rule was set. Where it was [`Seen`](crate::store::Replay::Seen), the answer is
    /// [`LogoutError::Repeated`]; every other verdict of a store is no reason to refuse a logout.
    pub(crate) entry: ReplayEntry,
}

#[derive(Deserialize)]
struct Claims<'p> {
    #[serde(borrow, default, deserialize_with = "present")]
    iss: Option<Text<'p>>,
    #[serde(borrow, default, deserialize_with = "present")]
    aud: Option<OneOrMany<'p>>,
    iat: NumericDate,
    exp: NumericDate,
    #[serde(borrow)]
    jti: Text<'p>,
    #[serde(borrow, default, deserialize_with = "present")]
    sub: Option<Text<'p>>,
    #[serde(borrow, default, deserialize_with = "present")]
    sid: Option<Text<'p>>,
    #[serde(default, deserialize_with = "present")]
    nonce: Option<IgnoredAny>,
    #[serde(borrow, default, deserialize_with = "present")]
    events: Option<&'p RawValue>,
}

#[derive(Deserialize)]
struct Events<'p> {
    #[serde(borrow, default, rename = "http://schemas.openid.net/event/backchannel-logout")]
    logout: Option<&'p RawValue>,
}

/// Judges what `expected.issuer` has signed (section 2.6).
///
/// `typ` may be missing or say no more than `JWT`, as that of several servers does: the member of `events` and the lack
/// of a nonce tell a logout token from an ID token all the same.
pub(crate) fn judge_logout(document: &Signed, expected: &Expected<'_>) -> Result<Logout, LogoutError> {
    let wrong = LogoutError::Token;
    if document.has_typ() && !document.is_typed("logout+jwt") && !document.is_typed("JWT") {
        return Err(wrong(JwtError::Type { preset: None }));
    }
    let claims: Claims<'_> = json::from_slice(document.payload().as_bytes())
        .map_err(|_unread| wrong(JwtError::Malformed("a claim of the logout token is missing or malformed")))?;
    if claims.iss.is_none_or(|Text(iss)| iss != expected.issuer) {
        return Err(wrong(JwtError::IssuerUnknown));
    }
    if !expected.is_for_us(claims.aud.as_ref()) {
        return Err(wrong(JwtError::Audience));
    }
    let (NumericDate(issued_at), NumericDate(expires_at)) = (claims.iat, claims.exp);
    if expected.is_ahead(issued_at) {
        return Err(wrong(JwtError::IssuedInFuture));
    }
    let over_at = expires_at.plus(expected.leeway);
    if over_at <= expected.now {
        return Err(wrong(JwtError::Expired));
    }
    if claims.jti.0.is_empty() || claims.jti.0.len() > MAX_ID_BYTES {
        return Err(wrong(JwtError::ClaimInvalid("jti")));
    }
    let events: Option<Events<'_>> = claims.events.and_then(object);
    let logout = events.and_then(|events| events.logout);
    if logout.and_then(object::<IgnoredAny>).is_none() {
        return Err(LogoutError::NoLogout);
    }
    if claims.nonce.is_some() {
        return Err(LogoutError::Nonce);
    }
    let named = |name: Option<Text<'_>>| name.map(|Text(name)| Box::<str>::from(name)).filter(|name| !name.is_empty());
    let deny = match (named(claims.sid), named(claims.sub)) {
        (Some(sid), _) => Deny { denied: Denied::Session(sid), issued_until: None },
        // The user may log in again; what was issued by then is not meant.
        (None, Some(sub)) => Deny { denied: Denied::Subject(sub), issued_until: Some(issued_at) },
        (None, None) => return Err(LogoutError::Nobody),
    };
    Ok(Logout { deny, entry: expected.entry("logout", &claims.jti.0, issued_at, over_at) })
}

/// The token of a posted form (section 2.5).
pub(crate) fn logout_token(form: &[u8]) -> Result<Cow<'_, str>, LogoutError> {
    let mut tokens = form_urlencoded::parse(form).filter(|(name, _)| name == "logout_token").map(|(_, token)| token);
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if !token.is_empty() => Ok(token),
        _ => Err(LogoutError::Form),
    }
}

#[cfg(test)]
#[path = "logout_tests.rs"]
mod tests;
