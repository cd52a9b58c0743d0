//! Where a ring's keys come from, and one attempt to get them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

use crate::discovery::discover;
use crate::jwks::key_set::KeySet;
use crate::transport::FetchError;
use crate::transport::error::Kind;
use crate::transport::fetch::{Fetched, Fetcher};
use crate::transport::{EXCHANGE_TIMEOUT, MAX_DOCUMENT_BYTES};

/// Where keys come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// Configured keys: never fetched, never old.
    Static(KeySet),
    /// A file, read again every minute: what a secret mounted into a container is.
    File(PathBuf),
    /// A key set at this address, whatever the issuer's metadata say.
    Url(String),
    /// Wherever the issuer's metadata say.
    Discovered,
}

/// A file is read again as if it had said so.
const FILE_LIFETIME: Duration = Duration::from_secs(60);

/// How long a discovered address is used. Asking for the metadata before each fetch of keys would double the requests
/// and let a failing metadata endpoint take the keys down; never asking again would miss that the keys moved. So: once
/// an hour, and at once after the known address has failed.
const DISCOVERY_LIFETIME: Duration = Duration::from_secs(60 * 60);

const ACCEPT: &str = "application/jwk-set+json, application/json";

/// The version of a set that was fetched from an address. Kept with the set it belongs to, because a 304 for any other
/// would bring back keys that are gone.
#[derive(Clone, Debug)]
pub(super) struct Validator {
    url: String,
    etag: HeaderValue,
}

/// What an attempt brought.
#[derive(Debug)]
pub(super) enum Loaded {
    /// The set that the validator named still stands.
    Same { max_age: Option<Duration> },
    /// A set with at least one usable key.
    Fetched { set: KeySet, validator: Option<Validator>, max_age: Option<Duration> },
}

/// A source, and what is remembered of it between attempts.
pub(super) struct Source {
    issuer: Box<str>,
    /// `None` for configured keys, which are in the ring from the start.
    keys: Option<KeySource>,
    fetcher: Option<Fetcher>,
    discovered: Mutex<Option<(String, Instant)>>,
}

impl Source {
    pub(super) fn new(issuer: &str, keys: Option<KeySource>, fetcher: Option<Fetcher>) -> Self {
        Self { issuer: issuer.into(), keys, fetcher, discovered: Mutex::new(None) }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether both are the same issuer's keys from the same place.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.keys == other.keys
    }

    /// What an error of the ring as a whole names.
    pub(super) fn place(&self) -> &str {
        match &self.keys {
            Some(KeySource::Url(url)) => url,
            _ => &self.issuer,
        }
    }

    /// One attempt; conditional on `known` where that came from the same address.
    pub(super) async fn load(&self, known: Option<&Validator>) -> Result<Loaded, FetchError> {
        match &self.keys {
            Some(KeySource::File(path)) => load_file(path).await,
            Some(KeySource::Url(url)) => self.load_url(url, known).await,
            Some(KeySource::Discovered) => {
                let url = self.jwks_uri().await?;
                let loaded = self.load_url(&url, known).await;
                if loaded.is_err() {
                    *self.remembered() = None;
                }
                loaded
            }
            Some(KeySource::Static(_)) | None => Err(FetchError::new(self.place(), Kind::NoTransport)),
        }
    }

    async fn jwks_uri(&self) -> Result<String, FetchError> {
        let remembered = self.remembered().clone();
        if let Some((url, _)) = remembered.filter(|(_, at)| at.elapsed() < DISCOVERY_LIFETIME) {
            return Ok(url);
        }
        let metadata = discover(self.fetcher()?, &self.issuer).await?;
        *self.remembered() = Some((metadata.jwks_uri.clone(), Instant::now()));
        Ok(metadata.jwks_uri)
    }

    async fn load_url(&self, url: &str, known: Option<&Validator>) -> Result<Loaded, FetchError> {
        let etag = known.filter(|known| known.url == url).map(|known| &known.etag);
        match self.fetcher()?.get(url, ACCEPT, etag).await? {
            Fetched::NotModified { max_age } => Ok(Loaded::Same { max_age }),
            Fetched::Document(document) => {
                let set = usable(url, &document.bytes)?;
                let validator = document.etag.map(|etag| Validator { url: url.to_owned(), etag });
                Ok(Loaded::Fetched { set, validator, max_age: document.max_age })
            }
        }
    }

    fn fetcher(&self) -> Result<&Fetcher, FetchError> {
        self.fetcher.as_ref().ok_or_else(|| FetchError::new(self.place(), Kind::NoTransport))
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Option<(String, Instant)>> {
        self.discovered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("issuer", &self.issuer).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// A set without a usable key would refuse every token: it counts as a failure, and the last good one goes on serving.
fn usable(place: &str, document: &[u8]) -> Result<KeySet, FetchError> {
    let set = KeySet::parse(document).map_err(|error| FetchError::new(place, Kind::NotJson(error.into())))?;
    if set.is_empty() {
        return Err(FetchError::new(place, Kind::NoKeys { skipped: set.skipped() }));
    }
    Ok(set)
}

async fn load_file(path: &Path) -> Result<Loaded, FetchError> {
    let place = path.display().to_string();
    let fail = |kind| FetchError::new(&place, kind);
    let owned = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || read_file(&owned));
    let document = match tokio::time::timeout(EXCHANGE_TIMEOUT, reading).await {
        Err(_) => return Err(fail(Kind::Timeout)),
        Ok(Err(_)) => return Err(fail(Kind::Stopped)),
        Ok(Ok(read)) => read.map_err(|error| fail(Kind::File(error.into())))?,
    };
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(fail(Kind::TooLarge));
    }
    Ok(Loaded::Fetched { set: usable(&place, &document)?, validator: None, max_age: Some(FILE_LIFETIME) })
}

/// At most one byte more than a document may have.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its writer, and the thread with it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut document = Vec::new();
    File::open(path)?.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut document)?;
    Ok(document)
}
