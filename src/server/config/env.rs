//! The configuration from environment variables, for services that are set up by their container.

use std::env;
use std::fmt::Display;
use std::str::FromStr;

use super::file::{DpopSection, IssuerSection, SecretText, Section};
use super::{ConfigError, OAuthConfig, OAuthConfigBuilder};

impl OAuthConfig {
    /// Reads the configuration from the environment. Each variable may instead be given as `<NAME>_FILE`: the path of
    /// a file that holds the value.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `OAUTH_RESOURCE` | this service's identifier (required) |
    /// | `OAUTH_ISSUERS` | issuers, separated by commas (required) |
    /// | `OAUTH_AUDIENCES` | further audiences, separated by commas |
    /// | `OAUTH_PROFILE` | the issuers' profile: `rfc9068` (default), `keycloak`, `auth0`, `entra`, `okta`, `cognito` |
    /// | `OAUTH_ROLES_AT` | further paths of roles in the token, separated by commas |
    /// | `OAUTH_ALGORITHMS` | accepted algorithms, separated by commas; all supported ones by default |
    /// | `OAUTH_JWKS_URI`, `OAUTH_JWKS_FILE` | where the keys are, for a single issuer; discovered by default |
    /// | `OAUTH_LEEWAY_SECONDS` | how far clocks may differ: 60 by default, at most 120 |
    /// | `OAUTH_MAX_LIFETIME_SECONDS` | refuse tokens that live longer |
    /// | `OAUTH_SCOPE_SEPARATOR` | the separator of hierarchical scopes, one character |
    /// | `OAUTH_SCOPES_SUPPORTED` | scopes to list in the metadata, separated by commas |
    /// | `OAUTH_REALM` | the `realm` of challenges |
    /// | `OAUTH_REFUSE_QUERY_TOKENS` | `true` refuses requests with a token in the query string |
    /// | `OAUTH_DPOP` | `off`, `accepted` (default) or `required` |
    /// | `OAUTH_DPOP_MAX_AGE_SECONDS` | how old a proof may be: 60 by default |
    /// | `OAUTH_DPOP_NONCE_SECRET`, `OAUTH_DPOP_PREVIOUS_NONCE_SECRET` | at least 32 bytes, shared by replicas: proofs need a nonce |
    /// | `OAUTH_ALSO_AT` | further origins by which clients reach the service, separated by commas |
    /// | `OAUTH_PUBLIC_PREFIX` | the prefix that a proxy strips from the path |
    /// | `OAUTH_CACHED_VERDICTS` | how many verdicts are kept: 32768 by default, 0 verifies every request |
    /// | `OAUTH_DANGEROUS_LOOPBACK_HTTP` | `true` admits `http` at literal loopback addresses |
    ///
    /// # Errors
    /// [`ConfigError`] with every problem at once.
    pub fn from_env() -> Result<Self, ConfigError> {
        OAuthConfigBuilder::from_env().build()
    }
}

impl OAuthConfigBuilder {
    /// As [`OAuthConfig::from_env`], to be completed before [`build`](Self::build), which reports what was wrong.
    pub fn from_env() -> Self {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut reader = Reader { variable, problems: Vec::new() };
        let section = reader.section();
        let mut builder = section.into_builder();
        builder.problems.splice(0..0, reader.problems);
        builder
    }
}

struct Reader<V> {
    variable: V,
    problems: Vec<String>,
}

