//! The configuration checked as a whole: every problem is told at once, and nothing is opened.

use std::sync::Arc;
use std::time::Duration;

use super::{ConfigError, OAuthConfig, OAuthConfigBuilder};
use crate::dpop::Mode;
use crate::dpop::target::Target;
use crate::server::issuer::Surroundings;
use crate::server::metadata::{Metadata, Resource};
use crate::server::route::Routes;
use crate::store::{MemoryDenylist, MemoryReplayStore};
use crate::transport::default_transport;
use crate::transport::fetch::endpoint;

/// The largest leeway: more would keep expired tokens alive for longer than clocks differ.
const MAX_LEEWAY: Duration = Duration::from_secs(120);

impl OAuthConfigBuilder {
    /// Checks everything, without any I/O.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem at once.
    pub fn build(self) -> Result<OAuthConfig, ConfigError> {
        let mut problems = self.problems;
        let resource = Resource::parse(&self.resource, self.loopback_http);
        let resource = resource.map_err(|problem| problems.push(explain(&self.resource, problem))).ok();
        if self.leeway > MAX_LEEWAY {
            let given = self.leeway.as_secs();
            problems.push(format!("leeway: {given} s is too long, at most 120 s; mend the clocks instead"));
        }
        problems.extend(self.hierarchy.problems());
        if let Some(realm) = &self.realm
            && !realm.chars().all(|character| matches!(character, ' '..='~'))
        {
            problems.push(format!("realm {realm:?}: only visible ASCII characters and spaces fit into a challenge"));
        }
        if self.audiences.iter().any(String::is_empty) {
            problems.push("audience: an empty audience would match tokens that name nobody".to_owned());
        }
        if self.issuers.is_empty() {
            problems.push(
                "no issuer is trusted, so no token could ever pass; add one with trust(..) (in the environment, OAUTH_ISSUERS)"
                    .to_owned(),
            );
        }
        let names: Vec<_> = self.issuers.iter().map(|issuer| issuer.identifier.clone()).collect();
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|earlier| earlier == name) {
                problems.push(format!("issuer {name:?} is trusted twice; merge the two entries"));
            }
        }
        problems.extend(self.dpop.problems());
        if self.replay.is_some() && self.dpop.has_generated_key() {
            problems.push(
                "dpop: a generated nonce key is this process's alone, but the replay store is shared; share a key with \
                 NonceKey::from_secret(..)"
                    .to_owned(),
            );
        }
        for origin in &self.also_at {
            if let Err(problem) = endpoint(origin, self.loopback_http) {
                problems.push(format!("also_at {origin:?}: {problem}"));
            }
        }
        let target = resource.as_ref().and_then(|resource| {
            let target = Target::new(resource.origin(), &self.also_at, &self.public_prefix);
            target.map_err(|problem| problems.push(format!("the target of DPoP proofs: {problem}"))).ok()
        });
        let mut audiences = self.audiences;
        audiences.push(self.resource);
        let transport = self.transport.or_else(default_transport);
        let around = Surroundings {
            audiences: &audiences,
            leeway: self.leeway,
            algorithms: &self.algorithms,
            loopback_http: self.loopback_http,
            proves_dpop: self.dpop.mode() != Mode::Off,
            transport: transport.as_ref(),
            observers: &self.observers,
            clock: &self.clock,
            answers: self.answers.as_ref(),
        };
        let trusts: Vec<_> =
            self.issuers.into_iter().filter_map(|issuer| issuer.into_trust(&around, &mut problems)).collect();
        problems.extend(Routes::problems(&trusts));
        problems.extend(self.terms.problems());
        let (own_replay, own_denylist, now) = (self.replay.is_none(), self.denylist.is_none(), self.clock.now());
        match (resource, target) {
            (Some(resource), Some(target)) if problems.is_empty() => Ok(OAuthConfig {
                trusts,
                realm: self.realm.unwrap_or_else(|| resource.as_str().to_owned()),
                metadata: Metadata::new(&resource, &names, &self.advertised, self.name, self.documentation, &self.dpop),
                hierarchy: self.hierarchy,
                clock: self.clock,
                observers: self.observers,
                refuse_query_tokens: self.refuse_query_tokens,
                cached_verdicts: self.cached_verdicts,
                dpop: self.dpop,
                target,
                replay: self.replay.unwrap_or_else(|| Arc::new(MemoryReplayStore::new(now))),
                own_replay,
                denylist: self.denylist.unwrap_or_else(|| Arc::new(MemoryDenylist::new())),
                own_denylist,
                rules_live: self.rules_live,
                terms: self.terms,
            }),
            _ => Err(ConfigError { problems }),
        }
    }
}

fn explain(resource: &str, problem: &str) -> String {
    if resource.is_empty() {
        return "no resource is set; give the https URL by which clients call this service (in the environment, OAUTH_RESOURCE)"
            .to_owned();
    }
    format!("resource {resource:?}: {problem}")
}
