//! Why a JWT was not believed. Names of claims may appear, their values never.

use std::fmt;

/// The reason for refusing a JWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JwtError {
    /// Not three base64url segments of strict JSON.
    Malformed(&'static str),
    /// Five segments: a JWE, and no decryption is configured.
    Encrypted,
    /// A header that demands what is not understood (RFC 7515 section 4.1.11, RFC 7797).
    CriticalHeader,
    /// `alg` is unknown here or not allowed for this issuer.
    Algorithm,
    /// `typ` or a distinguishing claim says that this is another kind of token.
    Type {
        /// A preset that would read this token, for the operator's log.
        preset: Option<&'static str>,
    },
    /// `iss` names nobody whom this service believes.
    IssuerUnknown,
    /// The issuer has no key for the token.
    KeyUnknown,
    /// The signature is not the issuer's.
    Signature,
    /// A claim that must be there is not.
    ClaimMissing(&'static str),
    /// A claim has the wrong type or form.
    ClaimInvalid(&'static str),
    /// The issuer's answer contradicts what it has signed.
    ClaimMismatch(&'static str),
    /// `token_type` of the issuer's answer is not that of an access token (RFC 7662 section 2.2).
    TokenType,
    /// The issuer says that the token is not active (RFC 7662 section 2.2).
    Inactive,
    /// A rule of the denylist, by its kind.
    Denied(&'static str),
    /// The issuer's status list says that the token is no longer valid.
    StatusInvalid,
    /// `aud` does not name this service.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `nbf` lies ahead.
    NotYetValid,
    /// `iat` lies ahead.
    IssuedInFuture,
    /// `exp` − `iat` is more than the configured limit.
    LifetimeTooLong,
    /// Bound to a key or certificate by a method that cannot be proved here (RFC 7800).
    Bound,
}

impl fmt::Display for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "the token is no JWT: {what}"),
            Self::Encrypted => f.write_str("the token is encrypted and no decryption is configured"),
            Self::CriticalHeader => f.write_str("the token's header demands an extension that is not understood"),
            Self::Algorithm => f.write_str("the token's algorithm is not allowed for its issuer"),
            Self::Type { preset: None } => f.write_str("the token is not an access token: its typ is not at+jwt"),
            Self::Type { preset: Some(preset) } => write!(
                f,
                "the token's typ is not at+jwt; if the issuer does not follow RFC 9068, set its profile: {preset}"
            ),
            Self::IssuerUnknown => {
                f.write_str("the token's issuer is not one of those configured; add it with trust(..)")
            }
            Self::KeyUnknown => f.write_str("the issuer publishes no key that fits the token"),
            Self::Signature => f.write_str("the token's signature does not verify with the issuer's key"),
            Self::ClaimMissing(name) => write!(f, "the claim {name:?} is missing"),
            Self::ClaimInvalid(name) => write!(f, "the claim {name:?} has the wrong type or form"),
            Self::ClaimMismatch(name) => {
                write!(f, "the issuer's answer about the token and the token itself disagree on {name:?}")
            }
            Self::TokenType => f.write_str("the issuer says that the token is of another type than an access token"),
            Self::Inactive => {
                f.write_str("the issuer says that the token is not active: revoked, expired or not its own")
            }
            Self::Denied(kind) => write!(f, "the token was revoked by a rule of the denylist ({kind})"),
            Self::StatusInvalid => f.write_str("the issuer's status list says that the token is no longer valid"),
            Self::Audience => f.write_str("the token is for another audience; see audience(..)"),
            Self::Expired => f.write_str("the token has expired"),
            Self::NotYetValid => f.write_str("the token is not valid yet; if this is frequent, compare the clocks"),
            Self::IssuedInFuture => f.write_str("the token was issued in the future; compare the clocks"),
            Self::LifetimeTooLong => f.write_str("the token lives longer than max_lifetime allows"),
            Self::Bound => f.write_str("the token is bound to a key or certificate that cannot be proved here"),
        }
    }
}

impl std::error::Error for JwtError {}