impl<V: Fn(&str) -> Option<String>> Reader<V> {
    fn section(&mut self) -> Section {
        let issuers = self.list("OAUTH_ISSUERS");
        let jwks_uri = self.text("OAUTH_JWKS_URI");
        // Already the path of a file, which is read again and again.
        let jwks_file = (self.variable)("OAUTH_JWKS_FILE").filter(|path| !path.trim().is_empty()).map(Into::into);
        if issuers.len() > 1 && (jwks_uri.is_some() || jwks_file.is_some()) {
            self.problems.push(
                "OAUTH_JWKS_URI and OAUTH_JWKS_FILE fit a single issuer; let the keys of several be discovered"
                    .to_owned(),
            );
        }
        let common = IssuerSection {
            profile: self.text("OAUTH_PROFILE"),
            roles_at: self.list("OAUTH_ROLES_AT"),
            algorithms: self.list("OAUTH_ALGORITHMS"),
            max_lifetime_seconds: self.parsed("OAUTH_MAX_LIFETIME_SECONDS", "a number of seconds"),
            jwks_uri,
            jwks_file,
            ..IssuerSection::default()
        };
        let mut section = Section {
            resource: self.text("OAUTH_RESOURCE").unwrap_or_default(),
            issuers: issuers.into_iter().map(|issuer| IssuerSection { issuer, ..common.clone() }).collect(),
            audiences: self.list("OAUTH_AUDIENCES"),
            leeway_seconds: self.parsed("OAUTH_LEEWAY_SECONDS", "a number of seconds"),
            realm: self.text("OAUTH_REALM"),
            scopes_supported: self.list("OAUTH_SCOPES_SUPPORTED"),
            dpop: DpopSection {
                mode: self.text("OAUTH_DPOP"),
                max_age_seconds: self.parsed("OAUTH_DPOP_MAX_AGE_SECONDS", "a number of seconds"),
                nonce_secret: self.secret("OAUTH_DPOP_NONCE_SECRET"),
                previous_nonce_secret: self.secret("OAUTH_DPOP_PREVIOUS_NONCE_SECRET"),
                nonce_instead_of_iat: false,
            },
            also_at: self.list("OAUTH_ALSO_AT"),
            public_prefix: self.text("OAUTH_PUBLIC_PREFIX").unwrap_or_default(),
            cached_verdicts: self.parsed("OAUTH_CACHED_VERDICTS", "a number of verdicts"),
            refuse_query_tokens: self.flag("OAUTH_REFUSE_QUERY_TOKENS"),
            dangerous_loopback_http: self.flag("OAUTH_DANGEROUS_LOOPBACK_HTTP"),
            ..Section::default()
        };
        section.scopes.separator = self.parsed("OAUTH_SCOPE_SEPARATOR", "one character");
        section
    }

    /// The value, or that of the file that `<NAME>_FILE` names. Set but empty counts as not set.
    fn text(&mut self, name: &str) -> Option<String> {
        let given = (self.variable)(name).filter(|value| !value.trim().is_empty());
        let file_name = format!("{name}_FILE");
        let file = (self.variable)(&file_name).filter(|path| !path.trim().is_empty());
        let value = match (given, file) {
            (Some(_), Some(_)) => {
                self.problems.push(format!("{name} and {file_name} are both set; keep one"));
                None
            }
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(content) => Some(content),
                Err(error) => {
                    self.problems.push(format!("{file_name}: {path:?} cannot be read: {error}"));
                    None
                }
            },
            (given, None) => given,
        };
        value.map(|value| value.trim().to_owned())
    }

    fn secret(&mut self, name: &str) -> Option<SecretText> {
        self.text(name).map(|text| SecretText(text.into()))
    }

    fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str, wanted: &str) -> Option<T> {
        let text = self.text(name)?;
        text.parse().map_err(|error| self.problems.push(format!("{name}: {text:?} is not {wanted}: {error}"))).ok()
    }

    fn flag(&mut self, name: &str) -> bool {
        self.parsed(name, "true or false").unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn build(variables: &[(&str, &str)]) -> Result<OAuthConfig, ConfigError> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        OAuthConfigBuilder::from_variables(|name| variables.get(name).map(|value| (*value).to_owned())).build()
    }

    #[test]
    fn two_variables_are_enough() {
        assert!(
            build(&[("OAUTH_RESOURCE", "https://api.test"), ("OAUTH_ISSUERS", "https://a.test, https://b.test")])
                .is_ok()
        );
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let error = build(&[
            ("OAUTH_ISSUERS", "https://a.test,https://b.test"),
            ("OAUTH_JWKS_URI", "https://a.test/jwks"),
            ("OAUTH_LEEWAY_SECONDS", "soon"),
            ("OAUTH_ALGORITHMS", "HS256"),
            ("OAUTH_REALM", "x"),
            ("OAUTH_REALM_FILE", "/nowhere"),
            ("OAUTH_REFUSE_QUERY_TOKENS", "maybe"),
        ])
        .unwrap_err()
        .to_string();
        for part in ["OAUTH_RESOURCE", "single issuer", "OAUTH_LEEWAY_SECONDS", "HS256", "OAUTH_REALM_FILE", "maybe"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    #[test]
    fn a_value_may_stand_in_a_file() {
        let path = std::env::temp_dir().join(format!("tower-oauth-env-{}", std::process::id()));
        std::fs::write(&path, "https://a.test\n").unwrap();
        let config = build(&[("OAUTH_RESOURCE", "https://api.test"), ("OAUTH_ISSUERS_FILE", path.to_str().unwrap())]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(config.unwrap().trusts.len(), 1);
        let missing = build(&[("OAUTH_RESOURCE", "https://api.test"), ("OAUTH_ISSUERS_FILE", path.to_str().unwrap())]);
        assert!(missing.unwrap_err().to_string().contains("cannot be read"));
    }
}
