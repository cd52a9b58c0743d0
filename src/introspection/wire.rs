//! The question and the answer of RFC 7662, and what of an answer is believed.

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::State;
use crate::client_auth::ClientProof;
use crate::jwt::json::{self, JsonError, NumericDate, present};
use crate::time::Timestamp;

/// What a plain answer is.
pub(super) const JSON: &str = "application/json";

/// The question. The token stands in the body alone: addresses end up in logs (RFC 7662 section 4).
pub(super) fn question(token: &str, proof: ClientProof, accept: &'static str) -> Request<Full<Bytes>> {
    let mut form = Serializer::new(String::new());
    form.append_pair("token", token).append_pair("token_type_hint", "access_token");
    for (name, value) in &proof.parameters {
        form.append_pair(name, value.expose());
    }
    let mut request = Request::new(Full::from(form.finish()));
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    if let Some(authorization) = proof.authorization {
        headers.insert(AUTHORIZATION, authorization);
    }
    request
}

/// Whether the body is said to be of this media type, whatever its parameters.
pub(super) fn is_typed(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|own| own.trim().eq_ignore_ascii_case(media_type))
}

/// What an issuer says of a token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) state: State,
    pub(super) expires_at: Option<Timestamp>,
}

impl Statement {
    pub(super) const INACTIVE: Self = Self { state: State::Inactive, expires_at: None };
}

#[derive(Deserialize)]
struct Activity<'a> {
    #[serde(borrow)]
    active: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Expiry {
    #[serde(default, deserialize_with = "present")]
    exp: Option<NumericDate>,
}

/// Reads an answer. Only the boolean `true` makes a token active (RFC 7662 section 2.2): an answer that says less, in
/// JSON, is an answer all the same. One that is no strict JSON, or that names no time as `exp`, says nothing.
pub(super) fn read(answer: &[u8]) -> Result<Statement, JsonError> {
    match json::check(answer) {
        Err(JsonError::Shape) => return Ok(Statement::INACTIVE),
        checked => checked?,
    }
    let text = str::from_utf8(answer).map_err(|_| JsonError::Syntax)?;
    let Activity { active } = serde_json::from_str(text).map_err(|_| JsonError::Shape)?;
    if active.is_none_or(|active| active.get() != "true") {
        return Ok(Statement::INACTIVE);
    }
    let Expiry { exp } = serde_json::from_str(text).map_err(|_| JsonError::Shape)?;
    Ok(Statement { state: State::Active(text.into()), expires_at: exp.map(|NumericDate(at)| at) })
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;

    async fn body(request: Request<Full<Bytes>>) -> String {
        String::from_utf8(request.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_token_stands_in_the_form_and_survives_it() {
        let request = question("a+b/c==~&token=x", ClientProof::default(), JSON);
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri().query(), None);
        assert_eq!(request.headers()[ACCEPT], JSON);
        assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
        let form = body(request).await;
        let pairs: Vec<_> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        assert_eq!(
            pairs,
            [("token".into(), "a+b/c==~&token=x".into()), ("token_type_hint".into(), "access_token".to_owned())]
        );
    }

    #[tokio::test]
    async fn the_client_proves_itself_in_the_header_or_in_the_form() {
        let authorization = Some(HeaderValue::from_static("Basic eA=="));
        let parameters = vec![("client_secret", Secret::from("p%+é"))];
        let request = question("t", ClientProof { authorization, parameters }, JSON);
        assert_eq!(request.headers()[AUTHORIZATION], "Basic eA==");
        assert!(body(request).await.ends_with("&client_secret=p%25%2B%C3%A9"));
    }

    /// Only the boolean `true` counts, and whatever else is JSON is an answer.
    #[test]
    fn only_the_boolean_true_is_active() {
        let active = r#"{"active":true,"sub":"ada","exp":1700000000}"#;
        let said = read(active.as_bytes()).unwrap();
        assert!(said.state == State::Active(active.into()));
        assert_eq!(said.expires_at, Some(Timestamp::from_secs(1_700_000_000)));
        for inactive in [
            r#"{"active":false}"#,
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            r#"{"active":[true]}"#,
            r#"{"Active":true}"#,
            r#"{"active":false,"exp":"never"}"#,
            "{}",
            "[]",
            "true",
            "null",
            r#"[{"active":true}]"#,
        ] {
            assert!(read(inactive.as_bytes()).unwrap() == Statement::INACTIVE, "{inactive}");
        }
    }

    #[test]
    fn what_is_no_strict_json_says_nothing() {
        for (answer, why) in [
            ("", JsonError::Syntax),
            ("<html>", JsonError::Syntax),
            (r#"{"active":true"#, JsonError::Syntax),
            (r#"{"active":true}{"active":true}"#, JsonError::Syntax),
            (r#"{"active":false,"active":true}"#, JsonError::Duplicate),
            (r#"{"active":true,"cnf":{"jkt":"a","jkt":"b"}}"#, JsonError::Duplicate),
            (r#"{"active":true,"exp":"soon"}"#, JsonError::Shape),
            (r#"{"active":true,"exp":null}"#, JsonError::Shape),
            (r#"{"active":true,"exp":-1}"#, JsonError::Shape),
        ] {
            assert_eq!(read(answer.as_bytes()).err(), Some(why), "{answer}");
        }
    }

    #[test]
    fn a_media_type_is_compared_without_case_and_parameters() {
        let typed = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            is_typed(&headers, JSON)
        };
        assert!(typed("application/json") && typed("Application/JSON; charset=utf-8"));
        assert!(!typed("text/html") && !typed("application/jsonx") && !typed(""));
        assert!(!is_typed(&HeaderMap::new(), JSON));
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(answer in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&answer);
        }

        #[test]
        fn no_answer_without_the_word_true_is_active(answer in r#"\{("active":(false|1|"tru"|null|\{\}),?){0,3}\}"#) {
            prop_assert!(read(answer.as_bytes()).is_err() || read(answer.as_bytes()).unwrap() == Statement::INACTIVE);
        }
    }
}
