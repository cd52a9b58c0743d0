//! The suite that every [`Denylist`] must pass.
//!
//! ```
//! use tower_oauth::store::MemoryDenylist;
//! use tower_oauth::store::contract::denylist_contract;
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! denylist_contract(MemoryDenylist::new).await;
//! # });
//! ```

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::BORN;
use crate::store::{Denied, DenyRule, Denylist, Marks, Standing};
use crate::time::Timestamp;

const ISSUER: &str = "https://login.example.com";
const LIFETIME: Duration = Duration::from_secs(3660);
const TICK: Duration = Duration::from_millis(1);

/// Every check, each with a list of its own that `make` gives: empty, current, and with room for 20 000 rules.
///
/// Call it on a tokio runtime of several threads with its timers and I/O enabled. The time is an argument, and begins at
/// [`BORN`]; a list that lets others forget for it must not take that for the true time.
///
/// # Panics
///
/// When the list breaks a promise.
pub async fn denylist_contract<D: Denylist>(make: impl Fn() -> D) {
    a_rule_denies_what_it_names_and_nothing_else(make()).await;
    names_are_not_confused_where_their_texts_run_together(make()).await;
    a_rule_up_to_a_moment_spares_what_was_issued_later(make()).await;
    a_rule_is_kept_to_the_end_of_its_time(make()).await;
    of_two_rules_for_one_name_the_stricter_holds(make()).await;
    a_clock_that_is_set_back_revives_nothing(make()).await;
    every_rule_has_a_new_generation(make()).await;
    what_was_denied_is_denied_in_every_thread_from_then_on(make()).await;
    a_shared_list_is_one_list(make()).await;
}

/// Of each kind, at its own issuer.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn a_rule_denies_what_it_names_and_nothing_else<D: Denylist>(list: D) {
    assert_eq!(list.standing(BORN), Standing::Current, "a list that `make` gives knows everything");
    assert_eq!(list.denies(&user("nobody"), BORN), None, "an empty list denies nothing");
    for denied in each_kind("a") {
        let kind = denied.kind();
        let issuer = format!("https://{kind}.example.com");
        deny(&list, DenyRule::new(issuer.as_str(), denied, BORN.plus(LIFETIME)), BORN).await;
        let all = all_of(&issuer, "a");
        assert_eq!(list.denies(&all, BORN), Some(kind), "what a rule of kind {kind} names");
        let other = all_of(ISSUER, "a");
        assert_eq!(list.denies(&other, BORN), None, "the same names at another issuer than that of a {kind} rule");
        let bare = Marks { issuer: &issuer, ..Marks::default() };
        for others in [all_of(&issuer, "b"), bare, all_but(&issuer, "a", kind)] {
            let expected = Some("everything").filter(|everything| *everything == kind);
            assert_eq!(list.denies(&others, BORN), expected, "others than a rule of kind {kind} names");
        }
    }
    assert_eq!(list.standing(BORN), Standing::Current);
}

/// Neither issuer and name, nor names of several kinds, nor texts that look like patterns.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn names_are_not_confused_where_their_texts_run_together<D: Denylist>(list: D) {
    const NAMES: [&str; 9] = ["", "a", "ab", "*", "a:b", "a\0b", "token:a", "é", "e\u{301}"];
    for issuer in ["x", "xa", "x:a"] {
        for name in NAMES {
            let token = Marks { issuer, subject: Some(name), ..Marks::default() };
            assert_eq!(list.denies(&token, BORN), None, "{name:?} of {issuer} was not denied yet");
            deny(&list, DenyRule::new(issuer, Denied::Subject(name.into()), BORN.plus(LIFETIME)), BORN).await;
            assert_eq!(list.denies(&token, BORN), Some("subject"), "{name:?} of {issuer}");
        }
    }
}

