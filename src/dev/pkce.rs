//! PKCE (RFC 7636): whoever redeems a code is who asked for it. S256 and nothing else.

use subtle::ConstantTimeEq as _;

use crate::crypto::{b64, b64_decode, sha256};

/// Whether `challenge` can be the S256 of anything: the base64url of 32 bytes (RFC 7636 section 4.2).
pub(crate) fn is_challenge(challenge: &str) -> bool {
    challenge.len() == 43 && b64_decode(challenge.as_bytes()).is_some_and(|hash| hash.len() == 32)
}

/// Whether `verifier` is 43 to 128 unreserved characters (RFC 7636 section 4.1) whose hash is the challenge.
pub(crate) fn verify(verifier: &str, challenge: &str) -> Result<(), &'static str> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
        return Err("code_verifier must have 43 to 128 unreserved characters (RFC 7636 section 4.1)");
    }
    let hash = b64(&sha256(&[verifier.as_bytes()]));
    if bool::from(hash.as_bytes().ct_eq(challenge.as_bytes())) {
        Ok(())
    } else {
        Err("code_verifier does not belong to the code_challenge of the authorization request")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B (V-04).
    #[test]
    fn the_published_verifier_belongs_to_the_published_challenge() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(is_challenge(challenge));
        assert_eq!(verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge), Ok(()));
        assert!(verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", challenge).is_err());
    }

    #[test]
    fn verifiers_have_43_to_128_unreserved_characters() {
        let challenge = |verifier: &str| b64(&sha256(&[verifier.as_bytes()]));
        for good in ["a".repeat(43), "~".repeat(128), "-._~".repeat(11)] {
            assert_eq!(verify(&good, &challenge(&good)), Ok(()), "{good}");
        }
        for bad in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43)), "é".repeat(30), String::new()] {
            assert!(verify(&bad, &challenge(&bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_challenge_is_a_hash() {
        for bad in ["", "a", &"a".repeat(42), &"a".repeat(44), &"=".repeat(43), &format!("{}B", "A".repeat(42))] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
