//! What a resource server is: its own name, whom it believes, and the few numbers that may be chosen.

mod env;
mod file;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::demand::Requirement;
use crate::observe::{Observer, Observers};
use crate::scope::ScopeHierarchy;
use crate::server::issuer::{Issuer, Surroundings, Trust};
use crate::server::metadata::{Metadata, Resource};
use crate::server::token_cache::DEFAULT_CACHED_VERDICTS;
use crate::time::{Clock, SystemClock};
use crate::transport::{Transport, default_transport};

/// The leeway for `exp`, `nbf` and `iat` unless configured.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

/// The largest leeway: more would keep expired tokens alive for longer than clocks differ.
const MAX_LEEWAY: Duration = Duration::from_secs(120);

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
            advertised: Vec::new(),
            name: None,
            documentation: None,
            loopback_http: false,
            refuse_query_tokens: false,
            cached_verdicts: DEFAULT_CACHED_VERDICTS,
            transport: None,
            clock: Arc::new(SystemClock),
            observers: Observers::default(),
            problems: Vec::new(),
        }
    }
}

/// Gathers a configuration; [`build`](Self::build) checks it.
#[must_use]
pub struct OAuthConfigBuilder {
    resource: String,
    issuers: Vec<Issuer>,
    audiences: Vec<String>,
    leeway: Duration,
    realm: Option<String>,
    hierarchy: ScopeHierarchy,
    advertised: Vec<String>,
    name: Option<String>,
    documentation: Option<String>,
    loopback_http: bool,
    refuse_query_tokens: bool,
    cached_verdicts: usize,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    observers: Observers,
    problems: Vec<String>,
}

impl OAuthConfigBuilder {
    /// Believes an issuer. May be called repeatedly; a token's `iss` picks among those configured.
    pub fn trust(mut self, issuer: impl Into<Issuer>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// A further audience that tokens may name, for issuers that write something else than the resource's URL.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// How far clocks may differ, for `exp`, `nbf` and `iat`: 60 seconds by default, at most 120.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The `realm` of challenges; the resource's URL by default.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Which scopes grant which others; none by default.
    pub fn scopes(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.hierarchy = hierarchy;
        self
    }

    /// Lists the scopes of a requirement in `scopes_supported` (RFC 9728 section 2). May be called repeatedly.
    pub fn advertise<R: Requirement>(mut self) -> Self {
        self.advertised.extend(R::DEMAND.named_scopes().into_iter().map(str::to_owned));
        self
    }

    /// The `resource_name` of the metadata, for people.
    pub fn resource_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The `resource_documentation` of the metadata: a URL for developers.
    pub fn resource_documentation(mut self, url: impl Into<String>) -> Self {
        self.documentation = Some(url.into());
        self
    }

    /// Refuses requests with an `access_token` in the query string by 400, instead of ignoring the parameter.
    ///
    /// The token is never used either way (OAuth 2.1 section 5.1); refusing tells the client that it leaked one.
    pub fn refuse_query_tokens(mut self) -> Self {
        self.refuse_query_tokens = true;
        self
    }

    /// How many verdicts are kept, so that a token seen again is not verified again: 32 768 by default, about 1 KiB each.
    ///
    /// A verdict stands until its token expires, the issuer's keys change, or the configuration is replaced. 0 verifies
    /// every request.
    pub fn cached_verdicts(mut self, verdicts: usize) -> Self {
        self.cached_verdicts = verdicts;
        self
    }

    /// Admits `http` for issuers and the resource at literal loopback addresses, for development and tests.
    ///
    /// Whoever can answer on that port can then make tokens.
    pub fn dangerous_loopback_http(mut self) -> Self {
        self.loopback_http = true;
        self
    }

    /// Fetches the documents of all issuers by `transport`, unless an issuer has its own.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// The clock that judges tokens; the system's by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sends every event also to `observer`.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers = Observers::with(observer);
        self
    }

    /// Checks everything, without any I/O.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem at once.
    pub fn build(self) -> Result<OAuthConfig, ConfigError> {
        let mut problems = self.problems;
        let resource = Resource::parse(&self.resource, self.loopback_http);
        let resource = resource.map_err(|problem| problems.push(explain(&self.resource, problem))).ok();
        if self.leeway > MAX_LEEWAY {
            let given = self.leeway.as_secs();
            problems.push(format!("leeway: {given} s is too long, at most 120 s; mend the clocks instead"));
        }
        problems.extend(self.hierarchy.problems());
        if let Some(realm) = &self.realm
            && !realm.chars().all(|character| matches!(character, ' '..='~'))
        {
            problems.push(format!("realm {realm:?}: only visible ASCII characters and spaces fit into a challenge"));
        }
        if self.audiences.iter().any(String::is_empty) {
            problems.push("audience: an empty audience would match tokens that name nobody".to_owned());
        }
        if self.issuers.is_empty() {
            problems.push(
                "no issuer is trusted, so no token could ever pass; add one with trust(..) (in the environment, OAUTH_ISSUERS)"
                    .to_owned(),
            );
        }
        let names: Vec<_> = self.issuers.iter().map(|issuer| issuer.identifier.clone()).collect();
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|earlier| earlier == name) {
                problems.push(format!("issuer {name:?} is trusted twice; merge the two entries"));
            }
        }
        let mut audiences = self.audiences;
        audiences.push(self.resource);
        let transport = self.transport.or_else(default_transport);
        let around = Surroundings {
            audiences: &audiences,
            leeway: self.leeway,
            loopback_http: self.loopback_http,
            transport: transport.as_ref(),
            observers: &self.observers,
        };
        let trusts: Vec<_> =
            self.issuers.into_iter().filter_map(|issuer| issuer.into_trust(&around, &mut problems)).collect();
        match resource {
            Some(resource) if problems.is_empty() => Ok(OAuthConfig {
                trusts,
                realm: self.realm.unwrap_or_else(|| resource.as_str().to_owned()),
                metadata: Metadata::new(&resource, &names, &self.advertised, self.name, self.documentation),
                hierarchy: self.hierarchy,
                clock: self.clock,
                observers: self.observers,
                refuse_query_tokens: self.refuse_query_tokens,
                cached_verdicts: self.cached_verdicts,
            }),
            _ => Err(ConfigError { problems }),
        }
    }
}

fn explain(resource: &str, problem: &str) -> String {
    if resource.is_empty() {
        return "no resource is set; give the https URL by which clients call this service (in the environment, OAUTH_RESOURCE)"
            .to_owned();
    }
    format!("resource {resource:?}: {problem}")
}

impl fmt::Debug for OAuthConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthConfigBuilder")
            .field("resource", &self.resource)
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
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
