//! Algorithms, keys, hashes and seals: the only room that names the crypto crate, `mint` apart.
//!
//! Asymmetric signatures only. HMAC and `none` have no spelling here, so no configuration can admit them
//! (RFC 8725 section 3.1). A key is parsed once, when its key set is loaded, and refuses what its type, curve or
//! size does not fit.

pub(crate) mod aead;
mod algorithm;
pub(crate) mod sign;

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use algorithm::Algorithm;

/// An elliptic curve of RFC 7518 section 6.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    const fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::Es256,
            Self::P384 => Algorithm::Es384,
            Self::P521 => Algorithm::Es512,
        }
    }

    fn verification(self) -> &'static signature::EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// A public key, parsed and found sound.
pub(crate) struct Key {
    material: Material,
    thumbprint: String,
}

#[expect(
    clippy::large_enum_variant,
    reason = "a handful of keys live at a time, and each is read far more often than moved"
)]
enum Material {
    /// One parsed form for each RSA algorithm, made when first asked for: a key that names no `alg` serves six.
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
        parsed: [OnceLock<Option<ParsedPublicKey>>; 6],
    },
    Ec {
        curve: Curve,
        parsed: ParsedPublicKey,
    },
    Ed25519 {
        parsed: ParsedPublicKey,
    },
}

