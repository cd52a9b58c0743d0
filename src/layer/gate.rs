//! What one request needs to pass, and what it carries on once it does.

use std::sync::Arc;

use http::Method;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::request::Parts;

use super::paths::Ruling;
use super::{Access, Options, Preflight};
use crate::reject::{Cause, Rejection};
use crate::server::{Decision, ResourceServer};
use crate::token::{Anonymous, Authenticated};

/// The ruling on one request.
pub(super) struct Gate {
    ruling: Ruling,
}

impl Gate {
    pub(super) fn new(options: &Options, parts: &Parts) -> Self {
        let ruling = match &options.paths {
            _ if options.preflight == Preflight::Pass && is_preflight(parts) => Ruling::of(Access::Public),
            Some(rules) => rules.rule(&parts.method, parts.uri.path()),
            None => Ruling::of(options.access),
        };
        Self { ruling }
    }

    pub(super) fn decide(&self, server: &ResourceServer, parts: &Parts) -> Decision {
        if self.ruling.access == Access::Public {
            return Decision::Now(Ok(None));
        }
        match parts.extensions.get::<Authenticated>() {
            None => server.authenticate(parts),
            // A layer of the same server around this one has proved the credential already.
            Some(known) if known.context().server == server.id() => Decision::Now(Ok(Some(known.clone()))),
            Some(known) => {
                let mixed = Rejection::new(Cause::ServersMixed, None);
                Decision::Now(Err(known.context().refuse(mixed, None, true)))
            }
        }
    }

    /// Puts the verdict into the request's extensions, or says why the request may not pass.
    pub(super) fn open(
        &self,
        verdict: Result<Option<Authenticated>, Rejection>,
        server: &ResourceServer,
        options: &Options,
        parts: &mut Parts,
    ) -> Result<(), Rejection> {
        match verdict? {
            Some(authenticated) => {
                self.ruling.demands.iter().try_for_each(|demand| authenticated.meets(demand))?;
                if let Some(inject) = options.typed {
                    inject(&authenticated, &mut parts.extensions)?;
                }
                parts.extensions.remove::<Anonymous>();
                parts.extensions.insert(authenticated);
            }
            None => {
                let anonymous = Anonymous::new(Arc::clone(&server.state().context));
                if self.ruling.access == Access::Required {
                    return Err(anonymous.reject(&self.ruling.first_demand()));
                }
                // A verdict of a layer further out stays; a path that is public here takes nothing away.
                if parts.extensions.get::<Authenticated>().is_none() {
                    parts.extensions.insert(anonymous);
                }
            }
        }
        if options.strip_credential {
            parts.headers.remove(AUTHORIZATION);
        } else if let Some(credential) = parts.headers.get_mut(AUTHORIZATION) {
            // Whoever prints the request's headers from here on prints no token.
            credential.set_sensitive(true);
        }
        Ok(())
    }
}

/// A preflight as browsers send it: without credentials, and with both headers that make it one.
fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && !parts.headers.contains_key(AUTHORIZATION)
}
