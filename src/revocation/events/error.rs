//! Why an event was not taken in, and what is answered. Names of claims may appear, their values never.

use std::fmt;

use crate::jwt::error::JwtError;
use crate::jwt::signed::SignedError;

/// A logout token that is refused: status 400 (OpenID Back-Channel Logout section 2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogoutError {
    /// The form has not one `logout_token`.
    Form,
    Token(JwtError),
    /// Neither `sub` nor `sid`.
    Nobody,
    /// `events` lacks the member of a logout, or it is no object.
    NoLogout,
    /// `nonce`: an ID token.
    Nonce,
    /// Used before.
    Repeated,
}

impl LogoutError {
    /// The `error` of the answer.
    pub(crate) const CODE: &'static str = "invalid_request";
}

impl fmt::Display for LogoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("the body is not a form with one logout_token"),
            Self::Token(error) => write!(f, "the logout token is not believed: {error}"),
            Self::Nobody => f.write_str("the logout token has neither sub nor sid"),
            Self::NoLogout => f.write_str("events of the token is not that of a logout"),
            Self::Nonce => f.write_str("the token has a nonce, which a logout token must not have"),
            Self::Repeated => f.write_str("the logout token was used before"),
        }
    }
}

impl std::error::Error for LogoutError {}

/// A security event token that is refused: status 400 with `err` (RFC 8935 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetError {
    /// No SET, or none of the profile that is spoken here.
    Request(&'static str),
    /// Not signed by a key of the issuer that may sign.
    Key(JwtError),
    /// The signature is not the issuer's.
    Authentication,
    /// Not the issuer that this service listens to.
    Issuer,
    /// For somebody else.
    Audience,
}

impl SetError {
    /// The `err` of the answer, registered in RFC 8935 section 7.1.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Request(_) => "invalid_request",
            Self::Key(_) => "invalid_key",
            Self::Authentication => "authentication_failed",
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
        }
    }

    /// The body of the answer, in English (`Content-Language: en`).
    pub(crate) fn body(&self) -> String {
        serde_json::json!({"err": self.code(), "description": self.to_string()}).to_string()
    }
}

impl From<JwtError> for SetError {
    fn from(error: JwtError) -> Self {
        match error {
            JwtError::Signature => Self::Authentication,
            JwtError::Algorithm | JwtError::KeyUnknown => Self::Key(error),
            JwtError::IssuerUnknown => Self::Issuer,
            JwtError::Audience => Self::Audience,
            JwtError::ClaimMissing("iss") => Self::Issuer,
            _ => Self::Request("it is not a signed JWT that can be read"),
        }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(what) => write!(f, "the security event token is malformed: {what}"),
            Self::Key(_) => {
                f.write_str("the security event token is not signed with a key of its issuer that may sign")
            }
            Self::Authentication => f.write_str("the signature of the security event token is not its issuer's"),
            Self::Issuer => f.write_str("the issuer of the security event token is not one that is listened to"),
            Self::Audience => f.write_str("the security event token is for another audience"),
        }
    }
}

impl std::error::Error for SetError {}

impl SetError {
    /// What is answered to a signature that was not found good; `None` where it was not judged (status 503).
    pub(crate) fn of(error: &SignedError) -> Option<Self> {
        match error {
            SignedError::Refused(error) => Some((*error).into()),
            SignedError::KeysUnavailable { .. } => None,
        }
    }
}
