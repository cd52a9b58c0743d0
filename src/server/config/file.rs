//! The configuration as a section of a file, by serde.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{ConfigError, OAuthConfig, OAuthConfigBuilder};
use crate::crypto::Algorithm;
use crate::dpop::{Dpop, NonceKey};
use crate::jwt::Profile;
use crate::scope::ScopeHierarchy;
use crate::secret::Secret;
use crate::server::issuer::{Issuer, MaxLifetime};

/// The names as a file spells them. Unknown ones are an error, so that a misspelt setting is not silently without effect.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    pub(super) resource: String,
    #[serde(default)]
    pub(super) issuers: Vec<IssuerSection>,
    #[serde(default)]
    pub(super) audiences: Vec<String>,
    pub(super) leeway_seconds: Option<u64>,
    pub(super) realm: Option<String>,
    pub(super) resource_name: Option<String>,
    pub(super) resource_documentation: Option<String>,
    #[serde(default)]
    pub(super) scopes_supported: Vec<String>,
    #[serde(default)]
    pub(super) scopes: ScopesSection,
    pub(super) cached_verdicts: Option<usize>,
    #[serde(default)]
    pub(super) dpop: DpopSection,
    #[serde(default)]
    pub(super) also_at: Vec<String>,
    #[serde(default)]
    pub(super) public_prefix: String,
    #[serde(default)]
    pub(super) refuse_query_tokens: bool,
    #[serde(default)]
    pub(super) dangerous_loopback_http: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopesSection {
    pub(super) separator: Option<char>,
    #[serde(default)]
    pub(super) implies: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerSection {
    pub(super) issuer: String,
    pub(super) profile: Option<String>,
    #[serde(default)]
    pub(super) roles_at: Vec<String>,
    #[serde(default)]
    pub(super) audiences: Vec<String>,
    #[serde(default)]
    pub(super) algorithms: Vec<String>,
    pub(super) jwks_uri: Option<String>,
    pub(super) jwks_file: Option<PathBuf>,
    pub(super) max_lifetime_seconds: Option<u64>,
    #[serde(default)]
    pub(super) report_lifetime_only: bool,
    pub(super) keys_live_up_to_seconds: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DpopSection {
    pub(super) mode: Option<String>,
    pub(super) max_age_seconds: Option<u64>,
    pub(super) nonce_secret: Option<SecretText>,
    pub(super) previous_nonce_secret: Option<SecretText>,
    #[serde(default)]
    pub(super) nonce_instead_of_iat: bool,
}

/// A secret in a file: wiped and never printed.
#[derive(Clone, Debug)]
pub(super) struct SecretText(pub(super) Secret<String>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl DpopSection {
    fn into_policy(self, problems: &mut Vec<String>) -> Dpop {
        let mut policy = match self.mode.as_deref() {
            None | Some("accepted") => Dpop::accepted(),
            Some("required") => Dpop::required(),
            Some("off") => Dpop::off(),
            Some(other) => {
                problems.push(format!("dpop: mode {other:?} is unknown; use off, accepted or required"));
                Dpop::accepted()
            }
        };
        if let Some(seconds) = self.max_age_seconds {
            policy = policy.max_age(Duration::from_secs(seconds));
        }
        match (self.nonce_secret, self.previous_nonce_secret) {
            (Some(SecretText(secret)), previous) => {
                let key = NonceKey::from_secret(secret.expose().as_bytes());
                policy = policy.nonce(match previous {
                    Some(SecretText(previous)) => key.previous(previous.expose().as_bytes()),
                    None => key,
                });
            }
            (None, Some(_)) => problems.push("dpop: previous_nonce_secret needs nonce_secret beside it".to_owned()),
            (None, None) => {}
        }
        if self.nonce_instead_of_iat { policy.nonce_instead_of_iat() } else { policy }
    }
}

impl Section {
    pub(super) fn into_builder(self) -> OAuthConfigBuilder {
        let mut builder = OAuthConfig::builder(self.resource);
        for section in self.issuers {
            let issuer = section.into_issuer(&mut builder.problems);
            builder = builder.trust(issuer);
        }
        for audience in self.audiences {
            builder = builder.audience(audience);
        }
        let mut hierarchy = self.scopes.separator.map_or_else(ScopeHierarchy::exact, ScopeHierarchy::separated_by);
        for (broad, narrow) in self.scopes.implies {
            hierarchy = hierarchy.implies(broad, narrow);
        }
        builder.hierarchy = hierarchy;
        builder.leeway = self.leeway_seconds.map_or(builder.leeway, Duration::from_secs);
        builder.realm = self.realm;
        builder.name = self.resource_name;
        builder.documentation = self.resource_documentation;
        builder.advertised.scopes = self.scopes_supported;
        builder.dpop = self.dpop.into_policy(&mut builder.problems);
        builder.also_at = self.also_at;
        builder.public_prefix = self.public_prefix;
        builder.cached_verdicts = self.cached_verdicts.unwrap_or(builder.cached_verdicts);
        builder.refuse_query_tokens = self.refuse_query_tokens;
        builder.loopback_http = self.dangerous_loopback_http;
        builder
    }
}

impl IssuerSection {
    fn into_issuer(self, problems: &mut Vec<String>) -> Issuer {
        let name = &self.issuer;
        let mut issuer = Issuer::jwt(name);
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

impl OAuthConfigBuilder {
    /// Reads the settings of a section of a file; more can be set before [`build`](Self::build). The names of the
    /// settings are in [the guide](crate::guide::configuration).
    ///
    /// # Errors
    /// The deserializer's, for an unknown name or a value of the wrong type.
    pub fn from_section<'de, D: Deserializer<'de>>(section: D) -> Result<Self, D::Error> {
        Section::deserialize(section).map(Section::into_builder)
    }
}

impl<'de> Deserialize<'de> for OAuthConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let builder = OAuthConfigBuilder::from_section(deserializer)?;
        builder.build().map_err(|error: ConfigError| serde::de::Error::custom(error))
    }
}
