//! One DPoP proof (RFC 9449 section 4.2), right by default and wrong wherever it is told to be.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use http::Method;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::crypto::b64;
use crate::mint::keys::SigningKey;
use crate::mint::token::with_bad_signature;
use crate::mint::{MintError, claims};
use crate::time::Timestamp;

/// Builds one DPoP proof, valid by RFC 9449 until told otherwise.
///
/// Header: `typ`, `alg` and the public key. Claims: a random `jti` that is other at each [`sign`](Self::sign), `htm`,
/// `htu` without query and fragment, `iat`; `ath` for a request with a token; `nonce` where one is known.
#[derive(Clone)]
#[must_use = "a builder makes no proof until `sign`"]
pub struct ProofBuilder {
    key: SigningKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    random_jti: bool,
    has_bad_signature: bool,
    problem: Option<MintError>,
}

impl ProofBuilder {
    pub(crate) fn new(key: &SigningKey, method: &Method, url: &str, now: Timestamp) -> Self {
        let header = Map::from_iter([
            ("typ".to_owned(), "dpop+jwt".into()),
            ("alg".to_owned(), key.algorithm().as_str().into()),
            ("jwk".to_owned(), Value::Object(key.public_members())),
        ]);
        let claims = Map::from_iter([
            ("htm".to_owned(), method.as_str().into()),
            ("htu".to_owned(), without_query(url).into()),
            // Whole seconds, as clients write them.
            ("iat".to_owned(), now.as_secs().into()),
        ]);
        Self { key: key.clone(), header, claims, random_jti: true, has_bad_signature: false, problem: None }
    }

    /// Any claim, in place of what is there. What cannot be written as JSON shows when the proof is signed.
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.set(name, value),
            Err(_) => {
                self.problem = Some(MintError("a claim cannot be written as JSON"));
                self
            }
        }
    }

    /// Leaves out a claim.
    pub fn without(self, claim: &str) -> Self {
        let mut without = self.set(claim, Value::Null);
        without.claims.remove(claim);
        without
    }

    /// `jti`, the same at each signing.
    pub fn jti(self, jti: impl Into<String>) -> Self {
        self.set("jti", jti.into())
    }

    /// `htm`, whichever method is sent.
    pub fn htm(self, method: impl Into<String>) -> Self {
        self.set("htm", method.into())
    }

    /// `htu` exactly as given, with its query and fragment.
    pub fn htu(self, url: impl Into<String>) -> Self {
        self.set("htu", url.into())
    }

    /// `iat`.
    pub fn issued_at(self, at: Timestamp) -> Self {
        self.set("iat", claims::numeric_date(at))
    }

    /// `ath`, the hash of this token, whichever is sent.
    pub fn ath_of(self, token: &str) -> Self {
        self.set("ath", b64(digest(&SHA256, token.as_bytes()).as_ref()))
    }

    /// `nonce`, in place of the one that the server gave last (RFC 9449 section 8).
    pub fn nonce(self, nonce: impl Into<String>) -> Self {
        self.set("nonce", nonce.into())
    }

    /// Any member of the header. `alg` too: it changes the name only, never how the proof is signed.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves out a member of the header.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// `typ` of the header.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// `alg` of the header, whichever key signs.
    pub fn algorithm_name(self, name: &str) -> Self {
        self.header("alg", name)
    }

    /// `jwk` of the header, whichever key signs.
    pub fn jwk(self, jwk: Value) -> Self {
        self.header("jwk", jwk)
    }

    /// Puts a private member `d` beside the public ones. It is made up: what is refused is that it stands there, and
    /// no test prints a key that way.
    pub fn with_private_key(mut self) -> Self {
        match (claims::random_id(), self.header.get_mut("jwk")) {
            (Ok(d), Some(Value::Object(jwk))) => {
                jwk.insert("d".into(), d.into());
            }
            (Ok(_), _) => self.problem = Some(MintError("there is no jwk to put a private key into")),
            (Err(error), _) => self.problem = Some(error),
        }
        self
    }

    /// Signs with another key; `jwk` and `alg` in the header stay.
    pub fn signed_by(mut self, key: impl Into<SigningKey>) -> Self {
        self.key = key.into();
        self
    }

    /// Changes one bit of the signature.
    pub fn bad_signature(mut self) -> Self {
        self.has_bad_signature = true;
        self
    }

    /// The proof, in compact serialization.
    ///
    /// # Panics
    /// When a claim cannot be written as JSON, or the system has no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "for the authors of tests")]
    pub fn sign(&self) -> String {
        self.try_sign().expect("the proof could not be made")
    }

    fn try_sign(&self) -> Result<String, MintError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let mut claims = self.claims.clone();
        if self.random_jti {
            claims.insert("jti".into(), claims::random_id()?.into());
        }
        let proof = self.key.sign(&self.header, &claims)?;
        Ok(if self.has_bad_signature { with_bad_signature(&proof) } else { proof })
    }

    /// The one place that writes a claim: what is set by hand is no longer made up.
    fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.random_jti &= name != "jti";
        self.claims.insert(name.to_owned(), value.into());
        self
    }
}

