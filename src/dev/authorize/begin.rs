//! The first step: a browser brings a request. Either it can be answered at once, or a person is asked.

use std::sync::Arc;
use std::time::Duration;

use super::decide::{Login, grant};
use super::page::consent_page;
use super::request::{AuthorizationRequest, Problem, parse};
use super::response::Return;
use super::{Answer, Pending, Reply};
use crate::dev::audit::AuditKind;
use crate::dev::endpoint::Endpoint;
use crate::dev::form::Form;
use crate::dev::grants::{Digest, Session, digest};
use crate::dev::misplaced::misplaced;
use crate::dev::server::{AuthorizationServer, Consent};
use crate::mint::claims::random_id;
use crate::time::Timestamp;

/// How long a person may think.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) const SERVER: Answer = Answer::Refused("server_error", "this server has no randomness or no room left");

/// Answers a request to the authorization endpoint. `cookie` is the hash of the browser's cookie.
pub(crate) fn begin(server: &AuthorizationServer, form: &Form, cookie: Option<&Digest>, now: Timestamp) -> Reply {
    let (request, pushed) = match read(server, form, now) {
        Ok(read) => read,
        Err(answer) => {
            let known = form.get("client_id").and_then(|id| server.clients.get(id)).map(|client| client.id.as_str());
            server.note(AuditKind::Refused, now, |event| {
                known.into_iter().fold(event, |event, client| event.client(client)).detail("authorization_request")
            });
            return answer.into();
        }
    };
    let session = cookie.and_then(|cookie| {
        let state = server.grants.lock();
        state.session_of(cookie, now).map(|(sid, session)| (sid.to_owned(), session.clone()))
    });
    let fit = session.as_ref().filter(|(_, session)| is_fit(session, &request, now));
    let refuse = |problem| Reply::from(Answer::Redirect(return_of(server, &request).problem(problem)));
    if request.prompt.none {
        return match fit {
            None => refuse(Problem("login_required", "nobody is logged in as the request demands")),
            Some((_, session)) if !session.agreed_to(&request.client_id, &request.scopes) => {
                refuse(Problem("consent_required", "the user has not agreed to this before"))
            }
            Some((sid, session)) => grant(server, &request, Login::Same { sid, session }, pushed.as_ref(), cookie, now),
        };
    }
    match &server.settings.consent {
        Consent::Deny => {
            server.note(AuditKind::ConsentDenied, now, |event| event.client(&request.client_id));
            refuse(Problem("access_denied", "the user said no"))
        }
        Consent::Approve(user) => {
            let hinted = request.login_hint.as_deref().and_then(|hint| server.users.get(hint));
            let user = hinted.map_or(user.as_str(), |user| user.subject());
            let login = Login::of(user, session.as_ref(), &request, now);
            grant(server, &request, login, pushed.as_ref(), cookie, now)
        }
        Consent::Ask => ask(server, request, pushed, session.as_ref(), cookie, now),
    }
}

/// Whether the session needs no new login for this request (OpenID Connect Core 1.0 section 3.1.2.3, RFC 9470 section 5).
pub(super) fn is_fit(session: &Session, request: &AuthorizationRequest, now: Timestamp) -> bool {
    !request.prompt.login
        && request.max_age.is_none_or(|max_age| now.since(session.auth_time) <= max_age)
        && (request.acr_values.is_empty() || request.acr_values.contains(&session.acr))
}

pub(super) fn return_of<'r>(server: &'r AuthorizationServer, request: &'r AuthorizationRequest) -> Return<'r> {
    Return { redirect_uri: &request.redirect_uri, state: request.state.as_deref(), issuer: server.issuer() }
}

/// The request, in full or by the name under which it was pushed (RFC 9126 section 4).
fn read(
    server: &AuthorizationServer,
    form: &Form,
    now: Timestamp,
) -> Result<(Arc<AuthorizationRequest>, Option<Digest>), Answer> {
    if let Some(hint) = misplaced(Endpoint::Authorization, form) {
        return Err(Answer::Refused("invalid_request", hint));
    }
    let client = form.get("client_id").and_then(|id| server.clients.get(id));
    let client = client.ok_or(Answer::Refused("invalid_request", "client_id is missing or unknown"))?;
    if let Some(request_uri) = form.get("request_uri") {
        let key = digest(request_uri);
        let state = server.grants.lock();
        let pushed = state.pushed.get(&key, now).filter(|pushed| pushed.client_id == client.id);
        let unknown = "request_uri is unknown, has expired or was used; push the request again (RFC 9126)";
        return match pushed {
            Some(pushed) => Ok((Arc::clone(pushed), Some(key))),
            None => Err(Answer::Refused("invalid_request_uri", unknown)),
        };
    }
    let redirect_uri = client.redirect_uri(form.get("redirect_uri")).ok_or(Answer::Refused(
        "invalid_request",
        "redirect_uri is not registered for this client; it is compared character by character, but for the port of a \
         loopback address",
    ))?;
    let to = Return { redirect_uri: &redirect_uri.clone(), state: form.get("state"), issuer: server.issuer() };
    if client.must_push {
        let problem = Problem("invalid_request", "this client must push its requests (RFC 9126)");
        return Err(Answer::Redirect(to.problem(problem)));
    }
    parse(form, client, redirect_uri, &server.settings, server.issuer(), None)
        .map(|request| (Arc::new(request), None))
        .map_err(|problem| Answer::Redirect(to.problem(problem)))
}

fn ask(
    server: &AuthorizationServer,
    request: Arc<AuthorizationRequest>,
    pushed: Option<Digest>,
    session: Option<&(String, Session)>,
    cookie: Option<&Digest>,
    now: Timestamp,
) -> Reply {
    // A browser without a cookie gets one now, so that the answer can be told from a forged one.
    let (Ok(ticket), Ok(fresh)) = (random_id(), random_id()) else { return SERVER.into() };
    let browser = cookie.copied().unwrap_or_else(|| digest(&fresh));
    let html = consent_page(server, &request, session.map(|(_, session)| session), &ticket, now);
    let leads_to = request.redirect_uri.clone();
    let kept = server.grants.lock().pending.put(
        digest(&ticket),
        Pending { request, browser, pushed },
        now.plus(PATIENCE),
        now,
    );
    if kept.is_err() {
        return SERVER.into();
    }
    Reply { answer: Answer::Ask { html, leads_to }, cookie: cookie.is_none().then_some(fresh) }
}
