//! Security event tokens with one thing wrong, and what follows from those that are right.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::jwt::error::JwtError;
use crate::jwt::signed::SignedError;
use crate::revocation::events::tests::{ISSUER, NOW, Signer, expected, us, with};
use crate::store::Denied;

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

fn event(name: &str, members: &Value) -> Value {
    json!({format!("{CAEP}{name}"): members})
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "https://api.example.com/events", "iat": NOW.as_secs() - 5, "jti": "24c63fb5", "txn": 8675309,
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "ada"},
        "events": event("session-revoked", &json!({"event_timestamp": NOW.as_secs() - 30, "initiating_entity": "policy"}))
    })
}

fn judge_by(claims: &Value, critical: &[Box<str>]) -> Result<Received, SetError> {
    let audiences = us();
    judge_set(&Signer::new().signed("secevent+jwt", claims), &expected(&audiences, critical))
}

fn judge(claims: &Value) -> Result<Received, SetError> {
    judge_by(claims, &[])
}

fn effects(claims: &Value) -> Vec<Effect> {
    judge(claims).unwrap().effects
}

fn deny(denied: Denied, ago: u64) -> Effect {
    Effect::Deny(Deny { denied, issued_until: Some(NOW.minus(Duration::from_secs(ago))) })
}

fn ada() -> Denied {
    Denied::Subject("ada".into())
}

/// EVT-09: each of the three denies what was issued up to the event.
#[test]
fn a_caep_event_denies_what_was_issued_up_to_it() {
    for name in ["session-revoked", "credential-change", "token-claims-change"] {
        let of = |members: Value| effects(&with(claims(), "events", event(name, &members)));
        assert_eq!(of(json!({"event_timestamp": NOW.as_secs() - 30})), [deny(ada(), 30)], "{name}");
        assert_eq!(of(json!({})), [deny(ada(), 5)], "{name}: else up to when it was told");
        assert_eq!(of(json!({"event_timestamp": NOW.as_secs() + 999})), [deny(ada(), 5)], "{name}: no later than that");
        let told = with(with(claims(), "events", event(name, &json!({}))), "toe", json!(NOW.as_secs() - 20));
        assert_eq!(effects(&told), [deny(ada(), 20)], "{name}: or when it took place");
        for wrong in [json!({"event_timestamp": "now"}), json!({"event_timestamp": NOW.as_millis()})] {
            let refused = judge(&with(claims(), "events", event(name, &wrong)));
            assert!(matches!(refused, Err(SetError::Request(_))), "{name}: {wrong}");
        }
    }
}

/// EVT-09: by user, session or token.
#[test]
fn the_subject_says_what_is_denied() {
    let of = |subject: Value| effects(&with(claims(), "sub_id", subject));
    let session = || Denied::Session("s-1".into());
    let user = json!({"format": "iss_sub", "iss": ISSUER, "sub": "ada"});
    let opaque = json!({"format": "opaque", "id": "s-1"});
    assert_eq!(of(json!({"format": "jwt_id", "iss": ISSUER, "jti": "t-1"})), [deny(Denied::Token("t-1".into()), 30)]);
    assert_eq!(
        of(opaque.clone()),
        [deny(session(), 30), deny(Denied::Subject("s-1".into()), 30)],
        "a session or a user, nobody says which"
    );
    let change = with(with(claims(), "sub_id", opaque.clone()), "events", event("credential-change", &json!({})));
    assert_eq!(effects(&change), [deny(Denied::Subject("s-1".into()), 5)], "a session has no credentials");
    assert_eq!(of(json!({"format": "complex", "user": user, "session": opaque})), [deny(session(), 30)]);
    assert_eq!(of(json!({"format": "complex", "session": opaque})), [deny(session(), 30)]);
    assert_eq!(of(json!({"format": "complex", "user": user})), [deny(ada(), 30)]);
    assert_eq!(
        of(json!({"format": "complex", "user": user, "device": {"format": "opaque", "id": "d"}})),
        [deny(ada(), 30)],
        "rather too much than too little"
    );
}

