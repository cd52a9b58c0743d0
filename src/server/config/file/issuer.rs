//! One issuer, as a file spells its settings.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::SecretText;
use crate::crypto::Algorithm;
use crate::jwt::Profile;
use crate::server::issuer::{Issuer, MaxLifetime};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server::config) struct IssuerSection {
    pub(in crate::server::config) issuer: String,
    pub(in crate::server::config) profile: Option<String>,
    #[serde(default)]
    pub(in crate::server::config) roles_at: Vec<String>,
    pub(in crate::server::config) kind: Option<String>,
    #[serde(default)]
    pub(in crate::server::config) confirm_online: bool,
    pub(in crate::server::config) client_auth: Option<String>,
    pub(in crate::server::config) client_id: Option<String>,
    pub(in crate::server::config) client_secret: Option<SecretText>,
    pub(in crate::server::config) client_secret_file: Option<PathBuf>,
    pub(in crate::server::config) client_key_file: Option<PathBuf>,
    pub(in crate::server::config) client_key_id: Option<String>,
    pub(in crate::server::config) client_key_algorithm: Option<String>,
    pub(in crate::server::config) introspection_endpoint: Option<String>,
    #[serde(default)]
    pub(in crate::server::config) signed_answers: bool,
    pub(in crate::server::config) tokens_starting: Option<String>,
    pub(in crate::server::config) cache_seconds: Option<u64>,
    #[serde(default)]
    pub(in crate::server::config) cache_until_exp: bool,
    pub(in crate::server::config) cache_refusals_seconds: Option<u64>,
    pub(in crate::server::config) questions_at_once: Option<usize>,
    pub(in crate::server::config) answer_within_seconds: Option<u64>,
    #[serde(default)]
    pub(in crate::server::config) status_list_origins: Vec<String>,
    #[serde(default)]
    pub(in crate::server::config) event_audiences: Vec<String>,
    #[serde(default)]
    pub(in crate::server::config) audiences: Vec<String>,
    #[serde(default)]
    pub(in crate::server::config) algorithms: Vec<String>,
    pub(in crate::server::config) jwks_uri: Option<String>,
    pub(in crate::server::config) jwks_file: Option<PathBuf>,
    pub(in crate::server::config) max_lifetime_seconds: Option<u64>,
    #[serde(default)]
    pub(in crate::server::config) report_lifetime_only: bool,
    pub(in crate::server::config) keys_live_up_to_seconds: Option<u64>,
}

impl IssuerSection {
    pub(super) fn into_issuer(self, problems: &mut Vec<String>) -> Issuer {
        let name = &self.issuer;
        let mut issuer = self.of_its_kind(problems);
        let mut profile = Profile::default();
        if let Some(wanted) = self.profile {
            match Profile::from_name(&wanted) {
                Some(preset) => profile = preset,
                None => problems.push(format!(
                    "issuer {name:?}: profile {wanted:?} is unknown; use rfc9068, keycloak, auth0, entra, okta or cognito"
                )),
            }
        }
        profile = self.roles_at.iter().fold(profile, |profile, path| profile.roles_at(path));
        issuer = issuer.profile(profile);
        issuer = self.audiences.into_iter().fold(issuer, Issuer::audience);
        issuer = self.status_list_origins.into_iter().fold(issuer, Issuer::status_list_origin);
        issuer = self.event_audiences.into_iter().fold(issuer, Issuer::event_audience);
        if !self.algorithms.is_empty() {
            let known = self.algorithms.iter().filter_map(|algorithm| {
                let known = Algorithm::from_name(algorithm);
                if known.is_none() {
                    problems.push(format!(
                        "issuer {name:?}: algorithm {algorithm:?} is unknown or symmetric; use RS256, PS256, ES256, EdDSA or another of RFC 7518 with a public key"
                    ));
                }
                known
            });
            let known: Vec<_> = known.collect();
            // An empty list would add a second, misleading problem.
            issuer = if known.is_empty() { issuer } else { issuer.algorithms(known) };
        }
        if self.jwks_uri.is_some() && self.jwks_file.is_some() {
            problems.push(format!("issuer {name:?}: jwks_uri and jwks_file exclude each other"));
        }
        if let Some(url) = self.jwks_uri {
            issuer = issuer.jwks_uri(url);
        }
        if let Some(path) = self.jwks_file {
            issuer = issuer.jwks_file(path);
        }
        if self.report_lifetime_only && self.max_lifetime_seconds.is_none() {
            problems
                .push(format!("issuer {name:?}: report_lifetime_only reports nothing without max_lifetime_seconds"));
        }
        if let Some(seconds) = self.max_lifetime_seconds {
            let limit = Duration::from_secs(seconds);
            let report = self.report_lifetime_only;
            issuer = issuer.max_lifetime(if report { MaxLifetime::Report(limit) } else { MaxLifetime::Refuse(limit) });
        }
        if let Some(seconds) = self.keys_live_up_to_seconds {
            issuer = issuer.keys_live_up_to(Duration::from_secs(seconds));
        }
        issuer
    }
}
