//! What an issuer signs besides access tokens: introspection answers (RFC 9701), status lists, logout tokens and
//! security event tokens (RFC 8417).
//!
//! Whoever reads such a document keeps no keys. It asks [`IssuerKeys`] for the signature and gets a [`Signed`], which
//! nothing else can make; each kind of document is then told from the others by its `typ` (RFC 8725bis section 3.11).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::Key;
use crate::jwt::compact::{Compact, Header, media_type};
use crate::jwt::error::JwtError;

/// A document that an issuer has signed. What it is and says is still to be judged.
#[derive(Debug)]
pub(crate) struct Signed {
    header: Header,
    payload: String,
}

impl Signed {
    /// Tries the keys in turn; the caller bounds their number.
    pub(crate) fn verify<'k>(document: Compact<'_>, mut keys: impl Iterator<Item = &'k Key>) -> Result<Self, JwtError> {
        let Compact { header, payload, signed, signature } = document;
        if keys.any(|key| key.verifies(header.alg, signed, &signature)) {
            Ok(Self { header, payload })
        } else {
            Err(JwtError::Signature)
        }
    }

    /// Whether its `typ` is this one, in any case and with or without `application/` (RFC 7515 section 4.1.9).
    pub(crate) fn is_typed(&self, typ: &str) -> bool {
        self.header.media_type().is_some_and(|own| own.eq_ignore_ascii_case(media_type(typ)))
    }

    /// Whether it says what it is.
    pub(crate) fn has_typ(&self) -> bool {
        self.header.typ.is_some()
    }

    /// A JSON object, as far as whoever signed it is to be believed; not looked at yet.
    pub(crate) fn payload(&self) -> &str {
        &self.payload
    }
}

/// The keys of one issuer, for documents that are no access tokens. The issuer's algorithms apply to them too.
pub(crate) trait IssuerKeys: Send + Sync + fmt::Debug + 'static {
    /// Whose keys they are.
    fn issuer(&self) -> &str;

    /// The document, if the issuer has signed it. Its length was bounded before.
    fn verified(&self, document: Box<str>) -> Verifying;
}

/// A signature on its way to be verified: keys may have to be fetched first.
pub(crate) type Verifying = Pin<Box<dyn Future<Output = Result<Signed, SignedError>> + Send>>;

/// Why a signed document is not believed.
#[derive(Clone, Debug)]
pub(crate) enum SignedError {
    /// It is none, or not the issuer's.
    Refused(JwtError),
    /// Nobody knows: the keys are out of reach.
    KeysUnavailable {
        /// In words, for the operator.
        reason: Arc<str>,
        /// When to try again.
        retry_after: Duration,
    },
}

impl fmt::Display for SignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "the signed document is not believed: {error}"),
            Self::KeysUnavailable { reason, .. } => {
                write!(f, "the issuer's keys, which would verify the signed document, are not available: {reason}")
            }
        }
    }
}

impl std::error::Error for SignedError {}
