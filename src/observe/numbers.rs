//! The `metrics` facade. Labels are codes and configured issuers, so their number is bounded.
//!
//! A verdict is counted on every request, so its counters are asked for once and kept: naming one anew allocates its
//! labels, and finds it in the recorder, each time. A counter belongs to the recorder that was there when it was asked
//! for; hence the advice to install one before the first request. Whatever is rare is named anew.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use metrics::{Counter, Histogram};

use super::{Duration, Event};

/// Measures how long a verdict takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The metrics of one configuration.
#[derive(Clone, Default)]
pub(super) struct Numbers(Arc<Kept>);

#[derive(Default)]
struct Kept {
    verdicts: ArcSwap<Verdicts>,
    seconds: OnceLock<Histogram>,
}

/// Counters by issuer and outcome. Read on every request and replaced a few times in all, so a read takes no lock.
type Verdicts = BTreeMap<Arc<str>, Arc<BTreeMap<&'static str, Counter>>>;

impl Numbers {
    pub(super) fn record(&self, event: &Event<'_>) {
        match *event {
            Event::Accepted { issuer, elapsed: None, .. } => self.count_verdict("accepted_cached", Some(issuer)),
            Event::Accepted { issuer, elapsed: Some(elapsed), .. } => {
                self.count_verdict("accepted", Some(issuer));
                let seconds = self.0.seconds.get_or_init(|| metrics::histogram!("oauth_verdict_seconds"));
                seconds.record(elapsed.as_secs_f64());
            }
            Event::Refused { code, issuer, .. } => self.count_verdict(code, issuer),
            Event::LifetimeTooLong { issuer } => {
                metrics::counter!("oauth_lifetime_too_long_total", "issuer" => issuer.to_owned()).increment(1);
            }
            Event::KeysFetched { issuer, keys, .. } => {
                count_fetch("ok", issuer);
                metrics::gauge!("oauth_keys", "issuer" => issuer.to_owned()).set(keys as f64);
                metrics::gauge!("oauth_keys_age_seconds", "issuer" => issuer.to_owned()).set(0.0);
            }
            Event::KeysFetchFailed { issuer, code, serving_age, .. } => {
                count_fetch(code, issuer);
                if let Some(age) = serving_age {
                    metrics::gauge!("oauth_keys_age_seconds", "issuer" => issuer.to_owned()).set(age.as_secs_f64());
                }
            }
            Event::KeyMissing { issuer } => {
                metrics::counter!("oauth_key_missing_total", "issuer" => issuer.to_owned()).increment(1);
            }
            _ => record_revocation(event),
        }
    }

    fn count_verdict(&self, outcome: &'static str, issuer: Option<&str>) {
        let issuer = issuer.unwrap_or("none");
        if let Some(counter) = self.0.verdicts.load().get(issuer).and_then(|outcomes| outcomes.get(outcome)) {
            return counter.increment(1);
        }
        let counter = metrics::counter!("oauth_verdicts_total", "outcome" => outcome, "issuer" => issuer.to_owned());
        counter.increment(1);
        self.0.verdicts.rcu(|verdicts| {
            let mut verdicts = Verdicts::clone(verdicts);
            let outcomes = verdicts.entry(issuer.into()).or_default();
            Arc::make_mut(outcomes).insert(outcome, counter.clone());
            verdicts
        });
    }
}

/// All of it is rarer than a request, but for introspection, beside whose network call naming a counter is nothing.
fn record_revocation(event: &Event<'_>) {
    match *event {
        Event::Introspected { issuer, active, elapsed } => {
            count("oauth_introspections_total", if active { "active" } else { "inactive" }, issuer);
            let seconds = metrics::histogram!("oauth_introspection_seconds", "issuer" => issuer.to_owned());
            seconds.record(elapsed.as_secs_f64());
        }
        Event::IntrospectionFailed { issuer, code, .. } => count("oauth_introspections_total", code, issuer),
        Event::IntrospectionPaused { issuer, pause } => {
            let paused = f64::from(u8::from(pause.is_some()));
            metrics::gauge!("oauth_introspection_paused", "issuer" => issuer.to_owned()).set(paused);
        }
        Event::RuleAdded { issuer, kind } => count("oauth_deny_rules_total", kind, issuer),
        Event::StatusListFetched { issuer, .. } => count("oauth_status_list_fetches_total", "ok", issuer),
        Event::StatusListFailed { issuer, code, .. } => count("oauth_status_list_fetches_total", code, issuer),
        Event::EventReceived { issuer, outcome } => {
            count("oauth_events_received_total", outcome, issuer.unwrap_or("none"));
        }
        Event::FailurePolicyUsed { dependency, policy, issuer } => {
            let issuer = issuer.to_owned();
            metrics::counter!(
                "oauth_failure_policy_total", "dependency" => dependency, "policy" => policy, "issuer" => issuer
            )
            .increment(1);
        }
        Event::StoreChanged { store, standing, .. } => {
            let up = f64::from(u8::from(standing == "up"));
            metrics::gauge!("oauth_store_up", "store" => store.to_owned()).set(up);
        }
        _ => {}
    }
}

fn count(name: &'static str, outcome: &'static str, issuer: &str) {
    metrics::counter!(name, "outcome" => outcome, "issuer" => issuer.to_owned()).increment(1);
}

fn count_fetch(outcome: &'static str, issuer: &str) {
    metrics::counter!("oauth_key_fetches_total", "outcome" => outcome, "issuer" => issuer.to_owned()).increment(1);
}
