//! Whom a service believes: an issuer's name, its keys, and how its tokens are written.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::crypto::Algorithm;
use crate::jwks::key_ring::{KeyRing, KeySource, RingLimits};
use crate::jwks::key_set::KeySet;
use crate::jwt::Profile;
use crate::jwt::rules::Rules;
use crate::observe::Observers;
use crate::time::Timestamp;
use crate::transport::Transport;
use crate::transport::fetch::{Fetcher, endpoint};

/// An issuer whose tokens are accepted.
///
/// ```
/// use tower_oauth::{Issuer, OAuthConfig, Profile};
///
/// let config = OAuthConfig::builder("https://api.example.com")
///     .trust("https://login.example.com")
///     .trust(Issuer::jwt("https://acme.eu.auth0.com/").profile(Profile::auth0()))
///     .build()?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
pub struct Issuer {
    pub(super) identifier: String,
    profile: Profile,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    keys: Keys,
    transport: Option<Arc<dyn Transport>>,
    max_lifetime: Option<MaxLifetime>,
    longest_key_lifetime: Duration,
}

enum Keys {
    Discovered,
    At(String),
    File(PathBuf),
    Given(Vec<u8>),
}

impl Issuer {
    /// An issuer of JWT access tokens, verified offline with keys that are discovered from its metadata (RFC 8414,
    /// OpenID Connect Discovery).
    ///
    /// `identifier` must be what the tokens' `iss` says, to the last slash.
    #[must_use]
    pub fn jwt(identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            profile: Profile::default(),
            audiences: Vec::new(),
            algorithms: Algorithm::ALL.to_vec(),
            keys: Keys::Discovered,
            transport: None,
            max_lifetime: None,
            longest_key_lifetime: RingLimits::default().max_lifetime,
        }
    }

    /// How the issuer writes its tokens; strictly by RFC 9068 unless said otherwise.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// An audience that this issuer's tokens may name, instead of those of the configuration. May be called repeatedly.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The algorithms that are accepted, instead of all that are supported. The key's own type and `alg` decide besides.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Fetches keys from this URL; no metadata is asked for.
    #[must_use]
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.keys = Keys::At(url.into());
        self
    }

    /// Uses this JWK Set (RFC 7517 section 5) and never fetches any.
    #[must_use]
    pub fn jwks(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.keys = Keys::Given(json.into());
        self
    }

    /// Reads a JWK Set from a file: when keys are first needed, again before it is a minute old, and when a token asks
    /// for an unknown key.
    #[must_use]
    pub fn jwks_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.keys = Keys::File(path.into());
        self
    }

    /// Fetches this issuer's documents by `transport`: a proxy, a private CA, a mock. Limits apply all the same.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Looks at how long tokens live, `exp` − `iat`; off by default.
    #[must_use]
    pub fn max_lifetime(mut self, limit: MaxLifetime) -> Self {
        self.max_lifetime = Some(limit);
        self
    }

    /// Follows a `Cache-Control: max-age` of the key set up to this long, at most 24 hours; one hour by default.
    ///
    /// A withdrawn key is believed for as long.
    #[must_use]
    pub fn keys_live_up_to(mut self, lifetime: Duration) -> Self {
        self.longest_key_lifetime = lifetime;
        self
    }
}

impl From<&str> for Issuer {
    fn from(identifier: &str) -> Self {
        Self::jwt(identifier)
    }
}

impl From<String> for Issuer {
    fn from(identifier: String) -> Self {
        Self::jwt(identifier)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("identifier", &self.identifier)
            .field("profile", &self.profile.name())
            .finish_non_exhaustive()
    }
}

/// What to do with a token that lives longer than a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxLifetime {
    /// Accept it, and emit [`Event::LifetimeTooLong`](crate::observe::Event::LifetimeTooLong).
    Report(Duration),
    /// Refuse it.
    Refuse(Duration),
}

/// What an issuer's trust takes from the configuration around it.
pub(super) struct Surroundings<'a> {
    pub(super) audiences: &'a [String],
    pub(super) leeway: Duration,
    pub(super) algorithms: &'a [Algorithm],
    pub(super) loopback_http: bool,
    pub(super) proves_dpop: bool,
    pub(super) transport: Option<&'a Arc<dyn Transport>>,
    pub(super) observers: &'a Observers,
}

