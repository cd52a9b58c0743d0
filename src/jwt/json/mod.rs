//! Strict JSON: what every document that decides about trust is read with.
//!
//! Duplicate member names are refused at every depth (RFC 7515 section 4, RFC 7519 section 4: the only reading on
//! which two parsers cannot disagree), depth and member counts are bounded, and nothing of the content is put into an
//! error, because errors reach logs.

mod values;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub(crate) use values::{NumericDate, OneOrMany, Text, present, strings_at};

/// Nesting of objects and arrays, the outermost included.
const MAX_DEPTH: usize = 32;

/// Members of one object; keeps the search for duplicates short.
const MAX_MEMBERS: usize = 256;

/// Why a document was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// Not JSON in UTF-8, or a number out of range.
    Syntax,
    /// A member name stands twice in one object.
    Duplicate,
    /// Nested deeper than allowed, or with too many members.
    Limit,
    /// JSON, but not of the shape that the document must have.
    Shape,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not valid JSON",
            Self::Duplicate => "a member name stands twice",
            Self::Limit => "nested too deeply or too many members",
            Self::Shape => "a member is missing or has the wrong type",
        })
    }
}

impl std::error::Error for JsonError {}

/// Reads an object strictly into `T`.
pub(crate) fn from_slice<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, JsonError> {
    check(json)?;
    serde_json::from_slice(json).map_err(|_| JsonError::Shape)
}

/// Whether `json` is one object within the limits and without duplicate names.
pub(crate) fn check(json: &[u8]) -> Result<(), JsonError> {
    let reason = Cell::new(JsonError::Syntax);
    if json.iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|first| *first != b'{') {
        return Err(if serde_json::from_slice::<IgnoredAny>(json).is_ok() {
            JsonError::Shape
        } else {
            JsonError::Syntax
        });
    }
    let text = str::from_utf8(json).map_err(|_| JsonError::Syntax)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Strict { depth: 1, reason: &reason }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|_| reason.get())
}

/// Visits a whole value and keeps nothing.
#[derive(Clone, Copy)]
pub(crate) struct Strict<'c> {
    depth: usize,
    reason: &'c Cell<JsonError>,
}

impl<'c> Strict<'c> {
    /// For the members of the outermost object; `reason` is set when the limits refuse.
    pub(crate) fn inside_an_object(reason: &'c Cell<JsonError>) -> Self {
        Self { depth: 2, reason }
    }

    fn refuse<E: serde::de::Error>(&self, reason: JsonError) -> E {
        self.reason.set(reason);
        E::custom(reason)
    }

    pub(crate) fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.refuse(JsonError::Limit));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while elements.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = Members::default();
        while names.next(&mut members, inner)?.is_some() {
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// The member names of one object so far.
#[derive(Debug, Default)]
pub(crate) struct Members<'de> {
    names: Vec<Cow<'de, str>>,
    /// A bit for each name, by its length and last character: mostly it tells without a search that a name is new.
    marks: u64,
}

impl<'de> Members<'de> {
    /// Whether a member of this name was read.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Reads the next name; refuses one that was there before, and one too many.
    pub(crate) fn next<A: MapAccess<'de>>(
        &mut self,
        members: &mut A,
        strict: Strict<'_>,
    ) -> Result<Option<&Cow<'de, str>>, A::Error> {
        let Some(Name(name)) = members.next_key()? else { return Ok(None) };
        if self.names.len() >= MAX_MEMBERS {
            return Err(strict.refuse(JsonError::Limit));
        }
        // Equal names have equal marks, so one whose mark is new was not there before and need not be searched for.
        let last = name.as_bytes().last().map_or(0, |byte| usize::from(*byte));
        let mark = 1 << ((name.len() * 8 + last) % 64);
        if self.marks & mark != 0 && self.names.contains(&name) {
            return Err(strict.refuse(JsonError::Duplicate));
        }
        self.marks |= mark;
        if self.names.is_empty() {
            self.names.reserve(16);
        }
        self.names.push(name);
        Ok(self.names.last())
    }
}

/// A member name, borrowed where it holds no escape.
struct Name<'de>(Cow<'de, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|Text(name)| Self(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// JOS-03: a name stands once in each object, however it is escaped.
    #[test]
    fn duplicates_are_found_at_every_depth_and_through_escapes() {
        assert_eq!(check(br#"{"a":1,"a":2}"#), Err(JsonError::Duplicate));
        assert_eq!(check(br#"{"a":1,"\u0061":2}"#), Err(JsonError::Duplicate));
        assert_eq!(check(br#"{"x":[{"y":{"a":1,"a":1}}]}"#), Err(JsonError::Duplicate));
        assert_eq!(check(br#"{"a":{"a":1},"b":{"a":1}}"#), Ok(()));
    }

    /// BCP-10: JSON is UTF-8 without a mark in front.
    #[test]
    fn only_one_utf8_object_is_accepted() {
        for bad in [&b"[]"[..], b"1", b"null", b"\"a\""] {
            assert_eq!(check(bad), Err(JsonError::Shape));
        }
        for bad in [
            &b""[..],
            b"{",
            b"{}x",
            b"{} {}",
            b"\xEF\xBB\xBF{}",
            b"{\"a\":\"\xFF\"}",
            b"{\0}",
            b"{\"a\":1e400}",
            b"{'a':1}",
        ] {
            assert_eq!(check(bad), Err(JsonError::Syntax), "{:?}", String::from_utf8_lossy(bad));
        }
        let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(check(&utf16), Err(JsonError::Syntax));
    }

    /// JOS-14: objects and arrays are bounded in depth, objects in members.
    #[test]
    fn depth_and_members_are_bounded() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)).into_bytes();
        assert_eq!(check(&nested(31)), Ok(()));
        assert_eq!(check(&nested(32)), Err(JsonError::Limit));
        assert_eq!(check(&nested(10_000)), Err(JsonError::Limit));
        let wide = |members: usize| {
            let members: Vec<_> = (0..members).map(|n| format!("\"m{n}\":0")).collect();
            format!("{{{}}}", members.join(",")).into_bytes()
        };
        assert_eq!(check(&wide(256)), Ok(()));
        assert_eq!(check(&wide(257)), Err(JsonError::Limit));
    }

    /// Any JSON value of a few members and levels.
    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                proptest::collection::hash_map(".{0,4}", inner, 0..5)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_check_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check(&bytes);
        }

        #[test]
        fn what_passes_is_an_object_for_every_parser(json in r#"\{("[ab]":("[ab]"|1|\{|\[|\]|\}|,){0,6},?){0,4}\}?"#) {
            if check(json.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json).is_ok());
            }
        }

        #[test]
        fn a_name_that_is_repeated_anywhere_is_found(value in value(), name in "[a-z]{1,3}", other in value()) {
            let once = format!(r#"{{"x":[{{"{name}":{value}}}]}}"#);
            prop_assert_eq!(check(once.as_bytes()), Ok(()));
            let twice = format!(r#"{{"x":[{{"{name}":{value},"{name}":{other}}}]}}"#);
            prop_assert_eq!(check(twice.as_bytes()), Err(JsonError::Duplicate));
            prop_assert!(check(&once.as_bytes()[..once.len() - 1]).is_err());
        }
    }
}
