//! OAuth 2.1 section 4.1.3: a code, with the verifier of its challenge, for tokens.

use serde_json::{Map, Value};

use super::TokenRequest;
use super::issue::AccessToken;
use super::target::{Choice, target};
use crate::dev::audit::AuditKind;
use crate::dev::grants::{Redemption, RedemptionError};
use crate::dev::id_token::id_token;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;

pub(super) fn grant(server: &AuthorizationServer, request: &TokenRequest<'_>) -> Result<Map<String, Value>, Refusal> {
    let TokenRequest { client, form, jkt, now } = request;
    let now = *now;
    let code = form.get("code").ok_or(Refusal::Request("code is missing"))?;
    // Every code of this server belongs to a challenge, so the verifier is never optional.
    let verifier =
        form.get("code_verifier").ok_or(Refusal::Grant("code_verifier is missing (RFC 7636 section 4.5)"))?;
    let redemption = Redemption {
        client_id: &client.id,
        redirect_uri: form.get("redirect_uri"),
        verifier,
        jkt: jkt.as_deref(),
        binds_refresh: client.is_public(),
    };
    let redeemed = server.grants.lock().redeem(code, &redemption, &server.settings.lifetimes, now, |consented| {
        target(form, None, Choice::Of(&consented.resources))
    });
    let (redeemed, audience) = redeemed.map_err(|error| match error {
        RedemptionError::Invalid(reason) => Refusal::Grant(reason),
        RedemptionError::Refused(refusal) => refusal,
        RedemptionError::Full => Refusal::Busy,
        RedemptionError::Replayed(sid) => {
            server.note(AuditKind::CodeReplayed, now, |event| event.client(&client.id).sid(&sid));
            Refusal::Grant("the code was used before; the tokens that it became are revoked")
        }
    })?;
    let consented = &redeemed.consented;
    let token = AccessToken {
        client,
        subject: &consented.subject,
        scopes: &consented.scopes,
        audience: &audience,
        jkt: jkt.as_deref(),
        consented: Some(consented),
        grant: Some(&redeemed.grant),
        more: None,
        lifetime: server.settings.lifetimes.access_token,
    };
    let made = token.issue(server, now)?;
    let id_token = id_token(server, consented, redeemed.nonce.as_deref(), &made, now)?;
    server.note(AuditKind::TokenIssued, now, |event| {
        event.client(&client.id).subject(&consented.subject).sid(&consented.sid).detail("authorization_code")
    });
    let mut members = token.answer(made);
    members.insert("refresh_token".into(), redeemed.refresh_token.into());
    members.extend(id_token.map(|token| ("id_token".to_owned(), token.into())));
    members.extend(consented.details.clone().map(|details| ("authorization_details".to_owned(), details)));
    Ok(members)
}
