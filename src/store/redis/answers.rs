//! Introspection answers that replicas share, sealed: Redis, its backups and whoever reads them learn nothing.
//!
//! What is kept is `asked_at` and the body, encrypted and authenticated for the very key under which it lies (AES-256-
//! GCM-SIV, RFC 8452). So an answer that was altered, moved to another token's key or sealed with another secret is none;
//! the issuer is asked then. That an old answer was put back in its own place cannot be seen, but `asked_at` is within
//! the seal: an answer never looks younger than it is, and whoever wants a fresh one is not deceived.

use ::redis::{Pipeline, Value, pipe};

use super::Inner;
use crate::secret::Secret;
use crate::store::{StoreError, StoredAnswer};
use crate::time::Timestamp;

/// Both times before the body: when it was asked, and until when it stands.
const TIMES: usize = 16;

impl Inner {
    pub(super) async fn stored_answer(
        &self,
        key: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let (place, mut command) = (self.keys.answer(&key), pipe());
        command.cmd("GET").arg(&place);
        match self.only(&place, &command).await? {
            Value::BulkString(sealed) => Ok(self.unsealed(&key, &sealed, now)),
            Value::Nil => Ok(None),
            _ => Err(StoreError::new("Redis answered GET with something else")),
        }
    }

    /// The later one stands where two replicas asked at once: both are true, and neither claims to be younger than it is.
    pub(super) async fn store_answer(
        &self,
        key: [u8; 32],
        answer: StoredAnswer,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let left = keep_until.since(now).as_millis();
        if left == 0 {
            return Ok(());
        }
        let sealed = self.sealed(&key, &answer, keep_until);
        let sealed = sealed.ok_or_else(|| StoreError::new("the system has no randomness to seal an answer with"))?;
        let (place, mut command) = (self.keys.answer(&key), pipe());
        command
            .cmd("SET")
            .arg(self.keys.answer(&key))
            .arg(sealed)
            .arg("PX")
            .arg(u64::try_from(left).unwrap_or(u64::MAX));
        match self.only(&place, &command).await? {
            Value::Okay => Ok(()),
            _ => Err(StoreError::new("Redis answered SET with something else")),
        }
    }

    pub(super) async fn forget_answer(&self, key: [u8; 32]) -> Result<(), StoreError> {
        let (place, mut command) = (self.keys.answer(&key), pipe());
        command.cmd("DEL").arg(&place);
        self.only(&place, &command).await.map(drop)
    }

    async fn only(&self, place: &[u8], command: &Pipeline) -> Result<Value, StoreError> {
        let (_live, answers) = self.commands.ask(place, command).await?;
        match answers.into_iter().next() {
            Some(Value::ServerError(error)) => Err(StoreError::new(format!("Redis answered {}", error.code()))),
            Some(answer) => Ok(answer),
            None => Err(StoreError::new("Redis left a command unanswered")),
        }
    }

    fn sealed(&self, key: &[u8; 32], answer: &StoredAnswer, keep_until: Timestamp) -> Option<Vec<u8>> {
        let times = [answer.asked_at, keep_until].map(|time| time.as_millis().to_be_bytes());
        let content = Secret::new([times.as_flattened(), answer.body.expose()].concat());
        self.sealing.seal_for(content.expose(), key)
    }

    fn unsealed(&self, key: &[u8; 32], sealed: &[u8], now: Timestamp) -> Option<StoredAnswer> {
        let content = Secret::new(self.sealing.open_for(sealed, key)?);
        let (times, body) = content.expose().split_first_chunk::<TIMES>()?;
        let [asked_at, keep_until] = times.as_chunks::<8>().0 else { return None };
        let [asked_at, keep_until] =
            [asked_at, keep_until].map(|time| Timestamp::from_millis(i64::from_be_bytes(*time)));
        (keep_until > now).then(|| StoredAnswer { body: Secret::new(body.to_vec()), asked_at })
    }
}
