//! What a request costs, each case beside its floor in the same run: read the ratios, not the microseconds.
//!
//! `cargo bench --bench requests`. Floors and cases take turns in short rounds, and the median of the rounds is shown, so
//! that a noisy neighbour hits both alike.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response};
use tower::{Layer, Service};
use tower_oauth::crypto::Algorithm;
use tower_oauth::test::{RequestExt as _, TestIssuer};
use tower_oauth::{OAuthConfig, OAuthLayer, ResourceServer, Token};

const RESOURCE: &str = "https://api.test";
const ROUNDS: usize = 41;
const ROUND: Duration = Duration::from_millis(8);

fn main() {
    let bench = Bench::new();
    if let Some(name) = std::env::args().nth(1).and_then(|argument| argument.strip_prefix("only=").map(str::to_owned)) {
        return bench.only(&name);
    }
    println!("ES256, token of {} bytes, in process, one thread\n", bench.token.len());
    bench.hits();
    bench.verification();
    bench.refusals();
}

struct Bench {
    issuer: TestIssuer,
    server: ResourceServer,
    uncached: ResourceServer,
    token: String,
}

impl Bench {
    fn new() -> Self {
        let issuer = TestIssuer::new("https://login.test");
        let config = || OAuthConfig::builder(RESOURCE).trust(issuer.issuer());
        let server = ResourceServer::new(config().build().expect("a sound configuration"));
        let uncached = ResourceServer::new(config().cached_verdicts(0).build().expect("a sound configuration"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(server.ready()).expect("keys");
        runtime.block_on(uncached.ready()).expect("keys");
        // Its task would only refresh the keys; the benchmark is shorter than their lifetime.
        std::mem::forget(runtime);
        let mut bench = Self { issuer, server, uncached, token: String::new() };
        bench.token = bench.token_with("");
        bench
    }

    /// About 800 bytes, with claims as issuers really send them.
    fn token_with(&self, more: &str) -> String {
        self.issuer
            .token_for(RESOURCE)
            .scope("openid profile email orders:read orders:write")
            .claim("name", "Ada Example")
            .claim("email", "ada@example.com")
            .claim("tenant", "north-1")
            .claim("session", "b1946ac92492d2347c6235b4d2611184")
            .roles(["clerk", "auditor"])
            .claim("more", more)
            .sign()
    }

    /// One case alone, a fixed number of times: to be run under a profiler.
    fn only(&self, name: &str) {
        let mut app = self.app();
        for n in 0..500 {
            match name {
                "verified" => assert_eq!(call(&mut app, with(&self.token)), 200),
                "expired" => {
                    let token = self.issuer.token_for(RESOURCE).expired();
                    if n == 0 {
                        let token = token.sign();
                        (0..500).for_each(|_| assert_eq!(call(&mut app, with(&token)), 401));
                    }
                }
                "missing" => assert_eq!(call(&mut app, without()), 401),
                other => panic!("no such case: {other}"),
            }
        }
    }

    fn app(&self) -> Router {
        bare().layer(OAuthLayer::new(&self.server))
    }

    fn hits(&self) {
        let (mut app, mut layered) = (self.app(), bare().layer(DoNothing));
        let mut row = Row::new("the same valid token again", "router + do-nothing layer");
        for _ in 0..ROUNDS {
            row.floor.round(|| assert_eq!(call(&mut layered, with(&self.token)), 200));
            row.case.round(|| assert_eq!(call(&mut app, with(&self.token)), 200));
        }
        row.print();
        let tokens: Vec<_> = (0..10_000).map(|n| self.token_with(&n.to_string())).collect();
        tokens.iter().for_each(|token| assert_eq!(call(&mut app, with(token)), 200));
        let next = turns(&tokens);
        let mut row = Row::new("10 000 tokens in turn, second time", "router + do-nothing layer");
        for _ in 0..ROUNDS {
            row.floor.round(|| assert_eq!(call(&mut layered, with(next())), 200));
            row.case.round(|| assert_eq!(call(&mut app, with(next())), 200));
        }
        row.print();
    }

    fn verification(&self) {
        let tokens: Vec<_> = (0..2000).map(|n| self.token_with(&n.to_string())).collect();
        let raw = RawVerifier::new(&self.issuer);
        let (mut app, mut uncached) = (self.app(), bare().layer(OAuthLayer::new(&self.uncached)));
        let next = turns(&tokens);
        let mut row = Row::new("a valid token, cache off", "raw verify, key parsed");
        for _ in 0..ROUNDS {
            row.floor.round(|| assert!(raw.verify(next())));
            row.case.round(|| assert_eq!(call(&mut uncached, with(next())), 200));
        }
        row.print();
        let mut row = Row::new("never seen, cache insert included", "raw verify, key parsed");
        for _ in 0..ROUNDS {
            row.floor.round(|| assert!(raw.verify(next())));
            // Forgotten at once, so that every request is a first one and its insert is paid.
            row.case.round(|| {
                self.server.forget_verdicts();
                assert_eq!(call(&mut app, with(next())), 200);
            });
        }
        row.print();

        let forged: Vec<_> =
            (0..2000).map(|n| self.issuer.token_for(RESOURCE).claim("more", n).bad_signature().sign()).collect();
        // The first one causes a refresh; from then on it is cooling.
        assert_eq!(block_until_answered(&mut app, with(&forged[0])), 401);
        let mut row = Row::new("a bad signature", "raw verify, key parsed");
        let next_forged = turns(&forged);
        for _ in 0..ROUNDS {
            row.floor.round(|| assert!(raw.verify(next())));
            row.case.round(|| assert_eq!(call(&mut app, with(next_forged())), 401));
        }
        row.print();
    }

    fn refusals(&self) {
        let mut app = self.app();
        let (mut router, mut layered) = (bare(), bare().layer(DoNothing));
        let mut row = Row::new("do-nothing layer", "router without any layer");
        for _ in 0..ROUNDS {
            row.floor.round(|| assert_eq!(call(&mut router, without()), 200));
            row.case.round(|| assert_eq!(call(&mut layered, without()), 200));
        }
        row.print();
        let mut row = Row::new("no credential", "router without any layer");
        for _ in 0..ROUNDS {
            row.floor.round(|| assert_eq!(call(&mut router, without()), 200));
            row.case.round(|| assert_eq!(call(&mut app, without()), 401));
        }
        row.print();
        let expired = self.issuer.token_for(RESOURCE).scope("orders:read orders:write").claim("more", "x".repeat(180));
        for (what, token) in [
            ("expired: refused before the signature", expired.clone().expired().sign()),
            ("another audience: the same", expired.clone().audience("https://other.test").sign()),
            ("not a JWT at all", "x".repeat(700)),
        ] {
            let mut row = Row::new(what, "router without any layer");
            for _ in 0..ROUNDS {
                row.floor.round(|| assert_eq!(call(&mut router, with(&token)), 200));
                row.case.round(|| assert_eq!(call(&mut app, with(&token)), 401));
            }
            row.print();
        }
    }
}

/// One after the other, and from the start again.
fn turns<'t>(tokens: &'t [String]) -> impl Fn() -> &'t str {
    let at = Cell::new(0);
    move || {
        at.set((at.get() + 1) % tokens.len());
        &tokens[at.get()]
    }
}

