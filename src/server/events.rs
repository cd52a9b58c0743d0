//! Logout tokens and security events taken in: what an issuer says unasked (OpenID Back-Channel Logout 1.0, RFC 8935).

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use super::issuer::Trust;
use super::{ResourceServer, State};
use crate::jwt::compact::MAX_TOKEN_BYTES;
use crate::jwt::error::JwtError;
use crate::jwt::signed::{IssuerKeys as _, Signed, SignedError};
use crate::observe::Event;
use crate::revocation::events::error::{LogoutError, SetError};
use crate::revocation::events::logout::{judge_logout, logout_token};
use crate::revocation::events::set::{Effect, is_set, judge_set};
use crate::revocation::events::{Deny, Expected, claimed_issuer};
use crate::store::{Replay, StoreError};
use crate::time::Timestamp;

/// The longest request that is read: a token within its limit, in a form.
#[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "only the router reads bodies"))]
pub(super) const MAX_EVENT_BYTES: usize = 2 * MAX_TOKEN_BYTES;

/// When to deliver again what could not be taken in.
const RETRY: Duration = Duration::from_secs(5);

/// Why an event was not taken in although nothing is wrong with it.
enum Unfit<E> {
    Refused(E),
    NotNow,
}

impl<E> From<E> for Unfit<E> {
    fn from(error: E) -> Self {
        Self::Refused(error)
    }
}

impl ResourceServer {
    /// Ends what a logout token names (OpenID Back-Channel Logout 1.0 section 2.6): what `events`, the axum router, does with the body of a POST, for services without axum.
    ///
    /// The answer is 200, or 400 whatever went wrong (section 2.8). Read at most 32 KiB of a body.
    pub async fn back_channel_logout(&self, form: &[u8]) -> Response<String> {
        let state = self.0.state.load_full();
        let mut response = match state.log_out(form).await {
            Ok(()) => Response::new(String::new()),
            Err(unfit) => {
                let (code, description) = match unfit {
                    Unfit::Refused(error) => (LogoutError::CODE, error.to_string()),
                    Unfit::NotNow => ("server_error", "the logout could not be carried out now".to_owned()),
                };
                let body = serde_json::json!({ "error": code, "error_description": description });
                json(StatusCode::BAD_REQUEST, body.to_string())
            }
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Takes in a security event token (RFC 8935 section 2): what `events`, the axum router, does with the `Content-Type`
    /// and the body of a POST, for services without axum.
    ///
    /// The answer is 202 without a body, 400 with `err`, or 503 when the event could not be judged or kept now; never 401.
    /// Read at most 32 KiB of a body.
    pub async fn security_event(&self, content_type: Option<&str>, body: &[u8]) -> Response<String> {
        let state = self.0.state.load_full();
        match state.take_event(content_type, body).await {
            Ok(()) => {
                let mut response = Response::new(String::new());
                *response.status_mut() = StatusCode::ACCEPTED;
                response
            }
            Err(Unfit::Refused(error)) => {
                let mut response = json(StatusCode::BAD_REQUEST, error.body());
                response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"));
                response
            }
            Err(Unfit::NotNow) => {
                let mut response = Response::new(String::new());
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY.as_secs()));
                response
            }
        }
    }
}

fn json(status: StatusCode, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl State {
    async fn log_out(&self, form: &[u8]) -> Result<(), Unfit<LogoutError>> {
        let token = logout_token(form)?;
        let (trust, document) = match self.signed(&token).await {
            Ok(signed) => signed,
            Err(error) => {
                self.tell(None, "refused");
                return Err(match error {
                    SignedError::Refused(error) => Unfit::Refused(LogoutError::Token(error)),
                    SignedError::KeysUnavailable { .. } => Unfit::NotNow,
                });
            }
        };
        let now = self.context.now();
        let logout = judge_logout(&document, &trust.expects(now)).inspect_err(|_| self.tell(Some(trust), "refused"))?;
        self.deny(trust, &logout.deny, now).await.map_err(|_| Unfit::NotNow)?;
        // Spent only now that the rule stands: a logout that was lost on the way must be repeatable.
        if self.replay.check_and_insert(logout.entry, now).wait().await == Replay::Seen {
            self.tell(Some(trust), "repeated");
            return Err(LogoutError::Repeated.into());
        }
        self.tell(Some(trust), "applied");
        Ok(())
    }

    async fn take_event(&self, content_type: Option<&str>, body: &[u8]) -> Result<(), Unfit<SetError>> {
        if !is_set(content_type) {
            return Err(SetError::Request("its content type is not application/secevent+jwt").into());
        }
        let set = str::from_utf8(body).map_err(|_| SetError::Request("it is no text"))?.trim_ascii();
        let (trust, document) = match self.signed(set).await {
            Ok(signed) => signed,
            Err(error) => {
                let refused = SetError::of(&error);
                self.tell(None, refused.as_ref().map_or("not_judged", SetError::code));
                return Err(refused.map_or(Unfit::NotNow, Unfit::Refused));
            }
        };
        let now = self.context.now();
        let received =
            judge_set(&document, &trust.expects(now)).inspect_err(|error| self.tell(Some(trust), error.code()))?;
        let mut outcome = "ignored";
        for effect in &received.effects {
            match effect {
                Effect::Deny(deny) => {
                    self.deny(trust, deny, now).await.map_err(|_| Unfit::NotNow)?;
                    outcome = "applied";
                }
                Effect::Verification { .. } => outcome = "verified",
                Effect::Ignored => {}
            }
        }
        // A repeated delivery is answered as the first one; its rules were set again without harm.
        let seen = self.replay.check_and_insert(received.entry, now).wait().await == Replay::Seen;
        self.tell(Some(trust), if seen { "repeated" } else { outcome });
        Ok(())
    }

    /// The document, if the configured issuer that it claims to be of has signed it.
    async fn signed(&self, document: &str) -> Result<(&Trust, Signed), SignedError> {
        let issuer = claimed_issuer(document).map_err(SignedError::Refused)?;
        let Some((_, trust)) = self.trusted(&issuer) else {
            return Err(SignedError::Refused(JwtError::IssuerUnknown));
        };
        Ok((trust, trust.keys.verified(document.into()).await?))
    }

    async fn deny(&self, trust: &Trust, deny: &Deny, now: Timestamp) -> Result<(), StoreError> {
        let keep_until = now.plus(self.rules_live).plus(trust.rules.leeway);
        self.add_rule(trust, deny.rule(&trust.issuer, keep_until), now).await
    }

    fn tell(&self, trust: Option<&Trust>, outcome: &'static str) {
        let issuer = trust.map(|trust| &*trust.issuer);
        self.context.observers.emit(&Event::EventReceived { issuer, outcome });
    }
}

impl Trust {
    fn expects(&self, now: Timestamp) -> Expected<'_> {
        Expected {
            issuer: &self.issuer,
            audiences: &self.event_audiences,
            critical_members: &[],
            leeway: self.rules.leeway,
            now,
        }
    }
}
