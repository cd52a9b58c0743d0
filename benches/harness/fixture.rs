//! One issuer in memory, a server that keeps verdicts, and one that does not.

use std::time::Duration;

use axum::Router;
use tokio::runtime::{Builder, Handle};
use tower_oauth::test::{OpaqueTokenBuilder, TestIssuer, TokenBuilder};
use tower_oauth::{Issuer, OAuthConfig, OAuthConfigBuilder, OAuthLayer, ResourceServer};

use super::service::bare;

pub(crate) const RESOURCE: &str = "https://api.test";

pub(crate) struct Fixture {
    pub(crate) issuer: TestIssuer,
    /// Keeps verdicts, as configured by default.
    pub(crate) server: ResourceServer,
    /// Verifies each request.
    pub(crate) uncached: ResourceServer,
    /// A valid token of about 800 bytes.
    pub(crate) token: String,
    pub(crate) runtime: Handle,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let handle = runtime.handle().clone();
        // It refreshes keys for as long as the benchmark runs, and sleeps meanwhile.
        std::mem::forget(runtime);
        // Requests that cause a fetch find the runtime as they would in a service.
        std::mem::forget(handle.enter());
        let issuer = TestIssuer::new("https://login.test");
        let server = ready(&handle, issuer.issuer(), |config| config);
        let uncached = ready(&handle, issuer.issuer(), |config| config.cached_verdicts(0));
        let mut fixture = Self { issuer, server, uncached, token: String::new(), runtime: handle };
        fixture.token = fixture.token_with(0);
        fixture
    }

    /// Another server that believes the same issuer, its keys there.
    pub(crate) fn server(&self, change: impl FnOnce(OAuthConfigBuilder) -> OAuthConfigBuilder) -> ResourceServer {
        ready(&self.runtime, self.issuer.issuer(), change)
    }

    /// A server that trusts the issuer otherwise than by its signatures alone.
    pub(crate) fn server_of(
        &self,
        trust: Issuer,
        change: impl FnOnce(OAuthConfigBuilder) -> OAuthConfigBuilder,
    ) -> ResourceServer {
        ready(&self.runtime, trust, change)
    }

    /// An opaque token about which the issuer says as much as a signed one holds.
    pub(crate) fn opaque(&self, number: usize) -> OpaqueTokenBuilder {
        self.issuer
            .opaque_token_for(RESOURCE)
            .expires_in(Duration::from_secs(3600))
            .subject(format!("5f1a8c1e-60b7-4b0e-9a51-{number:012}"))
            .scope("openid profile email orders:read orders:write")
            .roles(["clerk", "auditor"])
    }

    /// The usual service behind the layer of the server that keeps verdicts.
    pub(crate) fn app(&self) -> Router {
        bare().layer(OAuthLayer::new(&self.server))
    }

    /// About 800 bytes, with claims as issuers really send them.
    pub(crate) fn builder(&self, number: usize) -> TokenBuilder {
        self.issuer
            .token_for(RESOURCE)
            .expires_in(Duration::from_secs(3600))
            .subject(format!("5f1a8c1e-60b7-4b0e-9a51-{number:012}"))
            .scope("openid profile email orders:read orders:write")
            .claim("name", "Ada Example")
            .claim("email", "ada@example.com")
            .claim("tenant", "north-1")
            .claim("locale", "en-GB")
            .claim("picture", "https://cdn.example.com/avatars/ada.png")
            .claim("sid", "b1946ac92492d2347c6235b4d2611184")
            .roles(["clerk", "auditor"])
    }

    pub(crate) fn token_with(&self, number: usize) -> String {
        self.builder(number).sign()
    }

    pub(crate) fn tokens(&self, count: usize) -> Vec<String> {
        (0..count).map(|number| self.token_with(number)).collect()
    }

    /// Tokens that are in order but for their signatures.
    pub(crate) fn forged(&self, count: usize) -> Vec<String> {
        (0..count).map(|number| self.builder(number).bad_signature().sign()).collect()
    }
}

fn ready(
    runtime: &Handle,
    trust: Issuer,
    change: impl FnOnce(OAuthConfigBuilder) -> OAuthConfigBuilder,
) -> ResourceServer {
    let config = change(OAuthConfig::builder(RESOURCE).trust(trust));
    let server = ResourceServer::new(config.build().expect("a sound configuration"));
    runtime.block_on(server.ready()).expect("keys");
    server
}
