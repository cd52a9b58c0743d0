//! The claims of an access token as they stand in the payload: read in one strict pass, not yet judged.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::jwt::confirmation::{Confirmation, Confirmations};
use crate::jwt::error::JwtError;
use crate::jwt::json::{JsonError, Members, NumericDate, OneOrMany, Strict, Text};
use crate::jwt::shapes::{ActorShape, DetailsShape, StatusReference, StatusShape};

/// Claims that some rule or profile looks at. A registered claim of the wrong type is an error that names it; a
/// vendor's claim of another type than expected counts as absent.
#[derive(Debug, Default)]
pub(crate) struct RawClaims<'c> {
    pub(crate) iss: Option<Text<'c>>,
    pub(crate) sub: Option<Text<'c>>,
    pub(crate) aud: Option<OneOrMany<'c>>,
    pub(crate) exp: Option<NumericDate>,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: Option<NumericDate>,
    pub(crate) jti: Option<Text<'c>>,
    pub(crate) client_id: Option<Text<'c>>,
    pub(crate) scope: Option<OneOrMany<'c>>,
    pub(crate) auth_time: Option<NumericDate>,
    pub(crate) acr: Option<Text<'c>>,
    pub(crate) sid: Option<Text<'c>>,
    pub(crate) confirmation: Option<Confirmation<'c>>,
    pub(crate) status: Option<StatusReference>,
    /// `authorization_details` stands there (RFC 9396).
    pub(crate) has_details: bool,
    /// `act` stands there (RFC 8693).
    pub(crate) has_actor: bool,
    /// `nonce`, `at_hash` or `c_hash` stands there: the marks of an ID token.
    pub(crate) id_token_mark: bool,
    /// `events` stands there: a security event or logout token.
    pub(crate) events: bool,
    pub(crate) azp: Option<Text<'c>>,
    pub(crate) appid: Option<Text<'c>>,
    pub(crate) cid: Option<Text<'c>>,
    pub(crate) uid: Option<Text<'c>>,
    pub(crate) uti: Option<Text<'c>>,
    pub(crate) scp: Option<OneOrMany<'c>>,
    pub(crate) typ: Option<Text<'c>>,
    pub(crate) token_use: Option<Text<'c>>,
    pub(crate) gty: Option<Text<'c>>,
    pub(crate) idtyp: Option<Text<'c>>,
    pub(crate) username: Option<Text<'c>>,
    pub(crate) preferred_username: Option<Text<'c>>,
    pub(crate) session_state: Option<Text<'c>>,
    /// Of an introspection answer (RFC 7662 section 2.2).
    pub(crate) token_type: Option<Text<'c>>,
    /// The names of all claims, for those who look for further ones.
    pub(crate) names: Members<'c>,
}

impl<'c> RawClaims<'c> {
    /// Reads a payload: one JSON object within the limits, no name twice at any depth.
    pub(crate) fn parse(payload: &'c str) -> Result<Self, JwtError> {
        let reason = Cell::new(JsonError::Syntax);
        let claim = Cell::new("");
        let mut deserializer = serde_json::Deserializer::from_str(payload);
        let visitor = ClaimsVisitor { strict: Strict::inside_an_object(&reason), claim: &claim };
        let read = deserializer.deserialize_map(visitor).and_then(|claims| deserializer.end().map(|()| claims));
        read.map_err(|_| match (reason.get(), claim.get()) {
            (JsonError::Duplicate, _) => JwtError::Malformed("a claim name stands twice"),
            (JsonError::Limit, _) => JwtError::Malformed("the payload is nested too deeply or has too many members"),
            (_, "") => JwtError::Malformed("the payload is not a strict JSON object"),
            (_, name) => JwtError::ClaimInvalid(name),
        })
    }
}

struct ClaimsVisitor<'r> {
    strict: Strict<'r>,
    /// The registered claim being read, to be named when it turns out to be malformed.
    claim: &'r Cell<&'static str>,
}

impl ClaimsVisitor<'_> {
    fn read<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
        &self,
        members: &mut A,
        name: &'static str,
    ) -> Result<Option<T>, A::Error> {
        self.claim.set(name);
        let value = members.next_value()?;
        self.claim.set("");
        Ok(Some(value))
    }

    fn shaped<'de, S: DeserializeSeed<'de>, A: MapAccess<'de>>(
        &self,
        members: &mut A,
        name: &'static str,
        shape: S,
    ) -> Result<S::Value, A::Error> {
        self.claim.set(name);
        let value = members.next_value_seed(shape)?;
        self.claim.set("");
        Ok(value)
    }
}

