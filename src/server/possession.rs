//! Whether whoever presents a token may: the binding is judged on every request, cached verdict or not (RFC 9449
//! section 7).
//!
//! The order is such that a bad proof costs its sender and nobody else: the signature and what it covers, then time and
//! nonce, then the token's own binding, and at last the replay store, so that only a proof that would have passed is ever
//! burnt.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method};

use super::authenticate::Obtained;
use super::original::original_uri;
use super::standing::{Asking, Fresh};
use super::{Decision, State};
use crate::credential::{Credential, Scheme};
use crate::dpop::error::DpopError;
use crate::dpop::proof::{Expected, Proof};
use crate::dpop::replay_key;
use crate::observe::Event;
use crate::reject::{Cause, Rejection};
use crate::store::{Answer, Replay, ReplayEntry};
use crate::time::Timestamp;
use crate::token::{Authenticated, Dependency, Terms, Verdict};

/// When to try again after a replay store could not answer.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// A credential as it was presented: the whole header value, and the proof beside it.
pub(super) struct Presented {
    scheme: Scheme,
    header: HeaderValue,
    /// Where the token begins in the header value.
    token_at: usize,
    proof: Option<Presentation>,
}

/// What a DPoP proof is held against.
struct Presentation {
    line: Result<Box<str>, DpopError>,
    method: Method,
    /// The path as the client wrote it, whatever routers have cut off since.
    path: Box<str>,
}

impl Presented {
    pub(super) fn new(credential: &Credential<'_>, parts: &Parts) -> Self {
        let (scheme, header) = (credential.scheme(), credential.header());
        let proof = (scheme == Scheme::Dpop).then(|| Presentation {
            line: Proof::in_headers(&parts.headers).map(Box::from),
            method: parts.method.clone(),
            path: original_uri(&parts.extensions, &parts.uri).path().into(),
        });
        Self { scheme, header: header.clone(), token_at: header.len() - credential.presented().len(), proof }
    }

    pub(super) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) fn token(&self) -> &str {
        self.header.to_str().ok().and_then(|value| value.get(self.token_at..)).unwrap_or_default()
    }
}

impl State {
    /// Lets a verified token's presenter in, or says why not.
    pub(super) fn admit(
        self: &Arc<Self>,
        obtained: Obtained,
        presented: Presented,
        terms: Terms,
        now: Timestamp,
    ) -> Decision {
        let entry = match self.prove(&obtained.verdict, &presented, now) {
            Ok(entry) => entry,
            Err(rejection) => return Decision::Now(Err(self.refuse_verified(rejection, &obtained.verdict))),
        };
        let (asking, elapsed) = (obtained.asking(terms, presented.scheme, now), obtained.elapsed);
        match self.freshen(obtained.verdict, asking, || presented.token().into()) {
            Answer::Now(Ok(fresh)) => match entry {
                None => Decision::Now(Ok(Some(self.accept(fresh, presented, &asking, elapsed)))),
                Some(entry) => self.spend(entry, Admission { fresh, presented, asking, elapsed }),
            },
            Answer::Now(Err(rejection)) => Decision::Now(Err(rejection)),
            Answer::Later(fresh) => {
                let state = Arc::clone(self);
                Decision::Later(Box::pin(async move {
                    let fresh = fresh.await?;
                    let asking = Asking { now: state.context.now(), ..asking };
                    let Some(entry) = entry else {
                        return Ok(Some(state.accept(fresh, presented, &asking, elapsed)));
                    };
                    match state.spend(entry, Admission { fresh, presented, asking, elapsed }) {
                        Decision::Now(admitted) => admitted,
                        Decision::Later(admitted) => admitted.await,
                    }
                }))
            }
        }
    }

    /// Spends the proof, at last: all else has passed.
    fn spend(self: &Arc<Self>, entry: ReplayEntry, admission: Admission) -> Decision {
        match self.replay.check_and_insert(entry, admission.asking.now) {
            Answer::Now(replay) => {
                Decision::Now(self.unused(&replay, &admission).map(|()| Some(self.let_in(admission))))
            }
            Answer::Later(replay) => {
                let state = Arc::clone(self);
                Decision::Later(Box::pin(async move {
                    let replay = replay.await;
                    state.unused(&replay, &admission).map(|()| Some(state.let_in(admission)))
                }))
            }
        }
    }

