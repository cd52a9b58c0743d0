//! One public key of a set (RFC 7517 section 4): read on its own, used only when everything about it is understood.
//!
//! The crate jsonwebtoken parses JWKs too, but folds `ES512` and `Ed25519` into one unknown algorithm; then a key's own
//! `alg` could no longer decide what it verifies, and that is the point of reading it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::crypto::{Algorithm, Curve, Key, UnfitKey, b64_decode};
use crate::jwt::compact::MAX_ID_BYTES;
use crate::jwt::json::{Text, present};

/// A key that may verify signatures, and how its set names and limits it.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    pub(crate) kid: Option<Box<str>>,
    /// What the key is limited to; without it, whatever its type and curve fit.
    pub(crate) alg: Option<Algorithm>,
    pub(crate) key: Key,
}

/// The members that decide anything. Certificates (`x5c`, `x5u`, `x5t`) are not among them: the set itself came over an
/// authenticated channel.
#[derive(Deserialize)]
struct Members<'k> {
    #[serde(borrow)]
    kty: Text<'k>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<Text<'k>>,
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
    /// A prime factor of an RSA modulus: as private as `d`, from which the rest follows.
    #[serde(default, deserialize_with = "present")]
    p: Option<IgnoredAny>,
    /// The other one.
    #[serde(default, deserialize_with = "present")]
    q: Option<IgnoredAny>,
}

impl VerificationKey {
    /// Reads a JWK whose JSON was found strict before.
    pub(crate) fn from_jwk(json: &str) -> Result<Self, UnfitKey> {
        let members: Members<'_> =
            serde_json::from_str(json).map_err(|_| UnfitKey("a member is missing or has the wrong type"))?;
        // Its public half is sound, but whoever can read the set can sign with the other.
        if members.d.is_some() || members.p.is_some() || members.q.is_some() {
            return Err(UnfitKey("a private key was published"));
        }
        members.check_purpose()?;
        if members.kid.as_ref().is_some_and(|Text(kid)| kid.len() > MAX_ID_BYTES) {
            return Err(UnfitKey("kid is longer than any token's may be"));
        }
        let key = members.key()?;
        let alg = match &members.alg {
            None => None,
            Some(Text(name)) => Some(Algorithm::from_name(name).ok_or(UnfitKey("alg is not understood"))?),
        };
        if alg.is_some_and(|alg| !key.fits(alg)) {
            return Err(UnfitKey("alg does not belong to the key's type and curve"));
        }
        Ok(Self { kid: members.kid.map(|Text(kid)| kid.into_owned().into_boxed_str()), alg, key })
    }

    /// Whether this key may verify a signature of `alg`: its type, its curve and its own `alg` all have a say.
    pub(crate) fn is_for(&self, alg: Algorithm) -> bool {
        self.key.fits(alg) && self.alg.is_none_or(|own| own.is_same_as(alg))
    }
}

/// The same key, under the same name, for the same algorithm.
impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid && self.alg == other.alg && self.key.thumbprint() == other.key.thumbprint()
    }
}

impl Eq for VerificationKey {}

impl Members<'_> {
    /// `use` and `key_ops`, each honoured, and consistent where both are there (RFC 7517 sections 4.2 and 4.3).
    fn check_purpose(&self) -> Result<(), UnfitKey> {
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

    fn key(&self) -> Result<Key, UnfitKey> {
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
