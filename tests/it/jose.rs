//! RFC 7515 to 7519, 7638, 7797, 8037 and 9864: signatures, keys and claims to the letter.

use std::convert::Infallible;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::service_fn;
use tower_oauth::test::{RequestExt as _, SigningKey, TestIssuer};
use tower_oauth::{Algorithm, Issuer, OAuthConfig};

use crate::support::{Answer, Fixture, ISSUER, RESOURCE, T, send};
use crate::tools::{b64, parts, unb64, with_member};

fn generate(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap()
}

/// A fixture whose issuer publishes these keys beside its own, and the answer to a token signed by `key`.
async fn answer_with_published(jwk: Value, key: &SigningKey) -> Answer {
    let fixture = Fixture::new();
    fixture.issuer.publish(jwk);
    fixture.answer(&fixture.token().signed_by(key).sign()).await
}

/// JOS-01: whatever `crit` is, it demands something that is not understood.
#[tokio::test]
async fn a_critical_header_is_refused() {
    let fixture = Fixture::new();
    for crit in [
        json!(["exp"]),
        json!(["alg"]),
        json!(["urn:example:not-in-the-header"]),
        json!(["b64"]),
        json!(["exp", "exp"]),
        json!([]),
        json!(""),
        json!("exp"),
        json!(7),
        json!({}),
        json!(null),
    ] {
        let token = fixture.token().header("crit", crit).header("exp", 1_900_000_000);
        fixture.answer(&token.sign()).await.assert_invalid_token("critical_header");
    }
    fixture.answer(&fixture.token().header("exp", 1_900_000_000).sign()).await.assert_passed();
}

/// JOS-02: a JWT never has an unencoded payload, announced as critical or not.
#[tokio::test]
async fn an_unencoded_payload_is_refused() {
    let fixture = Fixture::new();
    for token in [
        fixture.token().header("b64", false).header("crit", json!(["b64"])),
        fixture.token().header("b64", false),
        fixture.token().header("b64", true),
        fixture.token().header("b64", json!(null)),
    ] {
        fixture.answer(&token.sign()).await.assert_invalid_token("critical_header");
    }
}

/// JOS-02: detached and unencoded payloads as RFC 7515, RFC 7520 and RFC 7797 print them, beside their plain relatives.
#[tokio::test]
async fn the_published_tokens_of_other_forms_are_refused() {
    let fixture = Fixture::new();
    for (token, kind) in [
        // RFC 7515 appendix A.1: HS256.
        (
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
             cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "algorithm_not_allowed",
        ),
        // RFC 7515 appendix A.5: none.
        (
            "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290I\
             jp0cnVlfQ.",
            "algorithm_not_allowed",
        ),
        // RFC 7520 section 4.5: detached.
        (
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9..s0h6KThzkfBBBkLspW1h84V\
             sJZFTsPPqMDA7g1Md7p0",
            "algorithm_not_allowed",
        ),
        // RFC 7797 section 4.2: unencoded and detached.
        (
            "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
            "critical_header",
        ),
        // RFC 8037 appendix A.4: a signature that verifies, of something that is no claims set.
        (
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhi\
             jcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            "token_malformed",
        ),
    ] {
        fixture.answer(token).await.assert_invalid_token(kind);
    }
    let token = fixture.token().sign();
    let [header, _, signature] = parts(&token);
    fixture.answer(&format!("{header}..{signature}")).await.assert_invalid_token("token_malformed");
    // RFC 7797 section 4.2 without detaching: the payload is `$.02`.
    let unencoded = "Bearer eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19.$.02.A5dxf2s96_n5FLueVuW1Z_vh161F";
    fixture.authorized(unencoded).await.assert_refused(400, Some("invalid_request"));
}

