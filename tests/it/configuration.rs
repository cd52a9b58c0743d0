//! Configuration: checked as a whole, with the mend in the text.

use std::time::Duration;

use tower_oauth::crypto::Algorithm;
use tower_oauth::observe::Event;
use tower_oauth::{Issuer, MaxLifetime, OAuthConfig, ResourceServer, ScopeHierarchy};

use crate::support::{Fixture, RESOURCE, config};

fn problems(built: Result<OAuthConfig, tower_oauth::ConfigError>) -> Vec<String> {
    built.unwrap_err().problems().to_vec()
}

#[test]
fn every_problem_is_told_at_once() {
    let built = OAuthConfig::builder("http://rs.example/#top")
        .leeway(Duration::from_secs(121))
        .realm("tab\t")
        .scopes(ScopeHierarchy::exact().implies("a", ["b"]).implies("b", ["a"]))
        .trust("as.example")
        .trust(Issuer::jwt("https://as.example?x=1"))
        .trust(Issuer::jwt("https://twice.example").algorithms([]))
        .trust("https://twice.example")
        .trust(Issuer::jwt("https://three.example").jwks_uri("http://three.example/jwks"))
        .trust(Issuer::jwt("https://four.example").jwks("{\"keys\":[],\"keys\":[]}"))
        .build();
    let problems = problems(built);
    for part in [
        "resource",
        "leeway",
        "realm",
        "circle",
        "as.example",
        "query",
        "algorithm",
        "twice",
        "three.example/jwks",
        "JWK Set",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:#?}");
    }
}

#[test]
fn a_leeway_of_two_minutes_is_the_most() {
    let build =
        |secs| OAuthConfig::builder(RESOURCE).trust("https://as.example").leeway(Duration::from_secs(secs)).build();
    assert!(build(0).is_ok() && build(120).is_ok());
    assert!(problems(build(121))[0].contains("120"));
}

#[test]
fn somebody_must_be_trusted() {
    assert!(problems(OAuthConfig::builder(RESOURCE).build())[0].contains("trust(..)"));
}

#[test]
fn plain_http_needs_a_door_with_its_name_on_it() {
    let build =
        |resource: &str, issuer: &str| OAuthConfig::builder(resource).trust(issuer).dangerous_loopback_http().build();
    assert!(build("http://127.0.0.1:3000", "http://[::1]:4000").is_ok());
    for (resource, issuer) in [
        ("http://localhost:3000", "https://as.example"),
        ("http://rs.example", "https://as.example"),
        ("https://rs.example", "http://as.example"),
        ("https://rs.example", "http://127.0.0.1.example"),
    ] {
        assert!(build(resource, issuer).is_err(), "{resource} {issuer}");
    }
    assert!(OAuthConfig::builder("https://rs.example").trust("http://127.0.0.1:4000").build().is_err());
}

