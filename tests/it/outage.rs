//! The issuer is down, slow or talks nonsense: never a 401 for it, never a pass that was not judged.

use std::time::Duration;

use tower_oauth::test::Fault;

use crate::support::Fixture;

#[tokio::test(start_paused = true)]
async fn a_service_starts_while_its_issuer_sleeps() {
    let fixture = Fixture::new();
    fixture.issuer.fail(Fault::Connect);
    let answer = fixture.answer(&fixture.token().sign()).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.response.headers().get("www-authenticate").is_none());
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(answer.rejection().kind().as_str(), "keys_unavailable");
    fixture.issuer.heal();
    tokio::time::sleep(Duration::from_secs(2)).await;
    fixture.answer(&fixture.token().sign()).await.assert_passed();
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_a_first_fetch_is_a_503() {
    for fault in [
        Fault::Connect,
        Fault::Hang,
        Fault::Stall,
        Fault::Status(500),
        Fault::Status(404),
        Fault::Html,
        Fault::Truncated,
        Fault::Oversize,
        Fault::Redirect,
        Fault::EmptyKeys,
        Fault::WrongIssuer,
    ] {
        let fixture = Fixture::new();
        fixture.issuer.fail(fault);
        let answer = fixture.answer(&fixture.token().sign()).await;
        assert_eq!(answer.status(), 503, "{fault:?}");
        assert!(!answer.passed());
    }
}

#[tokio::test(start_paused = true)]
async fn known_keys_outlive_an_outage_for_an_hour_past_their_lifetime_and_not_longer() {
    let fixture = Fixture::new();
    // No lifetime is told, so an hour it is.
    fixture.issuer.cache_control("");
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.issuer.fail(Fault::Status(503));
    tokio::time::sleep(Duration::from_secs(2 * 3600 - 1)).await;
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let answer = fixture.answer(&fixture.token().sign()).await;
    assert_eq!(answer.status(), 503);
    fixture.issuer.heal();
    tokio::time::sleep(Duration::from_secs(61)).await;
    fixture.answer(&fixture.token().sign()).await.assert_passed();
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_during_an_outage_is_not_judged() {
    let fixture = Fixture::new();
    fixture.answer(&fixture.token().sign()).await.assert_passed();
    fixture.issuer.rotate();
    fixture.issuer.fail(Fault::Status(503));
    let answer = fixture.answer(&fixture.token().sign()).await;
    assert_eq!(answer.status(), 503, "the key may well exist");
    fixture.issuer.heal();
    tokio::time::sleep(Duration::from_secs(3)).await;
    fixture.answer(&fixture.token().sign()).await.assert_passed();
}
