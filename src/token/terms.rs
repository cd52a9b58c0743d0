//! On which terms a request is judged: how fresh, and what happens when somebody cannot be asked.

use std::time::Duration;

use crate::demand::Freshness;

/// Whom a verdict may depend on besides the issuer's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dependency {
    /// The issuer's word on a token (RFC 7662).
    Introspection,
    /// The issuer's Token Status Lists.
    StatusList,
    /// The denylist, where replicas share one.
    Denylist,
    /// The store of used DPoP proofs, where replicas share one.
    Replay,
}

impl Dependency {
    /// The stable name, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            Self::StatusList => "status_list",
            Self::Denylist => "denylist",
            Self::Replay => "replay",
        }
    }
}

/// What becomes of a request when a [`Dependency`] cannot be asked. Each pass by it is an
/// [event](crate::observe::Event::FailurePolicyUsed), counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is not judged: 503 with `Retry-After`. The default.
    #[default]
    Closed,
    /// It passes by what was known at most so long ago: an introspection answer, a status list past its lifetime, deny
    /// rules. A token past its `exp` never does.
    StaleWithin(Duration),
    /// It passes by what else is known, however old. A token of which nothing is known never does.
    OpenAndCounted,
}

/// What becomes of a request for each dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailurePolicy {
    introspection: OnFailure,
    status_list: OnFailure,
    denylist: OnFailure,
    replay: OnFailure,
}

/// How long a replica may go on with the deny rules that it knows, unless said otherwise.
const RULES_SERVE_FOR: Duration = Duration::from_secs(30);

impl Default for FailurePolicy {
    fn default() -> Self {
        Self {
            introspection: OnFailure::Closed,
            status_list: OnFailure::Closed,
            denylist: OnFailure::StaleWithin(RULES_SERVE_FOR),
            replay: OnFailure::Closed,
        }
    }
}

impl FailurePolicy {
    pub(crate) const fn get(&self, dependency: Dependency) -> OnFailure {
        match dependency {
            Dependency::Introspection => self.introspection,
            Dependency::StatusList => self.status_list,
            Dependency::Denylist => self.denylist,
            Dependency::Replay => self.replay,
        }
    }

    pub(crate) const fn set(&mut self, dependency: Dependency, on_failure: OnFailure) {
        match dependency {
            Dependency::Introspection => self.introspection = on_failure,
            Dependency::StatusList => self.status_list = on_failure,
            Dependency::Denylist => self.denylist = on_failure,
            Dependency::Replay => self.replay = on_failure,
        }
    }
}

/// What a layer says instead of its server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) freshness: Option<Freshness>,
    pub(crate) on_failure: Vec<(Dependency, OnFailure)>,
}

/// The terms of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) freshness: Freshness,
    pub(crate) on_failure: FailurePolicy,
}

impl Terms {
    /// As the layer wishes, where it does.
    pub(crate) fn with(mut self, wishes: &Wishes) -> Self {
        self.freshness = wishes.freshness.unwrap_or(self.freshness);
        for (dependency, on_failure) in &wishes.on_failure {
            self.on_failure.set(*dependency, *on_failure);
        }
        self
    }

    /// Settings that would have no effect.
    pub(crate) fn problems(&self) -> Option<String> {
        let replay = self.on_failure.get(Dependency::Replay);
        matches!(replay, OnFailure::StaleWithin(_)).then(|| {
            "on_failure: a replay store knows nothing that could be stale; use Closed or OpenAndCounted".to_owned()
        })
    }

    /// Raised to what a demand asks for.
    pub(crate) const fn at_least(self, freshness: Freshness) -> Self {
        Self { freshness: self.freshness.stricter(freshness), ..self }
    }
}
