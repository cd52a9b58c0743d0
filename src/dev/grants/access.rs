//! Access tokens that were issued, and those that were revoked before their end.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{State, digest};
use crate::dev::grants::shelf::Full;
use crate::time::Timestamp;

/// An access token of this server as it knows it. The token itself is not kept.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) claims: Map<String, Value>,
    /// The grant with which it ends; none where no user took part.
    pub(crate) grant: Option<String>,
}

/// How long a revocation is remembered: no token of this server lives longer unless a test makes it so.
const REVOKED_MEMORY: Duration = Duration::from_secs(48 * 3600);

impl State {
    pub(crate) fn keep_issued(
        &mut self,
        token: &str,
        issued: Issued,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Full> {
        self.issued.put(digest(token), issued, until, now)
    }

    /// What a token stands for, as long as nothing has ended it.
    pub(crate) fn issued(&self, token: &str, now: Timestamp) -> Option<&Issued> {
        self.issued.get(&digest(token), now)
    }

    pub(crate) fn revoke_access_token(&mut self, token: &str, now: Timestamp) -> Result<(), Full> {
        self.revoked.put(digest(token), (), now.plus(REVOKED_MEMORY), now)
    }

    /// Whether the token, its grant or its session was ended.
    pub(crate) fn is_ended(&self, token: &str, issued: &Issued, now: Timestamp) -> bool {
        let sid = issued.claims.get("sid").and_then(Value::as_str);
        self.revoked.get(&digest(token), now).is_some()
            || issued.grant.as_deref().is_some_and(|grant| !self.is_live(grant, now))
            || sid.is_some_and(|sid| self.has_ended(sid, now))
    }
}
