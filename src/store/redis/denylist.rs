//! The list as its users see it: answered from memory, told to everybody.

use std::sync::{Arc, PoisonError};

use ::redis::{Value, pipe};

use super::follow::follow;
use super::live::Owned;
use super::marker::Marker;
use super::rules::add;
use super::{Inner, RedisStore};
use crate::store::{Answer, DenyRule, Denylist, Marks, Standing, StoreError};
use crate::time::Timestamp;

impl RedisStore {
    /// Says that every rule that was lost is here again, or is not needed: the list of every replica is current from
    /// then on.
    ///
    /// Rules are lost when Redis was emptied, or had to go back to an earlier state; see
    /// [`Standing::Lost`]. Deny anew whatever was denied and has not expired, as your own records have it, then call
    /// this at one replica. Where there are no records, wait for the longest lifetime of a token.
    ///
    /// # Errors
    /// [`StoreError`] when Redis could not be told.
    pub async fn reseeded(&self) -> Result<(), StoreError> {
        let inner = &self.0;
        let mut question = pipe();
        question.cmd("GET").arg(&inner.rules.marker);
        let (_live, answers) = inner.commands.ask(inner.rules.marker.as_bytes(), &question).await?;
        let marker = answers.first().and_then(super::dial::text).and_then(Marker::read);
        let marker = marker.unwrap_or_else(|| Marker::new(false)).reseeded();
        let mut tell = pipe();
        inner.rules.proclaim(&marker).into_iter().for_each(|command| {
            tell.add_command(command);
        });
        let (_live, answers) = inner.commands.ask(inner.rules.marker.as_bytes(), &tell).await?;
        match answers.into_iter().find_map(|answer| answer.extract_error().err()) {
            None => Ok(()),
            Some(error) => Err(super::live::in_words(&error)),
        }
    }
}

impl Inner {
    /// Begins to follow, where nobody does: when the list is first asked, or on another runtime than before.
    fn be_followed(&self, now: Timestamp) {
        self.rules.knowledge.tell_time(now);
        if self.rules.knowledge.is_followed() {
            return;
        }
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        if follower.as_ref().is_none_or(Owned::is_over) {
            *follower = Owned::spawn(follow(Arc::clone(&self.rules))).ok();
        }
    }

    async fn publish(&self, rule: &DenyRule) -> Result<(), StoreError> {
        let mut command = pipe();
        command.add_command(add(&self.rules.stream, rule, &self.rules.origin));
        let (_live, answers) = self.commands.ask(self.rules.stream.as_bytes(), &command).await?;
        match answers.first() {
            Some(Value::BulkString(_)) => Ok(()),
            Some(Value::ServerError(error)) => Err(StoreError::new(format!("Redis answered {}", error.code()))),
            _ => Err(StoreError::new("Redis answered XADD with something else")),
        }
    }
}

impl Denylist for RedisStore {
    fn deny(&self, rule: DenyRule, now: Timestamp) -> Answer<Result<(), StoreError>> {
        self.0.be_followed(now);
        // Here first: this process refuses by it whatever becomes of the rest.
        let here = self.0.rules.list.deny(rule.clone(), now);
        let inner = Arc::clone(&self.0);
        Answer::Later(Box::pin(async move {
            here.wait().await?;
            inner.publish(&rule).await
        }))
    }

    fn denies(&self, token: &Marks<'_>, now: Timestamp) -> Option<&'static str> {
        self.0.rules.list.denies(token, now)
    }

    fn generation(&self) -> u64 {
        self.0.rules.list.generation()
    }

    fn standing(&self, now: Timestamp) -> Standing {
        self.0.be_followed(now);
        self.0.rules.knowledge.standing(now)
    }
}
