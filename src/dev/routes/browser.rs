//! The endpoints that a person's browser visits: no page of another origin reads them, frames them or posts to them for
//! the person.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::Shared;
use crate::dev::authorize::{self, Answer, PLAIN_POLICY, Reply};
use crate::dev::form::{Form, MAX_BODY_BYTES};
use crate::dev::grants::{Digest, digest};
use crate::dev::logout::{self, Farewell};
use crate::dev::refusal::{Refusal, uncached};
use crate::dev::server::AuthorizationServer;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) async fn authorize(State(server): State<Shared>, request: Request) -> Response {
    let (request, form) = read(request).await;
    let reply = match form {
        Ok(form) => {
            let cookie = cookie(&server, &request.headers);
            authorize::begin(&server, &form, cookie.as_ref(), server.now())
        }
        Err(refusal) => Answer::Refused(refusal.code(), refusal.description()).into(),
    };
    respond(&server, reply)
}

pub(super) async fn consent(State(server): State<Shared>, request: Request) -> Response {
    let (request, form) = read(request).await;
    let reply = match form {
        _ if !is_same_origin(&server, &request.headers) => {
            Answer::Refused("invalid_request", "the answer came from another page than this server's").into()
        }
        Ok(form) => {
            let cookie = cookie(&server, &request.headers);
            authorize::decide(&server, &form, cookie.as_ref(), server.now())
        }
        Err(refusal) => Answer::Refused(refusal.code(), refusal.description()).into(),
    };
    respond(&server, reply)
}

pub(super) async fn logout(State(server): State<Shared>, request: Request) -> Response {
    let (request, form) = read(request).await;
    let cookie = cookie(&server, &request.headers);
    let is_confirmed = request.method == Method::POST && is_same_origin(&server, &request.headers);
    let farewell = match form {
        Ok(form) => logout::logout(&server, &form, cookie.as_ref(), is_confirmed, server.now()),
        Err(refusal) => Farewell::Refused(refusal.code(), refusal.description()),
    };
    server.events.settled_soon().await;
    match farewell {
        Farewell::Redirect(to) => redirect(&to),
        Farewell::Over => page(StatusCode::OK, authorize::over_page(), PLAIN_POLICY),
        Farewell::Confirm => {
            page(StatusCode::OK, authorize::logout_page(&server.path("/logout")), &authorize::own_policy())
        }
        Farewell::Refused(code, description) => {
            page(StatusCode::BAD_REQUEST, authorize::error_page(code, description), PLAIN_POLICY)
        }
    }
}

/// The parameters, of the query or of the body.
async fn read(request: Request) -> (Parts, Result<Form, Refusal>) {
    let (request, body) = request.into_parts();
    if request.method == Method::POST {
        let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Refusal::TooLarge);
        let form = body.and_then(|body| Form::parse(&request.headers, &body));
        return (request, form);
    }
    let form = Form::from_encoded(request.uri.query().unwrap_or_default().as_bytes());
    (request, form)
}

/// What browsers say of where a form was sent from. What says nothing is no browser that could be tricked, or an old one,
/// which still lacks the ticket.
fn is_same_origin(server: &AuthorizationServer, headers: &HeaderMap) -> bool {
    let site = headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin");
    let path = server.path("");
    let origin = server.issuer().strip_suffix(path.as_str()).unwrap_or(server.issuer());
    site && headers.get(header::ORIGIN).is_none_or(|sent| sent == origin)
}

/// Cookies know no ports, so the name tells two servers of one machine apart.
fn cookie_name(server: &AuthorizationServer) -> String {
    let port = server.issuer().rsplit(':').next().unwrap_or_default().split('/').next().unwrap_or_default();
    format!("tower_oauth_dev_{port}")
}

fn cookie(server: &AuthorizationServer, headers: &HeaderMap) -> Option<Digest> {
    let name = cookie_name(server);
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| digest(value))
}

fn respond(server: &AuthorizationServer, reply: Reply) -> Response {
    let mut response = match reply.answer {
        Answer::Redirect(to) => redirect(&to),
        Answer::Ask { html, leads_to } => page(StatusCode::OK, html, &authorize::consent_policy(&leads_to)),
        Answer::Refused(code, description) => {
            let status = if code == "server_error" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
            page(status, authorize::error_page(code, description), PLAIN_POLICY)
        }
    };
    if let Some(cookie) = reply.cookie {
        let path = server.path("");
        let path = if path.is_empty() { "/" } else { &path };
        // Not `Secure`: there is no TLS on loopback. `Lax`, so that it comes along when a client sends its user here.
        let cookie = format!("{}={cookie}; Path={path}; HttpOnly; SameSite=Lax", cookie_name(server));
        response.headers_mut().extend(HeaderValue::try_from(cookie).ok().map(|value| (header::SET_COOKIE, value)));
    }
    response
}

/// 303, so that no browser posts the form once more to the client (RFC 9700 section 4.12).
fn redirect(to: &str) -> Response {
    let mut response = guarded(uncached("text/plain; charset=utf-8", Body::empty()), PLAIN_POLICY);
    match HeaderValue::try_from(to) {
        Ok(location) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(header::LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

fn page(status: StatusCode, html: String, policy: &str) -> Response {
    let mut response = guarded(uncached("text/html; charset=utf-8", html), policy);
    *response.status_mut() = status;
    response
}

fn guarded(mut response: Response, policy: &str) -> Response {
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(policy).ok().map(|policy| (header::CONTENT_SECURITY_POLICY, policy)));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Nothing of this URL goes to the client, and the form's own post still says where it comes from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
