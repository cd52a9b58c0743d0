//! What a guard needs to judge and to refuse, without knowing the server.

use std::fmt;
use std::sync::{Arc, Weak};

use super::{Authenticated, Terms};
use crate::demand::Freshness;
use crate::observe::{Detail, Event, Observers};
use crate::reject::{Cause, Challenger, Rejection};
use crate::scope::ScopeHierarchy;
use crate::store::Answer;
use crate::time::{Clock, Timestamp};

/// Asks once more whether a token still stands. The server does, for guards that know nothing of it.
pub(crate) trait Recheck: Send + Sync + fmt::Debug {
    /// The request's token, known to stand as freshly as `wanted`; its facts may be newer than before.
    fn recheck(&self, known: &Authenticated, wanted: Freshness) -> Answer<Result<Authenticated, Rejection>>;
}

/// Shared by all requests of one configuration.
#[derive(Debug)]
pub(crate) struct Context {
    /// Tells the layers of one server from those of another.
    pub(crate) server: u64,
    pub(crate) challenger: Challenger,
    pub(crate) hierarchy: ScopeHierarchy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observers: Observers,
    /// What the server asks for where nothing else is said.
    pub(crate) terms: Terms,
    /// The server that has this context; gone only when nobody serves by it any more.
    pub(crate) server_itself: Weak<dyn Recheck>,
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

    pub(super) fn recheck(&self, known: &Authenticated, wanted: Freshness) -> Answer<Result<Authenticated, Rejection>> {
        match self.server_itself.upgrade() {
            Some(server) => server.recheck(known, wanted),
            None => Answer::Now(Err(self.refuse(Rejection::mistake(Cause::ServerGone), Some(known.issuer()), true))),
        }
    }
}
