//! From a stranger's text to a witness: [`VerifiedJwt`] can be made only by a signature that verified.

use crate::crypto::{Algorithm, Key};
use crate::jwt::claims::RawClaims;
use crate::jwt::compact::{Compact, Header};
use crate::jwt::error::JwtError;
use crate::jwt::json::{NumericDate, Text};
use crate::jwt::rules::{Rules, Times};
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// A token that was taken apart. Whatever it says, a stranger says it.
#[derive(Debug)]
pub(crate) struct UnverifiedJwt<'t> {
    compact: Compact<'t>,
}

impl<'t> UnverifiedJwt<'t> {
    pub(crate) fn parse(token: &'t str) -> Result<Self, JwtError> {
        Compact::parse(token).map(|compact| Self { compact })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.compact.header
    }

    /// The claims, still unproved: good for choosing a configured issuer and for refusing early.
    pub(crate) fn claims(&self) -> Result<RawClaims<'_>, JwtError> {
        RawClaims::parse(&self.compact.payload)
    }

    /// Judges what is free to judge, before any key is looked for.
    pub(crate) fn check<'u>(
        &'u self,
        claims: RawClaims<'u>,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<CheckedJwt<'u, 't>, JwtError> {
        let times = rules.check(&self.compact.header, &claims, &self.compact.payload, now)?;
        let scopes = rules.scopes(&claims)?;
        Ok(CheckedJwt { jwt: self, claims, times, scopes })
    }
}

/// A token whose every claim is in order, if only it were signed.
#[derive(Debug)]
pub(crate) struct CheckedJwt<'u, 't> {
    jwt: &'u UnverifiedJwt<'t>,
    claims: RawClaims<'u>,
    times: Times,
    scopes: ScopeSet,
}

impl CheckedJwt<'_, '_> {
    /// Tries the keys in turn; the caller bounds their number.
    pub(crate) fn verify<'k>(
        &self,
        mut keys: impl Iterator<Item = &'k Key>,
        rules: &Rules,
    ) -> Result<VerifiedJwt, JwtError> {
        let Compact { header, signed, signature, .. } = &self.jwt.compact;
        if !keys.any(|key| key.verifies(header.alg, signed, signature)) {
            return Err(JwtError::Signature);
        }
        let (claims, profile) = (&self.claims, &rules.profile);
        let text = |claim: &Option<Text<'_>>| claim.as_ref().map(|Text(text)| Box::from(text.as_ref()));
        Ok(VerifiedJwt {
            algorithm: header.alg,
            subject: text(&claims.sub),
            client_id: profile.client_id(claims).map(Box::from),
            is_user: profile.is_user(claims),
            audience: claims.aud.iter().flat_map(|aud| aud.iter().map(Box::from)).collect(),
            token_id: profile.token_id(claims).map(Box::from),
            session_id: text(&claims.sid),
            scopes: self.scopes.clone(),
            roles: profile.roles(claims, &self.jwt.compact.payload),
            issued_at: self.times.issued_at,
            not_before: claims.nbf.map(|NumericDate(at)| at),
            expires_at: self.times.expires_at,
            auth_time: claims.auth_time.map(|NumericDate(at)| at),
            acr: text(&claims.acr),
            payload: self.jwt.compact.payload.clone().into_boxed_slice(),
        })
    }
}

/// What an issuer that is believed has signed. There is no other way to make one.
#[derive(Debug)]
pub(crate) struct VerifiedJwt {
    pub(crate) algorithm: Algorithm,
    pub(crate) subject: Option<Box<str>>,
    pub(crate) client_id: Option<Box<str>>,
    pub(crate) is_user: bool,
    pub(crate) audience: Vec<Box<str>>,
    pub(crate) token_id: Option<Box<str>>,
    pub(crate) session_id: Option<Box<str>>,
    pub(crate) scopes: ScopeSet,
    pub(crate) roles: Vec<Box<str>>,
    pub(crate) issued_at: Timestamp,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) acr: Option<Box<str>>,
    pub(crate) payload: Box<[u8]>,
}

impl VerifiedJwt {
    /// Before this, less the leeway, the token is refused: the later of `nbf` and `iat`.
    pub(crate) fn starts_at(&self) -> Timestamp {
        self.not_before.map_or(self.issued_at, |not_before| not_before.max(self.issued_at))
    }
}
