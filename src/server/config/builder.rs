//! Every setting of a configuration, one method each.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::Algorithm;
use crate::demand::{Freshness, Requirement};
use crate::dpop::Dpop;
use crate::observe::{Observer, Observers};
use crate::scope::ScopeHierarchy;
use crate::server::issuer::Issuer;
use crate::server::metadata::Advertised;
use crate::store::{AnswerStore, Denylist, ReplayStore};
use crate::time::Clock;
use crate::token::{Dependency, OnFailure, Terms};
use crate::transport::Transport;

/// Gathers a configuration; [`build`](Self::build) checks it.
#[must_use]
pub struct OAuthConfigBuilder {
    pub(super) resource: String,
    pub(super) issuers: Vec<Issuer>,
    pub(super) audiences: Vec<String>,
    pub(super) leeway: Duration,
    pub(super) realm: Option<String>,
    pub(super) hierarchy: ScopeHierarchy,
    pub(super) advertised: Advertised,
    pub(super) name: Option<String>,
    pub(super) documentation: Option<String>,
    pub(super) loopback_http: bool,
    pub(super) refuse_query_tokens: bool,
    pub(super) cached_verdicts: usize,
    pub(super) dpop: Dpop,
    pub(super) replay: Option<Arc<dyn ReplayStore>>,
    pub(super) denylist: Option<Arc<dyn Denylist>>,
    pub(super) answers: Option<Arc<dyn AnswerStore>>,
    pub(super) rules_live: Duration,
    pub(super) terms: Terms,
    pub(super) also_at: Vec<String>,
    pub(super) public_prefix: String,
    pub(super) transport: Option<Arc<dyn Transport>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observers: Observers,
    pub(super) problems: Vec<String>,
    /// What the profile of the whole configuration allows; an issuer may narrow it.
    pub(super) algorithms: Vec<Algorithm>,
}

impl OAuthConfigBuilder {
    /// Believes an issuer. May be called repeatedly; a token's `iss` picks among those configured.
    pub fn trust(mut self, issuer: impl Into<Issuer>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// A further audience that tokens may name, for issuers that write something else than the resource's URL.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// How far clocks may differ, for `exp`, `nbf` and `iat`: 60 seconds by default, at most 120.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The `realm` of challenges; the resource's URL by default.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Which scopes grant which others; none by default.
    pub fn scopes(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.hierarchy = hierarchy;
        self
    }

    /// Lists the scopes of a requirement in `scopes_supported`, and the types of its authorization details in
    /// `authorization_details_types_supported` (RFC 9728 section 2). May be called repeatedly.
    pub fn advertise<R: Requirement>(mut self) -> Self {
        self.advertised.add(&R::DEMAND);
        self
    }

    /// The `resource_name` of the metadata, for people.
    pub fn resource_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The `resource_documentation` of the metadata: a URL for developers.
    pub fn resource_documentation(mut self, url: impl Into<String>) -> Self {
        self.documentation = Some(url.into());
        self
    }

    /// Refuses requests with an `access_token` in the query string by 400, instead of ignoring the parameter.
    ///
    /// The token is never used either way (OAuth 2.1 section 5.1); refusing tells the client that it leaked one.
    pub fn refuse_query_tokens(mut self) -> Self {
        self.refuse_query_tokens = true;
        self
    }

    /// Whether and how DPoP is taken (RFC 9449): accepted by default, for tokens that are bound to a key.
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = dpop;
        self
    }

    /// Where used proofs are remembered; in this process's memory by default, which fits a service of one replica.
    pub fn replay(mut self, store: impl ReplayStore) -> Self {
        self.replay = Some(Arc::new(store));
        self
    }

    /// Where revocations are kept; in this process's memory by default, which fits a service of one replica.
    pub fn denylist(mut self, store: impl Denylist) -> Self {
        self.denylist = Some(Arc::new(store));
        self
    }

    /// Where introspection answers are shared among replicas, so that one of them asks for all; nowhere by default.
    pub fn answers(mut self, store: impl AnswerStore) -> Self {
        self.answers = Some(Arc::new(store));
        self
    }

    /// Keeps used proofs, revocations and introspection answers in one shared store: for services of several replicas.
    pub fn store<S: ReplayStore + Denylist + AnswerStore>(mut self, store: S) -> Self {
        let store = Arc::new(store);
        self.replay = Some(Arc::clone(&store) as _);
        self.denylist = Some(Arc::clone(&store) as _);
        self.answers = Some(store);
        self
    }

    /// How long a revocation is kept that does not say so itself: 24 hours by default. At least as long as the tokens of
    /// your issuers live, or a revoked one would pass again at the end.
    pub fn rules_live_for(mut self, lifetime: Duration) -> Self {
        self.rules_live = lifetime;
        self
    }

    /// How sure every route must be that a token was not revoked: by the [denylist](Freshness::Denylist) unless said
    /// otherwise. A layer may say otherwise, a demand may only ask for more.
    pub fn freshness(mut self, freshness: Freshness) -> Self {
        self.terms.freshness = freshness;
        self
    }

    /// What becomes of requests while `dependency` cannot be asked: they are not judged (503) unless said otherwise, and
    /// a replica goes on for 30 s by the deny rules that it knows. A layer may say otherwise.
    pub fn on_failure(mut self, dependency: Dependency, on_failure: OnFailure) -> Self {
        self.terms.on_failure.set(dependency, on_failure);
        self
    }

    /// A second origin by which clients reach this service, for the `htu` of DPoP proofs. May be called repeatedly.
    pub fn also_at(mut self, origin: impl Into<String>) -> Self {
        self.also_at.push(origin.into());
        self
    }

    /// The prefix that a proxy in front strips from the path, for the `htu` of DPoP proofs. No forwarded header is read.
    pub fn public_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.public_prefix = prefix.into();
        self
    }

    /// How many verdicts are kept, so that a token seen again is not verified again: 32 768 by default, about 1 KiB each.
    ///
    /// A verdict stands until its token expires, the issuer's keys change, or the configuration is replaced. 0 verifies
    /// every request.
    pub fn cached_verdicts(mut self, verdicts: usize) -> Self {
        self.cached_verdicts = verdicts;
        self
    }

    /// Admits `http` for issuers and the resource at literal loopback addresses, for development and tests.
    ///
    /// Whoever can answer on that port can then make tokens.
    pub fn dangerous_loopback_http(mut self) -> Self {
        self.loopback_http = true;
        self
    }

    /// Fetches the documents of all issuers by `transport`, unless an issuer has its own.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// The clock that judges tokens; the system's by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sends every event also to `observer`.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers = Observers::with(observer);
        self
    }
}

impl fmt::Debug for OAuthConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthConfigBuilder")
            .field("resource", &self.resource)
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}