    /// Judges the binding. What is left of a sound proof is to see that it was not used before.
    fn prove(
        &self,
        verdict: &Verdict,
        presented: &Presented,
        now: Timestamp,
    ) -> Result<Option<ReplayEntry>, Rejection> {
        let challenger = &self.context.challenger;
        let Some(presentation) = &presented.proof else {
            return match verdict.jkt() {
                Some(_) => Err(challenger.unfit_token(Cause::BoundAsBearer, Scheme::Bearer)),
                None => Ok(None),
            };
        };
        let refuse = |error| {
            let nonce = matches!(error, DpopError::NonceMissing | DpopError::NonceInvalid);
            challenger.invalid_proof(error, nonce.then(|| self.dpop.fresh_nonce(now)).flatten())
        };
        let Some(jkt) = verdict.jkt() else {
            return Err(challenger.unfit_token(Cause::Unbound, Scheme::Dpop));
        };
        let line = presentation.line.as_deref().map_err(|error| refuse(*error))?;
        let expected = Expected {
            algorithms: self.dpop.allowed(),
            method: presentation.method.as_str(),
            target: &self.target,
            path: &presentation.path,
            token: Some(presented.token()),
        };
        let (proof, header) = Proof::verify(line, &expected, verdict.proof_header()).map_err(refuse)?;
        let keep_until = self.dpop.check_time(&proof, now).map_err(refuse)?;
        if *proof.jkt != *jkt {
            return Err(refuse(DpopError::KeyMismatch));
        }
        // Only the client's own is kept, and only the first: whoever sends others gains nothing.
        verdict.keep_proof_header(header);
        let key = replay_key(&verdict.issuer, &proof.jkt, &proof.jti);
        Ok(Some(ReplayEntry::new(key, self.dpop.born(&proof), keep_until)))
    }

    fn unused(&self, replay: &Replay, admission: &Admission) -> Result<(), Rejection> {
        let Admission { fresh, asking, .. } = admission;
        let challenger = &self.context.challenger;
        let refuse = |rejection| Err(self.refuse_verified(rejection, &fresh.verdict));
        let unknown = |why| match self.failing(Dependency::Replay, None, &fresh.verdict, asking) {
            Ok(()) => Ok(()),
            Err(()) => refuse(Rejection::unavailable(Cause::ReplayUnknown(why), STORE_RETRY)),
        };
        match replay {
            Replay::Fresh => Ok(()),
            Replay::Seen => refuse(challenger.invalid_proof(DpopError::Replayed, None)),
            // Where there are nonces, a new one makes the client try again; otherwise it would hold on to the old.
            Replay::BeforeBirth => refuse(match self.dpop.fresh_nonce(asking.now) {
                None => challenger.invalid_proof(DpopError::BeforeBirth, None),
                nonce => challenger.invalid_proof(DpopError::NonceInvalid, nonce),
            }),
            Replay::Full => unknown("the replay store is full"),
            Replay::Unavailable(_) => unknown("the replay store is out of reach"),
        }
    }

    fn let_in(&self, admission: Admission) -> Authenticated {
        let Admission { fresh, presented, asking, elapsed } = admission;
        self.accept(fresh, presented, &asking, elapsed)
    }

    fn accept(&self, fresh: Fresh, presented: Presented, asking: &Asking, elapsed: Option<Duration>) -> Authenticated {
        let Fresh { verdict, reached } = fresh;
        let algorithm = verdict.proved.signature;
        self.context.observers.emit(&Event::Accepted { issuer: &verdict.issuer, algorithm, elapsed });
        let nonce = (presented.scheme == Scheme::Dpop).then(|| self.dpop.fresh_nonce(asking.now)).flatten();
        Authenticated::new(verdict, presented.header, presented.scheme, nonce, asking.terms, reached)
    }

    fn refuse_verified(&self, rejection: Rejection, verdict: &Verdict) -> Rejection {
        self.context.refuse(rejection, Some(&verdict.issuer), true)
    }
}

/// A request all of whose checks have passed but one: whether its proof was used before.
struct Admission {
    fresh: Fresh,
    presented: Presented,
    asking: Asking,
    elapsed: Option<Duration>,
}
