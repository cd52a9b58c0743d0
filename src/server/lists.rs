//! Token Status Lists at work (draft-ietf-oauth-status-list): revocation of self-contained tokens without a call for
//! each request.

use std::sync::Arc;
use std::time::Duration;

use super::State;
use super::standing::Asking;
use crate::demand::Freshness;
use crate::jwt::error::JwtError;
use crate::jwt::shapes::StatusReference;
use crate::reject::{Cause, Rejection};
use crate::revocation::status_lists::{Checked, List, StatusUnavailable};
use crate::store::Answer;
use crate::time::Timestamp;
use crate::token::{Dependency, OnFailure, Verdict, VerdictRef};

type Said = Result<Checked, StatusUnavailable>;

impl State {
    /// The issuer's list does not say that the token is over. A token that names no list has nothing to be asked.
    pub(super) fn listed(
        self: &Arc<Self>,
        verdict: &Arc<VerdictRef>,
        asking: &Asking,
    ) -> Answer<Result<(), Rejection>> {
        let Some(StatusReference { idx, .. }) = verdict.status() else { return Answer::Now(Ok(())) };
        let list = match self.list_of(verdict, asking.now) {
            Ok(list) => list,
            Err(unavailable) => return Answer::Now(self.heed(&Err(unavailable), None, verdict, asking)),
        };
        // Where nobody can be asked about the token itself, the list is what can be made fresher.
        let can_ask = self.trusted(&verdict.issuer).is_some_and(|(_, trust)| trust.online.is_some());
        let said = match asking.terms.freshness {
            Freshness::Within(age) if !can_ask => list.check_within(*idx, age, asking.now),
            _ => list.check(*idx, asking.now),
        };
        match said {
            Answer::Now(said) => Answer::Now(self.heed(&said, Some(list), verdict, asking)),
            Answer::Later(said) => {
                let (state, list, verdict) = (Arc::clone(self), list.clone(), Arc::clone(verdict));
                let asking = *asking;
                Answer::Later(Box::pin(async move {
                    let said = said.await;
                    let asking = Asking { now: state.context.now(), ..asking };
                    state.heed(&said, Some(&list), &verdict, &asking)
                }))
            }
        }
    }

    /// Whether the list that tells of the token was fetched at most so long ago: it is the issuer's word too.
    pub(super) fn was_listed_within(&self, verdict: &Verdict, age: Duration, now: Timestamp) -> bool {
        let Some(StatusReference { idx, .. }) = verdict.status() else { return false };
        let said = self.list_of(verdict, now).ok().map(|list| list.check(*idx, now));
        matches!(said, Some(Answer::Now(Ok(checked))) if checked.fetched_at <= now && now.since(checked.fetched_at) <= age)
    }

    /// The list that the token names, found once for each verdict.
    fn list_of<'v>(&self, verdict: &'v Verdict, now: Timestamp) -> Result<&'v List, StatusUnavailable> {
        let unreachable = || StatusUnavailable {
            code: "no_transport",
            reason: "there is nothing to fetch it with; enable the feature http-client or set a transport".into(),
            retry_after: Duration::from_secs(60),
        };
        if let Some(list) = verdict.status_list() {
            return Ok(list);
        }
        let lists =
            self.trusted(&verdict.issuer).and_then(|(_, trust)| trust.lists.as_ref()).ok_or_else(unreachable)?;
        let uri = verdict.status().map(|status| &*status.uri).unwrap_or_default();
        let list = lists.list(uri, now)?;
        Ok(verdict.keep_status_list(list))
    }

    fn heed(&self, said: &Said, list: Option<&List>, verdict: &Verdict, asking: &Asking) -> Result<(), Rejection> {
        let over = || Err(self.refuse_token(JwtError::StatusInvalid, verdict, asking.scheme));
        let unavailable = match said {
            Ok(checked) if checked.status.is_valid() => return Ok(()),
            Ok(_) => return over(),
            Err(unavailable) => unavailable,
        };
        let idx = verdict.status().map(|status| status.idx).unwrap_or_default();
        let stale = match asking.terms.on_failure.get(Dependency::StatusList) {
            OnFailure::Closed => None,
            OnFailure::StaleWithin(age) => list.and_then(|list| list.check_stale(idx, age, asking.now)),
            OnFailure::OpenAndCounted => list.and_then(|list| list.check_stale(idx, Duration::MAX, asking.now)),
        };
        if stale.is_some_and(|checked| !checked.status.is_valid()) {
            return over();
        }
        let known = stale.map(|_| Duration::ZERO);
        self.failing(Dependency::StatusList, known, verdict, asking).map_err(|()| {
            let why = unavailable.to_string().into();
            self.not_told(Cause::RevocationUnknown(why), unavailable.retry_after, verdict)
        })
    }
}
