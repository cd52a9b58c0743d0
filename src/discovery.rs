//! An issuer's metadata: where its keys are, and where it is asked about tokens (RFC 8414, OpenID Connect Discovery).
//!
//! Two well-known addresses follow from an issuer's identifier. RFC 8414 section 3.1 inserts its suffix between host
//! and path; OpenID Connect Discovery section 4 appends its own after the path:
//!
//! | issuer | tried |
//! |---|---|
//! | `https://as.example` | `https://as.example/.well-known/oauth-authorization-server` |
//! | | `https://as.example/.well-known/openid-configuration` |
//! | `https://as.example/t1/` | `https://as.example/.well-known/oauth-authorization-server/t1` |
//! | | `https://as.example/t1/.well-known/openid-configuration` |
//!
//! Whatever a document says is used only when its `issuer` equals the configured one byte for byte (RFC 8414
//! section 3.3): otherwise one tenant could publish keys for another.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::jwt::json::{self, JsonError, Text};
use crate::transport::FetchError;
use crate::transport::error::Kind;
use crate::transport::fetch::{Fetched, Fetcher};

/// What is used of an issuer's metadata; the rest is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Equal to the configured issuer.
    pub(crate) issuer: String,
    /// An address that may be fetched.
    pub(crate) jwks_uri: String,
}

#[derive(Deserialize)]
struct RawMetadata<'d> {
    #[serde(borrow)]
    issuer: Text<'d>,
    #[serde(borrow)]
    jwks_uri: Option<&'d RawValue>,
    #[serde(borrow)]
    introspection_endpoint: Option<&'d RawValue>,
}

/// The member that somebody looks for. The others are not judged: an issuer of opaque tokens alone publishes no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Keys,
    Introspection,
}

/// Fetches the metadata of `issuer` from the first of its well-known addresses that serves it.
///
/// An answer that is of no use leads on to the second address; silence does not, because whoever waits has waited the
/// full time already and the same host would let them wait again.
pub(crate) async fn discover(fetcher: &Fetcher, issuer: &str) -> Result<Metadata, FetchError> {
    let jwks_uri = address(fetcher, issuer, Wanted::Keys).await?;
    Ok(Metadata { issuer: issuer.to_owned(), jwks_uri })
}

/// Looks as [`discover`] does for the address at which `issuer` is asked about tokens (RFC 8414 section 2).
pub(crate) async fn introspection_endpoint(fetcher: &Fetcher, issuer: &str) -> Result<String, FetchError> {
    address(fetcher, issuer, Wanted::Introspection).await
}

async fn address(fetcher: &Fetcher, issuer: &str, wanted: Wanted) -> Result<String, FetchError> {
    if issuer.contains(['?', '#']) {
        return Err(FetchError::new(issuer, Kind::InsecureUrl("an issuer has neither query nor fragment (RFC 8414)")));
    }
    let [rfc8414, openid] = well_known(issuer);
    let first = match address_at(fetcher, &rfc8414, issuer, wanted).await {
        Err(error) if !matches!(error.kind(), Kind::Connect(_) | Kind::Timeout | Kind::InsecureUrl(_)) => error,
        settled => return settled,
    };
    address_at(fetcher, &openid, issuer, wanted).await.map_err(|second| {
        // A bare "not here" says less than a document that was there and wrong.
        match (first.kind(), second.kind()) {
            (Kind::Status(_), _) => second,
            (_, Kind::Status(_)) => first,
            _ => second,
        }
    })
}

async fn address_at(fetcher: &Fetcher, url: &str, issuer: &str, wanted: Wanted) -> Result<String, FetchError> {
    match fetcher.get(url, "application/json", None).await? {
        Fetched::Document(document) => {
            let address = parse(&document.bytes, issuer, wanted).map_err(|kind| FetchError::new(url, kind))?;
            fetcher.check_named(&address, url)?;
            Ok(address)
        }
        Fetched::NotModified { .. } => Err(FetchError::new(url, Kind::Status(304))),
    }
}

fn parse(document: &[u8], issuer: &str, wanted: Wanted) -> Result<String, Kind> {
    let raw: RawMetadata<'_> = json::from_slice(document).map_err(|error: JsonError| Kind::NotJson(error.into()))?;
    if raw.issuer.0 != issuer {
        return Err(Kind::IssuerMismatch);
    }
    let address = match wanted {
        Wanted::Keys => raw.jwks_uri.ok_or(Kind::NoJwksUri)?,
        Wanted::Introspection => raw.introspection_endpoint.ok_or(Kind::NoIntrospectionEndpoint)?,
    };
    let Text(address) = serde_json::from_str(address.get()).map_err(|_| Kind::NotJson(JsonError::Shape.into()))?;
    Ok(address.into_owned())
}

/// The two addresses, in the order in which they are tried. A slash that ends the issuer is dropped in both.
fn well_known(issuer: &str) -> [String; 2] {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let host_at = base.find("://").map_or(0, |at| at + "://".len());
    let path_at = base.get(host_at..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| host_at + at);
    let (origin, path) = base.split_at(path_at);
    [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{base}/.well-known/openid-configuration"),
    ]
}

#[cfg(test)]
mod tests;
