//! Why a document could not be had.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::transport::BoxError;
use crate::transport::{EXCHANGE_TIMEOUT, MAX_DOCUMENT_BYTES};

/// How much of an address is printed.
const MAX_PRINTED_URL: usize = 200;

/// A document of an issuer could not be fetched, or was not what it must be.
///
/// `Display` is written for the operator: it names the address (without query and user information) and what to do
/// next. It holds nothing of the document itself. Clones share one error, because everybody who waited for a fetch
/// learns how it ended.
#[derive(Clone)]
pub struct FetchError(Arc<Inner>);

struct Inner {
    /// Already shortened to what may be printed.
    place: String,
    kind: Kind,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Kind {
    /// No connection, no trust in the certificate, or an exchange that broke off.
    Connect(BoxError),
    Timeout,
    Status(u16),
    Redirect,
    TooLarge,
    /// The address may not be fetched at all, and why.
    InsecureUrl(&'static str),
    NotJson(BoxError),
    IssuerMismatch,
    NoJwksUri,
    NoIntrospectionEndpoint,
    NoKeys {
        skipped: usize,
    },
    File(BoxError),
    NoTransport,
    NoRuntime,
    Stopped,
}

impl FetchError {
    pub(crate) fn new(place: &str, kind: Kind) -> Self {
        Self(Arc::new(Inner { place: printable(place), kind }))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// A stable code in snake_case, for logs, metrics and alerts.
    ///
    /// One of `connect`, `timeout`, `status`, `redirect`, `too_large`, `insecure_url`, `not_json`, `issuer_mismatch`,
    /// `no_jwks_uri`, `no_introspection_endpoint`, `no_keys`, `file`, `no_transport`, `no_runtime`, `stopped`; later
    /// versions may add to them.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.0.kind {
            Kind::Connect(_) => "connect",
            Kind::Timeout => "timeout",
            Kind::Status(_) => "status",
            Kind::Redirect => "redirect",
            Kind::TooLarge => "too_large",
            Kind::InsecureUrl(_) => "insecure_url",
            Kind::NotJson(_) => "not_json",
            Kind::IssuerMismatch => "issuer_mismatch",
            Kind::NoJwksUri => "no_jwks_uri",
            Kind::NoIntrospectionEndpoint => "no_introspection_endpoint",
            Kind::NoKeys { .. } => "no_keys",
            Kind::File(_) => "file",
            Kind::NoTransport => "no_transport",
            Kind::NoRuntime => "no_runtime",
            Kind::Stopped => "stopped",
        }
    }

    /// The error with all its causes on one line, for events: what to do often stands in the last of them.
    pub(crate) fn with_causes(&self) -> WithCauses<'_> {
        WithCauses(self)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.0.place;
        match &self.0.kind {
            Kind::Connect(_) => write!(
                f,
                "{place} could not be fetched: check the name, the network between, and that the transport trusts \
                 the server's certificate authority"
            ),
            Kind::Timeout => write!(
                f,
                "{place} did not answer in full within {} s: check that it can be reached from here",
                EXCHANGE_TIMEOUT.as_secs()
            ),
            Kind::Status(status) => {
                write!(f, "{place} answered with status {status} instead of 200: check the address and the server")
            }
            Kind::Redirect => {
                write!(f, "{place} redirects, and redirects are never followed: configure the address it leads to")
            }
            Kind::TooLarge => write!(
                f,
                "{place} is longer than {} KiB: check that the address is that of the document",
                MAX_DOCUMENT_BYTES / 1024
            ),
            Kind::InsecureUrl(why) => write!(f, "{place} is not fetched: {why}"),
            Kind::NotJson(_) => write!(f, "{place} is not the JSON document that it should be: open it and compare"),
            Kind::IssuerMismatch => write!(
                f,
                "the metadata at {place} is that of another issuer: configure the issuer exactly as its metadata \
                 spells it, a final slash included"
            ),
            Kind::NoJwksUri => {
                write!(f, "the metadata at {place} names no jwks_uri: configure the address of the keys")
            }
            Kind::NoIntrospectionEndpoint => write!(
                f,
                "the metadata at {place} names no introspection_endpoint: configure the address at which the issuer \
                 is asked about tokens"
            ),
            Kind::NoKeys { skipped: 0 } => write!(f, "{place} holds no keys: check that it is the issuer's key set"),
            Kind::NoKeys { skipped } => write!(
                f,
                "{place} holds no key that can be used; {skipped} skipped, because they are not signature keys of a \
                 supported kind and size"
            ),
            Kind::File(_) => write!(f, "the key set in {place} could not be read: check the path and permissions"),
            Kind::NoTransport => write!(
                f,
                "{place} cannot be fetched without a transport: enable the feature `http-client` or configure one"
            ),
            Kind::NoRuntime => write!(f, "{place} can only be fetched inside a tokio runtime"),
            Kind::Stopped => write!(
                f,
                "the task that fetched for {place} ended early: its runtime was shut down or has no timer, or the \
                 transport panicked"
            ),
        }
    }
}

