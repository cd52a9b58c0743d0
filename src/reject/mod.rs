//! Every refusal: the table from a cause to what goes over the wire.
//!
//! A refusal is either a judgement (400, 401, 403) or the admission that none was possible (503 with `Retry-After`).
//! An outage is never a 401: clients throw good tokens away on it.
//!
//! | kind | status | `error` |
//! |---|---|---|
//! | nothing presented | 401 | none (RFC 6750 section 3.1) |
//! | malformed header | 400 | `invalid_request` |
//! | any fault of the token | 401 | `invalid_token` |
//! | scope, role or principal lacking | 403 | `insufficient_scope` |
//! | DPoP proof missing, wrong or used before | 401 | `invalid_dpop_proof` (RFC 9449 section 7.1) |
//! | DPoP proof without this server's nonce | 401 | `use_dpop_nonce` (RFC 9449 section 9) |
//! | login too weak or too old | 401 | `insufficient_user_authentication` (RFC 9470) |
//! | keys, introspection, revocation or replay store unavailable | 503 | none |
//! | the service's own mistake | 500 | none |

mod challenge;
mod kind;
mod response;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

pub(crate) use challenge::Challenger;
pub use kind::RejectionKind;
pub(crate) use response::{DPOP_NONCE, Unrendered, apply, expose_to_scripts};
pub use response::{EmptyBodies, OnRejection, RejectionResponse, StandardBodies};

use crate::credential::CredentialError;
use crate::dpop::error::DpopError;
use crate::jwt::error::JwtError;

/// Why a request was refused. Cheap to clone, holds no token and no claim value.
///
/// The layer keeps it in the extensions of the response that it makes, so that an outer layer can count or log it.
#[derive(Clone)]
pub struct Rejection(Arc<Inner>);

struct Inner {
    cause: Cause,
    challenges: Challenges,
    nonce: Option<HeaderValue>,
    retry_after: Option<Duration>,
}

/// One challenge for each scheme that the service takes.
pub(crate) type Challenges = [Option<HeaderValue>; 2];

/// What happened, in full. [`RejectionKind`] is its public name.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    CredentialsMissing,
    Credential(CredentialError),
    Jwt(JwtError),
    /// The verified claims are not those that the service reads.
    ClaimsMismatch {
        wanted: &'static str,
        column: usize,
    },
    ScopeMissing,
    DetailMissing,
    RoleMissing,
    UserRequired,
    StepUp,
    /// The proof of possession is not one.
    Dpop(DpopError),
    /// A bound token presented as if whoever holds it may use it.
    BoundAsBearer,
    /// A proof for a token that is bound to no key.
    Unbound,
    /// The route takes only tokens that were proved to be the client's own.
    SenderUnproved,
    /// Whether a proof was used before cannot be told.
    ReplayUnknown(&'static str),
    /// No key to judge with, and why.
    KeysUnavailable(Arc<str>),
    /// The issuer could not be asked about the token, and why.
    NotIntrospected(Arc<str>),
    /// Whether the token was revoked cannot be told, and why.
    RevocationUnknown(Arc<str>),
    /// A route wants the issuer's word, and there is no way to ask it.
    FreshnessImpossible,
    /// A demand that wants the issuer asked, where nobody can wait for the answer.
    FreshnessNotAsked,
    /// The server that judged the request is gone.
    ServerGone,
    LayerMissing,
    ServersMixed,
}

impl Rejection {
    pub(crate) fn new(cause: Cause, challenges: Challenges) -> Self {
        Self(Arc::new(Inner { cause, challenges, nonce: None, retry_after: None }))
    }

    /// With a nonce for the client's next proof (RFC 9449 section 9).
    pub(crate) fn with_nonce(cause: Cause, challenges: Challenges, nonce: Option<HeaderValue>) -> Self {
        Self(Arc::new(Inner { cause, challenges, nonce, retry_after: None }))
    }

    /// Not judged, because something is out of reach.
    pub(crate) fn unavailable(cause: Cause, retry_after: Duration) -> Self {
        Self(Arc::new(Inner { cause, challenges: [None, None], nonce: None, retry_after: Some(retry_after) }))
    }

    /// The service's own mistake.
    pub(crate) fn mistake(cause: Cause) -> Self {
        Self::new(cause, [None, None])
    }

    /// An extractor was used on a route without the layer.
    pub(crate) fn layer_missing() -> Self {
        Self::mistake(Cause::LayerMissing)
    }

    /// What kind of refusal this is.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        RejectionKind::of(&self.0.cause)
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        self.kind().status()
    }

    /// The `WWW-Authenticate` values of the answer, one for each scheme; none for 500 and 503.
    pub fn challenges(&self) -> impl Iterator<Item = &HeaderValue> {
        self.0.challenges.iter().flatten()
    }

    /// The `DPoP-Nonce` of the answer (RFC 9449 section 9).
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<&HeaderValue> {
        self.0.nonce.as_ref()
    }

    /// When to try again, for a request that was not judged.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

/// For the operator; never sent to the client.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.cause.fmt(f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CredentialsMissing => f.write_str("no credential was presented"),
            Self::Credential(error) => error.fmt(f),
            Self::Jwt(error) => error.fmt(f),
            Self::ClaimsMismatch { wanted, column } => write!(
                f,
                "the token's claims do not fit {wanted} (byte {column} of the payload): one is missing or has another type"
            ),
            Self::ScopeMissing => f.write_str("the token lacks a scope that the route demands"),
            Self::DetailMissing => {
                f.write_str("the token's authorization_details do not grant what the route demands")
            }
            Self::RoleMissing => f.write_str("the token lacks a role that the route demands"),
            Self::UserRequired => f.write_str("the route is for users, and a client acts for itself"),
            Self::StepUp => f.write_str("the user's login is too weak or too old for the route"),
            Self::Dpop(error) => error.fmt(f),
            Self::BoundAsBearer => f.write_str("the token is bound to a key and was sent as Bearer, without proof of it"),
            Self::Unbound => f.write_str("the token was sent with a DPoP proof but is bound to no key"),
            Self::SenderUnproved => f.write_str("the route takes only tokens bound to the client's key, with proof"),
            Self::ReplayUnknown(why) => write!(f, "whether the DPoP proof was used before cannot be told: {why}"),
            Self::KeysUnavailable(why) => write!(f, "the issuer's keys are not available: {why}"),
            Self::NotIntrospected(why) => write!(f, "the issuer could not be asked about the token: {why}"),
            Self::RevocationUnknown(why) => write!(f, "whether the token was revoked cannot be told: {why}"),
            Self::FreshnessImpossible => f.write_str(
                "the route demands the issuer's word on the token, and this issuer cannot be asked; add confirm_online(..) to Issuer::jwt, or use Issuer::hybrid or Issuer::opaque",
            ),
            Self::FreshnessNotAsked => f.write_str(
                "a demand wants a fresher verdict than the request has, and meets(..) cannot ask for one; use proves(..).await",
            ),
            Self::ServerGone => f.write_str("the ResourceServer that judged the request is gone; keep it while requests run"),
            Self::LayerMissing => {
                f.write_str("the route has an extractor of tower-oauth but no OAuthLayer around it; add .layer(OAuthLayer::new(..))")
            }
            Self::ServersMixed => f.write_str(
                "an OAuthLayer inside another one of a different ResourceServer; share one server among them: OAuthLayer::new(&server)",
            ),
        }
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.kind().as_str())
            .field("status", &self.status().as_u16())
            .field("cause", &format_args!("{}", self.0.cause))
            .finish()
    }
}

impl std::error::Error for Rejection {}
