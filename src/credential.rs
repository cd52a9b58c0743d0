//! What came over the wire: one credential in the `Authorization` header, nothing else (RFC 6750 section 2.1, RFC 9449
//! section 7.1).
//!
//! A token in the query string, in the body or in `Proxy-Authorization` is never read (OAuth 2.1 section 5.1).

use std::fmt;

use http::HeaderMap;
use http::HeaderValue;
use http::header::AUTHORIZATION;

/// How a credential is presented (RFC 6750 section 2.1, RFC 9449 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Whoever holds the token may use it.
    Bearer,
    /// The token is presented with a proof of the key that it is bound to.
    Dpop,
}

/// The schemes that a service takes, or that a request tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schemes {
    pub(crate) bearer: bool,
    pub(crate) dpop: bool,
}

impl Schemes {
    pub(crate) const fn has(self, scheme: Scheme) -> bool {
        match scheme {
            Scheme::Bearer => self.bearer,
            Scheme::Dpop => self.dpop,
        }
    }

    /// That scheme alone.
    pub(crate) const fn only(scheme: Scheme) -> Self {
        Self { bearer: matches!(scheme, Scheme::Bearer), dpop: matches!(scheme, Scheme::Dpop) }
    }

    fn add(&mut self, scheme: Scheme) {
        match scheme {
            Scheme::Bearer => self.bearer = true,
            Scheme::Dpop => self.dpop = true,
        }
    }

    /// The schemes among `self` that the header lines try, in lists and repetitions too.
    fn tried(self, headers: &HeaderMap) -> Self {
        let mut tried = Self::default();
        for line in headers.get_all(AUTHORIZATION) {
            for part in line.as_bytes().split(|byte| *byte == b',') {
                if let Some(scheme) = scheme_of(part.trim_ascii_start()).0.filter(|scheme| self.has(*scheme)) {
                    tried.add(scheme);
                }
            }
        }
        tried
    }
}

/// The scheme that a value begins with, and what follows its name.
fn scheme_of(value: &[u8]) -> (Option<Scheme>, &[u8]) {
    let name_len = value.iter().position(|byte| !is_tchar(*byte)).unwrap_or(value.len());
    let (name, rest) = value.split_at(name_len);
    let known = [(Scheme::Bearer, b"Bearer".as_slice()), (Scheme::Dpop, b"DPoP")];
    let scheme = known.into_iter().find(|(_, known)| name.eq_ignore_ascii_case(known)).map(|(scheme, _)| scheme);
    (scheme, rest)
}

/// A credential. Nothing in it is believed yet.
#[derive(Clone, Copy)]
pub(crate) struct Credential<'h> {
    scheme: Scheme,
    presented: &'h [u8],
    taken: Schemes,
    headers: &'h HeaderMap,
    header: &'h HeaderValue,
}

impl<'h> Credential<'h> {
    /// Finds the credential. `None` when there is none, or one of a scheme that this service does not take (RFC 6750
    /// section 3.1).
    pub(crate) fn from_headers(headers: &'h HeaderMap, taken: Schemes) -> Result<Option<Self>, CredentialError> {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let Some(header) = lines.next() else { return Ok(None) };
        // Not a list field (RFC 9110 section 5.3): of two lines, none may be chosen.
        if lines.next().is_some() {
            return Err(CredentialError::Repeated(taken.tried(headers)));
        }
        let (Some(scheme), rest) = scheme_of(header.as_bytes()) else { return Ok(None) };
        if !taken.has(scheme) {
            return Ok(None);
        }
        let presented = after_spaces(rest);
        if presented.len() == rest.len() {
            return Err(CredentialError::Syntax(taken.tried(headers)));
        }
        Ok(Some(Self { scheme, presented, taken, headers, header }))
    }

    /// What was sent after the scheme, whatever it is.
    pub(crate) const fn presented(&self) -> &'h [u8] {
        self.presented
    }

    pub(crate) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The token, if what was sent is one.
    pub(crate) fn token(&self) -> Result<&'h str, CredentialError> {
        match std::str::from_utf8(self.presented) {
            Ok(token) if is_token68(self.presented) => Ok(token),
            _ => Err(CredentialError::Syntax(self.taken.tried(self.headers))),
        }
    }

    /// The whole header value, whose bytes can be kept without a copy.
    pub(crate) const fn header(&self) -> &'h HeaderValue {
        self.header
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential([redacted])")
    }
}

/// Only SP separates a scheme from its token (RFC 9110 section 11.4); a tab is malformed.
fn after_spaces(value: &[u8]) -> &[u8] {
    let spaces = value.iter().take_while(|byte| **byte == b' ').count();
    value.split_at(spaces).1
}

