//! An issuer that signs whatever the tests of this room want.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::crypto::{Algorithm, Key};
use crate::jwt::compact::Compact;
use crate::jwt::error::JwtError;
use crate::jwt::jwk::Jwk;
use crate::jwt::signed::{IssuerKeys, Signed, SignedError, Verifying};
use crate::mint::keys::SigningKey;
use crate::time::Timestamp;

pub(crate) const ISSUER: &str = "https://login.example.com";
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// One key, and what it has verified.
#[derive(Debug)]
pub(crate) struct Signer {
    key: SigningKey,
    /// Whether the keys are out of reach.
    pub(crate) away: std::sync::atomic::AtomicBool,
    pub(crate) asked: AtomicUsize,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        Self { key, away: false.into(), asked: AtomicUsize::new(0) }
    }

    pub(crate) fn sign(&self, typ: &str, claims: &Value) -> String {
        self.key.sign(&serde_json::json!({"alg": "ES256", "typ": typ}), claims).unwrap()
    }

    pub(crate) fn sign_untyped(&self, claims: &Value) -> String {
        self.key.sign(&serde_json::json!({"alg": "ES256"}), claims).unwrap()
    }

    pub(crate) fn signed(&self, typ: &str, claims: &Value) -> Signed {
        verified(&self.sign(typ, claims), &self.key.public_jwk()).unwrap()
    }

    pub(crate) fn signed_untyped(&self, claims: &Value) -> Signed {
        verified(&self.sign_untyped(claims), &self.key.public_jwk()).unwrap()
    }
}

impl IssuerKeys for Signer {
    fn issuer(&self) -> &str {
        ISSUER
    }

    fn verified(&self, document: Box<str>) -> Verifying {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let verdict = if self.away.load(Ordering::Relaxed) {
            Err(SignedError::KeysUnavailable { reason: "nobody there".into(), retry_after: Duration::from_secs(7) })
        } else {
            verified(&document, &self.key.public_jwk()).map_err(SignedError::Refused)
        };
        Box::pin(async { verdict })
    }
}

/// What the key of `jwk` has signed.
pub(crate) fn verified(document: &str, jwk: &Value) -> Result<Signed, JwtError> {
    let jwk = jwk.to_string();
    let key: Key = Jwk::parse(&jwk).unwrap().key().unwrap();
    Signed::verify(Compact::parse_document(document)?, std::iter::once(&key))
}