/// By the millisecond; a token that does not say when it was issued is not spared.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn a_rule_up_to_a_moment_spares_what_was_issued_later<D: Denylist>(list: D) {
    for denied in each_kind("a") {
        let kind = denied.kind();
        let issuer = format!("https://{kind}.example.com");
        let rule = DenyRule::new(issuer.as_str(), denied, BORN.plus(LIFETIME)).issued_until(BORN);
        deny(&list, rule, BORN).await;
        let issued = |issued_at| list.denies(&Marks { issued_at, ..all_of(&issuer, "a") }, BORN);
        assert_eq!(issued(Some(BORN.minus(TICK))), Some(kind));
        assert_eq!(issued(Some(BORN)), Some(kind), "issued at that very moment");
        assert_eq!(issued(Some(BORN.plus(TICK))), None, "issued after it");
        assert_eq!(issued(None), Some(kind), "issued nobody knows when");
    }
}

/// To the last millisecond before `keep_until`, whatever came between.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn a_rule_is_kept_to_the_end_of_its_time<D: Denylist>(list: D) {
    let ends: Vec<_> = [60_001, 60_999, 61_000, 64_000, 3_600_000, 86_399_999].map(Duration::from_millis).into();
    for (n, end) in (0..).zip(&ends) {
        deny(&list, rule(n, BORN.plus(*end)), BORN).await;
    }
    for (n, end) in (0..).zip(&ends) {
        let last = BORN.plus(*end).minus(TICK);
        busy(&list, 1_000 * (n + 1), last).await;
        assert_eq!(list.denies(&user(&name(n)), last), Some("subject"), "1 ms before its end after {end:?}");
    }
}

/// And to the later of their ends, in whatever order they came.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn of_two_rules_for_one_name_the_stricter_holds<D: Denylist>(list: D) {
    let (soon, late) = (BORN.plus(Duration::from_secs(120)), BORN.plus(LIFETIME));
    let strict = |n| rule(n, soon);
    let mild = |n| rule(n, late).issued_until(BORN);
    let milder = |n| rule(n, late).issued_until(BORN.minus(LIFETIME));
    for (n, pair) in (0..).zip([[strict(0), mild(0)], [mild(1), strict(1)]]) {
        for rule in pair {
            deny(&list, rule, BORN).await;
        }
        let (name, issued_at) = (name(n), Some(BORN.plus(TICK)));
        let after = Marks { issued_at, ..user(&name) };
        assert_eq!(list.denies(&after, BORN), Some("subject"), "every token, whatever the other rule spares");
    }
    for (n, pair) in (2..).zip([[milder(2), mild(2)], [mild(3), milder(3)]]) {
        for rule in pair {
            deny(&list, rule, BORN).await;
        }
        assert_eq!(list.denies(&user(&name(n)), BORN), Some("subject"), "up to the later of two moments");
    }
    busy(&list, 1_000, soon).await;
    for n in 0..4 {
        assert_eq!(list.denies(&user(&name(n)), late.minus(TICK)), Some("subject"), "the later end counts");
    }
}

/// One that was half an hour ahead for a while has taken no rule away whose time is not over.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn a_clock_that_is_set_back_revives_nothing<D: Denylist>(list: D) {
    for n in 0..200 {
        deny(&list, rule(n, BORN.plus(Duration::from_secs(60))), BORN).await;
    }
    let ahead = BORN.plus(Duration::from_secs(1800));
    busy(&list, 1_000, ahead).await;
    for n in 0..200 {
        assert_eq!(list.denies(&user(&name(n)), BORN), Some("subject"), "after the clock was ahead and set back");
    }
}

/// One that never was before; and none changes while nothing does.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn every_rule_has_a_new_generation<D: Denylist>(list: D) {
    let mut before = HashSet::from([list.generation()]);
    for n in 0..200 {
        // Every other one is for a name that is denied already.
        deny(&list, rule(n / 2, BORN.plus(LIFETIME)), BORN).await;
        assert!(before.insert(list.generation()), "the generation after rule {n} was there before");
    }
    let generation = list.generation();
    list.denies(&user(&name(0)), BORN);
    assert_eq!(list.generation(), generation, "to ask changes nothing");
}

