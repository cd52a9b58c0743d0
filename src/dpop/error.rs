//! Why a DPoP proof was refused. Names of header parameters and claims may appear, their values never.

use std::fmt;

/// The reason for refusing a proof, or a token for its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DpopError {
    /// The scheme is DPoP and there is no `DPoP` header (RFC 9449 section 7.1).
    Missing,
    /// More than one `DPoP` header field (check 1 of RFC 9449 section 4.3).
    Repeated,
    /// Not one well-formed JWS, or a claim is missing or of the wrong type (checks 2 and 3).
    Malformed(&'static str),
    /// `typ` is not `dpop+jwt` (check 4).
    Type,
    /// `alg` is unknown here or not on the list (check 5).
    Algorithm,
    /// The key is not sound, not understood, or not one for `alg` (check 6).
    Key(&'static str),
    /// `jwk` holds private or symmetric material (check 7).
    PrivateKey,
    /// A header that demands what is not understood (RFC 7515 section 4.1.11).
    Critical,
    /// The signature is not that of the key in the header (check 6).
    Signature,
    /// `htm` is not the method of the request (check 8).
    Method,
    /// `htu` is not the URI of the request (check 9).
    Target,
    /// `ath` is not the hash of the token that came along (check 12).
    TokenHash,
    /// `iat` lies too far back (check 11).
    TooOld,
    /// `iat` lies ahead (check 11).
    FromFuture,
    /// Nonces are demanded, and there is none (check 10).
    NonceMissing,
    /// The nonce is not one of this service, or its time is over (check 10).
    NonceInvalid,
    /// Made before the replay store began to remember.
    BeforeBirth,
    /// Seen before (RFC 9449 section 11.1).
    Replayed,
    /// The token is bound to another key: an error of the token, not of the proof (RFC 9449 section 7.1).
    KeyMismatch,
}

impl fmt::Display for DpopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the token came under DPoP without a proof; the client must send the DPoP header",
            Self::Repeated => "more than one DPoP header came; a proxy or the client adds a second one",
            Self::Malformed(what) => return write!(f, "the DPoP proof is malformed: {what}"),
            Self::Type => "the DPoP proof is of another kind: its typ is not dpop+jwt",
            Self::Algorithm => "the DPoP proof's algorithm is not allowed; see Dpop::algorithms(..)",
            Self::Key(what) => return write!(f, "the DPoP proof's key cannot be used: {what}"),
            Self::PrivateKey => {
                "the DPoP proof gives away a private or symmetric key; the client must send the public part only, and \
                 make a new key"
            }
            Self::Critical => "the DPoP proof's header demands an extension that is not understood",
            Self::Signature => "the DPoP proof's signature does not verify with the key in its header",
            Self::Method => "the DPoP proof is for another method: its htm is not that of the request",
            Self::Target => {
                "the DPoP proof is for another URI; if the client is right, compare the resource, also_at(..) and \
                 public_prefix(..) with the URL that it used"
            }
            Self::TokenHash => "the DPoP proof is for another access token: its ath is not the hash of this one",
            Self::TooOld => {
                "the DPoP proof is too old; compare the clocks, and see Dpop::max_age(..) and nonce_instead_of_iat()"
            }
            Self::FromFuture => {
                "the DPoP proof was made in the future; compare the clocks, and see Dpop::nonce_instead_of_iat()"
            }
            Self::NonceMissing => "the DPoP proof holds no nonce; the client gets one with this answer",
            Self::NonceInvalid => {
                "the DPoP proof's nonce is not of this service or has expired; if this is frequent, let all replicas \
                 share one NonceKey"
            }
            Self::BeforeBirth => {
                "the DPoP proof is older than the memory of used proofs, which was started anew; the client retries"
            }
            Self::Replayed => "the DPoP proof was used before; the client must make one for each request",
            Self::KeyMismatch => "the token is bound to another key than that of the DPoP proof",
        })
    }
}

impl std::error::Error for DpopError {}
