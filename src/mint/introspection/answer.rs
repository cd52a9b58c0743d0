//! What a test changes in the answers of the introspection endpoint.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::mint::changes::{Changes, apply, jwt_changes};
use crate::mint::reply::Reply;

/// Changes to every answer of the introspection endpoint to a client that has proved itself; each part is right until
/// told otherwise.
///
/// `member` and `without_member` change what is told about the token (RFC 7662 section 2.2), in a signed answer within
/// `token_introspection`. The words that any JWT can be broken by, such as `claim` and `typ`, change the signed answer
/// around it (RFC 9701 section 5). `status`, `content_type` and `body` change what goes over the wire.
///
/// ```
/// use tower_oauth::test::{IntrospectionAnswer, TestIssuer};
///
/// let issuer = TestIssuer::new("https://login.test");
/// // No boolean, so no active token.
/// issuer.answers_introspection(IntrospectionAnswer::new().member("active", "true"));
/// // Signed for somebody else.
/// issuer.answers_introspection(IntrospectionAnswer::new().claim("aud", "another-client"));
/// // Right again.
/// issuer.answers_introspection(IntrospectionAnswer::new());
/// ```
#[derive(Clone, Default)]
#[must_use = "an answer changes nothing until the issuer is given it"]
pub struct IntrospectionAnswer {
    members: BTreeMap<String, Option<Value>>,
    pub(crate) changes: Changes,
    signed: Option<bool>,
    status: Option<StatusCode>,
    content_type: Option<HeaderValue>,
    body: Option<Bytes>,
}

jwt_changes!(IntrospectionAnswer);

impl IntrospectionAnswer {
    /// The right answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A member of the answer, in place of what is there. An answer about an inactive token gets it too.
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), Some(value.into()));
        self
    }

    /// Leaves out a member of the answer.
    pub fn without_member(mut self, name: &str) -> Self {
        self.members.insert(name.to_owned(), None);
        self
    }

    /// Answers with a JWT, whatever was asked for.
    pub fn signed(mut self) -> Self {
        self.signed = Some(true);
        self
    }

    /// Answers with plain JSON, whatever was asked for.
    pub fn plain(mut self) -> Self {
        self.signed = Some(false);
        self
    }

    /// The status. A number that is no status counts as 500.
    pub fn status(mut self, code: u16) -> Self {
        self.status = Some(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        self
    }

    /// `Content-Type`; empty when the value cannot be sent.
    pub fn content_type(mut self, value: &str) -> Self {
        self.content_type = Some(HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("")));
        self
    }

    /// The body exactly as given.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn change_members(&self, members: &mut Map<String, Value>) {
        apply(&self.members, members);
    }

    pub(crate) fn is_signed(&self, wants_jwt: bool) -> bool {
        self.signed.unwrap_or(wants_jwt)
    }

    /// Puts the rest of the changes into a reply.
    pub(crate) fn finish(&self, mut reply: Reply) -> Reply {
        reply.status = self.status.unwrap_or(reply.status);
        reply.content = self.body.clone().unwrap_or(reply.content);
        if let Some(value) = &self.content_type {
            reply.headers.insert(header::CONTENT_TYPE, value.clone());
        }
        reply
    }
}

impl fmt::Debug for IntrospectionAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}
