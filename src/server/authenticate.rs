//! The whole story of one request, on one screen.
//!
//! Synchronous wherever nothing must be awaited: only keys that are not there yet make a request wait.

use std::future::Future;
use std::pin::Pin;
use std::str;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::request::Parts;

use super::possession::Presented;
use super::token_cache::{Cached, Fingerprint};
use super::{ResourceServer, State};
use crate::credential::{Credential, CredentialError, Scheme, is_in_query};
use crate::jwks::key_ring::{Candidates, Generation, Lookup, Refresh};
use crate::jwt::compact::MAX_TOKEN_BYTES;
use crate::jwt::error::JwtError;
use crate::jwt::json::Text;
use crate::jwt::verify::{UnverifiedJwt, VerifiedJwt};
use crate::observe::{Event, Stopwatch};
use crate::reject::{Cause, Rejection};
use crate::server::issuer::Trust;
use crate::time::Timestamp;
use crate::token::{Authenticated, TypedClaims, Verdict, VerdictRef};

/// The verdict on a request's credential: there, or on its way. `None` is a request without a credential.
pub(crate) enum Decision {
    Now(Result<Option<Authenticated>, Rejection>),
    Later(Pin<Box<dyn Future<Output = Result<Option<Authenticated>, Rejection>> + Send>>),
}

/// A request waits for a first key set, and once more for a key that the set lacks; never a third time.
const MAX_WAITS: usize = 2;

