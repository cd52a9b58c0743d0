//! Signed answers (RFC 9701): who signed, for whom, when, and what is read of them.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::crypto::sign::SigningKey;
use crate::crypto::{Algorithm, Curve, Key, b64};
use crate::jwt::compact::Compact;
use crate::jwt::signed::{IssuerKeys, Signed, SignedError, Verifying};

const RESOURCE: &str = "https://api.example";

/// The issuer's one key.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    private: Arc<SigningKey>,
    public: Arc<Key>,
    away: bool,
}

impl Keys {
    pub(super) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let public = Key::ec(Curve::P256, x, y).unwrap();
        let private = SigningKey::from_pkcs8(pair.to_pkcs8v1().unwrap().as_ref()).unwrap();
        Self { private: Arc::new(private), public: Arc::new(public), away: false }
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": typ});
        let signed = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
        let signature = self.private.sign(Algorithm::Es256, signed.as_bytes()).unwrap();
        format!("{signed}.{}", b64(&signature))
    }
}

impl IssuerKeys for Keys {
    fn issuer(&self) -> &str {
        ISSUER
    }

    fn verified(&self, document: Box<str>) -> Verifying {
        let keys = self.clone();
        Box::pin(async move {
            if keys.away {
                let retry_after = Duration::from_secs(3);
                return Err(SignedError::KeysUnavailable { reason: "away".into(), retry_after });
            }
            let compact = Compact::parse_document(&document).map_err(SignedError::Refused)?;
            Signed::verify(compact, std::iter::once(&*keys.public)).map_err(SignedError::Refused)
        })
    }
}

const TYP: &str = "token-introspection+jwt";
const MEDIA_TYPE: &str = "application/token-introspection+jwt";

fn envelope() -> Value {
    let statement = json!({"active": true, "sub": CLAIM, "exp": T.as_secs() + 600});
    json!({"iss": ISSUER, "aud": RESOURCE, "iat": T.as_secs(), "token_introspection": statement})
}

fn with(name: &str, value: Value) -> Value {
    let mut envelope = envelope();
    envelope[name] = value;
    envelope
}

fn without(name: &str) -> Value {
    let mut envelope = envelope();
    envelope.as_object_mut().unwrap().remove(name);
    envelope
}

async fn ends_with(keys: &Keys, media_type: &'static str, body: String) -> (Ends, Server) {
    let server = Server::new(Says::Body(media_type, body));
    let audiences = vec!["me".to_owned(), RESOURCE.to_owned()];
    let asker = server.asker_with(|it| it.signatures = Some(Signatures { keys: Arc::new(keys.clone()), audiences }));
    (asker.ask(TOKEN).await, server)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_issuer_signed_for_this_server_is_believed() {
    let keys = Keys::new();
    for envelope in [
        envelope(),
        with("aud", json!("me")),
        with("aud", json!(["https://other.example", RESOURCE])),
        with("iat", json!(T.as_secs() - 120)),
        with("iat", json!(T.as_secs() + 60)),
        with("exp", json!(T.as_secs() + 1)),
    ] {
        for typ in [TYP, "application/Token-Introspection+JWT"] {
            let (ends, server) = ends_with(&keys, MEDIA_TYPE, keys.sign(typ, &envelope)).await;
            assert_eq!(ends, Ends::Active, "{envelope}");
            assert!(server.read(|script| script.asked[0].headers["accept"] == MEDIA_TYPE));
        }
    }
}

/// Wrong key, type, issuer, audience or time: nobody is judged by it.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_anybody_elses_or_old_is_not_believed() {
    let keys = Keys::new();
    let signed = |claims: Value| keys.sign(TYP, &claims);
    for body in [
        Keys::new().sign(TYP, &envelope()),
        keys.sign("JWT", &envelope()),
        keys.sign("at+jwt", &envelope()),
        signed(with("iss", json!("https://issuer.example/"))),
        signed(without("iss")),
        signed(with("aud", json!("https://other.example"))),
        signed(with("aud", json!([]))),
        signed(without("aud")),
        signed(without("iat")),
        signed(with("iat", json!("now"))),
        signed(with("iat", json!(T.as_secs() - 121))),
        signed(with("iat", json!(T.as_secs() + 61))),
        signed(with("exp", json!(T.as_secs()))),
        signed(without("token_introspection")),
        signed(with("token_introspection", json!(null))),
        signed(with("token_introspection", json!([{"active": true}]))),
        signed(with("token_introspection", json!("{\"active\":true}"))),
        signed(with("token_introspection", json!({"active": true, "exp": "soon"}))),
        format!("{}x", signed(envelope())),
        "a.b.c.d.e".to_owned(),
        String::new(),
        envelope().to_string(),
    ] {
        assert_eq!(ends_with(&keys, MEDIA_TYPE, body.clone()).await.0, Ends::NotJudged("answer_invalid"), "{body}");
    }
}

/// A plain answer, where a signed one is demanded, judges nobody.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_signature_is_not_believed() {
    let keys = Keys::new();
    let plain = r#"{"active":true}"#.to_owned();
    for (media_type, body) in [
        ("application/json", plain),
        ("application/json", keys.sign(TYP, &envelope())),
        ("application/jwt", keys.sign(TYP, &envelope())),
        ("", keys.sign(TYP, &envelope())),
    ] {
        assert_eq!(ends_with(&keys, media_type, body).await.0, Ends::NotJudged("answer_unsigned"), "{media_type}");
    }
}

/// Only the object that is meant for the token says something about it.
#[tokio::test(start_paused = true)]
async fn what_stands_beside_the_statement_says_nothing() {
    let keys = Keys::new();
    let mut inactive = with("token_introspection", json!({"active": false}));
    inactive["active"] = json!(true);
    assert_eq!(ends_with(&keys, MEDIA_TYPE, keys.sign(TYP, &inactive)).await.0, Ends::Inactive);
    let mut alone = without("token_introspection");
    alone["active"] = json!(true);
    assert_eq!(ends_with(&keys, MEDIA_TYPE, keys.sign(TYP, &alone)).await.0, Ends::NotJudged("answer_invalid"));
}

#[tokio::test(start_paused = true)]
async fn keys_out_of_reach_judge_nobody_and_say_when_to_try_again() {
    let keys = Keys { away: true, ..Keys::new() };
    let server = Server::new(Says::Body(MEDIA_TYPE, keys.sign(TYP, &envelope())));
    let signatures = Signatures { keys: Arc::new(keys), audiences: vec![RESOURCE.to_owned()] };
    let asker = server.asker_with(|it| it.signatures = Some(signatures));
    let failure = asker.failure(TOKEN).await;
    assert_eq!((failure.code, failure.retry_after), ("keys_unavailable", Duration::from_secs(3)));
    for n in 0..10 {
        assert_eq!(asker.ask(&format!("t{n}")).await, Ends::NotJudged("keys_unavailable"), "the issuer does answer");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_statement_is_kept() {
    let keys = Keys::new();
    let server = Server::new(Says::Body(MEDIA_TYPE, keys.sign(TYP, &envelope())));
    let signatures = Signatures { keys: Arc::new(keys), audiences: vec![RESOURCE.to_owned()] };
    let asker = server.asker_with(|it| it.signatures = Some(signatures));
    let reply = asker.introspector.ask(TOKEN, Need::Cached, T).wait().await.unwrap();
    let State::Active(claims) = reply.state else { panic!("inactive") };
    assert_eq!(serde_json::from_str::<Value>(&claims).unwrap(), envelope()["token_introspection"]);
}
