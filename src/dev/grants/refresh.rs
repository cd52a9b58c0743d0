//! Refreshing a grant: one token for one use, and what follows when a spent one comes back.

use std::sync::Arc;
use std::time::Duration;

use super::{Consented, Grant, Lifetimes, State};
use crate::dev::grants::family::{RefreshToken, Standing};
use crate::dev::refusal::Refusal;
use crate::time::Timestamp;

/// Who asks with a refresh token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refresh<'r> {
    pub(crate) token: &'r str,
    pub(crate) client_id: &'r str,
    pub(crate) jkt: Option<&'r str>,
}

/// Why a refresh token is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefreshError {
    /// Not good, for this reason. Nothing changes.
    Invalid(&'static str),
    /// The token is good, what is asked with it is not. It can still be used.
    Refused(Refusal),
    /// Spent before, and presented by who may present it: the family is over. Its session is named.
    Reused(String),
}

/// A grant that lives on.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub(crate) grant: String,
    pub(crate) consented: Arc<Consented>,
    pub(crate) refresh_token: String,
    /// This was one of very many in a short time.
    pub(crate) is_burst: bool,
}

impl State {
    /// Answers a refresh token with the next. What else the request asks is judged by `check` before the token is spent.
    pub(crate) fn refresh<T>(
        &mut self,
        request: &Refresh<'_>,
        lifetimes: &Lifetimes,
        now: Timestamp,
        check: impl FnOnce(&Consented) -> Result<T, Refusal>,
    ) -> Result<(Refreshed, T), RefreshError> {
        const UNKNOWN: RefreshError = RefreshError::Invalid("the refresh token is unknown");
        let token = RefreshToken::parse(request.token).ok_or(UNKNOWN)?;
        let id = token.grant.to_owned();
        let is_over = self.grants.get(&id, now).is_some_and(|grant| self.has_ended(&grant.consented.sid, now));
        let grant = self.grants.get_mut(&id, now).ok_or(UNKNOWN)?;
        let standing = grant.family.standing(&token, lifetimes.grace, now);
        if standing == Standing::Foreign {
            return Err(UNKNOWN);
        }
        // Whoever is not the owner ends nothing: otherwise a token found in a log would be a way to log people out.
        if grant.consented.client_id != request.client_id {
            return Err(RefreshError::Invalid("the refresh token was issued to another client"));
        }
        if grant.jkt.is_some() && grant.jkt.as_deref() != request.jkt {
            return Err(RefreshError::Invalid("the refresh token is bound to another DPoP key"));
        }
        if grant.revoked || is_over {
            return Err(RefreshError::Invalid("the grant was revoked or its session has ended; authorize again"));
        }
        if now > grant.ends {
            return Err(RefreshError::Invalid("the grant has reached its absolute end; authorize again"));
        }
        if standing == Standing::Spent {
            let sid = grant.consented.sid.clone();
            grant.revoked = true;
            return Err(RefreshError::Reused(sid));
        }
        let checked = check(&grant.consented).map_err(RefreshError::Refused)?;
        if standing == Standing::Current {
            grant.family.rotate(now);
        }
        let is_burst = grant.family.is_burst(now);
        let refresh_token = grant.family.token(&id);
        let consented = Arc::clone(&grant.consented);
        Ok((Refreshed { grant: id, consented, refresh_token, is_burst }, checked))
    }

    /// The grant of a refresh token, spent or not.
    pub(crate) fn grant_of_refresh_token(&self, token: &str, now: Timestamp) -> Option<(String, &Grant)> {
        let token = RefreshToken::parse(token)?;
        let grant = self.grants.get(&token.grant.to_owned(), now)?;
        let standing = grant.family.standing(&token, Duration::ZERO, now);
        (standing != Standing::Foreign).then(|| (token.grant.to_owned(), grant))
    }

    /// The grant of a refresh token that would be answered now.
    pub(crate) fn good_refresh_token(&self, token: &str, now: Timestamp) -> Option<&Grant> {
        let token = RefreshToken::parse(token)?;
        let grant = self.grants.get(&token.grant.to_owned(), now)?;
        let is_current = grant.family.standing(&token, Duration::ZERO, now) == Standing::Current;
        (is_current && now <= grant.ends && self.is_live(token.grant, now)).then_some(grant)
    }

    /// Whether the grant is neither revoked nor of a session that has ended.
    pub(crate) fn is_live(&self, grant: &str, now: Timestamp) -> bool {
        let grant = self.grants.get(&grant.to_owned(), now);
        grant.is_some_and(|grant| !grant.revoked && !self.has_ended(&grant.consented.sid, now))
    }

    /// Ends a grant and all its tokens. Gives its session if no other grant of it is left.
    pub(crate) fn revoke_grant(&mut self, id: &str, now: Timestamp) -> Option<String> {
        let grant = self.grants.get_mut(&id.to_owned(), now)?;
        grant.revoked = true;
        let sid = grant.consented.sid.clone();
        let is_other = self.grants.iter(now).any(|(_, other)| other.consented.sid == sid && !other.revoked);
        (!is_other).then_some(sid)
    }
}

impl Grant {
    pub(crate) fn ends(&self) -> Timestamp {
        self.ends
    }
}
