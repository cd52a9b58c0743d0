//! What an authority says about tokens: the opaque ones that it keeps, and the JWTs that its keys have signed.

use serde_json::{Map, Value};

use crate::jwt::compact::Compact;
use crate::mint::MintError;
use crate::mint::authority::{Authority, State};

const UNKNOWN: MintError = MintError("this issuer knows no such token");

impl Authority {
    /// An opaque token with these claims: `prefix` and 256 random bits.
    pub(crate) fn issue_opaque(&self, prefix: &str, claims: Map<String, Value>) -> Result<String, MintError> {
        let mut state = self.state();
        let now = state.clock.now();
        state.registry.issue(prefix, claims, now)
    }

    /// The members of RFC 7662 section 2.2. Of a token that has ended, was revoked or is not this issuer's nothing is
    /// told but that it is not active. A JWT is the issuer's own when one of its keys signed it, published or not.
    pub(crate) fn introspect(&self, token: &str) -> Map<String, Value> {
        let state = self.state();
        let claims = self.claims_of(&state, token);
        state.registry.introspect(token, claims, state.clock.now())
    }

    /// Ends a token; of a JWT, all with its `jti`.
    pub(crate) fn revoke(&self, token: &str) -> Result<(), MintError> {
        let mut state = self.state();
        let (claims, now) = (self.claims_of(&state, token).ok_or(UNKNOWN)?, state.clock.now());
        state.registry.revoke(token, &claims, now)
    }

    /// Ends every token of this `jti`, for good.
    pub(crate) fn revoke_jti(&self, jti: &str) -> Result<(), MintError> {
        let mut state = self.state();
        let now = state.clock.now();
        state.registry.revoke_jti(jti, None, now)
    }

    /// What introspection says of a token's claim from now on.
    pub(crate) fn set_claim(&self, token: &str, name: &str, value: Value) -> Result<(), MintError> {
        let mut state = self.state();
        let (claims, now) = (self.claims_of(&state, token).ok_or(UNKNOWN)?, state.clock.now());
        state.registry.set_claim(token, &claims, (name, value), now)
    }

    /// The claims with which this issuer made the token, if it did.
    fn claims_of(&self, state: &State, token: &str) -> Option<Map<String, Value>> {
        state.registry.opaque(token).cloned().or_else(|| self.own_jwt(state, token))
    }

    fn own_jwt(&self, state: &State, token: &str) -> Option<Map<String, Value>> {
        let jwt = Compact::parse(token).ok()?;
        if !state.keys.signed(&jwt) {
            return None;
        }
        let claims: Map<String, Value> = serde_json::from_str(&jwt.payload).ok()?;
        let is_own = claims.get("iss").and_then(Value::as_str) == Some(self.issuer());
        (is_own && is_access_token(jwt.header.media_type(), &claims)).then_some(claims)
    }
}

/// Tells an access token from what else an issuer signs: ID tokens, logout tokens, events, status lists. Profiles other
/// than RFC 9068 leave `typ` out or say `JWT`, as ID tokens do; these carry a `nonce` or an `at_hash`.
fn is_access_token(typ: Option<&str>, claims: &Map<String, Value>) -> bool {
    match typ {
        Some(typ) if typ.eq_ignore_ascii_case("at+jwt") => true,
        Some(typ) if !typ.eq_ignore_ascii_case("JWT") => false,
        _ => !claims.contains_key("nonce") && !claims.contains_key("at_hash"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::crypto::Algorithm;
    use crate::mint::keys::SigningKey;
    use crate::mint::token::TokenBuilder;

    fn authority() -> Arc<Authority> {
        Arc::new(Authority::new("https://login.test".into(), Algorithm::Es256).unwrap())
    }

    fn is_active(authority: &Authority, token: &str) -> bool {
        let answer = Value::Object(authority.introspect(token));
        assert!(answer["active"] == true || answer == json!({ "active": false }));
        answer["active"] == true
    }

    #[test]
    fn a_jwt_of_the_issuer_is_told_as_it_was_signed() {
        let authority = authority();
        let token = TokenBuilder::new(&authority).audience("https://api.test").scope("a").jti("j");
        let told = Value::Object(authority.introspect(&token.sign()));
        assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
        assert_eq!(
            (&told["scope"], &told["jti"], &told["aud"]),
            (&json!("a"), &json!("j"), &json!("https://api.test"))
        );
        let bound = token.bound_to(SigningKey::generate(Algorithm::Es256).unwrap()).sign();
        assert_eq!(authority.introspect(&bound)["token_type"], "DPoP");
    }

    #[test]
    fn what_is_not_the_issuers_or_no_access_token_is_not_active() {
        let (authority, other) = (authority(), authority());
        let token = TokenBuilder::new(&authority);
        assert!(is_active(&authority, &token.sign()));
        assert!(is_active(&authority, &token.clone().without_typ().sign()));
        for (why, token) in [
            ("another issuer's key", token.clone().signed_by(other.state().keys.current().unwrap()).sign()),
            ("a signature that is off by a bit", token.clone().bad_signature().sign()),
            ("another issuer's name", token.clone().issuer_claim("https://evil.test").sign()),
            ("an event", token.clone().typ("secevent+jwt").sign()),
            ("an ID token", token.clone().typ("JWT").claim("nonce", "n").sign()),
            ("an end in the past", token.clone().expired().sign()),
            ("a beginning in the future", token.clone().not_yet_valid().sign()),
            ("nothing", String::new()),
        ] {
            assert!(!is_active(&authority, &token), "{why}");
        }
    }

    #[test]
    fn a_retired_key_still_counts_and_a_withdrawn_one_does_not() {
        let authority = authority();
        let token = TokenBuilder::new(&authority).sign();
        authority.state().keys.rotate().unwrap();
        assert!(is_active(&authority, &token));
        authority.state().keys.withdraw_old();
        assert!(!is_active(&authority, &token));
    }

    #[test]
    fn tokens_of_both_kinds_are_revoked_and_changed() {
        let authority = authority();
        let opaque = authority.issue_opaque("", Map::new()).unwrap();
        for token in [opaque, TokenBuilder::new(&authority).scope("a b").sign()] {
            authority.set_claim(&token, "scope", "a".into()).unwrap();
            assert_eq!(authority.introspect(&token)["scope"], "a");
            authority.revoke(&token).unwrap();
            assert!(!is_active(&authority, &token));
            authority.revoke(&token).unwrap();
        }
        assert_eq!(authority.revoke("unknown"), Err(UNKNOWN));
        assert_eq!(authority.set_claim("unknown", "scope", "a".into()), Err(UNKNOWN));
    }

    #[test]
    fn a_jti_ends_each_token_that_carries_it() {
        let authority = authority();
        let token = TokenBuilder::new(&authority).jti("j").sign();
        authority.revoke_jti("j").unwrap();
        assert!(!is_active(&authority, &token));
        assert!(is_active(&authority, &TokenBuilder::new(&authority).sign()));
    }
}
