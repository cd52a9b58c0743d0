//! Addresses, issuer equality and the order of attempts.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use proptest::prelude::*;
use tower::service_fn;

use super::*;

const ISSUER: &str = "https://as.example/t1";
const RFC8414: &str = "https://as.example/.well-known/oauth-authorization-server/t1";
const OPENID: &str = "https://as.example/t1/.well-known/openid-configuration";

type Paths = Arc<Mutex<Vec<String>>>;

/// A server of these documents, `HANG` for silence and a number for a bare status.
fn serving(documents: &[(&'static str, &str)]) -> (Fetcher, Paths) {
    let documents: HashMap<_, _> = documents.iter().map(|(url, answer)| (*url, (*answer).to_owned())).collect();
    let asked = Paths::default();
    let log = asked.clone();
    let service = service_fn(move |request: Request<Full<Bytes>>| {
        let url = request.uri().to_string();
        let answer = documents.get(url.as_str()).cloned().unwrap_or_else(|| "404".into());
        log.lock().unwrap().push(url);
        async move {
            if answer == "HANG" {
                return pending().await;
            }
            let (status, body) = answer.parse().map_or((200, answer), |status| (status, String::new()));
            Ok::<_, Infallible>(Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap())
        }
    });
    (Fetcher::new(Arc::new(service), true), asked)
}

fn metadata(issuer: &str, jwks_uri: &str) -> String {
    format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}","grant_types_supported":["x"]}}"#)
}

fn good() -> String {
    metadata(ISSUER, "https://keys.example/jwks")
}

/// DSC-01: RFC 8414 inserts.
/// DSC-02: OpenID appends.
#[test]
fn well_known_addresses_are_inserted_and_appended() {
    for issuer in ["https://as.example", "https://as.example/"] {
        assert_eq!(
            well_known(issuer),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
    }
    for issuer in [ISSUER, "https://as.example/t1/"] {
        assert_eq!(well_known(issuer), [RFC8414, OPENID]);
    }
    assert_eq!(
        well_known("http://127.0.0.1:8080/a/b")[0],
        "http://127.0.0.1:8080/.well-known/oauth-authorization-server/a/b"
    );
}

#[tokio::test]
async fn the_first_address_that_serves_the_issuer_is_enough() {
    let (fetcher, asked) = serving(&[(RFC8414, &good()), (OPENID, &good())]);
    assert_eq!(discover(&fetcher, ISSUER).await.unwrap().jwks_uri, "https://keys.example/jwks");
    assert_eq!(*asked.lock().unwrap(), [RFC8414]);
}

#[tokio::test]
async fn an_answer_of_no_use_leads_on_to_openid() {
    let other = metadata("https://as.example/t2", "https://keys.example/evil");
    for useless in ["404", "500", "302", "<html>", "[]", "{}", r#"{"issuer":7}"#, &other] {
        let (fetcher, asked) = serving(&[(RFC8414, useless), (OPENID, &good())]);
        assert_eq!(discover(&fetcher, ISSUER).await.unwrap().jwks_uri, "https://keys.example/jwks", "{useless}");
        assert_eq!(*asked.lock().unwrap(), [RFC8414, OPENID]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_issuer_is_waited_for_once() {
    let (fetcher, asked) = serving(&[(RFC8414, "HANG"), (OPENID, &good())]);
    assert_eq!(discover(&fetcher, ISSUER).await.unwrap_err().code(), "timeout");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

/// DSC-03: metadata of another issuer are not used.
#[tokio::test]
async fn only_the_exact_issuer_is_believed() {
    for near in [
        "https://as.example/t1/",
        "https://AS.example/t1",
        "https://as.example/T1",
        "https://as.example",
        "https://evil.example",
    ] {
        let document = metadata(near, "https://keys.example/jwks");
        let (fetcher, _) = serving(&[(RFC8414, &document), (OPENID, &document)]);
        assert_eq!(discover(&fetcher, ISSUER).await.unwrap_err().code(), "issuer_mismatch", "{near}");
        let (fetcher, _) = serving(&[(RFC8414, &document)]);
        assert_eq!(discover(&fetcher, ISSUER).await.unwrap_err().code(), "issuer_mismatch", "{near}, then 404");
    }
}

#[tokio::test]
async fn a_document_that_says_two_things_is_not_believed() {
    let twice = format!(r#"{{"issuer":"https://evil.example","issuer":"{ISSUER}","jwks_uri":"https://k.example"}}"#);
    let (fetcher, _) = serving(&[(RFC8414, &twice)]);
    assert_eq!(discover(&fetcher, ISSUER).await.unwrap_err().code(), "not_json");
}

/// DSC-04: keys are at an https address.
#[tokio::test]
async fn keys_are_never_taken_from_an_http_address() {
    for uri in ["http://keys.example/jwks", "http://127.0.0.1/jwks", "file:///etc/keys", "/jwks", ""] {
        let (fetcher, asked) = serving(&[(RFC8414, &metadata(ISSUER, uri))]);
        assert_eq!(discover(&fetcher, ISSUER).await.unwrap_err().code(), "insecure_url", "{uri}");
        assert_eq!(asked.lock().unwrap().len(), 1, "an issuer that names such an address is not asked again");
    }
    let (fetcher, _) = serving(&[(RFC8414, &format!(r#"{{"issuer":"{ISSUER}"}}"#))]);
    assert_eq!(discover(&fetcher, ISSUER).await.unwrap_err().code(), "no_jwks_uri");
}

#[tokio::test]
async fn an_issuer_with_a_query_is_refused_before_any_fetch() {
    let (fetcher, asked) = serving(&[]);
    for issuer in ["https://as.example?x=1", "https://as.example/#f", "http://as.example", "as.example", ""] {
        assert_eq!(discover(&fetcher, issuer).await.unwrap_err().code(), "insecure_url", "{issuer}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_issuer_is_asked_where_its_metadata_say_and_needs_no_keys_for_that() {
    let opaque = |uri: &str| format!(r#"{{"issuer":"{ISSUER}","introspection_endpoint":"{uri}"}}"#);
    let (fetcher, _) = serving(&[(RFC8414, &good()), (OPENID, &opaque("https://as.example/introspect"))]);
    assert_eq!(introspection_endpoint(&fetcher, ISSUER).await.unwrap(), "https://as.example/introspect");
    assert_eq!(discover(&fetcher, ISSUER).await.unwrap().jwks_uri, "https://keys.example/jwks");
    let (fetcher, _) = serving(&[(RFC8414, &good())]);
    let error = introspection_endpoint(&fetcher, ISSUER).await.unwrap_err();
    assert_eq!(error.code(), "no_introspection_endpoint");
    let (fetcher, _) = serving(&[(RFC8414, &opaque("http://as.example/introspect"))]);
    assert_eq!(introspection_endpoint(&fetcher, ISSUER).await.unwrap_err().code(), "insecure_url");
    let odd = metadata(ISSUER, "https://keys.example/jwks").replace("grant_types_supported", "introspection_endpoint");
    let (fetcher, _) = serving(&[(RFC8414, &odd)]);
    assert!(discover(&fetcher, ISSUER).await.is_ok(), "what nobody looks for is not judged");
    assert_eq!(introspection_endpoint(&fetcher, ISSUER).await.unwrap_err().code(), "not_json");
    let foreign = opaque("https://as.example/introspect").replace("t1", "t2");
    let (fetcher, _) = serving(&[(RFC8414, &foreign)]);
    assert_eq!(introspection_endpoint(&fetcher, ISSUER).await.unwrap_err().code(), "issuer_mismatch");
}

proptest! {
    #[test]
    fn no_document_makes_the_parser_panic(document in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&document, ISSUER, Wanted::Keys);
    }

    #[test]
    fn no_truncation_is_taken_for_metadata(cut in 0_usize..100) {
        let good = good();
        prop_assume!(cut < good.len());
        prop_assert!(parse(&good.as_bytes()[..cut], ISSUER, Wanted::Keys).is_err());
    }

    #[test]
    fn no_issuer_makes_the_addresses_panic(issuer in ".{0,60}") {
        let _ = well_known(&issuer);
    }
}
