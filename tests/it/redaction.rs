//! Redaction: tokens are in no log, span, metric, body or `Debug`.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use http::Request;
use tower::{Layer as _, service_fn, util::BoxCloneSyncService};
use tower_oauth::observe::Event;
use tower_oauth::test::Fault;
use tower_oauth::{OAuthLayer, require};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{Fixture, ReadAndWrite, inner, send};

/// Everything that is written anywhere.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<String>>);

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// SEC-03: of requests that pass or fail in every way, no part of token or claims is written down.
#[tokio::test]
async fn nothing_of_a_token_is_written_anywhere() {
    crate::support::keep_tracing_awake();
    let paper = Paper::default();
    let (logs, events) = (paper.clone(), paper.clone());
    let writer = tracing_subscriber::fmt::layer().with_writer(move || logs.clone()).with_ansi(false);
    let subscriber = tracing_subscriber::registry().with(writer);
    let _guard = tracing::subscriber::set_default(subscriber);
    let fixture = Fixture::with(|config| {
        config.observer(move |event: &Event<'_>| {
            let _ = write!(events.0.lock().unwrap(), "{event:?}");
        })
    });
    let layer = OAuthLayer::new(&fixture.server).problem_details();
    let app = BoxCloneSyncService::new(layer.layer(require::<ReadAndWrite>().layer(service_fn(inner))));
    let token =
        || fixture.token().subject("hush-subject").jti("hush-jti").claim("mail", "hush-mail").claim("acr", "hush-acr");
    let mut tokens = vec![
        token().sign(),
        token().scope("read write").sign(),
        token().expired().sign(),
        token().bad_signature().sign(),
        token().typ("JWT").sign(),
        token().kid("hush-kid").sign(),
        token().audience("hush-audience").sign(),
        token().issuer_claim("https://hush-issuer.example").sign(),
        token().claim("exp", "hush-exp").sign(),
        token().claim("scope", "hush\"scope").sign(),
        token().header("crit", "hush-crit").sign(),
        token().without("jti").sign(),
        "hush.hush.hush".to_owned(),
    ];
    tokens.push(format!("{}x y", tokens[0]));
    for token in &tokens {
        let request = Request::get("/x").header("authorization", format!("Bearer {token}"));
        let answer = send(&app, request).await;
        // What the inner service answers is its own matter.
        if !answer.passed() {
            let _ = write!(paper.0.lock().unwrap(), "{:?}{:?}", answer.response.headers(), answer.body);
            let _ = write!(paper.0.lock().unwrap(), "{:?}{}", answer.rejection(), answer.rejection());
        }
    }
    fixture.issuer.fail(Fault::Html);
    let fresh = Fixture::new();
    fresh.issuer.fail(Fault::Status(500));
    let unjudged = fresh.answer(&fresh.token().subject("hush-subject").sign()).await;
    let _ = write!(paper.0.lock().unwrap(), "{unjudged:?}{:?}{:?}", fixture.server, OAuthLayer::new(&fresh.server));

    let written = paper.0.lock().unwrap().clone();
    for expected in ["accepted", "refused", "scope_missing", "token_expired", "signature_invalid"] {
        assert!(written.contains(expected), "the paper must not be empty: {expected}");
    }
    assert!(!written.contains("hush"), "{}", &written[written.find("hush").unwrap().saturating_sub(300)..]);
    for token in &tokens {
        for segment in token.split('.').filter(|segment| segment.len() > 12) {
            assert!(!written.contains(segment), "a segment of a token was written");
        }
    }
}

/// SEC-03: metrics have no labels that a token decides.
#[tokio::test]
async fn nothing_of_a_token_is_a_metric() {
    let recorder = metrics_recorder::Labels::default();
    let labels = recorder.0.clone();
    let fixture = Fixture::new();
    // The facade's recorder is set for this thread, and everything here runs on it.
    let _guard = metrics::set_default_local_recorder(&recorder);
    for token in
        [fixture.token().sign(), fixture.token().issuer_claim("https://hush.example").sign(), "hush".to_owned()]
    {
        fixture.answer(&token).await;
    }
    let seen = labels.lock().unwrap().join("\n");
    assert!(seen.contains("oauth_verdicts_total") && seen.contains("issuer_unknown"), "{seen}");
    assert!(seen.contains("oauth_verdict_seconds") && seen.contains("oauth_key_fetches_total"), "{seen}");
    assert!(!seen.contains("hush"), "{seen}");
}

mod metrics_recorder {
    //! Writes down the names and labels of all metrics.

    use std::sync::{Arc, Mutex};

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    #[derive(Default)]
    pub(super) struct Labels(pub(super) Arc<Mutex<Vec<String>>>);

    impl Labels {
        fn note(&self, key: &Key) {
            self.0.lock().unwrap().push(key.to_string());
        }
    }

    impl Recorder for Labels {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            self.note(key);
            Counter::noop()
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            self.note(key);
            Gauge::noop()
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            self.note(key);
            Histogram::noop()
        }
    }
}
