//! The server over real loopback sockets. Every wait ends: by an answer, by an end of the connection, or by `within`.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod authorization;
#[cfg(test)]
mod dpop;
#[cfg(test)]
mod events;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod page;
#[cfg(test)]
mod tokens;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::crypto::{Algorithm, Curve, Key, b64_decode};
use crate::jwt::compact::Compact;
use crate::time::{Clock, Timestamp};
use crate::transport::BoxError;

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it should have ended long ago")
}

async fn send(request: Request<Full<Bytes>>) -> Result<(StatusCode, HeaderMap, Bytes), BoxError> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let (head, body) = within(client.request(request)).await?.into_parts();
    let body = within(body.collect()).await?.to_bytes();
    Ok((head.status, head.headers, body))
}

async fn get(url: &str) -> Result<(StatusCode, HeaderMap, Bytes), BoxError> {
    send(Request::get(url).body(Full::default())?).await
}

async fn json_at(url: &str) -> Value {
    let (status, _, body) = get(url).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{url}");
    serde_json::from_slice(&body).unwrap()
}

async fn ask(dev: &DevServer, credential: &str, body: impl Into<Bytes>) -> (StatusCode, HeaderMap, Value) {
    let request = Request::post(format!("{}/token", dev.issuer_url()))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(credential)))
        .body(Full::from(body.into()))
        .unwrap();
    let (status, headers, body) = send(request).await.unwrap();
    (status, headers, serde_json::from_slice(&body).unwrap())
}

async fn shop() -> DevServer {
    let builder = DevServer::builder().client("shop", "s3cr3t", ["orders:read"]).audience("https://api.test");
    builder.quiet().start().await.unwrap()
}

const GRANT: &str = "grant_type=client_credentials";

