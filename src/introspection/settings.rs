//! What an introspector is made of.

use std::sync::Arc;
use std::time::Duration;

use super::cache::Lifetimes;
use super::signed::Signatures;
use crate::client_auth::ClientAuth;
use crate::crypto::sha256;
use crate::observe::Observers;
use crate::store::AnswerStore;
use crate::time::Clock;
use crate::transport::EXCHANGE_TIMEOUT;
use crate::transport::fetch::Fetcher;

/// What an introspector is made of.
#[derive(Debug)]
pub(crate) struct IntrospectorSettings {
    /// The issuer's identifier.
    pub(crate) issuer: String,
    pub(crate) client: ClientAuth,
    /// The address to ask at; discovered from the issuer's metadata where there is none.
    pub(crate) endpoint: Option<String>,
    /// Only signed answers are believed where this is set.
    pub(crate) signatures: Option<Signatures>,
    pub(crate) fetcher: Option<Fetcher>,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) limits: IntrospectionLimits,
    pub(crate) clock: Arc<dyn Clock>,
    /// Answers that replicas share.
    pub(crate) answers: Option<Arc<dyn AnswerStore>>,
    pub(crate) observers: Observers,
}

/// What an introspector keeps and bears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IntrospectionLimits {
    /// Questions at once.
    pub(crate) concurrent: usize,
    /// For one question and its answer; no longer than any exchange may take.
    pub(crate) timeout: Duration,
    /// Answers kept of each kind.
    pub(crate) entries: usize,
}

impl Default for IntrospectionLimits {
    fn default() -> Self {
        Self { concurrent: 64, timeout: EXCHANGE_TIMEOUT, entries: 32_768 }
    }
}

impl IntrospectorSettings {
    /// Answers differ by issuer and address, by client, and by what this server demands of them (RFC 7662 section 2.2).
    pub(super) fn context(&self) -> [u8; 32] {
        let mut parts: Vec<&[u8]> = vec![b"introspection 1", self.issuer.as_bytes()];
        parts.push(self.endpoint.as_deref().unwrap_or_default().as_bytes());
        let identity = self.client.identity();
        parts.push(&identity);
        if let Some(signatures) = &self.signatures {
            parts.push(b"signed");
            parts.extend(signatures.audiences.iter().map(String::as_bytes));
        }
        // The digest of each, because the parts themselves would not tell where one ends.
        let digests: Vec<u8> = parts.into_iter().flat_map(|part| sha256(&[part])).collect();
        sha256(&[&digests])
    }
}
