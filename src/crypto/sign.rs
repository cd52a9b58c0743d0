//! Signing, for a client that proves itself by its key. What a signature is over is said elsewhere.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair};

use super::{Algorithm, Curve, UnfitKey};

/// A private key, parsed and found sound.
pub(crate) struct SigningKey(Material);

enum Material {
    Rsa(RsaKeyPair),
    Ec(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A key in PKCS #8, unencrypted (RFC 5958): RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, UnfitKey> {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            if let Ok(key) = EcdsaKeyPair::from_pkcs8(curve.signing(), der) {
                return Ok(Self(Material::Ec(curve, key)));
            }
        }
        // Most tools write Ed25519 keys without the public half, which is derived then.
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self(Material::Ed25519(key)));
        }
        let key = RsaKeyPair::from_pkcs8(der)
            .map_err(|_| UnfitKey("it is no unencrypted PKCS #8 key of RSA, P-256, P-384, P-521 or Ed25519"))?;
        if !(2048..=8192).contains(&(key.public_modulus_len() * 8)) {
            return Err(UnfitKey("an RSA modulus must have 2048 to 8192 bits"));
        }
        Ok(Self(Material::Rsa(key)))
    }

    /// The algorithm to sign with where none was chosen: the one that servers know best for such a key.
    pub(crate) const fn usual_algorithm(&self) -> Algorithm {
        match &self.0 {
            Material::Rsa(_) => Algorithm::Rs256,
            Material::Ec(curve, _) => curve.algorithm(),
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Whether it can sign by `algorithm`.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match &self.0 {
            Material::Rsa(_) => rsa_encoding(algorithm).is_some(),
            Material::Ec(curve, _) => curve.algorithm() == algorithm,
            Material::Ed25519(_) => algorithm.is_edwards(),
        }
    }

    /// The signature in JOSE's form; `None` when the key does not fit `algorithm`.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        if !self.fits(algorithm) {
            return None;
        }
        let random = SystemRandom::new();
        match &self.0 {
            Material::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(rsa_encoding(algorithm)?, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Material::Ec(_, key) => key.sign(&random, message).ok().map(|signature| signature.as_ref().to_vec()),
            Material::Ed25519(key) => key.try_sign(message).ok().map(|signature| signature.as_ref().to_vec()),
        }
    }
}

impl Curve {
    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.usual_algorithm())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RsaPublicKeyComponents, UnparsedPublicKey};

    use super::*;
    use crate::crypto::Key;

    fn ec(curve: Curve) -> Vec<u8> {
        EcdsaKeyPair::generate_pkcs8(curve.signing(), &SystemRandom::new()).unwrap().as_ref().to_vec()
    }

    fn public_half(key: &SigningKey) -> &[u8] {
        match &key.0 {
            Material::Ec(_, key) => key.public_key().as_ref(),
            Material::Rsa(key) => key.public_key().as_ref(),
            Material::Ed25519(key) => key.public_key().as_ref(),
        }
    }

    #[test]
    fn each_elliptic_key_signs_by_its_own_algorithm_alone() {
        for (curve, algorithm) in
            [(Curve::P256, Algorithm::Es256), (Curve::P384, Algorithm::Es384), (Curve::P521, Algorithm::Es512)]
        {
            let key = SigningKey::from_pkcs8(&ec(curve)).unwrap();
            assert_eq!(key.usual_algorithm(), algorithm);
            let signature = key.sign(algorithm, b"message").unwrap();
            let (x, y) = public_half(&key)[1..].split_at(curve.coordinate_len());
            assert!(Key::ec(curve, x, y).unwrap().verifies(algorithm, b"message", &signature));
            for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(!key.fits(other) && key.sign(other, b"message").is_none(), "{other}");
            }
        }
    }

    #[test]
    fn an_rsa_key_signs_by_six_algorithms() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let key = SigningKey::from_pkcs8(der.as_ref()).unwrap();
        assert_eq!(key.usual_algorithm(), Algorithm::Rs256);
        let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let public = Key::rsa(&parts.n, &parts.e).unwrap();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| key.fits(*algorithm)) {
            let signature = key.sign(algorithm, b"message").unwrap();
            assert!(public.verifies(algorithm, b"message", &signature), "{algorithm}");
        }
        assert_eq!(Algorithm::ALL.into_iter().filter(|algorithm| key.fits(*algorithm)).count(), 6);
    }

    #[test]
    fn an_ed25519_key_signs_with_or_without_its_public_half_in_the_file() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let (v1, v2): (Pkcs8V1Der<'_>, _) = (pair.as_der().unwrap(), pair.to_pkcs8().unwrap());
        for der in [v1.as_ref(), v2.as_ref()] {
            let key = SigningKey::from_pkcs8(der).unwrap();
            let signature = key.sign(Algorithm::Ed25519, b"message").unwrap();
            let public = UnparsedPublicKey::new(&signature::ED25519, pair.public_key().as_ref());
            public.verify(b"message", &signature).unwrap();
            assert!(key.fits(Algorithm::EdDsa) && !key.fits(Algorithm::Es256));
        }
    }

    #[test]
    fn other_bytes_are_no_key_and_a_key_prints_nothing_of_itself() {
        for bytes in [&b""[..], b"junk", &ec(Curve::P256)[1..]] {
            assert!(SigningKey::from_pkcs8(bytes).is_err());
        }
        let key = SigningKey::from_pkcs8(&ec(Curve::P256)).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(ES256)");
    }
}
