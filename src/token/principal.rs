//! On whose behalf a request is made, and who acts for them.

use std::fmt;

use serde::Deserialize;

/// On whose behalf a request is made. Displays as the bare identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal<'a> {
    /// A user, by `sub`.
    User(&'a str),
    /// A client acting for itself, by its client identifier.
    Client(&'a str),
}

impl<'a> Principal<'a> {
    /// The identifier, unique within its issuer and kind.
    #[must_use]
    pub const fn id(self) -> &'a str {
        match self {
            Self::User(id) | Self::Client(id) => id,
        }
    }

    /// Whether it is a user.
    #[must_use]
    pub const fn is_user(self) -> bool {
        matches!(self, Self::User(_))
    }
}

impl fmt::Display for Principal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Who acts for the subject of a token (RFC 8693 section 4.1).
///
/// Decisions rest on the token's own claims and on this outermost actor alone. Those who acted before are told by
/// [`prior`](Self::prior), for the record; nothing in this crate gives or takes rights by them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Actor {
    sub: Option<String>,
    iss: Option<String>,
    client_id: Option<String>,
    act: Option<Box<Self>>,
}

impl Actor {
    /// Its `sub`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.sub.as_deref()
    }

    /// Its `iss`, where the actor is known to another issuer than the token's.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.iss.as_deref()
    }

    /// Its `client_id`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Those who acted before, the most recent first. For audit, never for a decision (RFC 8693 section 4.1).
    pub fn prior(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(self.act.as_deref(), |actor| actor.act.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_told_from_the_most_recent_on() {
        let actor: Actor =
            serde_json::from_str(r#"{"sub":"a","act":{"client_id":"b","iss":"i","act":{"sub":"c","x":1}}}"#).unwrap();
        assert_eq!(actor.subject(), Some("a"));
        let prior: Vec<_> = actor.prior().map(|actor| actor.subject().or(actor.client_id()).unwrap()).collect();
        assert_eq!(prior, ["b", "c"]);
    }
}
