//! The kinds of values that tokens and metadata hold.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Name;
use crate::time::Timestamp;

/// The last second of the year 9999; a later NumericDate is no date.
const MAX_NUMERIC_DATE: f64 = 253_402_300_799.0;

/// A string, borrowed where it holds no escape. (`Cow` alone always copies under serde.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// One string, or an array of strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OneOrMany<'de> {
    One(Text<'de>),
    Many(Vec<Text<'de>>),
}

impl OneOrMany<'_> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts.as_slice(),
        }
        .iter()
        .map(|Text(text)| text.as_ref())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for OneOrMany<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrManyVisitor;

        impl<'de> Visitor<'de> for OneOrManyVisitor {
            type Value = OneOrMany<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<OneOrMany<'de>, E> {
                Ok(OneOrMany::One(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMany<'de>, E> {
                Ok(OneOrMany::One(Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<OneOrMany<'de>, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = elements.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany::Many(texts))
            }
        }

        deserializer.deserialize_any(OneOrManyVisitor)
    }
}

/// A NumericDate (RFC 7519 section 2): a JSON number, perhaps with a fraction; never negative, never after year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NumericDate(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumericDateVisitor;

        impl Visitor<'_> for NumericDateVisitor {
            type Value = NumericDate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds since 1970")
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<NumericDate, E> {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                if seconds > MAX_NUMERIC_DATE as i64 {
                    return Err(E::custom("out of range"));
                }
                Ok(NumericDate(Timestamp::from_secs(seconds)))
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<NumericDate, E> {
                u64::try_from(seconds).map_err(E::custom).and_then(|seconds| self.visit_u64(seconds))
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<NumericDate, E> {
                if !(0.0..=MAX_NUMERIC_DATE).contains(&seconds) {
                    return Err(E::custom("out of range"));
                }
                Ok(NumericDate(Timestamp::from_millis((seconds * 1000.0) as i64)))
            }
        }

        // Asked for as a float so that the answer is the same whatever features of serde_json are on in the build.
        deserializer.deserialize_f64(NumericDateVisitor)
    }
}

/// For `#[serde(default, deserialize_with = "present")]`: an absent member is `None`, a `null` one is of the wrong type.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The strings at `path` in an object: one, or an array of them. Whatever else stands there counts as none.
pub(crate) fn strings_at<'j>(json: &'j str, path: &[Box<str>]) -> Vec<Text<'j>> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    AtPath(path).deserialize(&mut deserializer).unwrap_or_default()
}

struct AtPath<'p>(&'p [Box<str>]);

impl<'de> DeserializeSeed<'de> for AtPath<'_> {
    type Value = Vec<Text<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AtPath<'_> {
    type Value = Vec<Text<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object on the way, strings at its end")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        if self.0.is_empty() { Ok(vec![Text(text.into())]) } else { Err(E::custom("not an object")) }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if self.0.is_empty() { Ok(vec![Text(text.to_owned().into())]) } else { Err(E::custom("not an object")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        if !self.0.is_empty() {
            return Err(A::Error::custom("not an object"));
        }
        let mut texts = Vec::new();
        while let Some(text) = elements.next_element()? {
            texts.push(text);
        }
        Ok(texts)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let Some((wanted, rest)) = self.0.split_first() else { return Err(A::Error::custom("not a string")) };
        let mut found = Vec::new();
        while let Some(Name(name)) = members.next_key()? {
            if name == wanted.as_ref() {
                found = members.next_value_seed(AtPath(rest))?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(json: &str) -> Option<i64> {
        serde_json::from_str::<NumericDate>(json).ok().map(|NumericDate(at)| at.as_millis())
    }

    /// JOS-13: a time is a number in range.
    #[test]
    fn a_numeric_date_is_a_number_in_range() {
        assert_eq!(date("1700000000"), Some(1_700_000_000_000));
        assert_eq!(date("1700000000.5"), Some(1_700_000_000_500));
        assert_eq!(date("1e9"), Some(1_000_000_000_000));
        assert_eq!(date("0"), Some(0));
        for bad in [
            "-1",
            "-0.5",
            "\"1\"",
            "null",
            "true",
            "1e400",
            "253402300800",
            "18446744073709551615",
            "99999999999999999999",
            "[]",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn strings_are_found_at_the_end_of_a_path() {
        let json = r#"{"a":{"roles":["x","y"],"one":"z","n":3},"b":["q"]}"#;
        let at = |path: &[&str]| -> Vec<String> {
            let path: Vec<_> = path.iter().map(|name| Box::from(*name)).collect();
            strings_at(json, &path).into_iter().map(|Text(text)| text.into_owned()).collect()
        };
        assert_eq!(at(&["a", "roles"]), ["x", "y"]);
        assert_eq!(at(&["a", "one"]), ["z"]);
        assert_eq!(at(&["b"]), ["q"]);
        assert!(at(&["a", "n"]).is_empty());
        assert!(at(&["a"]).is_empty());
        assert!(at(&["b", "q"]).is_empty());
        assert!(at(&["c", "roles"]).is_empty());
    }
    proptest! {
        #[test]
        fn no_number_is_a_date_out_of_range(number in prop_oneof![any::<f64>(), -1e4..1e13_f64], whole in any::<i128>()) {
            for json in [number.to_string(), whole.to_string()] {
                if let Some(millis) = date(&json) {
                    prop_assert!((0..=253_402_300_799_000).contains(&millis), "{json} is {millis}");
                }
            }
        }

        #[test]
        fn no_path_makes_the_search_panic(json in r#"\{("[ab]":("[ab]"|1|\{|\[|\]|\}|,){0,6},?){0,4}\}?"#, path in "[ab.]{0,6}") {
            let _ = strings_at(&json, &path.split('.').map(Box::from).collect::<Vec<_>>());
        }
    }
}
