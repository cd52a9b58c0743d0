//! Sessions: a user who logged in with one browser, known to tokens by `sid`.

use std::time::Duration;

use super::{Digest, State};
use crate::dev::grants::shelf::Full;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// The most clients whose consent one session remembers.
const MOST_CONSENTS: usize = 64;

/// How long the end of a session is remembered: longer than any token of it lives.
const ENDED_MEMORY: Duration = Duration::from_secs(48 * 3600);

/// A user who is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) subject: String,
    pub(crate) auth_time: Timestamp,
    pub(crate) acr: String,
    /// To which clients the user agreed, and to what.
    consents: Vec<(String, ScopeSet)>,
}

impl Session {
    pub(crate) fn new(subject: String, auth_time: Timestamp, acr: String) -> Self {
        Self { subject, auth_time, acr, consents: Vec::new() }
    }

    pub(crate) fn agreed_to(&self, client_id: &str, scopes: &ScopeSet) -> bool {
        let consent = self.consents.iter().find(|(client, _)| client == client_id);
        consent.is_some_and(|(_, agreed)| scopes.iter().all(|scope| agreed.contains(scope)))
    }

    pub(crate) fn note_consent(&mut self, client_id: &str, scopes: &ScopeSet) {
        self.consents.retain(|(client, _)| client != client_id);
        if self.consents.len() < MOST_CONSENTS {
            self.consents.push((client_id.to_owned(), scopes.clone()));
        }
    }

    pub(crate) fn clients(&self) -> impl Iterator<Item = &str> {
        self.consents.iter().map(|(client, _)| client.as_str())
    }
}

impl State {
    /// The session of the browser that has this cookie.
    pub(crate) fn session_of(&self, cookie: &Digest, now: Timestamp) -> Option<(&str, &Session)> {
        let sid = self.browsers.get(cookie, now)?;
        Some((sid, self.session(sid, now)?))
    }

    pub(crate) fn session(&self, sid: &str, now: Timestamp) -> Option<&Session> {
        if self.has_ended(sid, now) { None } else { self.sessions.get(&sid.to_owned(), now) }
    }

    /// Keeps a session, and under which cookie its browser is known from now on.
    pub(crate) fn keep_session(
        &mut self,
        sid: &str,
        session: Session,
        cookie: Digest,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Full> {
        self.sessions.put(sid.to_owned(), session, until, now)?;
        self.browsers.put(cookie, sid.to_owned(), until, now)
    }

    pub(crate) fn has_ended(&self, sid: &str, now: Timestamp) -> bool {
        self.ended.get(&sid.to_owned(), now).is_some()
    }

    /// Ends a session and with it all its grants; gives what was known of it. One that is unknown here ends too: tokens
    /// may carry any `sid`. Only that those are remembered needs room.
    pub(crate) fn end_session(&mut self, sid: &str, now: Timestamp) -> (Option<Session>, Result<(), Full>) {
        for grant in self.grants.values_mut().filter(|grant| grant.consented.sid == sid) {
            grant.revoked = true;
        }
        let session = self.sessions.take(&sid.to_owned(), now);
        (session, self.ended.put(sid.to_owned(), (), now.plus(ENDED_MEMORY), now))
    }
}
