//! The second step: a person has answered, and the client gets a code or learns that there is none.

use std::sync::Arc;

use super::begin::{SERVER, is_fit, return_of};
use super::request::{AuthorizationRequest, Problem};
use super::{Answer, Pending, Reply};
use crate::dev::audit::AuditKind;
use crate::dev::form::Form;
use crate::dev::grants::shelf::Full;
use crate::dev::grants::{Code, Consented, Digest, Session, digest};
use crate::dev::server::AuthorizationServer;
use crate::mint::claims::random_id;
use crate::time::Timestamp;

/// How the user is known.
#[derive(Clone, Copy)]
pub(super) enum Login<'l> {
    /// Nothing new: a login before is good enough.
    Same { sid: &'l str, session: &'l Session },
    /// A login just now; in the session of the same user where there is one.
    New { subject: &'l str, sid: Option<&'l str> },
}

impl<'l> Login<'l> {
    /// What it is when `subject` agrees in a browser that has `session`.
    pub(super) fn of(
        subject: &'l str,
        session: Option<&'l (String, Session)>,
        request: &AuthorizationRequest,
        now: Timestamp,
    ) -> Self {
        match session {
            Some((sid, session)) if session.subject == subject && is_fit(session, request, now) => {
                Self::Same { sid, session }
            }
            Some((sid, session)) if session.subject == subject => Self::New { subject, sid: Some(sid) },
            _ => Self::New { subject, sid: None },
        }
    }
}

/// Takes a person's answer to the page. The ticket is good once, and only in the browser that was asked.
pub(crate) fn decide(server: &AuthorizationServer, form: &Form, cookie: Option<&Digest>, now: Timestamp) -> Reply {
    const LOST: Answer = Answer::Refused(
        "invalid_request",
        "this page was answered before, is too old, or belongs to another browser; go back to the application and begin \
         again",
    );
    let Some(ticket) = form.get("ticket").map(digest) else { return LOST.into() };
    let mut state = server.grants.lock();
    if state.pending.get(&ticket, now).is_none_or(|pending| Some(&pending.browser) != cookie) {
        return LOST.into();
    }
    let Some(Pending { request, pushed, .. }) = state.pending.take(&ticket, now) else { return LOST.into() };
    let known = cookie.and_then(|cookie| state.session_of(cookie, now));
    let session = known.map(|(sid, session)| (sid.to_owned(), session.clone()));
    drop(state);
    let user = form.get("user").and_then(|user| server.users.get(user));
    match (form.get("decision"), user) {
        (Some("allow"), Some(user)) => {
            let login = Login::of(user.subject(), session.as_ref(), &request, now);
            grant(server, &request, login, pushed.as_ref(), cookie, now)
        }
        (Some("allow"), None) => Answer::Refused("invalid_request", "there is no such user").into(),
        _ => {
            server.note(AuditKind::ConsentDenied, now, |event| event.client(&request.client_id));
            let problem = Problem("access_denied", "the user said no");
            Answer::Redirect(return_of(server, &request).problem(problem)).into()
        }
    }
}

/// Gives the client a code.
pub(super) fn grant(
    server: &AuthorizationServer,
    request: &Arc<AuthorizationRequest>,
    login: Login<'_>,
    pushed: Option<&Digest>,
    cookie: Option<&Digest>,
    now: Timestamp,
) -> Reply {
    let (Ok(code), Ok(fresh_sid), Ok(fresh_cookie)) = (random_id(), random_id(), random_id()) else {
        return SERVER.into();
    };
    let (sid, mut session, is_login) = match login {
        Login::Same { sid, session } => (sid.to_owned(), session.clone(), false),
        Login::New { subject, sid } => {
            let session = Session::new(subject.to_owned(), now, acr(server, request));
            (sid.map_or(fresh_sid, str::to_owned), session, true)
        }
    };
    session.note_consent(&request.client_id, &request.scopes);
    // A login renews the cookie: one that somebody else has put into the browser is worth nothing then.
    let renewed = if is_login || cookie.is_none() { Some(fresh_cookie) } else { None };
    let browser = renewed.as_deref().map_or_else(|| cookie.copied().unwrap_or_default(), digest);
    let subject = session.subject.clone();
    if keep(server, request, &code, &sid, session, browser, pushed, now).is_err() {
        return SERVER.into();
    }
    if is_login {
        server.note(AuditKind::LoggedIn, now, |event| event.subject(&subject).sid(&sid));
    }
    server.note(AuditKind::CodeIssued, now, |event| event.client(&request.client_id).subject(&subject).sid(&sid));
    Reply { answer: Answer::Redirect(return_of(server, request).code(&code)), cookie: renewed }
}

/// What the login is worth: what was asked for, in the order of the request, else the first that there is.
fn acr(server: &AuthorizationServer, request: &AuthorizationRequest) -> String {
    let supported = &server.settings.acr_values;
    let asked = request.acr_values.iter().find(|value| supported.contains(value));
    asked.or(supported.first()).cloned().unwrap_or_default()
}

#[expect(clippy::too_many_arguments, reason = "one transaction under one lock")]
fn keep(
    server: &AuthorizationServer,
    request: &Arc<AuthorizationRequest>,
    code: &str,
    sid: &str,
    session: Session,
    browser: Digest,
    pushed: Option<&Digest>,
    now: Timestamp,
) -> Result<(), Full> {
    let lifetimes = &server.settings.lifetimes;
    let consented = Consented {
        client_id: request.client_id.clone(),
        subject: session.subject.clone(),
        sid: sid.to_owned(),
        scopes: request.scopes.clone(),
        resources: request.resources.clone(),
        auth_time: session.auth_time,
        acr: session.acr.clone(),
        details: request.details.clone(),
    };
    let code_of = Code {
        consented: Arc::new(consented),
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        nonce: request.nonce.clone(),
        jkt: request.jkt.clone(),
        expires: now.plus(lifetimes.code),
        redeemed: None,
    };
    let mut state = server.grants.lock();
    // Of two answers to one pushed request, the second finds it gone.
    if let Some(pushed) = pushed {
        state.pushed.take(pushed, now).ok_or(Full)?;
    }
    state.keep_session(sid, session, browser, now.plus(lifetimes.refresh), now)?;
    state.keep_code(code, code_of, now)
}
