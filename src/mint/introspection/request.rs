//! One request to the introspection endpoint, as a test looks at it and as the endpoint reads it.

use std::fmt;

use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};

use crate::mint::form::Form;
use crate::mint::introspection::askers::Askers;
use crate::mint::introspection::{JWT, Refusal};
use crate::time::Timestamp;

/// What a resource server asked of the introspection endpoint (RFC 7662 section 2.1).
///
/// It holds a token and perhaps a secret, so `Debug` shows neither.
///
/// ```
/// use http::Request;
/// use tower::ServiceExt as _;
/// use tower_oauth::test::TestIssuer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let issuer = TestIssuer::new("https://login.test");
/// issuer.registers_client("api", "s3cr3t");
/// let request = Request::post("https://login.test/introspect")
///     .header("content-type", "application/x-www-form-urlencoded")
///     .body("token=a%2Bb&client_id=api&client_secret=s3cr3t".into())?;
/// issuer.transport().oneshot(request).await?;
///
/// let asked = issuer.last_introspection().expect("there was a request");
/// assert_eq!(asked.parameter("token"), Some("a+b"));
/// assert_eq!(asked.client(), Some("api"));
/// assert_eq!(asked.uri().query(), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct IntrospectionRequest {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    form: Form,
    /// The client that proved itself and the token that it named.
    asked: Result<(String, String), Refusal>,
}

impl IntrospectionRequest {
    pub(crate) fn read(request: &Parts, body: &[u8], askers: &mut Askers, issuer: &str, now: Timestamp) -> Self {
        let form = Form::parse(&request.headers, body);
        let asked = match &form {
            _ if request.method != Method::POST => Err(Refusal::Method),
            Err(why) => Err(Refusal::Request(why)),
            Ok(form) => {
                let client = askers.authenticate(&request.headers, form, issuer, now);
                client.and_then(|client| Ok((client, token(form)?)))
            }
        };
        Self {
            method: request.method.clone(),
            uri: request.uri.clone(),
            headers: request.headers.clone(),
            form: form.unwrap_or_default(),
            asked,
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URI.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A parameter of the form, decoded; the first, where it stands more than once.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.form.pairs().iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The names of all parameters in their order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.form.pairs().iter().map(|(name, _)| name.as_str())
    }

    /// The client that asked; `None` when it did not prove to be one, or when the request was not understood.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.asked.as_ref().ok().map(|(client, _)| client.as_str())
    }

    pub(crate) fn asked(&self) -> Result<(&str, &str), Refusal> {
        self.asked.as_ref().map(|(client, token)| (client.as_str(), token.as_str())).map_err(|refusal| *refusal)
    }
}

/// `token`; `token_type_hint` and what else there is change nothing (RFC 7662 section 2.1).
fn token(form: &Form) -> Result<String, Refusal> {
    let token = form.once("token").map_err(Refusal::Request)?;
    token.map(str::to_owned).ok_or(Refusal::Request("token is missing"))
}

/// Whether a signed answer is asked for (RFC 9701 section 4): by its own media type, not by a wildcard.
pub(crate) fn accepts_jwt(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = values.flat_map(|value| value.split(',')).map(|it| it.split(';').next().unwrap_or_default().trim());
    types.any(|media_type| media_type.eq_ignore_ascii_case(JWT))
}

impl fmt::Debug for IntrospectionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionRequest")
            .field("method", &self.method)
            .field("client", &self.client())
            .field("parameters", &self.parameters().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
