//! Time, nonces and what is remembered of a proof.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn made(issued_at: Timestamp, nonce: Option<HeaderValue>) -> Proof {
    Proof {
        jkt: "jkt".into(),
        jti: "jti".into(),
        issued_at,
        nonce: nonce.map(|nonce| nonce.to_str().unwrap().into()),
        algorithm: Algorithm::Es256,
    }
}

fn with_nonces() -> Dpop {
    Dpop::accepted().nonce(NonceKey::from_secret([1; 32]))
}

/// DPP-17: `iat` lies in the window, its ends included.
#[test]
fn a_proof_is_neither_too_old_nor_from_the_future() {
    let dpop = Dpop::accepted();
    let judge = |issued_at| dpop.check_time(&made(issued_at, None), NOW);
    assert!(judge(NOW).is_ok());
    assert!(judge(NOW.minus(secs(60))).is_ok());
    assert_eq!(judge(NOW.minus(secs(61))), Err(DpopError::TooOld));
    assert!(judge(NOW.plus(secs(10))).is_ok());
    assert_eq!(judge(NOW.plus(secs(11))), Err(DpopError::FromFuture));
    assert_eq!(judge(NOW.plus(secs(61))), Err(DpopError::FromFuture));
    let short = Dpop::accepted().max_age(secs(5));
    assert!(short.check_time(&made(NOW.minus(secs(5)), None), NOW).is_ok());
    assert_eq!(short.check_time(&made(NOW.minus(secs(6)), None), NOW), Err(DpopError::TooOld));
}

/// DPP-17: a nonce may stand in for `iat`.
#[test]
fn a_nonce_may_tell_the_time_of_a_client_with_a_wrong_clock() {
    let dpop = with_nonces().nonce_instead_of_iat();
    let nonce = dpop.fresh_nonce(NOW);
    for issued_at in [NOW.minus(secs(7200)), NOW.plus(secs(7200)), Timestamp::from_secs(253_402_300_799)] {
        let proof = made(issued_at, nonce.clone());
        // 300 s of the nonce and 10 s between the clocks of a fleet, whatever `iat` says.
        assert_eq!(dpop.check_time(&proof, NOW), Ok(NOW.plus(secs(310))));
        assert_eq!(dpop.born(&proof), NOW);
        assert_eq!(dpop.check_time(&made(issued_at, None), NOW), Err(DpopError::NonceMissing));
    }
    let wrong = made(NOW.minus(secs(7200)), nonce);
    assert_eq!(with_nonces().check_time(&wrong, NOW), Err(DpopError::TooOld));
    assert_eq!(with_nonces().born(&wrong), wrong.issued_at);
}

/// DPP-29: where nonces are demanded, a proof has one; also that of a client who never saw a nonce.
#[test]
fn a_proof_without_nonce_is_refused_where_nonces_are_demanded() {
    assert_eq!(with_nonces().check_time(&made(NOW, None), NOW), Err(DpopError::NonceMissing));
    assert!(Dpop::accepted().check_time(&made(NOW, None), NOW).is_ok());
    assert!(Dpop::accepted().fresh_nonce(NOW).is_none());
}

/// DPP-16: a nonce counts within its life, also after newer ones; that of another server never.
#[test]
fn a_nonce_counts_within_its_life_whichever_replica_made_it() {
    let (dpop, replica) = (with_nonces(), with_nonces());
    let first = replica.fresh_nonce(NOW);
    let _newer = dpop.fresh_nonce(NOW.plus(secs(100)));
    let judge = |later: u64| dpop.check_time(&made(NOW.plus(secs(later)), first.clone()), NOW.plus(secs(later)));
    assert!(judge(0).is_ok());
    assert!(judge(300).is_ok());
    assert_eq!(judge(301), Err(DpopError::NonceInvalid));
    let early = |ahead: u64| dpop.check_time(&made(NOW, dpop.fresh_nonce(NOW.plus(secs(ahead)))), NOW);
    assert!(early(10).is_ok());
    assert_eq!(early(11), Err(DpopError::NonceInvalid));
    let other = Dpop::accepted().nonce(NonceKey::from_secret([2; 32])).fresh_nonce(NOW);
    assert_eq!(dpop.check_time(&made(NOW, other), NOW), Err(DpopError::NonceInvalid));
    let foreign = made(NOW, Some(HeaderValue::from_static("eyJ7S_zG.eyJH0-Z.HX4w-7v")));
    assert_eq!(dpop.check_time(&foreign, NOW), Err(DpopError::NonceInvalid));
    assert!(Dpop::accepted().check_time(&foreign, NOW).is_ok(), "where none are demanded, none are read");
}

