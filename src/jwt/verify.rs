//! From a stranger's text to a witness: [`VerifiedJwt`] can be made only by a signature that verified.

use std::ops::Deref;

use crate::crypto::{Algorithm, Key};
use crate::jwt::claims::RawClaims;
use crate::jwt::compact::{Compact, Header};
use crate::jwt::error::JwtError;
use crate::jwt::rules::Rules;
use crate::jwt::statement::Statement;
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
        rules.check(&self.compact.header, &claims, &self.compact.payload, now)?;
        let scopes = rules.scopes(&claims)?;
        Ok(CheckedJwt { jwt: self, claims, scopes })
    }
}

/// A token whose every claim is in order, if only it were signed.
#[derive(Debug)]
pub(crate) struct CheckedJwt<'u, 't> {
    jwt: &'u UnverifiedJwt<'t>,
    claims: RawClaims<'u>,
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
        let statement = Statement::read(&self.claims, &self.jwt.compact.payload, &rules.profile, self.scopes.clone());
        Ok(VerifiedJwt { algorithm: header.alg, statement })
    }
}

/// What an issuer that is believed has signed. There is no other way to make one.
#[derive(Debug)]
pub(crate) struct VerifiedJwt {
    algorithm: Algorithm,
    statement: Statement,
}

impl VerifiedJwt {
    pub(crate) fn into_parts(self) -> (Algorithm, Statement) {
        (self.algorithm, self.statement)
    }
}

impl Deref for VerifiedJwt {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        &self.statement
    }
}
