//! One proof, and every check on it that needs neither a clock nor a memory (RFC 9449 section 4.3).
//!
//! What is free to check comes first and the signature last. Whether the key is the one that the token is bound to,
//! whether the proof is fresh and whether it was used before is asked afterwards, of a proof that verified.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;

use crate::crypto::{Algorithm, Key, UnfitKey, b64, b64_decode, sha256};
use crate::dpop::error::DpopError;
use crate::dpop::target::Target;
use crate::jwt::compact::{MAX_ID_BYTES, media_type};
use crate::jwt::json::{self, NumericDate, Text, present};
use crate::jwt::jwk::Jwk;
use crate::time::Timestamp;

/// The longest proof that is looked at, in bytes.
pub(crate) const MAX_PROOF_BYTES: usize = 8 * 1024;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// A proof whose signature is that of its own key, for this request and this token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The key's thumbprint, to be held against the token's `cnf.jkt`.
    pub(crate) jkt: Box<str>,
    pub(crate) jti: Box<str>,
    pub(crate) issued_at: Timestamp,
    pub(crate) nonce: Option<Box<str>>,
    pub(crate) algorithm: Algorithm,
}

/// What the request says of itself, and what is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) algorithms: &'a [Algorithm],
    pub(crate) method: &'a str,
    pub(crate) target: &'a Target,
    /// The path that the client used, before any router or layer took a part of it off.
    pub(crate) path: &'a str,
    /// The token that came along; without one, as at a token endpoint, no `ath` is asked for (RFC 9449 section 5).
    pub(crate) token: Option<&'a str>,
}

#[derive(Deserialize)]
struct Header<'h> {
    #[serde(borrow, default, deserialize_with = "present")]
    typ: Option<Text<'h>>,
    #[serde(borrow)]
    alg: Text<'h>,
    #[serde(borrow)]
    jwk: &'h RawValue,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims<'c> {
    #[serde(borrow)]
    jti: Text<'c>,
    #[serde(borrow)]
    htm: Text<'c>,
    #[serde(borrow)]
    htu: Text<'c>,
    iat: NumericDate,
    #[serde(borrow, default, deserialize_with = "present")]
    ath: Option<Text<'c>>,
    #[serde(borrow, default, deserialize_with = "present")]
    nonce: Option<Text<'c>>,
}

impl Proof {
    /// The one proof of a request (check 1). A list in one field is as many proofs as two fields (RFC 9110 section 5.3).
    pub(crate) fn in_headers(headers: &HeaderMap) -> Result<&str, DpopError> {
        let mut fields = headers.get_all(DPOP).iter();
        let field = fields.next().ok_or(DpopError::Missing)?;
        if fields.next().is_some() {
            return Err(DpopError::Repeated);
        }
        if field.len() > MAX_PROOF_BYTES {
            return Err(DpopError::Malformed("longer than 8 KiB"));
        }
        let text = field.to_str().map_err(|_| DpopError::Malformed("not a JWS in ASCII"))?;
        if text.contains(',') { Err(DpopError::Repeated) } else { Ok(text) }
    }

    /// Checks 2 to 9 of RFC 9449 section 4.3, and of check 12 that the proof is for this token.
    ///
    /// A client's proofs all begin with the same header. `known` is one that was judged before; it is given back, or a
    /// new one.
    pub(crate) fn verify(
        text: &str,
        expected: &Expected<'_>,
        known: Option<&Arc<JudgedHeader>>,
    ) -> Result<(Self, Arc<JudgedHeader>), DpopError> {
        let parts = Parts::split(text)?;
        let known = known.filter(|known| *known.encoded == *parts.header && known.is_allowed(expected.algorithms));
        // The key is looked at after everything that is cheaper, so the header is only read here.
        let read = if known.is_none() { Some(parts.decoded_header()?) } else { None };
        let header = read.as_deref().map(Header::parse).transpose()?;
        let checked = header.as_ref().map(|header| header.check(expected.algorithms)).transpose()?;
        let claims = parts.claims()?;
        claims.check(expected)?;
        let header = match (known, checked) {
            (Some(known), _) => Arc::clone(known),
            (None, Some((algorithm, jwk))) => Arc::new(JudgedHeader::new(parts.header, algorithm, &jwk)?),
            (None, None) => return Err(DpopError::Malformed("the header is missing")),
        };
        if !header.key.verifies(header.algorithm, parts.signed, &parts.signature) {
            return Err(DpopError::Signature);
        }
        let proof = Self {
            jkt: header.key.thumbprint().into(),
            jti: claims.jti.0.into(),
            issued_at: claims.iat.0,
            nonce: claims.nonce.map(|Text(nonce)| nonce.into()),
            algorithm: header.algorithm,
        };
        Ok((proof, header))
    }
}

/// A header that was found in order, with its key parsed: the same text again needs no second look.
#[derive(Debug)]
pub(crate) struct JudgedHeader {
    encoded: Box<str>,
    algorithm: Algorithm,
    key: Key,
}

