//! What an issuer answered about a token (RFC 7662 section 2.2), judged by the same rules as what it signs: an active
//! token may still be for somebody else, for another time, or bound to a key.

use serde_json::{Map, Value};

use crate::jwt::claims::RawClaims;
use crate::jwt::compact::MAX_ID_BYTES;
use crate::jwt::error::JwtError;
use crate::jwt::json::{NumericDate, Text};
use crate::jwt::rules::Rules;
use crate::jwt::statement::Statement;
use crate::time::Timestamp;

/// A token of which its issuer has said that it is active, and whose every claim is in order.
#[derive(Debug)]
pub(crate) struct Introspected {
    statement: Statement,
}

/// Members that give rights. The issuer's newest word on them is the only one.
const RIGHTS: [&str; 6] = ["scope", "scp", "authorization_details", "roles", "groups", "entitlements"];

impl Introspected {
    /// Judges an answer that says `active: true`. `exp` is held to without leeway: the issuer has just looked at its own
    /// clock, so what it says then is not a matter of ours.
    pub(crate) fn judge(answer: &str, rules: &Rules, now: Timestamp) -> Result<Self, JwtError> {
        let claims = RawClaims::parse(answer)?;
        rules.check_audience(&claims)?;
        Self::conclude(answer, &claims, rules, now)
    }

    /// Judges an answer about a token that the issuer has signed: what the token alone says stands, but for rights.
    ///
    /// The answer may leave out what the signature covers. It may not contradict it.
    pub(crate) fn confirm(signed: &Statement, answer: &str, rules: &Rules, now: Timestamp) -> Result<Self, JwtError> {
        let claims = RawClaims::parse(answer)?;
        if claims.aud.is_some() {
            rules.check_audience(&claims)?;
        }
        if claims.sub.as_ref().is_some_and(|Text(sub)| Some(sub.as_ref()) != signed.subject()) {
            return Err(JwtError::ClaimMismatch("sub"));
        }
        let jkt = claims.confirmation.as_ref().and_then(|bound| bound.jkt.as_ref());
        if jkt.is_some_and(|Text(jkt)| Some(jkt.as_ref()) != signed.jkt()) {
            return Err(JwtError::ClaimMismatch("cnf"));
        }
        let merged = merged(signed.payload(), answer, rules).ok_or(JwtError::Malformed("the payload is no object"))?;
        Self::conclude(&merged, &RawClaims::parse(&merged)?, rules, now)
    }

    fn conclude(payload: &str, claims: &RawClaims<'_>, rules: &Rules, now: Timestamp) -> Result<Self, JwtError> {
        // Code point by code point, as everywhere; an answer need not say whose it is.
        if claims.iss.as_ref().is_some_and(|Text(iss)| *iss != *rules.issuer) {
            return Err(JwtError::IssuerUnknown);
        }
        if claims.exp.is_some_and(|NumericDate(expires_at)| now >= expires_at) {
            return Err(JwtError::Expired);
        }
        rules.check_start(claims, now)?;
        if rules.profile.token_id(claims).is_some_and(|id| id.len() > MAX_ID_BYTES) {
            return Err(JwtError::ClaimInvalid("jti"));
        }
        check_token_type(claims)?;
        rules.check_binding(claims)?;
        Ok(Self { statement: Statement::read(claims, payload, &rules.profile, rules.scopes(claims)?) })
    }

    /// The thumbprint of the key that the token is bound to.
    pub(crate) fn jkt(&self) -> Option<&str> {
        self.statement.jkt()
    }

    pub(crate) fn into_statement(self) -> Statement {
        self.statement
    }
}

/// Only an access token may be used as one; `token_type` is compared in any case (RFC 6749 section 7.1). A token that is
/// said to be bound must say to which key.
fn check_token_type(claims: &RawClaims<'_>) -> Result<(), JwtError> {
    match &claims.token_type {
        None if claims.names.contains("token_type") => Err(JwtError::TokenType),
        None => Ok(()),
        Some(Text(bearer)) if bearer.eq_ignore_ascii_case("Bearer") => Ok(()),
        Some(Text(dpop)) if dpop.eq_ignore_ascii_case("DPoP") => match &claims.confirmation {
            Some(bound) if bound.jkt.is_some() => Ok(()),
            _ => Err(JwtError::Bound),
        },
        Some(_) => Err(JwtError::TokenType),
    }
}