/// JOS-03: a member name that stands twice, at any depth and however it is escaped, leaves nothing to be believed.
#[tokio::test]
async fn duplicate_names_are_refused_in_tokens() {
    let fixture = Fixture::new();
    let (header, payload) = fixture.draft();
    fixture.answer(&fixture.sign(&header, &payload)).await.assert_passed();
    for member in [
        r#""alg":"ES256""#,
        r#""alg":"none""#,
        r#""typ":"JWT""#,
        r#""\u0061lg":"ES256""#,
        r#""x":{"a":1,"a":1}"#,
        r#""x":[{"y":{"a":1,"a":2}}]"#,
    ] {
        let token = fixture.sign(with_member(&header, member), &payload);
        fixture.answer(&token).await.assert_invalid_token("token_malformed");
    }
    for member in [
        r#""aud":"x""#,
        r#""aud":"https://rs.example/api""#,
        r#""iss":"https://evil.example""#,
        r#""\u0061ud":"x""#,
        r#""tenant":1,"tenant":1"#,
        r#""cnf":{"jkt":"a","jkt":"b"}"#,
        r#""x":{"a":1,"\u0061":1}"#,
        r#""x":[[{"a":1,"a":2}]]"#,
    ] {
        let token = fixture.sign(&header, with_member(&payload, member));
        fixture.answer(&token).await.assert_invalid_token("token_malformed");
    }
    let twice_apart = with_member(&payload, r#""x":{"a":1},"y":{"a":1},"z":[{"a":1},{"a":1}]"#);
    fixture.answer(&fixture.sign(&header, twice_apart)).await.assert_passed();
}

/// JOS-03: nor is a key set believed that says something twice.
#[tokio::test]
async fn duplicate_names_are_refused_in_key_sets() {
    let jwk = generate(Algorithm::Es256).public_jwk().to_string();
    for document in [
        format!(r#"{{"keys":[{}]}}"#, with_member(&jwk, r#""kid":"a""#)),
        format!(r#"{{"keys":[{jwk}],"keys":[{jwk}]}}"#),
        format!(r#"{{"keys":[{}]}}"#, with_member(&jwk, r#""x":{"a":1,"a":2}"#)),
    ] {
        let issuer = Issuer::jwt(ISSUER).jwks(document.clone());
        let error = OAuthConfig::builder(RESOURCE).trust(issuer).build().unwrap_err().to_string();
        assert!(error.contains("stands twice"), "{error}");
        let serve = service_fn(move |_: Request<Full<Bytes>>| {
            let document = Full::new(Bytes::from(document.clone()));
            async move { Ok::<_, Infallible>(Response::new(document)) }
        });
        let trust = |_: &TestIssuer| Issuer::jwt(ISSUER).jwks_uri("https://as.example/jwks").transport(serve);
        let fixture = Fixture::of(TestIssuer::new(ISSUER), trust);
        fixture.answer(&fixture.token().sign()).await.assert_not_judged();
    }
}

/// JOS-04: base64url without padding, white space, the other alphabet, or bits that mean nothing.
#[tokio::test]
async fn base64url_is_strict() {
    let fixture = Fixture::new();
    // `jti` is long enough that some payload below leaves unused bits.
    let tokens: Vec<_> = ["j", "jj", "jjj"].map(|jti| fixture.token().jti(jti).sign()).into();
    let mut unused_bits = [0; 3];
    for token in &tokens {
        fixture.answer(token).await.assert_passed();
        for segment in 0..3 {
            let with = |change: &dyn Fn(&str) -> String| {
                let mut changed = parts(token).map(str::to_owned);
                changed[segment] = change(&changed[segment]);
                changed.join(".")
            };
            for other in ["+", "/", "~"] {
                let swapped = with(&|text| format!("{other}{}", &text[1..]));
                fixture.answer(&swapped).await.assert_invalid_token("token_malformed");
            }
            let one_character_more = with(&|text| format!("{}{}", text, &"AAA"[..(5 - text.len() % 4) % 4]));
            fixture.answer(&one_character_more).await.assert_invalid_token("token_malformed");
            for padding in ["=", "=="] {
                let padded = with(&|text| format!("{text}{padding}"));
                // A token68 may end in padding, a JWS may not; inside it is not even a token68.
                let answer = fixture.answer(&padded).await;
                match segment {
                    2 => answer.assert_invalid_token("token_malformed"),
                    _ => answer.assert_refused(400, Some("invalid_request")),
                }
            }
            let spaced = with(&|text| format!("{} {}", &text[..4], &text[4..]));
            fixture.answer(&spaced).await.assert_refused(400, Some("invalid_request"));
            if !parts(token)[segment].len().is_multiple_of(4) {
                unused_bits[segment] += 1;
                let another = with(&with_unused_bits);
                assert_ne!(another, *token);
                fixture.answer(&another).await.assert_invalid_token("token_malformed");
            }
        }
    }
    assert!(unused_bits.iter().skip(1).all(|tried| *tried > 0), "{unused_bits:?}");
}

/// The same bytes, written with a last character whose unused bits are not zero.
fn with_unused_bits(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = text.split_at(text.len() - 1);
    let (_, behind) = ALPHABET.split_once(last).unwrap();
    format!("{rest}{}", behind.chars().next().unwrap())
}

/// JOS-05: an ECDSA signature is R and S in their full length, both in range, and never DER.
#[tokio::test]
async fn an_ecdsa_signature_has_one_form() {
    for (algorithm, length) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48), (Algorithm::Es512, 66)] {
        let fixture = Fixture::of(TestIssuer::with_algorithm(ISSUER, algorithm), TestIssuer::issuer);
        let token = fixture.token().sign();
        fixture.answer(&token).await.assert_passed();
        let [header, payload, signature] = parts(&token);
        let signature = unb64(signature);
        assert_eq!(signature.len(), 2 * length);
        let (r, s) = signature.split_at(length);
        let (zero, most) = (vec![0; length], vec![0xFF; length]);
        for forged in [
            der(r, s),
            signature[..2 * length - 1].to_vec(),
            signature[1..].to_vec(),
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
            [&[0], r, &[0], s].concat(),
            r.to_vec(),
            Vec::new(),
            [&zero, s].concat(),
            [r, &zero].concat(),
            [&zero[..], &zero].concat(),
            [&most, s].concat(),
            [r, &most].concat(),
            [s, r].concat(),
        ] {
            let token = format!("{header}.{payload}.{}", b64(&forged));
            fixture.answer(&token).await.assert_invalid_token("signature_invalid");
        }
    }
}

/// The signature as X.509 has it: a sequence of two integers.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let mut bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        if bytes.first().is_some_and(|first| *first >= 0x80) {
            bytes.insert(0, 0);
        }
        [&[2, bytes.len() as u8], &bytes[..]].concat()
    };
    let content = [integer(r), integer(s)].concat();
    let length = if content.len() < 0x80 { vec![content.len() as u8] } else { vec![0x81, content.len() as u8] };
    [&[0x30], &length[..], &content].concat()
}

