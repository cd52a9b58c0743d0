//! A denylist in memory keeps every promise of a denylist, within its bounds.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const ISSUER: &str = "https://login.example.com";
const HOUR: Duration = Duration::from_secs(3600);

#[cfg(feature = "test-util")]
#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_denylists_is_kept() {
    crate::store::contract::denylist_contract(MemoryDenylist::new).await;
    crate::store::contract::denylist_contract(|| std::sync::Arc::new(MemoryDenylist::with_capacity(20_000))).await;
}

#[test]
fn an_answer_is_there_at_once() {
    let list = MemoryDenylist::default();
    assert!(matches!(list.deny(rule(0, HOUR), NOW), Answer::Now(Ok(()))));
}

#[test]
fn a_full_list_takes_no_rule_forgets_none_and_recovers_when_time_has_passed() {
    let list = MemoryDenylist::with_capacity(1000);
    (0..1000).for_each(|n| assert_eq!(deny(&list, rule(n, HOUR), NOW), Ok(())));
    let generation = list.generation();
    let last = NOW.plus(HOUR).minus(Duration::from_millis(1));
    for now in [NOW, last] {
        for n in 1000..1200 {
            let full = deny(&list, rule(n, HOUR * 3), now).unwrap_err();
            assert!(full.to_string().contains("capacity"), "{full}");
            assert!(!is_denied(&list, n, now));
        }
        assert!((0..1000).all(|n| is_denied(&list, n, now)));
    }
    assert_eq!((list.generation(), list.standing(last)), (generation, Standing::Current));
    // What is there already is made stricter all the same.
    assert_eq!(deny(&list, rule(0, HOUR * 3), last), Ok(()));

    let end = NOW.plus(HOUR).plus(Duration::from_secs(SPAN as u64));
    for n in 1000..1999 {
        assert_eq!(deny(&list, rule(n, HOUR * 3), end), Ok(()), "{n}");
    }
    assert!(deny(&list, rule(2000, HOUR * 3), end).is_err());
    assert!(is_denied(&list, 0, end) && (1000..1999).all(|n| is_denied(&list, n, end)));
    assert_eq!(list.live(), 1000);
}

#[test]
fn no_capacity_is_full_at_once() {
    assert!(deny(&MemoryDenylist::with_capacity(0), rule(0, HOUR), NOW).is_err());
}

#[test]
fn rules_that_are_over_go_a_few_at_a_time_an_hour_later() {
    let list = MemoryDenylist::new();
    (0..1000).for_each(|n| deny(&list, rule(n, HOUR), NOW).unwrap());
    let over = NOW.plus(HOUR + GRACE);
    (1000..2000).for_each(|n| deny(&list, rule(n, HOUR * 9), over.minus(Duration::from_secs(1))).unwrap());
    assert_eq!(list.live(), 2000);
    let over = over.plus(Duration::from_secs(SPAN as u64));
    deny(&list, rule(2000, HOUR * 9), over).unwrap();
    assert!(list.live() > 2000 - EXPIRED_AT_ONCE);
    (2001..6000).for_each(|n| deny(&list, rule(n, HOUR * 9), over).unwrap());
    assert_eq!(list.live(), 5000);
    assert!((1000..6000).all(|n| is_denied(&list, n, over)) && !is_denied(&list, 0, over));
}

#[test]
fn a_rule_without_end_takes_a_slot_and_nothing_more() {
    let list = MemoryDenylist::with_capacity(2);
    for (n, until) in [(0, i64::MAX), (1, i64::MAX - 63_999)] {
        let rule = DenyRule::new(ISSUER, Denied::Subject(name(n)), Timestamp::from_millis(until));
        deny(&list, rule, NOW).unwrap();
        assert!(is_denied(&list, n, NOW.plus(HOUR * 1_000_000)));
    }
    assert!(deny(&list, rule(2, HOUR), NOW.plus(HOUR * 1_000_000)).is_err());
    let past = DenyRule::new(ISSUER, Denied::Subject(name(3)), Timestamp::from_millis(i64::MIN));
    deny(&MemoryDenylist::new(), past, Timestamp::from_millis(i64::MIN)).unwrap();
}

#[test]
fn a_million_rules_take_at_most_64_bytes_each() {
    const MILLION: u64 = 1_000_000;
    let list = MemoryDenylist::new();
    for n in 0..MILLION {
        // Ends in each second of a day.
        deny(&list, rule(n, Duration::from_secs(n % 86_400)), NOW).unwrap();
    }
    assert_eq!(list.live() as u64, MILLION);
    assert!(list.bytes() <= 64 * MILLION as usize, "{} bytes", list.bytes());
}

