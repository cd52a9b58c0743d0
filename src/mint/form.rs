//! Form-encoded bodies, and clients that name themselves in Basic credentials or in a body (RFC 6749 section 2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};

/// The longest body that is read, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// The parameters of a request in their order. Not `Debug`: one of them may be a token or a secret.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body; the error says to a developer what is wrong with it.
    pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, &'static str> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err("the body must be application/x-www-form-urlencoded");
        }
        if body.len() > MAX_BODY_BYTES {
            return Err("the body is longer than 64 KiB");
        }
        Ok(Self(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// The value of a parameter that stands once. One without a value counts as absent, and one that stands twice is an
    /// error (RFC 6749 section 3.2).
    pub(crate) fn once(&self, name: &str) -> Result<Option<&str>, &'static str> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        match values.next() {
            Some(_) => Err("a parameter stands twice"),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// All parameters as they were sent.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Identifier and secret out of a Basic credential (RFC 7617), each of them form-encoded (RFC 6749 section 2.3.1).
pub(crate) fn basic(value: &HeaderValue) -> Option<(String, String)> {
    let (scheme, credential) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(credential.trim_start_matches(' ')).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((decode(id)?, decode(secret)?))
}

/// One value out of its form encoding.
fn decode(text: &str) -> Option<String> {
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

    fn parse(body: &str) -> Result<Form, &'static str> {
        let content_type = "Application/X-WWW-Form-URLencoded;charset=UTF-8".parse().unwrap();
        Form::parse(&HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]), body.as_bytes())
    }

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_absent() {
        let form = parse("token=a%2Bb%2Fc%3D%3D~&hint=&x=1&x=2").unwrap();
        assert_eq!(form.once("token"), Ok(Some("a+b/c==~")));
        assert_eq!((form.once("hint"), form.once("absent")), (Ok(None), Ok(None)));
        assert!(form.once("x").is_err());
        assert_eq!(form.pairs().len(), 4);
    }

    #[test]
    fn other_media_types_and_long_bodies_are_refused() {
        assert!(Form::parse(&HeaderMap::new(), b"a=b").is_err());
        assert!(parse(&"a".repeat(MAX_BODY_BYTES)).is_ok());
        assert!(parse(&"a".repeat(MAX_BODY_BYTES + 1)).is_err());
    }

    #[test]
    fn both_parts_of_a_basic_credential_are_form_encoded() {
        let of = |pair: &str| basic(&format!("bASIC {}", STANDARD.encode(pair)).parse().unwrap());
        assert_eq!(of("a%3Ab:p%25%2B%C3%A9"), Some(("a:b".into(), "p%+é".into())));
        assert_eq!(of("a:b:c"), Some(("a".into(), "b:c".into())));
        assert_eq!((of("a"), of("a:b&c")), (None, None));
        for odd in ["Basic", "Basic !", "Bearer YTpi"] {
            assert_eq!(basic(&odd.parse().unwrap()), None, "{odd}");
        }
    }
}