#[tokio::test]
async fn a_section_of_a_file_configures_everything() {
    let section = r#"
        resource = "https://rs.example/api"
        audiences = ["api://rs"]
        leeway_seconds = 30
        realm = "orders"
        resource_name = "Orders"
        scopes_supported = ["orders:read"]
        refuse_query_tokens = true

        [scopes]
        separator = ":"
        implies = { admin = ["orders:write"] }

        [[issuers]]
        issuer = "https://as.example"
        profile = "keycloak"
        roles_at = ["resource_access.api.roles"]
        algorithms = ["ES256", "EdDSA"]
        max_lifetime_seconds = 3600
        report_lifetime_only = true

        [[issuers]]
        issuer = "https://two.example"
        jwks_uri = "https://two.example/keys"
    "#;
    let config: OAuthConfig = toml::from_str(section).unwrap();
    let server = ResourceServer::new(config);
    assert!(format!("{server:?}").contains("two.example"));

    let broken = r#"
        resource = "https://rs.example"
        [[issuers]]
        issuer = "https://as.example"
        profile = "octopus"
        algorithms = ["HS256"]
        jwks_uri = "https://as.example/keys"
        jwks_file = "/keys.json"
    "#;
    let error = toml::from_str::<OAuthConfig>(broken).unwrap_err().to_string();
    for part in ["octopus", "HS256", "exclude each other"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(toml::from_str::<OAuthConfig>("resource = \"https://rs.example\"\nrealms = 1").is_err());
}

/// What is wrong with a section of one issuer with these settings.
fn told_of_issuer(settings: &str) -> String {
    let section =
        format!("resource = \"https://rs.example\"\n[[issuers]]\nissuer = \"https://as.example\"\n{settings}");
    let built = toml::from_str::<OAuthConfig>(&section);
    built.map_or_else(|error| error.to_string(), |config| format!("fine: {config:?}"))
}

#[test]
fn a_section_tells_how_an_issuer_is_asked() {
    let secret = "client_id = \"me\"\nclient_secret = \"hush\"\n";
    let key = "client_id = \"me\"\nclient_key_file = \"/key.pem\"\nclient_auth = \"private_key_jwt\"\n";
    for fine in [
        format!("kind = \"opaque\"\n{secret}"),
        format!("kind = \"hybrid\"\nclient_auth = \"secret_post\"\ntokens_starting = \"x_\"\n{secret}"),
        format!("kind = \"jwt\"\nconfirm_online = true\nsigned_answers = true\ncache_seconds = 0\n{secret}"),
        format!("kind = \"opaque\"\nclient_key_id = \"1\"\nclient_key_algorithm = \"PS256\"\n{key}"),
        "kind = \"opaque\"\nclient_auth = \"bearer\"\nclient_secret_file = \"/token\"\ncache_until_exp = true".into(),
        "status_list_origins = [\"https://lists.example\"]".into(),
    ] {
        let told = told_of_issuer(&fine);
        assert!(told.starts_with("fine: ") && !told.contains("hush"), "{fine}\n{told}");
    }
    for (wrong, part) in [
        ("kind = \"opaque\"".into(), "needs client_id"),
        ("kind = \"opaque\"".into(), "needs client_secret or client_secret_file"),
        ("kind = \"octopus\"".into(), "use jwt, opaque or hybrid"),
        (format!("cache_seconds = 5\n{secret}"), "not asked: client_id, client_secret, cache_seconds;"),
        (format!("kind = \"hybrid\"\nconfirm_online = true\n{secret}"), "remove confirm_online"),
        (format!("confirm_online = true\ntokens_starting = \"x_\"\n{secret}"), "set kind to hybrid"),
        (format!("kind = \"opaque\"\nclient_auth = \"tls\"\n{secret}"), "use secret_basic"),
        (format!("kind = \"opaque\"\nclient_key_file = \"/key.pem\"\n{secret}"), "no use for client_key_file"),
        (format!("kind = \"opaque\"\nclient_key_id = \"1\"\n{secret}"), "no use for client_key_id"),
        (format!("kind = \"opaque\"\nclient_secret = \"hush\"\n{key}"), "no use for client_secret"),
        (format!("kind = \"opaque\"\nclient_key_algorithm = \"HS256\"\n{key}"), "HS256"),
        (format!("kind = \"opaque\"\nclient_auth = \"bearer\"\n{secret}"), "no use for client_id"),
        (format!("kind = \"opaque\"\nclient_secret_file = \"/s\"\n{secret}"), "exclude each other"),
        ("kind = \"opaque\"\nclient_id = \"me\"\nclient_secret = \"\"".into(), "client_secret is empty"),
        (format!("kind = \"opaque\"\ncache_seconds = 1\ncache_until_exp = true\n{secret}"), "exclude each other"),
        (format!("kind = \"opaque\"\nquestions_at_once = 0\n{secret}"), "questions_at_once"),
        ("kinds = \"opaque\"".into(), "unknown field `kinds`"),
        ("kind = \"octopus\"\nprofile = \"squid\"".into(), "squid"),
    ] {
        let told = told_of_issuer(&wrong);
        assert!(told.contains(part) && !told.contains("hush"), "{wrong}\n{told}");
    }
}

#[test]
fn a_section_tells_how_fresh_a_verdict_must_be_and_what_an_outage_does() {
    let told = |settings: &str| {
        let issuers = "[[issuers]]\nissuer = \"https://as.example\"";
        let section = format!("resource = \"https://rs.example\"\n{settings}\n{issuers}");
        toml::from_str::<OAuthConfig>(&section).map_or_else(|error| error.to_string(), |config| format!("{config:?}"))
    };
    assert!(told("freshness = \"always\"").contains("freshness: Always"));
    assert!(told("freshness = { within_seconds = 7 }").contains("freshness: Within(7s)"));
    assert!(
        told("freshness = \"mostly\"").contains("expected one of `offline`, `denylist`, `within_seconds`, `always`")
    );
    let policies = told(
        "on_failure = { introspection = { stale_within_seconds = 9 }, status_list = \"open_and_counted\", denylist = \"closed\" }\nrules_live_for_seconds = 60",
    );
    for part in ["introspection: StaleWithin(9s)", "status_list: OpenAndCounted", "denylist: Closed", "rules_live: 60s"]
    {
        assert!(policies.contains(part), "{part} is not in {policies}");
    }
    assert!(told("on_failure = { replay = { stale_within_seconds = 9 } }").contains("use Closed or OpenAndCounted"));
    assert!(told("on_failure = { redis = \"closed\" }").contains("unknown field `redis`"));
}

#[tokio::test]
async fn a_long_lifetime_is_reported_or_refused() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let reports = Arc::new(AtomicUsize::new(0));
    for (limit, passes, reported) in [
        (None, true, 0),
        (Some(MaxLifetime::Report(Duration::from_secs(60))), true, 1),
        (Some(MaxLifetime::Refuse(Duration::from_secs(60))), false, 0),
        (Some(MaxLifetime::Refuse(Duration::from_secs(61))), true, 0),
    ] {
        reports.store(0, Ordering::SeqCst);
        let count = Arc::clone(&reports);
        let fixture = Fixture::new();
        let issuer = fixture.issuer.issuer();
        let issuer = match limit {
            Some(limit) => issuer.max_lifetime(limit),
            None => issuer,
        };
        let config = config(&fixture.clock).trust(issuer).observer(move |event: &Event<'_>| {
            if matches!(event, Event::LifetimeTooLong { .. }) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let fixture = Fixture { server: ResourceServer::new(config.build().unwrap()), ..fixture };
        let answer = fixture.answer(&fixture.token().expires_in(Duration::from_secs(61)).sign()).await;
        assert_eq!(answer.passed(), passes, "{limit:?}");
        assert_eq!(reports.load(Ordering::SeqCst), reported, "{limit:?}");
        if !passes {
            answer.assert_invalid_token("lifetime_too_long");
        }
    }
}

#[tokio::test]
async fn keys_are_given_by_hand_in_a_file_or_at_an_address() {
    let fixture = Fixture::new();
    let jwks = fixture.issuer.jwks().to_string();
    let path = std::env::temp_dir().join(format!("tower-oauth-jwks-{}.json", std::process::id()));
    std::fs::write(&path, &jwks).unwrap();
    let name = fixture.issuer.issuer_url();
    let broken = tower::service_fn(|_: http::Request<http_body_util::Full<bytes::Bytes>>| async {
        Err::<http::Response<http_body_util::Full<bytes::Bytes>>, std::io::Error>(std::io::Error::other("no network"))
    });
    for issuer in [
        Issuer::jwt(name).jwks(jwks.as_str()).transport(broken),
        Issuer::jwt(name).jwks_file(&path).transport(broken),
        fixture.issuer.issuer().jwks_uri(format!("{name}/jwks")),
    ] {
        let server = ResourceServer::new(config(&fixture.clock).trust(issuer).build().unwrap());
        let fixture = Fixture { server, issuer: fixture.issuer.clone(), clock: fixture.clock.clone() };
        fixture.answer(&fixture.token().sign()).await.assert_passed();
        fixture.answer(&fixture.token().bad_signature().sign()).await.assert_invalid_token("signature_invalid");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!((fixture.issuer.metadata_fetches(), fixture.issuer.jwks_fetches() > 0), (0, true));
}

#[tokio::test]
async fn the_algorithms_of_an_issuer_are_a_list_of_what_is_allowed() {
    let fixture = Fixture::new();
    let config =
        config(&fixture.clock).trust(fixture.issuer.issuer().algorithms([Algorithm::Es256, Algorithm::Ed25519]));
    let fixture = Fixture { server: ResourceServer::new(config.build().unwrap()), ..fixture };
    for (algorithm, passes) in [
        (Algorithm::Es256, true),
        (Algorithm::Ed25519, true),
        (Algorithm::EdDsa, false),
        (Algorithm::Es384, false),
        (Algorithm::Rs256, false),
    ] {
        let answer = fixture.answer(&fixture.token().algorithm(algorithm).sign()).await;
        assert_eq!(answer.passed(), passes, "{algorithm}");
    }
}

#[tokio::test]
async fn every_algorithm_is_verified() {
    let fixture = Fixture::new();
    for algorithm in Algorithm::ALL {
        fixture.issuer.add_key(algorithm);
    }
    for algorithm in Algorithm::ALL {
        fixture.answer(&fixture.token().algorithm(algorithm).sign()).await.assert_passed();
        let forged = fixture.token().algorithm(algorithm).bad_signature().sign();
        fixture.answer(&forged).await.assert_invalid_token("signature_invalid");
    }
}
