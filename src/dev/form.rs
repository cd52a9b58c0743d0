//! The parameters of a request, form-encoded in its body or in its query, read strictly.

use std::collections::BTreeMap;

use http::{HeaderMap, header};

use crate::dev::refusal::Refusal;

/// The longest body that is read, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// The parameters of a request. Not `Debug`: one of them may be a secret.
pub(crate) struct Form(BTreeMap<String, Vec<String>>);

impl Form {
    /// Reads a body.
    pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        if !is_form(headers) {
            return Err(Refusal::Request("the body must be application/x-www-form-urlencoded"));
        }
        Self::from_encoded(body)
    }

    /// Reads a query. A parameter must not stand twice (RFC 6749 section 3.1), but `resource` (RFC 8707 section 2) and
    /// `audience` (RFC 8693 section 2.1) may; one without a value counts as absent.
    pub(crate) fn from_encoded(encoded: &[u8]) -> Result<Self, Refusal> {
        if encoded.len() > MAX_BODY_BYTES {
            return Err(Refusal::TooLarge);
        }
        let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            let may_repeat = matches!(name.as_ref(), "resource" | "audience");
            let values = parameters.entry(name.into_owned()).or_default();
            if !may_repeat && !values.is_empty() {
                return Err(Refusal::Request("a parameter stands twice"));
            }
            values.push(value.into_owned());
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter that stands once.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Whether the parameter stands there at all, with a value or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The values of a parameter that may repeat.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// One value out of its form encoding, in which RFC 6749 section 2.3.1 puts the parts of Basic credentials.
pub(crate) fn decode(text: &str) -> Option<String> {
    let pair = format!("={text}");
    let mut pairs = form_urlencoded::parse(pair.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Form, Refusal> {
        let content_type = "application/x-www-form-urlencoded;charset=UTF-8".parse().unwrap();
        Form::parse(&HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]), body.as_bytes())
    }

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_absent() {
        let form = parse("scope=a+b%3Ac&client_id=&&=x").ok().unwrap();
        assert_eq!(form.get("scope"), Some("a b:c"));
        assert_eq!(form.get("client_id"), None);
        assert_eq!(form.get("grant_type"), None);
    }

    #[test]
    fn only_what_names_resources_may_stand_twice() {
        let form = parse("resource=https%3A%2F%2Fa&resource=&resource=https%3A%2F%2Fb").ok().unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["https://a", "https://b"]);
        for twice in ["scope=a&scope=a", "scope=&scope=a", "sc%6Fpe=a&scope=b", "x=1&x=2"] {
            assert_eq!(parse(twice).err(), Some(Refusal::Request("a parameter stands twice")), "{twice}");
        }
    }

    #[test]
    fn other_media_types_and_long_bodies_are_refused() {
        let with = |value: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
        assert!(Form::parse(&HeaderMap::new(), b"a=b").is_err());
        assert!(Form::parse(&with("application/json"), b"a=b").is_err());
        assert!(Form::parse(&with("Application/X-WWW-Form-URLencoded"), b"a=b").is_ok());
        assert!(parse(&"a".repeat(MAX_BODY_BYTES)).is_ok());
        assert_eq!(parse(&"a".repeat(MAX_BODY_BYTES + 1)).err(), Some(Refusal::TooLarge));
    }

    #[test]
    fn one_value_is_decoded_whole_or_not_at_all() {
        assert_eq!(decode("a%2Bb+c%3D").as_deref(), Some("a+b c="));
        assert_eq!(decode("a=b").as_deref(), Some("a=b"));
        assert_eq!(decode("").as_deref(), Some(""));
        assert_eq!(decode("a&b"), None);
    }
}
