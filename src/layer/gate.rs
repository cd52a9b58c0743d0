//! What one request needs to pass, and what it carries on once it does.

use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};

use super::paths::Ruling;
use super::{Access, Options, Preflight};
use crate::demand::Freshness;
use crate::reject::{Cause, Rejection};
use crate::server::Decision;
use crate::token::{Anonymous, Authenticated};

/// Carries the proof of possession (RFC 9449 section 4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");

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

    pub(super) fn decide(&self, options: &Options, parts: &Parts) -> Decision {
        if self.ruling.access == Access::Public {
            return Decision::Now(Ok(None));
        }
        match parts.extensions.get::<Authenticated>() {
            None => options.server.authenticate(parts, &options.wishes, self.floor()),
            // A layer of the same server around this one has proved the credential already.
            Some(known) if known.context().server == options.server.id() => {
                options.server.reuse(known, &options.wishes, self.floor())
            }
            Some(known) => {
                let mixed = Rejection::mistake(Cause::ServersMixed);
                Decision::Now(Err(known.context().refuse(mixed, None, true)))
            }
        }
    }

    /// How fresh the demands of the path want the verdict.
    fn floor(&self) -> Freshness {
        self.ruling.demands.iter().fold(Freshness::Offline, |floor, demand| floor.stricter(demand.freshness()))
    }

    /// Puts the verdict into the request's extensions, or says why the request may not pass. Gives the nonce for the
    /// client's next proof.
    pub(super) fn open(
        &self,
        verdict: Result<Option<Authenticated>, Rejection>,
        options: &Options,
        parts: &mut Parts,
    ) -> Result<Option<HeaderValue>, Rejection> {
        let mut nonce = None;
        match verdict? {
            Some(authenticated) => {
                self.ruling.demands.iter().try_for_each(|demand| authenticated.meets(demand))?;
                if let Some(inject) = options.typed {
                    inject(&authenticated, &mut parts.extensions)?;
                }
                nonce = authenticated.dpop_nonce().cloned();
                parts.extensions.remove::<Anonymous>();
                parts.extensions.insert(authenticated);
            }
            None => {
                let anonymous = Anonymous::new(Arc::clone(&options.server.state().context));
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
            parts.headers.remove(DPOP);
        } else {
            // Whoever prints the request's headers from here on prints neither token nor proof.
            for name in [&AUTHORIZATION, &DPOP] {
                if let Some(credential) = parts.headers.get_mut(name) {
                    credential.set_sensitive(true);
                }
            }
        }
        Ok(nonce)
    }
}

/// A preflight as browsers send it: without credentials, and with both headers that make it one.
fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && !parts.headers.contains_key(AUTHORIZATION)
}
