//! Authorization codes: good once, for the client, the redirect URI, the verifier and the key of their request.

use std::sync::Arc;
use std::time::Duration;

use super::{Consented, Digest, Grant, Lifetimes, State, digest};
use crate::dev::grants::family::Family;
use crate::dev::grants::shelf::Full;
use crate::dev::pkce;
use crate::dev::refusal::Refusal;
use crate::mint::claims::random_id;
use crate::time::Timestamp;

/// How long a spent code is remembered, so that a second use is known for what it is.
const MEMORY: Duration = Duration::from_secs(600);

/// What a code stands for.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) consented: Arc<Consented>,
    pub(crate) redirect_uri: String,
    /// The S256 challenge (RFC 7636 section 4.2).
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    /// The key that the code is bound to (RFC 9449 section 10).
    pub(crate) jkt: Option<String>,
    pub(crate) expires: Timestamp,
    /// The grant that the code became.
    pub(crate) redeemed: Option<String>,
}

/// What comes along with a code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redemption<'r> {
    pub(crate) client_id: &'r str,
    pub(crate) redirect_uri: Option<&'r str>,
    pub(crate) verifier: &'r str,
    pub(crate) jkt: Option<&'r str>,
    /// Whether refresh tokens are bound to that key, as they are for a public client (RFC 9449 section 5).
    pub(crate) binds_refresh: bool,
}

/// Why a code becomes no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RedemptionError {
    /// Not good, for this reason.
    Invalid(&'static str),
    /// The code is good, what is asked with it is not. It can still be used.
    Refused(Refusal),
    /// Good in every way but for having been used; what it became is revoked. The session is named.
    Replayed(String),
    Full,
}

impl From<Full> for RedemptionError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// A code that has become a grant.
#[derive(Debug)]
pub(crate) struct Redeemed {
    pub(crate) grant: String,
    pub(crate) consented: Arc<Consented>,
    pub(crate) nonce: Option<String>,
    pub(crate) refresh_token: String,
}

impl Code {
    /// The order tells a thief nothing: each reason is the same `invalid_grant`.
    fn check(&self, request: &Redemption<'_>) -> Result<(), &'static str> {
        if self.consented.client_id != request.client_id {
            return Err("the code was issued to another client");
        }
        if request.redirect_uri.is_some_and(|uri| uri != self.redirect_uri) {
            return Err("redirect_uri is not the one of the authorization request");
        }
        pkce::verify(request.verifier, &self.challenge)?;
        match (&self.jkt, request.jkt) {
            (Some(bound), Some(proved)) if bound == proved => Ok(()),
            (Some(_), _) => {
                Err("the code is bound to a DPoP key (RFC 9449 section 10), and this request does not prove it")
            }
            (None, _) => Ok(()),
        }
    }
}

impl State {
    /// Keeps a new code.
    pub(crate) fn keep_code(&mut self, code: &str, value: Code, now: Timestamp) -> Result<(), Full> {
        let until = value.expires.plus(MEMORY);
        self.codes.put(digest(code), value, until, now)
    }

    /// Makes a grant of a code, once. A second use that is valid in every other way ends what the first one began
    /// (OAuth 2.1 section 4.1.3); one that is not changes nothing, or anybody could end a session by a guess. What else
    /// the request asks is judged by `check` before the code is spent.
    pub(crate) fn redeem<T>(
        &mut self,
        code: &str,
        request: &Redemption<'_>,
        lifetimes: &Lifetimes,
        now: Timestamp,
        check: impl FnOnce(&Consented) -> Result<T, Refusal>,
    ) -> Result<(Redeemed, T), RedemptionError> {
        let key: Digest = digest(code);
        let unknown = RedemptionError::Invalid("the code is unknown, or was forgotten long after its end");
        let held = self.codes.get(&key, now).ok_or(unknown)?;
        held.check(request).map_err(RedemptionError::Invalid)?;
        if let Some(grant) = held.redeemed.clone() {
            let sid = held.consented.sid.clone();
            self.revoke_grant(&grant, now);
            return Err(RedemptionError::Replayed(sid));
        }
        if now > held.expires {
            return Err(RedemptionError::Invalid("the code has expired"));
        }
        if self.has_ended(&held.consented.sid, now) {
            return Err(RedemptionError::Invalid("the session of the code has ended"));
        }
        let checked = check(&held.consented).map_err(RedemptionError::Refused)?;
        let (consented, nonce) = (Arc::clone(&held.consented), held.nonce.clone());
        let made = random_id().and_then(|id| Ok((id, Family::new()?)));
        let (id, family) = made.map_err(|_| RedemptionError::Refused(Refusal::Server))?;
        let refresh_token = family.token(&id);
        let ends = now.plus(lifetimes.refresh);
        let grant = Grant {
            consented: Arc::clone(&consented),
            jkt: request.jkt.filter(|_| request.binds_refresh).map(str::to_owned),
            family,
            ends,
            revoked: false,
        };
        // Remembered until the last access token that may come of it is past.
        self.grants.put(id.clone(), grant, ends.plus(lifetimes.access_token), now)?;
        if let Some(held) = self.codes.get_mut(&key, now) {
            held.redeemed = Some(id.clone());
        }
        Ok((Redeemed { grant: id, consented, nonce, refresh_token }, checked))
    }
}
