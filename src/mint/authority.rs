//! An authorization server without a network: an identifier, keys, documents, a clock, and faults on demand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::crypto::Algorithm;
use crate::mint::MintError;
use crate::mint::documents::{self, Document, issuer_path};
use crate::mint::fault::{ConnectionFailed, DocumentBody, Fault, json as json_response};
use crate::mint::key_set::KeySet;
use crate::time::{Clock, SystemClock, Timestamp};

/// What `TestIssuer` and `DevServer` are made of.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: String,
    state: Mutex<State>,
    pub(crate) metadata_fetches: Count,
    pub(crate) jwks_fetches: Count,
    pub(crate) not_modified: Count,
}

/// All that may change while others look.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) keys: KeySet,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) members: Map<String, Value>,
    pub(crate) cache_control: Option<HeaderValue>,
    pub(crate) metadata_fault: Option<Fault>,
    pub(crate) jwks_fault: Option<Fault>,
    pub(crate) delay: Duration,
}

/// How often something happened.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Authority {
    pub(crate) fn new(issuer: String, algorithm: Algorithm) -> Result<Self, MintError> {
        let state = State {
            keys: KeySet::generate(algorithm)?,
            clock: Arc::new(SystemClock),
            members: Map::new(),
            cache_control: Some(HeaderValue::from_static("max-age=300")),
            metadata_fault: None,
            jwks_fault: None,
            delay: Duration::ZERO,
        };
        Ok(Self {
            issuer,
            state: Mutex::new(state),
            metadata_fetches: Count::default(),
            jwks_fetches: Count::default(),
            not_modified: Count::default(),
        })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.state().clock.now()
    }

    /// The state is sound between any two statements, so a panic elsewhere while it was held changes nothing.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers for the documents. What is published is read after the delay, as a slow server would read it.
    pub(crate) async fn answer(&self, request: &Parts) -> Result<Response<DocumentBody>, ConnectionFailed> {
        let Some(document) = Document::at(request.uri.path(), issuer_path(&self.issuer)) else {
            return Ok(bare(StatusCode::NOT_FOUND));
        };
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Ok(bare(StatusCode::METHOD_NOT_ALLOWED));
        }
        match document {
            Document::Metadata => self.metadata_fetches.add_one(),
            Document::Jwks => self.jwks_fetches.add_one(),
        }
        let delay = self.state().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let (fault, content, cache_control) = self.published(document);
        if let Some(fault) = fault
            && let Some(answer) = fault.answer(&content).await?
        {
            return Ok(answer);
        }
        let etag = documents::etag(&content);
        let mut response = if documents::is_known(&etag, &request.headers) {
            self.not_modified.add_one();
            bare(StatusCode::NOT_MODIFIED)
        } else {
            json_response(DocumentBody::whole(content))
        };
        let headers = response.headers_mut();
        headers.extend(HeaderValue::try_from(etag).ok().map(|etag| (header::ETAG, etag)));
        headers.extend(cache_control.map(|value| (header::CACHE_CONTROL, value)));
        Ok(response)
    }

    fn published(&self, document: Document) -> (Option<Fault>, String, Option<HeaderValue>) {
        let state = self.state();
        match document {
            Document::Metadata => {
                let mut metadata = documents::metadata(&self.issuer, &state.members);
                if state.metadata_fault == Some(Fault::WrongIssuer) {
                    metadata.insert("issuer".into(), "https://elsewhere.test".into());
                }
                (state.metadata_fault, Value::Object(metadata).to_string(), None)
            }
            Document::Jwks => {
                let has_none = state.jwks_fault == Some(Fault::EmptyKeys);
                let jwks = if has_none { json!({ "keys": [] }) } else { state.keys.jwks() };
                (state.jwks_fault, jwks.to_string(), state.cache_control.clone())
            }
        }
    }
}

fn bare(status: StatusCode) -> Response<DocumentBody> {
    let mut response = Response::new(DocumentBody::whole(""));
    *response.status_mut() = status;
    response
}
