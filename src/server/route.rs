//! Who judges a token: its signature, or the one issuer that may be asked about it. A token is sent to nobody else.

use super::State;
use super::issuer::{Selector, Trust};
use crate::crypto::b64_decode;
use crate::jwt::error::JwtError;

/// Which issuers are asked about opaque tokens.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Those with a mark of their own, by place.
    marked: Vec<(Selector, usize)>,
    /// The one that has all the others.
    rest: Option<usize>,
}

impl Routes {
    pub(super) fn new(trusts: &[Trust]) -> Self {
        let mut routes = Self::default();
        for (at, trust) in trusts.iter().enumerate() {
            match &trust.selector {
                None => {}
                Some(Selector::Rest) => routes.rest = Some(at),
                Some(marked) => routes.marked.push((marked.clone(), at)),
            }
        }
        routes
    }

    /// Issuers that cannot be told apart by their opaque tokens.
    pub(super) fn problems(trusts: &[Trust]) -> Vec<String> {
        let mut problems = Vec::new();
        let all: Vec<_> = trusts.iter().filter_map(|trust| Some((&trust.issuer, trust.selector.as_ref()?))).collect();
        for (at, (issuer, selector)) in all.iter().enumerate() {
            for (earlier, other) in all.iter().take(at) {
                let same = match (selector, other) {
                    (Selector::Rest, Selector::Rest) => true,
                    (Selector::Starting(one), Selector::Starting(two)) => {
                        one.starts_with(&**two) || two.starts_with(&**one)
                    }
                    _ => false,
                };
                if same {
                    problems.push(format!(
                        "issuers {earlier:?} and {issuer:?} could both answer for an opaque token; tell them apart by tokens_starting(..) or tokens_matching(..)"
                    ));
                }
            }
        }
        problems
    }
}

impl State {
    /// The issuer that is asked about the token; `None` when its signature is to be verified.
    ///
    /// What looks like a JWT is never sent to an issuer just because nobody else wants it: whoever wrote it would choose
    /// who gets to see it.
    pub(super) fn route(&self, token: &str) -> Result<Option<usize>, JwtError> {
        let mut claimed = self.routes.marked.iter().filter(|(selector, _)| selector.claims(token)).map(|(_, at)| *at);
        match (claimed.next(), claimed.next()) {
            (Some(only), None) => Ok(Some(only)),
            (Some(_), Some(_)) => Err(JwtError::IssuerUnknown),
            (None, _) => Ok(self.routes.rest.filter(|_| !looks_like_jwt(token))),
        }
    }
}

/// Three or five segments, the first of which is a JSON object: a JWS or a JWE in compact serialization, well made or not.
fn looks_like_jwt(token: &str) -> bool {
    if !matches!(token.matches('.').count(), 2 | 4) {
        return false;
    }
    let header = token.split('.').next().unwrap_or_default();
    b64_decode(header.as_bytes()).is_some_and(|header| header.trim_ascii_start().starts_with(b"{"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::b64;

    #[test]
    fn a_jwt_is_known_by_its_header_and_its_segments() {
        let header = b64(br#"{"alg":"ES256"}"#);
        assert!(looks_like_jwt(&format!("{header}.e30.x")) && looks_like_jwt(&format!("{header}.a.b.c.d")));
        for opaque in
            ["", "abc", "a.b.c", "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", &header, &format!("{header}.x")]
        {
            assert!(!looks_like_jwt(opaque), "{opaque}");
        }
    }
}
