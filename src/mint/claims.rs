//! The shape of an access token: the claims of RFC 9068 section 2.2 as plain JSON.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::crypto::b64;
use crate::mint::MintError;
use crate::time::Timestamp;

/// How long a token lives when nothing else is said.
pub(crate) const LIFETIME: Duration = Duration::from_secs(300);

/// The claims that every access token has, but `aud` and `jti`, issued at `now`.
pub(crate) fn access_token(issuer: &str, now: Timestamp) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("iss".into(), issuer.into());
    claims.insert("sub".into(), "user-1".into());
    claims.insert("client_id".into(), "client-1".into());
    claims.insert("iat".into(), numeric_date(now));
    claims.insert("exp".into(), numeric_date(now.plus(LIFETIME)));
    claims
}

/// A NumericDate (RFC 7519 section 2); a fraction only where there is one.
pub(crate) fn numeric_date(at: Timestamp) -> Value {
    if at.as_millis() % 1000 == 0 { at.as_secs().into() } else { (at.as_millis() as f64 / 1000.0).into() }
}

/// One string alone, or an array (RFC 7519 section 4.1.3).
pub(crate) fn one_or_many(mut values: Vec<String>) -> Value {
    match values.pop() {
        Some(only) if values.is_empty() => only.into(),
        Some(last) => {
            values.push(last);
            values.into()
        }
        None => Value::Array(Vec::new()),
    }
}

/// Puts `scope` behind the scopes that are there (RFC 8693 section 4.2).
pub(crate) fn add_scope(claims: &mut Map<String, Value>, scope: &str) {
    let joined = match claims.get("scope").and_then(Value::as_str) {
        Some(held) if !held.is_empty() => format!("{held} {scope}"),
        _ => scope.to_owned(),
    };
    claims.insert("scope".into(), joined.into());
}

/// The time that a claim names, to the millisecond; `None` where it is absent or no number.
pub(crate) fn time_claim(claims: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    let seconds = claims.get(name)?.as_f64()?;
    // A float beyond the range becomes the end of the range.
    Some(Timestamp::from_millis((seconds * 1000.0).round() as i64))
}

/// Whether the claims have begun and are not over: no leeway, for the issuer's clock is the one that counts.
pub(crate) fn is_live(claims: &Map<String, Value>, now: Timestamp) -> bool {
    time_claim(claims, "exp").is_none_or(|exp| now < exp) && time_claim(claims, "nbf").is_none_or(|nbf| nbf <= now)
}

/// 128 random bits for a `jti` (RFC 7519 section 4.1.7).
pub(crate) fn random_id() -> Result<String, MintError> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| MintError("the system has no randomness"))?;
    Ok(b64(&bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dates_keep_their_fraction_and_only_that() {
        assert_eq!(numeric_date(Timestamp::from_secs(7)).to_string(), "7");
        assert_eq!(numeric_date(Timestamp::from_millis(7_500)).to_string(), "7.5");
    }

    #[test]
    fn one_audience_is_a_string_and_several_are_an_array() {
        assert_eq!(one_or_many(vec!["a".into()]), json!("a"));
        assert_eq!(one_or_many(vec!["a".into(), "b".into()]), json!(["a", "b"]));
        assert_eq!(one_or_many(Vec::new()), json!([]));
    }

    #[test]
    fn scopes_add_up() {
        let mut claims = Map::new();
        add_scope(&mut claims, "a");
        add_scope(&mut claims, "b c");
        assert_eq!(claims["scope"], "a b c");
    }

    #[test]
    fn identifiers_do_not_repeat() {
        assert_ne!(random_id().unwrap(), random_id().unwrap());
    }
}