#[test]
fn a_list_that_a_panic_left_damaged_vouches_for_nothing() {
    let list = std::sync::Arc::new(MemoryDenylist::new());
    deny(&list, rule(0, HOUR), NOW).unwrap();
    let shared = std::sync::Arc::clone(&list);
    let panicked = std::thread::spawn(move || {
        let _locked: Vec<_> = shared.shards.iter().map(|shard| shard.0.write().unwrap()).collect();
        panic!("in the middle of a change");
    });
    assert!(panicked.join().is_err());
    assert_eq!(list.denies(&Marks { issuer: ISSUER, ..Marks::default() }, NOW), Some("unknown"));
    assert_eq!(list.standing(NOW), Standing::Lost);
    assert!(deny(&list, rule(1, HOUR), NOW).is_err());
}

#[test]
fn nothing_of_a_name_is_printed() {
    let list = MemoryDenylist::new();
    deny(&list, rule(7, HOUR), NOW).unwrap();
    let printed = format!("{list:?}");
    assert!(printed.contains("live: 1") && !printed.contains("user"), "{printed}");
}

/// Whom, for every token or up to which second, how long it is kept, how far the clock moved since the last.
type Step = (u64, Option<i64>, u64, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let moved = prop_oneof![6 => 0..900_i64, 2 => Just(0), 1 => -5_000..0_i64, 1 => 5_000..3_000_000_i64];
    proptest::collection::vec((0..30_u64, proptest::option::of(-60..60_i64), 0..7_200_u64, moved), 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_history_makes_the_list_forget_a_rule_or_deny_what_none_names(history in steps(), capacity in 1..40_usize) {
        let list = MemoryDenylist::with_capacity(capacity);
        // Every rule that was taken.
        let mut taken = HashMap::<u64, Vec<(Option<Timestamp>, Timestamp)>>::new();
        let (mut now, mut latest) = (NOW, NOW);
        for (n, up_to, kept, moved) in history {
            now = Timestamp::from_millis(now.as_millis() + moved);
            latest = latest.max(now);
            let up_to = up_to.map(|second| Timestamp::from_secs(NOW.as_secs() + second));
            let until = now.plus(Duration::from_secs(kept));
            let mut rule = DenyRule::new(ISSUER, Denied::Subject(name(n)), until);
            if let Some(moment) = up_to {
                rule = rule.issued_until(moment);
            }
            match deny(&list, rule, now) {
                Ok(()) => taken.entry(n).or_default().push((up_to, until)),
                Err(_) => {
                    // To the end of its span, and by whole seconds.
                    let is_kept = |until: Timestamp| last_span(until) >= now.as_secs();
                    let lives = |rules: &&Vec<_>| rules.iter().any(|(_, until): &(_, Timestamp)| is_kept(*until));
                    let live = taken.values().filter(lives).count();
                    prop_assert!(live >= capacity, "full with {live} of {capacity}");
                }
            }
            prop_assert!(list.live() <= capacity);
            for user in 0..30 {
                let rules = taken.get(&user).map(Vec::as_slice).unwrap_or_default();
                for second in [-61, -1, 0, 1, 61] {
                    let issued = Timestamp::from_secs(NOW.as_secs() + second);
                    let hits = |(up_to, _): &&(Option<Timestamp>, Timestamp)| up_to.is_none_or(|up_to| issued <= up_to);
                    let must = rules.iter().filter(hits).any(|(_, until)| *until > latest);
                    let may = rules.iter().any(|rule| hits(&rule));
                    let subject = name(user);
                    let token = Marks { issuer: ISSUER, subject: Some(&subject), issued_at: Some(issued), ..Marks::default() };
                    let verdict = list.denies(&token, now);
                    prop_assert!(!must || verdict == Some("subject"), "forgotten");
                    prop_assert!(may || verdict.is_none(), "denied by nobody");
                }
            }
        }
    }
}

fn deny(list: &MemoryDenylist, rule: DenyRule, now: Timestamp) -> Result<(), StoreError> {
    match list.deny(rule, now) {
        Answer::Now(answer) => answer,
        Answer::Later(_) => unreachable!("in memory"),
    }
}

fn is_denied(list: &MemoryDenylist, n: u64, now: Timestamp) -> bool {
    list.denies(&Marks { issuer: ISSUER, subject: Some(&name(n)), ..Marks::default() }, now).is_some()
}

fn rule(n: u64, kept: Duration) -> DenyRule {
    DenyRule::new(ISSUER, Denied::Subject(name(n)), NOW.plus(kept))
}

fn name(n: u64) -> Box<str> {
    format!("user-{n}").into()
}
