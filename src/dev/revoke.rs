//! Revocation (RFC 7009): a client gives a token back.

use http::HeaderMap;
use serde_json::Value;

use crate::dev::active::active;
use crate::dev::audit::AuditKind;
use crate::dev::clients::Client;
use crate::dev::endpoint::Endpoint;
use crate::dev::form::Form;
use crate::dev::grants::shelf::Full;
use crate::dev::logout;
use crate::dev::misplaced::misplaced;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;
use crate::time::Timestamp;

/// Ends the token if it is the client's. That it is unknown or somebody else's is not told (section 2.2), and
/// `token_type_hint` is not needed to find it.
pub(crate) fn revoke(
    server: &AuthorizationServer,
    headers: &HeaderMap,
    form: &Form,
    now: Timestamp,
) -> Result<(), Refusal> {
    if let Some(hint) = misplaced(Endpoint::Revocation, form) {
        return Err(Refusal::Request(hint));
    }
    let client = server.authenticate(headers, form, now)?;
    let token = form.get("token").ok_or(Refusal::Request("token is missing"))?;
    server.counts.revocations.add_one();
    end(server, token, Some(client), now)?;
    Ok(())
}

/// Ends a token, whoever's it is when no owner is given. A refresh token takes its access tokens along (section 2.1), and
/// the session if nothing else is left of it.
pub(crate) fn end(
    server: &AuthorizationServer,
    token: &str,
    owner: Option<&Client>,
    now: Timestamp,
) -> Result<(), Full> {
    let is_owned = |client_id: &str| owner.is_none_or(|owner| owner.id == client_id);
    let mut state = server.grants.lock();
    let grant = state.grant_of_refresh_token(token, now);
    let grant = grant.filter(|(_, grant)| is_owned(&grant.consented.client_id));
    if let Some((id, grant)) = grant {
        let client_id = grant.consented.client_id.clone();
        let left = state.revoke_grant(&id, now);
        drop(state);
        server.note(AuditKind::TokenRevoked, now, |event| event.client(&client_id).detail("refresh_token"));
        if let Some(sid) = left {
            logout::end_session(server, &sid, "its last grant was revoked", now)?;
        }
        return Ok(());
    }
    drop(state);
    let Some(issued) = active(server, token, now) else { return Ok(()) };
    let client_id = issued.claims.get("client_id").and_then(Value::as_str).unwrap_or_default();
    if is_owned(client_id) {
        server.grants.lock().revoke_access_token(token, now)?;
        server.note(AuditKind::TokenRevoked, now, |event| event.client(client_id).detail("access_token"));
    }
    Ok(())
}
