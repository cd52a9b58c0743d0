//! What all events have in common.

use serde_json::{Value, json};

use super::*;
pub(super) use crate::revocation::tests::{ISSUER, NOW, Signer};

pub(super) fn expected<'e>(audiences: &'e [Box<str>], critical_members: &'e [Box<str>]) -> Expected<'e> {
    Expected { issuer: ISSUER, audiences, critical_members, leeway: Duration::from_secs(60), now: NOW }
}

pub(super) fn us() -> [Box<str>; 2] {
    ["https://api.example.com/events".into(), "client-1".into()]
}

/// `claims` with one of them changed, or taken away by `null`.
pub(super) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    match value {
        Value::Null => members.remove(name),
        value => members.insert(name.to_owned(), value),
    };
    claims
}

#[test]
fn the_claimed_issuer_is_read_without_being_believed() {
    let signer = Signer::new();
    let issuer = |claims: &Value| claimed_issuer(&signer.sign("logout+jwt", claims));
    assert_eq!(issuer(&json!({"iss": ISSUER})).as_deref(), Ok(ISSUER));
    assert_eq!(issuer(&json!({})), Err(JwtError::ClaimMissing("iss")));
    assert!(issuer(&json!({"iss": 7})).is_err() && issuer(&json!([ISSUER])).is_err());
    for text in ["", "a.b.c", "x", &"a".repeat(20_000)] {
        assert!(claimed_issuer(text).is_err(), "{text}");
    }
}

#[test]
fn a_rule_says_what_the_event_said() {
    let until = NOW.plus(Duration::from_secs(3660));
    let deny = Deny { denied: Denied::Subject("ada".into()), issued_until: Some(NOW) };
    assert_eq!(deny.rule(ISSUER, until), DenyRule::new(ISSUER, deny.denied.clone(), until).issued_until(NOW));
    let deny = Deny { denied: Denied::Session("s".into()), issued_until: None };
    assert_eq!(deny.rule(ISSUER, until), DenyRule::new(ISSUER, deny.denied.clone(), until));
}

#[test]
fn a_name_is_spent_at_its_issuer_and_for_its_kind_only() {
    let (audiences, later) = (us(), NOW.plus(Duration::from_secs(120)));
    let expected = expected(&audiences, &[]);
    let other = Expected { issuer: "https://login.example.co", ..expected };
    let keys = [
        expected.entry("set", "mjti", NOW, later),
        expected.entry("set", "jti", NOW, later),
        expected.entry("logout", "jti", NOW, later),
        other.entry("set", "mjti", NOW, later),
    ]
    .map(|entry| *entry.key());
    assert!((1..4).all(|n| !keys[..n].contains(&keys[n])));
    let forever = expected.entry("set", "jti", NOW, Timestamp::from_millis(i64::MAX));
    assert_eq!(forever.keep_until(), NOW.plus(MAX_MEMORY));
}
