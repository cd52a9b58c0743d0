//! Logout tokens with one thing wrong, everything else right.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::revocation::events::tests::{ISSUER, NOW, Signer, expected, us, with};
use crate::store::{MemoryReplayStore, Replay, ReplayStore as _};

const MEMBER: &str = "http://schemas.openid.net/event/backchannel-logout";

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "ada", "aud": "client-1", "iat": NOW.as_secs() - 5, "exp": NOW.as_secs() + 120,
        "jti": "bWJq", "sid": "08a5019c", "events": {MEMBER: {}}
    })
}

fn judge_typed(typ: Option<&str>, claims: &Value) -> Result<Logout, LogoutError> {
    let (signer, audiences) = (Signer::new(), us());
    let document = typ.map_or_else(|| signer.signed_untyped(claims), |typ| signer.signed(typ, claims));
    judge_logout(&document, &expected(&audiences, &[]))
}

fn judge(claims: &Value) -> Result<Logout, LogoutError> {
    judge_typed(Some("logout+jwt"), claims)
}

/// EVT-04: a session is denied by its name, else the user's tokens up to the logout.
#[test]
fn a_logout_denies_the_session_or_else_the_user_up_to_now() {
    let session = Deny { denied: Denied::Session("08a5019c".into()), issued_until: None };
    let issued = NOW.minus(Duration::from_secs(5));
    let user = Deny { denied: Denied::Subject("ada".into()), issued_until: Some(issued) };
    assert_eq!(judge(&claims()).unwrap().deny, session);
    assert_eq!(judge(&with(claims(), "sub", Value::Null)).unwrap().deny, session);
    assert_eq!(judge(&with(claims(), "sid", Value::Null)).unwrap().deny, user);
    let many = with(claims(), "aud", json!(["other", "client-1"]));
    assert!(judge(&many).is_ok());
    let further = with(claims(), "events", json!({MEMBER: {"x": 1}, "https://example.com/other": {}}));
    assert!(judge(&further).is_ok());
}

