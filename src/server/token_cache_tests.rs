//! No history of changes makes a cached verdict stand that the judge would not reach anew.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::credential::Scheme;
use crate::introspection::Need;
use crate::server::authenticate::Place;
use crate::server::standing::Asking;
use crate::server::{OAuthConfig, OAuthConfigBuilder, ResourceServer};
use crate::store::Answer;
use crate::test::{Fault, ManualClock, TestIssuer};
use crate::token::Terms;

const RESOURCE: &str = "https://rs.example/api";

#[test]
fn a_fingerprint_depends_on_every_byte_and_on_the_process() {
    let (one, other) = (TokenCache::new(8).unwrap(), TokenCache::new(8).unwrap());
    let print = |cache: &TokenCache, token: &str| cache.fingerprint(token.as_bytes()).0;
    assert_eq!(print(&one, "a.b.c"), print(&one, "a.b.c"));
    for token in ["a.b.d", "a.b.c.", "a.b", "A.b.c", ""] {
        assert_ne!(print(&one, token), print(&one, "a.b.c"), "{token}");
    }
    assert_ne!(print(&one, "a.b.c"), print(&other, "a.b.c"));
}

#[tokio::test]
async fn a_token_over_the_limit_is_not_even_hashed() {
    let world = World::new();
    let state = world.server.state();
    let place = |bytes: usize| Place::of(&state, &vec![b'a'; bytes]);
    assert!(place(16 * 1024).print.is_some());
    assert!(place(16 * 1024 + 1).print.is_none());
}

#[test]
fn no_verdicts_mean_no_cache() {
    assert!(TokenCache::new(0).is_none());
}

#[tokio::test]
async fn the_cache_is_bounded_and_one_off_tokens_do_not_push_out_hot_ones() {
    let world = World::new();
    let present = async |token: &str| world.present(token).await.unwrap();
    let hot: Vec<_> = (0..16).map(|_| world.issuers[0].token_for(RESOURCE).sign()).collect();
    for _ in 0..4 {
        for token in &hot {
            present(token).await;
        }
    }
    let mut recalled = 0;
    for round in 0..600 {
        present(&world.issuers[0].token_for(RESOURCE).sign()).await;
        recalled += usize::from(present(&hot[round % hot.len()]).await == Presented::Recalled);
    }
    assert!(recalled >= 540, "hot tokens were pushed out: {recalled} of 600");
    let state = world.server.state();
    assert!(state.cache.as_ref().unwrap().shared.len() <= 64);
}

/// What may happen to a service.
#[derive(Clone, Debug)]
enum Step {
    Issue { lifetime: u64, starts_in: u64, second_issuer: bool },
    Present(usize),
    Wait(u64),
    SetBack(u64),
    Rotate,
    Withdraw,
    ReplaceKey,
    Reconfigure { second_issuer: bool, other_audience: bool },
    Forget,
    Fail,
    Heal,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..900_u64, 0..20_u64, any::<bool>())
            .prop_map(|(lifetime, starts_in, second_issuer)| Step::Issue { lifetime, starts_in, second_issuer }),
        8 => (0..12_usize).prop_map(Step::Present),
        3 => (1..400_u64).prop_map(Step::Wait),
        1 => (1..30_u64).prop_map(Step::SetBack),
        1 => Just(Step::Rotate),
        1 => Just(Step::Withdraw),
        1 => Just(Step::ReplaceKey),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(second_issuer, other_audience)| Step::Reconfigure { second_issuer, other_audience }),
        1 => Just(Step::Forget),
        1 => Just(Step::Fail),
        1 => Just(Step::Heal),
    ]
}

#[derive(Debug, PartialEq, Eq)]
enum Presented {
    Recalled,
    Verified,
    Refused,
}