/// The signed claims without rights, and over them what was answered.
fn merged(signed: &str, answer: &str, rules: &Rules) -> Option<String> {
    let mut claims: Map<String, Value> = serde_json::from_str(signed).ok()?;
    let answered: Map<String, Value> = serde_json::from_str(answer).ok()?;
    for right in RIGHTS.into_iter().chain(rules.profile.role_members()) {
        claims.remove(right);
    }
    claims.extend(answered);
    serde_json::to_string(&claims).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::crypto::Algorithm;
    use crate::jwt::Profile;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn rules() -> Rules {
        Rules {
            issuer: "https://as.example".into(),
            audiences: vec!["https://rs.example".into()],
            algorithms: Algorithm::ALL.to_vec(),
            profile: Profile::rfc9068(),
            leeway: Duration::from_secs(60),
            max_lifetime: None,
            proves_dpop: true,
        }
    }

    fn judged(more: &str) -> Result<Statement, JwtError> {
        let answer = format!(r#"{{"active":true,"aud":"https://rs.example","sub":"ada","client_id":"shop"{more}}}"#);
        Introspected::judge(&answer, &rules(), NOW).map(Introspected::into_statement)
    }

    #[test]
    fn an_answer_needs_an_audience_and_nothing_else() {
        let statement = judged("").unwrap();
        assert_eq!((statement.subject(), statement.is_user, statement.expires_at), (Some("ada"), true, None));
        let without = Introspected::judge(r#"{"active":true,"sub":"ada"}"#, &rules(), NOW);
        assert_eq!(without.unwrap_err(), JwtError::Audience);
    }

    #[test]
    fn what_it_says_is_held_to_the_rules_and_exp_to_the_second() {
        for (more, error) in [
            (r#","exp":1000"#, JwtError::Expired),
            (r#","nbf":1061"#, JwtError::NotYetValid),
            (r#","iat":1061"#, JwtError::IssuedInFuture),
            (r#","iss":"https://as.example/""#, JwtError::IssuerUnknown),
            (r#","token_type":"mac""#, JwtError::TokenType),
            (r#","token_type":"N_A""#, JwtError::TokenType),
            (r#","token_type":"refresh_token""#, JwtError::TokenType),
            (r#","token_type":5"#, JwtError::TokenType),
            (r#","token_type":"DPoP""#, JwtError::Bound),
            (r#","cnf":{"x5t#S256":"x"}"#, JwtError::Bound),
            (r#","cnf":{"other":"x"}"#, JwtError::Bound),
            (r#","exp":"soon""#, JwtError::ClaimInvalid("exp")),
        ] {
            assert_eq!(judged(more).unwrap_err(), error, "{more}");
        }
        for more in [r#","exp":1001"#, r#","token_type":"bEARER""#, r#","token_type":"dpop","cnf":{"jkt":"k"}"#] {
            assert!(judged(more).is_ok(), "{more}");
        }
    }

    #[test]
    fn a_client_without_a_user_is_no_user() {
        let answer = r#"{"active":true,"aud":"https://rs.example","client_id":"shop"}"#;
        let statement = Introspected::judge(answer, &rules(), NOW).unwrap().into_statement();
        assert_eq!((statement.is_user, statement.client_id(), statement.subject()), (false, Some("shop"), None));
    }

    #[test]
    fn the_newest_word_on_rights_is_the_only_one() {
        let signed = judged(r#","scope":"read write","roles":["clerk"],"acr":"phr","tenant":"a""#).unwrap();
        let confirmed = Introspected::confirm(&signed, r#"{"active":true,"scope":"read"}"#, &rules(), NOW);
        let statement = confirmed.unwrap().into_statement();
        assert_eq!((statement.scopes.as_str(), statement.roles().count(), statement.acr()), ("read", 0, Some("phr")));
        assert!(statement.payload().contains("tenant"));
        let none = Introspected::confirm(&signed, r#"{"active":true}"#, &rules(), NOW).unwrap().into_statement();
        assert!(none.scopes.is_empty());
    }

    #[test]
    fn an_answer_may_not_contradict_the_signature() {
        let signed = judged(r#","cnf":{"jkt":"k"}"#).unwrap();
        let confirm = |answer: &str| Introspected::confirm(&signed, answer, &rules(), NOW).map(|_| ());
        assert_eq!(confirm(r#"{"active":true,"sub":"eve"}"#), Err(JwtError::ClaimMismatch("sub")));
        assert_eq!(confirm(r#"{"active":true,"cnf":{"jkt":"other"}}"#), Err(JwtError::ClaimMismatch("cnf")));
        assert_eq!(confirm(r#"{"active":true,"aud":"https://other.example"}"#), Err(JwtError::Audience));
        assert_eq!(confirm(r#"{"active":true,"exp":999}"#), Err(JwtError::Expired));
        assert_eq!(confirm(r#"{"active":true,"cnf":{"jkt":"k"}}"#), Ok(()));
    }
}
