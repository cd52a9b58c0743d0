//! What may go wrong at an issuer while a resource server fetches its documents.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A way in which an issuer fails to serve its documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection cannot be made. A server on a real socket breaks it off instead, unanswered.
    Connect,
    /// The request is never answered.
    Hang,
    /// The answer begins and never ends.
    Stall,
    /// This status, with an empty body. A number that is no status counts as 500.
    Status(u16),
    /// 200 with a page for people, as captive portals and proxies send it.
    Html,
    /// 200 with JSON that breaks off.
    Truncated,
    /// 200 with a valid document of a little more than one mebibyte.
    Oversize,
    /// 302 to another host.
    Redirect,
    /// 200 with a key set without keys; the metadata stays as it is.
    EmptyKeys,
    /// 200 with metadata that name another issuer; the key set stays as it is.
    WrongIssuer,
    /// 200 with bytes that are neither text nor JSON nor a token.
    Garbage,
    /// 429 with `Retry-After` in whole seconds (RFC 6585 section 4, RFC 9110 section 10.2.3).
    TooManyRequests {
        /// After how many seconds to ask again.
        retry_after: u32,
    },
    /// Well for `ok` requests, then 503 for `failed` requests, and so on in turn, counted from when it was set.
    Flapping {
        /// How many are answered.
        ok: u32,
        /// How many fail after them.
        failed: u32,
    },
}

/// The connection failed before there was an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionFailed;

impl std::fmt::Display for ConnectionFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection refused on demand of the test")
    }
}

impl std::error::Error for ConnectionFailed {}

impl Fault {
    /// The answer instead of `document`, or none where the fault leaves it as it is.
    pub(crate) async fn answer(
        self,
        document: &[u8],
        media_type: &'static str,
    ) -> Result<Option<Response<DocumentBody>>, ConnectionFailed> {
        let typed = |body| typed(media_type, body);
        Ok(Some(match self {
            Self::Connect => return Err(ConnectionFailed),
            Self::Hang => std::future::pending().await,
            Self::Stall => typed(DocumentBody::Stalled(Some(Bytes::from_static(b"{\"")))),
            Self::Status(code) => bare(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
            Self::TooManyRequests { retry_after } => {
                let mut response = bare(StatusCode::TOO_MANY_REQUESTS);
                response.headers_mut().insert(RETRY_AFTER, retry_after.into());
                response
            }
            Self::Garbage => typed(DocumentBody::whole(&b"\x00\xFF\xFE\x80garbage"[..])),
            Self::Html => {
                let mut response = Response::new(DocumentBody::whole("<!doctype html><title>Log in</title>"));
                response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/html"));
                response
            }
            Self::Truncated => {
                typed(DocumentBody::whole(document.get(..document.len() / 2).unwrap_or_default().to_vec()))
            }
            Self::Oversize => typed(DocumentBody::whole(padded(document))),
            Self::Redirect => {
                let mut response = bare(StatusCode::FOUND);
                response.headers_mut().insert(LOCATION, http::HeaderValue::from_static("https://elsewhere.test/"));
                response
            }
            // What flaps has been made another fault, or none, by the time it is asked.
            Self::EmptyKeys | Self::WrongIssuer | Self::Flapping { .. } => return Ok(None),
        }))
    }
}

/// White space after the opening brace: the same document, only longer than anybody should read. A token gets a longer
/// signature.
fn padded(document: &[u8]) -> Vec<u8> {
    match document.strip_prefix(b"{") {
        Some(rest) => [b"{", &[b' '; 1024 * 1024][..], rest].concat(),
        None => [document, &[b'A'; 1024 * 1024]].concat(),
    }
}

/// 200 with a body of this media type.
pub(crate) fn typed(media_type: &'static str, body: DocumentBody) -> Response<DocumentBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(media_type));
    response
}

/// A status and no body.
pub(crate) fn bare(status: StatusCode) -> Response<DocumentBody> {
    let mut response = Response::new(DocumentBody::whole(""));
    *response.status_mut() = status;
    response
}

/// A body that comes whole, or one that begins and never ends.
#[derive(Debug)]
pub(crate) enum DocumentBody {
    Whole(Option<Bytes>),
    Stalled(Option<Bytes>),
}

impl DocumentBody {
    pub(crate) fn whole(text: impl Into<Bytes>) -> Self {
        Self::Whole(Some(text.into()).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for DocumentBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole(rest) => Poll::Ready(rest.take().map(|bytes| Ok(Frame::data(bytes)))),
            // No waker is kept: nothing will ever come.
            Self::Stalled(rest) => rest.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(rest) => SizeHint::with_exact(rest.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stalled(_) => SizeHint::default(),
        }
    }
}
