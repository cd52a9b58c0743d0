//! What a route asks of a token, as plain constant data.
//!
//! One declaration serves the extractor [`Granted`](crate::Granted), the layer [`require`](crate::require), the path
//! rules, the challenge that a refused client reads, and `scopes_supported` in the metadata.
//!
//! ```
//! use std::time::Duration;
//! use tower_oauth::{Demand, Requirement};
//!
//! /// Paying out needs a user with a strong, recent login.
//! pub struct Payout;
//!
//! impl Requirement for Payout {
//!     const DEMAND: Demand = Demand::scope("payments:write")
//!         .user_only()
//!         .acr(&["phr"])
//!         .max_age(Duration::from_secs(300));
//! }
//! ```

mod detail;
mod freshness;
mod judge;
mod requirement;

use std::fmt;
use std::time::Duration;

pub use detail::Detail;
pub(crate) use detail::HeldDetail;
pub use freshness::Freshness;
pub(crate) use judge::{Facts, Unmet};
pub use requirement::{AnyOf, Requirement, Scope};

use crate::scope::is_scope_token;

/// What a route demands. Conditions add up: all of them must hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    scope: Option<&'static str>,
    scopes: &'static [&'static str],
    any_scope: &'static [&'static str],
    roles: &'static [&'static str],
    user_only: bool,
    acr: &'static [&'static str],
    max_age: Option<Duration>,
    sender_constrained: bool,
    fresh: Freshness,
    details: &'static [Detail],
    all: &'static [Self],
}

impl Demand {
    /// A valid token and nothing more.
    #[must_use]
    pub const fn authenticated() -> Self {
        Self {
            scope: None,
            scopes: &[],
            any_scope: &[],
            roles: &[],
            user_only: false,
            acr: &[],
            max_age: None,
            sender_constrained: false,
            fresh: Freshness::Offline,
            details: &[],
            all: &[],
        }
    }

    /// One scope.
    ///
    /// # Panics
    /// When `scope` is no scope token of RFC 6749 section 3.3; in a constant that is a compile error.
    #[must_use]
    pub const fn scope(scope: &'static str) -> Self {
        Self::authenticated().and_scope(scope)
    }

    /// All of these scopes.
    ///
    /// # Panics
    /// When one of them is no scope token of RFC 6749 section 3.3; in a constant that is a compile error.
    #[must_use]
    pub const fn scopes(scopes: &'static [&'static str]) -> Self {
        assert_scopes(scopes);
        Self { scopes, ..Self::authenticated() }
    }

    /// At least one of these scopes. A challenge names the first, so put first the one to ask for.
    ///
    /// # Panics
    /// When one of them is no scope token of RFC 6749 section 3.3; in a constant that is a compile error.
    #[must_use]
    pub const fn any_scope(scopes: &'static [&'static str]) -> Self {
        assert_scopes(scopes);
        Self { any_scope: scopes, ..Self::authenticated() }
    }

    const fn and_scope(self, scope: &'static str) -> Self {
        assert_scopes(&[scope]);
        Self { scope: Some(scope), ..self }
    }

    /// All of these roles, as the issuer's [`Profile`](crate::Profile) finds them.
    #[must_use]
    pub const fn roles(self, roles: &'static [&'static str]) -> Self {
        Self { roles, ..self }
    }

    /// Only a user: a client-credentials token is refused, whatever its `sub` says (RFC 9068 section 5).
    #[must_use]
    pub const fn user_only(self) -> Self {
        Self { user_only: true, ..self }
    }

    /// One of these authentication context classes, best first (RFC 9470 section 3).
    #[must_use]
    pub const fn acr(self, values: &'static [&'static str]) -> Self {
        Self { acr: values, ..self }
    }

    /// The user logged in at most so long ago, in whole seconds (RFC 9470 section 3). No leeway is added.
    #[must_use]
    pub const fn max_age(self, age: Duration) -> Self {
        Self { max_age: Some(age), ..self }
    }

    /// Only a token that the client proved to be its own, by DPoP (RFC 9449): a stolen one is worthless here.
    #[must_use]
    pub const fn sender_constrained(self) -> Self {
        Self { sender_constrained: true, ..self }
    }

    /// That the token still stands, by knowledge at most so old. It raises what the server or the layer asks for, and
    /// never lowers it.
    #[must_use]
    pub const fn fresh(self, freshness: Freshness) -> Self {
        Self { fresh: freshness, ..self }
    }

    /// All of these authorization details (RFC 9396).
    #[must_use]
    pub const fn details(self, details: &'static [Detail]) -> Self {
        Self { details, ..self }
    }

    /// How new the knowledge must be that the token still stands: the strictest of all parts.
    pub(crate) fn freshness(&self) -> Freshness {
        let mut strictest = Freshness::Offline;
        self.each(&mut |part| strictest = strictest.stricter(part.fresh));
        strictest
    }

    /// The types of authorization details that the demand names: for `authorization_details_types_supported`.
    pub(crate) fn named_detail_types(&self) -> Vec<&'static str> {
        let mut named = Vec::new();
        self.each(&mut |part| named.extend(part.details.iter().map(Detail::kind)));
        named
    }

    /// Visits this demand and those it combines.
    fn each(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        for part in self.all {
            part.each(visit);
        }
    }

    /// Every scope that the demand names, alternatives included: for `scopes_supported`.
    pub(crate) fn named_scopes(&self) -> Vec<&'static str> {
        let mut named = Vec::new();
        self.each(&mut |part| {
            named.extend(part.scope);
            named.extend_from_slice(part.scopes);
            named.extend_from_slice(part.any_scope);
        });
        named
    }

    /// The scopes to ask for so that the demand is met, each once (RFC 6750 section 3: everything the operation needs).
    pub(crate) fn challenge_scopes(&self) -> Vec<&'static str> {
        let mut scopes: Vec<&'static str> = Vec::new();
        self.each(&mut |part| {
            let wanted =
                part.scope.into_iter().chain(part.scopes.iter().copied()).chain(part.any_scope.first().copied());
            for scope in wanted {
                if !scopes.contains(&scope) {
                    scopes.push(scope);
                }
            }
        });
        scopes
    }
}

