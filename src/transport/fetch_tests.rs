//! Every rule of a fetch against a transport that breaks it.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use http::Response;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use proptest::prelude::*;
use tower::service_fn;

use super::*;

const URL: &str = "https://issuer.example/jwks";

type Requests = Arc<Mutex<Vec<Request<Full<Bytes>>>>>;

/// A fetcher whose transport answers with `answer` and keeps the requests.
fn answering(
    answer: impl Fn() -> Response<UnsyncBoxBody<Bytes, Infallible>> + Clone + Send + Sync + 'static,
) -> (Fetcher, Requests) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let service = service_fn(move |request| {
        log.lock().unwrap().push(request);
        let response = answer();
        async move { Ok::<_, Infallible>(response) }
    });
    (Fetcher::new(Arc::new(service), false), seen)
}

fn body(bytes: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(bytes.into()).boxed_unsync()
}

async fn code(fetcher: &Fetcher) -> &'static str {
    fetcher.get(URL, "application/json", None).await.unwrap_err().code()
}

#[tokio::test]
async fn a_document_comes_with_its_validator_and_age() {
    let (fetcher, seen) = answering(|| {
        Response::builder()
            .header("etag", "\"v1\"")
            .header("cache-control", "public, max-age=600")
            .body(body("{}"))
            .unwrap()
    });
    let Fetched::Document(document) = fetcher.get(URL, "application/json", None).await.unwrap() else { panic!() };
    assert_eq!(document.bytes, "{}");
    assert_eq!(document.max_age, Some(Duration::from_secs(600)));
    assert_eq!(document.etag.unwrap(), "\"v1\"");
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].uri(), URL);
    assert_eq!(seen[0].headers()[ACCEPT], "application/json");
    assert!(!seen[0].headers().contains_key(IF_NONE_MATCH));
}

#[tokio::test]
async fn a_304_counts_only_when_it_was_asked_for() {
    let (fetcher, seen) =
        answering(|| Response::builder().status(304).header("cache-control", "max-age=60").body(body("")).unwrap());
    assert_eq!(code(&fetcher).await, "status");
    let etag = HeaderValue::from_static("\"v1\"");
    let fetched = fetcher.get(URL, "application/json", Some(&etag)).await.unwrap();
    assert!(matches!(fetched, Fetched::NotModified { max_age: Some(age) } if age.as_secs() == 60));
    assert_eq!(seen.lock().unwrap()[1].headers()[IF_NONE_MATCH], "\"v1\"");
}

