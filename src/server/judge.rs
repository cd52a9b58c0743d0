//! The judgement of a token: by its signature, or by the word of its issuer.

use std::sync::Arc;
use std::time::Duration;

use super::State;
use super::issuer::Trust;
use crate::introspection::{Need, Reply, Unavailable};
use crate::jwks::key_ring::{Candidates, Generation, Lookup, Refresh};
use crate::jwt::answer::Introspected;
use crate::jwt::error::JwtError;
use crate::jwt::json::Text;
use crate::jwt::verify::{UnverifiedJwt, VerifiedJwt};
use crate::observe::Event;
use crate::secret::Secret;
use crate::store::Answer;
use crate::time::Timestamp;
use crate::token::{ProvedBy, Verdict};

/// A request waits for a first key set, and once more for a key that the set lacks; never a third time.
const MAX_WAITS: usize = 2;

/// A judgement of a token: the verdict, or why there is none.
pub(super) type Judged = Result<Proved, NotProved>;

/// A verdict, and what it was reached with.
pub(super) struct Proved {
    pub(super) verdict: Verdict,
    pub(super) trust: usize,
    /// The keys that proved it; none when the issuer was asked.
    pub(super) keys: Option<Generation>,
}

/// Why a token was not proved, and of which issuer it claims to be.
pub(super) struct NotProved {
    pub(super) issuer: Option<Arc<str>>,
    pub(super) why: Why,
}

pub(super) enum Why {
    Refused(JwtError),
    NoKeys { reason: Arc<str>, retry_after: Duration },
    NotAnswered { reason: Arc<str>, retry_after: Duration },
}

/// What a judgement must wait for.
pub(super) enum Wait {
    Keys(Refresh),
    /// For the word of the issuer at this place.
    Issuer(usize),
}

impl State {
    /// Judges a token, at once where nothing must be waited for.
    pub(super) fn judge(self: &Arc<Self>, token: &str, need: Need, now: Timestamp) -> Answer<Judged> {
        let wait = match self.route(token) {
            Ok(Some(at)) => Wait::Issuer(at),
            Ok(None) => match self.verify(token, now) {
                Ok(judged) => return Answer::Now(judged),
                Err(wait) => wait,
            },
            Err(error) => return Answer::Now(Err(NotProved { issuer: None, why: Why::Refused(error) })),
        };
        match wait {
            Wait::Issuer(at) => self.ask(at, token, need, now),
            Wait::Keys(refresh) => {
                let (state, token) = (Arc::clone(self), Box::<str>::from(token));
                Answer::Later(Box::pin(async move { state.verify_after(refresh, &token, need).await }))
            }
        }
    }

    async fn verify_after(self: Arc<Self>, mut refresh: Refresh, token: &str, need: Need) -> Judged {
        for _ in 0..MAX_WAITS {
            // Whether the keys came is told by the next look at the ring.
            let _ = refresh.await;
            let now = self.context.now();
            match self.verify(token, now) {
                Ok(judged) => return judged,
                Err(Wait::Keys(again)) => refresh = again,
                Err(Wait::Issuer(at)) => return self.ask(at, token, need, now).wait().await,
            }
        }
        Err(NotProved { issuer: None, why: Why::no_keys("keys keep changing", Duration::from_secs(1)) })
    }

