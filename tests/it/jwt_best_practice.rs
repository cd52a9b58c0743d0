//! RFC 8725 and its successor: what a JWT must not be able to talk a resource server into.

use std::io::Write;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use http::{HeaderValue, Request};
use serde_json::{Value, json};
use tower_oauth::test::{RequestExt as _, SigningKey, TestIssuer, TokenBuilder};
use tower_oauth::{Algorithm, Issuer, OAuthConfig, OAuthConfigBuilder, Profile};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Fixture, ISSUER, RESOURCE, send};
use crate::tools::{Asked, b64, parts, unb64, with_member};

/// BCP-01: only listed algorithms, by their exact names; there is no way to spell none.
#[tokio::test]
async fn algorithms_are_allowed_by_exact_name_only() {
    let trust = |issuer: &TestIssuer| issuer.issuer().algorithms([Algorithm::Es256, Algorithm::Ps256]);
    let fixture = Fixture::of(TestIssuer::new(ISSUER), trust);
    for name in ["none", "None", "NONE", "nOnE", "es256", "Es256", "ES256 ", "ES256K", "ES255", "", "RS256,ES256"] {
        let token = fixture.token().header("alg", name).sign();
        fixture.answer(&token).await.assert_invalid_token("algorithm_not_allowed");
        let [header, payload, _] = parts(&token);
        let unsigned = format!("{header}.{payload}.");
        fixture.answer(&unsigned).await.assert_invalid_token("algorithm_not_allowed");
        assert_eq!(Algorithm::from_name(name), None);
    }
    for unlisted in [Algorithm::Es384, Algorithm::Rs256, Algorithm::EdDsa] {
        let token = fixture.token().algorithm(unlisted).sign();
        fixture.answer(&token).await.assert_invalid_token("algorithm_not_allowed");
    }
    for listed in [Algorithm::Es256, Algorithm::Ps256] {
        fixture.answer(&fixture.token().algorithm(listed).sign()).await.assert_passed();
    }
}

/// BCP-01: the list is each issuer's own.
#[tokio::test]
async fn each_issuer_has_its_own_list() {
    let other = TestIssuer::with_algorithm("https://other.example", Algorithm::Es384);
    let fixture = Fixture::with(|config| config.trust(other.issuer().algorithms([Algorithm::Es384])));
    let other = other.clock(fixture.clock.clone());
    fixture.answer(&other.token_for(RESOURCE).sign()).await.assert_passed();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    let token = other.token_for(RESOURCE).algorithm(Algorithm::Es256).sign();
    fixture.answer(&token).await.assert_invalid_token("algorithm_not_allowed");
}

/// BCP-02: a public key is no HMAC secret, in whatever form it is taken for one.
#[tokio::test]
async fn a_public_key_is_no_hmac_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let fixture = Fixture::of(TestIssuer::with_algorithm(ISSUER, algorithm), TestIssuer::issuer);
        let jwk = fixture.issuer.signing_key().public_jwk();
        let member = |name: &str| jwk[name].as_str().map(unb64).unwrap_or_default();
        let (header, payload) = fixture.draft();
        let header = header.replace(algorithm.as_str(), "HS256");
        for secret in [jwk.to_string().into_bytes(), member("n"), [member("x"), member("y")].concat()] {
            let message = format!("{}.{}", b64(&header), b64(&payload));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
            let token = format!("{message}.{}", b64(tag));
            fixture.answer(&token).await.assert_invalid_token("algorithm_not_allowed");
        }
    }
}