/// A server with a small cache and two issuers.
struct World {
    clock: ManualClock,
    issuers: [TestIssuer; 2],
    server: ResourceServer,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::starting_now();
        let issuers = ["https://as.example", "https://second.example"];
        let issuers = issuers.map(|url| TestIssuer::new(url).clock(clock.clone()));
        let server = ResourceServer::new(Self::config(&clock, &issuers, true, false).build().unwrap());
        Self { clock, issuers, server }
    }

    fn config(
        clock: &ManualClock,
        issuers: &[TestIssuer; 2],
        second: bool,
        other_audience: bool,
    ) -> OAuthConfigBuilder {
        let first = issuers[0].issuer();
        let first = if other_audience { first.audience("https://elsewhere.example") } else { first };
        let built = OAuthConfig::builder(RESOURCE).clock(clock.clone()).leeway(Duration::from_secs(5)).trust(first);
        let built = if second { built.trust(issuers[1].issuer()) } else { built };
        built.cached_verdicts(64)
    }

    /// Presents a token as a request does. Were it recalled, the judge must come to the same verdict at that moment.
    async fn present(&self, token: &str) -> Result<Presented, TestCaseError> {
        let state = self.server.state();
        let now = state.context.now();
        let place = Place::of(&state, token.as_bytes());
        if let Some(recalled) = state.recall(&place, now) {
            let anew = state.judge(token, Need::Cached, now);
            prop_assert!(matches!(&anew, Answer::Now(Ok(_))), "recalled, and the judge would not accept it");
            if let Answer::Now(Ok(anew)) = anew {
                let subjects = (recalled.statement.subject(), &*recalled.issuer);
                prop_assert_eq!(subjects, (anew.verdict.statement.subject(), &*anew.verdict.issuer));
            }
            return Ok(Presented::Recalled);
        }
        let judged = state.judge(token, Need::Cached, now).wait().await;
        let asking = Asking { terms: Terms::default(), scheme: Scheme::Bearer, now, settled: false };
        let concluded = state.conclude(judged, &place, token, &asking);
        Ok(if concluded.is_ok() { Presented::Verified } else { Presented::Refused })
    }

    /// How many requests were recalled.
    async fn run(&self, steps: &[Step]) -> Result<usize, TestCaseError> {
        let mut tokens = vec![self.issuers[0].token_for(RESOURCE).sign()];
        let mut recalled = 0;
        for step in steps {
            match step {
                Step::Issue { lifetime, starts_in, second_issuer } => {
                    let token = self.issuers[usize::from(*second_issuer)]
                        .token_for(RESOURCE)
                        .not_before_in(Duration::from_secs(*starts_in))
                        .expires_in(Duration::from_secs(*lifetime));
                    tokens.push(token.sign());
                }
                Step::Present(which) => {
                    let presented = self.present(&tokens[which % tokens.len()]).await?;
                    recalled += usize::from(presented == Presented::Recalled);
                }
                Step::Wait(seconds) => {
                    self.clock.advance(Duration::from_secs(*seconds));
                    tokio::time::sleep(Duration::from_secs(*seconds)).await;
                }
                Step::SetBack(seconds) => self.clock.rewind(Duration::from_secs(*seconds)),
                Step::Rotate => self.issuers[0].rotate(),
                Step::Withdraw => self.issuers[0].withdraw_old(),
                Step::ReplaceKey => self.issuers[0].replace_under_same_kid(),
                Step::Reconfigure { second_issuer, other_audience } => {
                    let config = Self::config(&self.clock, &self.issuers, *second_issuer, *other_audience);
                    self.server.replace(config.build().unwrap());
                }
                Step::Forget => self.server.forget_verdicts(),
                Step::Fail => self.issuers[0].fail(Fault::Connect),
                Step::Heal => self.issuers[0].heal(),
            }
        }
        Ok(recalled)
    }
}

#[test]
fn no_history_makes_a_verdict_stand_that_the_judge_would_not_reach_anew() {
    let recalled = AtomicUsize::new(0);
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&proptest::collection::vec(step(), 1..60), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        recalled.fetch_add(runtime.block_on(World::new().run(&steps))?, Ordering::Relaxed);
        Ok(())
    });
    result.unwrap();
    assert!(recalled.load(Ordering::Relaxed) > 400, "hardly any verdict was recalled, so nothing was compared");
}