impl<'de> Visitor<'de> for ClaimsVisitor<'_> {
    type Value = RawClaims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawClaims<'de>, A::Error> {
        let mut claims = RawClaims::default();
        let mut names = Members::default();
        while let Some(name) = names.next(&mut members, self.strict)? {
            let vendor = VendorText(self.strict);
            match name.as_ref() {
                "iss" => claims.iss = self.read(&mut members, "iss")?,
                "sub" => claims.sub = self.read(&mut members, "sub")?,
                "aud" => claims.aud = self.read(&mut members, "aud")?,
                "exp" => claims.exp = self.read(&mut members, "exp")?,
                "nbf" => claims.nbf = self.read(&mut members, "nbf")?,
                "iat" => claims.iat = self.read(&mut members, "iat")?,
                "jti" => claims.jti = self.read(&mut members, "jti")?,
                "client_id" => claims.client_id = self.read(&mut members, "client_id")?,
                "scope" => claims.scope = self.read(&mut members, "scope")?,
                "scp" => claims.scp = self.read(&mut members, "scp")?,
                "auth_time" => claims.auth_time = self.read(&mut members, "auth_time")?,
                "acr" => claims.acr = self.read(&mut members, "acr")?,
                "sid" => claims.sid = self.read(&mut members, "sid")?,
                "cnf" => {
                    claims.confirmation = Some(self.shaped(&mut members, "cnf", Confirmations(self.strict))?);
                }
                "status" => claims.status = self.shaped(&mut members, "status", StatusShape(self.strict))?,
                "act" => {
                    self.shaped(&mut members, "act", ActorShape(self.strict))?;
                    claims.has_actor = true;
                }
                "authorization_details" => {
                    self.shaped(&mut members, "authorization_details", DetailsShape(self.strict))?;
                    claims.has_details = true;
                }
                "nonce" | "at_hash" | "c_hash" => {
                    members.next_value_seed(self.strict)?;
                    claims.id_token_mark = true;
                }
                "events" => {
                    members.next_value_seed(self.strict)?;
                    claims.events = true;
                }
                "azp" => claims.azp = members.next_value_seed(vendor)?,
                "appid" => claims.appid = members.next_value_seed(vendor)?,
                "cid" => claims.cid = members.next_value_seed(vendor)?,
                "uid" => claims.uid = members.next_value_seed(vendor)?,
                "uti" => claims.uti = members.next_value_seed(vendor)?,
                "typ" => claims.typ = members.next_value_seed(vendor)?,
                "token_use" => claims.token_use = members.next_value_seed(vendor)?,
                "gty" => claims.gty = members.next_value_seed(vendor)?,
                "idtyp" => claims.idtyp = members.next_value_seed(vendor)?,
                "username" => claims.username = members.next_value_seed(vendor)?,
                "preferred_username" => claims.preferred_username = members.next_value_seed(vendor)?,
                "session_state" => claims.session_state = members.next_value_seed(vendor)?,
                "token_type" => claims.token_type = members.next_value_seed(vendor)?,
                _ => members.next_value_seed(self.strict)?,
            }
        }
        claims.names = names;
        Ok(claims)
    }
}

/// A string, or anything else, which counts as nothing but must be strict JSON all the same.
struct VendorText<'r>(Strict<'r>);

impl<'de> DeserializeSeed<'de> for VendorText<'_> {
    type Value = Option<Text<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for VendorText<'_> {
    type Value = Option<Text<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Text(text.into())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Text(text.to_owned().into())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Self::Value, A::Error> {
        self.0.visit_seq(elements).map(|()| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        self.0.visit_map(members).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(payload: &str) -> JwtError {
        RawClaims::parse(payload).unwrap_err()
    }

    #[test]
    fn a_malformed_registered_claim_is_named() {
        for (payload, name) in [
            (r#"{"exp":"1"}"#, "exp"),
            (r#"{"iat":-1}"#, "iat"),
            (r#"{"iss":7}"#, "iss"),
            (r#"{"aud":[1]}"#, "aud"),
            (r#"{"aud":{}}"#, "aud"),
            (r#"{"sub":null}"#, "sub"),
            (r#"{"cnf":"x"}"#, "cnf"),
            (r#"{"scope":3}"#, "scope"),
        ] {
            assert_eq!(refusal(payload), JwtError::ClaimInvalid(name), "{payload}");
        }
    }

    #[test]
    fn a_vendor_claim_of_another_type_is_no_error() {
        let claims = RawClaims::parse(r#"{"typ":{"a":[1]},"azp":"me","uid":3}"#).unwrap();
        assert!(claims.typ.is_none() && claims.uid.is_none());
        assert_eq!(claims.azp.unwrap().0, "me");
    }

    #[test]
    fn names_may_stand_once_at_every_depth() {
        let twice = JwtError::Malformed("a claim name stands twice");
        for payload in [
            r#"{"aud":"x","aud":"rs"}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"cnf":{"jkt":"a","jkt":"b"}}"#,
            r#"{"typ":[{"a":1,"a":2}]}"#,
        ] {
            assert_eq!(refusal(payload), twice, "{payload}");
        }
    }

    #[test]
    fn other_documents_are_refused() {
        for payload in ["", "[]", "null", "{}x", "{\"a\":1e999}", "{"] {
            assert!(matches!(refusal(payload), JwtError::Malformed(_)), "{payload}");
        }
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        assert!(matches!(refusal(&deep), JwtError::Malformed(_)));
    }

    proptest! {
        #[test]
        fn no_payload_makes_the_parser_panic(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = RawClaims::parse(&String::from_utf8_lossy(&payload));
        }

        #[test]
        fn a_truncated_payload_is_refused(cut in 0_usize..60) {
            let whole = r#"{"iss":"https://as.example","aud":["a","b"],"exp":170000000000.5}"#;
            prop_assert!(RawClaims::parse(&whole[..cut]).is_err());
        }
    }
}
