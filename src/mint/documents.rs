//! What an authorization server publishes and under which paths: its metadata (RFC 8414, OpenID Connect Discovery 1.0)
//! and its key set (RFC 7517 section 5).

use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use crate::crypto::{b64, sha256};

/// What resource servers ask an authorization server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    Metadata,
    Jwks,
    /// The answer of the introspection endpoint (RFC 7662).
    Introspection,
    /// A status list by its number.
    StatusList(u32),
}

/// Below an issuer's own path.
pub(crate) const INTROSPECTION: &str = "/introspect";
const STATUS_LISTS: &str = "/status/";

/// The URL of what is at `path` below the issuer's own path.
pub(crate) fn url(issuer: &str, path: &str) -> String {
    format!("{}{path}", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// The URI of a status list, as tokens carry it in `status.status_list.uri`.
pub(crate) fn status_list_uri(issuer: &str, list: u32) -> String {
    url(issuer, &format!("{STATUS_LISTS}{list}"))
}

/// The path of `issuer`'s identifier, without the terminating slash that RFC 8414 section 3.1 has removed.
pub(crate) fn issuer_path(issuer: &str) -> &str {
    let after_scheme = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let path = after_scheme.find('/').and_then(|slash| after_scheme.get(slash..)).unwrap_or_default();
    path.strip_suffix('/').unwrap_or(path)
}

impl Document {
    /// What `path` stands for at an issuer whose own path is `prefix`. RFC 8414 inserts its well-known string before
    /// the issuer's path, OpenID Connect appends it.
    pub(crate) fn at(path: &str, prefix: &str) -> Option<Self> {
        if path.strip_suffix("/.well-known/openid-configuration") == Some(prefix)
            || path.strip_prefix("/.well-known/oauth-authorization-server") == Some(prefix)
        {
            return Some(Self::Metadata);
        }
        match path.strip_prefix(prefix)? {
            "/jwks" => Some(Self::Jwks),
            INTROSPECTION => Some(Self::Introspection),
            other => {
                let number = other.strip_prefix(STATUS_LISTS)?;
                // One list has one URI: neither `+1` nor `01` is one.
                number.parse().ok().filter(|list: &u32| list.to_string() == number).map(Self::StatusList)
            }
        }
    }
}

/// The metadata of `issuer`; `members` add to it, replace, or with `null` remove.
pub(crate) fn metadata(issuer: &str, members: &Map<String, Value>) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("issuer".into(), issuer.into());
    metadata.insert("jwks_uri".into(), url(issuer, "/jwks").into());
    metadata.insert("response_types_supported".into(), json!([]));
    for (name, value) in members {
        if value.is_null() {
            metadata.remove(name);
        } else {
            metadata.insert(name.clone(), value.clone());
        }
    }
    metadata
}

/// What the metadata say of the introspection endpoint (RFC 8414 section 2, RFC 9701 section 7).
#[cfg(feature = "test-util")]
pub(crate) fn introspection_members(issuer: &str) -> Map<String, Value> {
    Map::from_iter([
        ("introspection_endpoint".to_owned(), url(issuer, INTROSPECTION).into()),
        (
            "introspection_endpoint_auth_methods_supported".to_owned(),
            json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]),
        ),
    ])
}

/// A strong validator (RFC 9110 section 8.8.3). Made of the content, so that a server that starts anew with other keys
/// is never mistaken for the old one.
pub(crate) fn etag(document: &[u8]) -> String {
    format!("\"{}\"", b64(&sha256(&[document])))
}

/// Whether the client has this version (RFC 9110 section 13.1.2; the comparison is weak).
pub(crate) fn is_known(etag: &str, headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_string_is_inserted_or_appended() {
        let prefix = issuer_path("https://login.test/tenant");
        assert_eq!(prefix, "/tenant");
        assert_eq!(Document::at("/.well-known/oauth-authorization-server/tenant", prefix), Some(Document::Metadata));
        assert_eq!(Document::at("/tenant/.well-known/openid-configuration", prefix), Some(Document::Metadata));
        assert_eq!(Document::at("/tenant/jwks", prefix), Some(Document::Jwks));
        assert_eq!(Document::at("/tenant/introspect", prefix), Some(Document::Introspection));
        assert_eq!(Document::at("/tenant/status/7", prefix), Some(Document::StatusList(7)));
        for other in [
            "/jwks",
            "/.well-known/oauth-authorization-server",
            "/tenant/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration/tenant",
            "/tenant/jwks/",
            "/introspect",
            "/status/7",
            "/tenant/status/",
            "/tenant/status/07",
            "/tenant/status/+7",
            "/tenant/status/4294967296",
            "",
        ] {
            assert_eq!(Document::at(other, prefix), None, "{other}");
        }
    }

    #[test]
    fn a_terminating_slash_of_the_issuer_is_removed() {
        for issuer in ["https://login.test", "https://login.test/"] {
            assert_eq!(issuer_path(issuer), "");
            assert_eq!(metadata(issuer, &Map::new())["jwks_uri"], "https://login.test/jwks");
            assert_eq!(metadata(issuer, &Map::new())["issuer"], issuer);
        }
        assert_eq!(issuer_path("https://login.test/tenant/"), "/tenant");
        assert_eq!(Document::at("/.well-known/oauth-authorization-server", ""), Some(Document::Metadata));
    }

    #[test]
    fn members_replace_and_null_removes() {
        let Value::Object(members) = json!({ "jwks_uri": null, "token_endpoint": "t" }) else { unreachable!() };
        let metadata = metadata("https://login.test", &members);
        assert_eq!(metadata.get("jwks_uri"), None);
        assert_eq!(metadata["token_endpoint"], "t");
    }

    #[test]
    fn a_version_is_known_by_any_listed_tag() {
        let with = |value: &str| HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
        for known in [r#""a""#, r#"W/"a""#, r#""b", "a""#, "*"] {
            assert!(is_known(r#""a""#, &with(known)), "{known}");
        }
        assert!(!is_known(r#""a""#, &with(r#""b""#)));
        assert!(!is_known(r#""a""#, &HeaderMap::new()));
        assert_ne!(etag(b"{}"), etag(b"{ }"));
    }
}
