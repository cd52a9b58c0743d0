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

use super::original::original_uri;
use super::{Decision, State};
use crate::credential::{Credential, Scheme};
use crate::dpop::error::DpopError;
use crate::dpop::proof::{Expected, Proof};
use crate::dpop::replay_key;
use crate::observe::Event;
use crate::reject::{Cause, Rejection};
use crate::store::{Answer, Replay, ReplayEntry};
use crate::time::Timestamp;
use crate::token::{Authenticated, Verdict, VerdictRef};

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
    /// Lets a verified token's presenter in, or says why not. `elapsed` is what the verification took, if there was one.
    pub(super) fn admit(
        self: &Arc<Self>,
        verdict: Arc<VerdictRef>,
        presented: Presented,
        now: Timestamp,
        elapsed: Option<Duration>,
    ) -> Decision {
        let entry = match self.prove(&verdict, &presented, now) {
            Ok(entry) => entry,
            Err(rejection) => return Decision::Now(Err(self.refuse_verified(rejection, &verdict))),
        };
        let Some(entry) = entry else { return Decision::Now(Ok(Some(self.accept(verdict, presented, now, elapsed)))) };
        match self.replay.check_and_insert(entry, now) {
            Answer::Now(replay) => Decision::Now(match self.unused(&replay, now) {
                Ok(()) => Ok(Some(self.accept(verdict, presented, now, elapsed))),
                Err(rejection) => Err(self.refuse_verified(rejection, &verdict)),
            }),
            Answer::Later(replay) => {
                let state = Arc::clone(self);
                Decision::Later(Box::pin(async move {
                    match state.unused(&replay.await, now) {
                        Ok(()) => Ok(Some(state.accept(verdict, presented, now, elapsed))),
                        Err(rejection) => Err(state.refuse_verified(rejection, &verdict)),
                    }
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
            return match verdict.jwt.jkt() {
                Some(_) => Err(challenger.unfit_token(Cause::BoundAsBearer, Scheme::Bearer)),
                None => Ok(None),
            };
        };
        let refuse = |error| {
            let nonce = matches!(error, DpopError::NonceMissing | DpopError::NonceInvalid);
            challenger.invalid_proof(error, nonce.then(|| self.dpop.fresh_nonce(now)).flatten())
        };
        let Some(jkt) = verdict.jwt.jkt() else { return Err(challenger.unfit_token(Cause::Unbound, Scheme::Dpop)) };
        let line = presentation.line.as_deref().map_err(|error| refuse(*error))?;
        let expected = Expected {
            algorithms: self.dpop.allowed(),
            method: presentation.method.as_str(),
            target: &self.target,
            path: &presentation.path,
            token: presented.token(),
        };
        let (proof, header) = Proof::verify(line, &expected, verdict.proof_header.get()).map_err(refuse)?;
        let keep_until = self.dpop.check_time(&proof, now).map_err(refuse)?;
        if *proof.jkt != *jkt {
            return Err(refuse(DpopError::KeyMismatch));
        }
        // Only the client's own is kept, and only the first: whoever sends others gains nothing.
        let _ = verdict.proof_header.set(header);
        let key = replay_key(&verdict.issuer, &proof.jkt, &proof.jti);
        Ok(Some(ReplayEntry::new(key, self.dpop.born(&proof), keep_until)))
    }

    fn unused(&self, replay: &Replay, now: Timestamp) -> Result<(), Rejection> {
        let challenger = &self.context.challenger;
        let unknown = |why| Rejection::unavailable(Cause::ReplayUnknown(why), STORE_RETRY);
        match replay {
            Replay::Fresh => Ok(()),
            Replay::Seen => Err(challenger.invalid_proof(DpopError::Replayed, None)),
            // Where there are nonces, a new one makes the client try again; otherwise it would hold on to the old.
            Replay::BeforeBirth => Err(match self.dpop.fresh_nonce(now) {
                None => challenger.invalid_proof(DpopError::BeforeBirth, None),
                nonce => challenger.invalid_proof(DpopError::NonceInvalid, nonce),
            }),
            Replay::Full => Err(unknown("the replay store is full")),
            Replay::Unavailable(_) => Err(unknown("the replay store is out of reach")),
        }
    }

    fn accept(
        &self,
        verdict: Arc<VerdictRef>,
        presented: Presented,
        now: Timestamp,
        elapsed: Option<Duration>,
    ) -> Authenticated {
        let algorithm = verdict.jwt.algorithm;
        self.context.observers.emit(&Event::Accepted { issuer: &verdict.issuer, algorithm, elapsed });
        let nonce = (presented.scheme == Scheme::Dpop).then(|| self.dpop.fresh_nonce(now)).flatten();
        Authenticated::new(verdict, presented.header, presented.scheme, nonce)
    }

    fn refuse_verified(&self, rejection: Rejection, verdict: &Verdict) -> Rejection {
        self.context.refuse(rejection, Some(&verdict.issuer), true)
    }
}
