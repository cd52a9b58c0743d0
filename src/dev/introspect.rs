//! Introspection (RFC 7662): what a token means right now, told to who may know.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::dev::active::active;
use crate::dev::audit::AuditKind;
use crate::dev::clients::Client;
use crate::dev::endpoint::Endpoint;
use crate::dev::form::Form;
use crate::dev::misplaced::misplaced;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;
use crate::mint::claims::numeric_date;
use crate::time::Timestamp;

/// The media type of a signed answer (RFC 9701 section 5).
pub(crate) const SIGNED: &str = "application/token-introspection+jwt";

/// What is said about a token, and to whom.
pub(crate) struct Introspected {
    pub(crate) members: Value,
    /// The client that asked.
    pub(crate) for_client: String,
}

/// Answers for one token. Whatever is not good is `active: false` and no more, for whichever reason (section 2.2).
pub(crate) fn introspect(
    server: &AuthorizationServer,
    headers: &HeaderMap,
    form: &Form,
    now: Timestamp,
) -> Result<Introspected, Refusal> {
    if let Some(hint) = misplaced(Endpoint::Introspection, form) {
        return Err(Refusal::Request(hint));
    }
    let client = server.authenticate(headers, form, now)?;
    // Else anybody could try out tokens (section 4).
    if client.is_public() {
        return Err(Refusal::Client);
    }
    let token = form.get("token").ok_or(Refusal::Request("token is missing"))?;
    let members = access_token(server, client, token, now).or_else(|| refresh_token(server, client, token, now));
    server.note(AuditKind::Introspected, now, |event| {
        event.client(&client.id).detail(if members.is_some() { "active" } else { "inactive" })
    });
    let members = members.map_or_else(|| json!({ "active": false }), Value::Object);
    Ok(Introspected { members, for_client: client.id.clone() })
}

fn access_token(
    server: &AuthorizationServer,
    client: &Client,
    token: &str,
    now: Timestamp,
) -> Option<Map<String, Value>> {
    let mut members = active(server, token, now)?.claims;
    if !is_for(client, members.get("aud")) {
        return None;
    }
    let token_type = if members.get("cnf").is_some_and(|cnf| cnf.get("jkt").is_some()) { "DPoP" } else { "Bearer" };
    members.insert("active".into(), true.into());
    members.insert("token_type".into(), token_type.into());
    Some(members)
}

/// Whether the token is for a resource in whose name the client asks.
fn is_for(client: &Client, audience: Option<&Value>) -> bool {
    let is_own = |audience: &Value| client.resources.iter().any(|own| audience.as_str() == Some(own));
    client.resources.is_empty()
        || match audience {
            Some(Value::Array(several)) => several.iter().any(is_own),
            Some(one) => is_own(one),
            None => false,
        }
}

/// Refresh tokens are nobody's business but their client's.
fn refresh_token(
    server: &AuthorizationServer,
    client: &Client,
    token: &str,
    now: Timestamp,
) -> Option<Map<String, Value>> {
    let state = server.grants.lock();
    let grant = state.good_refresh_token(token, now).filter(|grant| grant.consented.client_id == client.id)?;
    Some(Map::from_iter([
        ("active".to_owned(), true.into()),
        ("token_type".to_owned(), "refresh_token".into()),
        ("client_id".to_owned(), client.id.as_str().into()),
        ("sub".to_owned(), grant.consented.subject.as_str().into()),
        ("scope".to_owned(), grant.consented.scopes.as_str().into()),
        ("exp".to_owned(), grant.ends().as_secs().into()),
        ("iss".to_owned(), server.issuer().into()),
    ]))
}

/// The answer as a JWT for the client that asked (RFC 9701 section 5).
pub(crate) fn signed(
    server: &AuthorizationServer,
    introspected: &Introspected,
    now: Timestamp,
) -> Result<String, Refusal> {
    let key = server.authority.state().keys.current()?;
    let header = json!({ "typ": "token-introspection+jwt", "alg": key.algorithm().as_str(), "kid": key.kid() });
    let claims = json!({
        "iss": server.issuer(),
        "aud": introspected.for_client,
        "iat": numeric_date(Timestamp::from_secs(now.as_secs())),
        "token_introspection": introspected.members,
    });
    Ok(key.sign(&header, &claims)?)
}
