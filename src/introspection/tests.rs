//! One issuer, asked over a transport that is told what to answer.

mod asking;
mod sharing;
mod signing;
mod troubles;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::time::sleep;
use tower::service_fn;

use super::*;
use crate::client_auth::{ClientAuth, ClientSecret};
use crate::observe::{Event, Observers};
use crate::time::Clock;
use crate::transport::BoxError;
use crate::transport::fetch::Fetcher;

const ISSUER: &str = "https://issuer.example";
const ENDPOINT: &str = "https://issuer.example/introspect";
const SECRET: &str = "s3cr3t-of-the-client";
const TOKEN: &str = "t0ken-that-nobody-may-see";
const CLAIM: &str = "ada-lovelace";
const T: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The wall clock of these tests, driven by hand and never by tokio's.
#[derive(Clone, Debug)]
struct Wall(Arc<AtomicI64>);

impl Wall {
    fn pass(&self, secs: i64) {
        self.0.fetch_add(secs * 1000, Ordering::Relaxed);
    }
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// What the issuer answers.
#[derive(Clone)]
enum Says {
    Active,
    ActiveUntil(i64),
    Inactive,
    Status(u16, &'static str),
    Body(&'static str, String),
    Silence,
    Refused,
    Panic,
}

/// A request that reached the issuer.
struct Asked {
    url: String,
    headers: HeaderMap,
    form: Vec<(String, String)>,
}

impl Asked {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// An authorization server.
#[derive(Clone)]
struct Server(Arc<Mutex<Script>>);

struct Script {
    says: Says,
    /// What is said first, once each.
    first: Vec<Says>,
    delay: Duration,
    metadata: String,
    asked: Vec<Asked>,
    looked_up: usize,
    events: Vec<String>,
}

impl Server {
    fn new(says: Says) -> Self {
        Self(Arc::new(Mutex::new(Script {
            says,
            first: Vec::new(),
            delay: Duration::from_millis(100),
            metadata: format!(r#"{{"issuer":"{ISSUER}","introspection_endpoint":"{ENDPOINT}"}}"#),
            asked: Vec::new(),
            looked_up: 0,
            events: Vec::new(),
        })))
    }

    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.0.lock().unwrap());
    }

    fn says(&self, says: Says) {
        self.set(|script| script.says = says);
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }

    fn read<T>(&self, read: impl FnOnce(&Script) -> T) -> T {
        read(&self.0.lock().unwrap())
    }

    fn events(&self) -> Vec<String> {
        self.read(|script| script.events.clone())
    }

    async fn respond(&self, request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, BoxError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap_or_else(|never: Infallible| match never {}).to_bytes();
        let url = head.uri.to_string();
        let (delay, says) = {
            let mut script = self.0.lock().unwrap();
            if url.contains("/.well-known/") {
                script.looked_up += 1;
                return Ok(Response::new(Full::from(script.metadata.clone())));
            }
            let form = form_urlencoded::parse(&body).into_owned().collect();
            script.asked.push(Asked { url, headers: head.headers, form });
            let says = if script.first.is_empty() { script.says.clone() } else { script.first.remove(0) };
            (script.delay, says)
        };
        sleep(delay).await;
        let json = |body: String| Response::builder().header("content-type", "application/json").body(Full::from(body));
        Ok(match says {
            Says::Active => json(format!(r#"{{"active":true,"sub":"{CLAIM}"}}"#))?,
            Says::ActiveUntil(exp) => json(format!(r#"{{"active":true,"sub":"{CLAIM}","exp":{exp}}}"#))?,
            Says::Inactive => json(r#"{"active":false}"#.to_owned())?,
            Says::Status(status, retry) => {
                Response::builder().status(status).header("retry-after", retry).body(Full::default())?
            }
            Says::Body(media_type, body) => Response::builder().header("content-type", media_type).body(body.into())?,
            Says::Silence => pending().await,
            Says::Refused => return Err("connection refused".into()),
            Says::Panic => panic!("a transport that panics"),
        })
    }

    fn fetcher(&self) -> Fetcher {
        let server = self.clone();
        let service = service_fn(move |request| {
            let server = server.clone();
            async move { server.respond(request).await }
        });
        Fetcher::new(Arc::new(service), false)
    }

    fn settings(&self) -> (IntrospectorSettings, Wall) {
        let wall = Wall(Arc::new(AtomicI64::new(T.as_millis())));
        let server = self.clone();
        let record = move |event: &Event<'_>| server.set(|script| script.events.push(format!("{event:?}")));
        let settings = IntrospectorSettings {
            issuer: ISSUER.to_owned(),
            client: ClientAuth::secret_basic("me", SECRET),
            endpoint: Some(ENDPOINT.to_owned()),
            signatures: None,
            fetcher: Some(self.fetcher()),
            lifetimes: Lifetimes::default(),
            limits: IntrospectionLimits::default(),
            clock: Arc::new(wall.clone()),
            answers: None,
            observers: Observers::with(record),
        };
        (settings, wall)
    }

    fn asker(&self) -> Asker {
        self.asker_with(|_| ())
    }

    fn asker_with(&self, change: impl FnOnce(&mut IntrospectorSettings)) -> Asker {
        let (mut settings, wall) = self.settings();
        change(&mut settings);
        Asker { introspector: Arc::new(Introspector::new(settings)), wall }
    }
}

/// An introspector and its clock.
#[derive(Clone)]
struct Asker {
    introspector: Arc<Introspector>,
    wall: Wall,
}

/// How a request ends.
#[derive(Debug, PartialEq, Eq)]
enum Ends {
    Active,
    Inactive,
    NotJudged(&'static str),
}

impl Asker {
    async fn ask(&self, token: &str) -> Ends {
        self.ask_for(token, Need::Cached).await
    }

    async fn ask_for(&self, token: &str, need: Need) -> Ends {
        ends(self.introspector.ask(token, need, self.wall.now()).wait().await)
    }

    async fn failure(&self, token: &str) -> Unavailable {
        self.introspector.ask(token, Need::Cached, self.wall.now()).wait().await.unwrap_err()
    }

    /// A request of its own task, which waits.
    fn ask_behind(&self, token: &str, need: Need) -> tokio::task::JoinHandle<Ends> {
        let (asker, token) = (self.clone(), token.to_owned());
        tokio::spawn(async move { asker.ask_for(&token, need).await })
    }
}

fn ends(outcome: Outcome) -> Ends {
    match outcome {
        Ok(Reply { state: State::Active(_), .. }) => Ends::Active,
        Ok(Reply { state: State::Inactive, .. }) => Ends::Inactive,
        Err(unavailable) => Ends::NotJudged(unavailable.code),
    }
}

async fn pass(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}
