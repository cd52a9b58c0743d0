//! Behaviour, one file for each standard and each promise. A doc line names the row of `docs/conformance.md`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail the test")]

mod support;
mod tools;

mod access_tokens;
mod authorization_server;
mod back_pressure;
mod bearer;
mod cached_verdicts;
mod configuration;
mod cors;
mod delegation;
mod denylist;
mod discovery;
mod dpop;
mod events;
mod freshness;
mod http_authentication;
mod introspection;
mod introspection_outage;
mod jose;
mod jwt_best_practice;
mod outage;
mod path_rules;
mod presets;
mod problem_details;
mod protected_resource_metadata;
mod redaction;
mod rich_authorization;
mod security_practice;
mod several_issuers;
mod signed_introspection;
mod status_lists;
mod step_up;
mod surface;