/// RFC 9449 section 11.1: remembered for past limit, future skew, the fleet's skew and the life of the nonce.
#[test]
fn a_proof_is_remembered_for_as_long_as_anyone_could_accept_it() {
    let keep = |dpop: &Dpop, issued_at, nonce| dpop.check_time(&made(issued_at, nonce), NOW).unwrap();
    let dpop = Dpop::accepted();
    assert_eq!(keep(&dpop, NOW, None), NOW.plus(secs(60 + 10 + 10)));
    assert_eq!(keep(&dpop, NOW.plus(secs(10)), None), NOW.plus(secs(10 + 60 + 10 + 10)));
    let dpop = with_nonces();
    assert_eq!(keep(&dpop, NOW, dpop.fresh_nonce(NOW)), NOW.plus(secs(300 + 10)));
    assert_eq!(keep(&dpop, NOW, dpop.fresh_nonce(NOW.minus(secs(290)))), NOW.plus(secs(80)));
}

/// DPP-31: equal `jti` of different issuers or keys are different proofs.
#[test]
fn what_is_remembered_tells_issuer_key_and_jti_apart() {
    let keys = [
        replay_key("i", "k", "j"),
        replay_key("x", "k", "j"),
        replay_key("i", "x", "j"),
        replay_key("i", "k", "x"),
        replay_key("ik", "", "j"),
        replay_key("i", "kj", ""),
        replay_key("", "ik", "j"),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[at + 1..].contains(key), "{at}");
    }
    assert_eq!(replay_key("i", "k", "j"), keys[0]);
}

/// RFC 9449 section 7.1: the list as configured, without a way to write HMAC.
#[test]
fn the_algorithms_are_asymmetric_and_in_the_order_given() {
    let names: Vec<_> = Dpop::default().allowed().iter().map(|algorithm| algorithm.as_str()).collect();
    assert_eq!(names, ["ES256", "EdDSA", "Ed25519", "ES384", "ES512", "PS256", "RS256"]);
    let two = Dpop::required().algorithms([Algorithm::Ed25519, Algorithm::Es256]);
    assert_eq!(two.allowed(), [Algorithm::Ed25519, Algorithm::Es256]);
}

#[test]
fn each_problem_of_the_policy_is_told() {
    assert!(Dpop::off().problems().is_empty() && Dpop::required().problems().is_empty());
    assert!(with_nonces().nonce_instead_of_iat().problems().is_empty());
    assert_eq!((Dpop::off().mode(), Dpop::default().mode()), (Mode::Off, Mode::Accepted));
    assert_eq!(Dpop::required().mode(), Mode::Required);
    let wrong = Dpop::accepted().max_age(secs(301)).algorithms([]).nonce_lifetime(secs(9)).nonce_instead_of_iat();
    assert_eq!(wrong.problems().len(), 4);
    assert_eq!(Dpop::accepted().max_age(Duration::from_millis(999)).problems().len(), 1);
    assert_eq!(Dpop::accepted().nonce(NonceKey::from_secret("short")).problems().len(), 1);
    assert!(Dpop::accepted().nonce(NonceKey::generated()).has_generated_key() && !with_nonces().has_generated_key());
}

proptest! {
    #[test]
    fn no_replica_accepts_a_proof_that_another_has_forgotten(
        iat in -80_i64..20, nonce in -400_i64..20, skew in -10_i64..=10, later in 0_i64..500, instead: bool,
    ) {
        let dpop = if instead { with_nonces().nonce_instead_of_iat() } else { with_nonces() };
        let at = |offset: i64| Timestamp::from_secs(NOW.as_secs() + offset);
        let proof = made(at(iat), dpop.fresh_nonce(at(nonce)));
        if let Ok(keep_until) = dpop.check_time(&proof, NOW) {
            // Another replica, whose clock differs, at a time when the store's clock says that it may forget.
            if at(later) > keep_until {
                prop_assert!(dpop.check_time(&proof, at(later + skew)).is_err());
            }
        }
    }
}
