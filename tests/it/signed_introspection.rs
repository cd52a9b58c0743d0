//! RFC 9701: answers that the issuer has signed.

use std::time::Duration;

use http::Request;
use serde_json::json;
use tower_oauth::test::{IntrospectionAnswer, RequestExt as _, TestIssuer};

use crate::support::{Fixture, RESOURCE, T, send};

fn fixture() -> Fixture {
    Fixture::asking_with(|issuer| issuer.signed_answers(), |config| config)
}

/// INJ-01: a signed answer is asked for, and a plain one is then no answer.
#[tokio::test]
async fn a_plain_answer_is_no_answer_where_signed_ones_are_wanted() {
    let fixture = fixture();
    fixture.answer(&fixture.opaque().issue()).await.assert_passed();
    let asked = fixture.issuer.last_introspection().unwrap();
    assert_eq!(asked.headers()["accept"], "application/token-introspection+jwt");
    for unsigned in [
        IntrospectionAnswer::new().plain(),
        IntrospectionAnswer::new().typ("JWT"),
        IntrospectionAnswer::new().typ("at+jwt"),
        IntrospectionAnswer::new().content_type("application/jwt"),
        IntrospectionAnswer::new().content_type("application/json"),
    ] {
        fixture.issuer.answers_introspection(unsigned);
        fixture.answer(&fixture.opaque().issue()).await.assert_unavailable("introspection_unavailable");
    }
}

/// INJ-02: who has signed it, for whom and when is checked; otherwise nobody is judged by it.
#[tokio::test]
async fn an_answer_of_somebody_else_for_somebody_else_or_of_another_time_judges_nobody() {
    let fixture = fixture();
    let stranger = TestIssuer::new("https://evil.example");
    let long_ago = T.minus(Duration::from_secs(3600)).as_secs();
    for odd in [
        IntrospectionAnswer::new().claim("aud", "another-client"),
        IntrospectionAnswer::new().without("aud"),
        IntrospectionAnswer::new().claim("iss", "https://as.example/"),
        IntrospectionAnswer::new().without("iss"),
        IntrospectionAnswer::new().claim("iat", long_ago),
        IntrospectionAnswer::new().claim("iat", T.plus(Duration::from_secs(3600)).as_secs()),
        IntrospectionAnswer::new().without("iat"),
        IntrospectionAnswer::new().signed_by(&stranger),
    ] {
        fixture.issuer.answers_introspection(odd);
        fixture.answer(&fixture.opaque().issue()).await.assert_unavailable("introspection_unavailable");
    }
    fixture.issuer.answers_introspection(IntrospectionAnswer::new().claim("aud", json!(["x", RESOURCE])));
    fixture.answer(&fixture.opaque().issue()).await.assert_passed();
}

/// INJ-03: what is said of the token stands in `token_introspection`, and nowhere else.
#[tokio::test]
async fn the_token_is_told_of_in_one_member_alone() {
    let fixture = fixture();
    let active_outside = IntrospectionAnswer::new().member("active", false).claim("active", true);
    fixture.issuer.answers_introspection(active_outside);
    fixture.answer(&fixture.opaque().issue()).await.assert_invalid_token("token_inactive");
    for without in [
        IntrospectionAnswer::new().without("token_introspection").claim("active", true),
        IntrospectionAnswer::new().claim("token_introspection", "active"),
    ] {
        fixture.issuer.answers_introspection(without);
        fixture.answer(&fixture.opaque().issue()).await.assert_unavailable("introspection_unavailable");
    }
}

/// INJ-04: such an answer is no access token.
#[tokio::test]
async fn an_answer_presented_as_a_token_is_refused() {
    let fixture = fixture();
    let answer = fixture.token().typ("token-introspection+jwt").claim("token_introspection", json!({ "active": true }));
    let presented = send(&fixture.app(), Request::get("/x").bearer(&answer.sign())).await;
    presented.assert_invalid_token("wrong_token_type");
}
