//! What resource servers and clients learn: introspection, revocation, metadata, ID tokens, userinfo, exchange, events.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::flow::*;
use crate::dev::{AuditKind, DevClient, DevServer, Endpoint, Fault};
use crate::jwt::compact::Compact;
use crate::mint::keys::SigningKey;
use crate::test::{DpopClient, ManualClock};

const API_CLIENT: Pairs<'static> = &[("client_id", "api"), ("client_secret", "ap1")];
const SHOP: Pairs<'static> = &[("client_id", "shop"), ("client_secret", "s3cr3t")];
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

fn with<'p>(base: Pairs<'p>, more: Pairs<'p>) -> Vec<(&'p str, &'p str)> {
    base.iter().chain(more).copied().collect()
}

/// Whether the server's key has signed it.
fn is_signed(dev: &DevServer, jwt: &str) -> bool {
    let jwt = Compact::parse(jwt).unwrap();
    dev.signing_key().verifies(jwt.signed, &jwt.signature)
}

/// DAS-11: introspection needs a client that proves itself; what is not active is `active: false` and no more, and the
/// binding is told.
#[tokio::test]
async fn only_a_client_that_proves_itself_learns_what_a_token_means() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| {
        builder.clock(clock.clone()).register(DevClient::confidential("other", "o").resource("https://other.test"))
    })
    .await;
    let key = DpopClient::new().clock(clock.clone());
    let tokens = redeem_with(&dev, &code(&dev, &[]).await, &[], &[("dpop", &proof(&dev, &key, "/token"))]).await.json();
    let access = text(&tokens, "access_token");
    let told = introspect(&dev, access).await;
    assert_eq!((&told["active"], &told["token_type"], &told["sub"]), (&json!(true), &json!("DPoP"), &json!("ada")));
    assert_eq!((&told["cnf"]["jkt"], &told["aud"]), (&json!(key.thumbprint()), &json!(API)));
    assert_eq!(
        (&told["client_id"], &told["scope"], &told["iss"]),
        (&json!("page"), &json!("openid orders:read"), &json!(dev.issuer_url()))
    );

    for nobody in [&[][..], &[("client_id", "api"), ("client_secret", "wrong")], &[("client_id", "page")]] {
        let refused = post(&dev, "/introspect", &with(nobody, &[("token", access)])).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, "invalid_client".into()));
        let accept = [("accept", "application/token-introspection+jwt")];
        let refused = post_with(&dev, "/introspect", &with(nobody, &[("token", access)]), &accept).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "RFC 9701");
    }
    let foreign = start(|builder| builder).await;
    let theirs = login(&foreign).await;
    let refresh_token = text(&tokens, "refresh_token");
    for inactive in ["unknown", text(&theirs, "access_token"), text(&tokens, "id_token"), refresh_token] {
        assert_eq!(introspect(&dev, inactive).await, json!({ "active": false }));
    }
    let other = [("client_id", "other"), ("client_secret", "o"), ("token", access)];
    assert_eq!(post(&dev, "/introspect", &other).await.json(), json!({ "active": false }), "another resource");
    clock.advance(Duration::from_secs(600));
    assert_eq!(introspect(&dev, access).await, json!({ "active": false }));
    assert_eq!(post(&dev, "/introspect", API_CLIENT).await.error(), "invalid_request", "no token");
}