#[tokio::test]
async fn metadata_lead_to_the_keys_and_to_the_token_endpoint() {
    let builder = DevServer::builder().client("c", "s", ["b", "a"]).issuer_path("/realms/shop").quiet();
    let dev = builder.start().await.unwrap();
    let origin = dev.issuer_url().strip_suffix("/realms/shop").unwrap();
    let metadata = json_at(&format!("{origin}/.well-known/oauth-authorization-server/realms/shop")).await;
    assert_eq!(metadata, json_at(&format!("{}/.well-known/openid-configuration", dev.issuer_url())).await);
    assert_eq!(metadata["issuer"], dev.issuer_url());
    assert_eq!(metadata["token_endpoint"], format!("{}/token", dev.issuer_url()));
    assert_eq!(metadata["scopes_supported"], json!(["a", "b"]));
    assert_eq!(json_at(metadata["jwks_uri"].as_str().unwrap()).await, dev.jwks());
    assert_eq!((dev.metadata_fetches(), dev.jwks_fetches()), (2, 1));
    assert_eq!(get(&format!("{origin}/jwks")).await.unwrap().0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_key_set_says_how_long_it_lasts_and_is_not_sent_twice() {
    let dev = shop().await;
    dev.max_age(Duration::from_secs(5));
    let url = format!("{}/jwks", dev.issuer_url());
    let (_, headers, _) = get(&url).await.unwrap();
    assert_eq!(headers[header::CACHE_CONTROL], "max-age=5");
    let again = Request::get(&url).header(header::IF_NONE_MATCH, &headers[header::ETAG]).body(Full::default()).unwrap();
    assert_eq!(send(again).await.unwrap().0, StatusCode::NOT_MODIFIED);
    assert_eq!(dev.not_modified(), 1);
}

#[tokio::test]
async fn a_client_gets_a_token_that_the_published_key_verifies() {
    let dev = shop().await;
    let (status, headers, answer) = ask(&dev, "shop:s3cr3t", GRANT).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&headers[header::CACHE_CONTROL], &headers[header::PRAGMA]),
        (&"no-store".parse().unwrap(), &"no-cache".parse().unwrap())
    );
    assert_eq!(answer["scope"], "orders:read");
    let token = Compact::parse(answer["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(token.header.media_type(), Some("at+jwt"));
    let jwk = &json_at(&format!("{}/jwks", dev.issuer_url())).await["keys"][0];
    assert_eq!(token.header.kid.as_deref(), jwk["kid"].as_str());
    let coordinate = |name: &str| b64_decode(jwk[name].as_str().unwrap().as_bytes()).unwrap();
    let key = Key::ec(Curve::P256, &coordinate("x"), &coordinate("y")).unwrap();
    assert!(key.verifies(Algorithm::Es256, token.signed, &token.signature));
    assert_eq!(dev.tokens_issued(), 1);
}

#[tokio::test]
async fn refusals_have_the_form_of_the_rfc_and_repeat_nothing() {
    let dev = shop().await;
    let (status, headers, answer) = ask(&dev, "shop:SENTINEL", GRANT).await;
    assert_eq!((status, &answer["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
    assert!(headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic "));
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert!(!answer.to_string().contains("SENTINEL"));
    for (more, error) in [
        ("&scope=SENTINEL", "invalid_scope"),
        ("&resource=SENTINEL", "invalid_target"),
        ("&SENTINEL=1&SENTINEL=1", "invalid_request"),
    ] {
        let (status, headers, answer) = ask(&dev, "shop:s3cr3t", format!("{GRANT}{more}")).await;
        assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!(error)));
        assert!(!headers.contains_key(header::WWW_AUTHENTICATE));
        assert!(!answer.to_string().contains("SENTINEL"));
    }
    let (_, _, answer) = ask(&dev, "shop:s3cr3t", "grant_type=SENTINEL").await;
    assert_eq!(answer["error"], "unsupported_grant_type");
    assert!(!answer.to_string().contains("SENTINEL"));
    assert_eq!(dev.tokens_issued(), 0);
}

#[tokio::test]
async fn long_bodies_and_other_methods_are_refused() {
    let dev = shop().await;
    let (status, _, answer) = ask(&dev, "shop:s3cr3t", format!("{GRANT}&x={}", "a".repeat(64 * 1024))).await;
    assert_eq!((status, &answer["error"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("invalid_request")));
    let (status, headers, _) = get(&format!("{}/token", dev.issuer_url())).await.unwrap();
    assert_eq!((status, &headers[header::ALLOW]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
}

#[tokio::test]
async fn a_body_without_end_is_refused_at_the_limit() {
    let dev = shop().await;
    let address: SocketAddr = dev.issuer_url().strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let begun = format!(
        "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n{}",
        "a".repeat(0x1_0001)
    );
    stream.write_all(begun.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    within(stream.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}

#[tokio::test]
async fn keys_rotate_while_serving() {
    let dev = shop().await;
    let (url, old) = (format!("{}/jwks", dev.issuer_url()), dev.kid());
    dev.rotate();
    assert_eq!(json_at(&url).await["keys"].as_array().unwrap().len(), 2);
    dev.withdraw_old();
    assert_eq!(json_at(&url).await["keys"].as_array().unwrap().len(), 1);
    let (_, _, answer) = ask(&dev, "shop:s3cr3t", GRANT).await;
    let token = Compact::parse(answer["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(token.header.kid.as_deref(), Some(dev.kid().as_str()));
    assert_ne!(dev.kid(), old);
}

#[tokio::test]
async fn documents_fail_on_demand_and_tokens_are_issued_all_the_same() {
    let dev = shop().await;
    let url = format!("{}/jwks", dev.issuer_url());
    dev.fail(Fault::Status(503));
    assert_eq!(get(&url).await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    dev.fail(Fault::Connect);
    assert!(get(&url).await.is_err());
    assert_eq!(ask(&dev, "shop:s3cr3t", GRANT).await.0, StatusCode::OK);
    dev.heal();
    assert_eq!(get(&url).await.unwrap().0, StatusCode::OK);
    assert_eq!(dev.jwks_fetches(), 3);
}

#[tokio::test]
async fn the_socket_ends_with_its_owner_whatever_a_client_is_waiting_for() {
    let dev = shop().await;
    let address: SocketAddr = dev.issuer_url().strip_prefix("http://").unwrap().parse().unwrap();
    dev.fail_jwks(Fault::Hang);
    dev.fail_metadata(Fault::Stall);
    let mut streams = Vec::new();
    for begun in [
        "",
        "POST /token HT",
        "GET /jwks HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    while (dev.jwks_fetches(), dev.metadata_fetches()) != (1, 1) {
        tokio::task::yield_now().await;
    }
    within(dev.stop()).await;
    for mut stream in streams {
        // An orderly end or a reset: either way the server holds nothing any more.
        drop(within(stream.read_to_end(&mut Vec::new())).await);
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_the_server_is_enough() {
    let dev = shop().await;
    let address: SocketAddr = dev.issuer_url().strip_prefix("http://").unwrap().parse().unwrap();
    drop(dev);
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}

#[tokio::test]
async fn tokens_are_minted_without_asking_and_follow_the_settings() {
    #[derive(Debug)]
    struct At;
    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(1_000)
        }
    }
    let builder = DevServer::builder().clock(At).algorithm(Algorithm::EdDsa).token_lifetime(Duration::from_secs(7));
    let dev = builder.quiet().start().await.unwrap();
    let token = dev.token().audience("https://api.test").scope("a").sign();
    let token = Compact::parse(&token).unwrap();
    let claims: Value = serde_json::from_str(&token.payload).unwrap();
    assert_eq!(token.header.alg, Algorithm::EdDsa);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(dev.issuer_url()), &json!("https://api.test")));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_000), &json!(1_007)));
    assert_eq!(dev.tokens_issued(), 0);
}

/// DAS-17: a socket that others reach is refused.
#[tokio::test]
async fn settings_that_would_mislead_are_refused_at_the_start() {
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let started = DevServer::builder().bind(address.parse().unwrap()).quiet().start().await;
        assert!(matches!(started, Err(DevServerError::NotLoopback(_))), "{address}");
    }
    for path in ["tenant", "/", "/tenant/", "/a//b", "/a?b", "/{a}", "/a/..", "/%41"] {
        let started = DevServer::builder().issuer_path(path).quiet().start().await;
        assert!(matches!(started, Err(DevServerError::IssuerPath)), "{path}");
    }
    let client = |id: &str, secret: &str, scope: &str| DevServer::builder().client(id, secret, [scope]).quiet();
    let twice = client("a", "b", "c").client("a", "d", ["c"]);
    for builder in [client("", "b", "c"), client("a", "", "c"), client("a", "b", "c d"), client("a", "b", "\""), twice]
    {
        assert!(matches!(builder.start().await, Err(DevServerError::Client(_))));
    }
}

#[tokio::test]
async fn another_address_is_served_only_when_asked_for_by_name() {
    let any = "0.0.0.0:0".parse().unwrap();
    let dev = DevServer::builder().bind(any).dangerous_allow_non_loopback().quiet().start().await.unwrap();
    assert!(dev.issuer_url().starts_with("http://0.0.0.0:"));
}

#[tokio::test]
async fn no_secret_is_printed() {
    let builder = DevServer::builder().client("shop", "s3cr3t", ["orders:read"]).quiet();
    assert!(!format!("{builder:?}").contains("s3cr3t"));
    let dev = builder.start().await.unwrap();
    assert!(!format!("{dev:?}{:?}{:?}", dev.server, dev.token()).contains("s3cr3t"));
}
