//! Taking rules out of the stream that are over, a few at a time.

use std::time::Duration;

use ::redis::cmd;

use super::follow::{Rules, ask};
use super::live::Live;
use super::rules::{Content, EntryId, entries};
use crate::store::StoreError;

/// In so many rounds of a second or less one page is looked at.
const ROUNDS: u32 = 64;
const PAGE: usize = 200;

/// A rule stays this long after its end, for replicas whose clocks differ and those that are cut off.
const GRACE: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Sweep {
    rounds: u32,
    upto: EntryId,
}

impl Sweep {
    pub(super) async fn sweep(&mut self, rules: &Rules, live: &Live) -> Result<(), StoreError> {
        self.rounds = (self.rounds + 1) % ROUNDS;
        if self.rounds != 0 {
            return Ok(());
        }
        self.page(rules, live).await
    }

    /// Every rule is looked at in turn, because one that was added early may end late.
    pub(super) async fn page(&mut self, rules: &Rules, live: &Live) -> Result<(), StoreError> {
        let mut range = cmd("XRANGE");
        range.arg(&rules.stream).arg(format!("({}", self.upto)).arg("+").arg("COUNT").arg(PAGE);
        let page = entries(&ask(live, [range]).await?).unwrap_or_default();
        self.upto = page.last().filter(|_| page.len() == PAGE).map_or(EntryId::default(), |last| last.id);
        let now = rules.knowledge.now();
        let over = page.iter().filter(|entry| match &entry.content {
            Content::Rule { rule, .. } => rule.keep_until().plus(GRACE) < now,
            Content::Note => true,
            Content::Unreadable => false,
        });
        let over: Vec<_> = over.map(|entry| entry.id.to_string()).collect();
        if over.is_empty() {
            return Ok(());
        }
        ask(live, [cmd("XDEL").arg(&rules.stream).arg(over).clone()]).await.map(drop)
    }
}
