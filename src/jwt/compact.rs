//! The compact serialization of a JWS (RFC 7515 section 3.1), taken apart and not yet believed.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};

use crate::crypto::{Algorithm, b64_decode};
use crate::jwt::error::JwtError;
use crate::jwt::json::{JsonError, Members, Strict, Text};

/// The longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The longest `kid` or `jti` that is looked at, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 256;

/// The parts of a JWS whose header is understood. Payload and signature are claims of a stranger.
#[derive(Debug)]
pub(crate) struct Compact<'t> {
    pub(crate) header: Header,
    pub(crate) payload: String,
    pub(crate) signed: &'t [u8],
    pub(crate) signature: Vec<u8>,
}

/// The members of a JOSE header that decide anything. `jwk`, `jku`, `x5u` and `x5c` are not among them
/// (RFC 8725bis section 3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) alg: Algorithm,
    pub(crate) typ: Option<Box<str>>,
    pub(crate) kid: Option<Box<str>>,
}

/// The members as they stand.
#[derive(Default)]
struct RawHeader<'h> {
    alg: Option<Text<'h>>,
    typ: Option<Text<'h>>,
    kid: Option<Text<'h>>,
    /// `crit` or `b64` stands there.
    extended: bool,
}

struct HeaderVisitor<'r>(Strict<'r>);

impl<'de> Visitor<'de> for HeaderVisitor<'_> {
    type Value = RawHeader<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawHeader<'de>, A::Error> {
        let (mut header, mut names) = (RawHeader::default(), Members::default());
        while let Some(name) = names.next(&mut members, self.0)? {
            match name.as_ref() {
                "alg" => header.alg = Some(members.next_value()?),
                "typ" => header.typ = Some(members.next_value()?),
                "kid" => header.kid = Some(members.next_value()?),
                "crit" | "b64" => {
                    members.next_value_seed(self.0)?;
                    header.extended = true;
                }
                _ => members.next_value_seed(self.0)?,
            }
        }
        Ok(header)
    }
}

impl<'h> RawHeader<'h> {
    fn parse(json: &'h [u8]) -> Option<Self> {
        let reason = Cell::new(JsonError::Syntax);
        let mut deserializer = serde_json::Deserializer::from_str(str::from_utf8(json).ok()?);
        let header = deserializer.deserialize_map(HeaderVisitor(Strict::inside_an_object(&reason))).ok()?;
        deserializer.end().ok().map(|()| header)
    }
}

impl<'t> Compact<'t> {
    /// Splits and decodes; limits come before any work.
    pub(crate) fn parse(token: &'t str) -> Result<Self, JwtError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::Malformed("longer than 16 KiB"));
        }
        Self::parse_document(token)
    }

    /// As [`parse`](Self::parse), for a document whose length was bounded where it was fetched.
    pub(crate) fn parse_document(token: &'t str) -> Result<Self, JwtError> {
        let Some((signed, signature)) = token.rsplit_once('.') else { return Err(JwtError::Malformed("no segments")) };
        let Some((header, payload)) = signed.split_once('.') else { return Err(JwtError::Malformed("two segments")) };
        let decode = |segment: &str| b64_decode(segment.as_bytes()).ok_or(JwtError::Malformed("not strict base64url"));
        // A further dot is no base64url, so the ordinary token is not searched for one.
        let payload = decode(payload).map_err(|error| match payload.matches('.').count() {
            0 => error,
            2 => JwtError::Encrypted,
            _ => JwtError::Malformed("too many segments"),
        })?;
        let header = Header::parse(&decode(header)?)?;
        let payload = String::from_utf8(payload).map_err(|_| JwtError::Malformed("the payload is not UTF-8"))?;
        Ok(Self { header, payload, signed: signed.as_bytes(), signature: decode(signature)? })
    }
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, JwtError> {
        let malformed = JwtError::Malformed("the header is not a strict JSON object with alg");
        let Some(RawHeader { alg: Some(Text(alg)), typ, kid, extended }) = RawHeader::parse(json) else {
            return Err(malformed);
        };
        // No extension is implemented, so `crit` can only name something unknown or be malformed; `b64` is forbidden
        // in a JWT (RFC 7797 section 7).
        if extended {
            return Err(JwtError::CriticalHeader);
        }
        let alg = Algorithm::from_name(&alg).ok_or(JwtError::Algorithm)?;
        let kid = kid.map(|Text(kid)| kid);
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_ID_BYTES) {
            return Err(JwtError::Malformed("kid longer than 256 bytes"));
        }
        Ok(Self { alg, typ: typ.map(|Text(typ)| boxed(typ)), kid: kid.map(boxed) })
    }

    /// `typ` as a media type: without `application/`, to be compared without case (RFC 7515 section 4.1.9).
    pub(crate) fn media_type(&self) -> Option<&str> {
        self.typ.as_deref().map(media_type)
    }
}

