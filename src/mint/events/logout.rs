//! One logout token: the end of a user's session, or of all of them, told to a client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::mint::MintError;
use crate::mint::authority::Authority;
use crate::mint::changes::{Changes, jwt_changes};
use crate::mint::claims::numeric_date;
use crate::mint::events::Event;

/// The member of `events` that makes a token a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
pub(crate) const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Two minutes at most, as section 4 of that specification advises.
const LIFETIME: Duration = Duration::from_secs(120);

/// Builds one logout token, valid by OpenID Connect Back-Channel Logout 1.0 section 2.4 until told otherwise.
///
/// `sub` is `user-1`, the token was issued now and lives two minutes, its `jti` is random and other at each
/// [`sign`](Self::sign), and `events` holds the logout event. [`claim`](Self::claim) adds what must not stand there,
/// such as a `nonce`.
///
/// ```
/// use tower_oauth::test::TestIssuer;
///
/// let issuer = TestIssuer::new("https://login.test");
/// let everywhere = issuer.logout_token("https://api.test").subject("alice").sign();
/// let one_session = issuer.logout_token("https://api.test").without("sub").session("s-1").sign();
/// let odd = issuer.logout_token("https://api.test").claim("nonce", "n").sign();
/// # let _ = (everywhere, one_session, odd);
/// ```
#[derive(Clone)]
#[must_use = "a builder makes no token until `sign`"]
pub struct LogoutTokenBuilder {
    event: Event,
    changes: Changes,
}

jwt_changes!(LogoutTokenBuilder);

impl LogoutTokenBuilder {
    pub(crate) fn new(authority: &Arc<Authority>, audience: &str) -> Self {
        let mut event = Event::new(authority, audience);
        let exp = numeric_date(event.now.plus(LIFETIME));
        event.set("exp", exp);
        event.set("sub", "user-1");
        event.events.insert(LOGOUT.to_owned(), serde_json::json!({}));
        Self { event, changes: Changes::default() }
    }

    /// `sub`: whose sessions have ended.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.event.set("sub", subject.into());
        self
    }

    /// `sid`: which session has ended.
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.event.set("sid", session.into());
        self
    }

    /// `exp`, counted from now.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        let exp = numeric_date(self.event.now.plus(lifetime));
        self.event.set("exp", exp);
        self
    }

    /// Issued twelve minutes ago and expired ten minutes ago, beyond any leeway.
    pub fn expired(mut self) -> Self {
        let expired = self.event.now.minus(Duration::from_secs(600));
        self.event.set("iat", numeric_date(expired.minus(LIFETIME)));
        self.event.set("exp", numeric_date(expired));
        self
    }

    /// The token, in compact serialization: `logout_token` of the form that is posted (section 2.5).
    ///
    /// # Panics
    /// When a claim cannot be written as JSON, or the system has no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "for the authors of tests; what a network reaches calls `try_sign`")]
    pub fn sign(&self) -> String {
        self.try_sign().expect("the token could not be made")
    }

    pub(crate) fn try_sign(&self) -> Result<String, MintError> {
        self.event.sign("logout+jwt", &self.changes)
    }
}

impl fmt::Debug for LogoutTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutTokenBuilder").field("issuer", &self.event.authority.issuer()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::crypto::Algorithm;
    use crate::mint::changes::parts;

    fn token() -> LogoutTokenBuilder {
        let authority = Authority::new("https://login.test".into(), Algorithm::Es256).unwrap();
        LogoutTokenBuilder::new(&Arc::new(authority), "https://api.test")
    }

    fn claims(token: &LogoutTokenBuilder) -> Value {
        parts(&token.sign()).1
    }

    #[test]
    fn it_says_all_that_a_logout_token_must_say_and_nothing_that_it_must_not() {
        let (header, claims) = parts(&token().session("s").sign());
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("ES256")));
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://login.test"), &json!("https://api.test")));
        assert_eq!((&claims["sub"], &claims["sid"]), (&json!("user-1"), &json!("s")));
        assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 120));
        assert_eq!(claims["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        assert_eq!(claims["jti"].as_str().map(str::len), Some(22));
        assert_eq!(claims.as_object().unwrap().len(), 8);
    }

    #[test]
    fn every_part_can_be_wrong() {
        let token = token();
        for claim in ["iss", "aud", "sub", "iat", "exp", "jti", "events"] {
            assert_eq!(claims(&token.clone().without(claim)).get(claim), None, "{claim}");
        }
        assert_eq!(claims(&token.clone().claim("nonce", "n"))["nonce"], "n");
        assert_eq!(claims(&token.clone().claim("events", json!({ "x": {} })))["events"], json!({ "x": {} }));
        assert_eq!(parts(&token.clone().typ("JWT").sign()).0["typ"], "JWT");
        assert_eq!(parts(&token.clone().without_header("typ").sign()).0.get("typ"), None);
        assert!(token.clone().unsigned().sign().ends_with('.'));
        let late = claims(&token.clone().expired());
        let now = claims(&token)["iat"].as_i64().unwrap();
        assert_eq!((late["iat"].as_i64(), late["exp"].as_i64()), (Some(now - 720), Some(now - 600)));
        let odd = claims(&token.expires_in(Duration::from_millis(500)));
        assert_eq!(odd["exp"].as_f64(), Some(now as f64 + 0.5));
    }

    #[test]
    fn a_jti_is_used_once_unless_it_is_given() {
        let token = token();
        assert_ne!(claims(&token)["jti"], claims(&token)["jti"]);
        assert_eq!(claims(&token.claim("jti", "j"))["jti"], "j");
    }
}