/// JOS-06: RSA keys too small, too big or with a bad exponent are as if they were not there.
#[tokio::test]
async fn unsound_rsa_keys_are_not_used() {
    let sound = generate(Algorithm::Rs256).with_kid("sound").public_jwk();
    let n = unb64(sound["n"].as_str().unwrap());
    let odd_number = |bits: usize| [&[0xC0], &vec![0x55; bits / 8 - 1][..]].concat();
    let keys = [
        ("1024", odd_number(1024), vec![1, 0, 1]),
        ("2040", odd_number(2040), vec![1, 0, 1]),
        ("8200", odd_number(8200), vec![1, 0, 1]),
        ("65536", odd_number(65_536), vec![1, 0, 1]),
        ("even modulus", [&n[..255], &[0x54]].concat(), vec![1, 0, 1]),
        ("e=0", n.clone(), vec![0]),
        ("e=1", n.clone(), vec![1]),
        ("e=2", n.clone(), vec![2]),
        ("even e", n.clone(), vec![1, 0, 0]),
        ("long e", n.clone(), vec![1, 0, 0, 0, 1]),
        ("no e", n.clone(), vec![]),
    ];
    let fixture = Fixture::new();
    for (kid, n, e) in &keys {
        fixture.issuer.publish(json!({ "kty": "RSA", "kid": kid, "n": b64(n), "e": b64(e) }));
    }
    fixture.issuer.publish(sound);
    let signed_by_another = generate(Algorithm::Rs256);
    for (kid, ..) in &keys {
        let token = fixture.token().signed_by(&signed_by_another).kid(kid).sign();
        fixture.answer(&token).await.assert_invalid_token("key_unknown");
    }
    // With e = 1 anybody could sign: the padded digest is its own signature.
    let token = fixture.token().signed_by(&signed_by_another).kid("e=1").sign();
    let [header, payload, _] = parts(&token);
    let hash = digest(&SHA256, format!("{header}.{payload}").as_bytes());
    let digest_info = [b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", hash.as_ref()];
    let padded = [&[0, 1], &[0xFF; 202][..], &[0], &digest_info.concat()].concat();
    assert_eq!(padded.len(), 256);
    let forged = format!("{header}.{payload}.{}", b64(padded));
    fixture.answer(&forged).await.assert_invalid_token("key_unknown");
    let token = fixture.token().signed_by(&signed_by_another).kid("sound").sign();
    fixture.answer(&token).await.assert_invalid_token("signature_invalid");
}

/// JOS-07: `use` and `key_ops` are honoured, and a key on which they contradict each other is not used.
#[tokio::test]
async fn a_key_is_used_for_its_purpose_only() {
    let key = generate(Algorithm::Es256);
    let with = |intended: Value, operations: Value| {
        let mut jwk = key.public_jwk();
        for (name, value) in [("use", intended), ("key_ops", operations)] {
            match value {
                Value::Null => jwk.as_object_mut().unwrap().remove(name),
                value => jwk.as_object_mut().unwrap().insert(name.to_owned(), value),
            };
        }
        jwk
    };
    for (intended, operations) in [
        (json!("enc"), json!(null)),
        (json!("SIG"), json!(null)),
        (json!(""), json!(null)),
        (json!(7), json!(null)),
        (json!(null), json!(["sign"])),
        (json!(null), json!(["encrypt", "wrapKey"])),
        (json!(null), json!([])),
        (json!(null), json!("verify")),
        (json!("enc"), json!(["verify"])),
        (json!("sig"), json!(["encrypt"])),
        (json!("sig"), json!(["verify", "encrypt"])),
    ] {
        let jwk = with(intended, operations);
        answer_with_published(jwk.clone(), &key).await.assert_invalid_token("key_unknown");
    }
    for (intended, operations) in [
        (json!("sig"), json!(null)),
        (json!(null), json!(null)),
        (json!(null), json!(["verify"])),
        (json!("sig"), json!(["sign", "verify"])),
    ] {
        answer_with_published(with(intended, operations), &key).await.assert_passed();
    }
}

/// JOS-08: of keys under one kid, each that fits the token is tried.
#[tokio::test]
async fn keys_under_one_kid_are_told_apart() {
    let fixture = Fixture::new();
    let keys = [Algorithm::Es256, Algorithm::Rs256, Algorithm::Es384, Algorithm::Es256, Algorithm::EdDsa]
        .map(|algorithm| generate(algorithm).with_kid("one"));
    for key in &keys {
        fixture.issuer.publish(key.public_jwk());
    }
    for key in &keys {
        fixture.answer(&fixture.token().signed_by(key).sign()).await.assert_passed();
    }
    let stranger = generate(Algorithm::Es256).with_kid("one");
    fixture.answer(&fixture.token().signed_by(&stranger).sign()).await.assert_invalid_token("signature_invalid");
}

/// JOS-09: a token without kid may mean each key that fits it, up to four.
#[tokio::test]
async fn a_token_without_kid_tries_a_few_keys() {
    let fixture = Fixture::of(TestIssuer::with_algorithm(ISSUER, Algorithm::EdDsa), TestIssuer::issuer);
    let keys: Vec<_> = (0..5).map(|_| fixture.issuer.add_key(Algorithm::Es256)).collect();
    for (position, key) in keys.iter().enumerate() {
        let answer = fixture.answer(&fixture.token().signed_by(key).without_kid().sign()).await;
        match position {
            0..4 => answer.assert_passed(),
            _ => answer.assert_invalid_token("signature_invalid"),
        }
    }
    // The one key of its kind among six needs no name.
    fixture.answer(&fixture.token().without_kid().sign()).await.assert_passed();
}

/// JOS-09: a key that was replaced under its kid, or came without one, is found by one refresh.
#[tokio::test(start_paused = true)]
async fn a_replaced_key_is_found_by_one_fetch() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.issuer.replace_under_same_kid();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    assert_eq!(fixture.issuer.jwks_fetches(), 2);
    tokio::time::advance(Duration::from_secs(31)).await;
    fixture.issuer.rotate();
    fixture.answer(&fixture.token().without_kid().sign()).await.assert_passed();
    assert_eq!(fixture.issuer.jwks_fetches(), 3);
}

