//! An answer before it goes out, while a fault may still strike it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::mint::fault::{DocumentBody, typed};

pub(crate) const JSON: &str = "application/json";

/// What an authority answers when nothing is wrong.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) media_type: &'static str,
    pub(crate) content: Bytes,
    /// Headers besides, or instead.
    pub(crate) headers: HeaderMap,
}

impl Reply {
    /// 200, not to be stored (RFC 7662 section 4, RFC 6749 section 5.1).
    pub(crate) fn new(media_type: &'static str, content: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        Self { status: StatusCode::OK, media_type, content: content.into(), headers }
    }

    /// What may be stored for as long as the value says, or by heuristics.
    pub(crate) fn cached(media_type: &'static str, content: impl Into<Bytes>, control: Option<HeaderValue>) -> Self {
        let headers = control.map(|value| (header::CACHE_CONTROL, value)).into_iter().collect();
        Self { headers, ..Self::new(media_type, content) }
    }

    /// 500 without a body.
    pub(crate) fn failed() -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, ..Self::new(JSON, "") }
    }

    pub(crate) fn into_response(self) -> Response<DocumentBody> {
        let mut response = typed(self.media_type, DocumentBody::whole(self.content));
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}
