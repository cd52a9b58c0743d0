//! Claims that are structures: held to their shape in the same strict pass as everything else, and read when asked for.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::jwt::json::{Members, Strict, Text};

/// Where a token's status is published (draft-ietf-oauth-status-list section 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusReference {
    pub(crate) uri: Box<str>,
    pub(crate) idx: u64,
}

/// Reads `status`. One that is no object, or that names other mechanisms alone, is somebody else's and refers to no list.
pub(crate) struct StatusShape<'r>(pub(crate) Strict<'r>);

impl<'de> DeserializeSeed<'de> for StatusShape<'_> {
    type Value = Option<StatusReference>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StatusShape<'_> {
    type Value = Option<StatusReference>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
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

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Self::Value, A::Error> {
        self.0.visit_seq(elements).map(|()| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut reference, mut names, inner) = (None, Members::default(), self.0.deeper()?);
        while let Some(name) = names.next(&mut members, inner)? {
            match name.as_ref() {
                "status_list" => reference = Some(members.next_value_seed(StatusListShape(inner))?),
                _ => members.next_value_seed(inner)?,
            }
        }
        Ok(reference)
    }
}

struct StatusListShape<'r>(Strict<'r>);

impl<'de> DeserializeSeed<'de> for StatusListShape<'_> {
    type Value = StatusReference;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for StatusListShape<'_> {
    type Value = StatusReference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with idx and uri")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut idx, mut uri) = (None, None);
        let (mut names, inner) = (Members::default(), self.0.deeper()?);
        while let Some(name) = names.next(&mut members, inner)? {
            match name.as_ref() {
                "idx" => idx = Some(members.next_value::<u64>()?),
                "uri" => uri = Some(members.next_value::<Text<'de>>()?),
                _ => members.next_value_seed(inner)?,
            }
        }
        match (idx, uri) {
            (Some(idx), Some(Text(uri))) => Ok(StatusReference { uri: uri.into(), idx }),
            _ => Err(A::Error::custom("idx or uri is missing")),
        }
    }
}

/// `act`: an object, and whatever actor stands in it one too (RFC 8693 section 4.1).
pub(crate) struct ActorShape<'r>(pub(crate) Strict<'r>);

impl<'de> DeserializeSeed<'de> for ActorShape<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ActorShape<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an actor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let (mut names, inner) = (Members::default(), self.0.deeper()?);
        while let Some(name) = names.next(&mut members, inner)? {
            match name.as_ref() {
                "act" => members.next_value_seed(ActorShape(inner))?,
                "sub" | "iss" | "client_id" => drop(members.next_value::<Text<'de>>()?),
                _ => members.next_value_seed(inner)?,
            }
        }
        Ok(())
    }
}

/// `authorization_details`: an array of objects, each with a `type` that is a string (RFC 9396 section 2).
pub(crate) struct DetailsShape<'r>(pub(crate) Strict<'r>);

impl<'de> DeserializeSeed<'de> for DetailsShape<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for DetailsShape<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of authorization details")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let inner = self.0.deeper()?;
        while elements.next_element_seed(DetailShape(inner))?.is_some() {}
        Ok(())
    }
}

struct DetailShape<'r>(Strict<'r>);

impl<'de> DeserializeSeed<'de> for DetailShape<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DetailShape<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let (mut typed, mut names, inner) = (false, Members::default(), self.0.deeper()?);
        while let Some(name) = names.next(&mut members, inner)? {
            if name == "type" {
                members.next_value::<Text<'de>>()?;
                typed = true;
            } else {
                members.next_value_seed(inner)?;
            }
        }
        if typed { Ok(()) } else { Err(A::Error::missing_field("type")) }
    }
}

#[cfg(test)]
mod tests {
    use crate::jwt::claims::RawClaims;
    use crate::jwt::error::JwtError;

    fn refused(payload: &str) -> Option<JwtError> {
        RawClaims::parse(payload).err()
    }

    /// TSL-02: a place is a whole number that is not negative, and an address.
    #[test]
    fn a_status_reference_has_a_whole_index_and_an_address() {
        let claims = RawClaims::parse(r#"{"status":{"other":{},"status_list":{"idx":7,"uri":"https://a/1","x":1}}}"#);
        let status = claims.unwrap().status.unwrap();
        assert_eq!((status.idx, &*status.uri), (7, "https://a/1"));
        for status in [r#""active""#, "7", "true", "null", "[1]", "{}", r#"{"other":{}}"#] {
            let claims = RawClaims::parse(&format!(r#"{{"status":{status}}}"#)).map(|claims| claims.status.is_none());
            assert_eq!(claims, Ok(true), "{status}");
        }
        for status in [
            r#"{"status_list":"https://a/1"}"#,
            r#"{"status_list":{"idx":-1,"uri":"u"}}"#,
            r#"{"status_list":{"idx":1.5,"uri":"u"}}"#,
            r#"{"status_list":{"idx":"0","uri":"u"}}"#,
            r#"{"status_list":{"idx":0}}"#,
            r#"{"status_list":{"uri":"u"}}"#,
        ] {
            let payload = format!(r#"{{"status":{status}}}"#);
            assert_eq!(refused(&payload), Some(JwtError::ClaimInvalid("status")), "{payload}");
        }
    }

    #[test]
    fn actors_are_objects_all_the_way_down() {
        assert_eq!(refused(r#"{"act":{"sub":"a","act":{"client_id":"b"}}}"#), None);
        for act in [r#""a""#, "null", "[]", r#"{"sub":1}"#, r#"{"sub":"a","act":"b"}"#] {
            assert_eq!(refused(&format!(r#"{{"act":{act}}}"#)), Some(JwtError::ClaimInvalid("act")), "{act}");
        }
        let twice = refused(r#"{"act":{"sub":"a","sub":"b"}}"#);
        assert_eq!(twice, Some(JwtError::Malformed("a claim name stands twice")));
    }

    #[test]
    fn details_are_an_array_of_typed_objects() {
        assert_eq!(refused(r#"{"authorization_details":[{"type":"a","actions":["x"]},{"type":"b"}]}"#), None);
        assert_eq!(refused(r#"{"authorization_details":[]}"#), None);
        for details in ["{}", r#"{"type":"a"}"#, r#"["a"]"#, "[{}]", r#"[{"type":1}]"#, r#"[{"type":"a"},{"x":"b"}]"#] {
            let refused = refused(&format!(r#"{{"authorization_details":{details}}}"#));
            assert_eq!(refused, Some(JwtError::ClaimInvalid("authorization_details")), "{details}");
        }
    }
}
