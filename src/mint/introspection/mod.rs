//! The introspection endpoint (RFC 7662, RFC 9701): who may ask, what was asked, and what is answered.

pub(crate) mod answer;
pub(crate) mod askers;
pub(crate) mod request;

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::mint::MintError;
use crate::mint::authority::Authority;
use crate::mint::claims::numeric_date;
use crate::mint::introspection::answer::IntrospectionAnswer;
use crate::mint::introspection::askers::Askers;
use crate::mint::introspection::request::{IntrospectionRequest, accepts_jwt};
use crate::mint::reply::{JSON, Reply};

/// The media type of a signed answer (RFC 9701 section 5).
pub(crate) const JWT: &str = "application/token-introspection+jwt";

/// What the endpoint keeps in mind.
#[derive(Debug, Default)]
pub(crate) struct Introspection {
    pub(crate) askers: Askers,
    pub(crate) answer: IntrospectionAnswer,
    pub(crate) last: Option<IntrospectionRequest>,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Method,
    Request(&'static str),
    Client,
}

impl Refusal {
    /// RFC 6749 section 5.2. To whoever asks for a signed answer a failed authentication is 400 (RFC 9701 section 5).
    fn reply(self, wants_jwt: bool) -> Reply {
        let (status, error, description) = match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "introspection is asked for by POST"),
            Self::Request(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::Client if wants_jwt => (StatusCode::BAD_REQUEST, "invalid_client", "client authentication failed"),
            Self::Client => (StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed"),
        };
        let content = json!({ "error": error, "error_description": description }).to_string();
        let mut reply = Reply { status, ..Reply::new(JSON, content) };
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"introspection\"");
            reply.headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self == Self::Method {
            reply.headers.insert(header::ALLOW, HeaderValue::from_static(Method::POST.as_str()));
        }
        reply
    }
}

/// The answer to a request, as far as nothing is wrong with it on demand.
pub(crate) fn reply(authority: &Authority, request: &IntrospectionRequest) -> Result<Reply, MintError> {
    let wants_jwt = accepts_jwt(request.headers());
    match request.asked() {
        Ok((client, token)) => about(authority, client, authority.introspect(token), wants_jwt),
        Err(refusal) => Ok(refusal.reply(wants_jwt)),
    }
}

/// What `client` is told: `members` as JSON, or signed for this client alone (RFC 9701 section 5).
pub(crate) fn about(
    authority: &Authority,
    client: &str,
    mut members: Map<String, Value>,
    wants_jwt: bool,
) -> Result<Reply, MintError> {
    let mut state = authority.state();
    let now = state.clock.now();
    let key = state.keys.current()?;
    let answer = state.introspection.answer.clone();
    drop(state);
    answer.change_members(&mut members);
    if !answer.is_signed(wants_jwt) {
        return Ok(answer.finish(Reply::new(JSON, Value::Object(members).to_string())));
    }
    let claims = Map::from_iter([
        ("iss".to_owned(), authority.issuer().into()),
        ("aud".to_owned(), client.into()),
        ("iat".to_owned(), numeric_date(now)),
        ("token_introspection".to_owned(), Value::Object(members)),
    ]);
    Ok(answer.finish(Reply::new(JWT, answer.changes.sign(&key, "token-introspection+jwt", claims)?)))
}
