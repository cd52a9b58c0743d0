//! Readiness is kept: the service that was polled is the one that is called, or its place is given back.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer as _, Service as _, ServiceBuilder, ServiceExt as _};
use tower_oauth::test::{Fault, RequestExt as _, TestIssuer};
use tower_oauth::{OAuthConfig, OAuthLayer, ResourceServer};
use tower_test::mock;

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;

fn request(token: &str) -> Req {
    Request::get("/x").bearer(token).body(Full::default()).unwrap()
}

/// A server whose keys are there already, so that verdicts need no waiting.
async fn ready_server(issuer: &TestIssuer) -> ResourceServer {
    let server = ResourceServer::new(OAuthConfig::builder("https://api.test").trust(issuer.issuer()).build().unwrap());
    server.ready().await.unwrap();
    server
}

#[tokio::test]
async fn a_layer_is_ready_only_when_its_service_is() {
    let issuer = TestIssuer::new("https://login.test");
    let server = ready_server(&issuer).await;
    let (inner, mut handle) = mock::pair::<Req, Res>();
    handle.allow(0);
    let mut service = tokio_test_task(OAuthLayer::new(&server).layer(inner));
    assert!(service.poll_ready_now().is_pending());
    handle.allow(1);
    assert!(service.poll_ready_now().is_ready());
    let token = issuer.token_for("https://api.test").sign();
    let answer = tokio::spawn(service.inner.call(request(&token)));
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(Response::default());
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_refused_request_never_reaches_the_service() {
    let issuer = TestIssuer::new("https://login.test");
    let server = ready_server(&issuer).await;
    let (inner, mut handle) = mock::pair::<Req, Res>();
    let answer = OAuthLayer::new(&server).layer(inner).oneshot(request("junk")).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(handle.next_request().await.is_none());
}

#[tokio::test]
async fn an_error_of_the_service_is_passed_on() {
    let issuer = TestIssuer::new("https://login.test");
    let server = ready_server(&issuer).await;
    let (inner, mut handle) = mock::pair::<Req, Res>();
    let token = issuer.token_for("https://api.test").sign();
    let answer = tokio::spawn(OAuthLayer::new(&server).layer(inner).oneshot(request(&token)));
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_error("out of order");
    assert_eq!(answer.await.unwrap().unwrap_err().to_string(), "out of order");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_issuer_holds_no_place_in_a_concurrency_limit() {
    let (stalled, healthy) = (TestIssuer::new("https://stalled.test"), TestIssuer::new("https://healthy.test"));
    let config = OAuthConfig::builder("https://api.test").trust(stalled.issuer()).trust(healthy.issuer());
    let server = ResourceServer::new(config.build().unwrap());
    stalled.fail(Fault::Hang);
    let inner = tower::service_fn(|_: Req| async { Ok::<_, std::convert::Infallible>(Res::default()) });
    let service =
        ServiceBuilder::new().layer(OAuthLayer::new(&server)).layer(ConcurrencyLimitLayer::new(1)).service(inner);
    let waiting: Vec<_> = (0..20)
        .map(|_| tokio::spawn(service.clone().oneshot(request(&stalled.token_for("https://api.test").sign()))))
        .collect();
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    for _ in 0..20 {
        let answer = service.clone().oneshot(request(&healthy.token_for("https://api.test").sign())).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "a healthy issuer waited for a stalled one");
    for answer in waiting {
        assert_eq!(answer.await.unwrap().unwrap().status(), 503);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_for_requests_that_waited_for_keys() {
    let issuer = TestIssuer::new("https://login.test");
    let server = ResourceServer::new(OAuthConfig::builder("https://api.test").trust(issuer.issuer()).build().unwrap());
    issuer.delay(Duration::from_secs(1));
    let (inner, mut handle) = mock::pair::<Req, Res>();
    let service =
        ServiceBuilder::new().layer(OAuthLayer::new(&server)).layer(ConcurrencyLimitLayer::new(1)).service(inner);
    let token = issuer.token_for("https://api.test").sign();
    let first = tokio::spawn(service.clone().oneshot(request(&token)));
    let second = tokio::spawn(service.clone().oneshot(request(&token)));
    let (_, respond) = handle.next_request().await.unwrap();
    // The other one is judged too, and waits for the place.
    assert!(tokio::time::timeout(Duration::from_secs(60), handle.next_request()).await.is_err());
    respond.send_response(Res::default());
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(Res::default());
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
}

/// A service polled by hand.
struct Polled<S> {
    inner: S,
}

fn tokio_test_task<S>(inner: S) -> Polled<S> {
    Polled { inner }
}

impl<S: tower::Service<Req>> Polled<S> {
    fn poll_ready_now(&mut self) -> std::task::Poll<Result<(), S::Error>> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        self.inner.poll_ready(&mut context)
    }
}
