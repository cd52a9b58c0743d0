//! The two kinds of events, as they are signed.

use serde_json::{Map, Value, json};

use super::{Listener, Made};
use crate::dev::server::AuthorizationServer;
use crate::mint::claims::random_id;
use crate::time::Timestamp;

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A security event token: the session of `sub_id` is over (RFC 8417; CAEP section 3.1). Neither `sub` nor `exp`, by the
/// profile of the Shared Signals Framework.
pub(super) fn session_revoked(
    server: &AuthorizationServer,
    listener: &Listener,
    sid: &str,
    subject: Option<&str>,
    why: &'static str,
    now: Timestamp,
) -> Made {
    let mut sub_id = Map::from_iter([
        ("format".to_owned(), "complex".into()),
        ("session".to_owned(), json!({ "format": "opaque", "id": sid })),
    ]);
    if let Some(subject) = subject {
        sub_id.insert("user".into(), json!({ "format": "iss_sub", "iss": server.issuer(), "sub": subject }));
    }
    let event = json!({ "event_timestamp": now.as_secs(), "reason_admin": { "en": why } });
    let claims = json!({
        "iss": server.issuer(),
        "aud": listener.audience,
        "iat": now.as_secs(),
        "jti": random_id()?,
        "sub_id": sub_id,
        "events": { SESSION_REVOKED: event },
    });
    sign(server, "secevent+jwt", &claims)
}

/// A logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
pub(super) fn logout_token(
    server: &AuthorizationServer,
    client_id: &str,
    sid: &str,
    subject: Option<&str>,
    now: Timestamp,
) -> Made {
    let mut claims = Map::from_iter([
        ("iss".to_owned(), server.issuer().into()),
        ("aud".to_owned(), client_id.into()),
        ("iat".to_owned(), now.as_secs().into()),
        // Two minutes are what the standard recommends.
        ("exp".to_owned(), (now.as_secs() + 120).into()),
        ("jti".to_owned(), random_id()?.into()),
        ("sid".to_owned(), sid.into()),
        ("events".to_owned(), json!({ LOGOUT: {} })),
    ]);
    claims.extend(subject.map(|subject| ("sub".to_owned(), subject.into())));
    sign(server, "logout+jwt", &Value::Object(claims))
}

fn sign(server: &AuthorizationServer, typ: &str, claims: &Value) -> Made {
    let key = server.authority.state().keys.current()?;
    let header = json!({ "typ": typ, "alg": key.algorithm().as_str(), "kid": key.kid() });
    Ok(key.sign(&header, claims)?)
}
