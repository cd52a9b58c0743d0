//! The page that asks a person, and what a browser may do with it.

use std::time::Duration;

use http::{StatusCode, header};

use super::flow::*;
use crate::dev::{Consent, DevServer};
use crate::test::ManualClock;

async fn asking() -> DevServer {
    start(|builder| builder.consent(Consent::Ask)).await
}

fn ticket(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"ticket\" value=\"").expect("a form");
    rest.split_once('"').unwrap().0.to_owned()
}

async fn answer(dev: &DevServer, ticket: &str, decision: &str, user: &str, headers: Pairs<'_>) -> Answer {
    post_with(dev, "/consent", &[("ticket", ticket), ("decision", decision), ("user", user)], headers).await
}

#[tokio::test]
async fn a_person_chooses_who_to_be_and_allows_or_denies() {
    let dev = asking().await;
    let page = authorize(&dev, &[]).await;
    assert_eq!((page.status, page.location()), (StatusCode::OK, None));
    assert!(page.body.contains("Ada Lovelace") && page.body.contains("bob") && page.body.contains("orders:read"));
    let cookie = page.cookie().unwrap();
    let allowed = answer(&dev, &ticket(&page), "allow", "bob", &[("cookie", &cookie)]).await;
    assert_eq!(allowed.status, StatusCode::SEE_OTHER);
    let told = allowed.told();
    assert_eq!((&*told["state"], &*told["iss"]), ("xyz", dev.issuer_url()));
    let tokens = redeem(&dev, &told["code"]).await.json();
    assert_eq!(claims(text(&tokens, "access_token"))["sub"], "bob");

    let page = authorize(&dev, &[]).await;
    let denied = answer(&dev, &ticket(&page), "deny", "bob", &[("cookie", &page.cookie().unwrap())]).await.told();
    assert_eq!((&*denied["error"], &*denied["iss"]), ("access_denied", dev.issuer_url()));
}

#[tokio::test]
async fn an_answer_comes_from_the_page_and_the_browser_that_were_asked_and_once() {
    let dev = asking().await;
    let (page, other) = (authorize(&dev, &[]).await, authorize(&dev, &[]).await);
    let (ticket, own, foreign) = (ticket(&page), page.cookie().unwrap(), other.cookie().unwrap());
    for headers in [
        &[][..],
        &[("cookie", foreign.as_str())],
        &[("cookie", &own), ("origin", "https://evil.test")],
        &[("cookie", &own), ("origin", "null")],
        &[("cookie", &own), ("sec-fetch-site", "cross-site")],
    ] {
        let forged = answer(&dev, &ticket, "allow", "ada", headers).await;
        assert_eq!((forged.status, forged.location()), (StatusCode::BAD_REQUEST, None), "{headers:?}");
    }
    let unknown = answer(&dev, "unknown", "allow", "ada", &[("cookie", &own)]).await;
    assert_eq!((unknown.status, unknown.location()), (StatusCode::BAD_REQUEST, None));
    let origin = dev.issuer_url().to_owned();
    let headers = [("cookie", own.as_str()), ("origin", &origin), ("sec-fetch-site", "same-origin")];
    assert!(answer(&dev, &ticket, "allow", "ada", &headers).await.told().contains_key("code"));
    let again = answer(&dev, &ticket, "allow", "ada", &headers).await;
    assert_eq!((again.status, again.location()), (StatusCode::BAD_REQUEST, None));
}

/// DAS-17: no page of another origin reads, frames or scripts what a person sees.
#[tokio::test]
async fn the_page_is_kept_from_other_pages() {
    let dev = asking().await;
    let page = authorize_with(&dev, &[], &[("origin", "https://evil.test")]).await;
    let refused = authorize_with(&dev, &[("client_id", "x")], &[("origin", "https://evil.test")]).await;
    for answer in [&page, &refused] {
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
        assert_eq!(answer.headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "same-origin");
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"));
    }
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https://app.test;"), "browsers hold redirects to it: {policy}");
    let style = page.body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, crate::crypto::sha256(&[style.as_bytes()]));
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "the style is the one that is allowed");
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"));
    let preflight = http::Request::options(dev.server.path("/authorize"))
        .header("origin", "https://evil.test")
        .header("access-control-request-method", "POST")
        .body(axum::body::Body::empty())
        .unwrap();
    let preflight = send(&dev, preflight).await;
    assert!(!preflight.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_page_shows_nothing_that_could_become_markup() {
    let dev = asking().await;
    let details = r#"[{"type":"</pre><script>alert(1)</script>"}]"#;
    let page = authorize(&dev, &[("authorization_details", details), ("login_hint", "\"><script>")]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains("<script"), "{}", page.body);
}

#[tokio::test]
async fn a_session_spares_the_login_until_more_is_asked() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| builder.consent(Consent::Ask).clock(clock.clone())).await;
    let none = authorize(&dev, &[("prompt", "none")]).await.told();
    assert_eq!(none["error"], "login_required");
    let page = authorize(&dev, &[]).await;
    let allowed = answer(&dev, &ticket(&page), "allow", "ada", &[("cookie", &page.cookie().unwrap())]).await;
    let cookie = allowed.cookie().expect("a login renews the cookie");
    let first = claims(text(&redeem(&dev, &allowed.told()["code"]).await.json(), "access_token"));

    clock.advance(Duration::from_secs(100));
    let cookies = [("cookie", cookie.as_str())];
    let silent = authorize_with(&dev, &[("prompt", "none")], &cookies).await.told();
    let again = claims(text(&redeem(&dev, &silent["code"]).await.json(), "access_token"));
    assert_eq!(
        (&again["sid"], &again["auth_time"], &again["acr"]),
        (&first["sid"], &first["auth_time"], &first["acr"])
    );
    for (name, value) in [("max_age", "99"), ("acr_values", "phr")] {
        let told = authorize_with(&dev, &[("prompt", "none"), (name, value)], &cookies).await.told();
        assert_eq!(told["error"], "login_required", "{name}");
    }
    let anew = authorize_with(&dev, &[("prompt", "login")], &cookies).await;
    assert!(anew.body.contains("This signs you in"), "a login that is good enough is not what was asked for");
    let wider = [("prompt", "none"), ("scope", "openid orders:write")];
    assert_eq!(authorize_with(&dev, &wider, &cookies).await.told()["error"], "consent_required");

    let page = authorize_with(&dev, &[("acr_values", "phr"), ("max_age", "60")], &cookies).await;
    assert!(page.body.contains("will count as <code>phr</code>"));
    let allowed = answer(&dev, &ticket(&page), "allow", "ada", &cookies).await;
    let strong = claims(text(&redeem(&dev, &allowed.told()["code"]).await.json(), "access_token"));
    assert_eq!((&strong["acr"], &strong["sid"]), (&"phr".into(), &first["sid"]), "the session goes on");
    assert_eq!(strong["auth_time"].as_i64().unwrap(), first["auth_time"].as_i64().unwrap() + 100);
    let old = answer(&dev, &ticket(&authorize_with(&dev, &[], &cookies).await), "allow", "ada", &cookies).await;
    let after = claims(text(&redeem(&dev, &old.told()["code"]).await.json(), "access_token"));
    assert_eq!(after["acr"], "phr", "and what it is worth now stays with it");
}

