//! Asking an issuer about a token (RFC 7662, RFC 9701): once however many wait, and never more than it bears.
//!
//! | what comes | what is done |
//! |---|---|
//! | an answer in its lifetime is there, and meets the need | it is used: 30 s if active and never past `exp`, 5 s if not |
//! | the question is under way | wait with the others; it goes on when whoever began it leaves |
//! | another replica has asked | its answer is used, as old as it is |
//! | none of these | one question, if there is a slot: 64 at once, a quarter of them for tokens that were active before |
//! | the issuer fails five times in a row | it is not asked for 10 s, then tried once |
//! | it answers 429 | nobody asks before the time that it names |
//!
//! A question without an answer is [`Unavailable`]: the token was not judged, so the request is neither refused as
//! unauthenticated nor let through. Answers are judged by the caller's clock, pauses by the monotonic one. Nothing is
//! asked before the first request, so an introspector can be made without a runtime; its tasks end with it.

mod breaker;
mod cache;
mod core;
mod endpoint;
mod flights;
mod gate;
mod question;
mod retry_after;
mod settings;
mod signed;
mod unavailable;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use self::core::Core;
use crate::store::{Answer, StoreError};
use crate::time::Timestamp;

pub(crate) use self::signed::Signatures;
pub(crate) use self::unavailable::Unavailable;
pub(crate) use self::{
    cache::{ActiveLifetime, Lifetimes},
    settings::{IntrospectionLimits, IntrospectorSettings},
};

/// How new an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Any that is in its lifetime.
    Cached,
    /// One that was asked for at this moment or later.
    NotBefore(Timestamp),
    /// One that is asked for after this need arose.
    Anew,
}

/// An issuer's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Our clock, before the question was sent.
    pub(crate) asked_at: Timestamp,
    pub(crate) state: State,
}

impl Reply {
    /// All that the issuer says of the token, if it says that it is active.
    pub(crate) fn active(&self) -> Option<&str> {
        match &self.state {
            State::Active(claims) => Some(claims),
            State::Inactive => None,
        }
    }
}

/// What an issuer says of a token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// With all that it says of it: one JSON object.
    Active(Arc<str>),
    Inactive,
}

/// How a question ends.
pub(crate) type Outcome = Result<Reply, Unavailable>;

/// Asks one issuer about tokens. Dropping it ends its questions.
pub(crate) struct Introspector(Arc<Core>);

impl Introspector {
    /// Neither asks nor needs a runtime.
    pub(crate) fn new(settings: IntrospectorSettings) -> Self {
        Self(Arc::new(Core::new(settings)))
    }

    /// What the issuer says of `token`, at once where that is known. The caller bounds the token's length.
    pub(crate) fn ask(&self, token: &str, need: Need, now: Timestamp) -> Answer<Outcome> {
        let key = self.0.key(token);
        let need = self.0.cache.need(need);
        match self.0.cache.get(&key, need, now) {
            Some(reply) => Answer::Now(Ok(reply)),
            None => self.0.fly(key, token, need, now),
        }
    }

    /// Until when an answer that a token is active may be used.
    pub(crate) fn serves_until(&self, asked_at: Timestamp, expires_at: Option<Timestamp>) -> Timestamp {
        self.0.cache.lifetimes().active_end(asked_at, expires_at)
    }

    /// The last answer about `token`, if it called it active, past its lifetime but not past `exp`. For whoever decides
    /// to go on without an answer.
    pub(crate) fn last_known(&self, token: &str, now: Timestamp) -> Option<Reply> {
        self.0.cache.last_active(&self.0.key(token), now)
    }

    /// Forgets what was said of `token`; what is being asked now is not kept.
    pub(crate) fn forget(&self, token: &str) -> Answer<Result<(), StoreError>> {
        let key = self.0.key(token);
        {
            let mut flights = self.0.flights();
            flights.disown(&key);
            self.0.cache.forget(&key);
        }
        self.0.answers.as_ref().map_or(Answer::Now(Ok(())), |answers| answers.forget(key))
    }

    /// Forgets every answer, and uses no shared one that was asked for at `now` or before.
    pub(crate) fn forget_all(&self, now: Timestamp) {
        let mut flights = self.0.flights();
        flights.disown_all();
        self.0.cache.clear();
        self.0.forgotten_at.fetch_max(now.as_millis(), Ordering::Relaxed);
    }
}

impl Drop for Introspector {
    fn drop(&mut self) {
        let tasks = self.0.flights().close();
        tasks.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

impl Need {
    /// Whether an answer that was asked for at this moment meets it.
    fn is_met_by(self, asked_at: Timestamp) -> bool {
        match self {
            Self::Cached => true,
            Self::NotBefore(earliest) => earliest <= asked_at,
            Self::Anew => false,
        }
    }

    fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Anew, _) | (_, Self::Anew) => Self::Anew,
            (Self::NotBefore(one), Self::NotBefore(another)) => Self::NotBefore(one.max(another)),
            (Self::Cached, need) | (need, Self::Cached) => need,
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active(_) => "Active",
            Self::Inactive => "Inactive",
        })
    }
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector")
            .field("issuer", &self.0.issuer)
            .field("client", &self.0.client)
            .field("answers", &self.0.cache.len())
            .field("questions", &self.0.flights().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
