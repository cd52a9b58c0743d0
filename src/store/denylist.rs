//! Tokens that are refused before their time: the rules, and the contract of whoever keeps them.

use std::fmt;
use std::sync::Arc;

use super::{Answer, StoreError};
use crate::time::Timestamp;

/// What a rule denies at its issuer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denied {
    /// The token of this `jti`.
    Token(Box<str>),
    /// Every token of the session of this `sid`. Tokens of the same user without it are spared.
    Session(Box<str>),
    /// Every token of the user or client of this `sub`.
    Subject(Box<str>),
    /// Every token of the client of this `client_id`.
    Client(Box<str>),
    /// Every token of the issuer.
    Everything,
}

impl Denied {
    /// The stable name of the kind, in snake case.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Session(_) => "session",
            Self::Subject(_) => "subject",
            Self::Client(_) => "client",
            Self::Everything => "everything",
        }
    }
}

/// One rule: tokens of an issuer that are refused from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyRule {
    issuer: Box<str>,
    denied: Denied,
    issued_until: Option<Timestamp>,
    keep_until: Timestamp,
}

impl DenyRule {
    /// A rule for tokens of `issuer`, kept until `keep_until`: not before the last of these tokens has expired, the
    /// leeway included.
    #[must_use]
    pub fn new(issuer: impl Into<Box<str>>, denied: Denied, keep_until: Timestamp) -> Self {
        Self { issuer: issuer.into(), denied, issued_until: None, keep_until }
    }

    /// Spares tokens whose `iat` is later than `moment`: "log out everywhere". One without `iat` is not spared.
    #[must_use]
    pub fn issued_until(self, moment: Timestamp) -> Self {
        Self { issued_until: Some(moment), ..self }
    }

    /// The issuer's identifier.
    #[must_use]
    pub const fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What is denied.
    #[must_use]
    pub const fn denied(&self) -> &Denied {
        &self.denied
    }

    /// The latest `iat` that is denied; `None` denies every token.
    #[must_use]
    pub const fn latest_issue(&self) -> Option<Timestamp> {
        self.issued_until
    }

    /// The first moment at which it may be forgotten.
    #[must_use]
    pub const fn keep_until(&self) -> Timestamp {
        self.keep_until
    }
}

/// What rules look at in a token that was proved.
#[derive(Clone, Copy, Default)]
pub struct Marks<'a> {
    /// The configured issuer.
    pub issuer: &'a str,
    /// `jti`; of a token that has none, a digest of the token.
    pub token_id: Option<&'a str>,
    /// `sid`.
    pub session_id: Option<&'a str>,
    /// `sub`.
    pub subject: Option<&'a str>,
    /// `client_id`.
    pub client_id: Option<&'a str>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
}

impl fmt::Debug for Marks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// How much a list knows of what was denied elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Everything.
    Current,
    /// Everything up to this moment; since then it could not ask.
    Behind(Timestamp),
    /// Rules were lost, and nobody knows which, until the list is seeded anew.
    Lost,
}

/// Keeps the rules. Each process answers from its own memory; what several share is how rules get there.
///
/// # Wrong answers that are attacks
///
/// * **`deny` says `Ok` and [`denies`](Self::denies) then says no**, here or at a replica that is
///   [`Current`](Standing::Current): a revoked token passes.
/// * **A rule that is gone before its `keep_until`**: the same, later.
/// * **A rule without a new [`generation`](Self::generation)**: whoever was let through before is never looked at again.
/// * **[`Standing::Current`] of a list that lost its rules or its connection.**
pub trait Denylist: Send + Sync + fmt::Debug + 'static {
    /// Takes in a rule for all who share the list. Once it answers `Ok`, this process refuses by it.
    ///
    /// # Errors
    /// [`StoreError`] (inside the answer) when others may not learn of the rule. This process may refuse by it all the
    /// same; whoever asked should try again.
    fn deny(&self, rule: DenyRule, now: Timestamp) -> Answer<Result<(), StoreError>>;

    /// The kind of a rule that denies the token, if there is one.
    fn denies(&self, token: &Marks<'_>, now: Timestamp) -> Option<&'static str>;

    /// A number that changes with every rule, and never comes back. Asked on every request.
    fn generation(&self) -> u64;

    /// How much the list knows. Asked on every request.
    fn standing(&self, now: Timestamp) -> Standing;
}

impl<D: Denylist + ?Sized> Denylist for Arc<D> {
    fn deny(&self, rule: DenyRule, now: Timestamp) -> Answer<Result<(), StoreError>> {
        (**self).deny(rule, now)
    }

    fn denies(&self, token: &Marks<'_>, now: Timestamp) -> Option<&'static str> {
        (**self).denies(token, now)
    }

    fn generation(&self) -> u64 {
        (**self).generation()
    }

    fn standing(&self, now: Timestamp) -> Standing {
        (**self).standing(now)
    }
}