/// A thread that looks after `deny` has answered finds the rule; one that keeps what it found with the generation that
/// it read before is told by the next generation to look again.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn what_was_denied_is_denied_in_every_thread_from_then_on<D: Denylist>(list: D) {
    const RULES: u64 = 5_000;
    let (list, denied) = (Arc::new(list), Arc::new(AtomicU64::new(0)));
    let looker = |_| {
        let (list, denied) = (Arc::clone(&list), Arc::clone(&denied));
        spawn_blocking(move || {
            let mut let_through = Vec::new();
            loop {
                let done = denied.load(Ordering::Acquire);
                let last = done.checked_sub(1).map(name);
                assert!(last.is_none_or(|last| list.denies(&user(&last), BORN).is_some()), "rule {done} was missed");
                if done == RULES {
                    return let_through;
                }
                let next = name(done);
                let generation = list.generation();
                if list.denies(&user(&next), BORN).is_none() {
                    let_through.push((done, generation));
                }
            }
        })
    };
    let lookers: Vec<_> = (0..3).map(looker).collect();
    let mut generations = Vec::new();
    for n in 0..RULES {
        deny(&*list, rule(n, BORN.plus(LIFETIME)), BORN).await;
        generations.push(list.generation());
        denied.store(n + 1, Ordering::Release);
    }
    for looker in lookers {
        let let_through = looker.await.unwrap_or_else(|_panicked| vec![(RULES, 0)]);
        for (n, generation) in let_through {
            let after = generations.get(n as usize);
            assert!(after.is_some_and(|after| *after != generation), "who was let through before rule {n} stays so");
        }
    }
}

/// Behind an `Arc`, and as a trait object.
///
/// # Panics
///
/// When the list breaks the promise.
pub async fn a_shared_list_is_one_list<D: Denylist>(list: D) {
    let list = Arc::new(list);
    let other: Arc<dyn Denylist> = Arc::<D>::clone(&list);
    deny(&list, rule(0, BORN.plus(LIFETIME)), BORN).await;
    assert_eq!(other.denies(&user(&name(0)), BORN), Some("subject"));
    assert_eq!((other.generation(), other.standing(BORN)), (list.generation(), list.standing(BORN)));
}

async fn deny(list: &impl Denylist, rule: DenyRule, now: Timestamp) {
    let kind = rule.denied().kind();
    let answer = list.deny(rule, now).wait().await;
    assert_eq!(answer, Ok(()), "a rule of kind {kind}");
}

/// Others in between: a list may tidy up whenever a rule comes.
async fn busy(list: &impl Denylist, from: u64, now: Timestamp) {
    for n in from..from + 1_000 {
        deny(list, rule(n, now.plus(LIFETIME)), now).await;
    }
}

fn rule(n: u64, keep_until: Timestamp) -> DenyRule {
    DenyRule::new(ISSUER, Denied::Subject(name(n).into()), keep_until)
}

fn name(n: u64) -> String {
    format!("user-{n}")
}

fn user(subject: &str) -> Marks<'_> {
    Marks { issuer: ISSUER, subject: Some(subject), issued_at: Some(BORN), ..Marks::default() }
}

fn each_kind(name: &str) -> [Denied; 5] {
    let name = || name.into();
    [
        Denied::Token(name()),
        Denied::Session(name()),
        Denied::Subject(name()),
        Denied::Client(name()),
        Denied::Everything,
    ]
}

fn all_of<'a>(issuer: &'a str, name: &'a str) -> Marks<'a> {
    let name = Some(name);
    Marks { issuer, token_id: name, session_id: name, subject: name, client_id: name, issued_at: Some(BORN) }
}

/// A token with the same name in every place but that of the kind.
fn all_but<'a>(issuer: &'a str, name: &'a str, kind: &str) -> Marks<'a> {
    let all = all_of(issuer, name);
    match kind {
        "token" => Marks { token_id: None, ..all },
        "session" => Marks { session_id: None, ..all },
        "subject" => Marks { subject: None, ..all },
        "client" => Marks { client_id: None, ..all },
        _ => all,
    }
}
