//! An issuer in memory: keys, documents and tokens, without a socket.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::Uri;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::Service;

use crate::crypto::Algorithm;
use crate::mint::authority::Authority;
use crate::mint::controls::authority_controls;
use crate::mint::documents;
use crate::mint::token::TokenBuilder;
use crate::server::Issuer;
use crate::time::Clock;
use crate::transport::{BoxError, TransportBody, TransportFuture};

/// An issuer that signs for real and is reached through memory. Clones are the same issuer.
///
/// ```
/// use tower_oauth::test::{Fault, TestIssuer};
///
/// let issuer = TestIssuer::new("https://login.test/tenant");
/// let before = issuer.signing_key();
/// issuer.rotate();
/// let old = issuer.token_for("https://api.test").signed_by(&before).sign();
/// issuer.fail(Fault::Status(500));
/// # let _ = old;
/// ```
#[derive(Clone, Debug)]
pub struct TestIssuer {
    pub(super) authority: Arc<Authority>,
}

authority_controls!(TestIssuer);

impl TestIssuer {
    /// An issuer of this identifier that signs by ES256.
    ///
    /// # Panics
    /// When `url` is not an absolute URL without query and fragment (RFC 8414 section 2).
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self::with_algorithm(url, Algorithm::Es256)
    }

    /// An issuer that signs by `algorithm`.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[must_use]
    #[expect(clippy::expect_used, reason = "only the author of a test is told")]
    pub fn with_algorithm(url: &str, algorithm: Algorithm) -> Self {
        let parsed: Option<Uri> = url.parse().ok();
        let is_issuer = parsed.is_some_and(|uri| origin(&uri).is_some() && uri.query().is_none() && !url.contains('#'));
        assert!(is_issuer, "an issuer is an absolute URL without query and fragment (RFC 8414 section 2): {url}");
        let authority = Authority::new(url.to_owned(), algorithm).expect("the system has no randomness");
        authority.state().members = documents::introspection_members(url);
        Self { authority: Arc::new(authority) }
    }

    /// Takes the time of tokens from `clock`; give the resource server a clone of it.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        self.authority.state().clock = Arc::new(clock);
        self
    }

    /// A token for the resource server of this identifier, valid until told otherwise.
    pub fn token_for(&self, audience: &str) -> TokenBuilder {
        TokenBuilder::new(&self.authority).audience(audience)
    }

    /// Trust in this issuer, its documents reached through memory: for
    /// [`OAuthConfigBuilder::trust`](crate::OAuthConfigBuilder::trust).
    #[must_use]
    pub fn issuer(&self) -> Issuer {
        Issuer::jwt(self.issuer_url()).transport(self.transport())
    }

    /// The way to the issuer's documents and its introspection endpoint, in place of a network.
    #[must_use]
    pub fn transport(&self) -> TestTransport {
        TestTransport { authority: Arc::clone(&self.authority) }
    }
}

/// Leads to one [`TestIssuer`]: to its documents and its introspection endpoint, and to no other host.
#[derive(Clone, Debug)]
pub struct TestTransport {
    authority: Arc<Authority>,
}

impl Service<Request<Full<Bytes>>> for TestTransport {
    type Response = Response<TransportBody>;
    type Error = BoxError;
    type Future = TransportFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> TransportFuture {
        let authority = Arc::clone(&self.authority);
        let (request, body) = request.into_parts();
        Box::pin(async move {
            let issuer: Uri = authority.issuer().parse()?;
            if origin(&request.uri) != origin(&issuer) {
                return Err(format!("nothing but {issuer} is reached by its transport: {}", request.uri).into());
            }
            let body = body.collect().await?.to_bytes();
            Ok(authority.serve(&request, &body).await?.map(|body| body.boxed_unsync()))
        })
    }
}

