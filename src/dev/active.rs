//! What a presented token stands for at this server, as long as nothing has ended it.

use serde_json::{Map, Value};

use crate::dev::grants::Issued;
use crate::dev::server::AuthorizationServer;
use crate::time::Timestamp;

/// The claims of an access token that is good now: one that was issued here, or a JWT by a key of this server.
pub(crate) fn active(server: &AuthorizationServer, token: &str, now: Timestamp) -> Option<Issued> {
    let known = server.grants.lock().issued(token, now).cloned();
    let issued = known.or_else(|| unasked(server, token))?;
    let is_ended = server.grants.lock().is_ended(token, &issued, now);
    (!is_ended && expiry(&issued.claims).is_some_and(|expiry| now < expiry)).then_some(issued)
}

/// `exp`, rounded down to whole seconds.
pub(crate) fn expiry(claims: &Map<String, Value>) -> Option<Timestamp> {
    let exp = claims.get("exp")?;
    exp.as_i64().or_else(|| exp.as_f64().map(|seconds| seconds as i64)).map(Timestamp::from_secs)
}

/// A token that was made without asking the server: by [`DevServer::token`](crate::dev::DevServer::token) or
/// [`opaque_token`](crate::dev::DevServer::opaque_token).
fn unasked(server: &AuthorizationServer, token: &str) -> Option<Issued> {
    let mut claims = server.authority.introspect(token);
    if claims.remove("active") != Some(Value::Bool(true)) {
        return None;
    }
    claims.remove("token_type");
    Some(Issued { claims, grant: None, status: None })
}
