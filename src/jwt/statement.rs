//! What a token says, once it is believed: because its issuer has signed it, or has just said so.

use crate::jwt::claims::RawClaims;
use crate::jwt::json::{NumericDate, OneOrMany, Text};
use crate::jwt::profile::Profile;
use crate::jwt::shapes::StatusReference;
use crate::jwt::texts::{Collector, Span, Texts};
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// The facts of one token. Made only by what proves them: [`VerifiedJwt`](crate::jwt::verify::VerifiedJwt) and
/// [`Introspected`](crate::jwt::answer::Introspected).
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) is_user: bool,
    /// The token may tell of authorization details (RFC 9396).
    pub(crate) has_details: bool,
    /// Somebody acts for the subject (RFC 8693).
    pub(crate) has_actor: bool,
    pub(crate) scopes: ScopeSet,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) status: Option<Box<StatusReference>>,
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

impl Statement {
    /// Takes the facts out of claims that were judged.
    pub(super) fn read(claims: &RawClaims<'_>, payload: &str, profile: &Profile, scopes: ScopeSet) -> Self {
        let mut texts = Collector::new(payload);
        let mut place = |text: &str| texts.place(text);
        let text = |claim: &Option<Text<'_>>, place: &mut dyn FnMut(&str) -> Span| {
            claim.as_ref().map(|Text(text)| place(text))
        };
        let date = |claim: Option<NumericDate>| claim.map(|NumericDate(at)| at);
        Self {
            is_user: profile.is_user(claims),
            has_details: claims.has_details,
            has_actor: claims.has_actor,
            subject: text(&claims.sub, &mut place),
            client_id: profile.client_id(claims).map(&mut place),
            audience: claims.aud.iter().flat_map(OneOrMany::iter).map(&mut place).collect(),
            token_id: profile.token_id(claims).map(&mut place),
            session_id: text(&claims.sid, &mut place),
            scopes,
            roles: profile.roles(claims, payload).map(|Text(role)| place(&role)).collect(),
            issued_at: date(claims.iat),
            not_before: date(claims.nbf),
            expires_at: date(claims.exp),
            auth_time: date(claims.auth_time),
            acr: text(&claims.acr, &mut place),
            jkt: claims.confirmation.as_ref().and_then(|bound| text(&bound.jkt, &mut place)),
            status: claims.status.clone().map(Box::new),
            texts: texts.finish(),
        }
    }

    /// Before this, less the leeway, the token is refused: the later of `nbf` and `iat`.
    pub(crate) fn starts_at(&self) -> Option<Timestamp> {
        self.not_before.max(self.issued_at)
    }

    /// All claims as they were signed or answered: one JSON object.
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

    /// The thumbprint of the key that the token is bound to (RFC 9449 section 6).
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
