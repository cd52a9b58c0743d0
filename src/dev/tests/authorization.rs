//! The authorization endpoint, and codes.

use std::time::Duration;

use http::{StatusCode, header};
use serde_json::json;

use super::flow::*;
use crate::dev::{DevClient, DevServer};
use crate::test::ManualClock;

/// DAS-01: a redirect URI is matched exactly, but for the port of a loopback address, and a mismatch never redirects.
#[tokio::test]
async fn nothing_redirects_to_a_uri_that_is_not_registered() {
    let dev =
        start(|builder| builder.public_client("native", ["http://127.0.0.1/cb", "com.example.app:/cb"], ["openid"]))
            .await;
    for other in [
        "https://app.test/cb/",
        "https://app.test/cb?x=1",
        "https://APP.test/cb",
        "https://evil.test/cb",
        "//x",
        "javascript:x",
    ] {
        let answer = authorize(&dev, &[("redirect_uri", other)]).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None), "{other}");
        assert!(answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
        assert!(!answer.body.contains(other), "nothing of the request is shown");
    }
    let unknown = authorize(&dev, &[("client_id", "<script>")]).await;
    assert_eq!((unknown.status, unknown.location()), (StatusCode::BAD_REQUEST, None));
    assert!(!unknown.body.contains("<script>"));
    for good in ["http://127.0.0.1:51004/cb", "http://127.0.0.1/cb", "com.example.app:/cb"] {
        let answer = authorize(&dev, &[("client_id", "native"), ("redirect_uri", good), ("scope", "openid")]).await;
        assert!(answer.location().is_some_and(|to| to.starts_with(good)), "{answer:?}");
        let code = &answer.told()["code"];
        let other = [("client_id", "native"), ("redirect_uri", "http://127.0.0.1:1/cb")];
        assert_eq!(redeem_with(&dev, code, &other, &[]).await.error(), "invalid_grant", "it binds the code");
        assert_eq!(redeem_with(&dev, code, &[("client_id", "native"), ("redirect_uri", good)], &[]).await.status, 200);
    }
}

/// DAS-02: PKCE is required, and a code is redeemed by the verifier of its challenge.
#[tokio::test]
async fn a_code_needs_the_verifier_of_its_challenge() {
    let dev = start(|builder| builder).await;
    let told = authorize(&dev, &[("code_challenge", "")]).await.told();
    assert_eq!(told["error"], "invalid_request");
    let fresh = code(&dev, &[]).await;
    let other = "a".repeat(43);
    for wrong in [other.as_str(), CHALLENGE, ""] {
        let answer = redeem_with(&dev, &fresh, &[("code_verifier", wrong)], &[]).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, "invalid_grant".into()), "{wrong}");
    }
    assert_eq!(redeem(&dev, &fresh).await.status, StatusCode::OK, "none of these used it up");
    let without_code = redeem_with(&dev, "", &[], &[]).await;
    assert_eq!(without_code.error(), "invalid_request", "a verifier alone is nothing");
}

/// DAS-25: verifiers of a wrong length or alphabet are refused, and so is `plain`.
#[tokio::test]
async fn a_verifier_has_43_to_128_unreserved_characters_and_plain_is_no_method() {
    let dev = start(|builder| builder).await;
    for method in ["plain", "", "s256", "S512"] {
        let told = authorize(&dev, &[("code_challenge_method", method)]).await.told();
        assert_eq!(told["error"], "invalid_request", "{method}");
    }
    for challenge in ["a", &"a".repeat(44), &"=".repeat(43)] {
        assert_eq!(authorize(&dev, &[("code_challenge", challenge)]).await.told()["error"], "invalid_request");
    }
    let hash = |verifier: &str| crate::crypto::b64(&crate::crypto::sha256(&[verifier.as_bytes()]));
    for bad in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43))] {
        let fresh = code(&dev, &[("code_challenge", &hash(&bad))]).await;
        assert_eq!(redeem_with(&dev, &fresh, &[("code_verifier", &bad)], &[]).await.error(), "invalid_grant", "{bad}");
    }
    let longest = "~".repeat(128);
    let fresh = code(&dev, &[("code_challenge", &hash(&longest))]).await;
    assert_eq!(redeem_with(&dev, &fresh, &[("code_verifier", &longest)], &[]).await.status, StatusCode::OK);
}

