//! The guide: one chapter for each question that the API pages do not answer.
//!
//! | chapter | read it when |
//! |---|---|
//! | [How a token is judged](jwt) | a token is refused and you want to know why, or your issuer does not follow RFC 9068 |
//! | [Several issuers](many_issuers) | tokens come from more than one authorization server |
//! | [Opaque tokens](opaque) | the issuer must be asked about its tokens, or about some of them |
//! | [Revocation and freshness](revocation) | a token must end before it expires |
//! | [DPoP](dpop) | a stolen token must be worthless |
//! | [The flow, step by step](flows) | you build a client, or wonder what a step of the flow is for |
//! | [Scopes and their hierarchy](scopes) | you design scopes, or split a broad one without breaking clients |
//! | [Testing](testing) | you test protected routes, expiry, rotation or an outage |
//! | [Configuration](configuration) | you look for a setting, its name in a file or in the environment, its limits |
//! | [Deploying](deploying) | proxies, CORS, nested routers, readiness, private certificate authorities |
//! | [Scaling](scaling) | there is more than one replica |
//! | [Events, logs and metrics](observability) | you operate the service |
//! | [Every number and decision](defaults) | you audit it |
//! | [The threat model](threats) | you decide whether it is enough for what you protect |
//!
//! Every example in it is compiled and run by `cargo test --doc`.

/// Makes a module of each chapter's file, and shows the types it speaks of below it.
///
/// Chapters link to each other by name. A file defines the names for readers of the repository; those given here come
/// first, and of two definitions of one name the first holds.
macro_rules! chapters {
    ($($name:ident, $api:literal;)+) => {$(
        #[doc = "[jwt]: crate::guide::jwt"]
        #[doc = "[many_issuers]: crate::guide::many_issuers"]
        #[doc = "[opaque]: crate::guide::opaque"]
        #[doc = "[revocation]: crate::guide::revocation"]
        #[doc = "[dpop]: crate::guide::dpop"]
        #[doc = "[flows]: crate::guide::flows"]
        #[doc = "[scopes]: crate::guide::scopes"]
        #[doc = "[testing]: crate::guide::testing"]
        #[doc = "[configuration]: crate::guide::configuration"]
        #[doc = "[deploying]: crate::guide::deploying"]
        #[doc = "[scaling]: crate::guide::scaling"]
        #[doc = "[observability]: crate::guide::observability"]
        #[doc = "[defaults]: crate::guide::defaults"]
        #[doc = "[threats]: crate::guide::threats"]
        #[doc = ""]
        #[doc = include_str!(concat!("../docs/guide/", stringify!($name), ".md"))]
        #[doc = concat!("\n---\n\nIn the API: ", $api, ".")]
        pub mod $name {}
    )+};
}

chapters! {
    jwt, "[`Issuer`](crate::Issuer), [`Profile`](crate::Profile), [`RejectionKind`](crate::RejectionKind), [`Algorithm`](crate::Algorithm), [`Principal`](crate::Principal)";
    dpop, "[`Dpop`](crate::Dpop), [`NonceKey`](crate::NonceKey), [`store`](crate::store), [`OriginalTarget`](crate::OriginalTarget)";
    opaque, "[`Issuer`](crate::Issuer), [`client_auth`](crate::client_auth), [`Dependency`](crate::Dependency), [`OnFailure`](crate::OnFailure)";
    revocation, "[`Freshness`](crate::Freshness), [`ResourceServer::revoke`](crate::ResourceServer::revoke), [`Revocation`](crate::Revocation), [`ResourceServer::events`](crate::ResourceServer::events), [`OnFailure`](crate::OnFailure), [`store`](crate::store)";
    many_issuers, "[`Issuer`](crate::Issuer), [`Profile`](crate::Profile), [`ResourceServer::replace`](crate::ResourceServer::replace), [`transport`](crate::transport)";
    flows, "[`dev`](crate::dev), [`ResourceServer::events`](crate::ResourceServer::events), [`Dpop`](crate::Dpop), [`Demand`](crate::Demand)";
    scopes, "[`scopes!`](crate::scopes), [`Granted`](crate::Granted), [`require`](crate::require()), [`Demand`](crate::Demand), [`ScopeHierarchy`](crate::ScopeHierarchy)";
    testing, "[`test`](mod@crate::test), [`dev`](crate::dev)";
    configuration, "[`OAuthConfig`](crate::OAuthConfig), [`OAuthConfigBuilder`](crate::OAuthConfigBuilder), [`ConfigError`](crate::ConfigError), [`OAuthLayer`](crate::OAuthLayer)";
    deploying, "[`OAuthLayer`](crate::OAuthLayer), [`ResourceServer`](crate::ResourceServer), [`PathRules`](crate::PathRules), [`layer`](crate::layer), [`transport`](crate::transport)";
    scaling, "[`RedisStore`](crate::store::RedisStore), [`RedisStoreBuilder`](crate::store::RedisStoreBuilder), [`store`](crate::store), [`OAuthConfigBuilder::store`](crate::OAuthConfigBuilder::store)";
    observability, "[`observe`](crate::observe), [`Rejection`](crate::Rejection), [`RejectionKind`](crate::RejectionKind)";
    defaults, "[`OAuthConfigBuilder`](crate::OAuthConfigBuilder), [`Issuer`](crate::Issuer)";
    threats, "[`OAuthLayer`](crate::OAuthLayer), [`Secret`](crate::secret::Secret)";
}
