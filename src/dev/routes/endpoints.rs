//! The endpoints that clients and resource servers use.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::json;

use super::Shared;
use crate::dev::authorize::Problem;
use crate::dev::form::{Form, MAX_BODY_BYTES};
use crate::dev::refusal::{Refusal, json_response, uncached};
use crate::dev::server::AuthorizationServer;
use crate::dev::{introspect, par, revoke, token, userinfo};
use crate::time::Timestamp;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

pub(super) async fn token(State(server): State<Shared>, request: Request) -> Response {
    with_form(&server, request, |headers, form, now| {
        token::answer(&server, headers, form, now).map(|answer| json_response(&answer))
    })
    .await
}

pub(super) async fn par(State(server): State<Shared>, request: Request) -> Response {
    with_form(&server, request, |headers, form, now| {
        Ok(match par::push(&server, headers, form, now)? {
            Ok(answer) => with_status(StatusCode::CREATED, json_response(&answer)),
            Err(Problem(code, description)) => {
                let body = json!({ "error": code, "error_description": description });
                with_status(StatusCode::BAD_REQUEST, json_response(&body))
            }
        })
    })
    .await
}

pub(super) async fn introspect(State(server): State<Shared>, request: Request) -> Response {
    server.authority.introspections.add_one();
    let accept = request.headers().get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let is_signed = accept.flat_map(|value| value.split(',')).any(|media_type| {
        media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(introspect::SIGNED)
    });
    with_form(&server, request, |headers, form, now| match introspect::introspect(&server, headers, form, now) {
        Ok(introspected) if is_signed => {
            introspect::signed(&server, &introspected, now).map(|jwt| uncached(introspect::SIGNED, jwt))
        }
        Ok(introspected) => Ok(json_response(&introspected.members)),
        // RFC 9701 section 4: who asks for a signed answer and is nobody gets 400.
        Err(Refusal::Client) if is_signed => Ok(with_status(StatusCode::BAD_REQUEST, Refusal::Client.into_response())),
        Err(refusal) => Err(refusal),
    })
    .await
}

pub(super) async fn revoke(State(server): State<Shared>, request: Request) -> Response {
    with_form(&server, request, |headers, form, now| {
        revoke::revoke(&server, headers, form, now).map(|()| uncached("application/json", Body::from("{}")))
    })
    .await
}

pub(super) async fn userinfo(State(server): State<Shared>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let now = server.now();
    let mut response = match userinfo::userinfo(&server, &request.headers, request.method.as_str(), now) {
        Ok(claims) => json_response(&claims),
        Err(unwelcome) => {
            let mut response = with_status(unwelcome.status, uncached("application/json", Body::from("{}")));
            response.headers_mut().insert(header::WWW_AUTHENTICATE, unwelcome.challenge());
            response
        }
    };
    give_nonce(&server, &request.headers, &mut response, now);
    response
}

/// Reads the form of a request, and decides once it is whole.
async fn with_form(
    server: &AuthorizationServer,
    request: Request,
    decide: impl FnOnce(&HeaderMap, &Form, Timestamp) -> Result<Response, Refusal>,
) -> Response {
    let (request, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await;
    // After the body has come: a slow one must not be judged by the time at which it began.
    let now = server.now();
    let form = body.map_err(|_| Refusal::TooLarge).and_then(|body| Form::parse(&request.headers, &body));
    let answer = form.and_then(|form| decide(&request.headers, &form, now));
    let mut response = answer.unwrap_or_else(|refusal| refusal.into_response());
    // Who reads the answer may rely on it that listeners know.
    server.events.settled_soon().await;
    give_nonce(server, &request.headers, &mut response, now);
    response
}

/// Whoever sends proofs learns the nonce to use next, whatever became of this one (RFC 9449 section 8.2).
fn give_nonce(server: &AuthorizationServer, request: &HeaderMap, response: &mut Response, now: Timestamp) {
    if request.contains_key("dpop") {
        response.headers_mut().extend(server.dpop.nonce(now).map(|nonce| (DPOP_NONCE, nonce)));
    }
}

fn with_status(status: StatusCode, mut response: Response) -> Response {
    *response.status_mut() = status;
    response
}