/// BCP-02: the key's own alg, type and curve decide what it verifies, whatever the token says.
#[tokio::test]
async fn one_key_is_for_one_algorithm() {
    let signs_by = |algorithm: Algorithm| SigningKey::generate(algorithm).unwrap();
    let (rsa, p256) = (signs_by(Algorithm::Ps256), signs_by(Algorithm::Es256));
    for (key, published_alg, token_alg, kind) in [
        (&rsa, json!("RS256"), "PS256", Some("key_unknown")),
        (&rsa, json!("PS384"), "PS256", Some("key_unknown")),
        (&rsa, json!("ES256"), "PS256", Some("key_unknown")),
        (&rsa, json!("PS256"), "RS256", Some("key_unknown")),
        (&rsa, Value::Null, "RS256", Some("key_unknown")),
        (&rsa, json!("PS256"), "ES256", Some("key_unknown")),
        (&p256, json!("ES256"), "ES384", Some("key_unknown")),
        (&p256, json!("ES256"), "EdDSA", Some("key_unknown")),
        (&p256, json!("ES384"), "ES384", Some("key_unknown")),
        (&p256, json!("ES384"), "ES256", Some("key_unknown")),
        (&rsa, json!("PS256"), "PS256", None),
        (&p256, json!("ES256"), "ES256", None),
    ] {
        let fixture = Fixture::new();
        let mut jwk = key.public_jwk();
        jwk["alg"] = published_alg.clone();
        fixture.issuer.publish(jwk);
        let answer = fixture.answer(&fixture.token().signed_by(key).header("alg", token_alg).sign()).await;
        match kind {
            Some(kind) => answer.assert_invalid_token(kind),
            None => answer.assert_passed(),
        }
    }
}

/// BCP-02: a key that names no alg is for each of its type, still only by a signature of that algorithm.
#[tokio::test]
async fn a_key_without_alg_is_for_its_type() {
    let fixture = Fixture::new();
    let key = SigningKey::generate(Algorithm::Ps256).unwrap();
    let mut jwk = key.public_jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    fixture.issuer.publish(jwk);
    fixture.answer(&fixture.token().signed_by(&key).sign()).await.assert_passed();
    let relabelled = fixture.token().signed_by(&key).header("alg", "RS256").sign();
    fixture.answer(&relabelled).await.assert_invalid_token("signature_invalid");
}

/// BCP-03: an encrypted token is told from a signed one, and is no authentication.
/// BCP-07: nothing of it is decrypted, inflated or derived, whatever its header asks for.
/// ATJ-08: without a key to decrypt with, it is refused as encrypted.
#[tokio::test]
async fn an_encrypted_token_is_refused_before_any_work() {
    let fixture = Fixture::new();
    let [_, inner, _] = parts(&fixture.token().sign()).map(str::to_owned);
    for header in [
        json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "kid": fixture.issuer.kid() }),
        json!({ "alg": "RSA1_5", "enc": "A128CBC-HS256" }),
        json!({ "alg": "dir", "enc": "A256GCM", "zip": "DEF" }),
        json!({ "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1_000_000_000, "p2s": "c2FsdA" }),
        json!({ "alg": "ES256", "enc": "A256GCM", "typ": "at+jwt" }),
        json!({}),
    ] {
        for token in [
            format!("{}.{}.{}.{inner}.{}", b64(header.to_string()), b64([1; 32]), b64([2; 12]), b64([3; 16])),
            format!("{}....", b64(header.to_string())),
            format!("{}..{}.{inner}.", b64(header.to_string()), b64([2; 12])),
        ] {
            fixture.answer(&token).await.assert_invalid_token("token_encrypted");
        }
    }
    assert_eq!((fixture.issuer.metadata_fetches(), fixture.issuer.jwks_fetches()), (0, 0));
}

/// BCP-07: key management and compression have no spelling among the algorithms, nor has RSA1_5.
#[tokio::test]
async fn a_signed_token_cannot_ask_for_encryption_work() {
    let fixture = Fixture::new();
    for alg in ["PBES2-HS256+A128KW", "RSA1_5", "RSA-OAEP", "dir", "A256KW", "ECDH-ES"] {
        assert_eq!(Algorithm::from_name(alg), None);
        let token = fixture.token().header("alg", alg).header("p2c", 1_000_000_000).header("zip", "DEF").sign();
        fixture.answer(&token).await.assert_invalid_token("algorithm_not_allowed");
    }
    assert_eq!(fixture.issuer.jwks_fetches(), 0);
}

