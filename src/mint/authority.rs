//! An authorization server without a network: an identifier, keys, documents, a clock, and faults on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::crypto::Algorithm;
use crate::mint::MintError;
use crate::mint::documents::{self, Document, issuer_path};
use crate::mint::fault::{ConnectionFailed, DocumentBody, Fault, bare};
use crate::mint::introspection::request::IntrospectionRequest;
use crate::mint::introspection::{self, Introspection};
use crate::mint::key_set::KeySet;
use crate::mint::registry::Registry;
use crate::mint::reply::{JSON, Reply};
use crate::mint::status_list::StatusList;
use crate::mint::trouble::Troubles;
use crate::time::{Clock, SystemClock, Timestamp};

/// What `TestIssuer` and `DevServer` are made of.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: String,
    state: Mutex<State>,
    pub(crate) metadata_fetches: Count,
    pub(crate) jwks_fetches: Count,
    pub(crate) introspections: Count,
    pub(crate) status_list_fetches: Count,
    pub(crate) not_modified: Count,
}

/// All that may change while others look.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) keys: KeySet,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) members: Map<String, Value>,
    pub(crate) cache_control: Option<HeaderValue>,
    pub(crate) troubles: Troubles,
    pub(crate) registry: Registry,
    pub(crate) introspection: Introspection,
    pub(crate) status_lists: BTreeMap<u32, StatusList>,
    /// The last request for a status list.
    pub(crate) last_status_list: Option<Request<()>>,
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
            troubles: Troubles::default(),
            registry: Registry::default(),
            introspection: Introspection::default(),
            status_lists: BTreeMap::new(),
            last_status_list: None,
        };
        Ok(Self {
            issuer,
            state: Mutex::new(state),
            metadata_fetches: Count::default(),
            jwks_fetches: Count::default(),
            introspections: Count::default(),
            status_list_fetches: Count::default(),
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

    /// Answers for everything that a resource server asks of an authorization server.
    pub(crate) async fn serve(&self, request: &Parts, body: &[u8]) -> Result<Response<DocumentBody>, ConnectionFailed> {
        match Document::at(request.uri.path(), issuer_path(&self.issuer)) {
            Some(Document::Introspection) => self.answer_introspection(request, body).await,
            _ => self.answer(request).await,
        }
    }

    /// Answers for the documents that are fetched by GET. What is published is read after the delay, as a slow server
    /// would read it.
    pub(crate) async fn answer(&self, request: &Parts) -> Result<Response<DocumentBody>, ConnectionFailed> {
        let Some(document) = Document::at(request.uri.path(), issuer_path(&self.issuer)) else {
            return Ok(bare(StatusCode::NOT_FOUND));
        };
        if !matches!(request.method, Method::GET | Method::HEAD) || document == Document::Introspection {
            return Ok(bare(StatusCode::METHOD_NOT_ALLOWED));
        }
        if matches!(document, Document::StatusList(_)) {
            self.state().last_status_list = Some(Request::from_parts(request.clone(), ()));
        }
        match self.deliver(document, |fault| self.published(document, fault)).await? {
            Ok(reply) => Ok(self.unless_known(request, reply)),
            Err(struck) => Ok(struck),
        }
    }

    async fn answer_introspection(
        &self,
        request: &Parts,
        body: &[u8],
    ) -> Result<Response<DocumentBody>, ConnectionFailed> {
        let request = self.note_introspection(request, body);
        let reply = |_| introspection::reply(self, &request).unwrap_or_else(|_| Reply::failed());
        Ok(self.deliver(Document::Introspection, reply).await?.map_or_else(|struck| struck, Reply::into_response))
    }

    /// Reads and keeps a request before anything befalls it.
    fn note_introspection(&self, request: &Parts, body: &[u8]) -> IntrospectionRequest {
        let mut state = self.state();
        let now = state.clock.now();
        let askers = &mut state.introspection.askers;
        let request = IntrospectionRequest::read(request, body, askers, &self.issuer, now);
        state.introspection.last = Some(request.clone());
        request
    }

    /// Counts a request, waits, and makes the reply; the error is what a fault has made of it.
    pub(crate) async fn deliver(
        &self,
        document: Document,
        reply: impl FnOnce(Option<Fault>) -> Reply,
    ) -> Result<Result<Reply, Response<DocumentBody>>, ConnectionFailed> {
        match document {
            Document::Metadata => self.metadata_fetches.add_one(),
            Document::Jwks => self.jwks_fetches.add_one(),
            Document::Introspection => self.introspections.add_one(),
            Document::StatusList(_) => self.status_list_fetches.add_one(),
        }
        let wait = self.state().troubles.of(document).wait();
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let fault = self.state().troubles.of(document).strikes();
        let reply = reply(fault);
        Ok(match fault {
            Some(fault) => fault.answer(&reply.content, reply.media_type).await?.map_or(Ok(reply), Err),
            None => Ok(reply),
        })
    }

    fn published(&self, document: Document, fault: Option<Fault>) -> Reply {
        let mut state = self.state();
        match document {
            Document::Metadata => {
                let mut metadata = documents::metadata(&self.issuer, &state.members);
                if fault == Some(Fault::WrongIssuer) {
                    metadata.insert("issuer".into(), "https://elsewhere.test".into());
                }
                Reply::cached(JSON, Value::Object(metadata).to_string(), None)
            }
            Document::Jwks => {
                let jwks = if fault == Some(Fault::EmptyKeys) { json!({ "keys": [] }) } else { state.keys.jwks() };
                Reply::cached(JSON, jwks.to_string(), state.cache_control.clone())
            }
            Document::StatusList(number) => {
                let list = state.status_lists.get(&number).cloned().unwrap_or_default();
                let (key, now) = (state.keys.current(), state.clock.now());
                drop(state);
                let uri = documents::status_list_uri(&self.issuer, number);
                key.and_then(|key| list.reply(&uri, &key, now)).unwrap_or_else(|_| Reply::failed())
            }
            // It is asked by POST.
            Document::Introspection => Reply::failed(),
        }
    }

    /// 304 to a client that has this version.
    fn unless_known(&self, request: &Parts, reply: Reply) -> Response<DocumentBody> {
        let etag = documents::etag(&reply.content);
        let mut response = if reply.status == StatusCode::OK && documents::is_known(&etag, &request.headers) {
            self.not_modified.add_one();
            let mut response = bare(StatusCode::NOT_MODIFIED);
            *response.headers_mut() = reply.headers;
            response
        } else {
            reply.into_response()
        };
        response.headers_mut().extend(HeaderValue::try_from(etag).ok().map(|etag| (header::ETAG, etag)));
        response
    }
}
