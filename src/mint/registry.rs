//! What became of the tokens that an authority has issued: the opaque ones it keeps, and what it has said since about
//! any token, signed or not.
//!
//! Nothing here can be read back as a token: an opaque token is kept by its SHA-256 digest, as a server that might be
//! robbed would keep it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde_json::{Map, Value, json};

use crate::crypto::{b64, random, sha256};
use crate::mint::MintError;
use crate::mint::changes::apply;
use crate::mint::claims::{is_live, time_claim};
use crate::time::Timestamp;

/// As many live tokens are kept, and as many remarks about tokens. Full, the registry refuses, for to forget a
/// revocation would be to take it back.
const MAX_ENTRIES: usize = 65_536;

const FULL: MintError = MintError("65 536 tokens are alive: let some expire first");

/// The name of a token: of its text, or of its `jti`.
type Digest = [u8; 32];

/// Tokens and their states.
#[derive(Default)]
pub(crate) struct Registry {
    opaque: HashMap<Digest, Map<String, Value>>,
    remarks: HashMap<Digest, Remark>,
}

/// What was said about a token after it was issued.
#[derive(Default)]
struct Remark {
    is_revoked: bool,
    /// Claims as they are now; `None` for one that is gone.
    changes: BTreeMap<String, Option<Value>>,
    /// The end of the token, where it has one.
    until: Option<Timestamp>,
}

impl Registry {
    /// A new opaque token: `prefix` and 256 random bits.
    pub(crate) fn issue(
        &mut self,
        prefix: &str,
        claims: Map<String, Value>,
        now: Timestamp,
    ) -> Result<String, MintError> {
        if self.opaque.len() >= MAX_ENTRIES {
            self.opaque.retain(|_, claims| time_claim(claims, "exp").is_none_or(|exp| now < exp));
        }
        if self.opaque.len() >= MAX_ENTRIES {
            return Err(FULL);
        }
        let secret: [u8; 32] = random().ok_or(MintError("the system has no randomness"))?;
        let token = format!("{prefix}{}", b64(&secret));
        self.opaque.insert(by_text(&token), claims);
        Ok(token)
    }

    /// The claims of an opaque token as it was issued, whatever became of it.
    pub(crate) fn opaque(&self, token: &str) -> Option<&Map<String, Value>> {
        self.opaque.get(&by_text(token))
    }

    /// Ends a token whose claims these are. All tokens of the same `jti` end with a signed one, as it is known by that
    /// name to whoever cannot see its text (RFC 7519 section 4.1.7).
    pub(crate) fn revoke(&mut self, token: &str, claims: &Map<String, Value>, now: Timestamp) -> Result<(), MintError> {
        let name = match jti(claims) {
            Some(jti) if self.opaque(token).is_none() => by_jti(jti),
            _ => by_text(token),
        };
        self.remark(name, time_claim(claims, "exp"), now)?.is_revoked = true;
        Ok(())
    }

    /// Ends every token of this `jti`; what is said is remembered until `until`, or for ever.
    pub(crate) fn revoke_jti(&mut self, jti: &str, until: Option<Timestamp>, now: Timestamp) -> Result<(), MintError> {
        self.remark(by_jti(jti), until, now)?.is_revoked = true;
        Ok(())
    }

    /// Another value of a claim from now on; `null` takes the claim away.
    pub(crate) fn set_claim(
        &mut self,
        token: &str,
        claims: &Map<String, Value>,
        change: (&str, Value),
        now: Timestamp,
    ) -> Result<(), MintError> {
        let remark = self.remark(by_text(token), time_claim(claims, "exp"), now)?;
        let (name, value) = change;
        remark.changes.insert(name.to_owned(), Some(value).filter(|value| !value.is_null()));
        Ok(())
    }

