//! The key that keeps what Redis holds from whoever reads Redis.

use std::fmt;
use std::sync::Arc;

use crate::crypto::aead::SealingKey;
use crate::store::StoreError;

/// Keeps the key apart from any other that may be derived from the same secret.
const PURPOSE: &[u8] = b"tower-oauth shared answers v1";

/// A secret shorter than the key that is made of it would be the weaker of the two.
const MIN_SECRET_BYTES: usize = 32;

/// What shared introspection answers are sealed with: all replicas take the same secret. Those that do not read each
/// other's answers ask the issuer, so a secret may be exchanged one replica at a time.
#[derive(Clone)]
pub struct StoreKey(Option<Arc<SealingKey>>);

impl StoreKey {
    /// From a secret of at least 32 random bytes. It may be the one that also makes a
    /// [`NonceKey`](crate::NonceKey): each derives a key of its own. A shorter one is reported when the store is made.
    #[must_use]
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref();
        Self((secret.len() >= MIN_SECRET_BYTES).then(|| SealingKey::derive(secret, PURPOSE)).flatten().map(Arc::new))
    }

    pub(super) fn sealing(self) -> Result<Arc<SealingKey>, StoreError> {
        self.0.ok_or_else(|| StoreError::new("a StoreKey needs a secret of at least 32 bytes"))
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey([redacted])")
    }
}
