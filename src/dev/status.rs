//! The server's own status list (draft-ietf-oauth-status-list): each signed token has a place in it, where a resource
//! server reads from memory that the token was revoked.

use serde_json::{Map, Value, json};

use crate::dev::server::AuthorizationServer;
use crate::mint::documents::status_list_uri;
use crate::mint::status_list::StatusList;
use crate::time::Timestamp;

/// The number of the list; the others are for whoever writes a test.
pub(crate) const LIST: u32 = 0;

/// Sixteen times the most tokens that are remembered, so that a place is given again long after its token has ended.
const LEN: u64 = 1 << 20;

const VALID: u8 = 0;
const INVALID: u8 = 1;

pub(crate) fn list() -> StatusList {
    StatusList::new(1, LEN)
}

/// Puts a reference into the claims of a token (section 6.2), where there is a list.
pub(crate) fn give(server: &AuthorizationServer, claims: &mut Map<String, Value>) -> Option<u64> {
    if !server.settings.has_status_list {
        return None;
    }
    let place = server.grants.lock().next_status(LEN);
    let uri = status_list_uri(server.issuer(), LIST);
    claims.insert("status".into(), json!({ "status_list": { "idx": place, "uri": uri } }));
    Some(place)
}

/// Writes down what has become of the tokens, before the list is read.
pub(crate) fn refresh(server: &AuthorizationServer, now: Timestamp) {
    if !server.settings.has_status_list {
        return;
    }
    let statuses: Vec<(u64, bool)> = server.grants.lock().statuses(now).collect();
    let mut state = server.authority.state();
    let Some(list) = state.status_lists.get_mut(&LIST) else { return };
    for (place, is_ended) in statuses {
        // Every place lies within the list.
        let _ = list.set(place, if is_ended { INVALID } else { VALID });
    }
}