    /// The members of RFC 7662 section 2.2 about a token that was issued with these claims, or about none.
    pub(crate) fn introspect(
        &self,
        token: &str,
        claims: Option<Map<String, Value>>,
        now: Timestamp,
    ) -> Map<String, Value> {
        let active = claims.and_then(|claims| self.current(token, claims)).filter(|claims| is_live(claims, now));
        let Some(mut members) = active else { return inactive() };
        if !members.contains_key("token_type") {
            let is_bound = members.get("cnf").is_some_and(|cnf| cnf.get("jkt").is_some());
            members.insert("token_type".into(), if is_bound { "DPoP" } else { "Bearer" }.into());
        }
        members.insert("active".into(), true.into());
        members
    }

    /// The claims with all that was said since; `None` once the token is revoked.
    fn current(&self, token: &str, mut claims: Map<String, Value>) -> Option<Map<String, Value>> {
        let by_jti = jti(&claims).and_then(|jti| self.remarks.get(&by_jti(jti)));
        let by_text = self.remarks.get(&by_text(token));
        if by_jti.into_iter().chain(by_text).any(|remark| remark.is_revoked) {
            return None;
        }
        if let Some(remark) = by_text {
            apply(&remark.changes, &mut claims);
        }
        Some(claims)
    }

    fn remark(&mut self, name: Digest, until: Option<Timestamp>, now: Timestamp) -> Result<&mut Remark, MintError> {
        if self.remarks.len() >= MAX_ENTRIES {
            self.remarks.retain(|_, remark| remark.until.is_none_or(|until| now < until));
        }
        if self.remarks.len() >= MAX_ENTRIES && !self.remarks.contains_key(&name) {
            return Err(FULL);
        }
        Ok(self.remarks.entry(name).or_insert_with(|| Remark { until, ..Remark::default() }))
    }
}

/// All that may be said of a token that is not active (RFC 7662 section 2.2).
pub(crate) fn inactive() -> Map<String, Value> {
    Map::from_iter([("active".to_owned(), json!(false))])
}

fn jti(claims: &Map<String, Value>) -> Option<&str> {
    claims.get("jti").and_then(Value::as_str)
}

fn by_text(token: &str) -> Digest {
    sha256(&[b"token\0", token.as_bytes()])
}