/// An issuer ready to judge with: its rules and its keys.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) issuer: Arc<str>,
    pub(crate) rules: Rules,
    pub(crate) ring: KeyRing,
    pub(crate) report_lifetime: Option<Duration>,
    tended_at: AtomicI64,
}

impl Trust {
    /// Looks after the keys once a second at most, for a service that is asked for cached tokens alone: its keys must
    /// age, be refreshed and die all the same.
    pub(super) fn tend(&self, now: Timestamp) {
        let second = now.as_secs();
        if self.tended_at.load(Ordering::Relaxed) != second {
            self.tended_at.store(second, Ordering::Relaxed);
            self.ring.tend();
        }
    }
}

impl Issuer {
    /// Checks the settings, adds what is wrong to `problems`, and opens nothing.
    pub(super) fn into_trust(self, around: &Surroundings<'_>, problems: &mut Vec<String>) -> Option<Trust> {
        let before = problems.len();
        let name = self.identifier;
        if let Err(problem) = endpoint(&name, around.loopback_http) {
            problems.push(format!("issuer {name:?}: {problem}"));
        } else if name.contains('?') {
            problems.push(format!("issuer {name:?}: an issuer identifier has no query (RFC 8414 section 2)"));
        }
        let algorithms: Vec<_> =
            self.algorithms.iter().copied().filter(|algorithm| around.algorithms.contains(algorithm)).collect();
        if algorithms.is_empty() {
            problems
                .push(format!("issuer {name:?}: no algorithm is allowed; name at least one that the profile admits"));
        }
        if self.longest_key_lifetime > Duration::from_secs(24 * 3600) {
            problems.push(format!("issuer {name:?}: keys_live_up_to is at most 24 hours"));
        }
        let source = self.keys.into_source(&name, around.loopback_http, problems);
        let transport = self.transport.as_ref().or(around.transport);
        if transport.is_none() && matches!(source, Some(KeySource::Url(_) | KeySource::Discovered)) {
            problems.push(format!(
                "issuer {name:?}: nothing to fetch its keys with; enable the feature http-client or set a transport"
            ));
        }
        let source = source.filter(|_| problems.len() == before)?;
        let audiences = if self.audiences.is_empty() { around.audiences } else { &self.audiences };
        let fetcher = transport.map(|transport| Fetcher::new(Arc::clone(transport), around.loopback_http));
        let limits = RingLimits { max_lifetime: self.longest_key_lifetime };
        let (report_lifetime, max_lifetime) = match self.max_lifetime {
            Some(MaxLifetime::Report(limit)) => (Some(limit), None),
            Some(MaxLifetime::Refuse(limit)) => (None, Some(limit)),
            None => (None, None),
        };
        Some(Trust {
            ring: KeyRing::new(&name, source, fetcher, limits, around.observers.clone()),
            rules: Rules {
                issuer: name.as_str().into(),
                audiences: audiences.iter().map(|audience| audience.as_str().into()).collect(),
                algorithms,
                profile: self.profile,
                leeway: around.leeway,
                max_lifetime,
                proves_dpop: around.proves_dpop,
            },
            issuer: name.into(),
            report_lifetime,
            tended_at: AtomicI64::new(i64::MIN),
        })
    }
}

impl Keys {
    fn into_source(self, name: &str, loopback_http: bool, problems: &mut Vec<String>) -> Option<KeySource> {
        match self {
            Self::Discovered => Some(KeySource::Discovered),
            Self::File(path) => Some(KeySource::File(path)),
            Self::At(url) => match endpoint(&url, loopback_http) {
                Ok(_) => Some(KeySource::Url(url)),
                Err(problem) => {
                    problems.push(format!("issuer {name:?}: jwks_uri {url:?}: {problem}"));
                    None
                }
            },
            Self::Given(json) => match KeySet::parse(&json) {
                // It would refuse every token, and nothing would ever be fetched to mend it.
                Ok(keys) if keys.is_empty() => {
                    problems.push(format!(
                        "issuer {name:?}: the given JWK Set holds no key that can be used; {} skipped, because they are not public signature keys of a supported kind and size",
                        keys.skipped()
                    ));
                    None
                }
                Ok(keys) => Some(KeySource::Static(keys)),
                Err(error) => {
                    problems.push(format!("issuer {name:?}: the given JWK Set cannot be used: {error}"));
                    None
                }
            },
        }
    }
}