impl ResourceServer {
    /// Judges the credential of a request.
    pub(crate) fn authenticate(&self, parts: &Parts) -> Decision {
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
        let (now, presented) = (state.context.now(), Presented::new(&credential, parts));
        let place = Place::of(&state, credential.presented());
        if let Some(verdict) = state.recall(&place, now) {
            return state.admit(verdict, presented, now, None);
        }
        // Looked at only now: a verdict is kept for nothing but a well-formed token, and these would be the same bytes.
        let token = match credential.token() {
            Ok(token) => token,
            Err(error) => return refuse(error),
        };
        let watch = Stopwatch::start();
        match state.judge(token, now) {
            Ok(judged) => match state.conclude(judged, &place, presented.scheme()) {
                Ok(verdict) => state.admit(verdict, presented, now, Some(watch.elapsed())),
                Err(rejection) => Decision::Now(Err(rejection)),
            },
            Err(refresh) => {
                let state = Arc::clone(&state);
                Decision::Later(Box::pin(async move {
                    let judged = state.judge_after(refresh, presented.token()).await;
                    let verdict = state.conclude(judged, &place, presented.scheme())?;
                    let now = state.context.now();
                    match state.admit(verdict, presented, now, Some(watch.elapsed())) {
                        Decision::Now(admitted) => admitted,
                        Decision::Later(admitted) => admitted.await,
                    }
                }))
            }
        }
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

/// A judgement of a token: the verdict, or why there is none.
pub(super) type Judged = Result<Proved, NotProved>;

/// A verdict, and what it was reached with.
pub(super) struct Proved {
    pub(super) verdict: Verdict,
    trust: usize,
    keys: Generation,
}

/// Why a token was not proved, and of which issuer it claims to be.
pub(super) struct NotProved {
    issuer: Option<Arc<str>>,
    why: Why,
}

pub(super) enum Why {
    Refused(JwtError),
    Unavailable { reason: Arc<str>, retry_after: Duration },
}

impl State {
    /// The verdict on a token that was verified before, if it still stands.
    pub(super) fn recall(&self, place: &Place, now: Timestamp) -> Option<Arc<VerdictRef>> {
        self.cache.as_ref()?.get(place.print?, |cached| self.stands(cached, now))
    }

    fn stands(&self, cached: &Cached, now: Timestamp) -> bool {
        let Some(trust) = self.trusts.get(cached.trust) else { return false };
        trust.tend(now);
        cached.is_timely(now) && cached.epoch == self.epoch() && trust.ring.is_current(cached.keys)
    }

    pub(super) async fn judge_after(&self, mut refresh: Refresh, token: &str) -> Judged {
        for _ in 0..MAX_WAITS {
            // Whether the keys came is told by the next look at the ring.
            let _ = refresh.await;
            match self.judge(token, self.context.now()) {
                Ok(judged) => return judged,
                Err(again) => refresh = again,
            }
        }
        Err(NotProved { issuer: None, why: Why::unavailable("keys keep changing", Duration::from_secs(1)) })
    }

    /// `Err` means that keys must be waited for, and nothing else.
    pub(super) fn judge(&self, token: &str, now: Timestamp) -> Result<Judged, Refresh> {
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
        let checked = match jwt.check(claims, &trust.rules, now) {
            Ok(checked) => checked,
            Err(error) => return refused(Some(trust), error),
        };
        let header = jwt.header();
        let kid = header.kid.as_deref();
        let mut lookup = trust.ring.lookup(kid, header.alg);
        loop {
            let keys = match trust.keys(lookup)? {
                Ok(candidates) => match checked.verify(candidates.iter(), &trust.rules) {
                    Ok(jwt) => return Ok(Ok(self.proved(at, trust, jwt, candidates.generation()))),
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

    fn proved(&self, at: usize, trust: &Trust, jwt: VerifiedJwt, keys: Generation) -> Proved {
        let lifetime = jwt.expires_at.since(jwt.issued_at);
        if trust.report_lifetime.is_some_and(|limit| lifetime > limit) {
            self.context.observers.emit(&Event::LifetimeTooLong { issuer: &trust.issuer });
        }
        let (issuer, context) = (Arc::clone(&trust.issuer), Arc::clone(&self.context));
        Proved {
            verdict: Verdict { issuer, jwt, context, typed: TypedClaims::default(), proof_header: OnceLock::new() },
            trust: at,
            keys,
        }
    }

    /// Keeps a verdict, or refuses.
    pub(super) fn conclude(&self, judged: Judged, place: &Place, tried: Scheme) -> Result<Arc<VerdictRef>, Rejection> {
        match judged {
            Ok(Proved { verdict, trust, keys }) => {
                let verdict = Arc::new(verdict);
                self.keep(place, &verdict, trust, keys);
                Ok(Arc::new(VerdictRef(verdict)))
            }
            Err(NotProved { issuer, why }) => {
                let rejection = match why {
                    Why::Refused(error) => self.context.challenger.invalid_token(error, tried),
                    Why::Unavailable { reason, retry_after } => {
                        Rejection::unavailable(Cause::KeysUnavailable(reason), retry_after)
                    }
                };
                Err(self.refuse(rejection, issuer.as_deref()))
            }
        }
    }

    fn keep(&self, place: &Place, verdict: &Arc<Verdict>, trust: usize, keys: Generation) {
        let (Some(cache), Some(print)) = (&self.cache, place.print) else { return };
        let Some(leeway) = self.trusts.get(trust).map(|trust| trust.rules.leeway) else { return };
        let entry = Cached {
            verdict: Arc::clone(verdict),
            trust,
            keys,
            epoch: place.epoch,
            from: verdict.jwt.starts_at().minus(leeway),
            until: verdict.jwt.expires_at.plus(leeway),
        };
        cache.insert(print, Arc::new(entry));
    }

    /// A refusal before anything was proved.
    fn refuse(&self, rejection: Rejection, issuer: Option<&str>) -> Rejection {
        self.context.refuse(rejection, issuer, false)
    }
}

impl Trust {
    /// The outer `Err` means that keys must be waited for; the inner one that there is none to be had.
    fn keys(&self, lookup: Lookup) -> Result<Result<Candidates, Why>, Refresh> {
        Ok(match lookup {
            Lookup::Found(keys) | Lookup::Stale(keys) => Ok(keys),
            Lookup::Missing(refresh) | Lookup::Empty(refresh) => return Err(refresh),
            Lookup::Cooling { refreshed: true, .. } => Err(Why::Refused(JwtError::KeyUnknown)),
            Lookup::Cooling { refreshed: false, retry_after } => {
                Err(Why::unavailable("the last fetch failed", retry_after))
            }
        })
    }
}

impl Why {
    fn unavailable(reason: &str, retry_after: Duration) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after }
    }
}