#[tokio::test]
async fn an_answer_is_signed_where_that_is_asked_for() {
    let dev = start(|builder| builder.opaque_tokens()).await;
    let tokens = login(&dev).await;
    let access = text(&tokens, "access_token");
    assert!(access.starts_with("opq_") && !access.contains('.'));
    let accept = [("accept", "application/json;q=0.5, application/token-introspection+jwt")];
    let answer = post_with(&dev, "/introspect", &with(API_CLIENT, &[("token", access)]), &accept).await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/token-introspection+jwt");
    assert!(is_signed(&dev, &answer.body));
    assert_eq!(part(&answer.body, 0)["typ"], "token-introspection+jwt");
    let told = claims(&answer.body);
    assert_eq!((&told["iss"], &told["aud"]), (&json!(dev.issuer_url()), &json!("api")));
    assert!(told.get("sub").is_none() && told.get("exp").is_none());
    assert_eq!(
        (&told["token_introspection"]["active"], &told["token_introspection"]["sub"]),
        (&json!(true), &json!("ada"))
    );

    let mine = dev.opaque_token().subject("bob").scope("orders:read").issue();
    let told = introspect(&dev, &mine).await;
    assert_eq!((&told["active"], &told["sub"], &told["aud"]), (&json!(true), &json!("bob"), &json!(API)));
    let signed = dev.token().scope("orders:read").sign();
    assert!(is_active(&dev, &signed).await);
    for token in [&mine, &signed] {
        dev.revoke(token);
        assert_eq!(introspect(&dev, token).await, json!({ "active": false }));
    }
    assert_eq!(dev.introspections(), 5);
}

/// DAS-12: revocation answers 200 for what it does not know, ends only the client's own tokens, and a refresh token takes
/// its access tokens along; a wrong hint does no harm.
#[tokio::test]
async fn a_client_revokes_its_own_tokens_and_no_others() {
    let dev = start(|builder| builder).await;
    let revoke = async |client: Pairs<'_>, token: &str, hint: &str| {
        let asked = [("token", token), ("token_type_hint", hint)];
        let form = with(client, &asked);
        post(&dev, "/revoke", &form).await.status.as_u16()
    };
    let page = &[("client_id", "page")];
    let tokens = login(&dev).await;
    let (access, refresh_token) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    for token in ["unknown", access, refresh_token] {
        assert_eq!(revoke(SHOP, token, "").await, 200, "that it is another client's is not told");
    }
    assert_eq!(revoke(&[("client_id", "nobody")], access, "").await, 401);
    assert_eq!(post(&dev, "/revoke", page).await.error(), "invalid_request");
    assert!(is_active(&dev, access).await);
    let next = refresh(&dev, refresh_token).await.json();

    assert_eq!(revoke(page, access, "refresh_token").await, 200);
    assert!(!is_active(&dev, access).await && is_active(&dev, text(&next, "access_token")).await);
    assert_eq!(revoke(page, text(&next, "refresh_token"), "access_token").await, 200);
    assert!(!is_active(&dev, text(&next, "access_token")).await);
    assert_eq!(refresh(&dev, text(&next, "refresh_token")).await.error(), "invalid_grant");
    assert_eq!(revoke(page, text(&next, "refresh_token"), "nonsense").await, 200, "again");
    assert_eq!(dev.revocations(), 6);
}

/// DAS-13: a new key is published with the old one, which stays; every key has its own `kid`, `use` and no private part.
#[tokio::test]
async fn keys_overlap_while_they_rotate() {
    let dev = start(|builder| builder).await;
    let old = login(&dev).await;
    dev.rotate();
    let new = login(&dev).await;
    let keys = get(&dev, &dev.server.path("/jwks"), &[]).await.json()["keys"].as_array().unwrap().clone();
    let kids: Vec<_> = keys.iter().map(|jwk| jwk["kid"].as_str().unwrap()).collect();
    for tokens in [&old, &new] {
        let kid = part(text(tokens, "access_token"), 0)["kid"].as_str().unwrap().to_owned();
        assert!(kids.contains(&&*kid));
        assert!(is_active(&dev, text(tokens, "access_token")).await);
    }
    assert!(kids.len() == 2 && kids[0] != kids[1]);
    for jwk in &keys {
        assert_eq!(jwk["use"], "sig");
        assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|private| jwk.get(private).is_none()));
    }
}

