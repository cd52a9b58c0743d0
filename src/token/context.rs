//! What a guard needs to judge and to refuse, without knowing the server.

use std::sync::Arc;

use crate::observe::{Detail, Event, Observers};
use crate::reject::{Challenger, Rejection};
use crate::scope::ScopeHierarchy;
use crate::time::{Clock, Timestamp};

/// Shared by all requests of one configuration.
#[derive(Debug)]
pub(crate) struct Context {
    /// Tells the layers of one server from those of another.
    pub(crate) server: u64,
    pub(crate) challenger: Challenger,
    pub(crate) hierarchy: ScopeHierarchy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observers: Observers,
}

impl Context {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a refusal known, and gives it back.
    pub(crate) fn refuse(&self, rejection: Rejection, issuer: Option<&str>, verified: bool) -> Rejection {
        let kind = rejection.kind();
        self.observers.emit(&Event::Refused {
            code: kind.as_str(),
            status: kind.status().as_u16(),
            issuer,
            verified,
            detail: Detail(&rejection),
        });
        rejection
    }
}
