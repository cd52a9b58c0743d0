//! The configuration from environment variables, for services that are set up by their container.

use std::env;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use super::file::{DpopSection, FreshnessSection, IssuerSection, OnFailureSection, PolicySection, SecretText, Section};
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
    /// | `OAUTH_KIND` | the issuer's tokens: `jwt` (default), `opaque` or `hybrid`; for a single issuer |
    /// | `OAUTH_CONFIRM_ONLINE` | `true` lets a single issuer of JWTs be asked where a route wants its own word |
    /// | `OAUTH_CLIENT_AUTH` | how this service proves itself to the issuer that it asks: `secret_basic` (default), `secret_post`, `private_key_jwt`, `bearer` |
    /// | `OAUTH_CLIENT_ID`, `OAUTH_CLIENT_SECRET` | as whom it asks; the secret's file is read again when it changes |
    /// | `OAUTH_CLIENT_KEY_FILE`, `OAUTH_CLIENT_KEY_ID`, `OAUTH_CLIENT_KEY_ALGORITHM` | the private key of `private_key_jwt`: PKCS #8, its `kid`, how it signs |
    /// | `OAUTH_INTROSPECTION_ENDPOINT` | where the issuer is asked; discovered by default |
    /// | `OAUTH_SIGNED_ANSWERS` | `true` takes only answers that the issuer has signed (RFC 9701) |
    /// | `OAUTH_CACHE_SECONDS` | how long an answer that a token is active serves: 30 by default |
    /// | `OAUTH_CACHE_UNTIL_EXP` | `true` lets it serve until the token's `exp` |
    /// | `OAUTH_CACHE_REFUSALS_SECONDS` | how long an answer that a token is not active serves: 5 by default |
    /// | `OAUTH_STATUS_LIST_ORIGINS` | origins of status lists besides the issuers' own, separated by commas |
    /// | `OAUTH_EVENT_AUDIENCES` | the names under which issuers send logout tokens and security events, separated by commas |
    /// | `OAUTH_FRESHNESS` | how sure every route must be: `offline`, `denylist` (default), `always`, or a number of seconds |
    /// | `OAUTH_ON_INTROSPECTION_FAILURE`, `OAUTH_ON_STATUS_LIST_FAILURE` | `closed` (default), `open_and_counted`, or for how many seconds what was known serves |
    /// | `OAUTH_ON_DENYLIST_FAILURE`, `OAUTH_ON_REPLAY_FAILURE` | the same: 30 seconds by default for the denylist; used proofs know no seconds |
    /// | `OAUTH_RULES_LIVE_FOR_SECONDS` | how long a revocation is kept that does not say so itself: 86400 by default |
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
        let jwks_file = self.path("OAUTH_JWKS_FILE");
        if issuers.len() > 1 && (jwks_uri.is_some() || jwks_file.is_some()) {
            self.problems.push(
                "OAUTH_JWKS_URI and OAUTH_JWKS_FILE fit a single issuer; let the keys of several be discovered"
                    .to_owned(),
            );
        }
        let several = issuers.len() > 1;
        let common = IssuerSection {
            profile: self.text("OAUTH_PROFILE"),
            roles_at: self.list("OAUTH_ROLES_AT"),
            algorithms: self.list("OAUTH_ALGORITHMS"),
            max_lifetime_seconds: self.parsed("OAUTH_MAX_LIFETIME_SECONDS", "a number of seconds"),
            jwks_uri,
            jwks_file,
            kind: self.text("OAUTH_KIND"),
            confirm_online: self.flag("OAUTH_CONFIRM_ONLINE"),
            client_auth: self.text("OAUTH_CLIENT_AUTH"),
            client_id: self.text("OAUTH_CLIENT_ID"),
            client_secret: self.secret_but_for_its_file("OAUTH_CLIENT_SECRET"),
            client_secret_file: self.path("OAUTH_CLIENT_SECRET_FILE"),
            client_key_file: self.path("OAUTH_CLIENT_KEY_FILE"),
            client_key_id: self.text("OAUTH_CLIENT_KEY_ID"),
            client_key_algorithm: self.text("OAUTH_CLIENT_KEY_ALGORITHM"),
            introspection_endpoint: self.text("OAUTH_INTROSPECTION_ENDPOINT"),
            signed_answers: self.flag("OAUTH_SIGNED_ANSWERS"),
            cache_seconds: self.parsed("OAUTH_CACHE_SECONDS", "a number of seconds"),
            cache_until_exp: self.flag("OAUTH_CACHE_UNTIL_EXP"),
            cache_refusals_seconds: self.parsed("OAUTH_CACHE_REFUSALS_SECONDS", "a number of seconds"),
            status_list_origins: self.list("OAUTH_STATUS_LIST_ORIGINS"),
            event_audiences: self.list("OAUTH_EVENT_AUDIENCES"),
            ..IssuerSection::default()
        };
        if several && (common.kind.is_some() || !common.asking().is_empty()) {
            // One issuer would learn by which secret this service asks another.
            self.problems.push(
                "OAUTH_KIND, OAUTH_CONFIRM_ONLINE and how to ask fit a single issuer; use a file or the builder for several"
                    .to_owned(),
            );
        }
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
            freshness: self.word(
                "OAUTH_FRESHNESS",
                "offline, denylist, always or a number of seconds",
                FreshnessSection::from_word,
            ),
            on_failure: OnFailureSection {
                introspection: self.policy("OAUTH_ON_INTROSPECTION_FAILURE"),
                status_list: self.policy("OAUTH_ON_STATUS_LIST_FAILURE"),
                denylist: self.policy("OAUTH_ON_DENYLIST_FAILURE"),
                replay: self.policy("OAUTH_ON_REPLAY_FAILURE"),
            },
            rules_live_for_seconds: self.parsed("OAUTH_RULES_LIVE_FOR_SECONDS", "a number of seconds"),
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

    /// Without the form `<NAME>_FILE`, because that file is read again and again.
    fn secret_but_for_its_file(&self, name: &str) -> Option<SecretText> {
        let value = (self.variable)(name).filter(|value| !value.trim().is_empty())?;
        Some(SecretText(value.trim().into()))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.variable)(name).filter(|path| !path.trim().is_empty()).map(Into::into)
    }

    fn word<T>(&mut self, name: &str, wanted: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let read = read(&text);
        if read.is_none() {
            self.problems.push(format!("{name}: {text:?} is not {wanted}"));
        }
        read
    }

    fn policy(&mut self, name: &str) -> Option<PolicySection> {
        self.word(name, "closed, open_and_counted or a number of seconds", PolicySection::from_word)
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
    use std::time::Duration;

    use super::*;
    use crate::demand::Freshness;
    use crate::token::{Dependency, OnFailure};

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

    const ASKED: [(&str, &str); 4] = [
        ("OAUTH_RESOURCE", "https://api.test"),
        ("OAUTH_ISSUERS", "https://a.test"),
        ("OAUTH_KIND", "opaque"),
        ("OAUTH_CLIENT_ID", "orders"),
    ];

    fn asked(more: &[(&str, &str)]) -> Result<OAuthConfig, ConfigError> {
        build(&[&ASKED, more].concat())
    }

    #[test]
    fn an_issuer_is_asked_as_the_variables_say() {
        let config = asked(&[
            ("OAUTH_CLIENT_SECRET", "hush"),
            ("OAUTH_CLIENT_AUTH", "secret_post"),
            ("OAUTH_CACHE_SECONDS", "10"),
            ("OAUTH_FRESHNESS", "20"),
            ("OAUTH_ON_INTROSPECTION_FAILURE", "60"),
            ("OAUTH_ON_DENYLIST_FAILURE", "open_and_counted"),
            ("OAUTH_RULES_LIVE_FOR_SECONDS", "3600"),
            ("OAUTH_STATUS_LIST_ORIGINS", "https://lists.test"),
        ])
        .unwrap();
        let [trust] = &*config.trusts else { panic!("one issuer") };
        assert!(!trust.verifies && trust.online.is_some());
        assert_eq!(config.terms.freshness, Freshness::Within(Duration::from_secs(20)));
        let policy = config.terms.on_failure;
        assert_eq!(policy.get(Dependency::Introspection), OnFailure::StaleWithin(Duration::from_secs(60)));
        assert_eq!(policy.get(Dependency::Denylist), OnFailure::OpenAndCounted);
        assert_eq!(policy.get(Dependency::StatusList), OnFailure::Closed);
        assert_eq!(config.rules_live, Duration::from_secs(3600));
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn the_file_of_a_client_secret_is_not_read_before_it_is_needed() {
        assert!(asked(&[("OAUTH_CLIENT_SECRET_FILE", "/nowhere")]).is_ok());
        let both = asked(&[("OAUTH_CLIENT_SECRET_FILE", "/nowhere"), ("OAUTH_CLIENT_SECRET", "hush")]);
        let told = both.unwrap_err().to_string();
        assert!(told.contains("exclude each other") && !told.contains("hush"), "{told}");
    }

    #[test]
    fn every_word_that_is_none_is_told_and_no_secret_is() {
        let told = build(&[
            ("OAUTH_RESOURCE", "https://api.test"),
            ("OAUTH_ISSUERS", "https://a.test,https://b.test"),
            ("OAUTH_CONFIRM_ONLINE", "true"),
            ("OAUTH_CLIENT_SECRET", "hush"),
            ("OAUTH_FRESHNESS", "mostly"),
            ("OAUTH_ON_INTROSPECTION_FAILURE", "open"),
            ("OAUTH_ON_REPLAY_FAILURE", "5"),
        ])
        .unwrap_err()
        .to_string();
        for part in ["single issuer", "mostly", "\"open\" is not", "needs client_id", "replay store knows nothing"] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
        assert!(!told.contains("hush"), "{told}");
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
