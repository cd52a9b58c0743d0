//! One access token, right by default and wrong wherever it is told to be.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::crypto::{Algorithm, b64, b64_decode};
use crate::mint::MintError;
use crate::mint::authority::Authority;
use crate::mint::changes::apply;
use crate::mint::claim_set::{ClaimSet, access_token_claims};
use crate::mint::documents::status_list_uri;
use crate::mint::keys::SigningKey;

/// Builds one access token, valid by RFC 9068 until told otherwise.
///
/// `sub` is `user-1`, `client_id` is `client-1`, the token was issued now and lives five minutes, its `jti` is random
/// and other at each [`sign`](Self::sign). "Now" is what the issuer's clock said when the builder was made. The
/// issuer's key signs, and header members follow the key that signs.
#[derive(Clone)]
#[must_use = "a builder makes no token until `sign`"]
pub struct TokenBuilder {
    authority: Arc<Authority>,
    claims: ClaimSet,
    /// Header members as given; `None` leaves one out.
    header: BTreeMap<String, Option<Value>>,
    algorithm: Option<Algorithm>,
    key: Option<SigningKey>,
    has_bad_signature: bool,
}

access_token_claims!(TokenBuilder);

impl TokenBuilder {
    pub(crate) fn new(authority: &Arc<Authority>) -> Self {
        Self {
            authority: Arc::clone(authority),
            claims: ClaimSet::new(authority.issuer(), authority.now()),
            header: BTreeMap::from([("typ".to_owned(), Some("at+jwt".into()))]),
            algorithm: None,
            key: None,
            has_bad_signature: false,
        }
    }

    /// `status.status_list`: the token's place in a status list of this issuer (draft-ietf-oauth-status-list
    /// section 6.2).
    pub fn status(self, list: u32, index: u64) -> Self {
        let uri = status_list_uri(self.authority.issuer(), list);
        self.set("status", json!({ "status_list": { "idx": index, "uri": uri } }))
    }

    /// `typ` of the header.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// Leaves out `typ`.
    pub fn without_typ(mut self) -> Self {
        self.header.insert("typ".into(), None);
        self
    }

    /// `kid` of the header, whichever key signs.
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// Leaves out `kid`.
    pub fn without_kid(mut self) -> Self {
        self.header.insert("kid".into(), None);
        self
    }

    /// Any member of the header. `alg` too: it changes the name only, never how the token is signed.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), Some(value.into()));
        self
    }

    /// Signs with the issuer's key for `algorithm`; if it has none, one is added and published.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Signs with a key that need not be the issuer's: a [`SigningKey`], or the current one of another issuer.
    pub fn signed_by(mut self, key: impl Into<SigningKey>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Changes one bit of the signature.
    pub fn bad_signature(mut self) -> Self {
        self.has_bad_signature = true;
        self
    }

    /// The token, in compact serialization.
    ///
    /// # Panics
    /// When a claim cannot be written as JSON, or the system has no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "for the authors of tests; what a network reaches calls `try_sign`")]
    pub fn sign(&self) -> String {
        self.try_sign().expect("the token could not be made")
    }

    pub(crate) fn try_sign(&self) -> Result<String, MintError> {
        let claims = self.claims.build()?;
        let key = self.signing_key()?;
        let mut header =
            Map::from_iter([("alg".to_owned(), key.algorithm().as_str().into()), ("kid".to_owned(), key.kid().into())]);
        apply(&self.header, &mut header);
        let token = key.sign(&header, &claims)?;
        Ok(if self.has_bad_signature { with_bad_signature(&token) } else { token })
    }

    fn signing_key(&self) -> Result<SigningKey, MintError> {
        match (&self.key, self.algorithm) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(algorithm)) => self.authority.state().keys.for_algorithm(algorithm),
            (None, None) => self.authority.state().keys.current(),
        }
    }
}

