//! Path rules: what they open they open narrowly, what they close they close for every spelling.

use http::{Method, Request};
use tower::{Layer as _, service_fn, util::BoxCloneSyncService};
use tower_oauth::test::RequestExt as _;
use tower_oauth::{OAuthLayer, PathRules};

use crate::support::{App, Fixture, inner, send};

tower_oauth::scopes! {
    Admin = "admin";
    Delete = "delete";
}

fn app(fixture: &Fixture) -> App {
    let rules = PathRules::new()
        .public("/health")
        .public("/public/{*rest}")
        .optional((Method::GET, "/catalogue/{item}"))
        .authenticated("/admin/help")
        .require::<Admin>("/admin/{*rest}")
        .require::<Delete>((Method::DELETE, "/orders/{id}"))
        .authenticated("/me");
    BoxCloneSyncService::new(OAuthLayer::new(&fixture.server).paths(rules).layer(service_fn(inner)))
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path)
}

/// The status for nobody, for a holder of any valid token, and for an administrator.
async fn statuses(method: &str, path: &str) -> [u16; 3] {
    let fixture = Fixture::new();
    let app = app(&fixture);
    let (plain, admin) = (fixture.token().sign(), fixture.token().scope("admin").sign());
    [
        send(&app, request(method, path)).await.status().as_u16(),
        send(&app, request(method, path).bearer(&plain)).await.status().as_u16(),
        send(&app, request(method, path).bearer(&admin)).await.status().as_u16(),
    ]
}