/// BCP-04: what a token says of its own keys is not looked at, and nobody is asked for it.
#[tokio::test]
async fn a_token_cannot_bring_its_own_key() {
    let asked = Asked::default();
    let trust = |issuer: &TestIssuer| Issuer::jwt(ISSUER).transport(asked.on_the_way_to(issuer));
    let fixture = Fixture::of(TestIssuer::new(ISSUER), trust);
    let attacker = SigningKey::generate(Algorithm::Es256).unwrap();
    for (name, value) in [
        ("jwk", attacker.public_jwk()),
        ("jku", json!("https://canary.example/jwks")),
        ("x5u", json!("https://canary.example/certificates")),
        ("x5c", json!([b64("certificate")])),
        ("x5t#S256", json!(b64([0; 32]))),
        ("iss", json!("https://canary.example")),
    ] {
        let forged = fixture.token().signed_by(&attacker).header(name, value.clone());
        fixture.answer(&forged.clone().sign()).await.assert_invalid_token("key_unknown");
        fixture.answer(&forged.clone().without_kid().sign()).await.assert_invalid_token("signature_invalid");
        let named_as_ours = forged.kid(&fixture.issuer.kid()).sign();
        fixture.answer(&named_as_ours).await.assert_invalid_token("signature_invalid");
        fixture.answer(&fixture.token().header(name, value).sign()).await.assert_passed();
    }
    let known = ["https://as.example/.well-known/oauth-authorization-server", "https://as.example/jwks"];
    assert!(asked.urls().iter().all(|url| known.contains(&url.as_str())), "{:?}", asked.urls());
}

/// BCP-05: a kid is compared and nothing else: whatever it holds, it is neither believed nor printed.
#[tokio::test]
async fn a_kid_is_data() {
    crate::support::keep_tracing_awake();
    let logs = Logs::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let _guard = tracing::subscriber::set_default(subscriber.with_writer(logs.clone()).finish());
    let fixture = Fixture::new();
    let attacker = SigningKey::generate(Algorithm::Es256).unwrap();
    let long = "k".repeat(256);
    let too_long = "k".repeat(257);
    let huge = "k".repeat(1 << 20);
    for (kid, kind) in [
        ("../../etc/passwd", "key_unknown"),
        ("file:///dev/null", "key_unknown"),
        ("https://canary.example/key", "key_unknown"),
        ("' OR 1=1 --", "key_unknown"),
        ("%{kid}\0", "key_unknown"),
        ("a\r\nSet-Cookie: session=1", "key_unknown"),
        ("\u{1b}[31mred", "key_unknown"),
        ("${jndi:ldap://canary.example}", "key_unknown"),
        ("", "key_unknown"),
        (&long, "key_unknown"),
        (&too_long, "token_malformed"),
        (&huge, "token_malformed"),
    ] {
        let answer = fixture.answer(&fixture.token().signed_by(&attacker).kid(kid).sign()).await;
        answer.assert_invalid_token(kind);
        assert!(answer.header("set-cookie").is_none() && answer.body.is_empty());
        let told = format!("{:?} {}", answer.response.headers(), answer.rejection());
        assert!(kid.is_empty() || !told.contains(kid), "{told}");
        let lines = logs.take();
        assert!(lines.contains(kind), "{lines}");
        for part in [kid, "Set-Cookie", "canary", "\u{1b}", "kkkk"] {
            assert!(part.is_empty() || !lines.contains(part), "{lines}");
        }
    }
    for odd in [json!(7), json!(null), json!(["a"]), json!({})] {
        let token = fixture.token().header("kid", odd).sign();
        fixture.answer(&token).await.assert_invalid_token("token_malformed");
    }
}

