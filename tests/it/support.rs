//! The fixture of the checklist: one resource, one issuer, a clock that stands still, and no leeway.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_oauth::client_auth::ClientAuth;
use tower_oauth::test::{ManualClock, OpaqueTokenBuilder, RequestExt as _, TestIssuer, TokenBuilder};
use tower_oauth::time::Timestamp;
use tower_oauth::{
    Anonymous, Authenticated, Demand, Issuer, OAuthConfig, OAuthConfigBuilder, OAuthLayer, Rejection, Requirement,
    ResourceServer, require,
};

pub(crate) const RESOURCE: &str = "https://rs.example/api";
pub(crate) const ISSUER: &str = "https://as.example";

/// As whom the resource server asks its issuer.
pub(crate) const ME: &str = "orders-api";
pub(crate) const SECRET: &str = "0rders-s3cret";

pub(crate) fn me() -> ClientAuth {
    ClientAuth::secret_basic(ME, SECRET)
}

/// The moment at which every test begins.
pub(crate) const T: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) type App = BoxCloneSyncService<Request<Full<Bytes>>, Response<Full<Bytes>>, Infallible>;

/// An issuer, a clock, and a server that believes the one and follows the other.
pub(crate) struct Fixture {
    pub(crate) issuer: TestIssuer,
    pub(crate) clock: ManualClock,
    pub(crate) server: ResourceServer,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    /// With changes to the configuration.
    pub(crate) fn with(change: impl FnOnce(OAuthConfigBuilder) -> OAuthConfigBuilder) -> Self {
        let clock = ManualClock::new(T);
        let issuer = TestIssuer::new(ISSUER).clock(clock.clone());
        let config = change(config(&clock).trust(issuer.issuer()));
        Self { issuer, clock, server: ResourceServer::new(config.build().unwrap()) }
    }

    /// With an issuer that is asked about its opaque tokens, and about its JWTs where a route wants that.
    pub(crate) fn asking() -> Self {
        Self::asking_with(|issuer| issuer, |config| config)
    }

    /// As [`asking`](Self::asking), with changes to both.
    pub(crate) fn asking_with(
        issuer: impl FnOnce(Issuer) -> Issuer,
        change: impl FnOnce(OAuthConfigBuilder) -> OAuthConfigBuilder,
    ) -> Self {
        let clock = ManualClock::new(T);
        let test_issuer = TestIssuer::new(ISSUER).clock(clock.clone());
        test_issuer.registers_client(ME, SECRET);
        let trust = Issuer::hybrid(ISSUER, me()).transport(test_issuer.transport());
        let config = change(config(&clock).trust(issuer(trust)));
        Self { issuer: test_issuer, clock, server: ResourceServer::new(config.build().unwrap()) }
    }

    /// A valid opaque token for the resource.
    pub(crate) fn opaque(&self) -> OpaqueTokenBuilder {
        self.issuer.opaque_token_for(RESOURCE)
    }

    /// The layer as changed around [`inner`].
    pub(crate) fn layered(&self, change: impl FnOnce(OAuthLayer) -> OAuthLayer) -> App {
        BoxCloneSyncService::new(change(OAuthLayer::new(&self.server)).layer(service_fn(inner)))
    }

    /// What the layer leaves for the service behind it, of a request that passes.
    pub(crate) async fn authenticated(&self, token: &str) -> Authenticated {
        let found = Arc::new(Mutex::new(None));
        let service = service_fn({
            let found = Arc::clone(&found);
            move |request: Request<Full<Bytes>>| {
                *found.lock().unwrap() = request.extensions().get::<Authenticated>().cloned();
                inner(request)
            }
        });
        let app: App = BoxCloneSyncService::new(OAuthLayer::new(&self.server).layer(service));
        send(&app, Request::get("/x").bearer(token)).await.assert_passed();
        let authenticated = found.lock().unwrap().take();
        authenticated.expect("the layer leaves it")
    }

    /// A valid token for the resource.
    pub(crate) fn token(&self) -> TokenBuilder {
        self.issuer.token_for(RESOURCE)
    }

    /// The layer around [`inner`].
    pub(crate) fn app(&self) -> App {
        BoxCloneSyncService::new(OAuthLayer::new(&self.server).layer(service_fn(inner)))
    }

    /// An optional layer around [`inner`].
    pub(crate) fn optional(&self) -> App {
        BoxCloneSyncService::new(OAuthLayer::new(&self.server).optional().layer(service_fn(inner)))
    }

    /// The layer around `require::<R>()` around [`inner`].
    pub(crate) fn guarded<R: Requirement>(&self) -> App {
        BoxCloneSyncService::new(OAuthLayer::new(&self.server).layer(require::<R>().layer(service_fn(inner))))
    }

    /// The answer of [`app`](Self::app) to this token.
    pub(crate) async fn answer(&self, token: &str) -> Answer {
        send(&self.app(), Request::get("/x").bearer(token)).await
    }

    /// The answer of [`app`](Self::app) to this `Authorization` value.
    pub(crate) async fn authorized(&self, value: impl AsRef<[u8]>) -> Answer {
        send(&self.app(), Request::get("/x").header("authorization", value.as_ref())).await
    }
}

/// A configuration for the fixture's resource that trusts nobody yet.
pub(crate) fn config(clock: &ManualClock) -> OAuthConfigBuilder {
    OAuthConfig::builder(RESOURCE).leeway(Duration::ZERO).clock(clock.clone())
}