impl fmt::Debug for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchError").field("place", &self.0.place).field("kind", &self.0.kind).finish()
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.kind {
            Kind::Connect(cause) | Kind::NotJson(cause) | Kind::File(cause) => Some(&**cause),
            _ => None,
        }
    }
}

/// See [`FetchError::with_causes`].
#[derive(Debug)]
pub(crate) struct WithCauses<'e>(&'e FetchError);

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// An address or path without query, fragment, user information and anything that could forge a log line.
fn printable(place: &str) -> String {
    let end = if place.contains("://") { place.find(['?', '#']).unwrap_or(place.len()) } else { place.len() };
    let place = place.get(..end).unwrap_or_default();
    let shown = match place.split_once("://") {
        None => place.to_owned(),
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
    };
    shown.chars().take(MAX_PRINTED_URL).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_address_is_printed_without_query_user_and_line_breaks() {
        for (url, shown) in [
            ("https://a.example/jwks?key=s3cr3t#x", "https://a.example/jwks"),
            ("https://me:s3cr3t@a.example/jwks", "https://a.example/jwks"),
            ("https://a.example?s3cr3t", "https://a.example"),
            ("https://s3cr3t@a.example", "https://a.example"),
            ("https://a.example/@b", "https://a.example/@b"),
            ("https://a.example/\nINFO forged", "https://a.example/?INFO forged"),
            ("/etc/keys#1.json", "/etc/keys#1.json"),
        ] {
            assert_eq!(printable(url), shown);
        }
        assert_eq!(printable(&"é".repeat(5000)).chars().count(), MAX_PRINTED_URL);
        let error = FetchError::new("https://me:s3cr3t@a.example/jwks?s3cr3t", Kind::Timeout);
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    }

    #[test]
    fn causes_are_on_one_line_and_reachable() {
        let cause = std::io::Error::other("unknown issuer of certificate");
        let error = FetchError::new("https://a.example/jwks", Kind::Connect(Box::new(cause)));
        assert_eq!(error.code(), "connect");
        assert!(error.source().is_some());
        assert!(error.with_causes().to_string().ends_with(": unknown issuer of certificate"));
        assert!(!error.to_string().contains("unknown issuer"));
    }
    proptest! {
        #[test]
        fn nothing_but_scheme_host_and_path_is_printed(
            host in "[a-z]{1,9}", path in "(/[a-z]{0,5}){0,3}", rest in "([?#].{0,20})?", user in "([A-Z:]{1,9}@)?",
        ) {
            prop_assert_eq!(printable(&format!("https://{user}{host}{path}{rest}")), format!("https://{host}{path}"));
        }

        #[test]
        fn no_place_breaks_a_line(place in any::<String>()) {
            let printed = printable(&place);
            prop_assert!(!printed.contains(char::is_control) && printed.chars().count() <= MAX_PRINTED_URL);
        }
    }
}
