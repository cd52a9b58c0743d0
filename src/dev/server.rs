//! What every endpoint knows: keys, clients, users, settings, and what was granted so far.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

use crate::dev::audit::{Audit, AuditEvent, AuditKind};
use crate::dev::clients::{Client, Clients};
use crate::dev::dpop::Dpop;
use crate::dev::events::Events;
use crate::dev::form::Form;
use crate::dev::grants::shelf::Shelf;
use crate::dev::grants::{Digest, Grants, Lifetimes, digest};
use crate::dev::refusal::Refusal;
use crate::dev::users::Users;
use crate::mint::authority::{Authority, Count};
use crate::mint::documents::issuer_path;
use crate::mint::token::TokenBuilder;
use crate::time::Timestamp;

/// The most client assertions that are remembered.
const MOST_ASSERTIONS: usize = 16_384;

/// What decides, apart from HTTP.
#[derive(Debug)]
pub(crate) struct AuthorizationServer {
    pub(crate) authority: Arc<Authority>,
    pub(crate) settings: Settings,
    pub(crate) clients: Clients,
    pub(crate) users: Users,
    pub(crate) grants: Grants,
    pub(crate) dpop: Dpop,
    pub(crate) audit: Audit,
    pub(crate) events: Events,
    pub(crate) counts: Counts,
    assertions: Mutex<Shelf<Digest, ()>>,
}

/// What was set up.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Of tokens for which no resource was asked.
    pub(crate) audience: Option<String>,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) consent: Consent,
    /// What a login may be worth; the first unless another is asked for.
    pub(crate) acr_values: Vec<String>,
    /// Every client gets opaque access tokens.
    pub(crate) has_opaque_tokens: bool,
    /// Signed tokens have a place in a status list.
    pub(crate) has_status_list: bool,
}

/// Who answers when a client asks for a user's consent.
///
/// ```
/// use tower_oauth::dev::{Consent, DevServer};
///
/// let builder = DevServer::builder().user("ada").consent(Consent::Approve("ada".into()));
/// # drop(builder);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consent {
    /// The person in front of the page.
    #[default]
    Ask,
    /// Nobody: this user has logged in and agreed; another one where the request has a `login_hint` that is known.
    Approve(String),
    /// Nobody: the answer is no.
    Deny,
}

/// How often what happened.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) tokens: Count,
    pub(crate) revocations: Count,
    pub(crate) reuses: Count,
}

impl AuthorizationServer {
    pub(crate) fn new(
        authority: Arc<Authority>,
        settings: Settings,
        clients: Clients,
        users: Users,
        dpop: Dpop,
        events: Events,
    ) -> Self {
        Self {
            authority,
            settings,
            clients,
            users,
            grants: Grants::new(),
            dpop,
            audit: Audit::default(),
            events,
            counts: Counts::default(),
            assertions: Mutex::new(Shelf::new(MOST_ASSERTIONS)),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.authority.now()
    }

    pub(crate) fn issuer(&self) -> &str {
        self.authority.issuer()
    }

    /// The path of an endpoint; `name` begins with a slash.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}{name}", issuer_path(self.issuer()))
    }

    /// The client that made the request.
    pub(crate) fn authenticate(&self, headers: &HeaderMap, form: &Form, now: Timestamp) -> Result<&Client, Refusal> {
        let who = self.clients.authenticate(headers, form, self.issuer(), now)?;
        if let Some((id, until)) = who.assertion {
            let (key, mut used) = (digest(&id), self.assertions.lock().unwrap_or_else(PoisonError::into_inner));
            if used.get(&key, now).is_some() {
                return Err(Refusal::Client);
            }
            used.put(key, (), until, now)?;
        }
        Ok(who.client)
    }

    /// A token of this server, for its default audience where there is one.
    pub(crate) fn builder(&self) -> TokenBuilder {
        let token = TokenBuilder::new(&self.authority).expires_in(self.settings.lifetimes.access_token);
        match &self.settings.audience {
            Some(audience) => token.audience(audience),
            None => token,
        }
    }

    pub(crate) fn note(&self, kind: AuditKind, now: Timestamp, tell: impl FnOnce(AuditEvent) -> AuditEvent) {
        self.audit.note(tell(AuditEvent::new(now, kind)));
    }
}
