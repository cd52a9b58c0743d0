//! `WWW-Authenticate`: what a refused client needs to know, and nothing more (RFC 6750 section 3, RFC 9449 section 7.1,
//! RFC 9728 section 5.1).
//!
//! A 401 has one challenge for each scheme that the service takes; the error stands in that of the scheme that was tried
//! (RFC 9449 section 7.2). A 403 speaks to the scheme that was used alone.

use std::fmt::Write as _;

use bytes::Bytes;
use http::HeaderValue;

use super::{Cause, Challenges, Rejection, RejectionKind};
use crate::credential::{CredentialError, Scheme, Schemes};
use crate::demand::Unmet;
use crate::dpop::error::DpopError;
use crate::jwt::error::JwtError;

/// Renders challenges. Those that depend on nothing but the configuration are rendered once.
#[derive(Debug)]
pub(crate) struct Challenger {
    realm: String,
    resource_metadata: String,
    taken: Schemes,
    /// The algorithms of proofs, for `algs`.
    algs: String,
    /// Nothing presented, where no scopes are known: the cheapest refusal, because anybody can ask for it.
    nothing: Rejection,
    invalid_token: [Challenges; 2],
    invalid_proof: Challenges,
}

/// What one challenge says besides realm and metadata.
#[derive(Clone, Copy)]
struct Content<'a> {
    kind: RejectionKind,
    scopes: &'a [&'a str],
    more: &'a str,
}

impl<'a> Content<'a> {
    const fn of(kind: RejectionKind) -> Self {
        Self { kind, scopes: &[], more: "" }
    }

    const fn with_scopes(kind: RejectionKind, scopes: &'a [&'a str]) -> Self {
        Self { kind, scopes, more: "" }
    }
}

impl Challenger {
    /// `realm` and `resource_metadata` were checked by the configuration: visible ASCII and spaces.
    pub(crate) fn new(realm: &str, resource_metadata: &str, taken: Schemes, algs: &[&str]) -> Self {
        let mut challenger = Self {
            realm: quoted(realm),
            resource_metadata: quoted(resource_metadata),
            taken,
            algs: algs.join(" "),
            nothing: Rejection::new(Cause::CredentialsMissing, [None, None]),
            invalid_token: [[None, None], [None, None]],
            invalid_proof: [None, None],
        };
        challenger.nothing = challenger.nothing_presented(&[]);
        challenger.invalid_token = [Scheme::Bearer, Scheme::Dpop]
            .map(|tried| challenger.all(Content::of(RejectionKind::TokenMalformed), Schemes::only(tried)));
        challenger.invalid_proof =
            challenger.all(Content::of(RejectionKind::ProofInvalid), Schemes::only(Scheme::Dpop));
        challenger
    }

    /// Nothing was presented: challenges without an error code. `scopes` are those that the route demands, if known.
    pub(crate) fn credentials_missing(&self, scopes: &[&str]) -> Rejection {
        if scopes.is_empty() { self.nothing.clone() } else { self.nothing_presented(scopes) }
    }

    fn nothing_presented(&self, scopes: &[&str]) -> Rejection {
        let content = Content::with_scopes(RejectionKind::CredentialsMissing, scopes);
        Rejection::new(Cause::CredentialsMissing, self.all(content, Schemes::default()))
    }

    pub(crate) fn credentials_malformed(&self, error: CredentialError) -> Rejection {
        let challenges = self.all(Content::of(RejectionKind::CredentialsMalformed), error.tried());
        Rejection::new(Cause::Credential(error), challenges)
    }

    pub(crate) fn invalid_token(&self, error: JwtError, tried: Scheme) -> Rejection {
        Rejection::new(Cause::Jwt(error), self.invalid_token_challenges(tried))
    }

    /// The token itself is not to blame: how it is bound, or what it holds.
    pub(crate) fn unfit_token(&self, cause: Cause, tried: Scheme) -> Rejection {
        Rejection::new(cause, self.invalid_token_challenges(tried))
    }

    /// A proof that is not one, and a nonce for the next if one is needed.
    pub(crate) fn invalid_proof(&self, error: DpopError, nonce: Option<HeaderValue>) -> Rejection {
        let cause = Cause::Dpop(error);
        match RejectionKind::of(&cause) {
            kind @ RejectionKind::NonceRequired => {
                Rejection::with_nonce(cause, self.all(Content::of(kind), Schemes::only(Scheme::Dpop)), nonce)
            }
            RejectionKind::ProofKeyMismatch => Rejection::new(cause, self.invalid_token_challenges(Scheme::Dpop)),
            _ => Rejection::new(cause, self.invalid_proof.clone()),
        }
    }