/// EVT-01: issuer, audience and times as for an ID token.
#[test]
fn a_logout_token_is_judged_as_an_id_token_is() {
    let now = NOW.as_secs();
    let told = |name: &str, value: Value| match judge(&with(claims(), name, value)) {
        Err(LogoutError::Token(error)) => error,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(told("iss", json!("https://login.example.com/")), JwtError::IssuerUnknown);
    assert_eq!(told("iss", Value::Null), JwtError::IssuerUnknown);
    assert_eq!(told("aud", json!("client-2")), JwtError::Audience);
    assert_eq!(told("aud", json!([])), JwtError::Audience);
    assert_eq!(told("aud", Value::Null), JwtError::Audience);
    assert_eq!(told("iat", json!(now + 61)), JwtError::IssuedInFuture);
    assert_eq!(told("exp", json!(now - 60)), JwtError::Expired);
    assert!(judge(&with(claims(), "exp", json!(now - 59))).is_ok());
    assert_eq!(told("jti", json!("j".repeat(257))), JwtError::ClaimInvalid("jti"));
    assert_eq!(told("jti", json!("")), JwtError::ClaimInvalid("jti"));
    for (name, value) in [
        ("iat", Value::Null),
        ("iat", json!("now")),
        ("exp", Value::Null),
        ("exp", json!("never")),
        ("jti", Value::Null),
        ("jti", json!(7)),
        ("aud", json!({"a": 1})),
        ("sub", json!(7)),
        ("sid", json!(["a"])),
    ] {
        assert!(matches!(told(name, value.clone()), JwtError::Malformed(_)), "{name}: {value}");
    }
}

/// EVT-02: somebody, the event, and no nonce.
#[test]
fn a_logout_token_names_somebody_and_its_event_and_has_no_nonce() {
    let nobody = with(with(claims(), "sub", Value::Null), "sid", Value::Null);
    assert_eq!(judge(&nobody), Err(LogoutError::Nobody));
    assert_eq!(judge(&with(with(claims(), "sub", json!("")), "sid", json!(""))), Err(LogoutError::Nobody));
    for events in [
        Value::Null,
        json!({}),
        json!([]),
        json!([{}]),
        json!(MEMBER),
        json!({MEMBER: []}),
        json!({MEMBER: true}),
        json!({MEMBER: "x"}),
        json!({"http://schemas.openid.net/event/backchannel-logout/": {}}),
    ] {
        assert_eq!(judge(&with(claims(), "events", events.clone())), Err(LogoutError::NoLogout), "{events}");
    }
    let mut absent_value = claims();
    absent_value["events"][MEMBER] = Value::Null;
    assert_eq!(judge(&absent_value), Err(LogoutError::NoLogout));
    for nonce in [json!("n-0S6"), json!(""), json!(0)] {
        assert_eq!(judge(&with(claims(), "nonce", nonce)), Err(LogoutError::Nonce));
    }
    let mut null_nonce = claims();
    null_nonce["nonce"] = Value::Null;
    assert_eq!(judge(&null_nonce), Err(LogoutError::Nonce));
}

/// EVT-03: another kind of token is no logout token, whatever signed it.
#[test]
fn only_a_logout_token_is_one() {
    for typ in [Some("logout+jwt"), Some("application/logout+jwt"), Some("Logout+JWT"), Some("JWT"), None] {
        assert!(judge_typed(typ, &claims()).is_ok(), "{typ:?}");
    }
    for typ in ["at+jwt", "secevent+jwt", "dpop+jwt", "id_token", ""] {
        let refused = judge_typed(Some(typ), &claims());
        assert_eq!(refused, Err(LogoutError::Token(JwtError::Type { preset: None })), "{typ}");
    }
    let id_token = json!({
        "iss": ISSUER, "sub": "ada", "aud": "client-1", "iat": NOW.as_secs(), "exp": NOW.as_secs() + 60, "jti": "j",
        "sid": "s", "nonce": "n"
    });
    assert_eq!(judge_typed(Some("JWT"), &id_token), Err(LogoutError::NoLogout));
}

/// EVT-03: its second use is seen, by a store that keeps it until it has expired.
#[tokio::test]
async fn a_logout_token_that_comes_again_is_seen() {
    let store = MemoryReplayStore::new(NOW.minus(Duration::from_secs(3600)));
    let first = judge(&claims()).unwrap().entry;
    assert_eq!(first.keep_until(), NOW.plus(Duration::from_secs(180)), "exp and the leeway");
    assert_eq!(store.check_and_insert(first, NOW).wait().await, Replay::Fresh);
    assert_eq!(store.check_and_insert(judge(&claims()).unwrap().entry, NOW).wait().await, Replay::Seen);
    let other = judge(&with(claims(), "jti", json!("another"))).unwrap().entry;
    assert_eq!(store.check_and_insert(other, NOW).wait().await, Replay::Fresh);
}

/// EVT-01: a form with the one field.
#[test]
fn the_form_holds_one_token() {
    assert_eq!(logout_token(b"logout_token=a.b.c").as_deref(), Ok("a.b.c"));
    assert_eq!(logout_token(b"x=1&logout_token=a.b%2Ec&y=").as_deref(), Ok("a.b.c"));
    for form in [
        &b""[..],
        b"logout_token=",
        b"logout_token",
        b"token=a",
        b"logout_token=a&logout_token=a",
        b"{\"logout_token\":1}",
    ] {
        assert_eq!(logout_token(form), Err(LogoutError::Form), "{}", String::from_utf8_lossy(form));
    }
}

#[test]
fn an_error_names_no_value() {
    let error = judge(&with(claims(), "aud", json!("somebody-else"))).unwrap_err();
    assert!(!error.to_string().contains("somebody-else"), "{error}");
    assert_eq!(LogoutError::CODE, "invalid_request");
}
