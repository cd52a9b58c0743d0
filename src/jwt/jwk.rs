//! One public key as JSON (RFC 7517 section 4), read for whoever finds it: in a set of keys or in a header.
//!
//! The crate jsonwebtoken parses JWKs too, but folds `ES512` and `Ed25519` into one unknown algorithm; then a key's own
//! `alg` could no longer decide what it verifies, and that is the point of reading it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::crypto::{Algorithm, Curve, Key, UnfitKey, b64_decode};
use crate::jwt::json::{Text, present};

/// The members that decide anything. Certificates (`x5c`, `x5u`, `x5t`) are not among them: a set comes over an
/// authenticated channel, and a key in a header is nobody's but the sender's.
#[derive(Deserialize)]
pub(crate) struct Jwk<'k> {
    #[serde(borrow)]
    kty: Text<'k>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) kid: Option<Text<'k>>,
    #[serde(borrow, default, rename = "use", deserialize_with = "present")]
    intended_use: Option<Text<'k>>,
    #[serde(borrow, default, deserialize_with = "present")]
    key_ops: Option<Vec<Text<'k>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    alg: Option<Text<'k>>,
    #[serde(borrow, default, deserialize_with = "present")]
    crv: Option<Text<'k>>,
    #[serde(borrow, default, deserialize_with = "present")]
    x: Option<Text<'k>>,
    #[serde(borrow, default, deserialize_with = "present")]
    y: Option<Text<'k>>,
    #[serde(borrow, default, deserialize_with = "present")]
    n: Option<Text<'k>>,
    #[serde(borrow, default, deserialize_with = "present")]
    e: Option<Text<'k>>,
    /// In EC, OKP and RSA keys alike the private part (RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2).
    #[serde(default, deserialize_with = "present")]
    d: Option<IgnoredAny>,
    /// A prime factor of an RSA modulus: as private as `d`, from which the rest follows. So are those below.
    #[serde(default, deserialize_with = "present")]
    p: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    q: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    dp: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    dq: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    qi: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    oth: Option<IgnoredAny>,
    /// A symmetric key (RFC 7518 section 6.4.1).
    #[serde(default, deserialize_with = "present")]
    k: Option<IgnoredAny>,
    /// The private part of keys that are one string of bytes (RFC 9964).
    #[serde(default, rename = "priv", deserialize_with = "present")]
    private: Option<IgnoredAny>,
}

impl<'k> Jwk<'k> {
    /// Reads a JWK whose JSON was found strict before.
    pub(crate) fn parse(json: &'k str) -> Result<Self, UnfitKey> {
        serde_json::from_str(json).map_err(|_| UnfitKey("a member is missing or has the wrong type"))
    }

    /// Whether it shows what only its owner may have, whatever its type is.
    pub(crate) fn is_private(&self) -> bool {
        let members = [self.d, self.p, self.q, self.dp, self.dq, self.qi, self.oth, self.k, self.private];
        self.kty.0 == "oct" || members.iter().any(Option::is_some)
    }
}

impl Jwk<'_> {
    /// `use` and `key_ops`, each honoured, and consistent where both are there (RFC 7517 sections 4.2 and 4.3).
    pub(crate) fn check_purpose(&self) -> Result<(), UnfitKey> {
        if self.intended_use.as_ref().is_some_and(|Text(purpose)| purpose != "sig") {
            return Err(UnfitKey("use is not sig"));
        }
        let Some(operations) = &self.key_ops else { return Ok(()) };
        if !operations.iter().any(|Text(operation)| operation == "verify") {
            return Err(UnfitKey("key_ops does not name verify"));
        }
        let for_signatures = |Text(operation): &Text<'_>| operation == "verify" || operation == "sign";
        if self.intended_use.is_some() && !operations.iter().all(for_signatures) {
            return Err(UnfitKey("key_ops contradicts use"));
        }
        Ok(())
    }

    /// The algorithm that the key is limited to; without one, whatever its type and curve fit.
    pub(crate) fn algorithm(&self) -> Result<Option<Algorithm>, UnfitKey> {
        let Some(Text(name)) = &self.alg else { return Ok(None) };
        Algorithm::from_name(name).map(Some).ok_or(UnfitKey("alg is not understood"))
    }

    pub(crate) fn key(&self) -> Result<Key, UnfitKey> {
        let crv = self.crv.as_ref().map(|Text(crv)| crv.as_ref());
        match (self.kty.0.as_ref(), crv) {
            ("RSA", _) => Key::rsa(&decode(self.n.as_ref())?, &decode(self.e.as_ref())?),
            ("EC", Some(crv)) => {
                let curve = Curve::from_name(crv).ok_or(UnfitKey("crv is not understood"))?;
                Key::ec(curve, &decode(self.x.as_ref())?, &decode(self.y.as_ref())?)
            }
            ("OKP", Some("Ed25519")) => Key::ed25519(&decode(self.x.as_ref())?),
            _ => Err(UnfitKey("kty or crv is not understood")),
        }
    }
}

fn decode(member: Option<&Text<'_>>) -> Result<Vec<u8>, UnfitKey> {
    let Text(text) = member.ok_or(UnfitKey("a member is missing"))?;
    b64_decode(text.as_bytes()).ok_or(UnfitKey("a member is not strict base64url"))
}