/// What was logged since it was last looked at.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logs {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// BCP-06: nothing but the compact serialization, in its own alphabet.
#[tokio::test]
async fn only_the_compact_serialization_is_read() {
    let fixture = Fixture::new();
    let token = fixture.token().sign();
    let [header, payload, signature] = parts(&token);
    let flattened = json!({ "protected": header, "payload": payload, "signature": signature }).to_string();
    let general =
        json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] }).to_string();
    for not_token68 in [
        &*flattened,
        &*general,
        &format!("{header}. {payload}.{signature}"),
        &format!("{header}.{payload}.\t{signature}"),
        &format!("{header}.{payload}=.{signature}"),
        &format!("{header},{payload},{signature}"),
        &format!("\"{token}\""),
    ] {
        fixture.authorized(format!("Bearer {not_token68}")).await.assert_refused(400, Some("invalid_request"));
    }
    for no_compact_jws in [
        b64(&flattened),
        b64(&general),
        b64(&token),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!(".{token}"),
        format!("{token}."),
        format!("{header}~.{payload}.{signature}"),
        format!("{header}.{payload}~.{signature}"),
        format!("{header}.+{payload}.{signature}"),
        format!("{header}.{payload}.{signature}/"),
    ] {
        fixture.answer(&no_compact_jws).await.assert_invalid_token("token_malformed");
    }
    for split in [format!("Bearer {header}.\n{payload}.{signature}"), format!("Bearer {token}\r\n")] {
        assert!(HeaderValue::try_from(split).is_err(), "a header line cannot carry it");
    }
    fixture.answer(&token).await.assert_passed();
}

/// BCP-08: no configuration admits a symmetric algorithm, however long the secret.
#[test]
fn symmetric_algorithms_cannot_be_configured() {
    for name in ["HS256", "HS384", "HS512", "hs256", "none"] {
        assert_eq!(Algorithm::from_name(name), None);
        let section = json!({ "resource": RESOURCE, "issuers": [{ "issuer": ISSUER, "algorithms": ["ES256", name] }] });
        let error = serde_json::from_value::<OAuthConfig>(section.clone()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("symmetric"), "{error}");
        assert!(OAuthConfigBuilder::from_section(section).unwrap().build().is_err());
    }
    assert!(Algorithm::ALL.iter().all(|algorithm| !algorithm.as_str().starts_with("HS")));
}

/// BCP-08: a symmetric key in a key set is never used, not even under the name of a public one.
#[tokio::test]
async fn a_symmetric_key_is_never_used() {
    let secret = [7; 32];
    let fixture = Fixture::new();
    for (kid, alg, length) in [
        ("short", json!("HS256"), 31),
        ("long", json!("HS256"), 32),
        ("es", json!("ES256"), 32),
        ("any", json!(null), 32),
    ] {
        let mut jwk = json!({ "kty": "oct", "kid": kid, "k": b64(&secret[..length]), "use": "sig" });
        if !alg.is_null() {
            jwk["alg"] = alg;
        }
        fixture.issuer.publish(jwk);
    }
    let (header, payload) = fixture.draft();
    let hmac = |header: &str| {
        let message = format!("{}.{}", b64(header), b64(&payload));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        format!("{message}.{}", b64(tag))
    };
    for kid in ["short", "long", "es", "any"] {
        let renamed = header.replace(&fixture.issuer.kid(), kid);
        let symmetric = hmac(&renamed.replace("ES256", "HS256"));
        fixture.answer(&symmetric).await.assert_invalid_token("algorithm_not_allowed");
        fixture.answer(&hmac(&renamed)).await.assert_invalid_token("key_unknown");
    }
    fixture.answer(&fixture.token().sign()).await.assert_passed();
}

/// BCP-08: a configured key set that holds nothing but symmetric keys is a mistake that is told at once.
#[test]
fn a_configured_set_of_symmetric_keys_is_refused() {
    for keys in [json!([{ "kty": "oct", "k": b64([7; 31]), "alg": "HS256" }]), json!([])] {
        let issuer = Issuer::jwt(ISSUER).jwks(json!({ "keys": keys }).to_string());
        let error = OAuthConfig::builder(RESOURCE).trust(issuer).build().unwrap_err().to_string();
        assert!(error.contains("no key that can be used"), "{error}");
    }
}

