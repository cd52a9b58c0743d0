//! One security event token: something that happened to a subject, told to whoever listens.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::mint::MintError;
use crate::mint::authority::Authority;
use crate::mint::changes::{Changes, jwt_changes};
use crate::mint::claims::numeric_date;
use crate::mint::events::Event;
use crate::time::Timestamp;

/// Event types of the Continuous Access Evaluation Profile 1.0 section 3.
pub(crate) const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
pub(crate) const CREDENTIAL_CHANGE: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";
pub(crate) const TOKEN_CLAIMS_CHANGE: &str = "https://schemas.openid.net/secevent/caep/event-type/token-claims-change";
/// The event by which a stream is tried out (OpenID Shared Signals Framework 1.0, "Verification").
pub(crate) const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// Builds one security event token (RFC 8417) as the OpenID Shared Signals Framework 1.0 profiles it, valid until told
/// otherwise, but for the event, which must be named.
///
/// `sub_id` names the user `user-1` of this issuer (RFC 9493 section 3.2.3), the token was issued now, and its `jti` is
/// random and other at each [`sign`](Self::sign). It has neither `sub` nor `exp`; [`claim`](Self::claim) adds them
/// against the rules.
///
/// ```
/// use tower_oauth::test::TestIssuer;
///
/// let issuer = TestIssuer::new("https://login.test");
/// let event = issuer.security_event("https://api.test").subject("alice").session_revoked().sign();
/// let test = issuer.security_event("https://api.test").verification("state-1").sign();
/// let unknown = issuer.security_event("https://api.test").event("urn:example:tea", serde_json::json!({})).sign();
/// # let _ = (event, test, unknown);
/// ```
#[derive(Clone)]
#[must_use = "a builder makes no token until `sign`"]
pub struct SecurityEventBuilder {
    event: Event,
    subject: Value,
    changes: Changes,
}

jwt_changes!(SecurityEventBuilder);

impl SecurityEventBuilder {
    pub(crate) fn new(authority: &Arc<Authority>, audience: &str) -> Self {
        let event = Event::new(authority, audience);
        let subject = json!({ "format": "iss_sub", "iss": authority.issuer(), "sub": "user-1" });
        Self { event, subject, changes: Changes::default() }
    }

    /// `sub_id`: a user of this issuer (RFC 9493 section 3.2.3).
    pub fn subject(self, subject: impl Into<String>) -> Self {
        let issuer = self.event.authority.issuer().to_owned();
        self.subject_id(json!({ "format": "iss_sub", "iss": issuer, "sub": subject.into() }))
    }

    /// `sub_id`: this session of the user that was named before, as a complex subject (Shared Signals Framework 1.0,
    /// "Complex Subjects").
    pub fn session(self, session: impl Into<String>) -> Self {
        let user = self.subject.clone();
        let session = json!({ "format": "opaque", "id": session.into() });
        self.subject_id(json!({ "format": "complex", "user": user, "session": session }))
    }

    /// `sub_id`, whatever it is.
    pub fn subject_id(mut self, subject: Value) -> Self {
        self.subject = subject;
        self
    }

    /// The sessions of the subject have ended (CAEP 1.0 section 3.1).
    pub fn session_revoked(self) -> Self {
        self.event(SESSION_REVOKED, json!({}))
    }

    /// A credential of the subject, such as `password`, was changed in a way such as `revoke` or `update` (CAEP 1.0
    /// section 3.3).
    pub fn credential_change(self, credential_type: &str, change_type: &str) -> Self {
        self.event(CREDENTIAL_CHANGE, json!({ "credential_type": credential_type, "change_type": change_type }))
    }

    /// Claims of the subject's tokens have other values now (CAEP 1.0 section 3.2).
    pub fn token_claims_change(self, claims: impl Into<Value>) -> Self {
        let claims: Value = claims.into();
        self.event(TOKEN_CLAIMS_CHANGE, json!({ "claims": claims }))
    }

    /// Whether the stream works; its subject is the stream, here `stream-1`.
    pub fn verification(self, state: &str) -> Self {
        let stream = json!({ "format": "opaque", "id": "stream-1" });
        self.subject_id(stream).event(VERIFICATION, json!({ "state": state }))
    }

