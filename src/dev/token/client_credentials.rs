//! RFC 6749 section 4.4: a client on its own behalf. Neither refresh token nor ID token, for there is nobody but the
//! client, who may ask again.

use serde_json::{Map, Value};

use super::TokenRequest;
use super::issue::AccessToken;
use super::target::{Choice, target};
use crate::dev::audit::AuditKind;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;

pub(super) fn grant(server: &AuthorizationServer, request: &TokenRequest<'_>) -> Result<Map<String, Value>, Refusal> {
    let TokenRequest { client, form, jkt, now } = request;
    if client.is_public() {
        return Err(Refusal::Unauthorized("a public client has no credentials of its own; use authorization_code"));
    }
    let audience = target(form, None, Choice::Any(server.settings.audience.as_deref()))?;
    let token = AccessToken {
        client,
        // RFC 9068 section 2.2: where no user took part, the subject is the client.
        subject: &client.id,
        scopes: &client.granted(form.get("scope"))?,
        audience: &audience,
        jkt: jkt.as_deref(),
        consented: None,
        grant: None,
        more: None,
        lifetime: server.settings.lifetimes.access_token,
    };
    let made = token.issue(server, *now)?;
    server.note(AuditKind::TokenIssued, *now, |event| event.client(&client.id).detail("client_credentials"));
    Ok(token.answer(made))
}
