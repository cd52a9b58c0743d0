//! A demand held against the facts of a token.

use std::time::Duration;

use super::{Demand, Detail};
use crate::scope::{ScopeHierarchy, ScopeSet};
use crate::time::Timestamp;

impl Demand {
    /// What is lacking, or `None` when the demand is met.
    pub(crate) fn unmet(&self, facts: &Facts<'_>, hierarchy: &ScopeHierarchy, now: Timestamp) -> Option<Unmet> {
        let mut unmet = Unmet {
            demand: *self,
            scope: false,
            role: false,
            principal: false,
            acr: false,
            max_age: None,
            sender: false,
            detail: false,
        };
        self.each(&mut |part| part.check(facts, hierarchy, now, &mut unmet));
        unmet.any().then_some(unmet)
    }

    fn check(&self, facts: &Facts<'_>, hierarchy: &ScopeHierarchy, now: Timestamp, unmet: &mut Unmet) {
        let granted = |scope: &&str| hierarchy.grants(facts.scopes, scope);
        unmet.scope |= !self.scope.iter().all(granted)
            || !self.scopes.iter().all(granted)
            || !(self.any_scope.is_empty() || self.any_scope.iter().any(granted));
        unmet.role |= !self.roles.iter().all(|role| (facts.has_role)(role));
        unmet.principal |= self.user_only && !facts.is_user;
        unmet.detail |= !self.details.is_empty() && !(facts.has_details)(self.details);
        unmet.sender |= self.sender_constrained && !facts.sender_constrained;
        unmet.acr |= !(self.acr.is_empty() || facts.acr.is_some_and(|acr| self.acr.contains(&acr)));
        if let Some(limit) = self.max_age {
            let fresh =
                facts.auth_time.is_some_and(|at| now.since(at).as_millis() <= u128::from(limit.as_secs()) * 1000);
            if !fresh {
                unmet.max_age = Some(unmet.max_age.map_or(limit, |known| known.min(limit)));
            }
        }
    }
}

/// The facts of a verdict that a demand looks at.
pub(crate) struct Facts<'a> {
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) has_role: &'a dyn Fn(&str) -> bool,
    /// Whether the token's authorization details grant all of these.
    pub(crate) has_details: &'a dyn Fn(&[Detail]) -> bool,
    pub(crate) is_user: bool,
    pub(crate) acr: Option<&'a str>,
    pub(crate) auth_time: Option<Timestamp>,
    /// Whether the client proved that the token is its own.
    pub(crate) sender_constrained: bool,
}

/// Which conditions of a demand do not hold.
#[derive(Clone, Debug)]
pub(crate) struct Unmet {
    pub(crate) demand: Demand,
    pub(crate) scope: bool,
    pub(crate) role: bool,
    pub(crate) principal: bool,
    pub(crate) acr: bool,
    pub(crate) max_age: Option<Duration>,
    /// The token was not proved to be the client's own.
    pub(crate) sender: bool,
    /// An authorization detail is lacking.
    pub(crate) detail: bool,
}

impl Unmet {
    const fn any(&self) -> bool {
        self.scope || self.role || self.principal || self.sender || self.detail || self.steps_up()
    }

    /// Whether a new login would help (RFC 9470), as against another grant.
    pub(crate) const fn steps_up(&self) -> bool {
        self.acr || self.max_age.is_some()
    }

    /// The `acr_values` to ask for: of every part of the demand that names some.
    pub(crate) fn acr_values(&self) -> Vec<&'static str> {
        let mut values = Vec::new();
        if self.acr {
            self.demand.each(&mut |part| values.extend_from_slice(part.acr));
        }
        values
    }
}
