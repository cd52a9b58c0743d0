//! The development authorization server and a resource server that believes it, over loopback: what one issues and ends,
//! the other takes and refuses.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, service_fn};
use tower_oauth::dev::{DevClient, DevServer, DevServerBuilder};
use tower_oauth::test::{DpopClient, ManualClock, RequestExt as _};
use tower_oauth::{ClientAuth, Issuer, OAuthConfig, OAuthLayer, ResourceServer};

use crate::support::{Answer, App, inner, send};

/// The resources are on loopback, as the issuer is; nobody listens there.
const API: &str = "http://127.0.0.1:3000";
const DOWNSTREAM: &str = "http://127.0.0.1:3001";
const CALLBACK: &str = "http://127.0.0.1/cb";
/// RFC 7636 appendix B (V-04).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

type Pairs<'p> = &'p [(&'p str, &'p str)];

async fn start(setup: impl FnOnce(DevServerBuilder) -> DevServerBuilder) -> DevServer {
    let builder = DevServer::builder()
        .public_client("page", [CALLBACK], ["openid", "orders:read"])
        .register(DevClient::confidential("edge", "s3cr3t").scopes(["orders:read"]))
        .register(DevClient::confidential("api", "s3cr3t").resource(API))
        .audience(API)
        .auto_approve("ada");
    setup(builder).quiet().start().await.unwrap()
}

/// A resource server at `resource` that believes `issuer`.
fn api(resource: &str, issuer: impl Into<Issuer>) -> (ResourceServer, App) {
    let config = OAuthConfig::builder(resource).trust(issuer.into()).dangerous_loopback_http().build().unwrap();
    let server = ResourceServer::new(config);
    let app = BoxCloneSyncService::new(OAuthLayer::new(&server).layer(service_fn(inner)));
    (server, app)
}

async fn exchange(request: Request<Full<Bytes>>) -> Response<Bytes> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

fn encoded(pairs: Pairs<'_>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn token(dev: &DevServer, form: Pairs<'_>, proof: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::post(format!("{}/token", dev.issuer_url()))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    let response = exchange(request.body(Full::from(encoded(form))).unwrap()).await;
    (response.status(), serde_json::from_slice(response.body()).unwrap())
}

/// The tokens of a fresh login of the page.
async fn login(dev: &DevServer, proof: Option<&str>) -> Value {
    let query = encoded(&[
        ("client_id", "page"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "openid orders:read"),
    ]);
    let url = format!("{}/authorize?{query}", dev.issuer_url());
    let redirect = exchange(Request::get(url).body(Full::default()).unwrap()).await;
    let location = redirect.headers()[header::LOCATION].to_str().unwrap();
    let mut told = form_urlencoded::parse(location.split_once('?').unwrap().1.as_bytes());
    let code = told.find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "page"),
        ("code", &code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", CALLBACK),
    ];
    let (status, tokens) = token(dev, &form, proof).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    tokens
}

async fn refresh(dev: &DevServer, tokens: &Value) -> (StatusCode, Value) {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "page"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    token(dev, &form, None).await
}

fn access(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap()
}

async fn call(app: &App, token: &str) -> Answer {
    send(app, Request::get("/orders").bearer(token)).await
}

/// DAS-18: a JWT of the server is one by RFC 9068, for the resource that was asked for and no other.
#[tokio::test]
async fn a_token_passes_where_it_is_meant_and_nowhere_else() {
    let dev = start(|builder| builder).await;
    let ((_, app), (_, other)) = (api(API, dev.issuer_url()), api(DOWNSTREAM, dev.issuer_url()));
    let tokens = login(&dev, None).await;
    let answer = call(&app, access(&tokens)).await;
    answer.assert_passed();
    assert_eq!(answer.header("x-principal"), Some("user ada"));
    call(&other, access(&tokens)).await.assert_invalid_token("audience_mismatch");
    call(&app, tokens["id_token"].as_str().unwrap()).await.assert_invalid_token("wrong_token_type");
}

/// DAS-08: a token for a key passes with its proofs and without them not at all.
#[tokio::test]
async fn a_bound_token_passes_with_proofs_of_its_key() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| builder.clock(clock.clone())).await;
    let config = OAuthConfig::builder(API).trust(dev.issuer_url()).dangerous_loopback_http().clock(clock.clone());
    let server = ResourceServer::new(config.build().unwrap());
    let app = BoxCloneSyncService::new(OAuthLayer::new(&server).layer(service_fn(inner)));
    // Its memory of proofs begins with it, and proofs are dated in whole seconds.
    clock.advance(Duration::from_secs(1));
    let (key, thief) = (DpopClient::new().clock(clock.clone()), DpopClient::new().clock(clock.clone()));
    let proof = key.proof(&Method::POST, &format!("{}/token", dev.issuer_url())).sign();
    let tokens = login(&dev, Some(&proof)).await;
    send(&app, Request::get("/orders").dpop(&key, API, access(&tokens))).await.assert_passed();
    let stolen = send(&app, Request::get("/orders").dpop(&thief, API, access(&tokens))).await;
    assert_eq!(stolen.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(call(&app, access(&tokens)).await.status(), StatusCode::UNAUTHORIZED);
}

/// DAS-13: a resource server goes on working while keys rotate.
#[tokio::test]
async fn keys_rotate_and_nobody_is_locked_out() {
    let dev = start(|builder| builder).await;
    let (_, app) = api(API, dev.issuer_url());
    let old = login(&dev, None).await;
    call(&app, access(&old)).await.assert_passed();
    dev.rotate();
    let new = login(&dev, None).await;
    for tokens in [&new, &old, &new] {
        call(&app, access(tokens)).await.assert_passed();
    }
}

