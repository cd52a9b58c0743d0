//! What is sent for each method, where secrets come from, and that nothing prints them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, process};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::Value;

use super::*;
use crate::crypto::{Algorithm, Curve, Key, b64, b64_decode};

const ISSUER: &str = "https://issuer.example/t1";
const SECRET: &str = "s3cr3t-of-the-client";
const T: Timestamp = Timestamp::from_secs(1_700_000_000);

async fn proof(client: &ClientAuth) -> ClientProof {
    client.proof(ISSUER, T).await.unwrap()
}

fn parameter<'p>(proof: &'p ClientProof, name: &str) -> &'p str {
    proof.parameters.iter().find(|(own, _)| *own == name).map(|(_, value)| value.expose().as_str()).unwrap()
}

fn p256() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

fn pkcs8(pair: &EcdsaKeyPair) -> Vec<u8> {
    pair.to_pkcs8v1().unwrap().as_ref().to_vec()
}

fn pem(der: &[u8], label: &str) -> String {
    let lines: Vec<_> = STANDARD.encode(der).into_bytes().chunks(64).map(|line| line.to_vec()).collect();
    let body = String::from_utf8(lines.join(&b'\n')).unwrap();
    format!("A comment before.\n-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// A file of its own for each test, gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(content: &[u8]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let scratch = Self(env::temp_dir().join(format!("tower-oauth-client-{}-{number}", process::id())));
        scratch.write(content);
        scratch
    }

    fn write(&self, content: &[u8]) {
        fs::write(&self.0, content).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// RFC 6749 section 2.3.1: both halves are form-encoded, so neither can end the other.
#[tokio::test]
async fn basic_encodes_id_and_secret_before_it_joins_them() {
    let proof = proof(&ClientAuth::secret_basic("a:b c", "p%+é")).await;
    let header = proof.authorization.unwrap();
    assert!(header.is_sensitive());
    let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
    assert_eq!(STANDARD.decode(encoded).unwrap(), b"a%3Ab+c:p%25%2B%C3%A9");
    assert!(proof.parameters.is_empty());
}

#[tokio::test]
async fn post_puts_both_into_the_form() {
    let proof = proof(&ClientAuth::secret_post("me", SECRET)).await;
    assert!(proof.authorization.is_none());
    assert_eq!((parameter(&proof, "client_id"), parameter(&proof, "client_secret")), ("me", SECRET));
}

#[tokio::test]
async fn a_bearer_token_goes_into_the_header_or_nowhere() {
    let header = proof(&ClientAuth::bearer("t0ken")).await.authorization.unwrap();
    assert_eq!(header, "Bearer t0ken");
    assert!(header.is_sensitive());
    let error = ClientAuth::bearer("t0ken\nX: y").proof(ISSUER, T).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("t0ken"));
}

/// RFC 10070: typed, for the issuer alone, short-lived and never the same twice.
#[tokio::test]
async fn an_assertion_is_for_this_issuer_alone_and_for_a_minute() {
    let pair = p256();
    let key = ClientKey::pkcs8(pem(&pkcs8(&pair), "PRIVATE KEY")).unwrap().kid("k1");
    let client = ClientAuth::private_key_jwt("me", key);
    let (one, another) = (proof(&client).await, proof(&client).await);
    assert_eq!(parameter(&one, "client_id"), "me");
    assert_eq!(parameter(&one, "client_assertion_type"), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let assertion = parameter(&one, "client_assertion");
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |part: &str| serde_json::from_slice::<Value>(&b64_decode(part.as_bytes()).unwrap()).unwrap();
    assert_eq!(json(header), serde_json::json!({"alg": "ES256", "typ": "client-authentication+jwt", "kid": "k1"}));
    let mut said = json(claims);
    let jti = said.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(
        said,
        serde_json::json!({"iss": "me", "sub": "me", "aud": ISSUER, "iat": T.as_secs(), "exp": T.as_secs() + 60})
    );
    assert_eq!(b64_decode(jti.as_str().unwrap().as_bytes()).unwrap().len(), 16);
    assert!(!parameter(&another, "client_assertion").contains(claims), "another jti");
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let key = Key::ec(Curve::P256, x, y).unwrap();
    assert!(key.verifies(Algorithm::Es256, signed.as_bytes(), &b64_decode(signature.as_bytes()).unwrap()));
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key_or_the_one_that_was_chosen() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let key = ClientKey::pkcs8(der.as_ref()).unwrap();
    for (key, alg) in [(key.clone(), "RS256"), (key.clone().algorithm(Algorithm::Ps256), "PS256")] {
        let proof = proof(&ClientAuth::private_key_jwt("me", key)).await;
        let header = b64(format!(r#"{{"alg":"{alg}","typ":"client-authentication+jwt"}}"#).as_bytes());
        assert!(parameter(&proof, "client_assertion").starts_with(&header), "{alg}");
    }
    let unfit = ClientAuth::private_key_jwt("me", key.algorithm(Algorithm::Es256)).proof(ISSUER, T).await;
    assert_eq!(unfit.unwrap_err().to_string(), "the key of this client cannot sign by ES256");
}

#[test]
fn a_key_in_another_form_is_refused_with_what_to_do() {
    let der = pkcs8(&p256());
    assert!(ClientKey::pkcs8(&der).is_ok());
    let whole = pem(&der, "PRIVATE KEY");
    for (content, part) in [
        (pem(&der, "EC PRIVATE KEY"), "openssl pkcs8 -topk8"),
        (pem(&der, "ENCRYPTED PRIVATE KEY"), "without a password"),
        (whole.split("-----END").next().unwrap().to_owned(), "no end"),
        (whole.replace("\n-----END", "*\n-----END"), "not base64"),
        (pem(b"junk", "PRIVATE KEY"), "no unencrypted PKCS #8 key"),
        (String::new(), "no unencrypted PKCS #8 key"),
    ] {
        let error = ClientKey::pkcs8(&content).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_source_is_asked_for_each_request() {
    let asked = AtomicUsize::new(0);
    let secret = ClientSecret::asked(move || format!("s{}", asked.fetch_add(1, Ordering::Relaxed)).into());
    let client = ClientAuth::secret_post("me", secret);
    for n in 0..3 {
        assert_eq!(parameter(&proof(&client).await, "client_secret"), format!("s{n}"));
    }
    let der = pkcs8(&p256());
    let client = ClientAuth::private_key_jwt("me", ClientKey::asked(move || der.clone()));
    assert!(client.proof(ISSUER, T).await.is_ok());
    let broken = ClientAuth::private_key_jwt("me", ClientKey::asked(|| b"junk".to_vec()));
    assert!(broken.proof(ISSUER, T).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_replaced_file_serves_after_five_seconds_and_a_broken_one_changes_nothing() {
    let file = Scratch::new(b"  one\n");
    let client = ClientAuth::secret_post("me", ClientSecret::file(&file.0));
    let secret = async || parameter(&proof(&client).await, "client_secret").to_owned();
    assert_eq!(secret().await, "one");
    file.write(b"two");
    assert_eq!(secret().await, "one", "read a moment ago");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(secret().await, "two");
    for broken in [&b""[..], b" \n", b"\xFF", &[b'x'; 70_000]] {
        file.write(broken);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(secret().await, "two");
    }
}

#[tokio::test]
async fn a_key_is_read_from_a_file_too() {
    let file = Scratch::new(pem(&pkcs8(&p256()), "PRIVATE KEY").as_bytes());
    let client = ClientAuth::private_key_jwt("me", ClientKey::file(&file.0));
    assert!(client.proof(ISSUER, T).await.is_ok());
}

#[tokio::test]
async fn a_file_that_was_never_read_is_an_error_that_names_it() {
    let missing = ClientAuth::secret_basic("me", ClientSecret::file("/nowhere/secret"));
    assert!(missing.proof(ISSUER, T).await.unwrap_err().to_string().starts_with("/nowhere/secret, which"));
    let folder = ClientAuth::secret_basic("me", ClientSecret::file(env::temp_dir()));
    assert!(folder.proof(ISSUER, T).await.unwrap_err().to_string().contains("not a regular file"));
    let file = Scratch::new(SECRET.repeat(10_000).as_bytes());
    let long = ClientAuth::secret_basic("me", ClientSecret::file(&file.0));
    let error = long.proof(ISSUER, T).await.unwrap_err().to_string();
    assert!(error.contains("longer than 64 KiB") && !error.contains(SECRET));
}

#[test]
fn clients_that_may_get_different_answers_have_different_identities() {
    let clients = [
        ClientAuth::secret_basic("me", SECRET),
        ClientAuth::secret_post("me", SECRET),
        ClientAuth::secret_basic("you", SECRET),
        ClientAuth::bearer("one"),
        ClientAuth::bearer("two"),
        ClientAuth::bearer(ClientSecret::asked(|| "three".into())),
    ];
    for (at, one) in clients.iter().enumerate() {
        assert!(clients.iter().skip(at + 1).all(|other| one.identity() != other.identity()), "{one:?}");
    }
    let rotated = ClientAuth::secret_basic("me", "another");
    assert_eq!(rotated.identity(), ClientAuth::secret_basic("me", SECRET).identity());
    assert_eq!((rotated.client_id(), ClientAuth::bearer("one").client_id()), (Some("me"), None));
}

#[tokio::test]
async fn nothing_prints_a_secret() {
    let key = ClientKey::pkcs8(pkcs8(&p256())).unwrap();
    for client in [
        ClientAuth::secret_basic("me", SECRET),
        ClientAuth::secret_post("me", SECRET),
        ClientAuth::bearer(SECRET),
        ClientAuth::private_key_jwt("me", key),
    ] {
        let proof = proof(&client).await;
        let printed = format!("{client:?} {proof:?} {:?}", client.printed_source());
        let assertion = proof.parameters.iter().find(|(name, _)| *name == "client_assertion");
        let assertion = assertion.map_or("nothing", |(_, value)| value.expose().as_str());
        let header = proof.authorization.as_ref().map_or("nothing", |value| value.to_str().unwrap());
        assert!(![SECRET, assertion, header].iter().any(|secret| printed.contains(secret)), "{printed}");
    }
    assert_eq!(format!("{:?}", ClientSecret::from(SECRET)), "ClientSecret(given)");
}

impl ClientAuth {
    fn printed_source(&self) -> String {
        match &self.method {
            Method::Basic(secret) | Method::Post(secret) | Method::Bearer(secret) => format!("{secret:?}"),
            Method::PrivateKey(key) => format!("{key:?}"),
        }
    }
}
