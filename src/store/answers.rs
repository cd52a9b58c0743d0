//! Introspection answers that several replicas share, so that one of them asks for all.

use std::fmt;

use super::{Answer, StoreError};
use crate::secret::Secret;
use crate::time::Timestamp;

/// An issuer's answer about one token, with the moment at which it was asked for.
#[derive(Clone)]
pub struct StoredAnswer {
    /// What was answered: claims of a user, so whoever keeps it outside of this process encrypts it.
    pub body: Secret<Vec<u8>>,
    /// When the issuer was asked. An answer is never younger than this, wherever it went meanwhile.
    pub asked_at: Timestamp,
}

impl fmt::Debug for StoredAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredAnswer").field("asked_at", &self.asked_at).finish_non_exhaustive()
    }
}

/// Keeps answers for all replicas. Losing one costs a question; an answer that was altered must not be given back.
///
/// The key is a digest over issuer, client and token, so that no token and no answer for another client is ever found.
pub trait AnswerStore: Send + Sync + fmt::Debug + 'static {
    /// The answer under `key`, if there is one whose time is not over.
    ///
    /// # Errors
    /// [`StoreError`] (inside the answer) when the store cannot be asked. The issuer is asked then.
    fn get(&self, key: [u8; 32], now: Timestamp) -> Answer<Result<Option<StoredAnswer>, StoreError>>;

    /// Keeps an answer until `keep_until`; one that is younger by `asked_at` is not replaced by an older one where the
    /// store can tell.
    ///
    /// # Errors
    /// [`StoreError`] (inside the answer) when it could not be kept.
    fn put(
        &self,
        key: [u8; 32],
        answer: StoredAnswer,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Answer<Result<(), StoreError>>;

    /// Forgets what is kept under `key`.
    ///
    /// # Errors
    /// [`StoreError`] (inside the answer) when it may still be there.
    fn forget(&self, key: [u8; 32]) -> Answer<Result<(), StoreError>>;
}
