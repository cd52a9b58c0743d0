//! The word of an issuer on a token that was proved before: asked for where a verdict is not fresh enough, and the only
//! one on rights from then on.

use std::sync::Arc;

use super::State;
use super::authenticate::Place;
use super::issuer::Trust;
use super::judge::Why;
use super::standing::{Asking, Fresh, need};
use crate::demand::Freshness;
use crate::introspection::{Need, Reply, Unavailable};
use crate::jwt::answer::Introspected;
use crate::jwt::error::JwtError;
use crate::reject::{Cause, Rejection};
use crate::store::Answer;
use crate::time::Timestamp;
use crate::token::{Dependency, ProvedBy, Verdict, VerdictRef};

impl State {
    /// The issuer's word on the token, as fresh as wanted.
    pub(super) fn confirmed(
        self: &Arc<Self>,
        verdict: Arc<VerdictRef>,
        asking: Asking,
        token: impl FnOnce() -> Box<str>,
    ) -> Answer<Result<Fresh, Rejection>> {
        if asking.settled {
            return Answer::Now(Ok(Fresh { verdict, reached: asking.terms.freshness }));
        }
        let reached = Freshness::Denylist;
        let need = match asking.terms.freshness {
            Freshness::Offline | Freshness::Denylist => return Answer::Now(Ok(Fresh { verdict, reached })),
            Freshness::Within(age) => {
                if verdict.is_younger(age, asking.now) || self.was_listed_within(&verdict, age, asking.now) {
                    return Answer::Now(Ok(Fresh { verdict, reached }));
                }
                if let Some(newer) = verdict.confirmed().filter(|newer| newer.is_younger(age, asking.now)) {
                    return Answer::Now(Ok(Fresh { verdict: Arc::new(VerdictRef(newer)), reached }));
                }
                need(asking.terms.freshness, asking.now)
            }
            Freshness::Always => Need::Anew,
        };
        let online = self.trusted(&verdict.issuer).and_then(|(_, trust)| trust.online.as_ref());
        let Some(online) = online else {
            let rejection = Rejection::mistake(Cause::FreshnessImpossible);
            return Answer::Now(Err(self.context.refuse(rejection, Some(&verdict.issuer), true)));
        };
        let token = token();
        match online.ask(&token, need, asking.now) {
            Answer::Now(reply) => Answer::Now(self.renewed(&verdict, reply, &token, &asking)),
            Answer::Later(reply) => {
                let state = Arc::clone(self);
                Answer::Later(Box::pin(async move {
                    let reply = reply.await;
                    let asking = Asking { now: state.context.now(), ..asking };
                    state.renewed(&verdict, reply, &token, &asking)
                }))
            }
        }
    }

    /// The verdict by the issuer's newest word.
    fn renewed(
        &self,
        verdict: &Arc<VerdictRef>,
        reply: Result<Reply, Unavailable>,
        token: &str,
        asking: &Asking,
    ) -> Result<Fresh, Rejection> {
        // An issuer that is not trusted any more since the request began.
        let Some((at, trust)) = self.trusted(&verdict.issuer) else {
            return Err(self.refuse_token(JwtError::IssuerUnknown, verdict, asking.scheme));
        };
        match self.judge_newer(trust, verdict, reply, asking.now) {
            Ok((answer, asked_at)) => {
                let newer = self.newer(verdict, answer, asked_at, token);
                if verdict.is_signed() {
                    verdict.confirm(&newer);
                } else {
                    verdict.supersede();
                    self.keep(&Place::of(self, token.as_bytes()), &newer, at, None, asking.now);
                }
                let reached =
                    if asking.terms.freshness == Freshness::Always { Freshness::Always } else { Freshness::Denylist };
                Ok(Fresh { verdict: Arc::new(VerdictRef(newer)), reached })
            }
            Err(Why::Refused(error)) => {
                verdict.supersede();
                Err(self.refuse_token(error, verdict, asking.scheme))
            }
            Err(why) => self.by_older(trust, verdict, why, token, asking),
        }
    }

    fn judge_newer(
        &self,
        trust: &Trust,
        verdict: &Verdict,
        reply: Result<Reply, Unavailable>,
        now: Timestamp,
    ) -> Result<(Introspected, Timestamp), Why> {
        let (answer, asked_at) = trust.judge_reply(reply, |answer| match verdict.is_signed() {
            true => Introspected::confirm(&verdict.statement, answer, &trust.rules, now),
            false => Introspected::judge(answer, &trust.rules, now),
        })?;
        // The proof that came with the request was one for the binding as it was known.
        if answer.jkt() != verdict.jkt() {
            return Err(Why::Refused(JwtError::ClaimMismatch("cnf")));
        }
        Ok((answer, asked_at))
    }

    /// The issuer did not answer: what the failure policy makes of what is known.
    fn by_older(
        &self,
        trust: &Trust,
        verdict: &Arc<VerdictRef>,
        why: Why,
        token: &str,
        asking: &Asking,
    ) -> Result<Fresh, Rejection> {
        let reached = asking.terms.freshness;
        let last = trust.online.as_ref().and_then(|online| online.last_known(token, asking.now));
        let last = last.map(|reply| self.judge_newer(trust, verdict, Ok(reply), asking.now));
        let (known, asked_at) = match last {
            Some(Ok((answer, asked_at))) => {
                (Arc::new(VerdictRef(self.newer(verdict, answer, asked_at, token))), Some(asked_at))
            }
            Some(Err(Why::Refused(error))) => return Err(self.refuse_token(error, verdict, asking.scheme)),
            _ => (Arc::clone(verdict), verdict.asked_at()),
        };
        let age = asked_at.filter(|at| *at <= asking.now).map(|at| asking.now.since(at));
        match self.failing(Dependency::Introspection, age, verdict, asking) {
            Ok(()) => Ok(Fresh { verdict: known, reached }),
            Err(()) => Err(self.context.refuse(self.rejection(why, asking.scheme), Some(&verdict.issuer), true)),
        }
    }

    /// The issuer did not answer about a token of which nothing is known but its last answer: a verdict by that, where
    /// the failure policy says so.
    pub(super) fn by_last_answer(
        &self,
        issuer: Option<&str>,
        why: &Why,
        token: &str,
        asking: &Asking,
    ) -> Option<Arc<VerdictRef>> {
        let Why::NotAnswered { .. } = why else { return None };
        let (at, trust) = self.trusted(issuer?)?;
        let last = trust.online.as_ref()?.last_known(token, asking.now)?;
        let verdict = self.answered(at, token, Ok(last), asking.now).ok()?.verdict;
        let age = verdict.asked_at().filter(|at| *at <= asking.now).map(|at| asking.now.since(at));
        self.failing(Dependency::Introspection, age, &verdict, asking).ok()?;
        Some(Arc::new(VerdictRef(Arc::new(verdict))))
    }

    fn newer(&self, verdict: &Verdict, answer: Introspected, asked_at: Timestamp, token: &str) -> Arc<Verdict> {
        let (statement, context) = (answer.into_statement(), Arc::clone(&self.context));
        let proved = ProvedBy { asked_at: Some(asked_at), ..verdict.proved };
        Arc::new(Verdict::new(Arc::clone(&verdict.issuer), statement, proved, token, context))
    }
}
