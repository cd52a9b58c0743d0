//! Where an issuer's keys come from, and what they verify besides access tokens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::Algorithm;
use crate::jwks::key_ring::{KeyRing, KeySource, Lookup};
use crate::jwks::key_set::KeySet;
use crate::jwt::compact::Compact;
use crate::jwt::error::JwtError;
use crate::jwt::signed::{IssuerKeys, Signed, SignedError, Verifying};
use crate::transport::fetch::endpoint;

pub(super) enum Keys {
    Discovered,
    At(String),
    File(PathBuf),
    Given(Vec<u8>),
}

impl Keys {
    pub(super) fn into_source(self, name: &str, loopback_http: bool, problems: &mut Vec<String>) -> Option<KeySource> {
        match self {
            Self::Discovered => Some(KeySource::Discovered),
            Self::File(path) => Some(KeySource::File(path)),
            Self::At(url) => match endpoint(&url, loopback_http) {
                Ok(_) => Some(KeySource::Url(url)),
                Err(problem) => {
                    problems.push(format!("issuer {name:?}: jwks_uri {url:?}: {problem}"));
                    None
                }
            },
            Self::Given(json) => match KeySet::parse(&json) {
                // It would refuse every token, and nothing would ever be fetched to mend it.
                Ok(keys) if keys.is_empty() => {
                    problems.push(format!(
                        "issuer {name:?}: the given JWK Set holds no key that can be used; {} skipped, because they are not public signature keys of a supported kind and size",
                        keys.skipped()
                    ));
                    None
                }
                Ok(keys) => Some(KeySource::Static(keys)),
                Err(error) => {
                    problems.push(format!("issuer {name:?}: the given JWK Set cannot be used: {error}"));
                    None
                }
            },
        }
    }
}

/// The keys of one issuer, for what it signs besides access tokens.
#[derive(Debug)]
pub(in crate::server) struct DocumentKeys {
    pub(super) issuer: Arc<str>,
    pub(super) ring: Arc<KeyRing>,
    pub(super) algorithms: Arc<[Algorithm]>,
}

impl IssuerKeys for DocumentKeys {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn verified(&self, document: Box<str>) -> Verifying {
        let (ring, algorithms) = (Arc::clone(&self.ring), Arc::clone(&self.algorithms));
        Box::pin(async move { verify(&ring, &algorithms, &document).await })
    }
}

/// As access tokens are verified: an unknown key, or a signature that is none of a known one, starts one shared look
/// for newer keys.
async fn verify(ring: &KeyRing, algorithms: &[Algorithm], document: &str) -> Result<Signed, SignedError> {
    let parse = || Compact::parse_document(document).map_err(SignedError::Refused);
    let header = parse()?.header;
    if !algorithms.contains(&header.alg) {
        return Err(SignedError::Refused(JwtError::Algorithm));
    }
    let kid = header.kid.as_deref();
    let mut waits = 0;
    let mut lookup = ring.lookup(kid, header.alg);
    loop {
        lookup = match lookup {
            Lookup::Found(keys) | Lookup::Stale(keys) => match Signed::verify(parse()?, keys.iter()) {
                Err(JwtError::Signature) => match ring.after_bad_signature(keys.generation(), kid, header.alg) {
                    Lookup::Cooling { refreshed: true, .. } => return Err(SignedError::Refused(JwtError::Signature)),
                    other => other,
                },
                judged => return judged.map_err(SignedError::Refused),
            },
            Lookup::Missing(refresh) | Lookup::Empty(refresh) if waits < 2 => {
                waits += 1;
                // Whether the keys came is told by the next look at the ring.
                let _ = refresh.await;
                ring.lookup(kid, header.alg)
            }
            Lookup::Missing(_) | Lookup::Empty(_) => {
                return Err(unavailable("keys keep changing", Duration::from_secs(1)));
            }
            Lookup::Cooling { refreshed: true, .. } => return Err(SignedError::Refused(JwtError::KeyUnknown)),
            Lookup::Cooling { refreshed: false, retry_after } => {
                return Err(unavailable("the last fetch failed", retry_after));
            }
        };
    }
}

fn unavailable(reason: &str, retry_after: Duration) -> SignedError {
    SignedError::KeysUnavailable { reason: reason.into(), retry_after }
}
