//! What an issuer says about its tokens after it has issued them: introspection (RFC 7662), revocation, status
//! lists, and events.

use http::Request;
use serde_json::Value;

use crate::mint::controls::{fits, made};
use crate::mint::events::logout::LogoutTokenBuilder;
use crate::mint::events::security::SecurityEventBuilder;
use crate::mint::introspection::answer::IntrospectionAnswer;
use crate::mint::introspection::askers::Proof;
use crate::mint::introspection::request::IntrospectionRequest;
use crate::mint::keys::SigningKey;
use crate::mint::opaque::OpaqueTokenBuilder;
use crate::mint::status_list::StatusList;
use crate::test::TestIssuer;

impl TestIssuer {
    /// An opaque token for the resource server of this identifier, valid until told otherwise.
    pub fn opaque_token_for(&self, audience: &str) -> OpaqueTokenBuilder {
        OpaqueTokenBuilder::new(&self.authority).audience(audience)
    }

    /// Ends a token of this issuer: introspection says from now on that it is not active. Of a JWT, every one with the
    /// same `jti` ends.
    ///
    /// # Panics
    /// When the issuer knows no such token.
    pub fn revoke(&self, token: &str) {
        fits(self.authority.revoke(token));
    }

    /// Ends every token of this `jti`, seen or not.
    pub fn revoke_jti(&self, jti: &str) {
        made(self.authority.revoke_jti(jti));
    }

    /// What introspection says of a claim from now on, as when a scope is withdrawn in mid-session; `null` takes the
    /// claim away. A JWT itself still says what was signed.
    ///
    /// # Panics
    /// When the issuer knows no such token.
    pub fn set_claim(&self, token: &str, name: &str, value: impl Into<Value>) {
        fits(self.authority.set_claim(token, name, value.into()));
    }

    /// Lets a resource server ask for introspection, by `client_secret_basic` or `client_secret_post`. Registered
    /// again, a client has the new secret only. Nobody may ask unless registered (RFC 7662 section 2.1).
    pub fn registers_client(&self, id: impl Into<String>, secret: impl Into<String>) {
        self.registers(id.into(), Proof::Secret(secret.into().into()));
    }

    /// Lets a resource server ask for introspection by `Authorization: Bearer` with this token (RFC 7662 section 2.1).
    pub fn registers_bearer(&self, id: impl Into<String>, token: impl Into<String>) {
        self.registers(id.into(), Proof::Bearer(token.into().into()));
    }

    /// Lets a resource server ask for introspection by `private_key_jwt` with assertions that this key signs for the
    /// issuer alone, each of which serves once (RFC 7523 section 3, RFC 10070).
    pub fn registers_client_key(&self, id: impl Into<String>, key: impl Into<SigningKey>) {
        self.registers(id.into(), Proof::Key(key.into()));
    }

    fn registers(&self, id: String, proof: Proof) {
        self.authority.state().introspection.askers.register(id, proof);
    }

    /// Changes every answer of the introspection endpoint until another one is given.
    pub fn answers_introspection(&self, answer: IntrospectionAnswer) {
        self.authority.state().introspection.answer = answer;
    }

    /// What was asked last of the introspection endpoint, however it was answered.
    #[must_use]
    pub fn last_introspection(&self) -> Option<IntrospectionRequest> {
        self.authority.state().introspection.last.clone()
    }

    /// Publishes this status list at `{issuer}/status/{list}`, in place of what was there.
    pub fn publishes_status_list(&self, list: u32, published: StatusList) {
        self.authority.state().status_lists.insert(list, published);
    }

    /// A logout token for whoever is known to this issuer as `audience`, valid until told otherwise (OpenID Connect
    /// Back-Channel Logout 1.0).
    pub fn logout_token(&self, audience: &str) -> LogoutTokenBuilder {
        LogoutTokenBuilder::new(&self.authority, audience)
    }

    /// A security event token for whoever is known to this issuer as `audience`, valid until told otherwise once its
    /// event is named (RFC 8417).
    pub fn security_event(&self, audience: &str) -> SecurityEventBuilder {
        SecurityEventBuilder::new(&self.authority, audience)
    }

