//! The stable names of refusals, and the status and error code of each.

use std::fmt;

use http::StatusCode;

use super::Cause;
use crate::credential::CredentialError;
use crate::dpop::error::DpopError;
use crate::jwt::error::JwtError;

macro_rules! kinds {
    ($($(#[$meta:meta])* $kind:ident = $code:literal, $status:ident, $error:expr;)+) => {
        /// What kind of refusal it is. The codes are stable: count and alert on them. [The guide](crate::guide::jwt) tells
        /// at which step of the judgement each arises.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RejectionKind {
            $($(#[$meta])* $kind,)+
        }

        impl RejectionKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The stable code, in snake case. Not for the wire: it tells an attacker how far a token came.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $code,)+ }
            }

            /// The HTTP status of the answer.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }

            /// The `error` of the challenge, if it carries one (RFC 6750 section 3.1, RFC 9470 section 3).
            #[must_use]
            pub const fn error(self) -> Option<&'static str> {
                match self { $(Self::$kind => $error,)+ }
            }
        }
    };
}

const REQUEST: Option<&str> = Some("invalid_request");
const TOKEN: Option<&str> = Some("invalid_token");
const PROOF: Option<&str> = Some("invalid_dpop_proof");
const NONCE: Option<&str> = Some("use_dpop_nonce");
const SCOPE: Option<&str> = Some("insufficient_scope");
const STEP_UP: Option<&str> = Some("insufficient_user_authentication");

kinds! {
    /// Nothing was presented, or a scheme that is not OAuth's.
    CredentialsMissing = "credentials_missing", UNAUTHORIZED, None;
    /// The `Authorization` header could not be read.
    CredentialsMalformed = "credentials_malformed", BAD_REQUEST, REQUEST;
    /// A token in the query string, which the configuration refuses.
    TokenInQuery = "token_in_query", BAD_REQUEST, REQUEST;
    /// Not a JWT, or not a strict one.
    TokenMalformed = "token_malformed", UNAUTHORIZED, TOKEN;
    /// An encrypted token.
    TokenEncrypted = "token_encrypted", UNAUTHORIZED, TOKEN;
    /// A header that demands an extension.
    CriticalHeader = "critical_header", UNAUTHORIZED, TOKEN;
    /// An algorithm that is unknown or not allowed for the issuer.
    AlgorithmNotAllowed = "algorithm_not_allowed", UNAUTHORIZED, TOKEN;
    /// Another kind of token than an access token.
    WrongTokenType = "wrong_token_type", UNAUTHORIZED, TOKEN;
    /// An issuer that is not configured.
    IssuerUnknown = "issuer_unknown", UNAUTHORIZED, TOKEN;
    /// The issuer has no such key.
    KeyUnknown = "key_unknown", UNAUTHORIZED, TOKEN;
    /// The signature does not verify.
    SignatureInvalid = "signature_invalid", UNAUTHORIZED, TOKEN;
    /// A claim that must be there is not.
    ClaimMissing = "claim_missing", UNAUTHORIZED, TOKEN;
    /// A claim of the wrong type or form.
    ClaimInvalid = "claim_invalid", UNAUTHORIZED, TOKEN;
    /// A token for another service.
    AudienceMismatch = "audience_mismatch", UNAUTHORIZED, TOKEN;
    /// A token past its `exp`.
    TokenExpired = "token_expired", UNAUTHORIZED, TOKEN;
    /// A token before its `nbf`.
    TokenNotYetValid = "token_not_yet_valid", UNAUTHORIZED, TOKEN;
    /// A token whose `iat` lies ahead.
    IssuedInFuture = "issued_in_future", UNAUTHORIZED, TOKEN;
    /// A token that lives longer than the configuration allows.
    LifetimeTooLong = "lifetime_too_long", UNAUTHORIZED, TOKEN;
    /// The issuer's answer contradicts the token, or is about another type of token.
    AnswerMismatch = "answer_mismatch", UNAUTHORIZED, TOKEN;
    /// The issuer says that the token is not active.
    TokenInactive = "token_inactive", UNAUTHORIZED, TOKEN;
    /// Revoked, by a rule of the denylist or by the issuer's status list.
    TokenRevoked = "token_revoked", UNAUTHORIZED, TOKEN;
    /// A proof of possession that is missing or not sound (RFC 9449 section 4.3).
    ProofInvalid = "dpop_proof_invalid", UNAUTHORIZED, PROOF;
    /// A proof that was used before.
    ProofReplayed = "dpop_proof_replayed", UNAUTHORIZED, PROOF;
    /// A proof without a nonce of this server, or with one that is too old.
    NonceRequired = "dpop_nonce_required", UNAUTHORIZED, NONCE;
    /// A proof by another key than the one that the token is bound to.
    ProofKeyMismatch = "dpop_key_mismatch", UNAUTHORIZED, TOKEN;
    /// A proof for a token that is bound to no key.
    TokenUnbound = "token_unbound", UNAUTHORIZED, TOKEN;
    /// A route that takes only tokens bound to the client's key.
    SenderUnproved = "sender_unproved", UNAUTHORIZED, TOKEN;
    /// A token bound to a key or certificate that was not proved.
    TokenBound = "token_bound", UNAUTHORIZED, TOKEN;
    /// A verified token without the claims that the service reads.
    ClaimsMismatch = "claims_mismatch", UNAUTHORIZED, TOKEN;
    /// A scope is lacking.
    ScopeMissing = "scope_missing", FORBIDDEN, SCOPE;
    /// The authorization details do not grant it.
    DetailMissing = "detail_missing", FORBIDDEN, SCOPE;
    /// A role is lacking.
    RoleMissing = "role_missing", FORBIDDEN, SCOPE;
    /// A client where a user is needed.
    UserRequired = "user_required", FORBIDDEN, SCOPE;
    /// The login is too weak or too old.
    StepUpRequired = "step_up_required", UNAUTHORIZED, STEP_UP;
    /// Not judged: no keys to judge with.
    KeysUnavailable = "keys_unavailable", SERVICE_UNAVAILABLE, None;
    /// Not judged: whether a proof was used before cannot be told.
    ReplayUnknown = "replay_unknown", SERVICE_UNAVAILABLE, None;
    /// Not judged: the issuer could not be asked about the token.
    IntrospectionUnavailable = "introspection_unavailable", SERVICE_UNAVAILABLE, None;
    /// Not judged: whether the token was revoked cannot be told.
    RevocationUnknown = "revocation_unknown", SERVICE_UNAVAILABLE, None;
    /// The service's mistake: a route wants the issuer's word on a token, and no way to ask is configured.
    FreshnessImpossible = "freshness_impossible", INTERNAL_SERVER_ERROR, None;
    /// The service's mistake: an extractor without the layer.
    LayerMissing = "layer_missing", INTERNAL_SERVER_ERROR, None;
    /// The service's mistake: layers of two servers within each other.
    ServersMixed = "servers_mixed", INTERNAL_SERVER_ERROR, None;
}

