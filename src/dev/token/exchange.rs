//! RFC 8693: a token that somebody presented, for one by which a service acts for the same user further down.

use serde_json::{Map, Value, json};

use super::TokenRequest;
use super::issue::AccessToken;
use super::target::{Choice, target};
use crate::dev::active::{active, expiry};
use crate::dev::audit::AuditKind;
use crate::dev::clients::narrowed;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;
use crate::scope::ScopeSet;

pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Of the subject's token, what the new one says too: it ends with the session, and tells how the user logged in.
const CARRIED: [&str; 3] = ["sid", "auth_time", "acr"];

pub(super) fn grant(server: &AuthorizationServer, request: &TokenRequest<'_>) -> Result<Map<String, Value>, Refusal> {
    let TokenRequest { client, form, jkt, now } = request;
    let now = *now;
    if client.is_public() {
        return Err(Refusal::Unauthorized("a public client may not exchange tokens"));
    }
    if form.has("actor_token") {
        return Err(Refusal::Request("actor_token is not supported; the client that asks is the actor"));
    }
    if form.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(Refusal::Request("requested_token_type can only be an access token"));
    }
    if !matches!(form.get("subject_token_type"), Some(ACCESS_TOKEN | JWT)) {
        return Err(Refusal::Request("subject_token_type must be that of an access token (RFC 8693 section 3)"));
    }
    let presented = form.get("subject_token").ok_or(Refusal::Request("subject_token is missing"))?;
    // Two targets of one token would be one too many, and a token for anybody is none for somebody.
    let mut audiences = form.all("audience");
    let audience = audiences.next();
    if audiences.next().is_some() || (audience.is_some() && form.get("resource").is_some()) {
        return Err(Refusal::Target("a token is for one audience or resource; ask once for each"));
    }
    let audience = target(form, audience, Choice::Any(None))?;
    let subject = active(server, presented, now)
        .ok_or(Refusal::Grant("subject_token is not an active access token of this server"))?;
    let text = |name: &str| subject.claims.get(name).and_then(Value::as_str);
    let held: ScopeSet = text("scope").unwrap_or_default().parse().map_err(|_| Refusal::Scope)?;
    let sub = text("sub").ok_or(Refusal::Grant("subject_token has no subject"))?;
    let asked = narrowed(&held, form.get("scope"))?;
    // What the acting client was never given it cannot be given by somebody else's token.
    let scopes = if form.get("scope").is_some() {
        narrowed(&client.scopes, Some(asked.as_str()))?
    } else {
        let both = asked.iter().filter(|scope| client.scopes.contains(scope));
        ScopeSet::from_tokens(both).map_err(|_| Refusal::Scope)?
    };
    let mut more: Map<String, Value> =
        CARRIED.into_iter().filter_map(|name| Some((name.to_owned(), subject.claims.get(name)?.clone()))).collect();
    more.insert("act".into(), actor(&client.id, subject.claims.get("act")));
    let left = expiry(&subject.claims).map(|expiry| expiry.since(now)).unwrap_or_default();
    let token = AccessToken {
        client,
        subject: sub,
        scopes: &scopes,
        audience: &audience,
        jkt: jkt.as_deref(),
        consented: None,
        grant: subject.grant.as_deref(),
        more: Some(&more),
        lifetime: server.settings.lifetimes.access_token.min(left),
    };
    let made = token.issue(server, now)?;
    server.note(AuditKind::TokenIssued, now, |event| event.client(&client.id).subject(sub).detail("token_exchange"));
    let mut members = token.answer(made);
    members.insert("issued_token_type".into(), ACCESS_TOKEN.into());
    Ok(members)
}

/// The client acts now; whoever acted before stands within (RFC 8693 section 4.1).
fn actor(client_id: &str, before: Option<&Value>) -> Value {
    match before {
        Some(before) => json!({ "sub": client_id, "act": before }),
        None => json!({ "sub": client_id }),
    }
}
