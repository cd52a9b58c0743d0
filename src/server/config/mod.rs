//! What a resource server is: its own name, whom it believes, and the few numbers that may be chosen.

mod build;
mod builder;
mod env;
mod file;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::Algorithm;
use crate::dpop::Dpop;
use crate::dpop::target::Target;
use crate::observe::Observers;
use crate::scope::ScopeHierarchy;
use crate::server::issuer::Trust;
use crate::server::metadata::{Advertised, Metadata};
use crate::server::token_cache::DEFAULT_CACHED_VERDICTS;
use crate::store::{Denylist, ReplayStore};
use crate::time::{Clock, SystemClock};
use crate::token::Terms;

pub use builder::OAuthConfigBuilder;

/// The leeway for `exp`, `nbf` and `iat` unless configured.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

/// How long a revocation is kept that does not say so itself.
const DEFAULT_RULES_LIVE: Duration = Duration::from_secs(24 * 3600);

/// FAPI 2.0 section 5.3.2.1: clocks up to 10 s ahead must be accepted, and more than 60 s refused.
const FAPI_LEEWAY: Duration = Duration::from_secs(10);

/// The configuration of a [`ResourceServer`](crate::ResourceServer), checked as a whole.
///
/// Made by [`builder`](Self::builder), by serde from a section of a TOML, YAML or JSON file, or by
/// [`from_env`](Self::from_env). Nothing is fetched until the first request, so that a sleeping issuer never stops a
/// deploy. Not `Clone`: what is shared is the server.
///
/// ```
/// use tower_oauth::OAuthConfig;
///
/// let config = OAuthConfig::builder("https://api.example.com")
///     .trust("https://login.example.com")
///     .audience("api://orders")
///     .build()?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct OAuthConfig {
    pub(super) trusts: Vec<Trust>,
    pub(super) metadata: Metadata,
    pub(super) realm: String,
    pub(super) hierarchy: ScopeHierarchy,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observers: Observers,
    pub(super) refuse_query_tokens: bool,
    pub(super) cached_verdicts: usize,
    pub(super) dpop: Dpop,
    pub(super) target: Target,
    pub(super) replay: Arc<dyn ReplayStore>,
    /// Whether the replay store is the configuration's own: then a reconfigured server goes on with the old one.
    pub(super) own_replay: bool,
    pub(super) denylist: Arc<dyn Denylist>,
    /// As with the replay store: what was revoked stays revoked.
    pub(super) own_denylist: bool,
    pub(super) rules_live: Duration,
    pub(super) terms: Terms,
}

impl OAuthConfig {
    /// Starts a configuration. `resource` is this service's identifier, an https URL as its clients write it: the
    /// audience that tokens must name, and the `resource` of the metadata (RFC 9728 section 1.2).
    pub fn builder(resource: impl Into<String>) -> OAuthConfigBuilder {
        OAuthConfigBuilder {
            resource: resource.into(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: DEFAULT_LEEWAY,
            realm: None,
            hierarchy: ScopeHierarchy::exact(),
            advertised: Advertised::default(),
            name: None,
            documentation: None,
            loopback_http: false,
            refuse_query_tokens: false,
            cached_verdicts: DEFAULT_CACHED_VERDICTS,
            dpop: Dpop::accepted(),
            replay: None,
            denylist: None,
            answers: None,
            rules_live: DEFAULT_RULES_LIVE,
            terms: Terms::default(),
            also_at: Vec::new(),
            public_prefix: String::new(),
            transport: None,
            clock: Arc::new(SystemClock),
            observers: Observers::default(),
            problems: Vec::new(),
            algorithms: Algorithm::ALL.to_vec(),
        }
    }

    /// Starts a configuration by the FAPI 2.0 Security Profile, for payments and health data: every token bound to the
    /// client's key and proved, PS256, ES256 and Ed25519 alone, clocks within 10 seconds.
    ///
    /// ```
    /// use tower_oauth::OAuthConfig;
    ///
    /// let config = OAuthConfig::fapi2("https://bank.example.com").trust("https://login.example.com").build()?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn fapi2(resource: impl Into<String>) -> OAuthConfigBuilder {
        let algorithms = [Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ed25519];
        OAuthConfigBuilder {
            algorithms: algorithms.to_vec(),
            ..Self::builder(resource).leeway(FAPI_LEEWAY).dpop(Dpop::required().algorithms(algorithms))
        }
    }
}

/// A configuration that cannot be used, with every problem and its mend.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    /// Every problem, one sentence each.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the OAuth configuration cannot be used:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

/// As `Display`, because this is what `main` and `unwrap` print: a problem a line.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_tells_each_problem_once_on_a_line_of_its_own() {
        let error = OAuthConfig::builder("").leeway(Duration::from_secs(121)).build().unwrap_err();
        assert_eq!(error.problems().len(), 3, "{error}");
        let printed = format!("{error:?}");
        assert_eq!(printed.lines().count(), 4, "{printed}");
        assert_eq!(printed, error.to_string());
    }
}