impl JudgedHeader {
    fn new(encoded: &str, algorithm: Algorithm, jwk: &Jwk<'_>) -> Result<Self, DpopError> {
        let key = key_for(algorithm, jwk).map_err(|UnfitKey(reason)| DpopError::Key(reason))?;
        Ok(Self { encoded: encoded.into(), algorithm, key })
    }

    fn is_allowed(&self, algorithms: &[Algorithm]) -> bool {
        algorithms.contains(&self.algorithm)
    }
}

/// The three parts of a compact JWS (RFC 7515 section 3.1), decoded.
struct Parts<'t> {
    /// As it was sent.
    header: &'t str,
    payload: Vec<u8>,
    signed: &'t [u8],
    signature: Vec<u8>,
}

impl<'t> Parts<'t> {
    fn split(text: &'t str) -> Result<Self, DpopError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(DpopError::Malformed("longer than 8 KiB"));
        }
        let split = text.rsplit_once('.').and_then(|(signed, rest)| Some((signed, signed.split_once('.')?, rest)));
        let Some((signed, (header, payload), signature)) = split.filter(|(_, (_, payload), _)| !payload.contains('.'))
        else {
            return Err(DpopError::Malformed("not the three segments of a JWS"));
        };
        let decode = |part: &str| b64_decode(part.as_bytes()).ok_or(DpopError::Malformed("not strict base64url"));
        Ok(Self { header, payload: decode(payload)?, signed: signed.as_bytes(), signature: decode(signature)? })
    }

    fn decoded_header(&self) -> Result<Vec<u8>, DpopError> {
        b64_decode(self.header.as_bytes()).ok_or(DpopError::Malformed("not strict base64url"))
    }

    fn claims(&self) -> Result<Claims<'_>, DpopError> {
        let not_strict = DpopError::Malformed("the payload is not a strict JSON object with jti, htm, htu and iat");
        json::from_slice(&self.payload).map_err(|_| not_strict)
    }
}

impl<'h> Header<'h> {
    fn parse(json: &'h [u8]) -> Result<Self, DpopError> {
        let not_strict = DpopError::Malformed("the header is not a strict JSON object with alg and jwk");
        json::from_slice(json).map_err(|_| not_strict)
    }

    /// Checks 4, 5 and 7. Other parameters are tolerated (RFC 9449 section 4.2), demands are not: no extension is
    /// implemented, so `crit` can only name something unknown, and `b64` is forbidden in a JWT (RFC 7797 section 7).
    fn check(&self, allowed: &[Algorithm]) -> Result<(Algorithm, Jwk<'h>), DpopError> {
        if !self.typ.as_ref().is_some_and(|Text(typ)| media_type(typ).eq_ignore_ascii_case("dpop+jwt")) {
            return Err(DpopError::Type);
        }
        if self.crit.is_some() || self.b64.is_some() {
            return Err(DpopError::Critical);
        }
        let algorithm = Algorithm::from_name(&self.alg.0).filter(|algorithm| allowed.contains(algorithm));
        let algorithm = algorithm.ok_or(DpopError::Algorithm)?;
        let jwk = Jwk::parse(self.jwk.get()).map_err(|UnfitKey(reason)| DpopError::Key(reason))?;
        if jwk.is_private() {
            return Err(DpopError::PrivateKey);
        }
        Ok((algorithm, jwk))
    }
}

impl Claims<'_> {
    /// Checks 8, 9 and 12, and the bound of `jti`.
    fn check(&self, expected: &Expected<'_>) -> Result<(), DpopError> {
        let Text(jti) = &self.jti;
        if jti.is_empty() || jti.len() > MAX_ID_BYTES {
            return Err(DpopError::Malformed("jti must have 1 to 256 bytes"));
        }
        // Methods are case-sensitive (RFC 9110 section 9.1).
        if self.htm.0 != expected.method {
            return Err(DpopError::Method);
        }
        if !expected.target.matches(&self.htu.0, expected.path) {
            return Err(DpopError::Target);
        }
        let Some(token) = expected.token else { return Ok(()) };
        let Some(Text(ath)) = &self.ath else {
            return Err(DpopError::Malformed("ath is missing; a proof for a token request serves no other"));
        };
        let hash = b64(&sha256(&[token.as_bytes()]));
        if bool::from(hash.as_bytes().ct_eq(ath.as_bytes())) { Ok(()) } else { Err(DpopError::TokenHash) }
    }
}

/// The key of the header, sound and one for `algorithm`. Its `alg` must agree. Its `use` and `key_ops` decide nothing:
/// they are the sender's word about a key that is known by its thumbprint alone, and clients that export their private
/// key and drop `d` leave `sign` there.
fn key_for(algorithm: Algorithm, jwk: &Jwk<'_>) -> Result<Key, UnfitKey> {
    if jwk.algorithm()?.is_some_and(|own| !own.is_same_as(algorithm)) {
        return Err(UnfitKey("its alg is not that of the header"));
    }
    let key = jwk.key()?;
    if key.fits(algorithm) { Ok(key) } else { Err(UnfitKey("its type or curve is not one for alg")) }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
