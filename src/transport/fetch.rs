//! The rules of every fetch, whatever the transport: which addresses, how long, how much, and no redirects.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};

use crate::transport::error::{FetchError, Kind};
use crate::transport::{EXCHANGE_TIMEOUT, MAX_DOCUMENT_BYTES, Transport, TransportBody};

/// The longest address: one that stands in a document is a stranger's input too.
const MAX_URL_BYTES: usize = 2048;

/// A longer validator is not kept, and the next request is unconditional.
const MAX_ETAG_BYTES: usize = 512;

const PRODUCT: HeaderValue = HeaderValue::from_static(concat!("tower-oauth/", env!("CARGO_PKG_VERSION")));

/// Fetches documents within the rules.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher {
    transport: Arc<dyn Transport>,
    loopback_http: bool,
}

/// What came back.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// Status 304: what was read before still stands, for another while.
    NotModified { max_age: Option<Duration> },
    /// Status 200.
    Document(Document),
}

/// A document and what its headers say of it.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) bytes: Bytes,
    pub(crate) etag: Option<HeaderValue>,
    /// `Cache-Control: max-age`; zero where the answer is not to be stored.
    pub(crate) max_age: Option<Duration>,
    pub(crate) content_type: Option<HeaderValue>,
}

impl Fetcher {
    /// `loopback_http` admits plain http to literal loopback addresses, for development and tests.
    pub(crate) fn new(transport: Arc<dyn Transport>, loopback_http: bool) -> Self {
        Self { transport, loopback_http }
    }

    /// Fetches `url`; conditional when `etag` is that of a version at hand (RFC 9110 section 13.1.2).
    pub(crate) async fn get(
        &self,
        url: &str,
        accept: &'static str,
        etag: Option<&HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        self.get_within(url, accept, etag, MAX_DOCUMENT_BYTES).await
    }

    /// Fetches `url` as [`get`](Self::get) does, for a document that may be of `most` bytes.
    pub(crate) async fn get_within(
        &self,
        url: &str,
        accept: &'static str,
        etag: Option<&HeaderValue>,
        most: usize,
    ) -> Result<Fetched, FetchError> {
        let mut request = Request::new(Full::default());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        if let Some(etag) = etag {
            request.headers_mut().insert(IF_NONE_MATCH, etag.clone());
        }
        let (head, bytes) = self.send(url, request, most).await?.into_parts();
        let max_age = max_age(&head.headers);
        match head.status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Fetched::NotModified { max_age }),
            status => return Err(FetchError::new(url, Kind::Status(status.as_u16()))),
        }
        let etag = head.headers.get(ETAG).filter(|etag| etag.len() <= MAX_ETAG_BYTES).cloned();
        let content_type = head.headers.get(CONTENT_TYPE).cloned();
        Ok(Fetched::Document(Document { bytes, etag, max_age, content_type }))
    }

    /// Sends any request to `url` and gives back whatever answers within the rules, its body read whole. Of an answer
    /// that is neither 200 nor 400 the body is not read, because nobody looks at it.
    pub(crate) async fn send(
        &self,
        url: &str,
        mut request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        *request.uri_mut() = self.check(url)?;
        request.headers_mut().insert(USER_AGENT, PRODUCT);
        let exchange = self.exchange(request, most);
        let answer = tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await.unwrap_or(Err(Kind::Timeout));
        answer.map_err(|kind| FetchError::new(url, kind))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, most: usize) -> Result<Response<Bytes>, Kind> {
        let response = self.transport.send(request).await.map_err(Kind::Connect)?;
        let (head, body) = response.into_parts();
        if head.status.is_redirection() && head.status != StatusCode::NOT_MODIFIED {
            return Err(Kind::Redirect);
        }
        if !matches!(head.status, StatusCode::OK | StatusCode::BAD_REQUEST) {
            return Ok(Response::from_parts(head, Bytes::new()));
        }
        if announced_length(&head.headers).is_some_and(|length| length > most as u64) {
            return Err(Kind::TooLarge);
        }
        Ok(Response::from_parts(head, read(body, most).await?))
    }

    /// Whether `url` may be fetched, see [`endpoint`].
    pub(crate) fn check(&self, url: &str) -> Result<Uri, FetchError> {
        endpoint(url, self.loopback_http).map_err(|why| FetchError::new(url, Kind::InsecureUrl(why)))
    }

    /// Whether `url`, which stands in the document at `named_by`, may be fetched. What was fetched over https never
    /// leads back to plain http, not even on loopback: the document would decide to be read over an open channel.
    pub(crate) fn check_named(&self, url: &str, named_by: &str) -> Result<(), FetchError> {
        let (uri, by) = (self.check(url)?, self.check(named_by)?);
        if by.scheme_str() == Some("https") && uri.scheme_str() != Some("https") {
            return Err(FetchError::new(url, Kind::InsecureUrl("a document fetched over https named an http address")));
        }
        Ok(())
    }
}

/// Reads an address that may be fetched or named as one's own: https, or http to a literal loopback address where that
/// was admitted. A name such as `localhost` is not literal: whoever answers for names could point it elsewhere.
pub(crate) fn endpoint(url: &str, loopback_http: bool) -> Result<Uri, &'static str> {
    if url.len() > MAX_URL_BYTES {
        return Err("the address is longer than 2048 bytes");
    }
    if url.contains('#') {
        return Err("the address has a fragment; remove it");
    }
    let uri: Uri = url.parse().map_err(|_| "it is not an absolute URL")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("it is not an absolute URL");
    };
    if authority.as_str().contains('@') {
        return Err("the address carries user information; remove it");
    }
    if authority.host().is_empty() {
        return Err("the address names no host");
    }
    match scheme {
        "https" => Ok(uri),
        "http" if loopback_http && is_loopback(authority.host()) => Ok(uri),
        "http" if is_loopback(authority.host()) => {
            Err("plain http to loopback needs dangerous_loopback_http(), which is for development")
        }
        _ => Err("only https is admitted"),
    }
}

/// 127.0.0.0/8 or `[::1]`, written as numbers.
fn is_loopback(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse() == Ok(Ipv6Addr::LOCALHOST),
        None => host.parse().is_ok_and(|v4: Ipv4Addr| v4.is_loopback()),
    }
}

/// Reads a body and stops at the limit, whatever length was announced.
async fn read(mut body: TransportBody, most: usize) -> Result<Bytes, Kind> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Kind::Connect)?.into_data() else { continue };
        if data.len() > most - bytes.len() {
            return Err(Kind::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// `max-age` of all `Cache-Control` headers (RFC 9111 section 5.2.2), the smallest when it stands twice.
///
/// `no-store` and `no-cache` count as zero: the caller raises it to its minimum, because a key set that is kept for no
/// time at all would cost a fetch for each request.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|directive| {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            let digits = argument.trim().trim_matches('"');
            let known = name.eq_ignore_ascii_case("max-age") && digits.bytes().all(|byte| byte.is_ascii_digit());
            // More digits than an integer holds still mean "long", not "nothing said".
            (known && !digits.is_empty()).then(|| Duration::from_secs(digits.parse().unwrap_or(u64::from(u32::MAX))))
        })
        .min()
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