impl RejectionKind {
    pub(super) const fn of(cause: &Cause) -> Self {
        match cause {
            Cause::CredentialsMissing => Self::CredentialsMissing,
            Cause::Credential(CredentialError::InQuery) => Self::TokenInQuery,
            Cause::Credential(CredentialError::Repeated(_) | CredentialError::Syntax(_)) => Self::CredentialsMalformed,
            Cause::Jwt(error) => Self::of_jwt(error),
            Cause::ClaimsMismatch { .. } => Self::ClaimsMismatch,
            Cause::ScopeMissing => Self::ScopeMissing,
            Cause::DetailMissing => Self::DetailMissing,
            Cause::RoleMissing => Self::RoleMissing,
            Cause::UserRequired => Self::UserRequired,
            Cause::StepUp => Self::StepUpRequired,
            Cause::Dpop(DpopError::Replayed) => Self::ProofReplayed,
            Cause::Dpop(DpopError::NonceMissing | DpopError::NonceInvalid) => Self::NonceRequired,
            Cause::Dpop(DpopError::KeyMismatch) => Self::ProofKeyMismatch,
            Cause::Dpop(_) => Self::ProofInvalid,
            Cause::BoundAsBearer => Self::TokenBound,
            Cause::Unbound => Self::TokenUnbound,
            Cause::SenderUnproved => Self::SenderUnproved,
            Cause::ReplayUnknown(_) => Self::ReplayUnknown,
            Cause::KeysUnavailable(_) => Self::KeysUnavailable,
            Cause::NotIntrospected(_) => Self::IntrospectionUnavailable,
            Cause::RevocationUnknown(_) => Self::RevocationUnknown,
            Cause::FreshnessImpossible | Cause::FreshnessNotAsked => Self::FreshnessImpossible,
            Cause::ServerGone => Self::LayerMissing,
            Cause::LayerMissing => Self::LayerMissing,
            Cause::ServersMixed => Self::ServersMixed,
        }
    }

    const fn of_jwt(error: &JwtError) -> Self {
        match error {
            JwtError::Malformed(_) => Self::TokenMalformed,
            JwtError::Encrypted => Self::TokenEncrypted,
            JwtError::CriticalHeader => Self::CriticalHeader,
            JwtError::Algorithm => Self::AlgorithmNotAllowed,
            JwtError::Type { .. } => Self::WrongTokenType,
            JwtError::IssuerUnknown => Self::IssuerUnknown,
            JwtError::KeyUnknown => Self::KeyUnknown,
            JwtError::Signature => Self::SignatureInvalid,
            JwtError::ClaimMissing(_) => Self::ClaimMissing,
            JwtError::ClaimInvalid(_) => Self::ClaimInvalid,
            JwtError::ClaimMismatch(_) | JwtError::TokenType => Self::AnswerMismatch,
            JwtError::Inactive => Self::TokenInactive,
            JwtError::Denied(_) | JwtError::StatusInvalid => Self::TokenRevoked,
            JwtError::Audience => Self::AudienceMismatch,
            JwtError::Expired => Self::TokenExpired,
            JwtError::NotYetValid => Self::TokenNotYetValid,
            JwtError::IssuedInFuture => Self::IssuedInFuture,
            JwtError::LifetimeTooLong => Self::LifetimeTooLong,
            JwtError::Bound => Self::TokenBound,
        }
    }

    /// The text that goes with the error: one for each RFC code, so that it tells nothing of the cause.
    pub(super) fn description(self) -> Option<&'static str> {
        Some(match self.error()? {
            "invalid_request" => "the request does not present one well-formed credential",
            "invalid_token" => "the access token is not valid for this resource",
            "invalid_dpop_proof" => "the DPoP proof is not valid for this request",
            "use_dpop_nonce" => "the DPoP proof needs the nonce in DPoP-Nonce",
            "insufficient_scope" => "the access token does not grant what this request needs",
            _ => "this request needs a stronger or more recent login",
        })
    }
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
