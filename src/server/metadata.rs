//! Protected resource metadata: how clients learn whom this service believes (RFC 9728).

use std::fmt;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE,
};
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use serde::Serialize;

use crate::demand::Demand;
use crate::dpop::{Dpop, Mode};
use crate::transport::fetch::endpoint;

/// Inserted between host and path of the resource (RFC 9728 section 3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The identifier of this service: an https URL without a fragment (RFC 9728 section 1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    text: String,
    /// Scheme and authority.
    origin_len: usize,
}

impl Resource {
    pub(crate) fn parse(text: &str, loopback_http: bool) -> Result<Self, &'static str> {
        endpoint(text, loopback_http)?;
        let after_scheme = text.find("://").map_or(0, |at| at + 3);
        let rest = text.get(after_scheme..).unwrap_or_default();
        let origin_len = after_scheme + rest.find(['/', '?']).unwrap_or(rest.len());
        Ok(Self { text: text.to_owned(), origin_len })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme and authority.
    pub(crate) fn origin(&self) -> &str {
        self.split().0
    }

    fn split(&self) -> (&str, &str) {
        self.text.split_at_checked(self.origin_len).unwrap_or((&self.text, ""))
    }

    /// Path and query of the document. The slash that ends a bare host is dropped; one deeper in the path is kept.
    fn metadata_path_and_query(&self) -> String {
        let (_, rest) = self.split();
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let path = if path == "/" { "" } else { path };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{WELL_KNOWN}{path}{query}")
    }

    fn metadata_url(&self) -> String {
        format!("{}{}", self.split().0, self.metadata_path_and_query())
    }
}

/// The document, ready to be served.
#[derive(Clone)]
pub(crate) struct Metadata {
    url: String,
    path: String,
    query: Option<String>,
    document: Bytes,
}

#[derive(Serialize)]
struct Document<'a> {
    resource: &'a str,
    authorization_servers: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    authorization_details_types_supported: &'a [String],
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dpop_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dpop_bound_access_tokens_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<String>,
}

/// What routes demand, for clients to know beforehand.
#[derive(Debug, Default)]
pub(crate) struct Advertised {
    pub(crate) scopes: Vec<String>,
    /// The types of authorization details (RFC 9396 section 2).
    pub(crate) detail_types: Vec<String>,
}

impl Advertised {
    pub(crate) fn add(&mut self, demand: &Demand) {
        self.scopes.extend(demand.named_scopes().into_iter().map(str::to_owned));
        for kind in demand.named_detail_types() {
            if !self.detail_types.iter().any(|known| known == kind) {
                self.detail_types.push(kind.to_owned());
            }
        }
    }
}

impl Metadata {
    pub(crate) fn new(
        resource: &Resource,
        issuers: &[String],
        advertised: &Advertised,
        name: Option<String>,
        documentation: Option<String>,
        dpop: &Dpop,
    ) -> Self {
        let mut scopes_supported: Vec<&str> = Vec::new();
        for scope in &advertised.scopes {
            // A scope about the client's own session, which no resource demands.
            if scope != "offline_access" && !scopes_supported.contains(&scope.as_str()) {
                scopes_supported.push(scope);
            }
        }
        let document = Document {
            resource: resource.as_str(),
            authorization_servers: issuers,
            scopes_supported,
            authorization_details_types_supported: &advertised.detail_types,
            bearer_methods_supported: ["header"],
            dpop_signing_alg_values_supported: match dpop.mode() {
                Mode::Off => Vec::new(),
                _ => dpop.allowed().iter().map(|algorithm| algorithm.as_str()).collect(),
            },
            dpop_bound_access_tokens_required: dpop.mode() == Mode::Required,
            resource_name: name,
            resource_documentation: documentation,
        };
        // Strings and lists of strings always serialize; an empty document would be refused by every client.
        let document = serde_json::to_vec(&document).unwrap_or_default().into();
        let path_and_query = resource.metadata_path_and_query();
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (path_and_query, None),
        };
        Self { url: resource.metadata_url(), path, query, document }
    }

    /// The absolute URL, for challenges.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The path, for routers.
    #[cfg(feature = "axum")]
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether a request asks for this document. Only a resource with a query makes the query count.
    pub(crate) fn is_at(&self, uri: &Uri) -> bool {
        uri.path() == self.path && (self.query.is_none() || uri.query() == self.query.as_deref())
    }

    /// The answer, with its content apart; `None` for methods that the document does not have.
    pub(crate) fn answer(&self, method: &Method) -> Option<(Response<()>, Bytes)> {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        // Clients may send headers of their own protocol, which makes a browser ask first.
        if method == Method::OPTIONS {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
            *response.status_mut() = StatusCode::NO_CONTENT;
            return Some((response, Bytes::new()));
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        match *method {
            Method::GET => Some((response, self.document.clone())),
            Method::HEAD => {
                // That of the answer to GET; whatever serves the empty body would say zero (RFC 9110 section 8.6).
                headers.insert(CONTENT_LENGTH, HeaderValue::from(self.document.len()));
                Some((response, Bytes::new()))
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// PRM-01: inserted between host and path or query.
    #[test]
    fn the_well_known_string_is_inserted_and_not_appended() {
        for (resource, url) in [
            ("https://rs.example", "https://rs.example/.well-known/oauth-protected-resource"),
            ("https://rs.example/", "https://rs.example/.well-known/oauth-protected-resource"),
            ("https://rs.example/api", "https://rs.example/.well-known/oauth-protected-resource/api"),
            ("https://rs.example/api/", "https://rs.example/.well-known/oauth-protected-resource/api/"),
            ("https://rs.example/api?t=1", "https://rs.example/.well-known/oauth-protected-resource/api?t=1"),
            ("https://rs.example:8443/a/b", "https://rs.example:8443/.well-known/oauth-protected-resource/a/b"),
        ] {
            assert_eq!(Resource::parse(resource, false).unwrap().metadata_url(), url);
        }
    }

    /// PRM-07: https, and no fragment.
    #[test]
    fn a_resource_is_https_and_has_no_fragment() {
        for bad in
            ["http://rs.example", "https://rs.example/#f", "rs.example", "https://", "https://u:p@rs.example", ""]
        {
            assert!(Resource::parse(bad, false).is_err(), "{bad}");
        }
        assert!(Resource::parse("http://127.0.0.1:3000", true).is_ok());
        assert!(Resource::parse("http://rs.example", true).is_err());
    }
    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(https?://)?.{0,40}") {
            if let Ok(resource) = Resource::parse(&text, true) {
                let _ = resource.metadata_url();
            }
        }

        #[test]
        fn the_document_of_a_resource_is_on_its_host(
            host in "[a-z]{1,8}(:[1-9][0-9]{0,3})?", path in "(/[a-z0-9.%~-]{0,6}){0,3}", query in "([?][a-z=&?/]{0,6})?",
        ) {
            let text = format!("https://{host}{path}{query}");
            if let Ok(resource) = Resource::parse(&text, false) {
                let url: Uri = resource.metadata_url().parse().unwrap();
                prop_assert_eq!(url.authority().unwrap().as_str(), host);
                prop_assert!(url.path().starts_with(WELL_KNOWN));
                prop_assert!(Metadata::new(&resource, &[], &Advertised::default(), None, None, &Dpop::off()).is_at(&url), "{}", url);
            }
        }
    }
}