/// JOS-09: bad signatures, however many, cost one fetch for each cooldown.
#[tokio::test(start_paused = true)]
async fn bad_signatures_cost_one_fetch_for_each_cooldown() {
    let fixture = Fixture::new();
    fixture.issuer.max_age(Duration::from_secs(3600));
    let known = fixture.token().sign();
    fixture.answer(&known).await.assert_passed();
    fixture.issuer.delay(Duration::from_secs(1));
    for fetches in 2..4 {
        let mut requests = JoinSet::new();
        for number in 0..1000 {
            let bad = fixture.token().bad_signature();
            let token = if number % 2 == 0 { bad.sign() } else { bad.without_kid().sign() };
            let app = fixture.app();
            requests.spawn(async move { send(&app, Request::get("/x").bearer(&token)).await });
        }
        for answer in requests.join_all().await {
            answer.assert_invalid_token("signature_invalid");
        }
        fixture.answer(&fixture.token().bad_signature().sign()).await.assert_invalid_token("signature_invalid");
        assert_eq!(fixture.issuer.jwks_fetches(), fetches);
        fixture.answer(&known).await.assert_passed();
        tokio::time::advance(Duration::from_secs(30)).await;
    }
}

/// JOS-10: EdDSA and Ed25519 are two names of one algorithm on one curve; an allow-list admits the names that it lists.
#[tokio::test]
async fn both_names_of_ed25519_are_known() {
    for published in [Algorithm::EdDsa, Algorithm::Ed25519] {
        for (listed, admitted) in [
            (&Algorithm::ALL[..], ["EdDSA", "Ed25519"].as_slice()),
            (&[Algorithm::EdDsa], &["EdDSA"]),
            (&[Algorithm::Ed25519], &["Ed25519"]),
        ] {
            let trust = |issuer: &TestIssuer| issuer.issuer().algorithms(listed.iter().copied());
            let fixture = Fixture::of(TestIssuer::with_algorithm(ISSUER, published), trust);
            for name in ["EdDSA", "Ed25519"] {
                let answer = fixture.answer(&fixture.token().header("alg", name).sign()).await;
                match admitted.contains(&name) {
                    true => answer.assert_passed(),
                    false => answer.assert_invalid_token("algorithm_not_allowed"),
                }
            }
        }
    }
}

