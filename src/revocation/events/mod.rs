//! Events by which an issuer takes tokens back: OpenID Back-Channel Logout tokens, and security event tokens (RFC 8417)
//! pushed as RFC 8935 says, in the profile of the Shared Signals Framework with the events of CAEP. Pure.
//!
//! | what comes | what follows |
//! |---|---|
//! | a logout token with `sid` | every token of that session is denied |
//! | a logout token with `sub` alone | every token of that subject that was issued up to the logout |
//! | `session-revoked`, `credential-change`, `token-claims-change` | tokens of the event's subject that were issued up to the event |
//! | `verification` | nothing; its `state` is told |
//! | any other event | nothing |
//!
//! Whoever receives one chooses the issuer by [`claimed_issuer`], asks its keys for the signature, judges by
//! [`judge_logout`](logout::judge_logout) or [`judge_set`](set::judge_set), **denies first**, and only then spends the `jti`: rules may be set twice without
//! harm, while a logout whose rule was lost must be repeatable.

pub(crate) mod error;
pub(crate) mod logout;
pub(crate) mod set;
mod subject;

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::crypto::sha256;
use crate::jwt::compact::Compact;
use crate::jwt::error::JwtError;
use crate::jwt::json::{OneOrMany, Text};
use crate::store::{Denied, DenyRule, ReplayEntry};
use crate::time::Timestamp;

/// The longest time for which a `jti` is remembered.
const MAX_MEMORY: Duration = Duration::from_secs(24 * 3600);

/// What an event must say to be for us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'e> {
    /// The configured issuer whose keys have verified the signature.
    pub(crate) issuer: &'e str,
    /// The names under which the issuer knows this service: its client identifiers, and the audience of its stream.
    pub(crate) audiences: &'e [Box<str>],
    /// Members of a complex subject without which an event means something else (`critical_subject_members` of the
    /// Shared Signals Framework): an event with one that is not understood is ignored.
    pub(crate) critical_members: &'e [Box<str>],
    pub(crate) leeway: Duration,
    pub(crate) now: Timestamp,
}

impl Expected<'_> {
    fn is_for_us(&self, audience: Option<&OneOrMany<'_>>) -> bool {
        audience.is_some_and(|audience| audience.iter().any(|name| self.audiences.iter().any(|own| **own == *name)))
    }

    fn is_ahead(&self, moment: Timestamp) -> bool {
        moment > self.now.plus(self.leeway)
    }

    /// The `jti` to be spent, under a name that no proof and no other kind of document has.
    fn entry(&self, kind: &str, jti: &str, issued_at: Timestamp, keep_until: Timestamp) -> ReplayEntry {
        let issuer_len = (self.issuer.len() as u64).to_be_bytes();
        let key = sha256(&[kind.as_bytes(), b"\0", &issuer_len, self.issuer.as_bytes(), jti.as_bytes()]);
        ReplayEntry::new(key, issued_at, keep_until.min(self.now.plus(MAX_MEMORY)))
    }
}

/// Tokens to be denied. For how long is up to whoever knows how long tokens live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deny {
    pub(crate) denied: Denied,
    /// The latest `iat` that is denied; `None` denies every token.
    pub(crate) issued_until: Option<Timestamp>,
}

impl Deny {
    /// The rule, kept until the last of these tokens has expired.
    pub(crate) fn rule(&self, issuer: &str, keep_until: Timestamp) -> DenyRule {
        let rule = DenyRule::new(issuer, self.denied.clone(), keep_until);
        match self.issued_until {
            Some(moment) => rule.issued_until(moment),
            None => rule,
        }
    }
}

/// Whose document it claims to be: to choose a configured issuer, and for nothing else.
pub(crate) fn claimed_issuer(document: &str) -> Result<Box<str>, JwtError> {
    #[derive(Deserialize)]
    struct Claims<'p> {
        #[serde(borrow)]
        iss: Option<Text<'p>>,
    }
    let payload = Compact::parse(document)?.payload;
    let malformed = |_unread| JwtError::Malformed("the payload is not a strict JSON object");
    let claims: Claims<'_> = crate::jwt::json::from_slice(payload.as_bytes()).map_err(malformed)?;
    claims.iss.map(|Text(iss)| iss.into()).ok_or(JwtError::ClaimMissing("iss"))
}

/// A value that is an object. (To serde an array will do for one as well.)
fn object<'p, T: Deserialize<'p>>(value: &'p RawValue) -> Option<T> {
    value.get().starts_with('{').then(|| serde_json::from_str(value.get()).ok()).flatten()
}

#[cfg(test)]
mod tests;
