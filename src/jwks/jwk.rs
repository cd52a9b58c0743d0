//! One public key of a set (RFC 7517 section 4): read on its own, used only when everything about it is understood.

use crate::crypto::{Algorithm, Key, UnfitKey};
use crate::jwt::compact::MAX_ID_BYTES;
use crate::jwt::json::Text;
use crate::jwt::jwk::Jwk;

/// A key that may verify signatures, and how its set names and limits it.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    pub(crate) kid: Option<Box<str>>,
    /// What the key is limited to; without it, whatever its type and curve fit.
    pub(crate) alg: Option<Algorithm>,
    pub(crate) key: Key,
}

impl VerificationKey {
    /// Reads a JWK whose JSON was found strict before.
    pub(crate) fn from_jwk(json: &str) -> Result<Self, UnfitKey> {
        let jwk = Jwk::parse(json)?;
        // Its public half is sound, but whoever can read the set can sign with the other.
        if jwk.is_private() {
            return Err(UnfitKey("a private key was published"));
        }
        jwk.check_purpose()?;
        if jwk.kid.as_ref().is_some_and(|Text(kid)| kid.len() > MAX_ID_BYTES) {
            return Err(UnfitKey("kid is longer than any token's may be"));
        }
        let key = jwk.key()?;
        let alg = jwk.algorithm()?;
        if alg.is_some_and(|alg| !key.fits(alg)) {
            return Err(UnfitKey("alg does not belong to the key's type and curve"));
        }
        Ok(Self { kid: jwk.kid.map(|Text(kid)| kid.into_owned().into_boxed_str()), alg, key })
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
