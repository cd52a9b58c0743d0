//! A client that proves itself by its own key: `private_key_jwt` (RFC 7523 section 3, RFC 10070).

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::jwt::compact::Compact;
use crate::mint::claims::{is_live, time_claim};
use crate::mint::keys::SigningKey;
use crate::time::Timestamp;

/// The value of `client_assertion_type` (RFC 7523 section 2.2).
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// As many assertions are known to be used; older ones have expired in any test.
const MAX_USED: usize = 4_096;

/// The assertions that were used: each serves once (RFC 7523 section 3).
#[derive(Debug, Default)]
pub(crate) struct Used(VecDeque<String>);

impl Used {
    /// Whether this one is used for the first time.
    pub(crate) fn insert(&mut self, jti: String) -> bool {
        if self.0.contains(&jti) {
            return false;
        }
        if self.0.len() >= MAX_USED {
            self.0.pop_front();
        }
        self.0.push_back(jti);
        true
    }
}

/// The `jti` of an assertion that the client `id` has made with `key` for `issuer`, or why it is none. The issuer's
/// identifier is the only audience that counts, alone or as the one element of an array (RFC 10070).
pub(crate) fn judge(
    assertion: &str,
    key: &SigningKey,
    id: &str,
    issuer: &str,
    now: Timestamp,
) -> Result<String, &'static str> {
    let jwt = Compact::parse(assertion).map_err(|_| "the assertion is no JWT")?;
    if jwt.header.media_type().is_some_and(|typ| !is_assertion(typ)) {
        return Err("the assertion has the typ of another kind of token");
    }
    if jwt.header.alg != key.algorithm() || !key.verifies(jwt.signed, &jwt.signature) {
        return Err("the assertion is not signed by the client's key");
    }
    let claims: Map<String, Value> =
        serde_json::from_str(&jwt.payload).map_err(|_| "the assertion's payload is no JSON object")?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(id) || text("sub") != Some(id) {
        return Err("iss and sub of an assertion are the client");
    }
    let is_for_issuer = match claims.get("aud") {
        Some(Value::Array(several)) => several.len() == 1 && several.iter().all(|one| one == issuer),
        Some(one) => one == issuer,
        None => false,
    };
    if !is_for_issuer {
        return Err("the audience of an assertion is the issuer and nothing else");
    }
    if time_claim(&claims, "exp").is_none() || !is_live(&claims, now) {
        return Err("the assertion has no exp, has expired or has not begun");
    }
    text("jti").map(str::to_owned).ok_or("the assertion has no jti")
}

/// What may sign in as a client: typed, or of no type in particular, as older clients send it.
fn is_assertion(typ: &str) -> bool {
    ["client-authentication+jwt", "JWT"].iter().any(|known| typ.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::Algorithm;
    use crate::mint::changes::Changes;

    const ISSUER: &str = "https://login.test";
    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn judged(change: impl FnOnce(&mut Changes)) -> Result<String, &'static str> {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let mut changes = Changes::default();
        change(&mut changes);
        let Value::Object(claims) = json!({ "iss": "c", "sub": "c", "aud": ISSUER, "exp": 1_060, "jti": "j" }) else {
            unreachable!()
        };
        let assertion = changes.sign(&key, "client-authentication+jwt", claims).unwrap();
        judge(&assertion, &key, "c", ISSUER, NOW)
    }

    #[test]
    fn a_client_signs_for_the_issuer_alone() {
        assert_eq!(judged(|_| ()).as_deref(), Ok("j"));
        assert!(judged(|it| it.claim("aud", Some(json!([ISSUER])))).is_ok());
        for aud in [json!([ISSUER, "x"]), json!([]), json!("https://login.test/token"), json!(7), Value::Null] {
            assert!(judged(|it| it.claim("aud", Some(aud.clone()))).is_err(), "{aud}");
        }
    }

    #[test]
    fn it_may_be_untyped_but_never_another_kind_of_token() {
        for typ in [Some("JWT".into()), Some("application/client-authentication+jwt".into()), None] {
            assert!(judged(|it| it.header("typ", typ)).is_ok());
        }
        assert!(judged(|it| it.header("typ", Some("at+jwt".into()))).is_err());
    }

    #[test]
    fn whatever_is_wrong_with_it_is_told() {
        let other = SigningKey::generate(Algorithm::Es256).unwrap();
        assert!(judged(|it| it.key = Some(other)).is_err());
        assert!(judged(|it| it.has_bad_signature = true).is_err());
        assert!(judged(|it| it.is_unsigned = true).is_err());
        for (claim, value) in [
            ("iss", Some(json!("d"))),
            ("sub", Some(json!("d"))),
            ("iss", None),
            ("exp", Some(json!(1_000))),
            ("exp", None),
            ("nbf", Some(json!(1_001))),
            ("jti", None),
        ] {
            assert!(judged(|it| it.claim(claim, value.clone())).is_err(), "{claim} {value:?}");
        }
    }

    #[test]
    fn an_assertion_serves_once() {
        let mut used = Used::default();
        assert!(used.insert("j".into()) && !used.insert("j".into()) && used.insert("k".into()));
        for n in 0..MAX_USED * 2 {
            used.insert(n.to_string());
        }
        assert_eq!(used.0.len(), MAX_USED);
    }
}