/// EVT-08: what is not understood, and whoever is not known here, changes nothing.
#[test]
fn events_about_others_and_unknown_events_are_ignored() {
    let other = "https://elsewhere.example.com";
    let opaque = json!({"format": "opaque", "id": "s-1"});
    for subject in [
        json!({"format": "iss_sub", "iss": other, "sub": "ada"}),
        json!({"format": "jwt_id", "iss": other, "jti": "t"}),
        json!({"format": "iss_sub", "iss": ISSUER}),
        json!({"format": "iss_sub", "iss": ISSUER, "sub": ""}),
        json!({"format": "iss_sub", "iss": ISSUER, "sub": 7}),
        json!({"format": "email", "email": "ada@example.com"}),
        json!({"format": "opaque"}),
        json!({"format": 7}),
        json!({}),
        json!([ISSUER, "ada"]),
        json!("ada"),
        Value::Null,
        json!({"format": "complex"}),
        json!({"format": "complex", "tenant": opaque}),
        json!({"format": "complex", "user": {"format": "iss_sub", "iss": other, "sub": "ada"}, "session": opaque}),
        json!({"format": "complex", "user": [ISSUER, "ada"]}),
    ] {
        assert_eq!(effects(&with(claims(), "sub_id", subject.clone())), [Effect::Ignored], "{subject}");
    }
    let unknown = json!({"https://schemas.openid.net/secevent/risc/event-type/account-enabled": {"subject": 1}});
    assert_eq!(effects(&with(claims(), "events", unknown)), [Effect::Ignored]);
    let mut both = claims();
    both["events"]["https://example.com/other"] = json!({"event_timestamp": "whenever"});
    assert_eq!(effects(&both), [deny(ada(), 30), Effect::Ignored]);
    assert!(judge(&with(claims(), "unknown_claim", json!({"a": [1]}))).is_ok());
}

/// EVT-08: a critical member that is not understood makes the event another one.
#[test]
fn a_critical_member_that_is_not_understood_discards_the_event() {
    let user = json!({"format": "iss_sub", "iss": ISSUER, "sub": "ada"});
    let opaque = json!({"format": "opaque", "id": "s-1"});
    let effects = |subject: Value, critical: &[&str]| {
        let critical: Vec<Box<str>> = critical.iter().map(|name| (*name).into()).collect();
        judge_by(&with(claims(), "sub_id", subject), &critical).unwrap().effects
    };
    let on_device = json!({"format": "complex", "user": user, "device": opaque});
    assert_eq!(effects(on_device.clone(), &["device"]), [Effect::Ignored]);
    assert_eq!(effects(on_device.clone(), &["user", "session"]), [deny(ada(), 30)]);
    assert_eq!(effects(on_device, &["tenant"]), [deny(ada(), 30)], "one that is not there");
    let by_mail = json!({"format": "complex", "user": {"format": "email", "email": "a@b.c"}, "session": opaque});
    assert_eq!(effects(by_mail.clone(), &["user"]), [Effect::Ignored]);
    assert_eq!(effects(by_mail, &["session"]), [deny(Denied::Session("s-1".into()), 30)]);
}

/// EVT-08: the stream is verified by its state.
#[test]
fn a_verification_tells_its_state_and_denies_nothing() {
    let of = |members: Value| effects(&with(claims(), "events", json!({VERIFICATION: members})));
    let state = Effect::Verification { state: Some("VGhpcyBpcyBh".into()) };
    assert_eq!(of(json!({"state": "VGhpcyBpcyBh"})), [state]);
    assert_eq!(of(json!({})), [Effect::Verification { state: None }]);
}

