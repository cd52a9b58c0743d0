//! Scopes: the sets that tokens carry, the hierarchy a service reads into them, and [`scopes!`](crate::scopes) to name them.
//!
//! Scope tokens are case-sensitive and compared whole (RFC 6749 section 3.3). A [`ScopeHierarchy`] is the one way
//! by which a scope grants another, and it works by whole segments:
//!
//! ```
//! use tower_oauth::scope::{ScopeHierarchy, ScopeSet};
//!
//! let held: ScopeSet = "api:read".parse()?;
//! let hierarchy = ScopeHierarchy::separated_by(':').implies("admin", ["orders:write"]);
//! assert!(hierarchy.grants(&held, "api:read:users"));
//! assert!(!hierarchy.grants(&held, "api:readall"));
//! assert!(hierarchy.grants(&"admin".parse()?, "orders:write"));
//! # Ok::<(), tower_oauth::scope::InvalidScope>(())
//! ```

use std::fmt;
use std::str::FromStr;

/// A set of scope tokens, as a token's `scope` claim holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(Box<str>);

impl ScopeSet {
    /// The set without members.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The scope tokens, in the order of the token.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|scope| !scope.is_empty())
    }

    /// Whether this very scope is a member; no hierarchy is applied.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.iter().any(|held| held == scope)
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The members, space-separated (RFC 6749 section 3.3).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Joins single scope tokens, as some issuers send them in an array.
    ///
    /// # Errors
    /// [`InvalidScope`] when an element is empty or has a character outside RFC 6749 section 3.3, a space included.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidScope> {
        let mut joined = String::new();
        for token in tokens {
            if !is_scope_token(token) {
                return Err(InvalidScope);
            }
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(token);
        }
        Ok(Self(joined.into_boxed_str()))
    }
}

impl FromStr for ScopeSet {
    type Err = InvalidScope;

    fn from_str(scopes: &str) -> Result<Self, InvalidScope> {
        let valid = scopes.bytes().all(|byte| byte == b' ' || is_scope_byte(byte));
        if valid { Ok(Self(scopes.into())) } else { Err(InvalidScope) }
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A scope has a character that RFC 6749 section 3.3 does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidScope;

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope may hold only visible ASCII characters without '\"' and '\\' (RFC 6749 section 3.3)")
    }
}

impl std::error::Error for InvalidScope {}

/// Whether `scope` is one scope token: `1*( %x21 / %x23-5B / %x5D-7E )`.
pub(crate) const fn is_scope_token(scope: &str) -> bool {
    let mut rest = scope.as_bytes();
    if rest.is_empty() {
        return false;
    }
    while let [byte, tail @ ..] = rest {
        if !is_scope_byte(*byte) {
            return false;
        }
        rest = tail;
    }
    true
}

const fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

/// Which scopes grant which others. By default none does.
///
/// Two rules, and both may be used at once: a separator makes a scope cover every scope that continues it by a whole
/// segment, and [`implies`](Self::implies) names single relations. Relations are followed to the end; a cycle is a
/// [`ConfigError`](crate::ConfigError).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeHierarchy {
    separator: Option<char>,
    relations: Vec<Relation>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Relation {
    broad: String,
    narrow: Vec<String>,
}

impl ScopeHierarchy {
    /// Every scope stands for itself alone: the default.
    #[must_use]
    pub fn exact() -> Self {
        Self::default()
    }

    /// `api` covers `api:read` and `api:read:users` when the separator is `:`; it never covers `apis`.
    #[must_use]
    pub fn separated_by(separator: char) -> Self {
        Self { separator: Some(separator), relations: Vec::new() }
    }

    /// Whoever holds `broad` also holds each of `narrow`, and what those imply.
    #[must_use]
    pub fn implies<S: Into<String>>(mut self, broad: impl Into<String>, narrow: impl IntoIterator<Item = S>) -> Self {
        let narrow = narrow.into_iter().map(Into::into).collect();
        self.relations.push(Relation { broad: broad.into(), narrow });
        self
    }

    /// Whether a holder of `held` may do what needs `needed`.
    #[must_use]
    pub fn grants(&self, held: &ScopeSet, needed: &str) -> bool {
        held.iter().any(|scope| self.covers(scope, needed))
            || (!self.relations.is_empty()
                && held.iter().any(|scope| self.reaches(scope, needed, self.relations.len())))
    }

    /// `held` is `needed`, or a whole-segment prefix of it.
    fn covers(&self, held: &str, needed: &str) -> bool {
        let Some(rest) = needed.strip_prefix(held) else { return false };
        rest.is_empty() || self.separator.is_some_and(|separator| rest.starts_with(separator))
    }

    /// Follows the relations; `steps` bounds the depth, which a hierarchy without cycles never exhausts.
    fn reaches(&self, held: &str, needed: &str, steps: usize) -> bool {
        if self.covers(held, needed) {
            return true;
        }
        steps > 0
            && self
                .relations
                .iter()
                .filter(|relation| self.covers(held, &relation.broad))
                .any(|relation| relation.narrow.iter().any(|narrow| self.reaches(narrow, needed, steps - 1)))
    }

