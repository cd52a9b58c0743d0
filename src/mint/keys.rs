//! Private keys that sign: one type for every [`Algorithm`], with its public JWK (RFC 7517).
//!
//! jsonwebtoken signs where it knows the algorithm, by a provider named here and never by the process-wide one, which
//! panics when two crates of a build choose different ones. ES512 and the name `Ed25519`, which it lacks, go to the
//! crypto crate directly.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents,
};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::crypto::{Algorithm, Curve, Key, b64};
use crate::mint::MintError;
use crate::secret::Secret;

/// A private key for one algorithm. Clones share the key.
#[derive(Clone)]
pub struct SigningKey {
    kid: Box<str>,
    pair: Arc<Pair>,
}

struct Pair {
    algorithm: Algorithm,
    private: Private,
    /// `kty` and the members that RFC 7518 section 6 and RFC 8037 section 2 demand of a public key.
    public: Vec<(&'static str, String)>,
    /// What a resource server makes of the public members: none is handed out that it could not load.
    key: Key,
    pkcs8: Secret<Vec<u8>>,
}

enum Private {
    Jose(jsonwebtoken::Algorithm, EncodingKey),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A fresh key for `algorithm`; RSA keys have 2048 bits. Its `kid` is its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`MintError`] when the system has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, MintError> {
        let pair = match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => rsa(algorithm)?,
            Algorithm::Es256 => ec(algorithm, &ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")?,
            Algorithm::Es384 => ec(algorithm, &ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")?,
            Algorithm::Es512 => ec(algorithm, &ECDSA_P521_SHA512_FIXED_SIGNING, "P-521")?,
            Algorithm::EdDsa | Algorithm::Ed25519 => ed25519(algorithm)?,
        };
        Ok(Self { kid: pair.key.thumbprint().into(), pair: Arc::new(pair) })
    }

    /// The same key under another `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = kid.into().into_boxed_str();
        self
    }

    /// The key's identifier in JOSE headers and key sets.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm by which the key signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.pair.algorithm
    }

    /// The SHA-256 thumbprint of the public key (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        self.pair.key.thumbprint()
    }

    /// The private key in PKCS #8 (RFC 5208 section 5), as DER: for a client under test that signs with it. Whoever
    /// takes it answers for where it goes.
    #[must_use]
    pub fn to_pkcs8(&self) -> Vec<u8> {
        self.pair.pkcs8.expose().clone()
    }

    /// Whether this key made `signature` over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.pair.key.verifies(self.algorithm(), message, signature)
    }

    /// The public key as a JWK, with `kid`, `use` and `alg` (RFC 7517 section 4).
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.public_members();
        jwk.insert("kid".into(), self.kid().into());
        jwk.insert("use".into(), "sig".into());
        jwk.insert("alg".into(), self.algorithm().as_str().into());
        Value::Object(jwk)
    }

    /// What makes the public key and no more, as a DPoP proof carries it (RFC 9449 section 4.2).
    pub(crate) fn public_members(&self) -> Map<String, Value> {
        self.pair.public.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect()
    }

    /// A compact JWS (RFC 7515 section 7.1) of `header` and `claims` exactly as given: not even `alg` is added.
    ///
    /// # Errors
    /// [`MintError`] when one of them is no JSON, or the system has no randomness.
    pub fn sign<H: Serialize + ?Sized, C: Serialize + ?Sized>(
        &self,
        header: &H,
        claims: &C,
    ) -> Result<String, MintError> {
        self.sign_bytes(&to_json(header)?, &to_json(claims)?)
    }

    /// A compact JWS of bytes that need not be JSON, for tokens that no parser may accept.
    ///
    /// # Errors
    /// [`MintError`] when the system has no randomness.
    pub fn sign_bytes(&self, header: &[u8], payload: &[u8]) -> Result<String, MintError> {
        let message = format!("{}.{}", b64(header), b64(payload));
        let signature = self.signature(message.as_bytes())?;
        Ok(format!("{message}.{}", b64(&signature)))
    }

    /// The bare signature of `message`, in the form of RFC 7518 section 3.
    pub(crate) fn signature(&self, message: &[u8]) -> Result<Vec<u8>, MintError> {
        const FAILED: MintError = MintError("signing failed");
        match &self.pair.private {
            Private::Jose(algorithm, key) => (DEFAULT_PROVIDER.signer_factory)(algorithm, key)
                .map_err(|_| FAILED)?
                .try_sign(message)
                .map_err(|_| FAILED),
            Private::Ec(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|made| made.as_ref().to_vec()).map_err(|_| FAILED)
            }
            Private::Ed25519(pair) => pair.try_sign(message).map(|made| made.as_ref().to_vec()).map_err(|_| FAILED),
        }
    }
}