#[tokio::test]
async fn a_setting_answers_for_the_person() {
    let deny = start(|builder| builder.consent(Consent::Deny)).await;
    assert_eq!(authorize(&deny, &[]).await.told()["error"], "access_denied");
    let dev = start(|builder| builder).await;
    let tokens = redeem(&dev, &code(&dev, &[("login_hint", "bob")]).await).await.json();
    assert_eq!(claims(text(&tokens, "access_token"))["sub"], "bob");
    let nobody = DevServer::builder().user("ada").auto_approve("eve").quiet().start().await;
    assert!(nobody.is_err(), "who approves must be a user");
}

#[tokio::test]
async fn a_user_logs_out_by_an_id_token_or_by_saying_so() {
    let dev = start(|builder| {
        let shop = crate::dev::DevClient::public("spa").redirect_uri(CALLBACK).scopes(["openid"]);
        builder.register(shop.post_logout_redirect_uri("https://app.test/bye"))
    })
    .await;
    let fresh = code(&dev, &[("client_id", "spa"), ("scope", "openid")]).await;
    let tokens = redeem_with(&dev, &fresh, &[("client_id", "spa")], &[]).await.json();
    let hint = text(&tokens, "id_token");
    let logout = |pairs: Vec<(&'static str, String)>| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        format!("{}?{}", dev.server.path("/logout"), encoded(&pairs))
    };
    let evil = logout(vec![("id_token_hint", hint.into()), ("post_logout_redirect_uri", "https://evil.test".into())]);
    let evil = get(&dev, &evil, &[]).await;
    assert_eq!((evil.status, evil.location()), (StatusCode::BAD_REQUEST, None));
    let access = text(&tokens, "access_token");
    let forger = crate::mint::keys::SigningKey::generate(crate::crypto::Algorithm::Es256).unwrap();
    let forged = forger.sign(&part(hint, 0), &claims(hint)).unwrap();
    for no_hint in [access, &forged, "x"] {
        assert_eq!(get(&dev, &logout(vec![("id_token_hint", no_hint.into())]), &[]).await.status, 400);
    }
    assert!(is_active(&dev, access).await);
    let bye = logout(vec![
        ("id_token_hint", hint.into()),
        ("post_logout_redirect_uri", "https://app.test/bye".into()),
        ("state", "s&t".into()),
    ]);
    assert_eq!(get(&dev, &bye, &[]).await.location(), Some("https://app.test/bye?state=s%26t"));
    assert!(!is_active(&dev, access).await);
    assert_eq!(
        refresh_with(&dev, text(&tokens, "refresh_token"), &[("client_id", "spa")], &[]).await.error(),
        "invalid_grant"
    );

    let allowed = authorize(&dev, &[]).await;
    let (cookie, tokens) = (allowed.cookie().unwrap(), redeem(&dev, &allowed.told()["code"]).await.json());
    let cookies = [("cookie", cookie.as_str())];
    let asked = get(&dev, &dev.server.path("/logout"), &cookies).await;
    assert!(asked.body.contains("Sign out?"), "any page could have sent the browser here");
    assert!(is_active(&dev, text(&tokens, "access_token")).await);
    let forged = post_with(&dev, "/logout", &[], &[cookies[0], ("origin", "https://evil.test")]).await;
    assert!(forged.body.contains("Sign out?"));
    assert!(post_with(&dev, "/logout", &[], &cookies).await.body.contains("Signed out"));
    assert!(!is_active(&dev, text(&tokens, "access_token")).await);
}