/// DAS-14: the metadata of each issuer are its own, complete, and without what would be empty.
#[tokio::test]
async fn metadata_tell_a_client_all_that_it_needs() {
    for path in ["", "/one", "/two/deep"] {
        let dev = start(|builder| builder.issuer_path(path)).await;
        let documents = [
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("{path}/.well-known/openid-configuration"),
        ];
        for document in documents {
            let metadata = get(&dev, &document, &[]).await.json();
            assert_eq!(metadata["issuer"], dev.issuer_url());
            for (member, path) in [
                ("authorization_endpoint", "/authorize"),
                ("token_endpoint", "/token"),
                ("pushed_authorization_request_endpoint", "/par"),
                ("introspection_endpoint", "/introspect"),
                ("revocation_endpoint", "/revoke"),
                ("userinfo_endpoint", "/userinfo"),
                ("end_session_endpoint", "/logout"),
                ("jwks_uri", "/jwks"),
            ] {
                assert_eq!(metadata[member], format!("{}{path}", dev.issuer_url()));
            }
            assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
            assert_eq!(metadata["response_types_supported"], json!(["code"]));
            assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
            assert!(metadata["dpop_signing_alg_values_supported"].as_array().unwrap().contains(&json!("ES256")));
            assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["ES256"]));
            assert_eq!(metadata["subject_types_supported"], json!(["public"]));
            assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(EXCHANGE)));
            assert!(metadata["token_endpoint_auth_methods_supported"].as_array().unwrap().contains(&json!("none")));
            assert!(metadata["scopes_supported"].as_array().unwrap().contains(&json!("openid")));
            assert!(metadata.as_object().unwrap().values().all(|value| *value != json!([])));
        }
    }
    let bare = DevServer::builder().quiet().start().await.unwrap();
    let metadata = get(&bare, "/.well-known/oauth-authorization-server", &[]).await.json();
    assert!(metadata.get("scopes_supported").is_none(), "no client, no scope");
}

/// DAS-16: an assertion has the issuer as its only audience; one without `typ` is still taken.
#[tokio::test]
async fn an_assertion_is_for_the_issuer_and_for_nobody_else() {
    let (key, other) = (
        SigningKey::generate(crate::crypto::Algorithm::Es256).unwrap(),
        SigningKey::generate(crate::crypto::Algorithm::Es256).unwrap(),
    );
    let clock = ManualClock::starting_now();
    let dev = start(|builder| {
        builder.clock(clock.clone()).register(DevClient::with_key("signer", key.public_jwk()).scopes(["orders:read"]))
    })
    .await;
    let now = crate::time::Clock::now(&clock).as_secs();
    let issuer = dev.issuer_url().to_owned();
    let ask = async |header: Value, change: &[(&str, Value)], by: &SigningKey| {
        let mut claims = json!({ "iss": "signer", "sub": "signer", "aud": issuer, "jti": crate::mint::claims::random_id().unwrap(), "exp": now + 60 });
        for (name, value) in change {
            claims[*name] = value.clone();
        }
        let mut full = json!({ "alg": "ES256" });
        full.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        let assertion = by.sign(&full, &claims).unwrap();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        let answer = post(&dev, "/token", &form).await;
        (answer, assertion)
    };
    for typ in [json!({}), json!({ "typ": "client-authentication+jwt" }), json!({ "typ": "JWT" })] {
        assert_eq!(ask(typ, &[], &key).await.0.status, StatusCode::OK);
    }
    let (answer, used) = ask(json!({}), &[("aud", json!([issuer]))], &key).await;
    assert_eq!(answer.status, StatusCode::OK, "an array of one");
    let again = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", used.as_str()),
    ];
    assert_eq!(post(&dev, "/token", &again).await.error(), "invalid_client", "each is good once");
    for (why, change) in [
        ("the token endpoint", ("aud", json!(format!("{issuer}/token")))),
        ("two audiences", ("aud", json!([issuer, "https://other.test"]))),
        ("a slash more", ("aud", json!(format!("{issuer}/")))),
        ("no audience", ("aud", json!([]))),
        ("another issuer", ("iss", json!("shop"))),
        ("a client without a key", ("sub", json!("shop"))),
        ("expired", ("exp", json!(now - 31))),
        ("eternal", ("exp", json!(now + 3600))),
        ("no name", ("jti", json!(""))),
        ("not yet", ("nbf", json!(now + 31))),
    ] {
        let (answer, _) = ask(json!({}), &[change], &key).await;
        assert_eq!((answer.status.as_u16(), &*answer.error()), (401, "invalid_client"), "{why}");
    }
    assert_eq!(ask(json!({ "typ": "at+jwt" }), &[], &key).await.0.error(), "invalid_client", "made for something else");
    assert_eq!(ask(json!({}), &[], &other).await.0.error(), "invalid_client", "another key");
}

