//! The whole story of one request, on one screen.
//!
//! Synchronous wherever nothing must be awaited: only keys that are not there yet, an issuer that is asked about the
//! token and a store elsewhere make a request wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::judge::{Judged, NotProved, Proved, Why};
use super::possession::Presented;
use super::standing::{Asking, need};
use super::token_cache::{Cached, Fingerprint};
use super::{ResourceServer, State};
use crate::credential::{Credential, CredentialError, Scheme, is_in_query};
use crate::demand::Freshness;
use crate::introspection::Need;
use crate::jwks::key_ring::Generation;
use crate::jwt::compact::MAX_TOKEN_BYTES;
use crate::observe::Stopwatch;
use crate::reject::{Cause, Rejection};
use crate::store::Answer;
use crate::time::Timestamp;
use crate::token::{Authenticated, Verdict, VerdictRef, Wishes};

/// The verdict on a request's credential: there, or on its way. `None` is a request without a credential.
pub(crate) enum Decision {
    Now(Result<Option<Authenticated>, Rejection>),
    Later(Pin<Box<dyn Future<Output = Result<Option<Authenticated>, Rejection>> + Send>>),
}

/// A verdict as a request came by it.
pub(super) struct Obtained {
    pub(super) verdict: Arc<VerdictRef>,
    /// How long the judgement took; `None` when the verdict on an earlier request still stood.
    pub(super) elapsed: Option<Duration>,
    /// The issuer's word was asked for, as freshly as this very request wants; whatever came of it stands.
    pub(super) settled: bool,
}

impl ResourceServer {
    /// Judges the credential of a request, as freshly as the server, the layer (`wishes`) and the route (`floor`) want.
    pub(crate) fn authenticate(&self, parts: &Parts, wishes: &Wishes, floor: Freshness) -> Decision {
        let state = self.state();
        let refuse =
            |error| Decision::Now(Err(state.refuse(state.context.challenger.credentials_malformed(error), None)));
        if state.refuse_query_tokens && is_in_query(parts.uri.query()) {
            return refuse(CredentialError::InQuery);
        }
        let credential = match Credential::from_headers(&parts.headers, state.taken) {
            Ok(Some(credential)) => credential,
            Ok(None) => return Decision::Now(Ok(None)),
            Err(error) => return refuse(error),
        };
        let terms = state.context.terms.with(wishes).at_least(floor);
        let (now, presented) = (state.context.now(), Presented::new(&credential, parts));
        let place = Place::of(&state, credential.presented());
        if let Some(verdict) = state.recall(&place, now) {
            return state.admit(Obtained { verdict, elapsed: None, settled: false }, presented, terms, now);
        }
        // Looked at only now: a verdict is kept for nothing but a well-formed token, and these would be the same bytes.
        let token = match credential.token() {
            Ok(token) => token,
            Err(error) => return refuse(error),
        };
        let (watch, need) = (Stopwatch::start(), need(terms.freshness, now));
        let asking = Asking { terms, scheme: presented.scheme(), now, settled: matches!(need, Need::Anew) };
        match state.judge(token, need, now) {
            Answer::Now(judged) => match state.conclude(judged, &place, token, &asking) {
                Ok(concluded) => state.admit(concluded.after(watch.elapsed()), presented, terms, now),
                Err(rejection) => Decision::Now(Err(rejection)),
            },
            Answer::Later(judged) => {
                let state = Arc::clone(&state);
                Decision::Later(Box::pin(async move {
                    let judged = judged.await;
                    let now = state.context.now();
                    let asking = Asking { now, ..asking };
                    let concluded = state.conclude(judged, &place, presented.token(), &asking)?;
                    match state.admit(concluded.after(watch.elapsed()), presented, terms, now) {
                        Decision::Now(admitted) => admitted,
                        Decision::Later(admitted) => admitted.await,
                    }
                }))
            }
        }
    }
}

impl Obtained {
    fn after(self, elapsed: Duration) -> Self {
        Self { elapsed: Some(elapsed), ..self }
    }
}

/// Where the verdict on a token will be kept, and the count of forgettings before it was judged.
pub(super) struct Place {
    pub(super) print: Option<Fingerprint>,
    epoch: u64,
}

impl Place {
    pub(super) fn of(state: &State, token: &[u8]) -> Self {
        // The limit comes before any work: a token that is too long is not even hashed.
        let cache = state.cache.as_ref().filter(|_| token.len() <= MAX_TOKEN_BYTES);
        Self { print: cache.map(|cache| cache.fingerprint(token)), epoch: state.epoch() }
    }
}

impl State {
    /// The verdict on a token that was verified before, if it still stands.
    pub(super) fn recall(&self, place: &Place, now: Timestamp) -> Option<Arc<VerdictRef>> {
        self.cache.as_ref()?.get(place.print?, |cached| self.stands(cached, now))
    }

    fn stands(&self, cached: &Cached, now: Timestamp) -> bool {
        let Some(trust) = self.trusts.get(cached.trust) else { return false };
        let keys_stand = cached.keys.is_none_or(|keys| {
            trust.tend(now);
            trust.ring.is_current(keys)
        });
        keys_stand && cached.is_timely(now) && cached.epoch == self.epoch() && !cached.verdict.is_superseded()
    }

    /// Keeps a verdict, or refuses. An issuer that did not answer is a matter of the failure policy.
    pub(super) fn conclude(
        &self,
        judged: Judged,
        place: &Place,
        token: &str,
        asking: &Asking,
    ) -> Result<Obtained, Rejection> {
        let (issuer, why) = match judged {
            Ok(Proved { verdict, trust, keys }) => {
                let verdict = Arc::new(verdict);
                self.keep(place, &verdict, trust, keys, asking.now);
                let settled = asking.settled && verdict.asked_at().is_some();
                return Ok(Obtained { verdict: Arc::new(VerdictRef(verdict)), elapsed: None, settled });
            }
            Err(NotProved { issuer, why }) => (issuer, why),
        };
        match self.by_last_answer(issuer.as_deref(), &why, token, asking) {
            Some(verdict) => Ok(Obtained { verdict, elapsed: None, settled: true }),
            None => Err(self.refuse(self.rejection(why, asking.scheme), issuer.as_deref())),
        }
    }

    pub(super) fn rejection(&self, why: Why, tried: Scheme) -> Rejection {
        match why {
            Why::Refused(error) => self.context.challenger.invalid_token(error, tried),
            Why::NoKeys { reason, retry_after } => Rejection::unavailable(Cause::KeysUnavailable(reason), retry_after),
            Why::NotAnswered { reason, retry_after } => {
                Rejection::unavailable(Cause::NotIntrospected(reason), retry_after)
            }
        }
    }

    pub(super) fn keep(
        &self,
        place: &Place,
        verdict: &Arc<Verdict>,
        trust: usize,
        keys: Option<Generation>,
        now: Timestamp,
    ) {
        let (Some(cache), Some(print)) = (&self.cache, place.print) else { return };
        let Some(span) = self.trusts.get(trust).and_then(|trust| trust.stands_for(verdict, now)) else { return };
        let (from, until) = (span.start, span.end);
        let entry = Cached { verdict: Arc::clone(verdict), trust, keys, epoch: place.epoch, from, until };
        cache.insert(print, Arc::new(entry));
    }

    /// A refusal before anything was proved.
    pub(super) fn refuse(&self, rejection: Rejection, issuer: Option<&str>) -> Rejection {
        self.context.refuse(rejection, issuer, false)
    }
}
