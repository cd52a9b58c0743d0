//! From settings to a running server.

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;

use axum::serve;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{DevServerBuilder, DevServerError};
use crate::dev::DevServer;
use crate::dev::clients::registered;
use crate::dev::dpop::Dpop;
use crate::dev::events::{self, Events, Listener, deliver};
use crate::dev::listen::{OwnedListener, gone};
use crate::dev::metadata::members;
use crate::dev::routes::routes;
use crate::dev::server::{AuthorizationServer, Consent, Settings};
use crate::dev::status;
use crate::dev::users::Users;
use crate::mint::authority::Authority;

/// The longest that a code may live (RFC 6749 section 4.1.2).
const LONGEST_CODE: Duration = Duration::from_secs(600);
/// The longest that anything else may live: the end of a session is remembered for this long twice.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl DevServerBuilder {
    /// Binds the socket and serves from a background task, which ends when the [`DevServer`] is dropped.
    ///
    /// # Errors
    /// [`DevServerError`], from the settings or from the operating system.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub async fn start(self) -> Result<DevServer, DevServerError> {
        if !self.allow_non_loopback && !self.address.ip().to_canonical().is_loopback() {
            return Err(DevServerError::NotLoopback(self.address));
        }
        let listener = TcpListener::bind(self.address).await.map_err(DevServerError::Bind)?;
        let address = listener.local_addr().map_err(DevServerError::Bind)?;
        let quiet = self.quiet;
        let server = Arc::new(self.assemble(&format!("http://{address}"))?);
        announce(server.issuer(), quiet);
        let (owner, owned) = watch::channel(());
        let listener = OwnedListener { listener, owner: owned.clone() };
        let serving = serve(listener, routes(Arc::clone(&server))).with_graceful_shutdown(gone(owned.clone()));
        let delivering = deliver(Arc::clone(&server), owned);
        // Ends without an error, by the documentation of `serve`.
        let task = tokio::spawn(async move { tokio::join!(serving.into_future(), delivering).0.unwrap_or_default() });
        Ok(DevServer::new(server, owner, task))
    }

    /// The server without its socket.
    pub(crate) fn assemble(self, origin: &str) -> Result<AuthorizationServer, DevServerError> {
        if !is_issuer_path(&self.issuer_path) {
            return Err(DevServerError::IssuerPath);
        }
        let clients = registered(self.clients).map_err(DevServerError::Client)?;
        let users = Users::new(self.users).map_err(DevServerError::User)?;
        if let Consent::Approve(user) = &self.consent
            && users.get(user).is_none()
        {
            return Err(DevServerError::User("the one who approves is not among the users"));
        }
        if self.acr_values.iter().any(|value| value.is_empty() || value.contains(' ')) {
            return Err(DevServerError::Setting("an acr value is one word"));
        }
        let lifetimes = self.lifetimes;
        if lifetimes.code > LONGEST_CODE {
            return Err(DevServerError::Setting("a code lives ten minutes at most (RFC 6749 section 4.1.2)"));
        }
        if lifetimes.access_token > LONGEST || lifetimes.refresh > LONGEST {
            return Err(DevServerError::Setting("access tokens and refresh tokens live a day at most"));
        }
        let listeners = listeners(self.listeners, self.audience.as_deref())?;
        let settings = Settings {
            audience: self.audience,
            lifetimes,
            consent: self.consent,
            acr_values: self.acr_values,
            has_opaque_tokens: self.has_opaque_tokens,
            has_status_list: self.has_status_list,
        };
        let authority = Authority::new(format!("{origin}{}", self.issuer_path), self.algorithm)?;
        authority.state().clock = self.clock;
        authority.state().members = members(authority.issuer(), self.algorithm, &clients, &settings);
        if settings.has_status_list {
            authority.state().status_lists.insert(status::LIST, status::list());
        }
        let dpop = Dpop::new(origin, self.dpop_nonce, authority.now())?;
        let events = Events::new(listeners);
        Ok(AuthorizationServer::new(Arc::new(authority), settings, clients, users, dpop, events))
    }
}

fn listeners(given: Vec<(String, Option<String>)>, audience: Option<&str>) -> Result<Vec<Listener>, DevServerError> {
    let check = |(text, own): (String, Option<String>)| {
        let url = events::url(&text).ok_or(DevServerError::Setting("a listener is an http URL"))?;
        let audience = own.or_else(|| audience.map(str::to_owned)).unwrap_or(text);
        Ok(Listener { url, audience })
    };
    given.into_iter().map(check).collect()
}

/// Empty, or segments of unreserved characters (RFC 3986 section 2.3) that need no encoding anywhere.
fn is_issuer_path(path: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
    let is_segment = |segment: &str| !segment.is_empty() && segment.bytes().all(is_unreserved);
    path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}

fn announce(issuer: &str, quiet: bool) {
    tracing::warn!(target: "tower_oauth::dev", issuer, "DevServer is for development and tests, not for production");
    if !quiet {
        eprintln!(
            "\n  ** DevServer: an authorization server for DEVELOPMENT AND TESTS **\n  \
             NOT FOR PRODUCTION: no TLS, no passwords, keys in memory, no policy.\n  issuer: {issuer}\n"
        );
    }
}
