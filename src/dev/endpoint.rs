//! The endpoints by name, for faults and for hints.

use std::time::Duration;

use crate::dev::DevServer;
use crate::mint::documents::{Document, INTROSPECTION};
use crate::mint::fault::Fault;
use crate::mint::trouble::{Trouble, Troubles};

/// An endpoint of a [`DevServer`] that can [fail](DevServer::fail_at) or [be slow](DevServer::delay_at) by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// `/authorize`, where a browser brings a client's request.
    Authorization,
    /// `/token`.
    Token,
    /// `/par` (RFC 9126).
    PushedRequests,
    /// `/introspect` (RFC 7662).
    Introspection,
    /// `/revoke` (RFC 7009).
    Revocation,
    /// `/userinfo` (OpenID Connect Core 1.0 section 5.3).
    Userinfo,
    /// `/logout` (OpenID Connect RP-Initiated Logout 1.0).
    Logout,
}

impl Endpoint {
    /// Its path below the issuer's.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Authorization => "/authorize",
            Self::Token => "/token",
            Self::PushedRequests => "/par",
            Self::Introspection => INTROSPECTION,
            Self::Revocation => "/revoke",
            Self::Userinfo => "/userinfo",
            Self::Logout => "/logout",
        }
    }

    /// What is wrong with it.
    pub(crate) fn trouble(self, troubles: &mut Troubles) -> &mut Trouble {
        match self {
            Self::Introspection => troubles.of(Document::Introspection),
            other => troubles.endpoint(other.path()),
        }
    }
}

impl DevServer {
    /// Lets one endpoint fail until [`heal`](Self::heal). The request is handled all the same, so that a fault is a lost
    /// answer: a code is spent, a refresh token has its successor.
    pub fn fail_at(&self, endpoint: Endpoint, fault: Fault) {
        endpoint.trouble(&mut self.authority.state().troubles).fail(fault);
    }

    /// Lets one endpoint wait so long, by tokio's clock, before it looks at a request.
    pub fn delay_at(&self, endpoint: Endpoint, delay: Duration) {
        endpoint.trouble(&mut self.authority.state().troubles).delay(delay);
    }
}