/// DAS-03: a code is good once, for its client, for a minute.
/// DAS-28: the lifetime of a code is a minute unless set.
#[tokio::test]
async fn a_code_is_good_once_for_its_client_and_soon() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| builder.clock(clock.clone())).await;
    let fresh = code(&dev, &[]).await;
    let shop = [("client_id", "shop"), ("client_secret", "s3cr3t")];
    assert_eq!(redeem_with(&dev, &fresh, &shop, &[]).await.error(), "invalid_grant", "another client");
    assert_eq!(redeem_with(&dev, "unknown", &[], &[]).await.error(), "invalid_grant");
    clock.advance(Duration::from_secs(60));
    assert_eq!(redeem(&dev, &fresh).await.status, StatusCode::OK);
    assert_eq!(redeem(&dev, &fresh).await.error(), "invalid_grant", "again");
    let late = code(&dev, &[]).await;
    clock.advance(Duration::from_secs(61));
    assert_eq!(redeem(&dev, &late).await.error(), "invalid_grant", "late");
    let quick = start(|builder| builder.clock(clock.clone()).code_lifetime(Duration::from_secs(1))).await;
    let fresh = code(&quick, &[]).await;
    clock.advance(Duration::from_secs(2));
    assert_eq!(redeem(&quick, &fresh).await.error(), "invalid_grant");
    clock.rewind(Duration::from_secs(3600));
    assert_eq!(redeem(&quick, &fresh).await.status, StatusCode::OK, "a clock that was set back forgets nothing");
    let eternal = DevServer::builder().code_lifetime(Duration::from_secs(601)).quiet().start().await;
    assert!(eternal.is_err(), "ten minutes are the most");
}

/// DAS-04: a second use that is valid in every other way revokes what the code became; any other changes nothing.
#[tokio::test]
async fn only_a_valid_replay_of_a_code_revokes() {
    let dev = start(|builder| builder).await;
    let fresh = code(&dev, &[]).await;
    let tokens = redeem(&dev, &fresh).await.json();
    let access = text(&tokens, "access_token");
    let wrong = "a".repeat(43);
    let shop = [("client_id", "shop"), ("client_secret", "s3cr3t")];
    for invalid in [&[("code_verifier", wrong.as_str())][..], &shop, &[("redirect_uri", "https://app.test/other")]] {
        assert_eq!(redeem_with(&dev, &fresh, invalid, &[]).await.error(), "invalid_grant");
        assert!(is_active(&dev, access).await, "a guess ends nothing");
    }
    assert_eq!(redeem(&dev, &fresh).await.error(), "invalid_grant");
    assert_eq!(introspect(&dev, access).await, json!({ "active": false }));
    assert_eq!(refresh(&dev, text(&tokens, "refresh_token")).await.error(), "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_redemptions_at_once_exactly_one_wins() {
    let dev = std::sync::Arc::new(start(|builder| builder).await);
    let fresh = code(&dev, &[]).await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (dev, fresh) = (dev.clone(), fresh.clone());
            tokio::spawn(async move { redeem(&dev, &fresh).await.status })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap() == StatusCode::OK);
    }
    assert_eq!(won, 1);
}

/// DAS-15: `iss` stands in the answer, whether it is a success or an error.
/// DAS-19: `state` comes back as it was, and not at all when there was none.
#[tokio::test]
async fn an_answer_names_the_issuer_and_gives_the_state_back() {
    let dev = start(|builder| builder.issuer_path("/tenant")).await;
    for state in ["xyz", "a&b=c+d e/é?#%20\"<'>"] {
        let told = authorize(&dev, &[("state", state)]).await.told();
        assert_eq!((&*told["state"], &*told["iss"]), (state, dev.issuer_url()));
        assert!(told.contains_key("code"));
        let told = authorize(&dev, &[("state", state), ("scope", "unknown")]).await.told();
        assert_eq!((&*told["state"], &*told["iss"], &*told["error"]), (state, dev.issuer_url(), "invalid_scope"));
    }
    let told = authorize(&dev, &[("state", "")]).await.told();
    assert!(!told.contains_key("state") && told["iss"] == dev.issuer_url());
}

/// DAS-21: implicit, hybrid and password grants do not exist, and asking for them is a clear error.
#[tokio::test]
async fn implicit_hybrid_and_password_are_gone() {
    let dev = start(|builder| builder).await;
    for kind in ["token", "id_token", "code id_token", "code token", "none"] {
        let told = authorize(&dev, &[("response_type", kind)]).await.told();
        assert_eq!(told["error"], "unsupported_response_type", "{kind}");
        assert!(told["error_description"].contains("OAuth 2.1"));
    }
    assert_eq!(authorize(&dev, &[("response_mode", "fragment")]).await.told()["error"], "invalid_request");
    for grant in ["password", "implicit"] {
        let form = [
            ("client_id", "shop"),
            ("client_secret", "s3cr3t"),
            ("grant_type", grant),
            ("username", "a"),
            ("password", "b"),
        ];
        let answer = post(&dev, "/token", &form).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, "unsupported_grant_type".into()));
        assert!(answer.text("error_description").contains("authorization_code"));
    }
}