    /// The last request for a status list, however it was answered.
    #[must_use]
    pub fn last_status_list_request(&self) -> Option<Request<()>> {
        self.authority.state().last_status_list.clone()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use http::{HeaderMap, Response, StatusCode, header, request};
    use http_body_util::BodyExt as _;
    use serde_json::json;
    use tower::ServiceExt as _;

    use super::*;
    use crate::mint::changes::parts;
    use crate::test::{Fault, ManualClock};
    use crate::time::Timestamp;
    use crate::transport::TransportBody;

    const ENDPOINT: &str = "https://login.test/introspect";
    const JWT: &str = "application/token-introspection+jwt";

    fn issuer() -> TestIssuer {
        let issuer = TestIssuer::new("https://login.test");
        issuer.registers_client("api", "s3cr3t");
        issuer
    }

    fn form(body: &str) -> String {
        format!("{body}&client_id=api&client_secret=s3cr3t")
    }

    async fn send(issuer: &TestIssuer, request: request::Builder, body: &str) -> Response<TransportBody> {
        let request = request.uri(ENDPOINT).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        issuer.transport().oneshot(request.body(body.to_owned().into()).unwrap()).await.unwrap()
    }

    async fn text(response: Response<TransportBody>) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    async fn about(issuer: &TestIssuer, token: &str) -> Value {
        let response = send(issuer, Request::post("/"), &form(&format!("token={token}"))).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        serde_json::from_str(&text(response).await).unwrap()
    }

    #[tokio::test]
    async fn an_opaque_token_lives_changes_and_ends() {
        let clock = ManualClock::new(Timestamp::from_secs(1_000));
        let issuer = issuer().clock(clock.clone());
        let token = issuer.opaque_token_for("https://api.test").scope("a b").subject("alice").starting("opq_").issue();
        let told = about(&issuer, &token).await;
        assert_eq!(told["jti"].as_str().map(str::len), Some(22));
        let mut rest = told.clone();
        rest.as_object_mut().unwrap().remove("jti");
        assert_eq!(
            rest,
            json!({
                "active": true, "iss": "https://login.test", "sub": "alice", "client_id": "client-1", "scope": "a b",
                "aud": "https://api.test", "iat": 1_000, "exp": 1_300, "token_type": "Bearer",
            })
        );
        issuer.set_claim(&token, "scope", "a");
        assert_eq!(about(&issuer, &token).await["scope"], "a");
        issuer.revoke(&token);
        assert_eq!(about(&issuer, &token).await, json!({ "active": false }));
        let other = issuer.opaque_token_for("https://api.test").issue();
        clock.set(Timestamp::from_secs(1_300));
        assert_eq!(about(&issuer, &other).await, json!({ "active": false }));
        assert_eq!(issuer.introspections(), 4);
    }

    #[tokio::test]
    async fn a_signed_token_is_asked_about_like_an_opaque_one() {
        let issuer = issuer();
        let token = issuer.token_for("https://api.test").jti("j").sign();
        assert_eq!(about(&issuer, &token).await["active"], true);
        issuer.revoke_jti("j");
        assert_eq!(about(&issuer, &token).await, json!({ "active": false }));
    }

    #[tokio::test]
    async fn a_request_is_kept_as_it_came() {
        let issuer = issuer();
        assert!(issuer.last_introspection().is_none());
        issuer.registers_client("a:b", "p%+é");
        let basic = format!("Basic {}", STANDARD.encode("a%3Ab:p%25%2B%C3%A9"));
        let request = Request::post("/").header(header::AUTHORIZATION, basic).header("x-trace", "1");
        send(&issuer, request, "token=a%2Bb%2Fc%3D%3D~&token_type_hint=refresh_token").await;
        let asked = issuer.last_introspection().unwrap();
        assert_eq!((asked.client(), asked.parameter("token")), (Some("a:b"), Some("a+b/c==~")));
        assert_eq!(asked.parameters().collect::<Vec<_>>(), ["token", "token_type_hint"]);
        assert_eq!((asked.method().as_str(), asked.uri().query()), ("POST", None));
        assert_eq!(asked.headers()["x-trace"], "1");
        let printed = format!("{asked:?}{issuer:?}");
        assert!(!printed.contains("a+b/c") && !printed.contains("YSUzQ") && !printed.contains("p%+"), "{printed}");
    }

    #[tokio::test]
    async fn who_does_not_prove_itself_learns_nothing() {
        let issuer = issuer();
        issuer.registers_bearer("machine", "b34r3r");
        let token = issuer.opaque_token_for("https://api.test").issue();
        let ask = async |authorization: &str, body: &str| {
            let request = Request::post("/").header(header::AUTHORIZATION, authorization);
            send(&issuer, request, &format!("token={token}{body}")).await.status().as_u16()
        };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert_eq!(ask(&basic("api:s3cr3t"), "").await, 200);
        assert_eq!(ask("bearer b34r3r", "").await, 200);
        assert_eq!(issuer.last_introspection().unwrap().client(), Some("machine"));
        for authorization in [
            &basic("api:wrong"),
            &basic("nobody:s3cr3t"),
            &basic("machine:b34r3r"),
            "Bearer s3cr3t",
            "Basic",
            "",
            "Digest x",
        ] {
            assert_eq!(ask(authorization, "").await, 401, "{authorization}");
            assert_eq!(issuer.last_introspection().unwrap().client(), None);
        }
        assert_eq!(ask(&basic("api:s3cr3t"), "&client_id=api&client_secret=s3cr3t").await, 400);
        assert_eq!(ask(&basic("api:s3cr3t"), "&client_id=other").await, 400);
        issuer.registers_client("api", "n3w");
        assert_eq!(ask(&basic("api:s3cr3t"), "").await, 401);
        assert_eq!(ask(&basic("api:n3w"), "").await, 200);
    }

    #[tokio::test]
    async fn a_client_proves_itself_by_its_key_once_for_each_request() {
        let issuer = issuer().clock(ManualClock::new(Timestamp::from_secs(1_000)));
        let key = SigningKey::generate(crate::crypto::Algorithm::Es256).unwrap();
        issuer.registers_client_key("orders", &key);
        let assertion = |jti: &str| {
            let header = json!({ "alg": "ES256", "typ": "client-authentication+jwt" });
            let aud = "https://login.test";
            key.sign(&header, &json!({ "iss": "orders", "sub": "orders", "aud": aud, "exp": 1_060, "jti": jti }))
                .unwrap()
        };
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let ask = async |assertion: &str, rest: &str| {
            let body = format!("token=t&client_assertion={assertion}{rest}");
            send(&issuer, Request::post("/"), &body).await.status().as_u16()
        };
        let (one, rest) = (assertion("1"), format!("&client_assertion_type={kind}"));
        assert_eq!(ask(&one, &rest).await, 200);
        assert_eq!(issuer.last_introspection().unwrap().client(), Some("orders"));
        assert_eq!(ask(&one, &rest).await, 401, "it was used");
        assert_eq!(ask(&assertion("2"), &format!("{rest}&client_id=orders")).await, 200);
        assert_eq!(ask(&assertion("3"), &format!("{rest}&client_id=api")).await, 400);
        assert_eq!(ask(&assertion("4"), "&client_assertion_type=saml").await, 400);
        assert_eq!(ask(&assertion("5"), &format!("{rest}&client_id=api&client_secret=s3cr3t")).await, 400);
        assert_eq!(ask("x", &rest).await, 401);
    }

    #[tokio::test]
    async fn what_is_no_introspection_request_is_refused_with_the_reason() {
        let issuer = issuer();
        let refused = send(&issuer, Request::post("/"), "token=t").await;
        assert_eq!(refused.headers()[header::WWW_AUTHENTICATE], "Basic realm=\"introspection\"");
        assert!(text(refused).await.contains("invalid_client"));
        let as_jwt = Request::post("/").header(header::ACCEPT, JWT);
        assert_eq!(send(&issuer, as_jwt, "token=t").await.status(), StatusCode::BAD_REQUEST);
        for body in ["", "token=", "token=a&token=b"] {
            assert_eq!(
                send(&issuer, Request::post("/"), &form(body)).await.status(),
                StatusCode::BAD_REQUEST,
                "{body}"
            );
        }
        let get = send(&issuer, Request::get("/"), &form("token=t")).await;
        assert_eq!(
            (get.status(), &get.headers()[header::ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
        );
        let json = Request::post(ENDPOINT).header(header::CONTENT_TYPE, "application/json").body("{}".into()).unwrap();
        assert_eq!(issuer.transport().oneshot(json).await.unwrap().status(), StatusCode::BAD_REQUEST);
    }

    async fn signed(issuer: &TestIssuer, token: &str) -> (HeaderMap, Value, Value) {
        let request = Request::post("/").header(header::ACCEPT, format!("application/json;q=0.5, {JWT}"));
        let response = send(issuer, request, &form(&format!("token={token}"))).await;
        let headers = response.headers().clone();
        let (header, claims) = parts(&text(response).await);
        (headers, header, claims)
    }

    #[tokio::test]
    async fn a_signed_answer_is_for_the_client_that_asked() {
        let issuer = issuer().clock(ManualClock::new(Timestamp::from_secs(1_000)));
        let token = issuer.opaque_token_for("https://api.test").issue();
        let (headers, header, claims) = signed(&issuer, &token).await;
        assert_eq!(headers[header::CONTENT_TYPE], JWT);
        assert_eq!(header, json!({ "typ": "token-introspection+jwt", "alg": "ES256", "kid": issuer.kid() }));
        assert_eq!(claims["token_introspection"], about(&issuer, &token).await);
        assert_eq!(
            (&claims["iss"], &claims["aud"], &claims["iat"], claims.as_object().unwrap().len()),
            (&json!("https://login.test"), &json!("api"), &json!(1_000), 4)
        );
        let any = Request::post("/").header(header::ACCEPT, "application/json, application/*, */*");
        let plain = send(&issuer, any, &form("token=t")).await;
        assert_eq!(plain.headers()[header::CONTENT_TYPE], "application/json", "only its own media type asks for it");
        issuer.revoke(&token);
        assert_eq!(signed(&issuer, &token).await.2["token_introspection"], json!({ "active": false }));
    }

    #[tokio::test]
    async fn every_part_of_an_answer_can_be_wrong() {
        let issuer = issuer();
        let token = issuer.opaque_token_for("https://api.test").issue();
        let change = IntrospectionAnswer::new;
        issuer.answers_introspection(change().member("active", "true").without_member("exp"));
        let told = about(&issuer, &token).await;
        assert_eq!((&told["active"], told.get("exp")), (&json!("true"), None));
        assert_eq!(signed(&issuer, &token).await.2["token_introspection"], told);
        issuer.answers_introspection(change().typ("JWT").claim("aud", "other").without("iat").claim("active", true));
        let (_, header, claims) = signed(&issuer, &token).await;
        assert_eq!((&header["typ"], &claims["aud"], claims.get("iat")), (&json!("JWT"), &json!("other"), None));
        assert_eq!(claims["active"], true);
        assert_eq!(about(&issuer, &token).await["active"], true, "JSON has no claims around it");
        let impostor = TestIssuer::new("https://evil.test");
        issuer.answers_introspection(change().signed_by(&impostor));
        assert_eq!(signed(&issuer, &token).await.1["kid"], impostor.kid());
        issuer.answers_introspection(change().signed());
        let body = text(send(&issuer, Request::post("/"), &form("token=t")).await).await;
        assert_eq!(body.split('.').count(), 3);
        issuer.answers_introspection(change().plain());
        let request = Request::post("/").header(header::ACCEPT, JWT);
        assert_eq!(text(send(&issuer, request, &form("token=t")).await).await, r#"{"active":false}"#);
        issuer.answers_introspection(change().status(203).content_type("text/html").body("<p>"));
        let odd = send(&issuer, Request::post("/"), &form("token=t")).await;
        assert_eq!((odd.status().as_u16(), &odd.headers()[header::CONTENT_TYPE]), (203, &"text/html".parse().unwrap()));
        assert_eq!(text(odd).await, "<p>");
        issuer.answers_introspection(change());
        assert_eq!(about(&issuer, &token).await["active"], true);
    }

    #[tokio::test]
    async fn introspection_fails_alone_and_is_counted_and_kept_all_the_same() {
        let issuer = issuer();
        let status = async || send(&issuer, Request::post("/"), &form("token=t")).await.status().as_u16();
        issuer.fail_introspection(Fault::Flapping { ok: 1, failed: 2 });
        assert_eq!([status().await, status().await, status().await, status().await], [200, 503, 503, 200]);
        issuer.fail_introspection(Fault::TooManyRequests { retry_after: 7 });
        let refused = send(&issuer, Request::post("/"), &form("token=late")).await;
        assert_eq!((refused.status().as_u16(), &refused.headers()[header::RETRY_AFTER]), (429, &"7".parse().unwrap()));
        assert_eq!(issuer.last_introspection().unwrap().parameter("token"), Some("late"));
        issuer.fail_introspection(Fault::Garbage);
        let garbage = send(&issuer, Request::post("/"), &form("token=t")).await;
        let garbage = garbage.into_body().collect().await.unwrap().to_bytes();
        assert!(serde_json::from_slice::<Value>(&garbage).is_err());
        assert_eq!(issuer.introspections(), 6);
        let jwks = Request::get("https://login.test/jwks").body(Default::default()).unwrap();
        assert_eq!(issuer.transport().oneshot(jwks).await.unwrap().status(), StatusCode::OK);
        issuer.heal();
        assert_eq!(status().await, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn introspection_is_late_alone() {
        let issuer = issuer();
        issuer.delay_introspection(std::time::Duration::from_secs(7));
        let before = tokio::time::Instant::now();
        let jwks = Request::get("https://login.test/jwks").body(Default::default()).unwrap();
        issuer.transport().oneshot(jwks).await.unwrap();
        assert_eq!(before.elapsed().as_secs(), 0);
        about(&issuer, "t").await;
        assert_eq!(before.elapsed().as_secs(), 7);
    }

    #[tokio::test]
    async fn a_status_list_is_served_changes_and_fails() {
        let issuer = issuer();
        let fetch = async |list: u32| {
            let url = format!("https://login.test/status/{list}");
            let request = Request::get(url).header(header::ACCEPT, "application/statuslist+jwt");
            issuer.transport().oneshot(request.body(Default::default()).unwrap()).await.unwrap()
        };
        issuer.publishes_status_list(1, StatusList::new(1, 8).cache_control("max-age=86400"));
        let response = fetch(1).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/statuslist+jwt");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "max-age=86400");
        assert_eq!(issuer.last_status_list_request().unwrap().uri().path(), "/status/1");
        let before = parts(&text(response).await).1;
        assert_eq!(before["sub"], "https://login.test/status/1");
        issuer.set_status(1, 7, 1);
        assert_ne!(parts(&text(fetch(1).await).await).1["status_list"], before["status_list"]);
        issuer.set_status(2, 1023, 3);
        assert_eq!(parts(&text(fetch(2).await).await).1["status_list"]["bits"], 2);
        assert_eq!(parts(&text(fetch(9).await).await).1["sub"], "https://login.test/status/9");
        issuer.fail_status_list(Fault::Truncated);
        assert_ne!(text(fetch(1).await).await.split('.').count(), 3);
        issuer.fail_status_list(Fault::Oversize);
        assert!(text(fetch(1).await).await.len() > 1024 * 1024);
        assert_eq!((issuer.status_list_fetches(), issuer.jwks_fetches()), (6, 0));
    }

    #[test]
    #[should_panic(expected = "no such index")]
    fn a_status_outside_of_the_list_is_refused() {
        issuer().set_status(1, 1024, 1);
    }

    #[tokio::test]
    async fn the_metadata_name_the_endpoint() {
        let issuer = TestIssuer::new("https://login.test/tenant/");
        let url = "https://login.test/tenant/.well-known/openid-configuration";
        let request = Request::get(url).body(Default::default()).unwrap();
        let metadata: Value =
            serde_json::from_str(&text(issuer.transport().oneshot(request).await.unwrap()).await).unwrap();
        assert_eq!(metadata["introspection_endpoint"], "https://login.test/tenant/introspect");
    }
}