/// A `typ` without `application/`, which it may leave out.
pub(crate) fn media_type(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((head, rest)) if head.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    }
}

fn boxed(text: Cow<'_, str>) -> Box<str> {
    text.into_owned().into_boxed_str()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::b64;

    fn with_header(header: &str) -> Result<Header, JwtError> {
        Compact::parse(&format!("{}.e30.AA", b64(header.as_bytes()))).map(|compact| compact.header)
    }

    #[test]
    fn three_segments_are_taken_apart() {
        let token = format!("{}.e30.AAEC", b64(br#"{"alg":"ES256","kid":"k","typ":"application/AT+jwt"}"#));
        let compact = Compact::parse(&token).unwrap();
        assert_eq!(compact.header.alg, Algorithm::Es256);
        assert_eq!(compact.header.kid.as_deref(), Some("k"));
        assert_eq!(compact.header.media_type(), Some("AT+jwt"));
        assert_eq!(compact.payload, "{}");
        assert_eq!(compact.signature, [0, 1, 2]);
        assert!(token.as_bytes().starts_with(compact.signed));
    }

    #[test]
    fn other_counts_of_segments_are_refused() {
        let header = b64(br#"{"alg":"ES256"}"#);
        for token in
            [header.clone(), format!("{header}.e30"), format!("{header}.e30.AA.AA"), String::new(), "...".into()]
        {
            assert!(matches!(Compact::parse(&token), Err(JwtError::Malformed(_))), "{token}");
        }
        assert_eq!(Compact::parse(&format!("{header}.a.b.c.d")).unwrap_err(), JwtError::Encrypted);
    }

    /// JOS-01: nothing critical is understood.
    /// JOS-02: a payload is never unencoded.
    #[test]
    fn headers_that_demand_or_lack_something_are_refused() {
        for crit in [r#"["exp"]"#, "[]", r#"["alg"]"#, "7", "null"] {
            assert!(with_header(&format!(r#"{{"alg":"ES256","crit":{crit}}}"#)).is_err(), "{crit}");
        }
        assert_eq!(with_header(r#"{"alg":"ES256","b64":false}"#), Err(JwtError::CriticalHeader));
        assert_eq!(with_header(r#"{"alg":"none"}"#), Err(JwtError::Algorithm));
        for bad in [
            "{}",
            "[]",
            r#"{"alg":7}"#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","kid":7}"#,
            r#"{"alg":"ES256","typ":null}"#,
        ] {
            assert!(matches!(with_header(bad), Err(JwtError::Malformed(_))), "{bad}");
        }
        let long = "k".repeat(257);
        assert!(with_header(&format!(r#"{{"alg":"ES256","kid":"{long}"}}"#)).is_err());
        assert!(Compact::parse(&"a".repeat(MAX_TOKEN_BYTES + 1)).is_err());
    }

    #[test]
    fn a_payload_that_is_no_text_is_refused() {
        let token = format!("{}.{}.AA", b64(br#"{"alg":"ES256"}"#), b64(b"{\"a\":\"\xFF\"}"));
        assert_eq!(Compact::parse(&token).unwrap_err(), JwtError::Malformed("the payload is not UTF-8"));
    }

    proptest! {
        #[test]
        fn no_input_makes_the_parser_panic(token in ".{0,200}") {
            let _ = Compact::parse(&token);
        }

        #[test]
        fn no_header_makes_the_parser_panic(json in r#"\{("alg":"ES256"|"crit":\[\]|,|"kid":"a"|[ -~]){0,20}\}"#) {
            let _ = with_header(&json);
        }
    }
}
