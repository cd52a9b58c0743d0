//! `WWW-Authenticate`: what a refused client needs to know, and nothing more (RFC 6750 section 3, RFC 9728 section 5.1).

use std::fmt::Write as _;

use bytes::Bytes;
use http::HeaderValue;

use super::{Cause, Rejection, RejectionKind};
use crate::credential::CredentialError;
use crate::demand::Unmet;
use crate::jwt::error::JwtError;

/// Renders challenges. Those that depend on nothing but the configuration are rendered once.
#[derive(Debug)]
pub(crate) struct Challenger {
    realm: String,
    resource_metadata: String,
    nothing: HeaderValue,
    invalid_request: HeaderValue,
    invalid_token: HeaderValue,
}

impl Challenger {
    /// `realm` and `resource_metadata` were checked by the configuration: visible ASCII and spaces.
    pub(crate) fn new(realm: &str, resource_metadata: &str) -> Self {
        let empty = HeaderValue::from_static("");
        let mut challenger = Self {
            realm: quoted(realm),
            resource_metadata: quoted(resource_metadata),
            nothing: empty.clone(),
            invalid_request: empty.clone(),
            invalid_token: empty,
        };
        challenger.nothing = challenger.render(RejectionKind::CredentialsMissing, &[], "");
        challenger.invalid_request = challenger.render(RejectionKind::CredentialsMalformed, &[], "");
        challenger.invalid_token = challenger.render(RejectionKind::TokenMalformed, &[], "");
        challenger
    }

    /// Nothing was presented: a challenge without an error code. `scopes` are those that the route demands, if known.
    pub(crate) fn credentials_missing(&self, scopes: &[&str]) -> Rejection {
        let challenge = if scopes.is_empty() {
            self.nothing.clone()
        } else {
            self.render(RejectionKind::CredentialsMissing, scopes, "")
        };
        Rejection::new(Cause::CredentialsMissing, Some(challenge))
    }

    pub(crate) fn credentials_malformed(&self, error: CredentialError) -> Rejection {
        Rejection::new(Cause::Credential(error), Some(self.invalid_request.clone()))
    }

    pub(crate) fn invalid_token(&self, error: JwtError) -> Rejection {
        Rejection::new(Cause::Jwt(error), Some(self.invalid_token.clone()))
    }

    pub(crate) fn claims_mismatch(&self, wanted: &'static str, column: usize) -> Rejection {
        Rejection::new(Cause::ClaimsMismatch { wanted, column }, Some(self.invalid_token.clone()))
    }

    /// A valid token that does not meet a demand. A new login is asked for before another grant (RFC 9470 section 3).
    pub(crate) fn unmet(&self, unmet: &Unmet) -> Rejection {
        let scopes = unmet.demand.challenge_scopes();
        if unmet.steps_up() {
            let mut parameters = String::new();
            let acr_values = unmet.acr_values();
            if !acr_values.is_empty() {
                let _ = write!(parameters, ", acr_values={}", quoted(&acr_values.join(" ")));
            }
            if let Some(age) = unmet.max_age {
                let _ = write!(parameters, ", max_age=\"{}\"", age.as_secs());
            }
            let scopes = if unmet.scope { scopes.as_slice() } else { &[] };
            let challenge = self.render(RejectionKind::StepUpRequired, scopes, &parameters);
            return Rejection::new(Cause::StepUp, Some(challenge));
        }
        let cause = match unmet {
            Unmet { scope: true, .. } => Cause::ScopeMissing,
            Unmet { principal: true, .. } => Cause::UserRequired,
            _ => Cause::RoleMissing,
        };
        Rejection::new(cause, Some(self.render(RejectionKind::ScopeMissing, &scopes, "")))
    }

    fn render(&self, kind: RejectionKind, scopes: &[&str], more: &str) -> HeaderValue {
        let mut text = format!("Bearer realm={}", self.realm);
        if let (Some(error), Some(description)) = (kind.error(), kind.description()) {
            let _ = write!(text, ", error=\"{error}\", error_description=\"{description}\"");
        }
        if !scopes.is_empty() {
            let _ = write!(text, ", scope=\"{}\"", scopes.join(" "));
        }
        text.push_str(more);
        let _ = write!(text, ", resource_metadata={}", self.resource_metadata);
        // Unreachable failure: every part is visible ASCII. A bare scheme with an empty realm is still a challenge.
        HeaderValue::from_maybe_shared(Bytes::from(text))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer realm=\"\""))
    }
}

/// A quoted-string (RFC 9110 section 5.6.4). What has no place in one is left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => {}
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_escaped_and_cannot_split_a_header() {
        assert_eq!(quoted("a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(quoted("a\r\nX: y\u{e9}"), "\"aX: y\"");
    }

    #[test]
    fn every_challenge_has_a_parameter_and_each_parameter_once() {
        let challenger = Challenger::new("", "https://rs.example/.well-known/oauth-protected-resource");
        for challenge in [&challenger.nothing, &challenger.invalid_request, &challenger.invalid_token] {
            let text = challenge.to_str().unwrap();
            assert!(text.starts_with("Bearer realm=\"\", "), "{text}");
            for name in ["realm=", "error=", "scope=", "resource_metadata="] {
                assert!(text.matches(name).count() <= 1, "{text}");
            }
        }
        assert!(!challenger.nothing.to_str().unwrap().contains("error"));
    }
}
