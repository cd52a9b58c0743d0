//! Whether a proved token still stands: by the denylist, by its issuer's status lists, by the word of its issuer; the
//! cheapest that is as fresh as the request wants.
//!
//! | wanted | what is looked at |
//! |---|---|
//! | `Offline` | nothing more |
//! | `Denylist` | the rules, unless the verdict has seen them all already; the status list of a token that names one |
//! | `Within(age)` | besides, an answer of the issuer, or its status list, at most so old; otherwise it is asked |
//! | `Always` | besides, the issuer is asked for this request |
//!
//! Somebody who cannot be asked is a matter of the failure policy, never of the client: 503, or a pass that is counted.

use std::sync::Arc;
use std::time::Duration;

use super::authenticate::Obtained;
use super::{Decision, Inner, ResourceServer, State};
use crate::credential::Scheme;
use crate::demand::Freshness;
use crate::introspection::Need;
use crate::jwt::error::JwtError;
use crate::observe::Event;
use crate::reject::{Cause, Rejection};
use crate::store::{Answer, Standing};
use crate::time::Timestamp;
use crate::token::{Authenticated, Dependency, OnFailure, Recheck, Terms, Verdict, VerdictRef, Wishes};

/// When to try again after a list of rules that is not up to date.
const RULES_RETRY: Duration = Duration::from_secs(1);

/// A verdict, and how freshly it is known to stand.
pub(super) struct Fresh {
    pub(super) verdict: Arc<VerdictRef>,
    pub(super) reached: Freshness,
}

/// What is asked of the issuer for a verdict as fresh as that.
pub(super) fn need(freshness: Freshness, now: Timestamp) -> Need {
    match freshness {
        Freshness::Offline | Freshness::Denylist => Need::Cached,
        Freshness::Within(age) => Need::NotBefore(now.minus(age)),
        Freshness::Always => Need::Anew,
    }
}

/// What the steps on the way have in common.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    pub(super) terms: Terms,
    pub(super) scheme: Scheme,
    pub(super) now: Timestamp,
    /// The issuer was asked for this very request already, as freshly as it wants.
    pub(super) settled: bool,
}

impl State {
    /// Sees to it that the token stands as freshly as the terms want. `token` is taken only when the issuer is asked.
    pub(super) fn freshen(
        self: &Arc<Self>,
        verdict: Arc<VerdictRef>,
        asking: Asking,
        token: impl FnOnce() -> Box<str>,
    ) -> Answer<Result<Fresh, Rejection>> {
        let wanted = asking.terms.freshness;
        if !wanted.looks_at_revocations() {
            return Answer::Now(Ok(Fresh { verdict, reached: Freshness::Offline }));
        }
        if let Err(rejection) = self.undenied(&verdict, &asking) {
            return Answer::Now(Err(rejection));
        }
        match self.listed(&verdict, &asking) {
            Answer::Now(Ok(())) => self.confirmed(verdict, asking, token),
            Answer::Now(Err(rejection)) => Answer::Now(Err(rejection)),
            Answer::Later(listed) => {
                let (state, token) = (Arc::clone(self), token());
                Answer::Later(Box::pin(async move {
                    listed.await?;
                    state.confirmed(verdict, asking, || token).wait().await
                }))
            }
        }
    }

    /// No rule of the denylist denies the token.
    fn undenied(&self, verdict: &Verdict, asking: &Asking) -> Result<(), Rejection> {
        let generation = self.denylist.generation();
        let standing = self.denylist.standing(asking.now);
        if standing == Standing::Current && verdict.was_undenied_at(generation) {
            return Ok(());
        }
        // Rules that are known hold, however much is not known.
        if let Some(kind) = self.denylist.denies(&verdict.marks(), asking.now) {
            return Err(self.refuse_token(JwtError::Denied(kind), verdict, asking.scheme));
        }
        let (age, why) = match standing {
            Standing::Current => {
                verdict.is_undenied_at(generation);
                return Ok(());
            }
            Standing::Behind(since) => (Some(asking.now.since(since)), "the denylist was not heard of for a while"),
            Standing::Lost => (None, "the denylist lost rules; seed it anew"),
        };
        self.failing(Dependency::Denylist, age, verdict, asking)
            .map_err(|()| self.not_told(Cause::RevocationUnknown(why.into()), RULES_RETRY, verdict))
    }

    /// Whether a request may pass although a dependency cannot be asked, by what is known of it, `age` old. Each pass is
    /// told.
    pub(super) fn failing(
        &self,
        dependency: Dependency,
        age: Option<Duration>,
        verdict: &Verdict,
        asking: &Asking,
    ) -> Result<(), ()> {
        let policy = match asking.terms.on_failure.get(dependency) {
            OnFailure::Closed => return Err(()),
            OnFailure::StaleWithin(limit) if age.is_some_and(|age| age <= limit) => "stale_within",
            OnFailure::StaleWithin(_) => return Err(()),
            OnFailure::OpenAndCounted => "open_and_counted",
        };
        let (dependency, issuer) = (dependency.as_str(), &*verdict.issuer);
        self.context.observers.emit(&Event::FailurePolicyUsed { dependency, policy, issuer });
        Ok(())
    }

    pub(super) fn refuse_token(&self, error: JwtError, verdict: &Verdict, scheme: Scheme) -> Rejection {
        let rejection = self.context.challenger.invalid_token(error, scheme);
        self.context.refuse(rejection, Some(&verdict.issuer), true)
    }

    pub(super) fn not_told(&self, cause: Cause, retry_after: Duration, verdict: &Verdict) -> Rejection {
        self.context.refuse(Rejection::unavailable(cause, retry_after), Some(&verdict.issuer), true)
    }
}

impl ResourceServer {
    /// Passes on what a layer further out has proved; a layer that wants more asks for the rest.
    pub(crate) fn reuse(&self, known: &Authenticated, wishes: &Wishes, floor: Freshness) -> Decision {
        let wanted = self.state().context.terms.with(wishes).at_least(floor).freshness;
        if known.is_fresh(wanted) {
            return Decision::Now(Ok(Some(known.clone())));
        }
        match self.0.recheck(known, wanted) {
            Answer::Now(fresher) => Decision::Now(fresher.map(Some)),
            Answer::Later(fresher) => Decision::Later(Box::pin(async move { fresher.await.map(Some) })),
        }
    }
}

impl Recheck for Inner {
    fn recheck(&self, known: &Authenticated, wanted: Freshness) -> Answer<Result<Authenticated, Rejection>> {
        let state = self.state.load_full();
        let asking = Asking {
            terms: known.terms().at_least(wanted),
            scheme: known.scheme(),
            now: state.context.now(),
            settled: false,
        };
        let token = || known.presented_token().expose().as_str().into();
        match state.freshen(Arc::clone(known.verdict()), asking, token) {
            Answer::Now(fresh) => Answer::Now(fresh.map(|fresh| known.renewed(fresh.verdict, fresh.reached))),
            Answer::Later(fresh) => {
                let known = known.clone();
                Answer::Later(Box::pin(
                    async move { fresh.await.map(|fresh| known.renewed(fresh.verdict, fresh.reached)) },
                ))
            }
        }
    }
}

impl Obtained {
    pub(super) const fn asking(&self, terms: Terms, scheme: Scheme, now: Timestamp) -> Asking {
        Asking { terms, scheme, now, settled: self.settled }
    }
}