/// DAS-18: the resource decides the audience, a token is for one resource, and JWTs follow RFC 9068.
#[tokio::test]
async fn a_token_is_for_one_resource() {
    let dev = start(|builder| builder).await;
    let path = format!(
        "{}?{}",
        dev.server.path("/authorize"),
        encoded(&with(&request(&[]), &[("resource", "https://a.test"), ("resource", "https://b.test")]))
    );
    let told = get(&dev, &path, &[]).await.told();
    assert_eq!(redeem(&dev, &told["code"]).await.error(), "invalid_target", "which of the two?");
    let elsewhere = redeem_with(&dev, &told["code"], &[("resource", API)], &[]).await;
    assert_eq!(elsewhere.error(), "invalid_target", "the user did not agree to it");
    let tokens = redeem_with(&dev, &told["code"], &[("resource", "https://a.test")], &[]).await.json();
    let access = text(&tokens, "access_token");
    let told = claims(access);
    assert_eq!(told["aud"], "https://a.test");
    assert_eq!(part(access, 0)["typ"], "at+jwt");
    for member in ["iss", "sub", "client_id", "iat", "exp", "jti", "scope", "auth_time", "acr", "sid"] {
        assert!(told.get(member).is_some(), "{member}");
    }
    assert_eq!(told["tenant"], "analytical", "what the user brings");
    let page = [("client_id", "page"), ("resource", "https://b.test")];
    let other = refresh_with(&dev, text(&tokens, "refresh_token"), &page, &[]).await.json();
    assert_eq!(claims(text(&other, "access_token"))["aud"], "https://b.test");
    let both = [("grant_type", "client_credentials"), ("resource", "https://a.test"), ("resource", "https://b.test")];
    assert_eq!(post(&dev, "/token", &with(SHOP, &both)).await.error(), "invalid_target");
}