/// EVT-05: each fault has the code that RFC 8935 registers for it.
#[test]
fn what_is_wrong_with_a_set_is_told_by_its_code() {
    let code = |name: &str, value: Value| judge(&with(claims(), name, value)).unwrap_err().code();
    assert_eq!(code("iss", json!("https://other.example.com")), "invalid_issuer");
    assert_eq!(code("iss", Value::Null), "invalid_issuer");
    assert_eq!(code("aud", json!("https://other.example.com")), "invalid_audience");
    assert_eq!(code("aud", Value::Null), "invalid_audience");
    for (name, value) in [
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("j".repeat(257))),
        ("iat", Value::Null),
        ("iat", json!("1")),
        ("iat", json!(NOW.as_secs() + 61)),
        ("events", Value::Null),
        ("events", json!({})),
        ("events", json!([])),
        ("events", json!([{}])),
        ("events", json!({"https://example.com/e": 7})),
        ("events", json!({"https://example.com/e": null})),
        ("toe", json!("x")),
    ] {
        assert_eq!(code(name, value.clone()), "invalid_request", "{name}: {value}");
    }
    for (error, code) in [
        (JwtError::Signature, "authentication_failed"),
        (JwtError::KeyUnknown, "invalid_key"),
        (JwtError::Algorithm, "invalid_key"),
        (JwtError::IssuerUnknown, "invalid_issuer"),
        (JwtError::ClaimMissing("iss"), "invalid_issuer"),
        (JwtError::Malformed("x"), "invalid_request"),
        (JwtError::Encrypted, "invalid_request"),
        (JwtError::CriticalHeader, "invalid_request"),
    ] {
        assert_eq!(SetError::of(&SignedError::Refused(error)).unwrap().code(), code, "{error:?}");
    }
    let away = SignedError::KeysUnavailable { reason: "away".into(), retry_after: Duration::from_secs(1) };
    assert_eq!(SetError::of(&away), None, "nobody knows: that is no fault of the SET");
    let body: Value = serde_json::from_str(&SetError::Audience.body()).unwrap();
    assert_eq!(body["err"], "invalid_audience");
    assert!(body["description"].as_str().is_some_and(|text| text.is_ascii()) && body.as_object().unwrap().len() == 2);
}

/// EVT-05: the media type of a push.
#[test]
fn a_push_says_that_it_is_a_set() {
    for right in ["application/secevent+jwt", "Application/SecEvent+JWT", "application/secevent+jwt; charset=utf-8"] {
        assert!(is_set(Some(right)), "{right}");
    }
    for wrong in [None, Some(""), Some("application/jwt"), Some("application/json"), Some("application/secevent+jwtx")]
    {
        assert!(!is_set(wrong), "{wrong:?}");
    }
}

/// EVT-06: it is judged the same each time, and known by its name.
#[test]
fn a_set_that_comes_again_has_the_same_effect_and_the_same_name() {
    let (first, second) = (judge(&claims()).unwrap(), judge(&claims()).unwrap());
    assert_eq!(first, second);
    let other = judge(&with(claims(), "jti", json!("other"))).unwrap();
    assert_ne!(first.entry.key(), other.entry.key());
}

/// EVT-07: the profile of the Shared Signals Framework.
#[test]
fn a_set_has_its_type_and_neither_exp_nor_sub() {
    let (signer, audiences) = (Signer::new(), us());
    let typed = |typ: &str| judge_set(&signer.signed(typ, &claims()), &expected(&audiences, &[])).map(|_| ());
    for typ in ["secevent+jwt", "application/secevent+jwt", "SecEvent+JWT"] {
        assert_eq!(typed(typ), Ok(()), "{typ}");
    }
    for typ in ["JWT", "at+jwt", "logout+jwt", ""] {
        assert!(matches!(typed(typ), Err(SetError::Request(_))), "{typ}");
    }
    assert!(judge_set(&signer.signed_untyped(&claims()), &expected(&audiences, &[])).is_err());
    for (name, value) in [("exp", json!(NOW.as_secs() + 60)), ("sub", json!("ada")), ("sub", json!(7))] {
        assert!(matches!(judge(&with(claims(), name, value)), Err(SetError::Request(_))), "{name}");
    }
    let mut null = claims();
    null["sub"] = Value::Null;
    assert!(judge(&null).is_err());
}

proptest! {
    #[test]
    fn no_subject_makes_the_judge_panic(json in r#"\{("format":|"complex"|"opaque"|"id":|"user":|"session":|"x"|\{|\}|,|\[|\]){0,12}\}"#) {
        if let Ok(subject) = serde_json::from_str::<Value>(&json) {
            let _ = judge(&with(claims(), "sub_id", subject));
        }
    }
}