const fn assert_scopes(mut scopes: &[&str]) {
    while let [scope, rest @ ..] = scopes {
        assert!(is_scope_token(scope), "a scope is visible ASCII without space, '\"' and '\\' (RFC 6749 section 3.3)");
        scopes = rest;
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Demand");
        if let Some(scope) = self.scope {
            shown.field("scope", &scope);
        }
        let lists = [("scopes", self.scopes), ("any_scope", self.any_scope), ("roles", self.roles), ("acr", self.acr)];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            shown.field(name, &list);
        }
        if self.user_only {
            shown.field("user_only", &true);
        }
        if self.sender_constrained {
            shown.field("sender_constrained", &true);
        }
        if let Some(age) = self.max_age {
            shown.field("max_age", &age);
        }
        if self.fresh != Freshness::Offline {
            shown.field("fresh", &self.fresh);
        }
        if !self.details.is_empty() {
            shown.field("details", &self.details);
        }
        if !self.all.is_empty() {
            shown.field("all", &self.all);
        }
        shown.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::ScopeHierarchy;
    use crate::time::Timestamp;

    crate::scopes! {
        Read = "read";
        Write = "write";
        Admin = "admin";
    }

    struct Recent;
    impl Requirement for Recent {
        const DEMAND: Demand = Demand::scope("pay").max_age(Duration::from_secs(5)).acr(&["a", "b"]);
    }

    struct VeryRecent;
    impl Requirement for VeryRecent {
        const DEMAND: Demand = Demand::authenticated().max_age(Duration::from_secs(2)).user_only();
    }

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn unmet<R: Requirement>(scopes: &str, acr: Option<&str>, auth_time: Option<i64>) -> Option<Unmet> {
        let scopes = scopes.parse().unwrap();
        let auth_time = auth_time.map(Timestamp::from_secs);
        let facts = Facts {
            scopes: &scopes,
            has_role: &|role| role == "clerk",
            has_details: &|_| false,
            is_user: false,
            acr,
            auth_time,
            sender_constrained: false,
        };
        R::DEMAND.unmet(&facts, &ScopeHierarchy::exact(), NOW)
    }

    #[test]
    fn a_tuple_demands_every_part_and_names_them_all() {
        assert!(unmet::<(Read, Write)>("write read", None, None).is_none());
        let lacking = unmet::<(Read, Write)>("read", None, None).unwrap();
        assert!(lacking.scope && !lacking.steps_up());
        assert_eq!(lacking.demand.challenge_scopes(), ["read", "write"]);
    }

    #[test]
    fn any_of_is_met_by_one_and_asks_for_the_first() {
        assert!(unmet::<AnyOf<(Admin, Write)>>("write", None, None).is_none());
        let lacking = unmet::<(Read, AnyOf<(Admin, Write)>)>("read", None, None).unwrap();
        assert_eq!(lacking.demand.challenge_scopes(), ["read", "admin"]);
        assert_eq!(lacking.demand.named_scopes(), ["read", "admin", "write"]);
    }

    #[test]
    fn age_is_counted_to_the_second_and_a_missing_login_time_is_unmet() {
        assert!(unmet::<Recent>("pay", Some("b"), Some(995)).is_none());
        assert_eq!(unmet::<Recent>("pay", Some("b"), Some(994)).unwrap().max_age, Some(Duration::from_secs(5)));
        assert!(unmet::<Recent>("pay", Some("b"), None).unwrap().max_age.is_some());
        let low = unmet::<Recent>("pay", Some("c"), Some(1000)).unwrap();
        assert_eq!(low.acr_values(), ["a", "b"]);
    }

    #[test]
    fn of_two_strictnesses_the_stricter_holds() {
        let lacking = unmet::<(Recent, VeryRecent)>("", None, None).unwrap();
        assert_eq!(lacking.max_age, Some(Duration::from_secs(2)));
        assert!(lacking.scope && lacking.acr && lacking.principal);
    }

    #[test]
    fn roles_are_all_needed() {
        struct Clerk;
        impl Requirement for Clerk {
            const DEMAND: Demand = Demand::authenticated().roles(&["clerk"]);
        }
        struct Chief;
        impl Requirement for Chief {
            const DEMAND: Demand = Demand::authenticated().roles(&["clerk", "chief"]);
        }
        assert!(unmet::<Clerk>("", None, None).is_none());
        assert!(unmet::<Chief>("", None, None).unwrap().role);
    }
}
