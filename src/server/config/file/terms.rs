//! How fresh a verdict must be, and what happens when somebody cannot be asked, as a file spells it.

use std::time::Duration;

use serde::Deserialize;

use crate::demand::Freshness;
use crate::token::{Dependency, OnFailure, Terms};

/// `"offline"`, `"denylist"`, `"always"`, or `{ within_seconds = 30 }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::server::config) enum FreshnessSection {
    Offline,
    Denylist,
    WithinSeconds(u64),
    Always,
}

/// `"closed"`, `"open_and_counted"`, or `{ stale_within_seconds = 60 }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::server::config) enum PolicySection {
    Closed,
    OpenAndCounted,
    StaleWithinSeconds(u64),
}

/// A policy for each dependency that has one of its own.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server::config) struct OnFailureSection {
    pub(in crate::server::config) introspection: Option<PolicySection>,
    pub(in crate::server::config) status_list: Option<PolicySection>,
    pub(in crate::server::config) denylist: Option<PolicySection>,
    pub(in crate::server::config) replay: Option<PolicySection>,
}

impl FreshnessSection {
    /// As a single word, as variables have it: a number of seconds stands for itself.
    pub(in crate::server::config) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "offline" => Self::Offline,
            "denylist" => Self::Denylist,
            "always" => Self::Always,
            seconds => Self::WithinSeconds(seconds.parse().ok()?),
        })
    }
}

impl PolicySection {
    /// As [`FreshnessSection::from_word`].
    pub(in crate::server::config) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "closed" => Self::Closed,
            "open_and_counted" => Self::OpenAndCounted,
            seconds => Self::StaleWithinSeconds(seconds.parse().ok()?),
        })
    }
}

impl From<FreshnessSection> for Freshness {
    fn from(section: FreshnessSection) -> Self {
        match section {
            FreshnessSection::Offline => Self::Offline,
            FreshnessSection::Denylist => Self::Denylist,
            FreshnessSection::WithinSeconds(seconds) => Self::Within(Duration::from_secs(seconds)),
            FreshnessSection::Always => Self::Always,
        }
    }
}

impl From<PolicySection> for OnFailure {
    fn from(section: PolicySection) -> Self {
        match section {
            PolicySection::Closed => Self::Closed,
            PolicySection::OpenAndCounted => Self::OpenAndCounted,
            PolicySection::StaleWithinSeconds(seconds) => Self::StaleWithin(Duration::from_secs(seconds)),
        }
    }
}

impl OnFailureSection {
    pub(super) fn apply(self, terms: &mut Terms) {
        for (dependency, on_failure) in [
            (Dependency::Introspection, self.introspection),
            (Dependency::StatusList, self.status_list),
            (Dependency::Denylist, self.denylist),
            (Dependency::Replay, self.replay),
        ] {
            if let Some(on_failure) = on_failure {
                terms.on_failure.set(dependency, on_failure.into());
            }
        }
    }
}