#[tokio::test]
async fn redirects_are_never_followed_and_only_200_is_read() {
    for (status, expected) in [
        (301, "redirect"),
        (302, "redirect"),
        (307, "redirect"),
        (308, "redirect"),
        (204, "status"),
        (404, "status"),
        (500, "status"),
    ] {
        let (fetcher, seen) = answering(move || {
            Response::builder().status(status).header("location", "https://other.example/").body(body("{}")).unwrap()
        });
        assert_eq!(code(&fetcher).await, expected, "{status}");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_and_no_further() {
    let (exact, _) = answering(|| Response::new(body(vec![b' '; MAX_DOCUMENT_BYTES])));
    assert!(exact.get(URL, "application/json", None).await.is_ok());
    let (over, _) = answering(|| Response::new(body(vec![b' '; MAX_DOCUMENT_BYTES + 1])));
    assert_eq!(code(&over).await, "too_large");
    // A body without end: were it read on, the test would not return before the timeout, which has another code.
    let (endless, _) = answering(|| Response::new(Endless::Data.boxed_unsync()));
    assert_eq!(code(&endless).await, "too_large");
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_not_read_at_all() {
    let (fetcher, _) = answering(|| {
        let never = Endless::Silence.boxed_unsync();
        Response::builder().header("content-length", "10485760").body(never).unwrap()
    });
    assert_eq!(code(&fetcher).await, "too_large");
}

#[tokio::test(start_paused = true)]
async fn the_whole_exchange_ends_after_five_seconds() {
    let silent = service_fn(|_: Request<Full<Bytes>>| pending::<Result<Response<Full<Bytes>>, Infallible>>());
    let (stalled, _) = answering(|| Response::new(Endless::Silence.boxed_unsync()));
    for fetcher in [Fetcher::new(Arc::new(silent), false), stalled] {
        let started = tokio::time::Instant::now();
        assert_eq!(code(&fetcher).await, "timeout");
        let waited = started.elapsed();
        assert!((Duration::from_secs(5)..Duration::from_millis(5100)).contains(&waited), "{waited:?}");
    }
}

#[test]
fn only_https_is_fetched_and_loopback_http_only_where_admitted() {
    let (strict, _) = answering(|| Response::new(body("{}")));
    let loose = Fetcher { loopback_http: true, ..strict.clone() };
    for url in ["https://a.example", "https://a.example:8443/x?y=1", "https://127.0.0.1/"] {
        assert!(strict.check(url).is_ok() && loose.check(url).is_ok(), "{url}");
    }
    for url in ["http://127.0.0.1:8080/x", "http://127.255.255.254/", "http://[::1]:8080/x"] {
        assert!(strict.check(url).is_err() && loose.check(url).is_ok(), "{url}");
    }
    for url in [
        "http://a.example/",
        "http://localhost/",
        "http://127.0.0.1.a.example/",
        "http://127.1/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::]/",
        "http://10.0.0.1/",
        "http://127.0.0.1@evil.example/",
        "https://me@a.example/",
        "https://me:pw@a.example/",
        "https://a.example/#f",
        "https://a.example#",
        "file:///etc/passwd",
        "ftp://a.example/",
        "//a.example/",
        "a.example",
        "/jwks",
        "",
        "*",
        "https://",
        "https:///x",
        "https://:443/x",
        "https://a.example/ x",
        "https://a.example/\n",
    ] {
        assert_eq!(loose.check(url).unwrap_err().code(), "insecure_url", "{url}");
    }
    assert!(strict.check(&format!("https://a.example/{}", "x".repeat(MAX_URL_BYTES))).is_err());
}

#[tokio::test]
async fn what_may_not_be_fetched_never_reaches_the_transport() {
    let (fetcher, seen) = answering(|| Response::new(body("{}")));
    assert_eq!(fetcher.get("http://a.example/", "*/*", None).await.unwrap_err().code(), "insecure_url");
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn an_https_document_never_leads_to_http() {
    let (fetcher, _) = answering(|| Response::new(body("{}")));
    let fetcher = Fetcher { loopback_http: true, ..fetcher };
    let (https, http) = ("https://a.example/m", "http://127.0.0.1/m");
    assert!(fetcher.check_named("https://b.example/jwks", https).is_ok());
    assert!(fetcher.check_named("https://b.example/jwks", http).is_ok());
    assert!(fetcher.check_named("http://127.0.0.1/jwks", http).is_ok());
    assert_eq!(fetcher.check_named("http://127.0.0.1/jwks", https).unwrap_err().code(), "insecure_url");
    assert_eq!(fetcher.check_named("http://a.example/jwks", http).unwrap_err().code(), "insecure_url");
}

#[test]
fn max_age_is_read_from_every_spelling() {
    let age = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        max_age(&headers).map(|age| age.as_secs())
    };
    assert_eq!(age(&[]), None);
    assert_eq!(age(&["public"]), None);
    assert_eq!(age(&["max-age=300"]), Some(300));
    assert_eq!(age(&["public, Max-Age = \"300\" , must-revalidate"]), Some(300));
    assert_eq!(age(&["public", "max-age=300"]), Some(300));
    assert_eq!(age(&["max-age=300", "max-age=20"]), Some(20));
    assert_eq!(age(&["s-maxage=7"]), None);
    assert_eq!(age(&["max-age=-1"]), None);
    assert_eq!(age(&["max-age="]), None);
    assert_eq!(age(&["max-age=1x"]), None);
    assert_eq!(age(&["no-store"]), Some(0));
    assert_eq!(age(&["no-cache=\"x\", max-age=300"]), Some(0));
    assert_eq!(age(&["max-age=99999999999999999999999"]), Some(u64::from(u32::MAX)));
}

proptest! {
    #[test]
    fn no_address_makes_the_check_panic(url in "(https?://|//)?.{0,40}") {
        if let Ok(uri) = endpoint(&url, false) {
            prop_assert_eq!(uri.scheme_str(), Some("https"));
        }
    }

    #[test]
    fn only_a_literal_loopback_address_is_admitted_over_http(a in 0_u8.., b in 0_u8.., c in 0_u8.., d in 0_u8..) {
        let url = format!("http://{a}.{b}.{c}.{d}/");
        prop_assert_eq!(endpoint(&url, true).is_ok(), a == 127);
        prop_assert!(endpoint(&url, false).is_err());
    }

    #[test]
    fn no_header_makes_max_age_panic(value in "[ -~]{0,40}|max-age=[0-9]{0,40}") {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, value.parse().unwrap());
        let _ = max_age(&headers);
    }
}

/// A body that never ends: full of data, or silent for ever.
enum Endless {
    Data,
    Silence,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match *self {
            Self::Data => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1024]))))),
            Self::Silence => Poll::Pending,
        }
    }
}
