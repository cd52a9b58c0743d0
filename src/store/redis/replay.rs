//! Proofs: one round trip decides, for all replicas at once.
//!
//! `SET key NX PX` inserts or finds the key in one step, and `GET marker` comes with it in the same packet. The order
//! matters: a marker that is read *after* the key was written, and is the one of the process that answers, says that the
//! key was written into a memory that has lost nothing since its birth.

use std::time::Duration;

use ::redis::{Cmd, Pipeline, Value, pipe};

use super::Inner;
use super::birth::Birth;
use super::dial::text;
use super::live::Live;
use crate::observe::{Detail, Event};
use crate::store::{Replay, ReplayEntry, StoreError};
use crate::time::Timestamp;

impl Inner {
    /// Asks Redis, which alone may say that a proof is fresh.
    pub(super) async fn spend(&self, entry: ReplayEntry, now: Timestamp) -> Replay {
        match self.spend_there(entry, now).await {
            Ok(replay) => {
                if replay == Replay::Fresh {
                    // The near memory refuses its next coming without a round trip. Where it is full, Redis does.
                    self.spent.remember(entry, now);
                }
                replay
            }
            Err(error) => Replay::Unavailable(error),
        }
    }

    async fn spend_there(&self, entry: ReplayEntry, now: Timestamp) -> Result<Replay, StoreError> {
        let key = self.keys.proof(entry.key());
        let (live, answers) =
            self.commands.ask(&key, &question(&key, &self.keys.proof_marker(entry.key()), entry, now)).await?;
        let [set, marker] = answers.as_slice() else { return Err(StoreError::new("Redis left a command unanswered")) };
        let set = match set {
            Value::Okay => true,
            Value::Nil => false,
            Value::ServerError(error) if error.code() == "OOM" => return Ok(Replay::Full),
            Value::ServerError(error) => return Err(StoreError::new(format!("Redis answered {}", error.code()))),
            _ => return Err(StoreError::new("Redis answered SET with something else")),
        };
        if !set {
            self.lengthen(entry, now).await;
            return Ok(Replay::Seen);
        }
        let birth = match text(marker).and_then(|marker| Birth::of_process(marker, live.run_id())) {
            Some(birth) => birth,
            None => self.give_birth(&live, entry, now).await?,
        };
        let verdict = birth.judge(entry.issued_at(), self.clock_tolerance);
        if verdict != Replay::Fresh {
            self.release(entry).await;
        }
        Ok(verdict)
    }

    /// What was refused for its age was not spent. The key is this request's own: until it is gone, everybody else finds
    /// it, and whoever inserts it again does so after that.
    async fn release(&self, entry: ReplayEntry) {
        let (key, mut command) = (self.keys.proof(entry.key()), pipe());
        command.cmd("DEL").arg(&key);
        let _ = self.commands.ask(&key, &command).await;
    }

    /// A server without the marker of its own process is new, was restarted, was emptied, or has taken over from another
    /// one: whatever was spent before may be forgotten.
    async fn give_birth(&self, live: &Live, entry: ReplayEntry, now: Timestamp) -> Result<Birth, StoreError> {
        let birth = Birth::at(now);
        self.write_birth(&self.keys.proof_marker(entry.key()), live.run_id(), birth).await?;
        let detail = "its memory of spent proofs begins now: it is new, was restarted or emptied, or has taken over";
        self.observers.emit(&Event::StoreChanged { store: "redis", standing: "lost", detail: Detail(&detail) });
        // What else has lost its memory with it begins now as well, and not when its first proof comes.
        if let Ok(_one_at_a_time) = self.births.try_lock() {
            for marker in self.keys.proof_markers() {
                // One that cannot be written now is written with its first proof.
                let _ = self.renew_birth(&marker, birth).await;
            }
        }
        Ok(birth)
    }

    async fn renew_birth(&self, marker: &[u8], birth: Birth) -> Result<(), StoreError> {
        let mut question = pipe();
        question.cmd("GET").arg(marker);
        let (live, answers) = self.commands.ask(marker, &question).await?;
        let found = answers.first().and_then(text).and_then(|found| Birth::of_process(found, live.run_id()));
        if found.is_some() { Ok(()) } else { self.write_birth(marker, live.run_id(), birth).await }
    }

    /// Where several write one, each is later than the loss that it answers, so the last of them will do.
    async fn write_birth(&self, marker: &[u8], run_id: &str, birth: Birth) -> Result<(), StoreError> {
        let mut command = pipe();
        command.cmd("SET").arg(marker).arg(birth.marker(run_id));
        let (writer, answers) = self.commands.ask(marker, &command).await?;
        if writer.run_id() != run_id || answers.first() != Some(&Value::Okay) {
            return Err(StoreError::new("Redis could not be told that its memory begins now"));
        }
        Ok(())
    }

    /// What comes again with a longer window is remembered until that ends. Refused it is in any case, so no more than
    /// a trial.
    async fn lengthen(&self, entry: ReplayEntry, now: Timestamp) {
        let (key, mut command) = (self.keys.proof(entry.key()), pipe());
        command.cmd("PEXPIRE").arg(&key).arg(window(entry, now)).arg("GT");
        let _ = self.commands.ask(&key, &command).await;
    }
}

fn question(key: &[u8], marker: &[u8], entry: ReplayEntry, now: Timestamp) -> Pipeline {
    let mut set = Cmd::with_capacity(6, 96);
    set.arg("SET").arg(key).arg("").arg("NX").arg("PX").arg(window(entry, now));
    let mut get = Cmd::with_capacity(2, 48);
    get.arg("GET").arg(marker);
    let mut both = Pipeline::with_capacity(2);
    both.add_command(set).add_command(get);
    both
}

/// How long Redis keeps an entry, in milliseconds: never 0, which it would take for an error.
fn window(entry: ReplayEntry, now: Timestamp) -> u64 {
    let rest: Duration = entry.keep_until().since(now);
    u64::try_from(rest.as_millis()).unwrap_or(u64::MAX).clamp(1, MAX_PX)
}

/// Redis refuses what overflows its own clock: some hundred million years are enough.
const MAX_PX: u64 = i64::MAX as u64 / 4;
