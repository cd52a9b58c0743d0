//! Whom a service believes: an issuer's name, its keys, how its tokens are written, and whether it is asked about them.

mod keys;
mod online;
mod trust;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::keys::Keys;
use self::online::Online;
pub(crate) use self::online::Selector;
pub(super) use self::trust::Surroundings;
pub(crate) use self::trust::Trust;
use crate::crypto::Algorithm;
use crate::jwks::key_ring::RingLimits;
use crate::jwt::Profile;
use crate::transport::Transport;

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
    /// Whether its JWTs are verified here.
    verifies: bool,
    online: Option<Online>,
    /// Something was set that only an issuer has that is asked.
    asked_in_vain: bool,
    status_list_origins: Vec<String>,
    event_audiences: Vec<String>,
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
            verifies: true,
            online: None,
            asked_in_vain: false,
            status_list_origins: Vec::new(),
            event_audiences: Vec::new(),
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

    /// Fetches Token Status Lists from this origin too, as `https://status.example.com`; may be called repeatedly.
    ///
    /// A token names the list that tells of it. Lists at the issuer's own origin are fetched without being named here, any
    /// other would let the writer of a token choose whom this service calls.
    #[must_use]
    pub fn status_list_origin(mut self, origin: impl Into<String>) -> Self {
        self.status_list_origins.push(origin.into());
        self
    }

    /// The name under which this issuer sends logout tokens and security events to
    /// [`ResourceServer::events`](crate::ResourceServer::events): a client identifier, or the audience of a stream. May be
    /// called repeatedly; unless it is, the audiences of access tokens and the client as whom the issuer is asked.
    #[must_use]
    pub fn event_audience(mut self, audience: impl Into<String>) -> Self {
        self.event_audiences.push(audience.into());
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