/// One bit in the middle, so that length and encoding stay right.
pub(super) fn with_bad_signature(token: &str) -> String {
    let Some((message, signature)) = token.rsplit_once('.') else { return token.to_owned() };
    let mut bytes = b64_decode(signature.as_bytes()).unwrap_or_default();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    format!("{message}.{}", b64(&bytes))
}

impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuilder").field("issuer", &self.authority.issuer()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::jwt::compact::Compact;
    use crate::time::Timestamp;

    fn authority() -> Arc<Authority> {
        Arc::new(Authority::new("https://login.test".into(), Algorithm::Es256).unwrap())
    }

    fn parts(token: &str) -> (Value, Value) {
        let part = |n: usize| b64_decode(token.split('.').nth(n).unwrap().as_bytes()).unwrap();
        (serde_json::from_slice(&part(0)).unwrap(), serde_json::from_slice(&part(1)).unwrap())
    }

    #[test]
    fn a_token_is_valid_by_rfc_9068_until_told_otherwise() {
        let authority = authority();
        let (header, claims) = parts(&TokenBuilder::new(&authority).audience("https://api.test").sign());
        let key = authority.state().keys.current().unwrap();
        assert_eq!(header, json!({ "typ": "at+jwt", "alg": "ES256", "kid": key.kid() }));
        assert_eq!(claims["iss"], "https://login.test");
        assert_eq!(claims["aud"], "https://api.test");
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("user-1"), &json!("client-1")));
        assert_eq!(claims["exp"].as_i64().unwrap(), claims["iat"].as_i64().unwrap() + 300);
        assert_eq!(claims["jti"].as_str().unwrap().len(), 22);
        assert_eq!(claims.as_object().unwrap().len(), 7);
    }

    #[test]
    fn every_claim_can_be_set_and_left_out() {
        let at = Timestamp::from_secs(1_700_000_000);
        let builder = TokenBuilder::new(&authority())
            .scope("a")
            .scope("b")
            .subject("alice")
            .client("c")
            .audiences(["one", "two"])
            .issuer_claim("https://evil.test")
            .issued_at(at)
            .expires_at(Timestamp::from_millis(1_700_000_000_500))
            .auth_time(at)
            .acr("phr")
            .roles(["admin"])
            .jti("j")
            .actor(json!({ "sub": "edge" }))
            .authorization_details(json!([{ "type": "payment" }]))
            .status(3, 7)
            .claim("tenant", json!({ "id": 7 }));
        let (_, claims) = parts(&builder.sign());
        assert_eq!(
            claims,
            json!({
                "scope": "a b", "sub": "alice", "client_id": "c", "aud": ["one", "two"], "iss": "https://evil.test",
                "iat": 1_700_000_000, "exp": 1_700_000_000.5, "auth_time": 1_700_000_000, "acr": "phr",
                "roles": ["admin"], "jti": "j", "tenant": { "id": 7 }, "act": { "sub": "edge" },
                "authorization_details": [{ "type": "payment" }],
                "status": { "status_list": { "idx": 7, "uri": "https://login.test/status/3" } },
            })
        );
        let all: Vec<String> = claims.as_object().unwrap().keys().cloned().collect();
        let (_, claims) = parts(&all.iter().fold(builder, |builder, claim| builder.without(claim)).sign());
        assert_eq!(claims, json!({}));
    }

    #[test]
    fn times_count_from_the_issuers_clock_in_whole_seconds() {
        #[derive(Debug)]
        struct At;
        impl crate::time::Clock for At {
            fn now(&self) -> Timestamp {
                Timestamp::from_millis(100_000_999)
            }
        }
        let authority = authority();
        authority.state().clock = Arc::new(At);
        let token = TokenBuilder::new(&authority);
        let claim = |builder: TokenBuilder, name: &str| parts(&builder.sign()).1[name].as_i64().unwrap();
        assert_eq!(claim(token.clone(), "iat"), 100_000);
        assert_eq!(claim(token.clone().expired(), "exp"), 99_400);
        assert_eq!(claim(token.clone().expired(), "iat"), 99_100);
        assert_eq!(claim(token.clone().not_yet_valid(), "nbf"), 100_600);
        assert_eq!(claim(token.expires_in(Duration::from_secs(5)), "exp"), 100_005);
    }

    #[test]
    fn a_client_is_its_own_subject_in_whichever_order_it_is_said() {
        let token = TokenBuilder::new(&authority());
        let subject = |builder: TokenBuilder| parts(&builder.sign()).1["sub"].clone();
        assert_eq!(subject(token.clone().client_credentials().client("c")), "c");
        assert_eq!(subject(token.clone().client("c").client_credentials()), "c");
        assert_eq!(subject(token.clone().client_credentials().subject("alice")), "alice");
        assert_eq!(subject(token.client_credentials().without("sub")), Value::Null);
    }

    #[test]
    fn header_members_follow_the_key_and_yield_to_what_is_given() {
        let authority = authority();
        let token = TokenBuilder::new(&authority);
        let header = |builder: TokenBuilder| parts(&builder.sign()).0;
        let foreign = SigningKey::generate(Algorithm::EdDsa).unwrap().with_kid("foreign");
        let by_foreign = header(token.clone().signed_by(&foreign));
        assert_eq!((&by_foreign["kid"], &by_foreign["alg"]), (&json!("foreign"), &json!("EdDSA")));
        assert_eq!(header(token.clone().without_kid().without_typ()), json!({ "alg": "ES256" }));
        let odd = header(token.clone().kid("k").typ("JWT").header("alg", "none").header("crit", json!(["exp"])));
        assert_eq!(odd, json!({ "kid": "k", "typ": "JWT", "alg": "none", "crit": ["exp"] }));
        let by_rsa = header(token.algorithm(Algorithm::Ps384));
        assert_eq!(by_rsa["alg"], "PS384");
        let kids = authority.state().keys.jwks()["keys"].as_array().unwrap().len();
        assert_eq!(kids, 2, "a key for PS384 was added");
    }

    #[test]
    fn a_bound_token_names_its_key_and_a_given_confirmation_stands_as_it_is() {
        let key = SigningKey::generate(Algorithm::Es384).unwrap().with_kid("k");
        let token = TokenBuilder::new(&authority()).bound_to(&key);
        let cnf = |builder: TokenBuilder| parts(&builder.sign()).1.get("cnf").cloned();
        assert_eq!(cnf(token.clone()), Some(json!({ "jkt": key.thumbprint() })));
        assert_eq!(cnf(token.clone().confirmation(json!({ "jkt": 7 }))), Some(json!({ "jkt": 7 })));
        assert_eq!(cnf(token.without("cnf")), None);
    }

    #[test]
    fn a_bad_signature_differs_in_one_bit() {
        let authority = authority();
        let token = TokenBuilder::new(&authority).jti("j").algorithm(Algorithm::EdDsa);
        let (good, bad) = (token.sign(), token.clone().bad_signature().sign());
        let (good, bad) = (Compact::parse(&good).unwrap(), Compact::parse(&bad).unwrap());
        assert_eq!(good.signed, bad.signed);
        let bits: u32 = good.signature.iter().zip(&bad.signature).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(bits, 1);
    }

    #[test]
    fn a_random_jti_is_other_at_each_signing_and_a_given_one_stays() {
        let token = TokenBuilder::new(&authority());
        let jti = |builder: &TokenBuilder| parts(&builder.sign()).1["jti"].clone();
        assert_ne!(jti(&token), jti(&token));
        let given = token.jti("j");
        assert_eq!(jti(&given), jti(&given));
    }

    #[test]
    fn what_is_no_json_is_reported_when_the_token_is_made() {
        let odd = std::collections::HashMap::from([(vec![1], 1)]);
        assert!(TokenBuilder::new(&authority()).claim("odd", odd).try_sign().is_err());
    }
}