impl Key {
    /// An RSA key from big-endian modulus and exponent: odd and of 2048 to 8192 bits, odd and at least 3
    /// (RFC 7518 section 3.3).
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, UnfitKey> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if !(2048..=8192).contains(&bits) {
            return Err(UnfitKey("an RSA modulus must have 2048 to 8192 bits"));
        }
        // The product of two odd primes; the crypto crate would notice only at the first signature.
        if n.last().is_none_or(|last| last % 2 == 0) {
            return Err(UnfitKey("an RSA modulus must be odd"));
        }
        let exponent_fits = match e {
            [] => false,
            [only] => *only >= 3 && only % 2 == 1,
            [.., last] => e.len() <= 4 && last % 2 == 1,
        };
        if !exponent_fits {
            return Err(UnfitKey("an RSA exponent must be odd, at least 3 and at most 32 bits long"));
        }
        RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| UnfitKey("the RSA key is not sound"))?;
        let thumbprint = thumbprint(&format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64(e), b64(n)));
        Ok(Self { material: Material::Rsa { n: n.into(), e: e.into(), parsed: Default::default() }, thumbprint })
    }

    /// An elliptic-curve key from its coordinates, each of the curve's full length (RFC 7518 section 6.2.1.2).
    pub(crate) fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, UnfitKey> {
        if x.len() != curve.coordinate_len() || y.len() != curve.coordinate_len() {
            return Err(UnfitKey("an EC coordinate must have its curve's full length"));
        }
        let point = [&[4], x, y].concat();
        let parsed = ParsedPublicKey::new(curve.verification(), point)
            .map_err(|_| UnfitKey("the EC point is not on its curve"))?;
        let thumbprint =
            thumbprint(&format!(r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#, curve.name(), b64(x), b64(y)));
        Ok(Self { material: Material::Ec { curve, parsed }, thumbprint })
    }

    /// An Ed25519 key from its 32 bytes (RFC 8037 section 2).
    pub(crate) fn ed25519(x: &[u8]) -> Result<Self, UnfitKey> {
        if x.len() != 32 {
            return Err(UnfitKey("an Ed25519 key must have 32 bytes"));
        }
        let parsed =
            ParsedPublicKey::new(&signature::ED25519, x).map_err(|_| UnfitKey("the Ed25519 key is not sound"))?;
        let thumbprint = thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64(x)));
        Ok(Self { material: Material::Ed25519 { parsed }, thumbprint })
    }

    /// Whether the key's type and curve belong to `algorithm`.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match &self.material {
            Material::Rsa { .. } => rsa_parameters(algorithm).is_some(),
            Material::Ec { curve, .. } => curve.algorithm() == algorithm,
            Material::Ed25519 { .. } => algorithm.is_edwards(),
        }
    }

    /// Whether `signature` over `message` is this key's, by `algorithm`. False when the key does not fit it.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.parsed(algorithm).is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }

    fn parsed(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        match &self.material {
            Material::Rsa { n, e, parsed } => {
                let (slot, parameters) = rsa_parameters(algorithm)?;
                let parse = || RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok();
                parsed.get(slot)?.get_or_init(parse).as_ref()
            }
            Material::Ec { curve, parsed } => (curve.algorithm() == algorithm).then_some(parsed),
            Material::Ed25519 { parsed } => algorithm.is_edwards().then_some(parsed),
        }
    }

    /// The SHA-256 thumbprint of RFC 7638: over required members only, base64url.
    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<(usize, &'static RsaParameters)> {
    Some(match algorithm {
        Algorithm::Rs256 => (0, &signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => (1, &signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => (2, &signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => (3, &signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => (4, &signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => (5, &signature::RSA_PSS_2048_8192_SHA512),
        _ => return None,
    })
}

/// Some encoders prefix the modulus with zero octets (warned of in RFC 7518 section 6.3.1.1); they mean nothing.
fn without_leading_zeros(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// A public key that must not be used, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnfitKey(pub(crate) &'static str);

fn thumbprint(members: &str) -> String {
    b64(&sha256(&[members.as_bytes()]))
}

/// base64url without padding (RFC 7515 section 2).
pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Strict base64url: no padding, no other alphabet, unused bits zero (RFC 4648 section 3.5).
pub(crate) fn b64_decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// SHA-256 of `parts` one after the other; where their bounds matter, the parts must tell them.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    // A SHA-256 hash has 32 bytes, so nothing is left out.
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// Unpredictable bytes; `None` when the system has none to give.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).ok().map(|()| bytes)
}

/// A number in `0.0..1.0` for jitter. Not for secrets: it falls back to the middle when the system has no randomness.
pub(crate) fn unit_random() -> f64 {
    random().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        b64_decode(text.as_bytes()).unwrap()
    }

    /// JOS-10: RFC 8037 appendix A, and its companion under the name of RFC 9864, verify by one key (V-08).
    /// JOS-12: the thumbprint is that of the appendix.
    #[test]
    fn the_published_ed25519_signature_verifies_under_both_names() {
        let key = Key::ed25519(&bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")).unwrap();
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = bytes("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
        assert!(key.verifies(Algorithm::EdDsa, message, &signature));
        assert!(key.verifies(Algorithm::Ed25519, message, &signature));
        let renamed = b"eyJhbGciOiJFZDI1NTE5In0.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let companion = bytes("UxhIYLHGg39NVCLpQAVD_UcfOmnGSCzLFZoXYkLiIbFccmOb_qObsgjzLKsfJw-4NlccUgvYrEHrRbNV0HcZAQ");
        assert!(key.verifies(Algorithm::Ed25519, renamed, &companion));
        assert!(!key.verifies(Algorithm::Es256, message, &signature));
        assert!(!key.verifies(Algorithm::EdDsa, b"other", &signature));
    }

    /// JOS-12: RFC 7638 section 3.1 (V-05).
    #[test]
    fn the_published_rsa_thumbprint_is_reproduced() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZ\
                 CiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZ\
                 gnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniI\
                 qbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = Key::rsa(&bytes(n), &bytes("AQAB")).unwrap();
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert!(key.fits(Algorithm::Ps512) && !key.fits(Algorithm::Es256) && !key.fits(Algorithm::EdDsa));
    }

    /// JOS-12: RFC 9449 section 6.1 (V-03).
    #[test]
    fn the_published_ec_thumbprint_is_reproduced() {
        let x = bytes("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs");
        let y = bytes("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA");
        let key = Key::ec(Curve::P256, &x, &y).unwrap();
        assert_eq!(key.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    /// RFC 7515 appendices A.2 and A.3 (V-06).
    #[test]
    fn the_published_rsa_and_ec_signatures_verify() {
        let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
                 T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQ\
                 OS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8\
                 q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let rs256 = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG\
                     bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
                     0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
                     LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let es256 = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let x = bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        let y = bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        let (rsa, ec) = (Key::rsa(&bytes(n), &bytes("AQAB")).unwrap(), Key::ec(Curve::P256, &x, &y).unwrap());
        let (by_rsa, by_ec) = (format!("eyJhbGciOiJSUzI1NiJ9.{payload}"), format!("eyJhbGciOiJFUzI1NiJ9.{payload}"));
        assert!(rsa.verifies(Algorithm::Rs256, by_rsa.as_bytes(), &bytes(rs256)));
        assert!(ec.verifies(Algorithm::Es256, by_ec.as_bytes(), &bytes(es256)));
        assert!(!rsa.verifies(Algorithm::Ps256, by_rsa.as_bytes(), &bytes(rs256)));
        assert!(!rsa.verifies(Algorithm::Rs256, by_ec.as_bytes(), &bytes(rs256)));
        assert!(!ec.verifies(Algorithm::Es256, by_rsa.as_bytes(), &bytes(es256)));
    }

    /// JOS-06: RSA keys have 2048 to 8192 bits and an odd exponent of at least three.
    #[test]
    fn rsa_sizes_and_exponents_out_of_range_are_refused() {
        let modulus = |bits: usize| {
            let mut n = vec![0xFF; bits / 8];
            n[0] = 0x80;
            n
        };
        assert!(Key::rsa(&modulus(1024), &[1, 0, 1]).is_err());
        assert!(Key::rsa(&modulus(8200), &[1, 0, 1]).is_err());
        assert!(Key::rsa(&modulus(65_536), &[1, 0, 1]).is_err());
        assert!(Key::rsa(&modulus(2048), &[1]).is_err());
        assert!(Key::rsa(&modulus(2048), &[1, 0, 0]).is_err());
        assert!(Key::rsa(&modulus(2048), &[1, 0, 0, 0, 1]).is_err());
        assert!(Key::rsa(&modulus(2048), &[]).is_err());
        assert!(Key::rsa(&[], &[3]).is_err());
        let mut even = modulus(2048);
        even[255] = 0xFE;
        assert!(Key::rsa(&even, &[3]).is_err());
        assert!(Key::rsa(&modulus(2048), &[3]).is_ok());
        let padded = [vec![0], modulus(2048)].concat();
        assert!(Key::rsa(&padded, &[0, 1, 0, 1]).is_ok());
    }

    /// JOS-11: coordinates have their full length, and points lie on their curve.
    #[test]
    fn ec_points_must_have_full_length_and_lie_on_the_curve() {
        let x = bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        let y = bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        assert!(Key::ec(Curve::P256, &x, &y).is_ok());
        assert!(Key::ec(Curve::P256, &x[1..], &y).is_err());
        assert!(Key::ec(Curve::P384, &x, &y).is_err());
        let mut off = y.clone();
        off[31] ^= 1;
        assert!(Key::ec(Curve::P256, &x, &off).is_err());
        assert!(Key::ed25519(&x[1..]).is_err());
    }

    /// BCP-01: algorithms are known by their exact names.
    #[test]
    fn names_are_exact() {
        assert_eq!(Algorithm::from_name("ES256"), Some(Algorithm::Es256));
        for name in ["es256", "none", "None", "HS256", "", "ES256 "] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }

    /// JOS-04: no padding, no other alphabet, no unused bits.
    #[test]
    fn base64url_is_strict() {
        assert_eq!(b64_decode(b"AA"), Some(vec![0]));
        for bad in ["AA==", "AB", "A", "A A", "A+", "A/", "AA\n"] {
            assert_eq!(b64_decode(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