/// Scheme, host and port as they stand; `https://login.test` and `https://login.test:443` are two in a test.
fn origin(uri: &Uri) -> Option<(&str, &str)> {
    Some((uri.scheme_str()?, uri.authority()?.as_str()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Method, StatusCode, header};
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use super::*;
    use crate::test::{Fault, ManualClock};
    use crate::time::Timestamp;

    const JWKS: &str = "https://login.test/jwks";
    const METADATA: &str = "https://login.test/.well-known/oauth-authorization-server";

    async fn get(issuer: &TestIssuer, url: &str) -> Result<Response<TransportBody>, BoxError> {
        issuer.transport().oneshot(Request::get(url).body(Full::default())?).await
    }

    async fn json_at(issuer: &TestIssuer, url: &str) -> Value {
        let response = get(issuer, url).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn metadata_lead_to_the_key_set() {
        let issuer = TestIssuer::new("https://login.test/tenant");
        let rfc_8414 = json_at(&issuer, "https://login.test/.well-known/oauth-authorization-server/tenant").await;
        let oidc = json_at(&issuer, "https://login.test/tenant/.well-known/openid-configuration").await;
        assert_eq!(rfc_8414, oidc);
        assert_eq!(rfc_8414["issuer"], issuer.issuer_url());
        let jwks = json_at(&issuer, rfc_8414["jwks_uri"].as_str().unwrap()).await;
        assert_eq!(jwks["keys"][0], issuer.signing_key().public_jwk());
        assert_eq!((issuer.metadata_fetches(), issuer.jwks_fetches()), (2, 1));
    }

    #[tokio::test]
    async fn no_other_host_path_or_method_is_served() {
        let issuer = TestIssuer::new("https://login.test");
        for elsewhere in ["https://evil.test/jwks", "http://login.test/jwks", "https://login.test:8443/jwks", "/jwks"] {
            assert!(get(&issuer, elsewhere).await.is_err(), "{elsewhere}");
        }
        assert_eq!(get(&issuer, "https://login.test/keys").await.unwrap().status(), StatusCode::NOT_FOUND);
        let post = Request::builder().method(Method::POST).uri(JWKS).body(Full::default()).unwrap();
        assert_eq!(issuer.transport().oneshot(post).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(issuer.jwks_fetches(), 0);
    }

    #[tokio::test]
    async fn a_known_version_is_not_sent_again_until_the_keys_change() {
        let issuer = TestIssuer::new("https://login.test");
        issuer.max_age(Duration::from_secs(60));
        let first = get(&issuer, JWKS).await.unwrap();
        assert_eq!(first.headers()[header::CACHE_CONTROL], "max-age=60");
        let etag = first.headers()[header::ETAG].clone();
        let again = || Request::get(JWKS).header(header::IF_NONE_MATCH, &etag).body(Full::default()).unwrap();
        let known = issuer.transport().oneshot(again()).await.unwrap();
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            (&known.headers()[header::ETAG], &known.headers()[header::CACHE_CONTROL]),
            (&etag, &"max-age=60".parse().unwrap())
        );
        assert!(known.into_body().collect().await.unwrap().to_bytes().is_empty());
        issuer.rotate();
        issuer.cache_control("");
        let changed = issuer.transport().oneshot(again()).await.unwrap();
        assert_eq!(changed.status(), StatusCode::OK);
        assert!(!changed.headers().contains_key(header::CACHE_CONTROL));
        assert_eq!((issuer.jwks_fetches(), issuer.not_modified()), (3, 1));
    }

    #[tokio::test]
    async fn every_fault_is_served_until_healed() {
        let issuer = TestIssuer::new("https://login.test");
        let status_and_body = async |fault| {
            issuer.fail(fault);
            let response = get(&issuer, JWKS).await.unwrap();
            (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
        };
        issuer.fail(Fault::Connect);
        assert!(get(&issuer, JWKS).await.is_err());
        assert_eq!(status_and_body(Fault::Status(429)).await, (429, Bytes::new()));
        assert_eq!(status_and_body(Fault::Status(7)).await.0, 500);
        assert!(status_and_body(Fault::Html).await.1.starts_with(b"<!doctype"));
        assert_eq!(status_and_body(Fault::Redirect).await.0, 302);
        let (_, truncated) = status_and_body(Fault::Truncated).await;
        assert!(serde_json::from_slice::<Value>(&truncated).is_err());
        let (_, oversize) = status_and_body(Fault::Oversize).await;
        assert!(oversize.len() > 1024 * 1024);
        assert_eq!(serde_json::from_slice::<Value>(&oversize).unwrap(), issuer.jwks());
        issuer.fail(Fault::EmptyKeys);
        assert_eq!(json_at(&issuer, JWKS).await, json!({ "keys": [] }));
        assert_eq!(json_at(&issuer, METADATA).await["issuer"], "https://login.test");
        issuer.fail(Fault::WrongIssuer);
        assert_eq!(json_at(&issuer, METADATA).await["issuer"], "https://elsewhere.test");
        assert_eq!(json_at(&issuer, JWKS).await, issuer.jwks());
        issuer.heal();
        assert_eq!(json_at(&issuer, METADATA).await["issuer"], "https://login.test");
    }

    #[tokio::test]
    async fn one_document_fails_alone() {
        let issuer = TestIssuer::new("https://login.test");
        issuer.fail_jwks(Fault::Status(503));
        assert_eq!(get(&issuer, JWKS).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&issuer, METADATA).await.unwrap().status(), StatusCode::OK);
        issuer.heal();
        issuer.fail_metadata(Fault::Status(503));
        assert_eq!(get(&issuer, JWKS).await.unwrap().status(), StatusCode::OK);
        assert_eq!(get(&issuer, METADATA).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_or_stalls_never_ends_and_what_is_delayed_comes() {
        let issuer = TestIssuer::new("https://login.test");
        let within = Duration::from_secs(3600);
        issuer.fail(Fault::Hang);
        assert!(tokio::time::timeout(within, get(&issuer, JWKS)).await.is_err());
        issuer.fail(Fault::Stall);
        let begun = get(&issuer, JWKS).await.unwrap();
        assert!(tokio::time::timeout(within, begun.into_body().collect()).await.is_err());
        issuer.heal();
        issuer.delay(Duration::from_secs(7));
        let before = tokio::time::Instant::now();
        get(&issuer, JWKS).await.unwrap();
        assert_eq!(before.elapsed(), Duration::from_secs(7));
        issuer.heal();
        get(&issuer, JWKS).await.unwrap();
        assert_eq!(before.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test]
    async fn members_of_the_metadata_are_set_and_removed() {
        let issuer = TestIssuer::new("https://login.test");
        issuer.metadata_member("introspection_endpoint", "https://login.test/introspect");
        issuer.metadata_member("jwks_uri", Value::Null);
        let metadata = json_at(&issuer, METADATA).await;
        assert_eq!(metadata["introspection_endpoint"], "https://login.test/introspect");
        assert_eq!(metadata.get("jwks_uri"), None);
    }

    #[test]
    fn keys_are_worked_from_outside() {
        let issuer = TestIssuer::with_algorithm("https://login.test", Algorithm::EdDsa);
        let kids = |issuer: &TestIssuer| -> Vec<String> {
            issuer.jwks()["keys"].as_array().unwrap().iter().map(|jwk| jwk["kid"].as_str().unwrap().into()).collect()
        };
        let first = issuer.kid();
        assert_eq!(issuer.signing_key().algorithm(), Algorithm::EdDsa);
        let added = issuer.add_key(Algorithm::Es384);
        issuer.publish(json!({ "kty": "AKP", "kid": "odd" }));
        assert_eq!(kids(&issuer), ["odd", first.as_str(), added.kid()]);
        issuer.rotate();
        issuer.withdraw_old();
        issuer.withdraw("odd");
        assert_eq!(kids(&issuer), [added.kid().to_owned(), issuer.kid()]);
        let before = issuer.signing_key();
        issuer.clone().replace_under_same_kid();
        assert_eq!(issuer.kid(), before.kid());
        assert_ne!(issuer.signing_key().thumbprint(), before.thumbprint());
    }

    #[test]
    fn tokens_follow_the_given_clock_and_another_issuer_may_sign() {
        let clock = ManualClock::new(Timestamp::from_secs(1_000));
        let issuer = TestIssuer::new("https://login.test").clock(clock.clone());
        let claims = |token: &str| -> Value {
            let payload = token.split('.').nth(1).unwrap();
            serde_json::from_slice(&crate::crypto::b64_decode(payload.as_bytes()).unwrap()).unwrap()
        };
        clock.advance(Duration::from_secs(5));
        assert_eq!(claims(&issuer.token_for("a").sign())["iat"], clock.now().as_secs());
        let impostor = TestIssuer::new("https://evil.test");
        let token = issuer.token_for("a").signed_by(&impostor).sign();
        assert_eq!(claims(&token)["iss"], "https://login.test");
        assert!(!format!("{issuer:?}{:?}", issuer.token_for("a")).contains("\"d\""));
    }

    #[test]
    #[should_panic(expected = "an issuer is an absolute URL")]
    fn an_issuer_that_is_no_url_is_refused() {
        let _ = TestIssuer::new("login.test");
    }
}
