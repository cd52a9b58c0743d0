//! The whole story of one request, on one screen.
//!
//! Synchronous wherever nothing must be awaited: only keys that are not there yet make a request wait.

use std::future::Future;
use std::pin::Pin;
use std::str;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::request::Parts;

use super::{ResourceServer, State};
use crate::credential::{Credential, CredentialError, is_in_query};
use crate::jwks::key_ring::{Candidates, Lookup, Refresh};
use crate::jwt::error::JwtError;
use crate::jwt::json::Text;
use crate::jwt::verify::{UnverifiedJwt, VerifiedJwt};
use crate::observe::{Event, Stopwatch};
use crate::reject::Rejection;
use crate::server::issuer::Trust;
use crate::token::{Authenticated, TypedClaims, Verdict};

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
        let watch = Stopwatch::start();
        let state = self.state();
        let refuse =
            |error| Decision::Now(Err(state.refuse(state.context.challenger.credentials_malformed(error), None)));
        if state.refuse_query_tokens && is_in_query(parts.uri.query()) {
            return refuse(CredentialError::InQuery);
        }
        let credential = match Credential::from_headers(&parts.headers) {
            Ok(Some(credential)) => credential,
            Ok(None) => return Decision::Now(Ok(None)),
            Err(error) => return refuse(error),
        };
        match state.judge(credential.token()) {
            Ok(judged) => Decision::Now(state.conclude(judged, credential.header(), watch)),
            Err(refresh) => {
                let token = credential.token().to_owned();
                let header = credential.header().clone();
                let state = Arc::clone(&state);
                Decision::Later(Box::pin(async move {
                    let judged = state.judge_after(refresh, &token).await;
                    state.conclude(judged, &header, watch)
                }))
            }
        }
    }
}

/// A judgement of a token: the verdict, or why there is none.
type Judged = Result<Verdict, NotProved>;

/// Why a token was not proved, and of which issuer it claims to be.
struct NotProved {
    issuer: Option<Arc<str>>,
    why: Why,
}

enum Why {
    Refused(JwtError),
    Unavailable { reason: Arc<str>, retry_after: Duration },
}

impl State {
    async fn judge_after(&self, mut refresh: Refresh, token: &str) -> Judged {
        for _ in 0..MAX_WAITS {
            // Whether the keys came is told by the next look at the ring.
            let _ = refresh.await;
            match self.judge(token) {
                Ok(judged) => return judged,
                Err(again) => refresh = again,
            }
        }
        Err(NotProved { issuer: None, why: Why::unavailable("keys keep changing", Duration::from_secs(1)) })
    }

    /// `Err` means that keys must be waited for, and nothing else.
    fn judge(&self, token: &str) -> Result<Judged, Refresh> {
        let now = self.context.now();
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
        let Some(trust) = claims.iss.as_ref().and_then(|Text(iss)| self.issuers.get(iss.as_ref())) else {
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
            let seen = match trust.keys(lookup)? {
                Ok(candidates) => match checked.verify(candidates.iter(), &trust.rules) {
                    Ok(jwt) => return Ok(Ok(self.verdict(trust, jwt))),
                    Err(JwtError::Signature) => candidates.generation(),
                    Err(error) => return refused(Some(trust), error),
                },
                Err(why) => return Ok(Err(NotProved { issuer: Some(Arc::clone(&trust.issuer)), why })),
            };
            // The key may have been replaced under its kid, or a key without kid been added: one shared look.
            lookup = match trust.ring.after_bad_signature(seen, kid, header.alg) {
                Lookup::Cooling { refreshed: true, .. } => return refused(Some(trust), JwtError::Signature),
                other => other,
            };
        }
    }

    fn verdict(&self, trust: &Trust, jwt: VerifiedJwt) -> Verdict {
        let lifetime = jwt.expires_at.since(jwt.issued_at);
        if trust.report_lifetime.is_some_and(|limit| lifetime > limit) {
            self.context.observers.emit(&Event::LifetimeTooLong { issuer: &trust.issuer });
        }
        Verdict { issuer: Arc::clone(&trust.issuer), jwt, typed: TypedClaims::default() }
    }

    fn conclude(
        &self,
        judged: Judged,
        header: &HeaderValue,
        watch: Stopwatch,
    ) -> Result<Option<Authenticated>, Rejection> {
        match judged {
            Ok(verdict) => {
                let algorithm = verdict.jwt.algorithm;
                let accepted = Event::Accepted { issuer: &verdict.issuer, algorithm, elapsed: watch.elapsed() };
                self.context.observers.emit(&accepted);
                Ok(Some(Authenticated::new(Arc::new(verdict), Arc::clone(&self.context), header.clone())))
            }
            Err(NotProved { issuer, why }) => {
                let rejection = match why {
                    Why::Refused(error) => self.context.challenger.invalid_token(error),
                    Why::Unavailable { reason, retry_after } => Rejection::unavailable(reason, retry_after),
                };
                Err(self.refuse(rejection, issuer.as_deref()))
            }
        }
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
