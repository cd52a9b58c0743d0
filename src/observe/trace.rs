//! Events as lines of `tracing`: their targets, levels and fields.

use super::{Duration, Event};

const VERDICT: &str = "tower_oauth::verdict";
const KEYS: &str = "tower_oauth::keys";
const INTROSPECTION: &str = "tower_oauth::introspection";
const REVOCATION: &str = "tower_oauth::revocation";
const STORE: &str = "tower_oauth::store";

pub(super) fn trace(event: &Event<'_>) {
    match *event {
        Event::Accepted { issuer, algorithm, elapsed } => {
            let cached = elapsed.is_none();
            tracing::debug!(target: VERDICT, issuer, algorithm = algorithm.map(|algorithm| algorithm.as_str()), cached, "accepted");
        }
        Event::Refused { code, status: status @ 500, issuer, detail, .. } => {
            tracing::error!(target: VERDICT, code, status, issuer, %detail, "the service is not set up correctly");
        }
        Event::Refused { code, status: status @ 501.., issuer, verified, detail } => {
            tracing::warn!(target: VERDICT, code, status, issuer, verified, %detail, "not judged");
        }
        // A request without a credential is the ordinary first step of a client, not worth a line by default.
        Event::Refused { code: code @ "credentials_missing", status, .. } => {
            tracing::debug!(target: VERDICT, code, status, "no credential");
        }
        Event::Refused { code, status, issuer, verified, detail } => {
            tracing::info!(target: VERDICT, code, status, issuer, verified, %detail, "refused");
        }
        Event::LifetimeTooLong { issuer } => {
            tracing::warn!(target: VERDICT, issuer, "a token lives longer than max_lifetime");
        }
        Event::KeysFetched { issuer, keys, skipped, changed, elapsed } => {
            let elapsed_ms = elapsed.as_millis() as u64;
            tracing::info!(target: KEYS, issuer, keys, skipped, changed, elapsed_ms, "keys fetched");
        }
        Event::KeysFetchFailed { issuer, code, detail, serving_age, retry_in } => {
            let serving_age_secs = serving_age.map(|age| age.as_secs());
            let retry_in_ms = retry_in.as_millis() as u64;
            tracing::warn!(target: KEYS, issuer, code, %detail, serving_age_secs, retry_in_ms, "keys not fetched");
        }
        Event::KeyMissing { issuer } => {
            tracing::info!(target: KEYS, issuer, "a token fits no key that is there; refreshing once");
        }
        _ => trace_revocation(event),
    }
}

/// What an issuer was asked, what was revoked, and what could not be told.
fn trace_revocation(event: &Event<'_>) {
    let millis = |duration: Duration| duration.as_millis() as u64;
    match *event {
        Event::Introspected { issuer, active, elapsed } => {
            tracing::debug!(target: INTROSPECTION, issuer, active, elapsed_ms = millis(elapsed), "introspected");
        }
        Event::IntrospectionFailed { issuer, code, detail, retry_in } => {
            let retry_in_ms = millis(retry_in);
            tracing::warn!(target: INTROSPECTION, issuer, code, %detail, retry_in_ms, "not introspected");
        }
        Event::IntrospectionPaused { issuer, pause: Some(pause) } => {
            let pause_ms = millis(pause);
            tracing::warn!(target: INTROSPECTION, issuer, pause_ms, "introspection pauses: the issuer fails");
        }
        Event::IntrospectionPaused { issuer, pause: None } => {
            tracing::info!(target: INTROSPECTION, issuer, "introspection goes on: the issuer answers again");
        }
        Event::RuleAdded { issuer, kind } => tracing::info!(target: REVOCATION, issuer, kind, "revoked"),
        Event::StatusListFetched { issuer, entries, elapsed } => {
            tracing::info!(target: REVOCATION, issuer, entries, elapsed_ms = millis(elapsed), "status list fetched");
        }
        Event::StatusListFailed { issuer, code, detail, retry_in } => {
            let retry_in_ms = millis(retry_in);
            tracing::warn!(target: REVOCATION, issuer, code, %detail, retry_in_ms, "no status list");
        }
        Event::EventReceived { issuer, outcome } => {
            tracing::info!(target: REVOCATION, issuer, outcome, "event received");
        }
        // One for each request while something is down, and that it is down was told at a higher level already.
        Event::FailurePolicyUsed { dependency, policy, issuer } => {
            tracing::debug!(target: REVOCATION, dependency, policy, issuer, "passed without asking, as configured");
        }
        Event::StoreChanged { store, standing: standing @ "up", detail } => {
            tracing::info!(target: STORE, store, standing, %detail, "store");
        }
        Event::StoreChanged { store, standing, detail } => {
            tracing::warn!(target: STORE, store, standing, %detail, "store");
        }
        _ => {}
    }
}