    /// What is wrong with the hierarchy, one sentence each; empty when nothing is.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for relation in &self.relations {
            for scope in std::iter::once(&relation.broad).chain(&relation.narrow) {
                if !is_scope_token(scope) {
                    problems.push(format!("scope hierarchy: {scope:?} is no scope: {InvalidScope}"));
                }
            }
            if relation.narrow.iter().any(|narrow| self.reaches(narrow, &relation.broad, self.relations.len())) {
                problems.push(format!(
                    "scope hierarchy: {:?} implies itself in a circle; remove one of the relations",
                    relation.broad
                ));
            }
        }
        problems
    }
}

/// Names scopes as types, so that a misspelt or malformed scope is a compile error.
///
/// ```
/// tower_oauth::scopes! {
///     /// See orders.
///     pub ReadOrders = "orders:read";
///     pub Admin = "admin";
/// }
/// # fn main() {}
/// ```
///
/// A scope holds no space (RFC 6749 section 3.3):
///
/// ```compile_fail
/// tower_oauth::scopes! { Both = "orders read"; }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! scopes {
    ($($(#[$meta:meta])* $vis:vis $name:ident = $scope:literal;)+) => {$(
        $(#[$meta])*
        #[doc = concat!("\n\nThe scope `", $scope, "`.")]
        #[derive(Clone, Copy, Debug)]
        $vis struct $name;

        // Evaluated here and now, so that a malformed scope fails even where the type is not used.
        const _: $crate::Demand = $crate::Demand::scope($scope);

        impl $crate::Requirement for $name {
            const DEMAND: $crate::Demand = $crate::Demand::scope($scope);
        }

        impl $crate::demand::Scope for $name {
            const SCOPE: &'static str = $scope;
        }
    )+};
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(scopes: &str) -> ScopeSet {
        scopes.parse().unwrap()
    }

    #[test]
    fn a_scope_is_matched_whole_and_with_its_case() {
        let exact = ScopeHierarchy::exact();
        assert!(exact.grants(&set("b files:read a"), "files:read"));
        assert!(!exact.grants(&set("Files:read"), "files:read"));
        assert!(!exact.grants(&set("files:read2"), "files:read"));
        assert!(!exact.grants(&set("files"), "files:read"));
        assert!(!exact.grants(&set(""), "files:read"));
    }

    #[test]
    fn a_separator_covers_whole_segments_only() {
        let hierarchy = ScopeHierarchy::separated_by(':');
        assert!(hierarchy.grants(&set("api:read"), "api:read:users"));
        assert!(!hierarchy.grants(&set("api:read"), "api:readall"));
        assert!(!hierarchy.grants(&set("api:read:users"), "api:read"));
    }

    #[test]
    fn relations_are_followed_through_segments_and_each_other() {
        let hierarchy =
            ScopeHierarchy::separated_by(':').implies("admin", ["orders"]).implies("orders:write", ["stock"]);
        assert!(hierarchy.grants(&set("admin"), "orders:write"));
        assert!(hierarchy.grants(&set("admin"), "orders:read:mine"));
        assert!(hierarchy.grants(&set("orders:write"), "stock:reserve"));
        assert!(!hierarchy.grants(&set("orders:read"), "stock"));
        assert!(!hierarchy.grants(&set("stock"), "admin"));
    }

    #[test]
    fn a_circle_is_reported_and_still_ends() {
        let hierarchy = ScopeHierarchy::exact().implies("a", ["b"]).implies("b", ["c"]).implies("c", ["a"]);
        assert_eq!(hierarchy.problems().len(), 3);
        assert!(!hierarchy.grants(&set("a"), "d"));
        assert_eq!(ScopeHierarchy::exact().implies("a", ["a"]).problems().len(), 1);
        assert!(ScopeHierarchy::exact().implies("a", ["b"]).implies("b", ["c"]).problems().is_empty());
    }

    #[test]
    fn characters_outside_the_grammar_are_refused() {
        for bad in ["a\"b", "a\\b", "a\tb", "é", "a\u{0}"] {
            assert_eq!(bad.parse::<ScopeSet>(), Err(InvalidScope), "{bad:?}");
            assert!(!is_scope_token(bad));
        }
        assert_eq!(ScopeSet::from_tokens(["a b"]), Err(InvalidScope));
        assert_eq!(ScopeSet::from_tokens([""]), Err(InvalidScope));
        assert_eq!(ScopeSet::from_tokens(["a", "b"]).unwrap(), set("a b"));
    }
    proptest! {
        #[test]
        fn what_is_read_holds_scope_tokens_only(text in "[ -~]{0,30}|.{0,30}", scope in "[ -~]{0,6}") {
            if let Ok(scopes) = text.parse::<ScopeSet>() {
                prop_assert!(scopes.iter().all(is_scope_token));
                prop_assert!(!scopes.contains(&scope) || is_scope_token(&scope));
            }
        }

        #[test]
        fn joined_tokens_are_those_that_were_given(tokens in proptest::collection::vec("[!#-\\[\\]-~]{1,6}", 0..6)) {
            let joined = ScopeSet::from_tokens(tokens.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(joined.iter().collect::<Vec<_>>(), tokens);
        }

        #[test]
        fn nothing_is_granted_that_no_relation_leads_to(held in "[a-c]", wanted in "[a-c](:[a-c]){0,2}") {
            let granted = ScopeHierarchy::separated_by(':').grants(&set(&held), &wanted);
            prop_assert_eq!(granted, wanted.split(':').next() == Some(held.as_str()));
        }
    }
}
