//! A client, a browser and a resource server for the tests, without sockets: requests go straight into the routes.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::dev::routes::routes;
use crate::dev::{DevClient, DevServer, DevServerBuilder, DevUser};
use crate::test::DpopClient;

/// RFC 7636 appendix B (V-04).
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const CALLBACK: &str = "https://app.test/cb";
pub(super) const API: &str = "https://api.test";

pub(super) type Pairs<'p> = &'p [(&'p str, &'p str)];

/// A server with two users, a page (public), a shop (confidential) and an API that introspects.
pub(super) async fn start(setup: impl FnOnce(DevServerBuilder) -> DevServerBuilder) -> DevServer {
    let scopes = ["openid", "profile", "email", "orders:read", "orders:write"];
    let builder = DevServer::builder()
        .user(DevUser::new("ada").name("Ada Lovelace").email("ada@example.com").claim("tenant", "analytical"))
        .user("bob")
        .public_client("page", [CALLBACK], scopes)
        .register(DevClient::confidential("shop", "s3cr3t").redirect_uri(CALLBACK).scopes(scopes))
        .register(DevClient::confidential("api", "ap1").resource(API))
        .audience(API)
        .auto_approve("ada");
    setup(builder).quiet().start().await.unwrap()
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The error code of a refusal in JSON.
    pub(super) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or("none").to_owned()
    }

    pub(super) fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member}: {self:?}")).to_owned()
    }

    pub(super) fn location(&self) -> Option<&str> {
        self.headers.get(header::LOCATION).map(|value| value.to_str().unwrap())
    }

    /// What the client learns by the redirect.
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        let (_, query) = self.location().unwrap_or_else(|| panic!("no redirect: {self:?}")).split_once('?').unwrap();
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    pub(super) fn cookie(&self) -> Option<String> {
        let cookie = self.headers.get(header::SET_COOKIE)?.to_str().unwrap();
        Some(cookie.split(';').next().unwrap().to_owned())
    }
}

pub(super) async fn send(dev: &DevServer, request: Request<Body>) -> Answer {
    let response = routes(dev.server.clone()).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    Answer { status: head.status, headers: head.headers, body }
}

pub(super) fn encoded(pairs: Pairs<'_>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

pub(super) async fn post_with(dev: &DevServer, path: &str, form: Pairs<'_>, headers: Pairs<'_>) -> Answer {
    let mut request = Request::post(dev.server.path(path))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(encoded(form)))
        .unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    send(dev, request).await
}

pub(super) async fn post(dev: &DevServer, path: &str, form: Pairs<'_>) -> Answer {
    post_with(dev, path, form, &[]).await
}

pub(super) async fn get(dev: &DevServer, path: &str, headers: Pairs<'_>) -> Answer {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    send(dev, request).await
}

/// A good authorization request of the page, with other values where they are given; an empty one takes a parameter away.
pub(super) fn request<'r>(other: Pairs<'r>) -> Vec<(&'r str, &'r str)> {
    let good = [
        ("client_id", "page"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "openid orders:read"),
        ("state", "xyz"),
    ];
    let kept = good.into_iter().filter(|(name, _)| !other.iter().any(|(known, _)| known == name));
    kept.chain(other.iter().copied().filter(|(_, value)| !value.is_empty())).collect()
}

pub(super) async fn authorize_with(dev: &DevServer, other: Pairs<'_>, headers: Pairs<'_>) -> Answer {
    get(dev, &format!("{}?{}", dev.server.path("/authorize"), encoded(&request(other))), headers).await
}

pub(super) async fn authorize(dev: &DevServer, other: Pairs<'_>) -> Answer {
    authorize_with(dev, other, &[]).await
}

/// A fresh code.
pub(super) async fn code(dev: &DevServer, other: Pairs<'_>) -> String {
    authorize(dev, other).await.told().remove("code").expect("a code")
}

/// Redeems a code as the page does, or with other values.
pub(super) async fn redeem_with(dev: &DevServer, code: &str, other: Pairs<'_>, headers: Pairs<'_>) -> Answer {
    let good = [
        ("grant_type", "authorization_code"),
        ("client_id", "page"),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", CALLBACK),
    ];
    let kept = good.into_iter().filter(|(name, _)| !other.iter().any(|(known, _)| known == name));
    let form: Vec<_> = kept.chain(other.iter().copied().filter(|(_, value)| !value.is_empty())).collect();
    post_with(dev, "/token", &form, headers).await
}

pub(super) async fn redeem(dev: &DevServer, code: &str) -> Answer {
    redeem_with(dev, code, &[], &[]).await
}

/// The tokens of a fresh login of the page.
pub(super) async fn login(dev: &DevServer) -> Value {
    let answer = redeem(dev, &code(dev, &[]).await).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

pub(super) async fn refresh(dev: &DevServer, refresh_token: &str) -> Answer {
    refresh_with(dev, refresh_token, &[("client_id", "page")], &[]).await
}

pub(super) async fn refresh_with(dev: &DevServer, token: &str, other: Pairs<'_>, headers: Pairs<'_>) -> Answer {
    let form: Vec<_> =
        [("grant_type", "refresh_token"), ("refresh_token", token)].into_iter().chain(other.iter().copied()).collect();
    post_with(dev, "/token", &form, headers).await
}

/// What the API learns about a token.
pub(super) async fn introspect(dev: &DevServer, token: &str) -> Value {
    let answer = post(dev, "/introspect", &[("client_id", "api"), ("client_secret", "ap1"), ("token", token)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

pub(super) async fn is_active(dev: &DevServer, token: &str) -> bool {
    introspect(dev, token).await["active"].as_bool().unwrap()
}

pub(super) fn proof(dev: &DevServer, key: &DpopClient, path: &str) -> String {
    key.proof(&Method::POST, &format!("{}{path}", dev.issuer_url())).sign()
}

/// The claims of a JWT, unverified.
pub(super) fn claims(token: &str) -> Value {
    part(token, 1)
}

pub(super) fn part(token: &str, n: usize) -> Value {
    let part = crate::crypto::b64_decode(token.split('.').nth(n).unwrap().as_bytes()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

pub(super) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}