/// BCP-09: every other kind of token that an issuer signs is no access token, under whichever profile it is trusted.
#[tokio::test]
async fn no_other_kind_of_token_passes() {
    let logout = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let revoked = json!({ "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} });
    let proof_key = SigningKey::generate(Algorithm::Es256).unwrap().public_jwk();
    let id_token = |token: TokenBuilder| token.claim("nonce", "n-0S6").claim("at_hash", b64([1; 16]));
    let proof = |token: TokenBuilder| token.claim("htm", "GET").claim("htu", "https://rs.example/x");
    type Change<'a> = Box<dyn Fn(TokenBuilder) -> TokenBuilder + 'a>;
    let kinds: [(&str, Change<'_>); 14] = [
        ("ID token", Box::new(|token| id_token(token).typ("JWT"))),
        ("ID token without typ", Box::new(|token| id_token(token).without_typ())),
        ("ID token that is bare", Box::new(|token| token.typ("JWT"))),
        ("logout token", Box::new(|token| token.typ("logout+jwt").claim("events", &logout))),
        ("logout token of old", Box::new(|token| token.typ("JWT").claim("events", &logout))),
        ("security event", Box::new(|token| token.typ("secevent+jwt").claim("events", &revoked))),
        ("security event without typ", Box::new(|token| token.without_typ().claim("events", &revoked))),
        ("DPoP proof", Box::new(|token| proof(token).typ("dpop+jwt").header("jwk", proof_key.clone()))),
        ("client assertion", Box::new(|token| token.typ("client-authentication+jwt").subject("client-1"))),
        ("client assertion of old", Box::new(|token| token.typ("JWT").subject("client-1"))),
        ("request object", Box::new(|token| token.typ("oauth-authz-req+jwt").claim("response_type", "code"))),
        ("introspection", Box::new(|token| token.typ("token-introspection+jwt").claim("active", true))),
        ("status list", Box::new(|token| token.typ("statuslist+jwt").claim("ttl", 60))),
        ("something else", Box::new(|token| token.typ("at+jwt2"))),
    ];
    for profile in [
        Profile::rfc9068(),
        Profile::keycloak(),
        Profile::auth0(),
        Profile::entra(),
        Profile::okta(),
        Profile::cognito(),
        Profile::marked_by("kind", "access"),
    ] {
        let fixture = Fixture::of(TestIssuer::new(ISSUER), |issuer| issuer.issuer().profile(profile.clone()));
        for (name, change) in &kinds {
            let answer = fixture.answer(&change(fixture.token()).sign()).await;
            assert!(!answer.passed(), "{name} under {profile:?}");
            answer.assert_invalid_token("wrong_token_type");
        }
        let access_token = fixture.token().claim("kind", "access").claim("azp", "client-1").claim("cid", "client-1");
        fixture.answer(&access_token.sign()).await.assert_passed();
    }
}

/// BCP-10: header and claims are UTF-8, and nothing else is taken for it.
#[tokio::test]
async fn json_is_utf_8() {
    let fixture = Fixture::new();
    let (header, payload) = fixture.draft();
    let utf16 = |text: &str, to_bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to_bytes).collect::<Vec<_>>();
    let broken = |text: &str| {
        let with = |bytes: &[u8]| [b"{\"x\":\"", bytes, b"\",", &text.as_bytes()[1..]].concat();
        [
            with(b"\xFF"),
            with(b"\xC0\xAF"),
            with(b"\xED\xA0\x80"),
            with(b"\xE2\x82"),
            with(b"\\ud800"),
            with(b"\0"),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
            [&b"\xFF\xFE"[..], &utf16(text, u16::to_le_bytes)].concat(),
        ]
    };
    for header in broken(&header) {
        fixture.answer(&fixture.sign(header, &payload)).await.assert_invalid_token("token_malformed");
    }
    for payload in broken(&payload) {
        fixture.answer(&fixture.sign(&header, payload)).await.assert_invalid_token("token_malformed");
    }
    let beyond_ascii = with_member(&payload, r#""x":"\u00e9 é 😀""#);
    send(&fixture.app(), Request::get("/x").bearer(&fixture.sign(&header, beyond_ascii))).await.assert_passed();
}
