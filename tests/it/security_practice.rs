//! RFC 9700: the security best current practice, as far as a resource server keeps it.

use http::Request;
use tower_oauth::OAuthConfig;
use tower_oauth::test::RequestExt as _;

use crate::support::{Fixture, ReadAndWrite, send};

/// SEC-01: there is no resource server without an audience, and every token is held to it.
#[tokio::test]
async fn there_is_no_server_without_an_audience() {
    for resource in ["", "rs.example", "/api"] {
        assert!(OAuthConfig::builder(resource).trust("https://as.example").build().is_err(), "{resource:?}");
    }
    let empty = OAuthConfig::builder("https://rs.example").audience("").trust("https://as.example").build();
    assert!(empty.unwrap_err().to_string().contains("audience"));
    let fixture = Fixture::new();
    fixture
        .answer(&fixture.token().audience("https://other.example").sign())
        .await
        .assert_invalid_token("audience_mismatch");
}

/// SEC-02: a valid token alone grants nothing on a route that demands something.
#[tokio::test]
async fn a_valid_token_alone_grants_nothing_on_a_guarded_route() {
    let fixture = Fixture::new();
    let app = fixture.guarded::<ReadAndWrite>();
    send(&app, Request::get("/x").bearer(&fixture.token().sign()))
        .await
        .assert_refused(403, Some("insufficient_scope"));
    send(&app, Request::get("/x").bearer(&fixture.token().scope("read write").sign())).await.assert_passed();
}
