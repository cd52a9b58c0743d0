//! From a stranger's text to a witness: [`VerifiedJwt`] can be made only by a signature that verified.

use crate::crypto::{Algorithm, Key};
use crate::jwt::claims::RawClaims;
use crate::jwt::compact::{Compact, Header};
use crate::jwt::error::JwtError;
use crate::jwt::json::{NumericDate, OneOrMany, Text};
use crate::jwt::rules::{Rules, Times};
use crate::jwt::texts::{Collector, Span, Texts};
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
        let (claims, profile, payload) = (&self.claims, &rules.profile, self.jwt.compact.payload.as_str());
        let mut texts = Collector::new(payload);
        let mut place = |text: &str| texts.place(text);
        let text = |claim: &Option<Text<'_>>, place: &mut dyn FnMut(&str) -> Span| {
            claim.as_ref().map(|Text(text)| place(text))
        };
        Ok(VerifiedJwt {
            algorithm: header.alg,
            subject: text(&claims.sub, &mut place),
            client_id: profile.client_id(claims).map(&mut place),
            is_user: profile.is_user(claims),
            audience: claims.aud.iter().flat_map(OneOrMany::iter).map(&mut place).collect(),
            token_id: profile.token_id(claims).map(&mut place),
            session_id: text(&claims.sid, &mut place),
            scopes: self.scopes.clone(),
            roles: profile.roles(claims, payload).map(|Text(role)| place(&role)).collect(),
            issued_at: self.times.issued_at,
            not_before: claims.nbf.map(|NumericDate(at)| at),
            expires_at: self.times.expires_at,
            auth_time: claims.auth_time.map(|NumericDate(at)| at),
            acr: text(&claims.acr, &mut place),
            jkt: claims.confirmation.as_ref().and_then(|bound| text(&bound.jkt, &mut place)),
            texts: texts.finish(),
        })
    }
}

/// What an issuer that is believed has signed. There is no other way to make one.
#[derive(Debug)]
pub(crate) struct VerifiedJwt {
    pub(crate) algorithm: Algorithm,
    pub(crate) is_user: bool,
    pub(crate) scopes: ScopeSet,
    pub(crate) issued_at: Timestamp,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) auth_time: Option<Timestamp>,
    subject: Option<Span>,
    client_id: Option<Span>,
    audience: Box<[Span]>,
    token_id: Option<Span>,
    session_id: Option<Span>,
    roles: Box<[Span]>,
    acr: Option<Span>,
    jkt: Option<Span>,
    texts: Texts,
}

impl VerifiedJwt {
    /// Before this, less the leeway, the token is refused: the later of `nbf` and `iat`.
    pub(crate) fn starts_at(&self) -> Timestamp {
        self.not_before.map_or(self.issued_at, |not_before| not_before.max(self.issued_at))
    }

    /// All claims as they were signed: one JSON object.
    pub(crate) fn payload(&self) -> &str {
        self.texts.payload()
    }

    pub(crate) fn subject(&self) -> Option<&str> {
        self.text(self.subject)
    }

    pub(crate) fn client_id(&self) -> Option<&str> {
        self.text(self.client_id)
    }

    pub(crate) fn token_id(&self) -> Option<&str> {
        self.text(self.token_id)
    }

    pub(crate) fn session_id(&self) -> Option<&str> {
        self.text(self.session_id)
    }

    pub(crate) fn acr(&self) -> Option<&str> {
        self.text(self.acr)
    }

    /// The thumbprint of the key that the token is bound to (RFC 9449 section 6.1).
    pub(crate) fn jkt(&self) -> Option<&str> {
        self.text(self.jkt)
    }

    pub(crate) fn audience(&self) -> impl Iterator<Item = &str> {
        self.audience.iter().map(|span| self.texts.at(*span))
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(|span| self.texts.at(*span))
    }

    fn text(&self, span: Option<Span>) -> Option<&str> {
        span.map(|span| self.texts.at(span))
    }
}
