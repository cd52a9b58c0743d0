//! Events to those who listen, over loopback.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::flow::*;
use crate::dev::{AuditKind, DevClient, DevServer};

/// Listens, keeps what comes, and answers with these statuses in turn, the last one for ever.
struct Listening {
    url: String,
    heard: Arc<Mutex<Vec<(String, String)>>>,
    task: JoinHandle<()>,
}

type Heard = (Arc<Mutex<Vec<(String, String)>>>, Arc<Mutex<Vec<u16>>>);

async fn hear(State((heard, statuses)): State<Heard>, headers: HeaderMap, body: String) -> StatusCode {
    let content_type = headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    heard.lock().unwrap().push((content_type, body));
    let mut statuses = statuses.lock().unwrap();
    let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
    StatusCode::from_u16(status).unwrap()
}

impl Listening {
    async fn start(statuses: &[u16]) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let state = (Arc::clone(&heard), Arc::new(Mutex::new(statuses.to_vec())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let app = Router::new().route("/events", post(hear)).with_state(state);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, heard, task }
    }

    fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn count(dev: &DevServer, kind: AuditKind) -> usize {
    dev.audit().iter().filter(|event| event.kind == kind).count()
}

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// DAS-29: whoever listens learns of the reuse of a refresh token before the thief has the answer.
#[tokio::test]
async fn listeners_learn_that_a_refresh_token_came_back() {
    let listening = Listening::start(&[202]).await;
    let dev = start(|builder| builder.listener(&listening.url)).await;
    let tokens = login(&dev).await;
    let sid = claims(text(&tokens, "access_token"))["sid"].clone();
    refresh(&dev, text(&tokens, "refresh_token")).await;
    assert!(listening.heard().is_empty());
    assert_eq!(refresh(&dev, text(&tokens, "refresh_token")).await.error(), "invalid_grant");

    let [(content_type, set)] = &listening.heard()[..] else { panic!("one event") };
    assert_eq!(
        (content_type.as_str(), part(set, 0)["typ"].as_str()),
        ("application/secevent+jwt", Some("secevent+jwt"))
    );
    let told = claims(set);
    assert_eq!((&told["iss"], &told["aud"]), (&json!(dev.issuer_url()), &json!(API)));
    assert!(told.get("sub").is_none() && told.get("exp").is_none() && told["jti"].is_string());
    assert_eq!(told["sub_id"]["session"], json!({ "format": "opaque", "id": sid }));
    assert_eq!(told["sub_id"]["user"]["sub"], "ada");
    assert!(told["events"][SESSION_REVOKED]["event_timestamp"].is_i64());
    assert_eq!(count(&dev, AuditKind::EventDelivered), 1);
}

#[tokio::test]
async fn a_logout_is_told_to_clients_that_took_part_and_to_resource_servers() {
    let (shop, idle, api) =
        (Listening::start(&[200]).await, Listening::start(&[200]).await, Listening::start(&[200]).await);
    let dev = start(|builder| {
        let with = |id: &str, to: &Listening| {
            let client = DevClient::public(id).redirect_uri(CALLBACK).scopes(["openid"]);
            client.backchannel_logout_uri(&to.url)
        };
        let api = DevClient::confidential("orders", "o").resource(API).backchannel_logout_uri(&api.url);
        builder.register(with("spa", &shop)).register(with("idle", &idle)).register(api)
    })
    .await;
    let fresh = code(&dev, &[("client_id", "spa"), ("scope", "openid")]).await;
    let tokens = redeem_with(&dev, &fresh, &[("client_id", "spa")], &[]).await.json();
    let hint = text(&tokens, "id_token");
    get(&dev, &format!("{}?{}", dev.server.path("/logout"), encoded(&[("id_token_hint", hint)])), &[]).await;
    for (listening, audience) in [(&shop, "spa"), (&api, "orders")] {
        let [(content_type, form)] = &listening.heard()[..] else { panic!("one logout token for {audience}") };
        assert_eq!(content_type, "application/x-www-form-urlencoded");
        let token = form.strip_prefix("logout_token=").unwrap();
        assert_eq!(part(token, 0)["typ"], "logout+jwt");
        let told = claims(token);
        assert_eq!((&told["aud"], &told["sub"]), (&json!(audience), &json!("ada")));
        assert_eq!(told["sid"], claims(hint)["sid"]);
        assert_eq!(told["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        assert!(told.get("nonce").is_none());
    }
    assert!(idle.heard().is_empty(), "it took no part");
}

#[tokio::test]
async fn an_event_is_tried_again_where_nobody_heard_it_and_given_up_where_it_is_refused() {
    let (late, deaf) = (Listening::start(&[503, 202]).await, Listening::start(&[400]).await);
    let dev = start(|builder| builder.listener(&late.url).listener_for(&deaf.url, "urn:deaf")).await;
    dev.revoke_session("s-1");
    dev.events_delivered().await;
    let sets = late.heard();
    assert_eq!((sets.len(), &sets[0].1), (2, &sets[1].1), "the same event, by its jti");
    assert_eq!(
        claims(&sets[0].1)["sub_id"],
        json!({ "format": "complex", "session": { "format": "opaque", "id": "s-1" } })
    );
    let refused: Vec<Value> = deaf.heard().iter().map(|(_, set)| claims(set)).collect();
    assert_eq!((refused.len(), &refused[0]["aud"]), (1, &json!("urn:deaf")));
    assert_eq!((count(&dev, AuditKind::EventDelivered), count(&dev, AuditKind::EventLost)), (1, 1));
}

#[tokio::test]
async fn a_grant_that_was_the_last_of_its_session_takes_it_along() {
    let listening = Listening::start(&[202]).await;
    let dev = start(|builder| builder.listener(&listening.url)).await;
    let first = authorize(&dev, &[]).await;
    let cookie = first.cookie().unwrap();
    let second = authorize_with(&dev, &[("client_id", "shop")], &[("cookie", &cookie)]).await;
    let page = redeem(&dev, &first.told()["code"]).await.json();
    let shop = [("client_id", "shop"), ("client_secret", "s3cr3t")];
    let shop = redeem_with(&dev, &second.told()["code"], &shop, &[]).await.json();
    assert_eq!(claims(text(&page, "access_token"))["sid"], claims(text(&shop, "access_token"))["sid"]);
    dev.revoke(text(&page, "refresh_token"));
    dev.events_delivered().await;
    assert!(listening.heard().is_empty() && is_active(&dev, text(&shop, "access_token")).await);
    dev.revoke(text(&shop, "refresh_token"));
    dev.events_delivered().await;
    assert_eq!(listening.heard().len(), 1);
}

#[tokio::test]
async fn only_urls_that_can_be_reached_without_tls_are_listened_to() {
    for url in ["https://api.test/events", "/events", "ftp://x/", ""] {
        assert!(DevServer::builder().listener(url).quiet().start().await.is_err(), "{url}");
        let client = DevClient::public("c").backchannel_logout_uri(url);
        assert!(DevServer::builder().register(client).quiet().start().await.is_err(), "{url}");
    }
}