/// JOS-10: neither name means another curve.
#[tokio::test]
async fn no_name_of_ed25519_means_another_curve() {
    for (crv, length) in [("Ed448", 57), ("Ed448", 32), ("X25519", 32), ("Ed25519ph", 32), ("ed25519", 32)] {
        for name in ["EdDSA", "Ed25519"] {
            let fixture = Fixture::new();
            fixture.issuer.publish(json!({ "kty": "OKP", "crv": crv, "kid": "other", "x": b64(vec![9; length]) }));
            let token = fixture.token().signed_by(generate(Algorithm::EdDsa)).header("alg", name).kid("other");
            fixture.answer(&token.sign()).await.assert_invalid_token("key_unknown");
        }
    }
    for unknown in ["Ed448", "ed25519", "EDDSA", "Ed25519ctx"] {
        assert_eq!(Algorithm::from_name(unknown), None);
    }
}

/// JOS-11: coordinates have the full length of their field, and points lie on their curve.
#[tokio::test]
async fn points_off_their_curve_are_not_used() {
    fn of_length(bytes: &[u8], length: usize) -> Vec<u8> {
        [&vec![0; length.saturating_sub(bytes.len())], &bytes[bytes.len().saturating_sub(length)..]].concat()
    }
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa] {
        let key = generate(algorithm);
        let jwk = key.public_jwk();
        let length = unb64(jwk["x"].as_str().unwrap()).len();
        let with = |name: &str, change: &dyn Fn(&[u8]) -> Vec<u8>| {
            let mut changed = jwk.clone();
            changed[name] = b64(change(&unb64(jwk[name].as_str().unwrap()))).into();
            changed
        };
        let mut broken = vec![
            with("x", &|x| of_length(x, length - 1)),
            with("x", &|x| of_length(x, length + 1)),
            with("x", &|_| Vec::new()),
        ];
        if algorithm != Algorithm::EdDsa {
            let flipped = |bytes: &[u8]| [&bytes[..length - 1], &[bytes[length - 1] ^ 1]].concat();
            broken.push(with("y", &flipped));
            broken.push(with("y", &|y| of_length(y, length - 1)));
            broken.push(with("y", &|y| of_length(y, length + 1)));
            broken.push(with("x", &|_| vec![0xFF; length]));
            let mut at_infinity = with("x", &|_| vec![0; length]);
            at_infinity["y"] = b64(vec![0; length]).into();
            broken.push(at_infinity);
        }
        for broken in broken {
            answer_with_published(broken, &key).await.assert_invalid_token("key_unknown");
        }
        answer_with_published(jwk.clone(), &key).await.assert_passed();
    }
}