/// The service behind the layer: it tells by headers what it was given, and gives back the body it received.
pub(crate) async fn inner(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut response = Response::builder().header("x-inner", "called");
    if let Some(known) = parts.extensions.get::<Authenticated>() {
        let kind = if known.principal().is_user() { "user" } else { "client" };
        response = response.header("x-principal", format!("{kind} {}", known.principal()));
    }
    if parts.extensions.get::<Anonymous>().is_some() {
        response = response.header("x-anonymous", "yes");
    }
    if parts.headers.contains_key("authorization") {
        response = response.header("x-saw-credential", "yes");
    }
    Ok(response.body(body).unwrap())
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<()>,
    pub(crate) body: Bytes,
}

/// Sends a request without a body.
pub(crate) async fn send(app: &App, request: http::request::Builder) -> Answer {
    send_with_body(app, request, "").await
}

/// Sends a request.
pub(crate) async fn send_with_body(app: &App, request: http::request::Builder, body: &'static str) -> Answer {
    let request = request.body(Full::from(body)).unwrap();
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    Answer { response: Response::from_parts(parts, ()), body: body.collect().await.unwrap().to_bytes() }
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Whether the inner service was called.
    pub(crate) fn passed(&self) -> bool {
        self.response.headers().contains_key("x-inner")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// The challenge of this scheme; there is one at most.
    pub(crate) fn challenge_of(&self, scheme: &str) -> Option<&str> {
        let challenges = self.response.headers().get_all(WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap());
        let mut found = challenges.filter(|challenge| challenge.split(' ').next() == Some(scheme));
        let challenge = found.next();
        assert!(found.next().is_none(), "two {scheme} challenges");
        challenge
    }

    /// The Bearer challenge of the answer.
    pub(crate) fn challenge(&self) -> &str {
        self.challenge_of("Bearer").expect("a Bearer challenge")
    }

    /// The `error` of the Bearer challenge.
    pub(crate) fn error(&self) -> Option<&str> {
        self.parameter("error")
    }

    /// A parameter of the Bearer challenge, unquoted. It must stand there once at most.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameter_of("Bearer", name)
    }

    /// A parameter of a challenge, unquoted. It must stand there once at most.
    pub(crate) fn parameter_of(&self, scheme: &str, name: &str) -> Option<&str> {
        let challenge = self.challenge_of(scheme)?;
        let rest = challenge.strip_prefix(scheme)?.trim_start();
        let start = format!("{name}=\"");
        let mut found = rest.split(", ").filter_map(|parameter| parameter.strip_prefix(start.as_str()));
        let value = found.next()?.strip_suffix('"').expect("a closing quote");
        assert!(found.next().is_none(), "{name} stands twice in {challenge}");
        Some(value)
    }

    pub(crate) fn rejection(&self) -> &Rejection {
        self.response.extensions().get::<Rejection>().expect("a rejection in the extensions")
    }

    /// Asserts that the inner service was called.
    #[track_caller]
    pub(crate) fn assert_passed(&self) {
        assert!(self.passed(), "refused: {:?}", self.response);
        assert_eq!(self.status(), StatusCode::OK);
    }

    /// Asserts a refusal by status and error code; the inner service was not called.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, error: Option<&str>) {
        assert!(!self.passed(), "passed: {:?}", self.response);
        assert_eq!(self.status().as_u16(), status, "{:?}", self.response);
        assert_eq!(self.error(), error, "{:?}", self.response);
    }

    /// Asserts that the request was not judged: 503, the time to try again, no challenge.
    #[track_caller]
    pub(crate) fn assert_unavailable(&self, kind: &str) {
        assert!(!self.passed(), "passed: {:?}", self.response);
        assert_eq!(self.status(), StatusCode::SERVICE_UNAVAILABLE, "{:?}", self.response);
        assert!(!self.response.headers().contains_key(WWW_AUTHENTICATE), "{:?}", self.response);
        assert!(self.header("retry-after").is_some_and(|after| after.parse::<u64>().is_ok_and(|after| after > 0)));
        assert_eq!(self.rejection().kind().as_str(), kind, "{:?}", self.rejection());
    }

    /// Asserts a refusal whose error stands in the DPoP challenge, and in no other.
    #[track_caller]
    pub(crate) fn assert_dpop_refused(&self, status: u16, error: &str, kind: &str) {
        assert!(!self.passed(), "passed: {:?}", self.response);
        assert_eq!(self.status().as_u16(), status, "{:?}", self.response);
        assert_eq!(self.parameter_of("DPoP", "error"), Some(error), "{:?}", self.response);
        assert_eq!(self.parameter_of("Bearer", "error"), None, "{:?}", self.response);
        assert_eq!(self.rejection().kind().as_str(), kind, "{:?}", self.rejection());
    }

    /// Asserts 401 `invalid_token` of this kind.
    #[track_caller]
    pub(crate) fn assert_invalid_token(&self, kind: &str) {
        self.assert_refused(401, Some("invalid_token"));
        assert_eq!(self.rejection().kind().as_str(), kind, "{:?}", self.rejection());
    }
}

/// Keeps tracing's callsites awake for as long as the tests run. They are shared by all threads: without a listener that
/// stays, a test that ends may put them to sleep under another that reads its own thread's lines.
pub(crate) fn keep_tracing_awake() {
    static AWAKE: std::sync::Once = std::sync::Once::new();
    AWAKE.call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());
}

/// A requirement of the scopes that tests use most.
pub(crate) struct ReadAndWrite;

impl Requirement for ReadAndWrite {
    const DEMAND: Demand = Demand::scopes(&["read", "write"]);
}
