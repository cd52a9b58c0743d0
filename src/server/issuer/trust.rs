//! An issuer ready to judge with: its rules, its keys, its word, its lists.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::Uri;

use super::keys::DocumentKeys;
use super::online::{Online, Selector};
use super::{Issuer, MaxLifetime};
use crate::crypto::Algorithm;
use crate::introspection::{
    ActiveLifetime, IntrospectionLimits, Introspector, IntrospectorSettings, Lifetimes, Signatures,
};
use crate::jwks::key_ring::{KeyRing, KeySource, RingLimits};
use crate::jwt::rules::Rules;
use crate::observe::Observers;
use crate::revocation::status_lists::StatusLists;
use crate::store::AnswerStore;
use crate::time::{Clock, Timestamp};
use crate::token::Verdict;
use crate::transport::Transport;
use crate::transport::fetch::{Fetcher, endpoint};

/// What an issuer's trust takes from the configuration around it.
pub(in crate::server) struct Surroundings<'a> {
    pub(in crate::server) audiences: &'a [String],
    pub(in crate::server) leeway: Duration,
    pub(in crate::server) algorithms: &'a [Algorithm],
    pub(in crate::server) loopback_http: bool,
    pub(in crate::server) proves_dpop: bool,
    pub(in crate::server) transport: Option<&'a Arc<dyn Transport>>,
    pub(in crate::server) observers: &'a Observers,
    pub(in crate::server) clock: &'a Arc<dyn Clock>,
    pub(in crate::server) answers: Option<&'a Arc<dyn AnswerStore>>,
}

/// An issuer ready to judge with.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) issuer: Arc<str>,
    pub(crate) rules: Rules,
    pub(crate) ring: Arc<KeyRing>,
    /// Whether its JWTs are verified here.
    pub(crate) verifies: bool,
    /// By which it is asked, if it is.
    pub(crate) online: Option<Introspector>,
    /// Which opaque tokens are its own.
    pub(crate) selector: Option<Selector>,
    /// Its status lists; none where nothing can be fetched.
    pub(crate) lists: Option<StatusLists>,
    /// For what it signs besides access tokens.
    pub(in crate::server) keys: Arc<DocumentKeys>,
    /// The names under which it sends logout tokens and security events.
    pub(in crate::server) event_audiences: Vec<Box<str>>,
    pub(crate) report_lifetime: Option<Duration>,
    tended_at: AtomicI64,
}

impl Trust {
    /// Looks after the keys once a second at most, for a service that is asked for cached tokens alone: its keys must
    /// age, be refreshed and die all the same.
    pub(in crate::server) fn tend(&self, now: Timestamp) {
        let second = now.as_secs();
        if self.tended_at.load(Ordering::Relaxed) != second {
            self.tended_at.store(second, Ordering::Relaxed);
            self.ring.tend();
        }
    }

    /// From when to when a verdict may be recalled; `None` when it may not be.
    pub(in crate::server) fn stands_for(&self, verdict: &Verdict, now: Timestamp) -> Option<Range<Timestamp>> {
        let (statement, leeway) = (&verdict.statement, self.rules.leeway);
        let span = match verdict.asked_at() {
            Some(asked_at) => {
                let until = self.online.as_ref()?.serves_until(asked_at, statement.expires_at);
                let begun = statement.starts_at().map_or(asked_at, |starts_at| starts_at.minus(leeway).min(asked_at));
                begun..until
            }
            None => statement.starts_at()?.minus(leeway)..statement.expires_at?.plus(leeway),
        };
        (now < span.end).then_some(span)
    }
}

