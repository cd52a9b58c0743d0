//! The registered clients: who they are, what they may ask for, and where answers to them may go.

mod assertion;
mod authenticate;
mod redirect;
mod registration;

use http::Uri;

use crate::crypto::{Algorithm, Key};
use crate::dev::refusal::Refusal;
use crate::scope::ScopeSet;
use crate::secret::Secret;

pub(crate) use registration::registered;

pub use registration::DevClient;

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) authentication: Authentication,
    pub(crate) scopes: ScopeSet,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    pub(crate) backchannel_logout_uri: Option<Uri>,
    /// The resources in whose name it asks for introspection; empty for all.
    pub(crate) resources: Vec<String>,
    /// Gets bound tokens or none (`dpop_bound_access_tokens`, RFC 9449 section 5.2).
    pub(crate) is_dpop_bound: bool,
    /// Its access tokens say nothing by themselves.
    pub(crate) has_opaque_tokens: bool,
    /// Must push its authorization requests (`require_pushed_authorization_requests`, RFC 9126 section 6).
    pub(crate) must_push: bool,
}

/// How a client proves that it is the one (RFC 6749 section 2.3).
#[derive(Debug)]
pub(crate) enum Authentication {
    /// `client_secret_basic` or `client_secret_post`.
    Secret(Secret<String>),
    /// `private_key_jwt` by any of these keys.
    Key(Vec<(Algorithm, Key)>),
    /// A public client: its name alone.
    None,
}

impl Client {
    pub(crate) const fn is_public(&self) -> bool {
        matches!(self.authentication, Authentication::None)
    }

    /// The scopes asked for, each of them the client's; all of the client's when none is asked for (RFC 6749 section 3.3).
    pub(crate) fn granted(&self, requested: Option<&str>) -> Result<ScopeSet, Refusal> {
        narrowed(&self.scopes, requested)
    }

    /// The redirect URI to answer to: the one that was sent, if it is registered; without one, the only one.
    pub(crate) fn redirect_uri(&self, requested: Option<&str>) -> Option<String> {
        match (requested, self.redirect_uris.as_slice()) {
            (Some(uri), registered) => {
                registered.iter().any(|known| redirect::matches(known, uri)).then(|| uri.to_owned())
            }
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }

    pub(crate) fn may_return_after_logout(&self, uri: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|known| redirect::matches(known, uri))
    }
}

/// The scopes asked for, if all of them are held; all that are held when none is asked for.
pub(crate) fn narrowed(held: &ScopeSet, requested: Option<&str>) -> Result<ScopeSet, Refusal> {
    let Some(requested) = requested else { return Ok(held.clone()) };
    let scopes = ScopeSet::from_tokens(requested.split(' ')).map_err(|_| Refusal::Scope)?;
    if scopes.iter().all(|scope| held.contains(scope)) { Ok(scopes) } else { Err(Refusal::Scope) }
}

/// All clients of one server.
#[derive(Debug)]
pub(crate) struct Clients(Vec<Client>);

impl Clients {
    pub(crate) fn get(&self, id: &str) -> Option<&Client> {
        self.0.iter().find(|client| client.id == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.0.iter()
    }
}