#[tokio::test]
async fn the_first_rule_that_matches_decides() {
    for (method, path, expected) in [
        ("GET", "/health", [200, 200, 200]),
        ("POST", "/health", [200, 200, 200]),
        ("GET", "/public/a/b.css", [200, 200, 200]),
        ("GET", "/catalogue/tea", [200, 200, 200]),
        ("HEAD", "/catalogue/tea", [200, 200, 200]),
        ("POST", "/catalogue/tea", [401, 200, 200]),
        ("GET", "/admin/help", [401, 200, 200]),
        ("GET", "/admin/users", [401, 403, 200]),
        ("DELETE", "/orders/7", [401, 403, 403]),
        ("GET", "/orders/7", [401, 200, 200]),
        ("GET", "/me", [401, 200, 200]),
        ("GET", "/unknown", [401, 200, 200]),
        ("GET", "/", [401, 200, 200]),
    ] {
        assert_eq!(statuses(method, path).await, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_public_path_opens_another() {
    for path in [
        "//health",
        "/health/",
        "/Health",
        "/health%2F",
        "/%68ealth",
        "/health;x=1",
        "/health%20",
        "/%68ealth/",
        "/./health",
        "/x/../health",
        "/public/",
        "/public",
        "/public//a",
        "/public/../me",
        "/public/%2e%2e/me",
        "/public/%2E%2E%2Fme",
        "/public/..%2fme",
        "/public/..%5cme",
        "/public/a%2fb",
        "/public/a;/../../me",
        "/public/%252e%252e/me",
    ] {
        assert_eq!(statuses("GET", path).await[0], 401, "{path}");
    }
}

#[tokio::test]
async fn every_spelling_of_a_demanded_path_demands() {
    for path in [
        "/admin/users/",
        "/admin",
        "/admin/",
        "/ADMIN/users",
        "//admin/users",
        "/admin//users",
        "/%61dmin/users",
        "/%2561dmin/users",
        "/admin%2fusers",
        "/admin%5cusers",
        "/x/../admin/users",
        "/x/%2e%2e/admin/users",
        "/public/../admin/users",
        "/public/..%2fadmin/users",
        "/admin/./users",
        "/admin;v=1/users",
        "/admin/help/",
        "/Admin/Help",
        "/admin/help/../users",
        "/catalogue/..%2fadmin%2fusers",
        "/x/%ff/../../admin",
        "/admin%00",
        "/admin/x/../../orders",
        "/admin/%2e%2e/orders",
    ] {
        let [nobody, plain, _] = statuses("GET", path).await;
        assert_eq!((nobody, plain), (401, 403), "{path}");
    }
}

#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_needs_every_demand() {
    let fixture = Fixture::new();
    let app = app(&fixture);
    let (admin, all) = (fixture.token().scope("admin").sign(), fixture.token().scope("admin delete").sign());
    for path in ["/admin/x/../../orders/7", "/admin/%2e%2e/orders/7", "/admin/..%2forders/7", "/admin//users"] {
        assert_eq!(send(&app, request("GET", path).bearer(&admin)).await.status(), 403, "{path}");
        assert_eq!(send(&app, request("GET", path).bearer(&all)).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn an_encoded_name_is_the_name() {
    for (path, expected) in [
        ("/public/my%20file.css", [200, 200, 200]),
        ("/catalogue/caf%C3%A9", [200, 200, 200]),
        ("/admin/my%20report", [401, 403, 200]),
        ("/me%20", [401, 200, 200]),
    ] {
        assert_eq!(statuses("GET", path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn other_methods_and_forms_are_no_way_around() {
    for (method, path, expected) in [
        ("HEAD", "/admin/users", [401, 403, 200]),
        ("OPTIONS", "/admin/users", [401, 403, 200]),
        ("OPTIONS", "*", [401, 403, 403]),
        ("GET", "http://rs.example/admin/users", [401, 403, 200]),
        ("GET", "http://rs.example/health", [200, 200, 200]),
        ("HEAD", "/orders/7", [401, 200, 200]),
        ("BREW", "/admin/users", [401, 403, 200]),
    ] {
        assert_eq!(statuses(method, path).await, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_public_path_ignores_a_bad_token_and_an_optional_one_refuses_it() {
    let fixture = Fixture::new();
    let app = app(&fixture);
    let public = send(&app, request("GET", "/health").bearer("junk")).await;
    public.assert_passed();
    assert_eq!(public.header("x-anonymous"), Some("yes"));
    send(&app, request("GET", "/catalogue/tea").bearer("junk")).await.assert_invalid_token("token_malformed");
    let known = send(&app, request("GET", "/catalogue/tea").bearer(&fixture.token().sign())).await;
    assert_eq!(known.header("x-principal"), Some("user user-1"));
}

#[tokio::test]
async fn a_refusal_by_a_rule_names_the_scope() {
    let fixture = Fixture::new();
    let app = app(&fixture);
    let nobody = send(&app, request("GET", "/admin/users")).await;
    nobody.assert_refused(401, None);
    assert_eq!(nobody.parameter("scope"), Some("admin"));
    let plain = send(&app, request("GET", "/admin/users").bearer(&fixture.token().sign())).await;
    plain.assert_refused(403, Some("insufficient_scope"));
    assert_eq!(plain.parameter("scope"), Some("admin"));
}

#[test]
fn a_pattern_that_cannot_match_is_refused_at_once() {
    for pattern in ["health", "", "/{*rest}/x"] {
        let made = std::panic::catch_unwind(|| PathRules::new().public(pattern));
        assert!(made.is_err(), "{pattern:?}");
    }
}

proptest::proptest! {
    /// Whatever stands in a path, nobody passes without a token unless a public rule names it as it is written.
    #[test]
    fn no_path_is_a_way_around(path in "/[a-z./%;2eEfF5cC\\\\]{0,24}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let Ok(uri) = path.parse::<http::Uri>() else { return Ok(()) };
        let status = runtime.block_on(statuses("GET", &uri.to_string()))[0];
        // Names alone, without anything to decode: what else is public has its own table.
        let plain = |segment: &str| {
            !segment.is_empty() && !segment.contains(['%', ';', '\\']) && segment != "." && segment != ".."
        };
        if path.contains('%') && status == 200 {
            proptest::prop_assert!(path.starts_with("/public/") || path.starts_with("/catalogue/"), "{}", path);
            proptest::prop_assert!(!path.contains("/../") && !path.to_lowercase().contains("%2f") && !path.to_lowercase().contains("%5c"), "{}", path);
            return Ok(());
        }
        let is_public = path == "/health"
            || path.strip_prefix("/public/").is_some_and(|rest| rest.split('/').all(plain))
            || path.strip_prefix("/catalogue/").is_some_and(plain);
        proptest::prop_assert_eq!(status == 200, is_public, "{}", path);
    }
}
