//! What the server says of itself (RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3). What would be empty is
//! left out.

use serde_json::{Map, Value, json};

use crate::crypto::Algorithm;
use crate::dev::clients::Clients;
use crate::dev::server::Settings;
use crate::dev::token::GRANT_TYPES;

/// The metadata that this server has and an issuer in memory has not.
pub(crate) fn members(
    issuer: &str,
    algorithm: Algorithm,
    clients: &Clients,
    settings: &Settings,
) -> Map<String, Value> {
    let mut scopes: Vec<&str> = clients.iter().flat_map(|client| client.scopes.iter()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let all: Vec<&str> = Algorithm::ALL.map(Algorithm::as_str).into();
    let proven = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let with_public = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    let url = |name: &str| Value::from(format!("{issuer}{name}"));
    let members = [
        ("authorization_endpoint", url("/authorize")),
        ("token_endpoint", url("/token")),
        ("pushed_authorization_request_endpoint", url("/par")),
        ("introspection_endpoint", url("/introspect")),
        ("revocation_endpoint", url("/revoke")),
        ("userinfo_endpoint", url("/userinfo")),
        ("end_session_endpoint", url("/logout")),
        ("backchannel_logout_supported", json!(true)),
        ("backchannel_logout_session_supported", json!(true)),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query"])),
        ("grant_types_supported", json!(GRANT_TYPES)),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("require_pushed_authorization_requests", json!(false)),
        ("request_parameter_supported", json!(false)),
        ("request_uri_parameter_supported", json!(false)),
        ("token_endpoint_auth_methods_supported", json!(with_public)),
        ("token_endpoint_auth_signing_alg_values_supported", json!(all)),
        ("introspection_endpoint_auth_methods_supported", json!(proven)),
        ("introspection_endpoint_auth_signing_alg_values_supported", json!(all)),
        ("introspection_signing_alg_values_supported", json!([algorithm.as_str()])),
        ("revocation_endpoint_auth_methods_supported", json!(with_public)),
        ("revocation_endpoint_auth_signing_alg_values_supported", json!(all)),
        ("dpop_signing_alg_values_supported", json!(all)),
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!([algorithm.as_str()])),
        ("claims_supported", json!(["sub", "name", "preferred_username", "email", "auth_time", "acr", "sid"])),
        ("prompt_values_supported", json!(["none", "login", "consent", "select_account"])),
        ("acr_values_supported", json!(settings.acr_values)),
        ("scopes_supported", json!(scopes)),
    ];
    members.into_iter().filter(|(_, value)| value != &json!([])).map(|(name, value)| (name.to_owned(), value)).collect()
}