impl From<&Self> for SigningKey {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.pair.algorithm)
            .finish_non_exhaustive()
    }
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, MintError> {
    serde_json::to_vec(value).map_err(|_| MintError("a header or claim cannot be written as JSON"))
}

const GENERATION: MintError = MintError("a key could not be generated");

fn rsa(algorithm: Algorithm) -> Result<Pair, MintError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| GENERATION)?;
    let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| GENERATION)?;
    let jose = jose(algorithm).ok_or(GENERATION)?;
    Ok(Pair {
        algorithm,
        private: Private::Jose(jose, EncodingKey::from_rsa_der(rsa_private_key(pkcs8.as_ref())?)),
        public: vec![("kty", "RSA".into()), ("n", b64(&n)), ("e", b64(&e))],
        key: Key::rsa(&n, &e).map_err(|_| GENERATION)?,
        pkcs8: Secret::new(pkcs8.as_ref().to_vec()),
    })
}

/// The `RSAPrivateKey` of RFC 8017 that jsonwebtoken wants, out of its PKCS#8 envelope (RFC 5208 section 5), whose
/// parts have fixed lengths for keys of this size: sequence, version, algorithm, octet string.
fn rsa_private_key(pkcs8: &[u8]) -> Result<&[u8], MintError> {
    match pkcs8.split_at_checked(4 + 3 + 15 + 4) {
        Some(([.., 0x04, 0x82, _, _], key)) => Ok(key),
        _ => Err(GENERATION),
    }
}

fn ec(algorithm: Algorithm, signing: &'static EcdsaSigningAlgorithm, crv: &str) -> Result<Pair, MintError> {
    let pair = EcdsaKeyPair::generate(signing).map_err(|_| GENERATION)?;
    let [4, coordinates @ ..] = pair.public_key().as_ref() else { return Err(GENERATION) };
    let (x, y) = coordinates.split_at_checked(coordinates.len() / 2).ok_or(GENERATION)?;
    let public = vec![("kty", "EC".into()), ("crv", crv.into()), ("x", b64(x)), ("y", b64(y))];
    let key = Key::ec(Curve::from_name(crv).ok_or(GENERATION)?, x, y).map_err(|_| GENERATION)?;
    let pkcs8 = Secret::new(pair.to_pkcs8v1().map_err(|_| GENERATION)?.as_ref().to_vec());
    let private = match jose(algorithm) {
        Some(jose) => Private::Jose(jose, EncodingKey::from_ec_der(pkcs8.expose())),
        None => Private::Ec(pair),
    };
    Ok(Pair { algorithm, private, public, key, pkcs8 })
}

fn ed25519(algorithm: Algorithm) -> Result<Pair, MintError> {
    let pair = Ed25519KeyPair::generate().map_err(|_| GENERATION)?;
    let x = pair.public_key().as_ref();
    let public = vec![("kty", "OKP".into()), ("crv", "Ed25519".into()), ("x", b64(x))];
    let key = Key::ed25519(x).map_err(|_| GENERATION)?;
    let pkcs8 = Secret::new(pair.to_pkcs8v1().map_err(|_| GENERATION)?.as_ref().to_vec());
    let private = match jose(algorithm) {
        Some(jose) => Private::Jose(jose, EncodingKey::from_ed_der(pkcs8.expose())),
        None => Private::Ed25519(pair),
    };
    Ok(Pair { algorithm, private, public, key, pkcs8 })
}

