//! The key of a client: parsed once, in PKCS #8, by PEM or DER.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::ClientAuthError;
use super::source::Source;
use crate::crypto::Algorithm;
use crate::crypto::sign::SigningKey;

/// The private key that signs a client's assertions: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519.
#[derive(Clone, Debug)]
pub struct ClientKey {
    source: Source<SigningKey>,
    kid: Option<Arc<str>>,
    algorithm: Option<Algorithm>,
}

/// A key at one moment, with the header that goes with it.
pub(super) struct Current {
    pub(super) key: Arc<SigningKey>,
    pub(super) kid: Option<Arc<str>>,
    pub(super) algorithm: Algorithm,
}

impl ClientKey {
    /// A key in PKCS #8, as PEM (`-----BEGIN PRIVATE KEY-----`) or DER.
    ///
    /// # Errors
    /// [`InvalidClientKey`] says what is wrong with it, never what stands in it.
    pub fn pkcs8(pem_or_der: impl AsRef<[u8]>) -> Result<Self, InvalidClientKey> {
        let key = parse(pem_or_der.as_ref()).map_err(InvalidClientKey)?;
        Ok(Self::from_source(Source::Given(Arc::new(key))))
    }

    /// Reads such a key from a file when it is first needed, and again after five seconds or more. When a later read
    /// fails, the key that was read before goes on serving.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::from_source(Source::file(path.into(), parse))
    }

    /// Asks for PEM or DER before each request; `source` must not block.
    #[must_use]
    pub fn asked(source: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::from_source(Source::Asked(Arc::new(move || {
            let key = parse(&Zeroizing::new(source()));
            key.map(Arc::new).map_err(|why| ClientAuthError(format!("the key of this client: {why}").into()))
        })))
    }

    /// The key's name in the client's published key set, `kid`. None by default, and the server tries its keys.
    #[must_use]
    pub fn kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into().into());
        self
    }

    /// The algorithm to sign by. The default is that of the key's curve, `EdDSA`, or `RS256` for RSA: FAPI 2.0 wants
    /// [`Algorithm::Ps256`] there. One that the key does not fit fails when it is first used.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    fn from_source(source: Source<SigningKey>) -> Self {
        Self { source, kid: None, algorithm: None }
    }

    pub(super) async fn current(&self) -> Result<Current, ClientAuthError> {
        let key = self.source.current().await?;
        let algorithm = self.algorithm.unwrap_or_else(|| key.usual_algorithm());
        if !key.fits(algorithm) {
            return Err(ClientAuthError(format!("the key of this client cannot sign by {algorithm}").into()));
        }
        Ok(Current { key, kid: self.kid.clone(), algorithm })
    }
}

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidClientKey(&'static str);

impl fmt::Display for InvalidClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the client's key cannot be used: {}", self.0)
    }
}

impl Error for InvalidClientKey {}

fn parse(content: &[u8]) -> Result<SigningKey, &'static str> {
    let der = match str::from_utf8(content) {
        Ok(text) if text.contains(BEGIN) => Zeroizing::new(pem(text)?),
        _ => Zeroizing::new(content.to_vec()),
    };
    SigningKey::from_pkcs8(&der).map_err(|unfit| unfit.0)
}

const BEGIN: &str = "-----BEGIN ";

/// The first private key in a PEM text (RFC 7468 section 10).
fn pem(text: &str) -> Result<Vec<u8>, &'static str> {
    let Some((_, rest)) = text.split_once("-----BEGIN PRIVATE KEY-----") else {
        return Err("it must be PKCS #8 without a password; `openssl pkcs8 -topk8 -nodes` converts other forms");
    };
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----").ok_or("its PEM text has no end")?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    STANDARD.decode(body.as_bytes()).map_err(|_| "its PEM text is not base64")
}
