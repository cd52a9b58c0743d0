//! The transport that comes with the crate: hyper over rustls, with the provider named.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use tower::Service;

use crate::transport::{BoxError, TransportBody, TransportFuture};

/// For the TCP connection, over all addresses of a name; the exchange as a whole has its own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Idle connections are kept for the next fetch or introspection, but not for the next hour.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_IDLE_PER_HOST: usize = 8;

type HyperClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// HTTP/1.1 over TLS 1.2 or 1.3, by hyper and rustls with aws-lc-rs.
///
/// The system's root certificates are read when the first request is sent (`SSL_CERT_FILE` and `SSL_CERT_DIR` are
/// honoured), so making one neither reads files nor can fail. Clones share connections. The rustls provider is named
/// here and never taken from the process, so no other crate in the build can change it or make this one panic.
///
/// ```
/// use tower_oauth::transport::HyperTransport;
///
/// let public = HyperTransport::new();
/// # let _ = public;
/// ```
#[derive(Clone)]
pub struct HyperTransport {
    roots: Roots,
    client: Arc<OnceCell<HyperClient>>,
}

#[derive(Clone)]
struct Roots {
    own: Arc<RootCertStore>,
    native: bool,
}

impl HyperTransport {
    /// Trusts the system's root certificates.
    #[must_use]
    pub fn new() -> Self {
        Self::trusting(Roots { own: Arc::new(RootCertStore::empty()), native: true })
    }

    /// Trusts the certificates in `pem`, one or more, **instead of** the system's: with a private authority for the
    /// issuer, nobody else's certificate for its name is believed. See [`and_native_roots`](Self::and_native_roots).
    ///
    /// # Errors
    ///
    /// When `pem` holds no certificate, or one that cannot be a root.
    pub fn with_root_certificate_pem(pem: &[u8]) -> Result<Self, InvalidRootCertificate> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        Self::with_roots(certificates.map_err(|error| InvalidRootCertificate(Some(error.into())))?)
    }

    /// Trusts the certificate in `der` **instead of** the system's.
    ///
    /// # Errors
    ///
    /// When `der` is no certificate that can be a root.
    pub fn with_root_certificate_der(der: &[u8]) -> Result<Self, InvalidRootCertificate> {
        Self::with_roots(vec![CertificateDer::from(der.to_vec())])
    }

    fn with_roots(certificates: Vec<CertificateDer<'static>>) -> Result<Self, InvalidRootCertificate> {
        let mut own = RootCertStore::empty();
        for certificate in certificates {
            own.add(certificate).map_err(|error| InvalidRootCertificate(Some(error.into())))?;
        }
        if own.is_empty() {
            return Err(InvalidRootCertificate(None));
        }
        Ok(Self::trusting(Roots { own: Arc::new(own), native: false }))
    }

    /// Trusts the system's root certificates too: for a service with public issuers beside a private one.
    #[must_use]
    pub fn and_native_roots(self) -> Self {
        Self::trusting(Roots { native: true, ..self.roots })
    }

    fn trusting(roots: Roots) -> Self {
        Self { roots, client: Arc::default() }
    }

    /// The client, made when first asked for. Reading roots touches the disk, so it is kept off the runtime's threads;
    /// a failure is not remembered, and the next request tries again.
    async fn client(&self) -> Result<&HyperClient, BoxError> {
        let make = || async {
            let roots = self.roots.clone();
            tokio::task::spawn_blocking(move || client(&tls_config(&roots)?)).await?
        };
        self.client.get_or_try_init(make).await
    }
}

impl Default for HyperTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HyperTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperTransport")
            .field("own_roots", &self.roots.own.len())
            .field("native_roots", &self.roots.native)
            .finish()
    }
}

impl Service<Request<Full<Bytes>>> for HyperTransport {
    type Response = Response<TransportBody>;
    type Error = BoxError;
    type Future = TransportFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> TransportFuture {
        let transport = self.clone();
        Box::pin(async move {
            let response = transport.client().await?.request(request).await?;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

fn tls_config(roots: &Roots) -> Result<ClientConfig, BoxError> {
    let mut store = RootCertStore::clone(&roots.own);
    if roots.native {
        let native = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(native.certs);
        if store.is_empty() {
            let cause = native.errors.into_iter().next();
            return Err(cause.map_or_else(|| "the system has no root certificates".into(), Into::into));
        }
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_root_certificates(store)
        .with_no_client_auth())
}

fn client(tls: &ClientConfig) -> Result<HyperClient, BoxError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    // http stays possible here because development uses it on loopback; `Fetcher` decides which address may use it.
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
        .build(connector))
}

/// A root certificate that cannot be used.
#[derive(Debug)]
pub struct InvalidRootCertificate(Option<BoxError>);

impl fmt::Display for InvalidRootCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "the root certificate cannot be read",
            None => "there is no certificate in the PEM text; it starts with -----BEGIN CERTIFICATE-----",
        })
    }
}

impl Error for InvalidRootCertificate {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
#[path = "hyper_tests.rs"]
mod tests;
