//! What an issuer's token must say before its signature is worth checking (RFC 9068 section 4, RFC 8725).
//!
//! All of it is free to check: no key, no I/O, and `now` is an argument.

use std::time::Duration;

use crate::crypto::Algorithm;
use crate::jwt::claims::RawClaims;
use crate::jwt::compact::{Header, MAX_ID_BYTES};
use crate::jwt::confirmation::Confirmation;
use crate::jwt::error::JwtError;
use crate::jwt::json::{NumericDate, OneOrMany, Text};
use crate::jwt::profile::Profile;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// The rules for the tokens of one issuer.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: Box<str>,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) profile: Profile,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    /// Whether `cnf.jkt` can be proved (RFC 9449).
    pub(crate) proves_dpop: bool,
}

impl Rules {
    /// Judges everything but the signature.
    pub(crate) fn check(
        &self,
        header: &Header,
        claims: &RawClaims<'_>,
        payload: &str,
        now: Timestamp,
    ) -> Result<(), JwtError> {
        if !self.algorithms.contains(&header.alg) {
            return Err(JwtError::Algorithm);
        }
        if !self.profile.is_access_token(header, claims, payload) {
            return Err(JwtError::Type { preset: Profile::preset_for(header, claims, payload) });
        }
        // Code point by code point: an issuer is a name, not an address to be normalised.
        if claims.iss.as_ref().is_none_or(|Text(iss)| *iss != *self.issuer) {
            return Err(JwtError::IssuerUnknown);
        }
        if let Some(name) = self.profile.missing_claim(claims) {
            return Err(JwtError::ClaimMissing(name));
        }
        if self.profile.token_id(claims).is_some_and(|id| id.len() > MAX_ID_BYTES) {
            return Err(JwtError::ClaimInvalid("jti"));
        }
        self.check_audience(claims)?;
        let Some(NumericDate(expires_at)) = claims.exp else { return Err(JwtError::ClaimMissing("exp")) };
        if claims.iat.is_none() {
            return Err(JwtError::ClaimMissing("iat"));
        }
        if now >= expires_at.plus(self.leeway) {
            return Err(JwtError::Expired);
        }
        self.check_start(claims, now)?;
        self.check_binding(claims)
    }

    /// A bound token whose binding cannot be proved would pass as an unbound one.
    pub(super) fn check_binding(&self, claims: &RawClaims<'_>) -> Result<(), JwtError> {
        let provable = |bound: &Confirmation<'_>| self.proves_dpop && bound.jkt.is_some() && !bound.unprovable;
        if claims.confirmation.as_ref().is_none_or(provable) { Ok(()) } else { Err(JwtError::Bound) }
    }

    pub(super) fn check_audience(&self, claims: &RawClaims<'_>) -> Result<(), JwtError> {
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| **ours == *audience);
        let named = match &claims.aud {
            Some(audiences) => audiences.iter().any(is_ours),
            None if self.profile.client_stands_for_audience() => self.profile.client_id(claims).is_some_and(is_ours),
            None => false,
        };
        if named { Ok(()) } else { Err(JwtError::Audience) }
    }

    /// When the token begins, and how long it lives.
    pub(super) fn check_start(&self, claims: &RawClaims<'_>, now: Timestamp) -> Result<(), JwtError> {
        let latest_start = now.plus(self.leeway);
        if claims.nbf.is_some_and(|NumericDate(not_before)| not_before > latest_start) {
            return Err(JwtError::NotYetValid);
        }
        if claims.iat.is_some_and(|NumericDate(issued_at)| issued_at > latest_start) {
            return Err(JwtError::IssuedInFuture);
        }
        let lifetime = claims.exp.zip(claims.iat).map(|(NumericDate(end), NumericDate(start))| end.since(start));
        if self.max_lifetime.is_some_and(|limit| lifetime.is_some_and(|lifetime| lifetime > limit)) {
            return Err(JwtError::LifetimeTooLong);
        }
        Ok(())
    }

    /// The scopes of the token; none when the claim is absent.
    pub(crate) fn scopes(&self, claims: &RawClaims<'_>) -> Result<ScopeSet, JwtError> {
        let (name, claim) = match (&claims.scope, &claims.scp) {
            (None, Some(scp)) if self.profile.reads_scp() => ("scp", Some(scp)),
            (scope, _) => ("scope", scope.as_ref()),
        };
        match claim {
            None => Ok(ScopeSet::empty()),
            Some(OneOrMany::One(Text(scopes))) => scopes.parse().map_err(|_| JwtError::ClaimInvalid(name)),
            Some(many) if self.profile.reads_scope_arrays() => {
                ScopeSet::from_tokens(many.iter()).map_err(|_| JwtError::ClaimInvalid(name))
            }
            Some(_) => Err(JwtError::ClaimInvalid(name)),
        }
    }
}
