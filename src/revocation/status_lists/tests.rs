//! Lists of an issuer that rotates, stalls, fails and counts, by a clock that only the tests move.

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::AtomicI64;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::service_fn;

use super::*;
use crate::revocation::tests::{NOW, Signer};

mod faults;
mod lifetime;

const URI: &str = "https://login.example.com/statuslists/1";
/// Sixteen statuses: 1001 1101 1100 0101.
const LST: &str = "eNrbuRgAAhcBXQ";

#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// What a server does with a request.
#[derive(Clone)]
enum Reply {
    /// A list of these statuses with these claims changed; `null` takes one away.
    List(Value),
    Status(StatusCode),
    Body(&'static str),
    ContentType(&'static str),
    Silence,
    Panic,
    /// The list, once the test lets it go.
    Held(Arc<Notify>),
}

struct World {
    signer: Arc<Signer>,
    clock: Arc<Hand>,
    reply: Arc<Mutex<Reply>>,
    requests: Arc<Mutex<Vec<Request<Full<Bytes>>>>>,
    events: Arc<Mutex<Vec<String>>>,
    lists: StatusLists,
}

impl World {
    fn new() -> Self {
        Self::with_hosts(&[])
    }

    fn with_hosts(hosts: &[&str]) -> Self {
        let signer = Arc::new(Signer::new());
        let clock = Arc::new(Hand(NOW.as_secs().into()));
        let reply = Arc::new(Mutex::new(Reply::List(json!({}))));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let events = Arc::new(Mutex::new(Vec::new()));
        let (to, by, heard, at) = (Arc::clone(&reply), Arc::clone(&signer), Arc::clone(&requests), Arc::clone(&clock));
        let server = service_fn(move |request: Request<Full<Bytes>>| {
            let uri = request.uri().to_string();
            heard.lock().unwrap().push(request);
            let (reply, signer, now) = (to.lock().unwrap().clone(), Arc::clone(&by), at.now());
            async move { Ok::<_, Infallible>(answer(reply, &signer, &uri, now).await) }
        });
        let fetcher = Fetcher::new(Arc::new(server), false);
        let told = Arc::clone(&events);
        let observers = Observers::with(move |event: &Event<'_>| {
            let text = match event {
                Event::StatusListFetched { entries, .. } => format!("fetched {entries}"),
                Event::StatusListFailed { code, .. } => (*code).to_owned(),
                other => format!("{other:?}"),
            };
            told.lock().unwrap().push(text);
        });
        let hosts: Vec<Box<str>> = hosts.iter().map(|host| (*host).into()).collect();
        let keys: Arc<dyn IssuerKeys> = Arc::<Signer>::clone(&signer);
        let lists = StatusLists::new(fetcher, keys, &hosts, Arc::<Hand>::clone(&clock), observers);
        Self { signer, clock, reply, requests, events, lists }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn answer(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    fn serve(&self, claims: Value) {
        self.answer(Reply::List(claims));
    }

    fn fetches(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    async fn check(&self, idx: u64) -> Result<Status, StatusUnavailable> {
        self.lists.check(URI, idx, self.now()).wait().await.map(|checked| checked.status)
    }

    async fn fails(&self) -> &'static str {
        self.check(0).await.unwrap_err().code
    }

    /// Without waiting: what is in memory.
    fn at_once(&self, idx: u64) -> Option<Result<Status, StatusUnavailable>> {
        match self.lists.check(URI, idx, self.now()) {
            Answer::Now(answer) => Some(answer.map(|checked| checked.status)),
            Answer::Later(_) => None,
        }
    }

    /// Lets tasks run that nobody waits for.
    async fn settle(&self) {
        let busy = || !self.lists.shared.tasks.lock().unwrap().is_empty();
        while busy() {
            while self.lists.shared.tasks.lock().unwrap().try_join_next().is_some() {}
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn answer(reply: Reply, signer: &Signer, uri: &str, now: Timestamp) -> Response<Full<Bytes>> {
    let mut content_type = "application/statuslist+jwt";
    let changed = match reply {
        Reply::List(changed) => changed,
        Reply::ContentType(other) => {
            content_type = other;
            json!({})
        }
        Reply::Held(until) => {
            until.notified().await;
            json!({})
        }
        Reply::Body(body) => return typed(content_type, body),
        Reply::Silence => return pending().await,
        Reply::Panic => panic!("a transport of the user"),
        Reply::Status(status) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = status;
            response.headers_mut().insert(LOCATION, uri.parse().unwrap());
            return response;
        }
    };
    let mut claims = json!({
        "sub": uri, "iat": now.as_secs(), "exp": now.as_secs() + 3600, "ttl": 60,
        "status_list": {"bits": 1, "lst": LST}
    });
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    typed(content_type, &signer.sign("statuslist+jwt", &claims))
}

fn typed(content_type: &str, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
    response.headers_mut().insert(CACHE_CONTROL, "max-age=86400".parse().unwrap());
    response
}