/// DAS-20: an ID token comes with `openid` only, says who logged in, and hashes its access token; userinfo names the same
/// user.
#[tokio::test]
async fn an_id_token_says_who_logged_in() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| builder.clock(clock.clone())).await;
    let without = redeem(&dev, &code(&dev, &[("scope", "orders:read")]).await).await.json();
    assert!(without.get("id_token").is_none());
    let refused = get(
        &dev,
        &dev.server.path("/userinfo"),
        &[("authorization", &format!("Bearer {}", text(&without, "access_token")))],
    )
    .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().contains("insufficient_scope"));

    let asked = [("scope", "openid profile"), ("nonce", "n-0S6_WzA2Mj"), ("max_age", "300")];
    let tokens = redeem(&dev, &code(&dev, &asked).await).await.json();
    let (access, id_token) = (text(&tokens, "access_token"), text(&tokens, "id_token"));
    assert!(is_signed(&dev, id_token));
    let told = claims(id_token);
    assert_eq!((&told["iss"], &told["sub"], &told["aud"]), (&json!(dev.issuer_url()), &json!("ada"), &json!("page")));
    assert_eq!(
        (&told["nonce"], &told["acr"], &told["name"]),
        (&json!("n-0S6_WzA2Mj"), &json!("pwd"), &json!("Ada Lovelace"))
    );
    assert!(told["exp"].as_i64() > told["iat"].as_i64() && told["auth_time"].is_i64() && told.get("email").is_none());
    let hash = crate::crypto::sha256(&[access.as_bytes()]);
    assert_eq!(told["at_hash"], crate::crypto::b64(&hash[..16]));

    let bearer = format!("Bearer {access}");
    for method in [Method::GET, Method::POST] {
        let request =
            Request::builder().method(method).uri(dev.server.path("/userinfo")).header("authorization", &bearer);
        let info = send(&dev, request.body(axum::body::Body::empty()).unwrap()).await.json();
        assert_eq!(info, json!({ "sub": "ada", "name": "Ada Lovelace", "preferred_username": "ada" }));
    }
    let plain = redeem(&dev, &code(&dev, &[]).await).await.json();
    assert!(claims(text(&plain, "id_token")).get("nonce").is_none());
    let refreshed = refresh(&dev, text(&tokens, "refresh_token")).await.json();
    assert!(claims(text(&refreshed, "id_token")).get("nonce").is_none(), "it belonged to the first one");
    for bad in ["", "Bearer", "Bearer x", "Basic eDp5", &format!("DPoP {access}")] {
        let refused = get(&dev, &dev.server.path("/userinfo"), &[("authorization", bad)]).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{bad}");
        assert!(refused.headers.contains_key(header::WWW_AUTHENTICATE));
    }
}