/// JOS-12: a thumbprint is the hash of the required members in order, whatever else the key says of itself.
#[test]
fn a_thumbprint_is_made_of_required_members_only() {
    for (algorithm, required) in [
        (Algorithm::Ps256, &["e", "kty", "n"][..]),
        (Algorithm::Es256, &["crv", "kty", "x", "y"]),
        (Algorithm::Es512, &["crv", "kty", "x", "y"]),
        (Algorithm::Ed25519, &["crv", "kty", "x"]),
    ] {
        let key = generate(algorithm);
        let jwk = key.public_jwk();
        let members: Vec<_> = required.iter().map(|name| format!("\"{name}\":{}", jwk[*name])).collect();
        let hash = digest(&SHA256, format!("{{{}}}", members.join(",")).as_bytes());
        assert_eq!(key.thumbprint(), b64(hash));
        assert_eq!(key.clone().with_kid("renamed").thumbprint(), key.thumbprint());
    }
}

/// JOS-13: times are numbers in a range that has dates; anything else is refused without overflow.
#[tokio::test]
async fn times_are_numbers_in_range() {
    let fixture = Fixture::new();
    let claim = |name: &str| -> Value {
        serde_json::from_str::<Value>(&fixture.draft().1).unwrap().as_object_mut().unwrap().remove(name).into()
    };
    let (header, payload) = fixture.draft();
    for name in ["exp", "nbf", "iat", "auth_time"] {
        let with = |value: &str| {
            let written = match claim(name) {
                Value::Null => with_member(&payload, &format!("\"{name}\":{value}")),
                old => payload.replace(&format!("\"{name}\":{old}"), &format!("\"{name}\":{value}")),
            };
            fixture.sign(&header, written)
        };
        for value in [
            "-1",
            "-0.5",
            "-1e300",
            "1e300",
            "253402300800",
            "9223372036854775808",
            "18446744073709551616",
            "100000000000000000000000000000000000000000",
            "\"1800000000\"",
            "\"NaN\"",
            "null",
            "true",
            "[1800000000]",
            "{}",
        ] {
            fixture.answer(&with(value)).await.assert_invalid_token("claim_invalid");
        }
        for no_json in ["1e400", "-1e400", "NaN", "Infinity", "0x6B49D200", "01800000000", "1800000000.", "+1", ""] {
            assert!(!fixture.answer(&with(no_json)).await.passed(), "{name} {no_json}");
            fixture.answer(&with(no_json)).await.assert_refused(401, Some("invalid_token"));
        }
        let near = T.as_secs() + if name == "exp" { 100 } else { -100 };
        for value in [format!("{near}"), format!("{near}.25"), format!("{}e1", near as f64 / 10.0)] {
            fixture.answer(&with(&value)).await.assert_passed();
        }
    }
}