impl Issuer {
    /// Checks the settings, adds what is wrong to `problems`, and opens nothing.
    pub(in crate::server) fn into_trust(self, around: &Surroundings<'_>, problems: &mut Vec<String>) -> Option<Trust> {
        let before = problems.len();
        let name = self.identifier;
        if let Err(problem) = endpoint(&name, around.loopback_http) {
            problems.push(format!("issuer {name:?}: {problem}"));
        } else if name.contains('?') {
            problems.push(format!("issuer {name:?}: an issuer identifier has no query (RFC 8414 section 2)"));
        }
        let algorithms: Vec<_> =
            self.algorithms.iter().copied().filter(|algorithm| around.algorithms.contains(algorithm)).collect();
        if algorithms.is_empty() {
            problems
                .push(format!("issuer {name:?}: no algorithm is allowed; name at least one that the profile admits"));
        }
        if self.longest_key_lifetime > Duration::from_secs(24 * 3600) {
            problems.push(format!("issuer {name:?}: keys_live_up_to is at most 24 hours"));
        }
        if self.asked_in_vain {
            problems.push(format!(
                "issuer {name:?}: an introspection setting has no effect on an issuer that is not asked; use Issuer::opaque, Issuer::hybrid or confirm_online"
            ));
        }
        for origin in &self.status_list_origins {
            if let Err(problem) = endpoint(origin, around.loopback_http) {
                problems.push(format!("issuer {name:?}: status_list_origin {origin:?}: {problem}"));
            }
        }
        if let Some(online) = &self.online {
            problems.extend(online.problems(&name, around.loopback_http));
        }
        let source = self.keys.into_source(&name, around.loopback_http, problems);
        let transport = self.transport.as_ref().or(around.transport);
        let fetches = matches!(source, Some(KeySource::Url(_) | KeySource::Discovered)) || self.online.is_some();
        if transport.is_none() && fetches {
            problems.push(format!(
                "issuer {name:?}: nothing to fetch its keys with, or to ask it by; enable the feature http-client or set a transport"
            ));
        }
        let source = source.filter(|_| problems.len() == before)?;
        let audiences = if self.audiences.is_empty() { around.audiences } else { &self.audiences };
        let fetcher = transport.map(|transport| Fetcher::new(Arc::clone(transport), around.loopback_http));
        let limits = RingLimits { max_lifetime: self.longest_key_lifetime };
        let (report_lifetime, max_lifetime) = match self.max_lifetime {
            Some(MaxLifetime::Report(limit)) => (Some(limit), None),
            Some(MaxLifetime::Refuse(limit)) => (None, Some(limit)),
            None => (None, None),
        };
        let issuer: Arc<str> = name.as_str().into();
        let ring = KeyRing::new(&name, source, fetcher.clone(), limits, around.observers.clone());
        let ring = Arc::new(ring);
        let keys = Arc::new(DocumentKeys {
            issuer: Arc::clone(&issuer),
            ring: Arc::clone(&ring),
            algorithms: algorithms.as_slice().into(),
        });
        let client = self.online.as_ref().and_then(|online| online.client.client_id());
        let event_audiences = match self.event_audiences.as_slice() {
            [] => audiences.iter().map(String::as_str).chain(client).map(Box::from).collect(),
            own => own.iter().map(|audience| audience.as_str().into()).collect(),
        };
        let hosts: Vec<_> = self.status_list_origins.iter().filter_map(|origin| authority(origin)).collect();
        let selector = self.online.as_ref().and_then(|online| online.selector.clone());
        let online = self.online.zip(fetcher.clone());
        Some(Trust {
            online: online.map(|(online, fetcher)| online.introspector(&issuer, fetcher, &keys, audiences, around)),
            selector,
            lists: fetcher.map(|fetcher| {
                let (clock, observers) = (Arc::clone(around.clock), around.observers.clone());
                StatusLists::new(fetcher, Arc::clone(&keys) as _, &hosts, clock, observers)
            }),
            rules: Rules {
                issuer: name.as_str().into(),
                audiences: audiences.iter().map(|audience| audience.as_str().into()).collect(),
                algorithms,
                profile: self.profile,
                leeway: around.leeway,
                max_lifetime,
                proves_dpop: around.proves_dpop,
            },
            verifies: self.verifies,
            event_audiences,
            ring,
            keys,
            issuer,
            report_lifetime,
            tended_at: AtomicI64::new(i64::MIN),
        })
    }
}

/// Host and port of an address.
fn authority(url: &str) -> Option<Box<str>> {
    let uri: Uri = url.parse().ok()?;
    Some(uri.authority()?.as_str().into())
}

impl Online {
    fn problems(&self, name: &str, loopback_http: bool) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(url) = &self.endpoint
            && let Err(problem) = endpoint(url, loopback_http)
        {
            problems.push(format!("issuer {name:?}: introspection_endpoint {url:?}: {problem}"));
        }
        if matches!(&self.selector, Some(Selector::Starting(prefix)) if prefix.is_empty()) {
            problems.push(format!("issuer {name:?}: tokens_starting: every token begins with nothing; give a prefix"));
        }
        if self.at_once == 0 {
            problems.push(format!("issuer {name:?}: questions_at_once: at least one, or no token could be judged"));
        }
        problems
    }

    fn introspector(
        self,
        issuer: &Arc<str>,
        fetcher: Fetcher,
        keys: &Arc<DocumentKeys>,
        audiences: &[String],
        around: &Surroundings<'_>,
    ) -> Introspector {
        let named = self.client.client_id().map(str::to_owned);
        let signatures = self.signed.then(|| Signatures {
            keys: Arc::clone(keys) as _,
            audiences: audiences.iter().cloned().chain(named).collect(),
        });
        Introspector::new(IntrospectorSettings {
            issuer: issuer.to_string(),
            client: self.client,
            endpoint: self.endpoint,
            signatures,
            fetcher: Some(fetcher),
            lifetimes: Lifetimes {
                active: if self.until_exp { ActiveLifetime::UntilExp } else { ActiveLifetime::For(self.active_for) },
                inactive: self.refused_for,
            },
            limits: IntrospectionLimits {
                concurrent: self.at_once,
                timeout: self.timeout,
                ..IntrospectionLimits::default()
            },
            clock: Arc::clone(around.clock),
            answers: around.answers.cloned(),
            observers: around.observers.clone(),
        })
    }
}