/// Names the key alone: the claims of a proof are as good as the proof to whoever reads a log.
impl fmt::Debug for ProofBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofBuilder").field("key", &self.key).finish_non_exhaustive()
    }
}

/// RFC 9449 section 4.2: `htu` has neither query nor fragment.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::{Algorithm, Curve, Key, b64_decode};
    use crate::jwt::compact::Compact;

    fn key() -> SigningKey {
        SigningKey::generate(Algorithm::Es256).unwrap()
    }

    fn builder(key: &SigningKey) -> ProofBuilder {
        let now = Timestamp::from_millis(1_700_000_000_999);
        ProofBuilder::new(key, &Method::POST, "https://rs.test/orders?page=2#top", now)
    }

    fn parts(proof: &str) -> (Value, Value) {
        let part = |n: usize| b64_decode(proof.split('.').nth(n).unwrap().as_bytes()).unwrap();
        (serde_json::from_slice(&part(0)).unwrap(), serde_json::from_slice(&part(1)).unwrap())
    }

    fn header(builder: &ProofBuilder) -> Value {
        parts(&builder.sign()).0
    }

    fn claims(builder: &ProofBuilder) -> Value {
        parts(&builder.sign()).1
    }

    /// Whether the key in the header verifies the proof, as a server would find out.
    fn verifies(proof: &str) -> bool {
        let (header, _) = parts(proof);
        let jwk = &header["jwk"];
        let bytes = |name: &str| b64_decode(jwk[name].as_str().unwrap().as_bytes()).unwrap();
        let key = match jwk["kty"].as_str().unwrap() {
            "RSA" => Key::rsa(&bytes("n"), &bytes("e")),
            "EC" => Key::ec(Curve::from_name(jwk["crv"].as_str().unwrap()).unwrap(), &bytes("x"), &bytes("y")),
            _ => Key::ed25519(&bytes("x")),
        };
        let compact = Compact::parse(proof).unwrap();
        key.unwrap().verifies(compact.header.alg, compact.signed, &compact.signature)
    }

    #[test]
    fn a_proof_has_what_the_rfc_demands_and_nothing_else() {
        let key = key();
        let (header, claims) = parts(&builder(&key).jti("j").ath_of("token").nonce("n").sign());
        assert_eq!(
            header,
            json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_members() }),
            "a public key without kid, use or anything private"
        );
        let members: Vec<&String> = header["jwk"].as_object().unwrap().keys().collect();
        assert_eq!(members, ["crv", "kty", "x", "y"]);
        assert_eq!(
            claims,
            json!({
                "jti": "j", "htm": "POST", "htu": "https://rs.test/orders", "iat": 1_700_000_000,
                "ath": "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A", "nonce": "n",
            })
        );
    }

    /// RFC 9449 section 7.1: the token of the example and its `ath`.
    #[test]
    fn the_published_token_hash_is_reproduced() {
        let claims = claims(&builder(&key()).ath_of("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"));
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    #[test]
    fn the_key_in_the_header_verifies_the_proof_under_every_algorithm() {
        for algorithm in Algorithm::ALL {
            let proof = builder(&SigningKey::generate(algorithm).unwrap()).sign();
            assert!(verifies(&proof), "{algorithm}");
        }
    }

    #[test]
    fn each_claim_can_be_changed_or_left_out() {
        let proof = builder(&key()).ath_of("token").nonce("n");
        for name in ["jti", "htm", "htu", "iat", "ath", "nonce"] {
            assert_ne!(claims(&proof)[name], Value::Null, "{name}");
            assert_eq!(claims(&proof.clone().without(name)).get(name), None, "{name}");
            assert_eq!(claims(&proof.clone().claim(name, 7))[name], 7, "{name}");
        }
        let other = proof.jti("j").htm("get").htu("https://rs.test/x?a=1#f").nonce("m").ath_of("other");
        let other = claims(&other.issued_at(Timestamp::from_millis(5_500)));
        assert_eq!((&other["jti"], &other["htm"], &other["nonce"]), (&json!("j"), &json!("get"), &json!("m")));
        assert_eq!((&other["htu"], &other["iat"]), (&json!("https://rs.test/x?a=1#f"), &json!(5.5)));
        assert_eq!(other["ath"], b64(digest(&SHA256, b"other").as_ref()));
    }

    #[test]
    fn each_header_member_can_be_changed_or_left_out() {
        let proof = builder(&key());
        for name in ["typ", "alg", "jwk"] {
            assert_eq!(header(&proof.clone().without_header(name)).get(name), None, "{name}");
        }
        let odd = proof.typ("JWT").algorithm_name("none").jwk(json!({ "kty": "oct" })).header("crit", json!(["x"]));
        assert_eq!(header(&odd), json!({ "typ": "JWT", "alg": "none", "jwk": { "kty": "oct" }, "crit": ["x"] }));
    }

    #[test]
    fn a_private_member_stands_beside_the_public_ones() {
        let key = key();
        let mut jwk = header(&builder(&key).with_private_key())["jwk"].clone();
        assert!(jwk.as_object_mut().unwrap().remove("d").is_some());
        assert_eq!(jwk, Value::Object(key.public_members()));
        assert!(verifies(&builder(&key).with_private_key().sign()), "nothing else is wrong with it");
        assert!(builder(&key).without_header("jwk").with_private_key().try_sign().is_err());
    }

    #[test]
    fn a_proof_signed_by_another_keeps_its_own_key_in_the_header() {
        let (own, other) = (key(), key());
        let proof = builder(&own).signed_by(&other).sign();
        assert_eq!(parts(&proof).0["jwk"], Value::Object(own.public_members()));
        assert!(!verifies(&proof));
    }

    #[test]
    fn a_bad_signature_no_longer_verifies_and_nothing_else_differs() {
        let proof = builder(&key());
        assert!(verifies(&proof.sign()));
        assert!(!verifies(&proof.clone().bad_signature().sign()));
        assert_eq!(claims(&proof.clone().jti("j").bad_signature()), claims(&proof.jti("j")));
    }

    #[test]
    fn a_random_jti_is_other_at_each_signing_and_a_given_one_stays() {
        let proof = builder(&key());
        assert_ne!(claims(&proof)["jti"], claims(&proof)["jti"]);
        let given = proof.jti("j");
        assert_eq!(claims(&given)["jti"], claims(&given)["jti"]);
    }

    #[test]
    fn what_is_no_json_is_reported_when_the_proof_is_made_and_nothing_is_printed() {
        let odd = std::collections::HashMap::from([(vec![1], 1)]);
        assert!(builder(&key()).claim("odd", odd).try_sign().is_err());
        assert!(!format!("{:?}", builder(&key()).nonce("SENTINEL")).contains("SENTINEL"));
    }
}