/// JOS-14: long tokens, deep nesting and many members are refused before they cost anything.
#[tokio::test]
async fn limits_come_before_work() {
    let fixture = Fixture::new();
    let (header, payload) = fixture.draft();
    let nested = |depth: usize, close: bool| {
        let closing = if close { "]".repeat(depth) } else { String::new() };
        format!("\"x\":{}{closing}", "[".repeat(depth))
    };
    let members = |count: usize| (0..count).map(|n| format!("\"m{n}\":0")).collect::<Vec<_>>().join(",");
    for member in [
        nested(32, true),
        nested(5_000, true),
        nested(10_000, false),
        format!("\"x\":{}", "{\"a\":".repeat(1_500)),
        format!("\"x\":{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000)),
        members(257),
        format!("\"x\":{{{}}}", members(257)),
    ] {
        for token in [
            fixture.sign(with_member(&header, &member), &payload),
            fixture.sign(&header, with_member(&payload, &member)),
        ] {
            assert!(token.len() <= 16 * 1024, "the other limit would answer");
            fixture.answer(&token).await.assert_invalid_token("token_malformed");
        }
    }
    for token in [
        "a".repeat(1 << 20),
        ".".repeat(1 << 20),
        fixture.token().claim("x", "x".repeat(1 << 20)).sign(),
        fixture.token().claim("x", vec![0; 10_000]).sign(),
        fixture.token().audiences((0..10_000).map(|n| n.to_string()).chain([RESOURCE.to_owned()])).sign(),
    ] {
        fixture.answer(&token).await.assert_invalid_token("token_malformed");
    }
    assert_eq!((fixture.issuer.metadata_fetches(), fixture.issuer.jwks_fetches()), (0, 0));
    for fits in [nested(30, true), members(200), format!("\"x\":[{}0]", "0,".repeat(3_000))] {
        fixture.answer(&fixture.sign(&header, with_member(&payload, &fits))).await.assert_passed();
    }
    let many = fixture.token().audiences((0..500).map(|n| n.to_string()).chain([RESOURCE.to_owned()]));
    fixture.answer(&many.sign()).await.assert_passed();
}

/// JOS-14: nor does a document make its reader work beyond the limits.
#[tokio::test]
async fn a_deep_key_set_is_not_read() {
    for document in [format!("{{\"keys\":{}", "[".repeat(100_000)), "{\"keys\":[{\"a\":".repeat(10_000)] {
        let serve = service_fn(move |_: Request<Full<Bytes>>| {
            let document = Full::new(Bytes::from(document.clone()));
            async move { Ok::<_, Infallible>(Response::new(document)) }
        });
        let trust = |_: &TestIssuer| Issuer::jwt(ISSUER).jwks_uri("https://as.example/jwks").transport(serve);
        let fixture = Fixture::of(TestIssuer::new(ISSUER), trust);
        fixture.answer(&fixture.token().sign()).await.assert_not_judged();
    }
}
