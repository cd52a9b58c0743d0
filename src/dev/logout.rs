//! The end of a session, and who is told; and the endpoint by which a user asks for it (OpenID Connect RP-Initiated Logout
//! 1.0).

use serde::Deserialize;

use crate::dev::audit::AuditKind;
use crate::dev::clients::Client;
use crate::dev::events::session_ended;
use crate::dev::form::Form;
use crate::dev::grants::Digest;
use crate::dev::grants::shelf::Full;
use crate::dev::server::AuthorizationServer;
use crate::jwt::compact::Compact;
use crate::jwt::json::{self, Text};
use crate::time::Timestamp;

/// Ends a session with all its tokens, whoever asked for it, and tells who listens. `why` is for people.
pub(crate) fn end_session(
    server: &AuthorizationServer,
    sid: &str,
    why: &'static str,
    now: Timestamp,
) -> Result<(), Full> {
    let (session, remembered) = server.grants.lock().end_session(sid, now);
    server.note(AuditKind::SessionEnded, now, |event| {
        let event = event.sid(sid).detail(why);
        session.iter().fold(event, |event, session| event.subject(&session.subject))
    });
    session_ended(server, sid, session.as_ref(), why, now);
    remembered
}

/// What the browser gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// Back to the client.
    Redirect(String),
    /// The session is over, if there was one.
    Over,
    /// A person must say so, for any page could have sent the browser here.
    Confirm,
    Refused(&'static str, &'static str),
}

/// Who asks for the end of which session.
struct Hint<'s> {
    sid: String,
    client: Option<&'s Client>,
}

#[derive(Deserialize)]
struct IdToken<'t> {
    #[serde(borrow)]
    iss: Text<'t>,
    #[serde(borrow)]
    aud: Text<'t>,
    #[serde(borrow)]
    sid: Text<'t>,
}

/// Answers a request to the logout endpoint. `is_confirmed` says that it came from this server's own page.
pub(crate) fn logout(
    server: &AuthorizationServer,
    form: &Form,
    cookie: Option<&Digest>,
    is_confirmed: bool,
    now: Timestamp,
) -> Farewell {
    let hint = match form.get("id_token_hint").map(|token| hinted(server, token)) {
        Some(None) => return Farewell::Refused("invalid_request", "id_token_hint is no ID token of this server"),
        Some(Some(hint)) => Some(hint),
        None => None,
    };
    let named = form.get("client_id").and_then(|id| server.clients.get(id));
    let client = hint.as_ref().and_then(|hint| hint.client).or(named);
    if named.is_some_and(|named| client.is_some_and(|client| client.id != named.id)) {
        return Farewell::Refused("invalid_request", "client_id is not the audience of id_token_hint");
    }
    let to = form.get("post_logout_redirect_uri");
    if to.is_some_and(|to| !client.is_some_and(|client| client.may_return_after_logout(to))) {
        return Farewell::Refused("invalid_request", "post_logout_redirect_uri is not registered for this client");
    }
    let session = cookie.and_then(|cookie| {
        let state = server.grants.lock();
        state.session_of(cookie, now).map(|(sid, _)| sid.to_owned())
    });
    let sid = match (hint, session) {
        (Some(hint), _) => Some(hint.sid),
        (None, Some(_)) if !is_confirmed => return Farewell::Confirm,
        (None, session) => session,
    };
    if let Some(sid) = sid
        && end_session(server, &sid, "the user logged out", now).is_err()
    {
        return Farewell::Refused("server_error", "this server has no room left");
    }
    to.map_or(Farewell::Over, |to| Farewell::Redirect(with_state(to, form.get("state"))))
}

/// An ID token of this server, expired or not: who has it was given it.
fn hinted<'s>(server: &'s AuthorizationServer, token: &str) -> Option<Hint<'s>> {
    let compact = Compact::parse(token).ok()?;
    if compact.header.media_type() != Some("JWT") || !server.authority.state().keys.signed(&compact) {
        return None;
    }
    let claims: IdToken<'_> = json::from_slice(compact.payload.as_bytes()).ok()?;
    let is_own = claims.iss.0 == server.issuer();
    is_own.then(|| Hint { sid: claims.sid.0.into_owned(), client: server.clients.get(&claims.aud.0) })
}

fn with_state(uri: &str, state: Option<&str>) -> String {
    let Some(state) = state else { return uri.to_owned() };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", state);
    format!("{uri}{}{}", if uri.contains('?') { '&' } else { '?' }, query.finish())
}
