//! Answers that the issuer has signed (RFC 9701): proof that it said so to this server, whoever carried it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{self, Statement};
use crate::jwt::error::JwtError;
use crate::jwt::json::{self, JsonError, NumericDate, OneOrMany, Text, present};
use crate::jwt::signed::{IssuerKeys, Signed, SignedError};
use crate::time::Timestamp;

/// Both the media type (behind `application/`) and the `typ` of such an answer (RFC 9701 sections 4 and 5).
pub(super) const TYP: &str = "token-introspection+jwt";
pub(super) const MEDIA_TYPE: &str = "application/token-introspection+jwt";

/// An answer is made when it is asked for. An older one was recorded.
const OLDEST: Duration = Duration::from_secs(120);

/// How far the issuer's clock may be ahead of ours.
const LEEWAY: Duration = Duration::from_secs(60);

/// By what signed answers are believed.
#[derive(Clone, Debug)]
pub(crate) struct Signatures {
    pub(crate) keys: Arc<dyn IssuerKeys>,
    /// The names of this server, one of which every answer must name as its audience: its client id and its resource
    /// identifiers.
    pub(crate) audiences: Vec<String>,
}

/// Why an answer is not believed. It tells of the answer's shape, never of its content.
#[derive(Debug)]
pub(super) enum Disbelief {
    NotText,
    Signature(SignedError),
    Type,
    Json(JsonError),
    Issuer,
    Audience,
    Time,
    NoStatement,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    iss: Text<'a>,
    #[serde(borrow)]
    aud: OneOrMany<'a>,
    iat: NumericDate,
    #[serde(default, deserialize_with = "present")]
    exp: Option<NumericDate>,
    #[serde(borrow)]
    token_introspection: Option<&'a RawValue>,
}

impl Signatures {
    /// What the signed answer says of the token. Claims beside the object that is meant for it say nothing.
    pub(super) async fn read(&self, body: &[u8], issuer: &str, now: Timestamp) -> Result<Statement, Disbelief> {
        let text = str::from_utf8(body).map_err(|_| Disbelief::NotText)?;
        let signed = self.keys.verified(text.trim().into()).await.map_err(Disbelief::Signature)?;
        self.judge(&signed, issuer, now)
    }

    fn judge(&self, signed: &Signed, issuer: &str, now: Timestamp) -> Result<Statement, Disbelief> {
        if !signed.is_typed(TYP) {
            return Err(Disbelief::Type);
        }
        let envelope: Envelope<'_> = json::from_slice(signed.payload().as_bytes()).map_err(Disbelief::Json)?;
        if envelope.iss.0 != issuer || self.keys.issuer() != issuer {
            return Err(Disbelief::Issuer);
        }
        if !envelope.aud.iter().any(|aud| self.audiences.iter().any(|own| own == aud)) {
            return Err(Disbelief::Audience);
        }
        let NumericDate(issued_at) = envelope.iat;
        let over = envelope.exp.is_some_and(|NumericDate(exp)| exp <= now);
        if issued_at > now.plus(LEEWAY) || issued_at < now.minus(OLDEST) || over {
            return Err(Disbelief::Time);
        }
        let statement = envelope.token_introspection.ok_or(Disbelief::NoStatement)?.get();
        if !statement.starts_with('{') {
            return Err(Disbelief::NoStatement);
        }
        wire::read(statement.as_bytes()).map_err(Disbelief::Json)
    }
}

impl Disbelief {
    /// When another answer may be better.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Signature(SignedError::KeysUnavailable { retry_after, .. }) => Some(*retry_after),
            _ => None,
        }
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Signature(SignedError::KeysUnavailable { .. }) => "keys_unavailable",
            _ => "answer_invalid",
        }
    }
}

impl fmt::Display for Disbelief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why: Cow<'_, str> = match self {
            Self::NotText => "it is not UTF-8".into(),
            Self::Signature(SignedError::Refused(JwtError::Encrypted)) => {
                "it is encrypted; register this client without introspection_encrypted_response_alg".into()
            }
            Self::Signature(error) => error.to_string().into(),
            Self::Type => "its typ is not token-introspection+jwt".into(),
            Self::Json(error) => error.to_string().into(),
            Self::Issuer => "it names another issuer".into(),
            Self::Audience => "it is meant for another server: neither this client nor this resource is its aud".into(),
            Self::Time => "its iat is not of this moment: compare the clocks of both servers".into(),
            Self::NoStatement => "it has no object token_introspection".into(),
        };
        write!(f, "the signed answer is not believed: {why}")
    }
}