fn by_jti(jti: &str) -> Digest {
    sha256(&[b"jti\0", jti.as_bytes()])
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("opaque", &self.opaque.len()).field("remarks", &self.remarks.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn claims(value: Value) -> Map<String, Value> {
        let Value::Object(claims) = value else { unreachable!() };
        claims
    }

    fn issued(registry: &mut Registry, value: Value) -> String {
        registry.issue("opq_", claims(value), NOW).unwrap()
    }

    fn about(registry: &Registry, token: &str, now: Timestamp) -> Value {
        Value::Object(registry.introspect(token, registry.opaque(token).cloned(), now))
    }

    fn revoke(registry: &mut Registry, token: &str) {
        let claims = registry.opaque(token).unwrap().clone();
        registry.revoke(token, &claims, NOW).unwrap();
    }

    #[test]
    fn an_active_token_is_told_with_its_claims_and_an_unknown_one_is_inactive_and_no_more() {
        let mut registry = Registry::default();
        let token = issued(&mut registry, json!({ "sub": "alice", "exp": 1_001 }));
        assert!(token.starts_with("opq_") && token.len() == 4 + 43);
        let active = json!({ "active": true, "sub": "alice", "exp": 1_001, "token_type": "Bearer" });
        assert_eq!(about(&registry, &token, NOW), active);
        for unknown in ["", "opq_", &token[..46], &format!("{token}A")] {
            assert_eq!(about(&registry, unknown, NOW), json!({ "active": false }), "{unknown}");
        }
        assert_ne!(token, issued(&mut registry, json!({})));
    }

    #[test]
    fn a_token_ends_at_its_time_and_not_before_it_begins() {
        let mut registry = Registry::default();
        let token = issued(&mut registry, json!({ "nbf": 1_000.5, "exp": 1_002 }));
        let is_active = |secs| about(&registry, &token, Timestamp::from_millis(secs)) != json!({ "active": false });
        assert_eq!([1_000_499, 1_000_500, 1_001_999, 1_002_000].map(is_active), [false, true, true, false]);
    }

    #[test]
    fn a_revoked_token_is_inactive_and_no_other_one() {
        let mut registry = Registry::default();
        let (one, other) = (issued(&mut registry, json!({ "jti": "j" })), issued(&mut registry, json!({ "jti": "j" })));
        revoke(&mut registry, &one);
        assert_eq!(about(&registry, &one, NOW), json!({ "active": false }));
        assert_eq!(about(&registry, &other, NOW)["active"], true);
        registry.revoke_jti("j", None, NOW).unwrap();
        assert_eq!(about(&registry, &other, NOW), json!({ "active": false }));
    }

    #[test]
    fn a_signed_token_is_revoked_by_its_jti_or_by_its_text_where_it_has_none() {
        let mut registry = Registry::default();
        let (with, without) = (claims(json!({ "jti": "j" })), claims(json!({ "sub": "s" })));
        registry.revoke("a.b.c", &with, NOW).unwrap();
        registry.revoke("d.e.f", &without, NOW).unwrap();
        let is_active = |token, claims: &Map<String, Value>| {
            registry.introspect(token, Some(claims.clone()), NOW)["active"] == json!(true)
        };
        assert!(!is_active("a.b.c", &with) && !is_active("another.text.same", &with));
        assert!(!is_active("d.e.f", &without) && is_active("g.h.i", &without));
    }

    #[test]
    fn a_claim_changes_in_mid_session() {
        let mut registry = Registry::default();
        let token = issued(&mut registry, json!({ "scope": "a b", "acr": "phr" }));
        let said = registry.opaque(&token).unwrap().clone();
        registry.set_claim(&token, &said, ("scope", "a".into()), NOW).unwrap();
        registry.set_claim(&token, &said, ("acr", Value::Null), NOW).unwrap();
        assert_eq!(about(&registry, &token, NOW), json!({ "active": true, "scope": "a", "token_type": "Bearer" }));
        registry.set_claim(&token, &said, ("exp", 1_000.into()), NOW).unwrap();
        assert_eq!(about(&registry, &token, NOW), json!({ "active": false }));
    }

    #[test]
    fn the_type_follows_the_binding_unless_it_was_given() {
        let mut registry = Registry::default();
        let mut token_type = |value: Value| {
            let token = issued(&mut registry, value);
            about(&registry, &token, NOW)["token_type"].clone()
        };
        assert_eq!(token_type(json!({ "cnf": { "jkt": "k" } })), "DPoP");
        assert_eq!(token_type(json!({ "cnf": { "x5t#S256": "x" } })), "Bearer");
        assert_eq!(token_type(json!({ "token_type": "mac" })), "mac");
    }

    #[test]
    fn a_token_does_not_say_of_itself_whether_it_is_active() {
        let mut registry = Registry::default();
        let token = issued(&mut registry, json!({ "active": "no" }));
        assert_eq!(about(&registry, &token, NOW)["active"], true);
    }

    #[test]
    fn a_full_registry_forgets_what_is_over_and_refuses_the_rest() {
        let mut registry = Registry::default();
        for n in 0..MAX_ENTRIES {
            issued(&mut registry, json!({ "exp": 1_001 }));
            registry.revoke_jti(&n.to_string(), Some(Timestamp::from_secs(1_001)), NOW).unwrap();
        }
        assert_eq!(registry.issue("", Map::new(), NOW), Err(FULL));
        assert_eq!(registry.revoke_jti("new", None, NOW), Err(FULL));
        assert_eq!(registry.revoke_jti("0", None, NOW), Ok(()), "what is known may be said again");
        let later = Timestamp::from_secs(1_001);
        assert!(registry.issue("", Map::new(), later).is_ok());
        assert!(registry.revoke_jti("new", None, later).is_ok());
    }

    #[test]
    fn neither_token_nor_claims_are_printed() {
        let mut registry = Registry::default();
        issued(&mut registry, json!({ "sub": "SENTINEL" }));
        assert_eq!(format!("{registry:?}"), "Registry { opaque: 1, remarks: 0 }");
    }
}
