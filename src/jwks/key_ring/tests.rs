//! A ring against an issuer that rotates, stalls, fails and counts, on a clock that only the tests move.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::{Instant, sleep, timeout};
use tower::service_fn;

use super::*;
use crate::crypto::b64;
use crate::jwks::key_set::KeySet;
use crate::observe::Event;

mod faults;
mod lifecycle;
mod refresh;

const ISSUER: &str = "https://issuer.example";
const JWKS: &str = "https://issuer.example/jwks";
const METADATA: &str = "https://issuer.example/.well-known/oauth-authorization-server";
const RS: Algorithm = Algorithm::Rs256;

impl KeyRing {
    /// Waits until keys are there, fetching once if need be.
    async fn ready(&self) -> Result<(), FetchError> {
        match self.begin()? {
            Some(refresh) => refresh.await,
            None => Ok(()),
        }
    }
}

/// An issuer whose answers the test decides.
#[derive(Clone)]
struct Issuer(Arc<Mutex<Script>>);

struct Script {
    answer: Answer,
    delay: Duration,
    max_age: Option<u64>,
    etags: bool,
    jwks_uri: &'static str,
    /// The address of each request, with `?` after a conditional one.
    requests: Vec<String>,
}

#[derive(Clone)]
enum Answer {
    /// Keys by kid; a kid followed by `'` is another key of the same name.
    Keys(Vec<&'static str>),
    Body(String),
    Status(u16),
    Silence,
    Panic,
}

impl Issuer {
    fn with(keys: &[&'static str]) -> Self {
        Self(Arc::new(Mutex::new(Script {
            answer: Answer::Keys(keys.to_vec()),
            delay: Duration::ZERO,
            max_age: None,
            etags: false,
            jwks_uri: JWKS,
            requests: Vec::new(),
        })))
    }

    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.0.lock().unwrap());
    }

    fn publish(&self, keys: &[&'static str]) {
        self.set(|script| script.answer = Answer::Keys(keys.to_vec()));
    }

    fn answer(&self, answer: Answer) {
        self.set(|script| script.answer = answer);
    }

    fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }

    fn count(&self) -> usize {
        self.requests().len()
    }

    fn fetcher(&self) -> Fetcher {
        let issuer = self.clone();
        let service = service_fn(move |request: Request<Full<Bytes>>| {
            let issuer = issuer.clone();
            async move { Ok::<_, Infallible>(issuer.respond(&request).await) }
        });
        Fetcher::new(Arc::new(service), false)
    }

    async fn respond(&self, request: &Request<Full<Bytes>>) -> Response<Full<Bytes>> {
        let url = request.uri().to_string();
        let validator = request.headers().get(IF_NONE_MATCH).cloned();
        let delay = {
            let mut script = self.0.lock().unwrap();
            script.requests.push(format!("{url}{}", if validator.is_some() { "?" } else { "" }));
            script.delay
        };
        sleep(delay).await;
        let (answer, max_age, etags, jwks_uri) = {
            let script = self.0.lock().unwrap();
            (script.answer.clone(), script.max_age, script.etags, script.jwks_uri)
        };
        if url == METADATA {
            let metadata = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{jwks_uri}"}}"#);
            return Response::new(Full::from(metadata));
        }
        let mut response = Response::builder();
        if let Some(max_age) = max_age {
            response = response.header("cache-control", format!("max-age={max_age}"));
        }
        let body = match answer {
            Answer::Silence => pending().await,
            Answer::Panic => panic!("a transport that panics"),
            Answer::Status(status) => return response.status(status).body(Full::default()).unwrap(),
            Answer::Body(body) => body,
            Answer::Keys(kids) => document(&kids),
        };
        if etags {
            let etag = format!("\"{:x}\"", body.bytes().map(u64::from).sum::<u64>() + body.len() as u64);
            if validator.is_some_and(|validator| validator == etag) {
                return response.status(304).body(Full::default()).unwrap();
            }
            response = response.header(ETAG, etag);
        }
        response.body(Full::from(body)).unwrap()
    }

    fn ring(&self) -> KeyRing {
        self.ring_of(KeySource::Url(JWKS.into()))
    }

    fn ring_of(&self, source: KeySource) -> KeyRing {
        KeyRing::new(ISSUER, source, Some(self.fetcher()), RingLimits::default(), Observers::default())
    }
}

/// An RSA key of its own for each name.
fn jwk(name: &str) -> String {
    let mut n = vec![0xFF; 256];
    n[100..100 + name.len()].copy_from_slice(name.as_bytes());
    let kid = name.trim_end_matches('\'');
    format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB","kid":"{kid}"}}"#, b64(&n))
}

fn document(names: &[&str]) -> String {
    let keys: Vec<_> = names.iter().map(|name| jwk(name)).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// What a request with a token of some key ends in.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Served,
    ServedStale,
    /// 401: the issuer has no such key.
    NoSuchKey,
    /// 503
    NotJudged,
}

/// A request, as the engine makes it: at most one wait.
async fn ask(ring: &KeyRing, kid: &str) -> Verdict {
    match ring.lookup(Some(kid), RS) {
        Lookup::Missing(refresh) | Lookup::Empty(refresh) => {
            let _ = refresh.await;
            settled(&ring.lookup(Some(kid), RS))
        }
        lookup => settled(&lookup),
    }
}

fn settled(lookup: &Lookup) -> Verdict {
    match lookup {
        Lookup::Found(_) => Verdict::Served,
        Lookup::Stale(_) => Verdict::ServedStale,
        Lookup::Cooling { refreshed: true, .. } => Verdict::NoSuchKey,
        Lookup::Cooling { refreshed: false, .. } => Verdict::NotJudged,
        Lookup::Missing(_) | Lookup::Empty(_) => panic!("a second wait"),
    }
}

async fn pass(secs: u64) {
    sleep(Duration::from_secs(secs)).await;
}

fn thumbprint(lookup: &Lookup) -> String {
    match lookup {
        Lookup::Found(candidates) => candidates.iter().map(|key| key.thumbprint().to_owned()).collect(),
        other => panic!("{other:?}"),
    }
}
