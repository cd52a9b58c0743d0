//! On which terms a request is judged: how fresh, and what happens when somebody cannot be asked.

use std::fmt;
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

/// What becomes of a request for each dependency. Small, because each request carries it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FailurePolicy([Packed; 4]);

/// An [`OnFailure`] in milliseconds: the ends of the range are no times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed(u32);

impl Packed {
    const CLOSED: Self = Self(0);
    const OPEN: Self = Self(u32::MAX);

    fn of(on_failure: OnFailure) -> Self {
        match on_failure {
            OnFailure::Closed => Self::CLOSED,
            OnFailure::OpenAndCounted => Self::OPEN,
            // More than 49 days are no limit that anybody means; less than a millisecond is none that is kept.
            OnFailure::StaleWithin(age) => {
                Self(u32::try_from(age.as_millis()).unwrap_or(u32::MAX).clamp(1, u32::MAX - 1))
            }
        }
    }

    const fn unpacked(self) -> OnFailure {
        match self {
            Self::CLOSED => OnFailure::Closed,
            Self::OPEN => OnFailure::OpenAndCounted,
            Self(millis) => OnFailure::StaleWithin(Duration::from_millis(millis as u64)),
        }
    }
}

/// How long a replica may go on with the deny rules that it knows, unless said otherwise.
const RULES_SERVE_FOR: Duration = Duration::from_secs(30);

impl Default for FailurePolicy {
    fn default() -> Self {
        let mut policy = Self([Packed::CLOSED; 4]);
        policy.set(Dependency::Denylist, OnFailure::StaleWithin(RULES_SERVE_FOR));
        policy
    }
}

impl FailurePolicy {
    pub(crate) const fn get(&self, dependency: Dependency) -> OnFailure {
        let Self([introspection, status_list, denylist, replay]) = self;
        match dependency {
            Dependency::Introspection => introspection.unpacked(),
            Dependency::StatusList => status_list.unpacked(),
            Dependency::Denylist => denylist.unpacked(),
            Dependency::Replay => replay.unpacked(),
        }
    }

    pub(crate) fn set(&mut self, dependency: Dependency, on_failure: OnFailure) {
        let Self([introspection, status_list, denylist, replay]) = self;
        *match dependency {
            Dependency::Introspection => introspection,
            Dependency::StatusList => status_list,
            Dependency::Denylist => denylist,
            Dependency::Replay => replay,
        } = Packed::of(on_failure);
    }
}

/// As it was said.
impl fmt::Debug for FailurePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [Dependency::Introspection, Dependency::StatusList, Dependency::Denylist, Dependency::Replay];
        let mut shown = f.debug_struct("FailurePolicy");
        for dependency in all {
            shown.field(dependency.as_str(), &self.get(dependency));
        }
        shown.finish()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dependency_keeps_what_was_said_of_it() {
        let (mut policy, minute) = (FailurePolicy::default(), OnFailure::StaleWithin(Duration::from_secs(60)));
        assert_eq!(policy.get(Dependency::Denylist), OnFailure::StaleWithin(RULES_SERVE_FOR));
        policy.set(Dependency::Introspection, minute);
        policy.set(Dependency::Replay, OnFailure::OpenAndCounted);
        policy.set(Dependency::Denylist, OnFailure::Closed);
        let all = [Dependency::Introspection, Dependency::StatusList, Dependency::Denylist, Dependency::Replay];
        let kept = all.map(|dependency| policy.get(dependency));
        assert_eq!(kept, [minute, OnFailure::Closed, OnFailure::Closed, OnFailure::OpenAndCounted]);
    }

    #[test]
    fn no_time_is_taken_for_never_or_for_always() {
        for (age, kept) in [(Duration::ZERO, 1), (Duration::MAX, u64::from(u32::MAX) - 1)] {
            let kept = OnFailure::StaleWithin(Duration::from_millis(kept));
            assert_eq!(Packed::of(OnFailure::StaleWithin(age)).unpacked(), kept);
        }
    }
}
