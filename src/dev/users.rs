//! The people who may log in. There are no passwords: whoever opens the page chooses who to be.

use std::fmt;

use serde_json::{Map, Value};

/// A user of a [`DevServer`](crate::dev::DevServer).
///
/// ```
/// use tower_oauth::dev::DevUser;
///
/// let ada = DevUser::new("ada").name("Ada Lovelace").email("ada@example.com").claim("tenant", "analytical");
/// # assert_eq!(ada.subject(), "ada");
/// ```
#[derive(Clone)]
#[must_use = "a user is registered by `DevServerBuilder::user`"]
pub struct DevUser {
    subject: String,
    name: Option<String>,
    email: Option<String>,
    claims: Map<String, Value>,
}

impl DevUser {
    /// A user whose `sub` is this.
    pub fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), name: None, email: None, claims: Map::new() }
    }

    /// `name`, told with the scope `profile` (OpenID Connect Core 1.0 section 5.4); the page shows it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// `email`, told with the scope `email`.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// A claim of every access token for this user, as `tenant` or `roles`. What the server says itself it goes on
    /// saying: a claim named `sub` or `exp` changes nothing.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// `sub`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What a person reads.
    pub(crate) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.subject)
    }

    pub(crate) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// What ID tokens and userinfo tell beside `sub`, for the scopes that ask for it.
    pub(crate) fn profile<'s>(&self, scopes: impl Iterator<Item = &'s str>) -> Map<String, Value> {
        let mut profile = Map::new();
        for scope in scopes {
            match scope {
                "profile" => {
                    profile.extend(self.name.as_ref().map(|name| ("name".to_owned(), name.as_str().into())));
                    profile.insert("preferred_username".into(), self.subject.as_str().into());
                }
                "email" => {
                    profile.extend(self.email.as_ref().map(|email| ("email".to_owned(), email.as_str().into())));
                }
                _ => {}
            }
        }
        profile
    }
}

impl<S: Into<String>> From<S> for DevUser {
    fn from(subject: S) -> Self {
        Self::new(subject)
    }
}

/// Claims may be anybody's business; a log is not the place to tell.
impl fmt::Debug for DevUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevUser").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// All users of one server, never none.
#[derive(Debug)]
pub(crate) struct Users(Vec<DevUser>);

impl Users {
    /// The users given, or one named `ada`.
    pub(crate) fn new(users: Vec<DevUser>) -> Result<Self, &'static str> {
        if users.iter().any(|user| user.subject.is_empty()) {
            return Err("its subject may not be empty");
        }
        let twice = |user: &DevUser| users.iter().filter(|other| other.subject == user.subject).count() > 1;
        if users.iter().any(twice) {
            return Err("its subject is taken");
        }
        Ok(Self(if users.is_empty() { vec![DevUser::new("ada").name("Ada Lovelace")] } else { users }))
    }

    pub(crate) fn get(&self, subject: &str) -> Option<&DevUser> {
        self.0.iter().find(|user| user.subject == subject)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DevUser> {
        self.0.iter()
    }
}
