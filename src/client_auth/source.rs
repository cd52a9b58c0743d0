//! Where a secret comes from: given once, asked for each time, or a file that may be replaced while serving.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::ClientAuthError;
use crate::crypto::sha256;
use crate::secret::Secret;

/// A file is read again after this, so that a replaced secret serves within seconds and a busy service reads seldom.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A disk that does not answer must not hold a request for longer.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A secret or token of a client.
///
/// ```
/// use tower_oauth::client_auth::{ClientAuth, ClientSecret};
///
/// let given = ClientAuth::secret_post("me", "s3cr3t");
/// let asked = ClientAuth::secret_post("me", ClientSecret::asked(|| String::from("from my vault's cache").into()));
/// let read = ClientAuth::secret_post("me", ClientSecret::file("/run/secrets/me"));
/// ```
#[derive(Clone, Debug)]
pub struct ClientSecret(Source<Secret<String>>);

impl ClientSecret {
    /// Asks for the secret before each request; `source` must not block.
    #[must_use]
    pub fn asked(source: impl Fn() -> Secret<String> + Send + Sync + 'static) -> Self {
        Self(Source::Asked(Arc::new(move || Ok(Arc::new(source())))))
    }

    /// Reads a file when the secret is first needed, and again after five seconds or more. White space around the
    /// secret is no part of it. When a later read fails, the secret that was read before goes on serving.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::file(path.into(), |content| {
            let secret = str::from_utf8(content).map_err(|_| "it is not UTF-8")?.trim();
            if secret.is_empty() { Err("it is empty") } else { Ok(Secret::from(secret)) }
        }))
    }

    pub(super) async fn current(&self) -> Result<Arc<Secret<String>>, ClientAuthError> {
        self.0.current().await
    }

    /// Of a secret that was given once and so never changes.
    pub(super) fn digest(&self) -> Option<[u8; 32]> {
        match &self.0 {
            Source::Given(secret) => Some(sha256(&[b"client secret ", secret.expose().as_bytes()])),
            _ => None,
        }
    }
}

impl From<Secret<String>> for ClientSecret {
    fn from(secret: Secret<String>) -> Self {
        Self(Source::Given(Arc::new(secret)))
    }
}

impl From<String> for ClientSecret {
    fn from(secret: String) -> Self {
        Secret::new(secret).into()
    }
}

impl From<&str> for ClientSecret {
    fn from(secret: &str) -> Self {
        Secret::from(secret).into()
    }
}

/// Where a value comes from.
pub(super) enum Source<T> {
    Given(Arc<T>),
    Asked(Arc<dyn Fn() -> Result<Arc<T>, ClientAuthError> + Send + Sync>),
    File(Arc<Watched<T>>),
}

/// A file, and what was last read from it.
pub(super) struct Watched<T> {
    path: PathBuf,
    read: fn(&[u8]) -> Result<T, &'static str>,
    known: Mutex<Option<(Arc<T>, Instant)>>,
}

impl<T> Source<T> {
    pub(super) fn file(path: PathBuf, read: fn(&[u8]) -> Result<T, &'static str>) -> Self {
        Self::File(Arc::new(Watched { path, read, known: Mutex::new(None) }))
    }

    pub(super) async fn current(&self) -> Result<Arc<T>, ClientAuthError> {
        match self {
            Self::Given(value) => Ok(Arc::clone(value)),
            Self::Asked(ask) => ask(),
            Self::File(file) => file.current().await,
        }
    }
}

impl<T> Watched<T> {
    async fn current(&self) -> Result<Arc<T>, ClientAuthError> {
        let now = Instant::now();
        let before = {
            let mut known = self.known();
            if let Some((value, read_at)) = known.as_mut() {
                if now.saturating_duration_since(*read_at) < READ_AGAIN_AFTER {
                    return Ok(Arc::clone(value));
                }
                // Whoever asks while this one reads goes on with what is known.
                *read_at = now;
            }
            known.as_ref().map(|(value, _)| Arc::clone(value))
        };
        match (self.load().await, before) {
            (Ok(value), _) => {
                let value = Arc::new(value);
                *self.known() = Some((Arc::clone(&value), now));
                Ok(value)
            }
            (Err(_), Some(before)) => Ok(before),
            (Err(why), None) => {
                let path = self.path.display();
                Err(ClientAuthError(format!("{path}, which proves this client, could not be used: {why}").into()))
            }
        }
    }

    async fn load(&self) -> Result<T, String> {
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || read_file(&path));
        let content = match tokio::time::timeout(READ_TIMEOUT, reading).await {
            Err(_) => return Err("the disk does not answer".to_owned()),
            Ok(Err(_)) => return Err("the runtime was shut down".to_owned()),
            Ok(Ok(read)) => read.map_err(|error| error.to_string())?,
        };
        (self.read)(&content).map_err(str::to_owned)
    }

    fn known(&self) -> MutexGuard<'_, Option<(Arc<T>, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Given(value) => Self::Given(Arc::clone(value)),
            Self::Asked(ask) => Self::Asked(Arc::clone(ask)),
            Self::File(file) => Self::File(Arc::clone(file)),
        }
    }
}

impl<T> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("given"),
            Self::Asked(_) => f.write_str("asked"),
            Self::File(file) => write!(f, "file {:?}", file.path),
        }
    }
}

fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Opening a pipe would wait for its writer, and the thread with it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut content = Zeroizing::new(Vec::new());
    if File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)? as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than 64 KiB"));
    }
    Ok(content)
}
