//! The two kinds of events, as they are signed.

use serde_json::json;

use super::{Listener, Made};
use crate::dev::server::AuthorizationServer;
use crate::mint::events::logout::LogoutTokenBuilder;
use crate::mint::events::security::{SESSION_REVOKED, SecurityEventBuilder};
use crate::time::Timestamp;

/// A security event token: this session, of this user where it is known, is over (CAEP 1.0 section 3.1). `why` is for
/// people.
pub(super) fn session_revoked(
    server: &AuthorizationServer,
    listener: &Listener,
    sid: &str,
    subject: Option<&str>,
    why: &'static str,
    now: Timestamp,
) -> Made {
    let event = SecurityEventBuilder::new(&server.authority, &listener.audience);
    let event = match subject {
        Some(subject) => event.subject(subject).session(sid),
        None => event.subject_id(json!({ "format": "complex", "session": { "format": "opaque", "id": sid } })),
    };
    let event = event.event(SESSION_REVOKED, json!({ "reason_admin": { "en": why } }));
    // Whole seconds, rounded down like the times of tokens.
    event.happened_at(Timestamp::from_secs(now.as_secs())).try_sign()
}

/// A logout token for a client (OpenID Connect Back-Channel Logout 1.0 section 2.4).
pub(super) fn logout_token(server: &AuthorizationServer, client_id: &str, sid: &str, subject: Option<&str>) -> Made {
    let token = LogoutTokenBuilder::new(&server.authority, client_id).session(sid);
    match subject {
        Some(subject) => token.subject(subject).try_sign(),
        None => token.without("sub").try_sign(),
    }
}