/// DAS-26: an exchanged token passes at the downstream resource server and at no other.
#[tokio::test]
async fn an_exchanged_token_passes_downstream_and_nowhere_else() {
    let dev = start(|builder| builder).await;
    let ((_, edge), (_, downstream)) = (api(API, dev.issuer_url()), api(DOWNSTREAM, dev.issuer_url()));
    let user = login(&dev, None).await;
    let form = [
        ("client_id", "edge"),
        ("client_secret", "s3cr3t"),
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", access(&user)),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("resource", DOWNSTREAM),
    ];
    let (_, exchanged) = token(&dev, &form, None).await;
    let answer = call(&downstream, access(&exchanged)).await;
    answer.assert_passed();
    assert_eq!(answer.header("x-principal"), Some("user ada"));
    call(&edge, access(&exchanged)).await.assert_invalid_token("audience_mismatch");
    call(&downstream, access(&user)).await.assert_invalid_token("audience_mismatch");
}

#[tokio::test]
async fn an_opaque_token_passes_by_introspection_until_it_is_revoked() {
    let dev = start(DevServerBuilder::opaque_tokens).await;
    let me = ClientAuth::secret_basic("api", "s3cr3t");
    let issuer = Issuer::opaque(dev.issuer_url(), me).tokens_starting("opq_").cache_for(Duration::ZERO);
    let (_, app) = api(API, issuer);
    let tokens = login(&dev, None).await;
    call(&app, access(&tokens)).await.assert_passed();
    let minted = dev.opaque_token().subject("bob").issue();
    call(&app, &minted).await.assert_passed();
    dev.revoke(tokens["refresh_token"].as_str().unwrap());
    assert_eq!(call(&app, access(&tokens)).await.status(), StatusCode::UNAUTHORIZED, "its grant is over");
    call(&app, &dev.opaque_token().issue()).await.assert_passed();
}

#[tokio::test]
async fn a_revoked_token_is_refused_by_the_status_list() {
    let dev = start(DevServerBuilder::status_list).await;
    let (_, app) = api(API, dev.issuer_url());
    let (kept, ended) = (login(&dev, None).await, login(&dev, None).await);
    refresh(&dev, &ended).await;
    assert_eq!(refresh(&dev, &ended).await.1["error"], "invalid_grant", "a reuse ends the family");
    call(&app, access(&kept)).await.assert_passed();
    assert_eq!(call(&app, access(&ended)).await.status(), StatusCode::UNAUTHORIZED);
}

/// A port that is known before anybody listens there: the server is told of the listener, and the listener of the server.
async fn reserved() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// DAS-29: after the reuse of a refresh token the API refuses the JWTs of its family, for it was told.
#[tokio::test]
async fn the_api_refuses_the_family_of_a_refresh_token_that_came_back() {
    let (listener, url) = reserved().await;
    let dev = start(|builder| builder.listener(format!("{url}/oauth/security-events"))).await;
    let (server, app) = api(API, dev.issuer_url());
    let events = axum::Router::new().nest("/oauth", server.events());
    let listening = tokio::spawn(async move { axum::serve(listener, events).await });
    let (stolen, other) = (login(&dev, None).await, login(&dev, None).await);
    let next = refresh(&dev, &stolen).await.1;
    for tokens in [&stolen, &next, &other] {
        call(&app, access(tokens)).await.assert_passed();
    }
    assert_eq!(refresh(&dev, &stolen).await.1["error"], "invalid_grant");
    for tokens in [&stolen, &next] {
        call(&app, access(tokens)).await.assert_invalid_token("token_revoked");
    }
    call(&app, access(&other)).await.assert_passed();
    listening.abort();
}

#[tokio::test]
async fn the_api_refuses_a_session_that_was_logged_out_over_the_back_channel() {
    let (listener, url) = reserved().await;
    let orders = DevClient::confidential("orders", "s3cr3t").resource(API);
    let orders = orders.backchannel_logout_uri(format!("{url}/oauth/backchannel-logout"));
    let dev = start(|builder| builder.register(orders)).await;
    let issuer = Issuer::jwt(dev.issuer_url()).event_audience("orders");
    let (server, app) = api(API, issuer);
    let events = axum::Router::new().nest("/oauth", server.events());
    let listening = tokio::spawn(async move { axum::serve(listener, events).await });
    let tokens = login(&dev, None).await;
    call(&app, access(&tokens)).await.assert_passed();
    let hint = encoded(&[("id_token_hint", tokens["id_token"].as_str().unwrap())]);
    let url = format!("{}/logout?{hint}", dev.issuer_url());
    assert_eq!(exchange(Request::get(url).body(Full::default()).unwrap()).await.status(), StatusCode::OK);
    call(&app, access(&tokens)).await.assert_invalid_token("token_revoked");
    listening.abort();
}

/// Two servers are two environments: neither knows the other's clients, codes or tokens.
#[tokio::test]
async fn what_one_server_issues_another_does_not_know() {
    let (one, two) = (start(|builder| builder).await, start(|builder| builder).await);
    let tokens = login(&one, None).await;
    assert_eq!(refresh(&two, &tokens).await.1["error"], "invalid_grant");
    let (_, app) = api(API, two.issuer_url());
    assert!(!call(&app, access(&tokens)).await.passed());
}