/// DAS-22: scopes are those of the client; what was granted is told, and a refresh narrows it and never widens it.
#[tokio::test]
async fn scopes_are_the_clients_and_never_grow() {
    let dev = start(|builder| builder.public_client("small", [CALLBACK], ["orders:read"])).await;
    for scope in ["admin", "orders:read admin", "orders:read  orders:write", "\"", "ORDERS:READ"] {
        assert_eq!(authorize(&dev, &[("scope", scope)]).await.told()["error"], "invalid_scope", "{scope}");
    }
    let small = [("client_id", "small"), ("scope", "orders:read orders:write")];
    assert_eq!(authorize(&dev, &small).await.told()["error"], "invalid_scope", "registered for another client");
    let fresh = code(&dev, &[("client_id", "small"), ("scope", "")]).await;
    let tokens = redeem_with(&dev, &fresh, &[("client_id", "small")], &[]).await.json();
    assert_eq!(tokens["scope"], "orders:read", "all of the client's, and told");

    let fresh = code(&dev, &[("scope", "orders:read orders:write")]).await;
    let tokens = redeem(&dev, &fresh).await.json();
    let wider = [("client_id", "page"), ("scope", "orders:read openid")];
    let refused = refresh_with(&dev, text(&tokens, "refresh_token"), &wider, &[]).await;
    assert_eq!(refused.error(), "invalid_scope", "openid was not granted");
    let narrower = [("client_id", "page"), ("scope", "orders:read")];
    let narrow = refresh_with(&dev, text(&tokens, "refresh_token"), &narrower, &[]).await.json();
    assert_eq!(narrow["scope"], "orders:read", "and the refused request has not spent the token");
    let whole = refresh(&dev, text(&narrow, "refresh_token")).await.json();
    assert_eq!(whole["scope"], "orders:read orders:write", "the grant stays as it was");
}

/// DAS-27: what belongs to another endpoint is refused, and the right one is named.
#[tokio::test]
async fn whoever_comes_to_the_wrong_endpoint_is_told_the_right_one() {
    let dev = start(|builder| builder).await;
    for extra in [("code", "x"), ("grant_type", "authorization_code"), ("refresh_token", "x")] {
        let answer = authorize(&dev, &[extra]).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None));
        assert!(answer.body.contains("invalid_request") && answer.body.contains("token endpoint"), "{extra:?}");
    }
    let client = [("client_id", "shop"), ("client_secret", "s3cr3t")];
    for (path, extra, named) in [
        ("/token", ("response_type", "code"), "authorization endpoint"),
        ("/token", ("token", "x"), "introspection"),
        ("/par", ("grant_type", "authorization_code"), "token endpoint"),
        ("/par", ("code", "x"), "token endpoint"),
        ("/introspect", ("grant_type", "x"), "token endpoint"),
        ("/revoke", ("refresh_token", "x"), "token endpoint"),
        ("/revoke", ("response_type", "code"), "authorization endpoint"),
    ] {
        let answer = post(&dev, path, &[client[0], client[1], extra]).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, "invalid_request".into()), "{path}");
        assert!(answer.text("error_description").contains(named), "{path} {extra:?}");
    }
}

#[tokio::test]
async fn a_malformed_request_leads_nowhere() {
    let dev = start(|builder| builder).await;
    let path = dev.server.path("/authorize");
    let good = encoded(&request(&[]));
    for query in
        [format!("{good}&scope=x"), format!("{good}&redirect_uri=https%3A%2F%2Fevil.test"), String::new(), "%".into()]
    {
        let answer = get(&dev, &format!("{path}?{query}"), &[]).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None), "{query}");
    }
    let long = "a".repeat(70_000);
    assert_eq!(post(&dev, "/authorize", &request(&[("state", &long)])).await.status, StatusCode::BAD_REQUEST);
    let posted = post(&dev, "/authorize", &request(&[])).await;
    assert!(posted.told().contains_key("code"), "a request may be posted too");
    for (name, value, error) in [
        ("max_age", "-1", "invalid_request"),
        ("max_age", "+1", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("request", "e30.e30.", "request_not_supported"),
        ("resource", "orders", "invalid_target"),
        ("acr_values", "gold", "unmet_authentication_requirements"),
        ("authorization_details", "{}", "invalid_authorization_details"),
        ("authorization_details", "[{}]", "invalid_authorization_details"),
        ("dpop_jkt", "x", "invalid_request"),
        ("response_type", "", "invalid_request"),
    ] {
        assert_eq!(authorize(&dev, &[(name, value)]).await.told()["error"], error, "{name}={value}");
    }
}

#[tokio::test]
async fn details_are_passed_through() {
    let dev = start(|builder| builder).await;
    let details = json!([{ "type": "payment", "amount": "5" }]);
    let tokens = redeem(&dev, &code(&dev, &[("authorization_details", &details.to_string())]).await).await.json();
    assert_eq!(tokens["authorization_details"], details);
    assert_eq!(claims(text(&tokens, "access_token"))["authorization_details"], details);
    assert_eq!(introspect(&dev, text(&tokens, "access_token")).await["authorization_details"], details);
}

#[tokio::test]
async fn a_client_without_a_redirect_uri_has_no_authorization_endpoint() {
    let dev = start(|builder| builder.register(DevClient::confidential("batch", "s").scopes(["a"]))).await;
    for uri in ["", CALLBACK] {
        let answer = authorize(&dev, &[("client_id", "batch"), ("redirect_uri", uri), ("scope", "a")]).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None));
    }
}