fn bare() -> Router {
    Router::new()
        .route("/x", get(|token: Option<Token>| async move { if token.is_some() { "yes" } else { "no" } }))
        .fallback(get(plain))
}

async fn plain() -> &'static str {
    "ok"
}

fn with(token: &str) -> Request<Body> {
    Request::get("/plain").bearer(token).body(Body::empty()).expect("a request")
}

fn without() -> Request<Body> {
    Request::get("/plain").body(Body::empty()).expect("a request")
}

/// Calls a service whose answer needs no waiting.
fn call(app: &mut Router, request: Request<Body>) -> u16 {
    let mut answer = pin!(Service::call(app, request));
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.status().as_u16(),
        Poll::Pending => panic!("the answer had to be waited for"),
    }
}

fn block_until_answered(app: &mut Router, request: Request<Body>) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let response: Result<Response<Body>, Infallible> = runtime.block_on(Service::call(app, request));
    response.map_or(0, |response| response.status().as_u16())
}

/// The floor of every verification: the signature alone, by a key that was parsed before.
struct RawVerifier(aws_lc_rs::signature::ParsedPublicKey);

impl RawVerifier {
    fn new(issuer: &TestIssuer) -> Self {
        use base64::Engine as _;
        let jwk = issuer.signing_key().public_jwk();
        let decode = |name: &str| {
            let text = jwk[name].as_str().expect("a coordinate");
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url")
        };
        let point = [vec![4], decode("x"), decode("y")].concat();
        let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED;
        assert_eq!(issuer.signing_key().algorithm(), Algorithm::Es256);
        Self(aws_lc_rs::signature::ParsedPublicKey::new(algorithm, point).expect("a key"))
    }

    fn verify(&self, token: &str) -> bool {
        use base64::Engine as _;
        let Some((signed, signature)) = token.rsplit_once('.') else { return false };
        let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature);
        signature.is_ok_and(|signature| self.0.verify_sig(signed.as_bytes(), &signature).is_ok())
    }
}

/// A layer that only passes requests on, as the least that any middleware costs.
#[derive(Clone)]
struct DoNothing;

impl<S> Layer<S> for DoNothing {
    type Service = Nothing<S>;

    fn layer(&self, inner: S) -> Nothing<S> {
        Nothing(inner)
    }
}

#[derive(Clone)]
struct Nothing<S>(S);

impl<S: Service<Request<Body>>> Service<Request<Body>> for Nothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}

/// Nanoseconds of one call, as rounds measured it.
#[derive(Default)]
struct Timing(Vec<f64>);

impl Timing {
    fn round(&mut self, mut call: impl FnMut()) {
        let (began, mut calls) = (Instant::now(), 0_u32);
        while began.elapsed() < ROUND {
            for _ in 0..16 {
                call();
            }
            calls += 16;
        }
        self.0.push(began.elapsed().as_nanos() as f64 / f64::from(calls));
    }

    fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        black_box(sorted[sorted.len() / 2])
    }
}

struct Row {
    what: &'static str,
    beside: &'static str,
    floor: Timing,
    case: Timing,
}

impl Row {
    fn new(what: &'static str, beside: &'static str) -> Self {
        Self { what, beside, floor: Timing::default(), case: Timing::default() }
    }

    fn print(&self) {
        let (floor, case) = (self.floor.median() / 1000.0, self.case.median() / 1000.0);
        println!(
            "{:<38} {case:>8.2} µs   {:<26} {floor:>8.2} µs   {:>+7.2} µs   {:>6.2} ×",
            self.what,
            self.beside,
            case - floor,
            case / floor
        );
    }
}
