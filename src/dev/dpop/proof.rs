//! One proof, taken apart and verified (RFC 9449 section 4.3, checks 2 to 9).

use aws_lc_rs::digest::{self, SHA256};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::crypto::{Curve, Key, b64_decode};
use crate::dev::refusal::Refusal;
use crate::jwt::compact::{Compact, MAX_ID_BYTES};
use crate::jwt::json::{self, NumericDate, Text, present};
use crate::time::Timestamp;

/// Members of a JWK that nobody but its owner may know (RFC 7518 section 6; `priv` of the AKP keys to come). The
/// symmetric `k` comes with a `kty` that is refused as a whole, and is named all the same.
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A proof whose signature holds by the key in its own header, and that is all that is known of it.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) thumbprint: String,
    pub(super) issued_at: Timestamp,
    pub(super) nonce: Option<String>,
    jti: String,
    htm: String,
    htu: String,
}

#[derive(Deserialize)]
struct Header {
    jwk: Map<String, Value>,
}

#[derive(Deserialize)]
struct Claims<'p> {
    #[serde(borrow)]
    jti: Text<'p>,
    #[serde(borrow)]
    htm: Text<'p>,
    #[serde(borrow)]
    htu: Text<'p>,
    iat: NumericDate,
    #[serde(borrow, default, deserialize_with = "present")]
    nonce: Option<Text<'p>>,
}

impl Proof {
    pub(super) fn parse(proof: &str) -> Result<Self, Refusal> {
        // Strict JSON, an asymmetric `alg` and no `crit` (RFC 7515 section 4.1.11) from here on.
        let compact = Compact::parse(proof)
            .map_err(|_| Refusal::Proof("not a compact JWS of at most 16 KiB by an asymmetric algorithm"))?;
        if !compact.header.media_type().is_some_and(|typ| typ.eq_ignore_ascii_case("dpop+jwt")) {
            return Err(Refusal::Proof("typ is not dpop+jwt"));
        }
        let key = key(&jwk(proof).ok_or(Refusal::Proof("the header has no jwk"))?)?;
        if !key.verifies(compact.header.alg, compact.signed, &compact.signature) {
            return Err(Refusal::Proof("the signature does not hold by alg and jwk"));
        }
        let claims: Claims<'_> = json::from_slice(compact.payload.as_bytes())
            .map_err(|_| Refusal::Proof("jti, htm, htu or iat is missing or has the wrong type"))?;
        if !(1..=MAX_ID_BYTES).contains(&claims.jti.0.len()) {
            return Err(Refusal::Proof("jti is empty or longer than 256 bytes"));
        }
        Ok(Self {
            thumbprint: key.thumbprint().to_owned(),
            issued_at: claims.iat.0,
            nonce: claims.nonce.map(|Text(nonce)| nonce.into_owned()),
            jti: claims.jti.0.into_owned(),
            htm: claims.htm.0.into_owned(),
            htu: claims.htu.0.into_owned(),
        })
    }

    /// Methods are compared byte for byte; URLs without query and fragment, scheme and host without case.
    pub(super) fn check_target(&self, method: &str, url: &str) -> Result<(), Refusal> {
        if self.htm != method {
            return Err(Refusal::Proof("htm is not POST"));
        }
        let htu = self.htu.split(['?', '#']).next().unwrap_or_default();
        match (origin_and_path(htu), origin_and_path(url)) {
            (Some((origin, path)), Some((own, own_path))) if origin.eq_ignore_ascii_case(own) && path == own_path => {
                Ok(())
            }
            _ => Err(Refusal::Proof("htu is not the token endpoint")),
        }
    }

    /// The same for the same `jti` of the same key, and of one size whatever a client sends.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&SHA256);
        // A thumbprint has one length, so the two cannot run into each other.
        context.update(self.thumbprint.as_bytes());
        context.update(self.jti.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        bytes
    }
}

fn origin_and_path(url: &str) -> Option<(&str, &str)> {
    let authority = url.find("://")? + 3;
    let path = url.get(authority..)?.find('/')? + authority;
    url.split_at_checked(path)
}

/// `jwk` of the header, which [`Compact`] leaves out because no access token may bring its own key.
fn jwk(proof: &str) -> Option<Map<String, Value>> {
    let (header, _) = proof.split_once('.')?;
    json::from_slice(&b64_decode(header.as_bytes())?).ok().map(|Header { jwk }| jwk)
}

fn key(jwk: &Map<String, Value>) -> Result<Key, Refusal> {
    const UNSOUND: Refusal = Refusal::Proof("jwk is no sound public key of a known kind");
    if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
        return Err(Refusal::Proof("jwk holds a private key"));
    }
    let text = |name: &str| jwk.get(name).and_then(Value::as_str).ok_or(UNSOUND);
    let bytes = |name: &str| b64_decode(text(name)?.as_bytes()).ok_or(UNSOUND);
    match text("kty")? {
        "RSA" => Key::rsa(&bytes("n")?, &bytes("e")?),
        "EC" => Key::ec(Curve::from_name(text("crv")?).ok_or(UNSOUND)?, &bytes("x")?, &bytes("y")?),
        "OKP" if text("crv")? == "Ed25519" => Key::ed25519(&bytes("x")?),
        _ => return Err(UNSOUND),
    }
    .map_err(|_| UNSOUND)
}
