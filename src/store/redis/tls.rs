//! TLS to a server, with the rustls provider named here: none is taken from the process, and none is put there.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::store::StoreError;

/// Whose certificates are believed: the system's, or those given.
pub(super) struct Tls {
    roots: Option<RootCertStore>,
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    /// The system's roots, read when first needed; or those in `pem` instead.
    pub(super) fn new(pem: Option<&[u8]>) -> Result<Self, StoreError> {
        Ok(Self { roots: pem.map(roots_in).transpose()?, connector: OnceCell::new() })
    }

    pub(super) async fn handshake(&self, stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, StoreError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| StoreError::new("the Redis host is no name that a certificate could have"))?;
        let connector = self.connector.get_or_try_init(|| self.connector()).await?;
        connector.connect(name, stream).await.map_err(|error| StoreError::new(format!("TLS to Redis: {error}")))
    }

    /// Reading the system's roots touches the disk, so it is kept off the runtime's threads.
    async fn connector(&self) -> Result<TlsConnector, StoreError> {
        let roots = match &self.roots {
            Some(roots) => roots.clone(),
            None => spawn_blocking(native_roots).await.map_err(|_| StoreError::new("the runtime ends"))??,
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| StoreError::new(format!("TLS to Redis: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn native_roots() -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(StoreError::new("the system has no root certificates; give root_certificates_pem for Redis"));
    }
    Ok(roots)
}

fn roots_in(pem: &[u8]) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(|| StoreError::new("a root certificate for Redis cannot be read; it must be PEM"))?;
    }
    if roots.is_empty() {
        return Err(StoreError::new("there is no root certificate for Redis in the PEM text"));
    }
    Ok(roots)
}