    /// Judges a JWT by its signature. `Err` means that something must be waited for, and nothing else.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Judged, Wait> {
        let refused = |issuer: Option<&Trust>, error| {
            Ok(Err(NotProved { issuer: issuer.map(|trust| Arc::clone(&trust.issuer)), why: Why::Refused(error) }))
        };
        let jwt = match UnverifiedJwt::parse(token) {
            Ok(jwt) => jwt,
            Err(error) => return refused(None, error),
        };
        let claims = match jwt.claims() {
            Ok(claims) => claims,
            Err(error) => return refused(None, error),
        };
        // A claim of a stranger, read only to choose among configured issuers: nothing is ever fetched by it.
        let Some((at, trust)) = claims.iss.as_ref().and_then(|Text(iss)| self.trusted(iss)) else {
            return refused(None, JwtError::IssuerUnknown);
        };
        if !trust.verifies {
            return Err(Wait::Issuer(at));
        }
        let checked = match jwt.check(claims, &trust.rules, now) {
            Ok(checked) => checked,
            Err(error) => return refused(Some(trust), error),
        };
        let header = jwt.header();
        let kid = header.kid.as_deref();
        let mut lookup = trust.ring.lookup(kid, header.alg);
        loop {
            let keys = match trust.keys(lookup).map_err(Wait::Keys)? {
                Ok(candidates) => match checked.verify(candidates.iter(), &trust.rules) {
                    Ok(jwt) => return Ok(Ok(self.proved(at, trust, (jwt, token), candidates.generation()))),
                    Err(JwtError::Signature) => candidates.generation(),
                    Err(error) => return refused(Some(trust), error),
                },
                Err(why) => return Ok(Err(NotProved { issuer: Some(Arc::clone(&trust.issuer)), why })),
            };
            // The key may have been replaced under its kid, or a key without kid been added: one shared look.
            lookup = match trust.ring.after_bad_signature(keys, kid, header.alg) {
                Lookup::Cooling { refreshed: true, .. } => return refused(Some(trust), JwtError::Signature),
                other => other,
            };
        }
    }

    fn proved(&self, at: usize, trust: &Trust, (jwt, token): (VerifiedJwt, &str), keys: Generation) -> Proved {
        let lifetime = jwt.expires_at.zip(jwt.issued_at).map(|(end, start)| end.since(start));
        if trust.report_lifetime.is_some_and(|limit| lifetime.is_some_and(|lifetime| lifetime > limit)) {
            self.context.observers.emit(&Event::LifetimeTooLong { issuer: &trust.issuer });
        }
        let (algorithm, statement) = jwt.into_parts();
        let proved = ProvedBy { signature: Some(algorithm), asked_at: None };
        let verdict = Verdict::new(Arc::clone(&trust.issuer), statement, proved, token, Arc::clone(&self.context));
        Proved { verdict, trust: at, keys: Some(keys) }
    }

    /// Asks the issuer at this place about a token, and judges its answer.
    fn ask(self: &Arc<Self>, at: usize, token: &str, need: Need, now: Timestamp) -> Answer<Judged> {
        let Some(trust) = self.trusts.get(at) else {
            return Answer::Now(Err(NotProved { issuer: None, why: Why::Refused(JwtError::IssuerUnknown) }));
        };
        let Some(online) = &trust.online else {
            return Answer::Now(Err(trust.not_proved(Why::Refused(JwtError::IssuerUnknown))));
        };
        match online.ask(token, need, now) {
            Answer::Now(reply) => Answer::Now(self.answered(at, token, reply, now)),
            Answer::Later(reply) => {
                let (state, token) = (Arc::clone(self), Secret::from(token));
                Answer::Later(Box::pin(async move {
                    let reply = reply.await;
                    state.answered(at, token.expose(), reply, state.context.now())
                }))
            }
        }
    }

    pub(super) fn answered(&self, at: usize, token: &str, reply: Result<Reply, Unavailable>, now: Timestamp) -> Judged {
        let Some(trust) = self.trusts.get(at) else {
            return Err(NotProved { issuer: None, why: Why::Refused(JwtError::IssuerUnknown) });
        };
        let verdict = trust.judge_reply(reply, |answer| Introspected::judge(answer, &trust.rules, now));
        match verdict {
            Ok((answer, asked_at)) => {
                let proved = ProvedBy { signature: None, asked_at: Some(asked_at) };
                let (issuer, context) = (Arc::clone(&trust.issuer), Arc::clone(&self.context));
                let verdict = Verdict::new(issuer, answer.into_statement(), proved, token, context);
                Ok(Proved { verdict, trust: at, keys: None })
            }
            Err(why) => Err(trust.not_proved(why)),
        }
    }
}

impl Trust {
    /// The outer `Err` means that keys must be waited for; the inner one that there is none to be had.
    pub(super) fn keys(&self, lookup: Lookup) -> Result<Result<Candidates, Why>, Refresh> {
        Ok(match lookup {
            Lookup::Found(keys) | Lookup::Stale(keys) => Ok(keys),
            Lookup::Missing(refresh) | Lookup::Empty(refresh) => return Err(refresh),
            Lookup::Cooling { refreshed: true, .. } => Err(Why::Refused(JwtError::KeyUnknown)),
            Lookup::Cooling { refreshed: false, retry_after } => {
                Err(Why::no_keys("the last fetch failed", retry_after))
            }
        })
    }

    /// What an answer means, judged by `judge` if it says that the token is active. An answer that cannot be understood
    /// is the issuer's mistake and not the client's.
    pub(super) fn judge_reply(
        &self,
        reply: Result<Reply, Unavailable>,
        judge: impl FnOnce(&str) -> Result<Introspected, JwtError>,
    ) -> Result<(Introspected, Timestamp), Why> {
        let reply =
            reply.map_err(|Unavailable { reason, retry_after, .. }| Why::NotAnswered { reason, retry_after })?;
        let Some(answer) = reply.active() else { return Err(Why::Refused(JwtError::Inactive)) };
        match judge(answer) {
            Ok(answer) => Ok((answer, reply.asked_at)),
            Err(error @ (JwtError::Malformed(_) | JwtError::ClaimInvalid(_))) => Err(Why::NotAnswered {
                reason: format!("its answer cannot be used: {error}").into(),
                retry_after: ODD_ANSWER_RETRY,
            }),
            Err(error) => Err(Why::Refused(error)),
        }
    }

    pub(super) fn not_proved(&self, why: Why) -> NotProved {
        NotProved { issuer: Some(Arc::clone(&self.issuer)), why }
    }
}

/// When to try again after an answer that could not be understood: somebody has to mend the issuer first.
const ODD_ANSWER_RETRY: Duration = Duration::from_secs(5);

impl Why {
    fn no_keys(reason: &str, retry_after: Duration) -> Self {
        Self::NoKeys { reason: reason.into(), retry_after }
    }
}