    /// A valid token that does not meet a demand. A new login is asked for before another grant (RFC 9470 section 3).
    pub(crate) fn unmet(&self, unmet: &Unmet, used: Scheme) -> Rejection {
        let scopes = unmet.demand.challenge_scopes();
        if unmet.sender {
            let content = Content::of(RejectionKind::SenderUnproved);
            return Rejection::new(Cause::SenderUnproved, [None, Some(self.render(Scheme::Dpop, Some(content)))]);
        }
        if unmet.steps_up() {
            let mut more = String::new();
            let acr_values = unmet.acr_values();
            if !acr_values.is_empty() {
                let _ = write!(more, ", acr_values={}", quoted(&acr_values.join(" ")));
            }
            if let Some(age) = unmet.max_age {
                let _ = write!(more, ", max_age=\"{}\"", age.as_secs());
            }
            let scopes = if unmet.scope { scopes.as_slice() } else { &[] };
            let content = Content { kind: RejectionKind::StepUpRequired, scopes, more: &more };
            return Rejection::new(Cause::StepUp, self.one(used, content));
        }
        let cause = match unmet {
            Unmet { scope: true, .. } => Cause::ScopeMissing,
            Unmet { principal: true, .. } => Cause::UserRequired,
            Unmet { detail: true, .. } => Cause::DetailMissing,
            _ => Cause::RoleMissing,
        };
        Rejection::new(cause, self.one(used, Content::with_scopes(RejectionKind::ScopeMissing, &scopes)))
    }

    /// No authorization detail grants what the request asks for. RFC 9396 defines no code of its own.
    pub(crate) fn detail_missing(&self, used: Scheme) -> Rejection {
        Rejection::new(Cause::DetailMissing, self.one(used, Content::of(RejectionKind::DetailMissing)))
    }

    fn invalid_token_challenges(&self, tried: Scheme) -> Challenges {
        let [bearer, dpop] = &self.invalid_token;
        match tried {
            Scheme::Bearer => bearer.clone(),
            Scheme::Dpop => dpop.clone(),
        }
    }

    /// A challenge of that scheme alone.
    fn one(&self, scheme: Scheme, content: Content<'_>) -> Challenges {
        [Some(self.render(scheme, Some(content))), None]
    }

    /// A challenge for each scheme that is taken: with `content` where it was tried, or everywhere when it says no error.
    fn all(&self, content: Content<'_>, tried: Schemes) -> Challenges {
        [Scheme::Bearer, Scheme::Dpop].map(|scheme| {
            let told = content.kind.error().is_none() || tried.has(scheme);
            self.taken.has(scheme).then(|| self.render(scheme, told.then_some(content)))
        })
    }

    fn render(&self, scheme: Scheme, content: Option<Content<'_>>) -> HeaderValue {
        let mut text = match scheme {
            Scheme::Bearer => format!("Bearer realm={}", self.realm),
            Scheme::Dpop => format!("DPoP realm={}, algs=\"{}\"", self.realm, self.algs),
        };
        if let Some(Content { kind, scopes, more }) = content {
            if let (Some(error), Some(description)) = (kind.error(), kind.description()) {
                let _ = write!(text, ", error=\"{error}\", error_description=\"{description}\"");
            }
            if !scopes.is_empty() {
                let _ = write!(text, ", scope=\"{}\"", scopes.join(" "));
            }
            text.push_str(more);
        }
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

    const BOTH: Schemes = Schemes { bearer: true, dpop: true };

    #[test]
    fn a_realm_is_escaped_and_cannot_split_a_header() {
        assert_eq!(quoted("a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(quoted("a\r\nX: y\u{e9}"), "\"aX: y\"");
    }

    #[test]
    fn every_challenge_has_a_parameter_and_each_parameter_once() {
        let url = "https://rs.example/.well-known/oauth-protected-resource";
        let challenger = Challenger::new("", url, BOTH, &["ES256", "EdDSA"]);
        let others = [&challenger.invalid_proof, &challenger.invalid_token[0]].into_iter().flatten().flatten();
        for challenge in challenger.nothing.challenges().chain(others) {
            let text = challenge.to_str().unwrap();
            assert!(text.starts_with("Bearer realm=\"\", ") || text.starts_with("DPoP realm=\"\", "), "{text}");
            for name in ["realm=", "algs=", "error=", "scope=", "resource_metadata="] {
                assert!(text.matches(name).count() <= 1, "{text}");
            }
        }
        assert!(challenger.nothing.challenges().all(|challenge| !challenge.to_str().unwrap().contains("error")));
    }

    #[test]
    fn the_error_stands_in_the_scheme_that_was_tried() {
        let challenger = Challenger::new("r", "https://rs.example/m", BOTH, &["ES256"]);
        let [bearer, dpop] = challenger.invalid_token_challenges(Scheme::Bearer).map(Option::unwrap);
        assert!(bearer.to_str().unwrap().contains("error=\"invalid_token\""));
        assert!(!dpop.to_str().unwrap().contains("error") && dpop.to_str().unwrap().contains("algs=\"ES256\""));
        let only = Challenger::new("r", "https://rs.example/m", Schemes::only(Scheme::Dpop), &["ES256"]);
        assert_eq!(only.nothing.challenges().count(), 1);
    }
}