    /// An event of any type.
    pub fn event(mut self, event_type: &str, payload: Value) -> Self {
        self.event.events.insert(event_type.to_owned(), payload);
        self
    }

    /// `event_timestamp` of each event that was named before: when it happened (CAEP 1.0 section 2).
    pub fn happened_at(mut self, at: Timestamp) -> Self {
        for payload in self.event.events.values_mut().filter_map(Value::as_object_mut) {
            payload.insert("event_timestamp".into(), numeric_date(at));
        }
        self
    }

    /// The token, in compact serialization: the body of a push (RFC 8935 section 2.1).
    ///
    /// # Panics
    /// When a claim cannot be written as JSON, or the system has no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "for the authors of tests; what a network reaches calls `try_sign`")]
    pub fn sign(&self) -> String {
        self.try_sign().expect("the token could not be made")
    }

    pub(crate) fn try_sign(&self) -> Result<String, MintError> {
        let mut event = self.event.clone();
        event.set("sub_id", self.subject.clone());
        event.sign("secevent+jwt", &self.changes)
    }
}

impl fmt::Debug for SecurityEventBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityEventBuilder").field("issuer", &self.event.authority.issuer()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Algorithm;
    use crate::mint::changes::parts;

    fn event() -> SecurityEventBuilder {
        let authority = Authority::new("https://login.test".into(), Algorithm::Es256).unwrap();
        SecurityEventBuilder::new(&Arc::new(authority), "https://api.test")
    }

    fn claims(event: &SecurityEventBuilder) -> Value {
        parts(&event.sign()).1
    }

    #[test]
    fn it_follows_the_profile_of_shared_signals() {
        let (header, claims) = parts(&event().session_revoked().sign());
        assert_eq!((&header["typ"], &header["alg"]), (&json!("secevent+jwt"), &json!("ES256")));
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://login.test"), &json!("https://api.test")));
        assert_eq!(claims["sub_id"], json!({ "format": "iss_sub", "iss": "https://login.test", "sub": "user-1" }));
        assert_eq!(claims["events"], json!({ SESSION_REVOKED: {} }));
        assert_eq!((claims["jti"].as_str().map(str::len), claims["iat"].is_i64()), (Some(22), true));
        assert_eq!(claims.as_object().unwrap().len(), 6, "neither sub nor exp");
    }

    #[test]
    fn each_event_carries_what_its_type_asks_for() {
        let at = Timestamp::from_secs(1_000);
        let all = event()
            .credential_change("password", "update")
            .token_claims_change(json!({ "role": "guest" }))
            .happened_at(at)
            .event("urn:example:tea", json!(null));
        assert_eq!(
            claims(&all)["events"],
            json!({
                CREDENTIAL_CHANGE: { "credential_type": "password", "change_type": "update", "event_timestamp": 1_000 },
                TOKEN_CLAIMS_CHANGE: { "claims": { "role": "guest" }, "event_timestamp": 1_000 },
                "urn:example:tea": null,
            })
        );
        let verification = claims(&event().verification("s"));
        assert_eq!(verification["events"], json!({ VERIFICATION: { "state": "s" } }));
        assert_eq!(verification["sub_id"], json!({ "format": "opaque", "id": "stream-1" }));
    }

    #[test]
    fn a_session_is_one_of_its_users() {
        let sub_id = claims(&event().subject("alice").session("s").session_revoked())["sub_id"].clone();
        assert_eq!(sub_id["format"], "complex");
        assert_eq!((&sub_id["user"]["sub"], &sub_id["session"]["id"]), (&json!("alice"), &json!("s")));
    }

    #[test]
    fn every_part_can_be_wrong() {
        let event = event().session_revoked();
        for claim in ["iss", "aud", "iat", "jti", "events", "sub_id"] {
            assert_eq!(claims(&event.clone().without(claim)).get(claim), None, "{claim}");
        }
        assert_eq!(claims(&event.clone().claim("exp", 1))["exp"], 1);
        assert_eq!(parts(&event.clone().typ("JWT").sign()).0["typ"], "JWT");
        assert_ne!(claims(&event)["jti"], claims(&event)["jti"]);
        assert_eq!(claims(&event.clone().claim("jti", "j"))["jti"], "j");
        assert!(event.unsigned().sign().ends_with('.'));
    }
}