fn jose(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    use jsonwebtoken::Algorithm as Jose;
    Some(match algorithm {
        Algorithm::Rs256 => Jose::RS256,
        Algorithm::Rs384 => Jose::RS384,
        Algorithm::Rs512 => Jose::RS512,
        Algorithm::Ps256 => Jose::PS256,
        Algorithm::Ps384 => Jose::PS384,
        Algorithm::Ps512 => Jose::PS512,
        Algorithm::Es256 => Jose::ES256,
        Algorithm::Es384 => Jose::ES384,
        Algorithm::EdDsa => Jose::EdDSA,
        Algorithm::Es512 | Algorithm::Ed25519 => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::b64_decode;
    use crate::jwt::compact::Compact;

    /// What a resource server makes of the published JWK, from its members alone.
    fn parsed(jwk: &Value) -> Key {
        let bytes = |name: &str| b64_decode(jwk[name].as_str().unwrap().as_bytes()).unwrap();
        match jwk["kty"].as_str().unwrap() {
            "RSA" => Key::rsa(&bytes("n"), &bytes("e")),
            "EC" => Key::ec(Curve::from_name(jwk["crv"].as_str().unwrap()).unwrap(), &bytes("x"), &bytes("y")),
            _ => Key::ed25519(&bytes("x")),
        }
        .unwrap()
    }

    #[test]
    fn every_algorithm_signs_what_its_public_jwk_verifies() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let token = key.sign(&json!({ "alg": algorithm.as_str() }), &json!({ "sub": "s" })).unwrap();
            let compact = Compact::parse(&token).unwrap();
            let public = parsed(&key.public_jwk());
            assert_eq!(compact.header.alg, algorithm);
            assert_eq!(compact.payload, r#"{"sub":"s"}"#);
            assert!(public.verifies(algorithm, compact.signed, &compact.signature), "{algorithm}");
            assert!(!public.verifies(algorithm, b"another message", &compact.signature), "{algorithm}");
            assert_eq!(public.thumbprint(), key.kid());
        }
    }

    #[test]
    fn a_public_jwk_names_the_key_and_holds_nothing_private() {
        for algorithm in [Algorithm::Ps256, Algorithm::Es512, Algorithm::Ed25519] {
            let jwk = SigningKey::generate(algorithm).unwrap().with_kid("k1").public_jwk();
            assert_eq!(
                (&jwk["kid"], &jwk["use"], &jwk["alg"]),
                (&json!("k1"), &json!("sig"), &json!(algorithm.as_str()))
            );
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert_eq!(jwk.get(private), None, "{algorithm} {private}");
            }
        }
    }

    #[test]
    fn the_private_key_is_handed_out_whole() {
        let pkcs8 = |algorithm| SigningKey::generate(algorithm).unwrap().to_pkcs8();
        assert!(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8(Algorithm::Es256)).is_ok());
        assert!(EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, &pkcs8(Algorithm::Es512)).is_ok());
        assert!(Ed25519KeyPair::from_pkcs8(&pkcs8(Algorithm::Ed25519)).is_ok());
        assert!(RsaKeyPair::from_pkcs8(&pkcs8(Algorithm::Ps256)).is_ok());
    }

    #[test]
    fn bytes_are_signed_as_they_are() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let token = key.sign_bytes(br#"{"alg":"ES256"}"#, b"\xFFnot json").unwrap();
        let payload = token.split('.').nth(1).unwrap();
        assert_eq!(b64_decode(payload.as_bytes()).unwrap(), b"\xFFnot json");
    }

    #[test]
    fn two_keys_differ_and_neither_is_printed() {
        let (one, other) =
            (SigningKey::generate(Algorithm::Es256).unwrap(), SigningKey::generate(Algorithm::Es256).unwrap());
        assert_ne!(one.thumbprint(), other.thumbprint());
        let printed = format!("{:?}", one.clone().with_kid("k1"));
        assert_eq!(printed, r#"SigningKey { kid: "k1", algorithm: Es256, .. }"#);
    }
}
