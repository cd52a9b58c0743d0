//! Access tokens that were issued, and those that were revoked before their end.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Digest, State, digest};
use crate::dev::grants::shelf::Full;
use crate::time::Timestamp;

/// An access token of this server as it knows it. The token itself is not kept.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) claims: Map<String, Value>,
    /// The grant with which it ends; none where no user took part.
    pub(crate) grant: Option<String>,
    /// Its place in the status list.
    pub(crate) status: Option<u64>,
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

    /// A place in the status list for one more token; each is given again after very many others.
    pub(crate) fn next_status(&mut self, len: u64) -> u64 {
        let place = self.statuses % len.max(1);
        self.statuses = self.statuses.wrapping_add(1);
        place
    }

    /// The place of each token that has one, and whether the token was ended.
    pub(crate) fn statuses(&self, now: Timestamp) -> impl Iterator<Item = (u64, bool)> {
        let issued = self.issued.iter(now);
        issued.filter_map(move |(key, issued)| Some((issued.status?, self.is_ended_by_hash(key, issued, now))))
    }

    /// Whether the token, its grant or its session was ended.
    pub(crate) fn is_ended(&self, token: &str, issued: &Issued, now: Timestamp) -> bool {
        self.is_ended_by_hash(&digest(token), issued, now)
    }

    fn is_ended_by_hash(&self, key: &Digest, issued: &Issued, now: Timestamp) -> bool {
        let sid = issued.claims.get("sid").and_then(Value::as_str);
        self.revoked.get(key, now).is_some()
            || issued.grant.as_deref().is_some_and(|grant| !self.is_live(grant, now))
            || sid.is_some_and(|sid| self.has_ended(sid, now))
    }
}
