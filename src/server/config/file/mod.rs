//! The configuration as a section of a file, by serde.

mod dpop;
mod issuer;
mod online;
mod terms;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

pub(super) use self::dpop::DpopSection;
pub(super) use self::issuer::IssuerSection;
pub(super) use self::terms::{FreshnessSection, OnFailureSection, PolicySection};
use super::{ConfigError, OAuthConfig, OAuthConfigBuilder};
use crate::scope::ScopeHierarchy;
use crate::secret::Secret;

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
    pub(super) freshness: Option<FreshnessSection>,
    #[serde(default)]
    pub(super) on_failure: OnFailureSection,
    pub(super) rules_live_for_seconds: Option<u64>,
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

/// A secret in a file: wiped and never printed.
#[derive(Clone, Debug)]
pub(super) struct SecretText(pub(super) Secret<String>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
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
        builder.terms.freshness = self.freshness.map_or(builder.terms.freshness, Into::into);
        self.on_failure.apply(&mut builder.terms);
        builder.rules_live = self.rules_live_for_seconds.map_or(builder.rules_live, Duration::from_secs);
        builder.also_at = self.also_at;
        builder.public_prefix = self.public_prefix;
        builder.cached_verdicts = self.cached_verdicts.unwrap_or(builder.cached_verdicts);
        builder.refuse_query_tokens = self.refuse_query_tokens;
        builder.loopback_http = self.dangerous_loopback_http;
        builder
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
