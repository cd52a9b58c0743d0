//! OAuth 2.1 section 4.3: a refresh token for the next one and an access token. Each is good once.

use serde_json::{Map, Value};

use super::TokenRequest;
use super::issue::AccessToken;
use super::target::{Choice, target};
use crate::dev::audit::AuditKind;
use crate::dev::clients::narrowed;
use crate::dev::grants::{Refresh, RefreshError};
use crate::dev::id_token::id_token;
use crate::dev::logout;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;

pub(super) fn grant(server: &AuthorizationServer, request: &TokenRequest<'_>) -> Result<Map<String, Value>, Refusal> {
    let TokenRequest { client, form, jkt, now } = request;
    let now = *now;
    let presented = form.get("refresh_token").ok_or(Refusal::Request("refresh_token is missing"))?;
    let refresh = Refresh { token: presented, client_id: &client.id, jkt: jkt.as_deref() };
    // A request that asks for too much must not cost its token, so this is judged before the token is spent.
    let refreshed = server.grants.lock().refresh(&refresh, &server.settings.lifetimes, now, |consented| {
        let scopes = narrowed(&consented.scopes, form.get("scope"))?;
        Ok((scopes, target(form, None, Choice::Of(&consented.resources))?))
    });
    let (refreshed, (scopes, audience)) = refreshed.map_err(|error| match error {
        RefreshError::Invalid(reason) => Refusal::Grant(reason),
        RefreshError::Refused(refusal) => refusal,
        RefreshError::Reused(sid) => {
            server.counts.reuses.add_one();
            server.note(AuditKind::RefreshReused, now, |event| event.client(&client.id).sid(&sid));
            // The thief and the owner cannot be told apart, so the session is over for both (RFC 9700 section 4.14.2).
            // Whether or not there is room to remember more of it, its grants are over.
            let _ = logout::end_session(server, &sid, "a spent refresh token came back", now);
            Refusal::Grant("the refresh token was used before; its family and session are over, authorize again")
        }
    })?;
    let consented = &refreshed.consented;
    if refreshed.is_burst {
        server.note(AuditKind::RefreshBurst, now, |event| event.client(&client.id).sid(&consented.sid));
    }
    let token = AccessToken {
        client,
        subject: &consented.subject,
        scopes: &scopes,
        audience: &audience,
        jkt: jkt.as_deref(),
        consented: Some(consented),
        grant: Some(&refreshed.grant),
        more: None,
        lifetime: server.settings.lifetimes.access_token,
    };
    let made = token.issue(server, now)?;
    // Without a nonce: it belonged to the first one (OpenID Connect Core 1.0 section 12.2).
    let id_token = id_token(server, consented, None, &made, now)?;
    server.note(AuditKind::Refreshed, now, |event| {
        event.client(&client.id).subject(&consented.subject).sid(&consented.sid)
    });
    let mut members = token.answer(made);
    members.insert("refresh_token".into(), refreshed.refresh_token.into());
    members.extend(id_token.map(|token| ("id_token".to_owned(), token.into())));
    Ok(members)
}