#[tokio::test]
async fn userinfo_holds_a_bound_token_to_its_key() {
    let dev = start(|builder| builder).await;
    let (key, other) = (DpopClient::new(), DpopClient::new());
    let tokens = redeem_with(&dev, &code(&dev, &[]).await, &[], &[("dpop", &proof(&dev, &key, "/token"))]).await.json();
    let access = text(&tokens, "access_token");
    let url = format!("{}/userinfo", dev.issuer_url());
    let ask = async |scheme: &str, proof: &str| {
        let authorization = format!("{scheme} {access}");
        get(&dev, &dev.server.path("/userinfo"), &[("authorization", &authorization), ("dpop", proof)]).await.status
    };
    let good = key.proof_for(&Method::GET, &url, access).sign();
    assert_eq!(ask("DPoP", &good).await, StatusCode::OK);
    assert_eq!(ask("DPoP", &good).await, StatusCode::UNAUTHORIZED, "again");
    assert_eq!(ask("Bearer", &key.proof_for(&Method::GET, &url, access).sign()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("DPoP", &other.proof_for(&Method::GET, &url, access).sign()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("DPoP", &key.proof(&Method::GET, &url).sign()).await, StatusCode::UNAUTHORIZED, "no ath");
}

/// DAS-23: client credentials give neither a refresh token nor an ID token, and the subject is the client.
#[tokio::test]
async fn a_client_on_its_own_behalf_gets_an_access_token_and_no_more() {
    let dev = start(|builder| builder).await;
    let form = with(SHOP, &[("grant_type", "client_credentials"), ("scope", "openid orders:read")]);
    let tokens = post(&dev, "/token", &form).await.json();
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    let told = claims(text(&tokens, "access_token"));
    assert_eq!((&told["sub"], &told["client_id"]), (&json!("shop"), &json!("shop")));
    assert!(told.get("sid").is_none() && told.get("auth_time").is_none());
    let public = [("client_id", "page"), ("grant_type", "client_credentials")];
    assert_eq!(post(&dev, "/token", &public).await.error(), "unauthorized_client");
}

/// DAS-26: token exchange takes tokens of this issuer, for one named audience, with a scope that is not wider, and `act`
/// names the acting client.
#[tokio::test]
async fn a_service_acts_for_a_user_with_no_more_than_the_user_gave() {
    let dev = start(|builder| {
        let services = ["edge", "inner"].map(|id| DevClient::confidential(id, "e").scopes(["orders:read", "billing"]));
        services.into_iter().fold(builder, crate::dev::DevServerBuilder::register)
    })
    .await;
    let user = redeem(&dev, &code(&dev, &[("scope", "openid orders:read orders:write")]).await).await.json();
    let exchange = async |client: &str, token: &str, more: Pairs<'_>| {
        let base = [
            ("client_id", client),
            ("client_secret", "e"),
            ("grant_type", EXCHANGE),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        post(&dev, "/token", &with(&base, more)).await
    };
    let access = text(&user, "access_token");
    let down = [("audience", "https://down.test")];
    let first = exchange("edge", access, &down).await.json();
    assert_eq!((&first["issued_token_type"], &first["token_type"]), (&json!(ACCESS_TOKEN), &json!("Bearer")));
    assert!(first.get("refresh_token").is_none());
    let told = claims(text(&first, "access_token"));
    assert_eq!(
        (&told["sub"], &told["client_id"], &told["aud"]),
        (&json!("ada"), &json!("edge"), &json!("https://down.test"))
    );
    assert_eq!((&told["scope"], &told["act"]), (&json!("orders:read"), &json!({ "sub": "edge" })));
    assert_eq!(told["sid"], claims(access)["sid"]);
    let second = exchange("inner", text(&first, "access_token"), &[("resource", "https://deep.test")]).await.json();
    assert_eq!(claims(text(&second, "access_token"))["act"], json!({ "sub": "inner", "act": { "sub": "edge" } }));

    assert_eq!(exchange("edge", access, &[]).await.error(), "invalid_target", "for whom?");
    for two in [&[down[0], ("audience", "x")][..], &[down[0], ("resource", "https://x.test")]] {
        assert_eq!(exchange("edge", access, two).await.error(), "invalid_target");
    }
    for scope in ["billing", "openid", "orders:read billing"] {
        assert_eq!(exchange("edge", access, &[down[0], ("scope", scope)]).await.error(), "invalid_scope", "{scope}");
    }
    let foreign = start(|builder| builder).await;
    let theirs = text(&login(&foreign).await, "access_token").to_owned();
    for bad in [theirs.as_str(), text(&user, "id_token"), text(&user, "refresh_token"), "x"] {
        assert_eq!(exchange("edge", bad, &down).await.error(), "invalid_grant");
    }
    let wrong_type = [("actor_token", "x")];
    assert_eq!(exchange("edge", access, &with(&down, &wrong_type)).await.error(), "invalid_request");
    let public = [
        ("client_id", "page"),
        ("grant_type", EXCHANGE),
        ("subject_token", access),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    assert_eq!(post(&dev, "/token", &public).await.error(), "unauthorized_client");

    dev.revoke(text(&user, "refresh_token"));
    for tokens in [&first, &second] {
        assert!(!is_active_for(&dev, text(tokens, "access_token")).await, "they end with the user's grant");
    }
}

/// As a client that may ask about every token.
async fn is_active_for(dev: &DevServer, token: &str) -> bool {
    post(dev, "/introspect", &with(SHOP, &[("token", token)])).await.json()["active"] == true
}

/// DAS-30: what happened is told by events of fixed fields, and nothing in them is a secret.
#[tokio::test]
async fn the_audit_tells_everything_but_secrets() {
    let dev = start(|builder| builder).await;
    let fresh = code(&dev, &[("state", "SENTINEL-state"), ("nonce", "SENTINEL-nonce")]).await;
    let tokens = redeem(&dev, &fresh).await.json();
    let next = refresh(&dev, text(&tokens, "refresh_token")).await.json();
    introspect(&dev, text(&next, "access_token")).await;
    post(&dev, "/par", &request(&[])).await;
    post(&dev, "/token", &[("client_id", "shop"), ("client_secret", "SENTINEL")]).await;
    redeem_with(&dev, "SENTINEL-code", &[], &[]).await;
    authorize(&dev, &[("client_id", "SENTINEL-client")]).await;
    redeem(&dev, &fresh).await;
    refresh(&dev, text(&tokens, "refresh_token")).await;
    let again = login(&dev).await;
    post(&dev, "/revoke", &[("client_id", "page"), ("token", text(&again, "access_token"))]).await;
    let reused = login(&dev).await;
    refresh(&dev, text(&reused, "refresh_token")).await;
    refresh(&dev, text(&reused, "refresh_token")).await;

    let events = dev.audit();
    for kind in [
        AuditKind::LoggedIn,
        AuditKind::CodeIssued,
        AuditKind::TokenIssued,
        AuditKind::Refreshed,
        AuditKind::RefreshReused,
        AuditKind::CodeReplayed,
        AuditKind::TokenRevoked,
        AuditKind::SessionEnded,
        AuditKind::Introspected,
        AuditKind::RequestPushed,
        AuditKind::Refused,
    ] {
        assert!(events.iter().any(|event| event.kind == kind), "{}", kind.as_str());
    }
    let issued = events.iter().find(|event| event.kind == AuditKind::TokenIssued).unwrap();
    assert_eq!((issued.client.as_deref(), issued.subject.as_deref()), (Some("page"), Some("ada")));
    assert_eq!(issued.detail, Some("authorization_code"));
    let printed = format!("{events:?}{dev:?}{:?}", dev.server);
    let secrets = [fresh.as_str(), "SENTINEL", "s3cr3t", "ap1", VERIFIER];
    let issued = [&tokens, &next, &again, &reused].map(|tokens| {
        [
            text(tokens, "access_token").to_owned(),
            text(tokens, "refresh_token").to_owned(),
            text(tokens, "id_token").to_owned(),
        ]
    });
    for secret in secrets.into_iter().chain(issued.iter().flatten().map(String::as_str)) {
        assert!(!printed.contains(secret), "{secret} is printed");
    }
}

#[tokio::test]
async fn pages_of_other_origins_talk_to_the_endpoints_of_clients() {
    let dev = start(|builder| builder.dpop_nonce(true)).await;
    for path in ["/token", "/par", "/revoke", "/userinfo", "/jwks", "/.well-known/openid-configuration"] {
        let preflight = Request::options(dev.server.path(path))
            .header("origin", "https://app.test")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "dpop")
            .body(axum::body::Body::empty())
            .unwrap();
        let answer = send(&dev, preflight).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert!(answer.headers["access-control-allow-headers"].to_str().unwrap().contains("dpop"));
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
    let dpop = proof(&dev, &DpopClient::new(), "/token");
    let answer = redeem_with(&dev, "x", &[], &[("origin", "https://app.test"), ("dpop", &dpop)]).await;
    assert_eq!(answer.error(), "use_dpop_nonce");
    assert!(answer.headers.contains_key("dpop-nonce"));
    let readable = answer.headers["access-control-expose-headers"].to_str().unwrap();
    assert!(readable.contains("DPoP-Nonce") && readable.contains("WWW-Authenticate"));
    let introspection = post_with(&dev, "/introspect", API_CLIENT, &[("origin", "https://app.test")]).await;
    assert!(!introspection.headers.contains_key("access-control-allow-origin"), "no page has that secret");
}

#[tokio::test]
async fn a_pushed_request_is_used_once_by_its_client() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| {
        let strict = DevClient::public("strict").redirect_uri(CALLBACK).scopes(["orders:read"]).pushed_requests_only();
        builder.clock(clock.clone()).register(strict)
    })
    .await;
    let open = async |client: &str, uri: &str| {
        let query = encoded(&[
            ("client_id", client),
            ("request_uri", uri),
            ("redirect_uri", "https://evil.test"),
            ("scope", "admin"),
        ]);
        get(&dev, &format!("{}?{query}", dev.server.path("/authorize")), &[]).await
    };
    let push = async |other: Pairs<'_>| post(&dev, "/par", &request(other)).await;
    let pushed = push(&[]).await;
    assert_eq!((pushed.status, pushed.json()["expires_in"].as_u64()), (StatusCode::CREATED, Some(90)));
    let uri = pushed.text("request_uri");
    assert_eq!(open("strict", &uri).await.status, StatusCode::BAD_REQUEST, "another client's");
    assert!(open("page", &uri).await.location().unwrap().starts_with(CALLBACK), "only what was pushed counts");
    assert_eq!(open("page", &uri).await.status, StatusCode::BAD_REQUEST, "again");
    let late = push(&[]).await.text("request_uri");
    clock.advance(Duration::from_secs(91));
    assert_eq!(open("page", &late).await.status, StatusCode::BAD_REQUEST);
    for (other, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("scope", "admin"), "invalid_scope"),
        (("redirect_uri", "https://evil.test"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("request_uri", "urn:x"), "invalid_request"),
        (("client_id", "shop"), "invalid_client"),
    ] {
        assert_eq!(push(&[other]).await.error(), error, "{other:?}");
    }
    let direct = [("client_id", "strict"), ("scope", "orders:read")];
    assert_eq!(authorize(&dev, &direct).await.told()["error"], "invalid_request", "it must push");
    let pushed = push(&direct).await.text("request_uri");
    assert!(open("strict", &pushed).await.told().contains_key("code"));
}

#[tokio::test]
async fn a_revoked_token_is_invalid_in_the_status_list() {
    let dev = start(|builder| builder.status_list()).await;
    let (kept, ended) = (login(&dev).await, login(&dev).await);
    let place = |tokens: &Value| claims(text(tokens, "access_token"))["status"]["status_list"].clone();
    assert_eq!(place(&kept)["uri"], format!("{}/status/0", dev.issuer_url()));
    dev.revoke_session(claims(text(&ended, "access_token"))["sid"].as_str().unwrap());
    let list = get(&dev, &dev.server.path("/status/0"), &[]).await;
    assert_eq!(list.headers[header::CONTENT_TYPE], "application/statuslist+jwt");
    let told = claims(&list.body);
    assert_eq!((&told["status_list"]["bits"], &told["sub"]), (&json!(1), &place(&kept)["uri"]));
    let packed = crate::crypto::b64_decode(told["status_list"]["lst"].as_str().unwrap().as_bytes()).unwrap();
    let mut bits = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&*packed), &mut bits).unwrap();
    let status = |tokens: &Value| {
        let place = place(tokens)["idx"].as_u64().unwrap() as usize;
        bits[place / 8] >> (place % 8) & 1
    };
    assert_eq!((status(&kept), status(&ended)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_fails_and_is_late_alone() {
    let dev = start(|builder| builder).await;
    let fresh = code(&dev, &[]).await;
    dev.fail_at(Endpoint::Token, Fault::Status(503));
    assert_eq!(redeem(&dev, &fresh).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(authorize(&dev, &[]).await.status, StatusCode::SEE_OTHER);
    dev.heal();
    assert_eq!(redeem(&dev, &fresh).await.error(), "invalid_grant", "only the answer was lost");
    let tokens = login(&dev).await;
    dev.fail_introspection(Fault::Flapping { ok: 1, failed: 1 });
    let ask = async || post(&dev, "/introspect", &with(API_CLIENT, &[("token", text(&tokens, "access_token"))])).await;
    assert_eq!(ask().await.status, StatusCode::OK);
    assert_eq!(ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
    dev.heal();
    dev.fail_at(Endpoint::Introspection, Fault::Oversize);
    assert!(ask().await.body.len() > 1024 * 1024);
    dev.heal();
    dev.delay_at(Endpoint::Introspection, Duration::from_secs(60));
    let begun = tokio::time::Instant::now();
    ask().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(60));
}
