//! How documents are fetched from an issuer: any tower service that answers HTTP requests will do.
//!
//! A [`Transport`] only carries a request and its answer. What may be fetched, how long it may take and how much of it
//! is read are decided before and after it, so that no transport, however careless, can loosen them: https only, 5 s
//! for the whole exchange, 256 KiB, and a redirect is a failure, never followed (RFC 8414 section 6, RFC 9700).
//!
//! With the feature `http-client` (on by default) there is a ready one, [`HyperTransport`]. Your own is a service:
//!
//! ```
//! use tower_oauth::transport::Transport;
//! # use bytes::Bytes;
//! # use http::{Request, Response};
//! # use http_body_util::Full;
//!
//! let canned = tower::service_fn(|_request: Request<Full<Bytes>>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"{\"keys\":[]}"))))
//! });
//! let transport: std::sync::Arc<dyn Transport> = std::sync::Arc::new(canned);
//! # let _ = transport;
//! ```

pub(crate) mod error;
pub(crate) mod fetch;
#[cfg(feature = "http-client")]
mod hyper;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use tower::{Service, ServiceExt as _};

pub use self::error::FetchError;
#[cfg(feature = "http-client")]
pub use self::hyper::{HyperTransport, InvalidRootCertificate};

/// From the first byte sent to the last one read.
pub(crate) const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest document that is read.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a fetched document, read only up to the limits.
pub type TransportBody = UnsyncBoxBody<Bytes, BoxError>;

/// The answer on its way.
pub type TransportFuture = Pin<Box<dyn Future<Output = Result<Response<TransportBody>, BoxError>> + Send>>;

/// Sends one request to an issuer and gives back its answer as it is: no redirects, no retries, no cache.
///
/// Every `Clone + Send + Sync` tower service is one, so a proxy, a private CA or a mock is a service away.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`.
    fn send(&self, request: Request<Full<Bytes>>) -> TransportFuture;
}

impl<S, B> Transport for S
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: Request<Full<Bytes>>) -> TransportFuture {
        let service = self.clone();
        Box::pin(async move {
            let response = service.oneshot(request).await.map_err(Into::into)?;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// The built-in client, where the build has it.
#[cfg(feature = "http-client")]
pub(crate) fn default_transport() -> Option<Arc<dyn Transport>> {
    Some(Arc::new(HyperTransport::new()))
}

/// The built-in client, where the build has it.
#[cfg(not(feature = "http-client"))]
pub(crate) fn default_transport() -> Option<Arc<dyn Transport>> {
    None
}
