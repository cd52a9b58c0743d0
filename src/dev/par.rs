//! Pushed authorization requests (RFC 9126): a request that no browser sees, judged in full before anybody is asked.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::dev::audit::AuditKind;
use crate::dev::authorize::{Problem, parse};
use crate::dev::clients::Client;
use crate::dev::dpop::Place;
use crate::dev::endpoint::Endpoint;
use crate::dev::form::Form;
use crate::dev::grants::digest;
use crate::dev::misplaced::misplaced;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;
use crate::mint::claims::random_id;
use crate::time::Timestamp;

/// How long a pushed request waits for its browser (RFC 9126 section 2.2).
const PATIENCE: Duration = Duration::from_secs(90);

/// Keeps a request under a name of its own. `Ok(Err(..))` is what the authorization endpoint would have told the client.
pub(crate) fn push(
    server: &AuthorizationServer,
    headers: &HeaderMap,
    form: &Form,
    now: Timestamp,
) -> Result<Result<Value, Problem>, Refusal> {
    if let Some(hint) = misplaced(Endpoint::PushedRequests, form) {
        return Err(Refusal::Request(hint));
    }
    let client = server.authenticate(headers, form, now)?;
    if form.has("request_uri") {
        return Err(Refusal::Request("request_uri names a request that was pushed; here one is pushed (RFC 9126)"));
    }
    let place = Place { method: "POST", path: &server.path("/par") };
    // A proof binds the code to its key (RFC 9449 section 10.1).
    let jkt = server.dpop.prove(headers, place, None, now)?;
    push_for(server, client, form, jkt, now)
}

fn push_for(
    server: &AuthorizationServer,
    client: &Client,
    form: &Form,
    jkt: Option<String>,
    now: Timestamp,
) -> Result<Result<Value, Problem>, Refusal> {
    let unregistered = Refusal::Request("redirect_uri is not registered for this client");
    let redirect_uri = client.redirect_uri(form.get("redirect_uri")).ok_or(unregistered)?;
    let request = match parse(form, client, redirect_uri, &server.settings, server.issuer(), jkt) {
        Ok(request) => request,
        Err(problem) => return Ok(Err(problem)),
    };
    let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", random_id()?);
    server.grants.lock().pushed.put(digest(&request_uri), Arc::new(request), now.plus(PATIENCE), now)?;
    server.note(AuditKind::RequestPushed, now, |event| event.client(&client.id));
    Ok(Ok(json!({ "request_uri": request_uri, "expires_in": PATIENCE.as_secs() })))
}