/// RFC 9110 section 11.2: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_token68(value: &[u8]) -> bool {
    let padding = value.iter().rev().take_while(|byte| **byte == b'=').count();
    let (text, _) = value.split_at(value.len() - padding);
    // Without an early end, so that the compiler can look at many bytes at once: it is on the path of every request.
    !text.is_empty() && text.iter().fold(true, |all, byte| all & is_token68_byte(*byte))
}

const fn is_token68_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase()
        | byte.is_ascii_uppercase()
        | (byte >= b'-' && byte <= b'9')
        | (byte == b'_')
        | (byte == b'~')
        | (byte == b'+')
}

const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// Whether the query string holds an `access_token` parameter.
pub(crate) fn is_in_query(query: Option<&str>) -> bool {
    query.is_some_and(|query| {
        query.split('&').any(|pair| pair.split_once('=').map_or(pair, |(name, _)| name) == "access_token")
    })
}

/// Why a header that tried to present a token could not be read: a bad request, not a bad token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialError {
    /// More than one `Authorization` line.
    Repeated(Schemes),
    /// Not a scheme, spaces and one token.
    Syntax(Schemes),
    /// A token in the query string, which the configuration refuses.
    InQuery,
}

impl CredentialError {
    /// The schemes that the request tried.
    pub(crate) const fn tried(self) -> Schemes {
        match self {
            Self::Repeated(tried) | Self::Syntax(tried) => tried,
            // A way to present a Bearer token (RFC 6750 section 2.3).
            Self::InQuery => Schemes { bearer: true, dpop: false },
        }
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated(_) => "more than one Authorization header line",
            Self::Syntax(_) => "the Authorization header is not a scheme, a space and one token",
            Self::InQuery => "an access_token in the query string, which refuse_query_tokens() forbids",
        })
    }
}

impl std::error::Error for CredentialError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: Schemes = Schemes { bearer: true, dpop: true };

    fn read(values: &[&[u8]]) -> Result<Option<String>, CredentialError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        Credential::from_headers(&headers, BOTH)?.map(|credential| credential.token().map(str::to_owned)).transpose()
    }

    #[test]
    fn the_scheme_has_any_case_and_any_number_of_spaces() {
        for value in ["Bearer tok", "bearer tok", "BEARER   tok", "bEaReR tok"] {
            assert_eq!(read(&[value.as_bytes()]), Ok(Some("tok".into())), "{value}");
        }
    }

    #[test]
    fn opaque_tokens_are_token68() {
        for token in ["Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", "a+/=", "a=="] {
            assert_eq!(read(&[format!("Bearer {token}").as_bytes()]), Ok(Some(token.into())));
        }
    }

    #[test]
    fn broken_syntax_is_an_error_and_other_schemes_are_nothing() {
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer\ttok",
            b"Bearer \ttok",
            b"Bearer a=b",
            b"Bearer a\"b",
            b"Bearer \xFF",
            b"Bearer =",
            b"Bearer,x",
            b"Bearer a, DPoP b",
        ] {
            assert!(matches!(read(&[value]), Err(CredentialError::Syntax(_))), "{:?}", String::from_utf8_lossy(value));
        }
        for value in [&b"Basic dTpw"[..], b"", b"Bearer2 tok", b"\xFF"] {
            assert_eq!(read(&[value]), Ok(None));
        }
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn two_lines_are_refused_even_if_equal() {
        for second in [&b"Bearer tok"[..], b"Basic dTpw", b"DPoP tok"] {
            assert!(matches!(read(&[b"Bearer tok", second]), Err(CredentialError::Repeated(_))));
        }
    }

    #[test]
    fn only_the_parameter_itself_counts_as_a_query_token() {
        assert!(is_in_query(Some("a=1&access_token=x")));
        assert!(is_in_query(Some("access_token")));
        assert!(!is_in_query(Some("my_access_token=x&a=access_token")));
        assert!(!is_in_query(None));
    }

    #[test]
    fn every_scheme_that_was_tried_is_told() {
        let tried = |values: &[&[u8]]| read(values).unwrap_err().tried();
        assert_eq!(tried(&[b"Bearer a", b"dpop b"]), BOTH);
        assert_eq!(tried(&[b"Bearer a, DPoP b"]), BOTH);
        assert_eq!(tried(&[b"DPoP"]), Schemes::only(Scheme::Dpop));
        assert_eq!(tried(&[b"Basic a", b"Basic b"]), Schemes::default());
    }

    #[test]
    fn a_scheme_that_is_not_taken_is_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("DPoP tok"));
        let found = |taken| Credential::from_headers(&headers, taken).unwrap().map(|found| found.scheme());
        assert_eq!(found(Schemes::only(Scheme::Bearer)), None);
        assert_eq!(found(BOTH), Some(Scheme::Dpop));
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&[b"Bearer", value.as_slice()].concat()) {
                let mut headers = HeaderMap::new();
                headers.insert(AUTHORIZATION, value);
                let _ = Credential::from_headers(&headers, BOTH).map(|found| found.map(|credential| credential.token()));
            }
        }
    }
}
