//! What happened, for tests and for the log: events of fixed fields, none of which is a secret.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::time::Timestamp;

/// So many events are kept; older ones go.
const KEPT: usize = 1_024;

/// One thing that a [`DevServer`](crate::dev::DevServer) did or refused to do.
///
/// Identifiers in it are those of registered clients and users, never what a stranger sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// What.
    pub kind: AuditKind,
    /// The client, where one was known.
    pub client: Option<String>,
    /// The user, where one took part.
    pub subject: Option<String>,
    /// The session, as tokens carry it in `sid`.
    pub sid: Option<String>,
    /// Further: the error code of a refusal, the grant type of a token.
    pub detail: Option<&'static str>,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal,)*) => {
        /// What kind of event; its names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AuditKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl AuditKind {
            /// The name in snake case, as logs have it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// A user logged in.
    LoggedIn = "logged_in",
    /// A user agreed, and a code was issued.
    CodeIssued = "code_issued",
    /// A user said no.
    ConsentDenied = "consent_denied",
    /// An authorization request was pushed (RFC 9126).
    RequestPushed = "request_pushed",
    /// An access token was issued; the detail is the grant type.
    TokenIssued = "token_issued",
    /// A refresh token was exchanged for the next.
    Refreshed = "refreshed",
    /// Very many refreshes of one family in a short time.
    RefreshBurst = "refresh_burst",
    /// A spent refresh token came back; its family is over.
    RefreshReused = "refresh_reused",
    /// A spent code came back; what it became is revoked.
    CodeReplayed = "code_replayed",
    /// A token was revoked.
    TokenRevoked = "token_revoked",
    /// A session ended.
    SessionEnded = "session_ended",
    /// A token was introspected.
    Introspected = "introspected",
    /// A request was refused; the detail is the error code.
    Refused = "refused",
    /// A listener took an event.
    EventDelivered = "event_delivered",
    /// A listener did not take an event.
    EventLost = "event_lost",
}

impl AuditEvent {
    pub(crate) fn new(at: Timestamp, kind: AuditKind) -> Self {
        Self { at, kind, client: None, subject: None, sid: None, detail: None }
    }

    pub(crate) fn client(mut self, client: &str) -> Self {
        self.client = Some(client.to_owned());
        self
    }

    pub(crate) fn subject(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    pub(crate) fn sid(mut self, sid: &str) -> Self {
        self.sid = Some(sid.to_owned());
        self
    }

    pub(crate) fn detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }
}

/// The last events.
#[derive(Debug, Default)]
pub(crate) struct Audit(Mutex<VecDeque<AuditEvent>>);

impl Audit {
    /// Keeps an event, and tells the log.
    pub(crate) fn note(&self, event: AuditEvent) {
        tracing::info!(
            target: "tower_oauth::dev",
            event = event.kind.as_str(),
            client = event.client.as_deref(),
            subject = event.subject.as_deref(),
            sid = event.sid.as_deref(),
            detail = event.detail,
        );
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= KEPT {
            events.pop_front();
        }
        events.push_back(event);
    }

    pub(crate) fn events(&self) -> Vec<AuditEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_events_are_kept_and_no_more() {
        let audit = Audit::default();
        for second in 0..KEPT as i64 + 3 {
            audit.note(AuditEvent::new(Timestamp::from_secs(second), AuditKind::TokenIssued));
        }
        let events = audit.events();
        assert_eq!((events.len(), events[0].at), (KEPT, Timestamp::from_secs(3)));
        assert_eq!(AuditKind::RefreshBurst.as_str(), "refresh_burst");
    }
}
