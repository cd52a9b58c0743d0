//! Following the stream of rules: catching up on each connection, then hearing of every rule as it is added.
//!
//! Once in a second, and with every rule, the follower writes a beat and reads the marker. The beat is a write, because a
//! primary that was cut off from its replicas can still be read, and refuses writes where `min-replicas-to-write` is set.
//!
//! Redis counts all entries that were ever added to a stream. So does the follower: where Redis has counted less, entries
//! were lost that had been there, by a failover or a crash, even if others were added since.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, Pipeline, Value, cmd};
use tokio::time::sleep;

use super::dial::text;
use super::link::pause;
use super::live::{Live, in_words};
use super::marker::Marker;
use super::rules::{Content, Entry, EntryId, entries, entries_read, note};
use super::standing::Knowledge;
use super::target::Target;
use crate::store::{Denylist as _, MemoryDenylist, StoreError};

/// How long Redis holds a question for new rules. A follower that was cut off notices it within that time.
const BEAT: Duration = Duration::from_secs(1);

/// Entries that are read at once.
const PAGE: usize = 1000;

/// What the follower and those who ask share.
pub(super) struct Rules {
    pub(super) list: MemoryDenylist,
    pub(super) knowledge: Knowledge,
    pub(super) target: Target,
    pub(super) stream: String,
    pub(super) marker: String,
    pub(super) beat: String,
    pub(super) empty_is_lost: bool,
    /// A name for this process that nobody else has.
    pub(super) origin: Box<str>,
}

/// How far a follower has come.
#[derive(Default)]
struct Read {
    marker: Option<Marker>,
    upto: EntryId,
    /// How many entries had been added up to there.
    counted: u64,
    /// Why what was read could not be taken in; that does not mend by reading on.
    damage: Option<&'static str>,
    sweep: super::sweep::Sweep,
}

/// Marks the end of following, however it ends.
struct Following<'a>(&'a Knowledge);

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.0.abandoned();
    }
}

/// Follows until it is aborted.
pub(super) async fn follow(rules: Arc<Rules>) {
    let _following = Following(&rules.knowledge);
    let (mut read, mut failures) = (Read::default(), 0);
    loop {
        let ended = match rules.target.connect(BEAT).await {
            Ok(live) => rules.follow_on(&live, &mut read, &mut failures).await,
            Err(error) => error,
        };
        rules.knowledge.behind(&ended);
        sleep(pause(failures)).await;
        failures = failures.saturating_add(1);
    }
}

impl Rules {
    /// On one connection, for as long as it lasts; why it did not.
    async fn follow_on(&self, live: &Live, read: &mut Read, failures: &mut u32) -> StoreError {
        loop {
            if let Err(error) = self.round(live, read).await {
                return error;
            }
            *failures = 0;
        }
    }

    async fn round(&self, live: &Live, read: &mut Read) -> Result<(), StoreError> {
        let look = self.look(live).await?;
        let marker = self.marker(live, look.marker, read.marker.as_ref()).await?;
        let begins = !read.marker.as_ref().is_some_and(|before| marker.continues(before));
        if begins {
            (read.upto, read.counted) = (EntryId::default(), 0);
        }
        while read.upto < look.last {
            let page = self.page(live, read.upto, look.last).await?;
            let Some(last) = page.last().map(|entry| entry.id) else { break };
            read.counted += page.len() as u64;
            read.upto = last;
            self.take(page, read).await;
        }
        let gone = !begins && (look.last < read.upto || look.added < read.counted);
        let marker = if gone && !marker.is_lost() { self.write(live, marker.lost()).await? } else { marker };
        (read.upto, read.counted) = (look.last, look.added);
        let lost = marker.is_lost();
        read.marker = Some(marker);
        match read.damage {
            Some(damage) => self.knowledge.lost(&damage),
            None if lost => self.knowledge.lost(&"rules were lost; seed the list anew and call reseeded()"),
            None => self.knowledge.current(),
        }
        read.sweep.sweep(self, live).await?;
        let news = self.wait(live, read.upto).await?;
        if let Some(last) = news.last().map(|entry| entry.id) {
            read.counted += news.len() as u64;
            read.upto = last;
        }
        self.take(news, read).await;
        Ok(())
    }

    async fn take(&self, entries: Vec<Entry>, read: &mut Read) {
        for entry in entries {
            match entry.content {
                Content::Note => {}
                Content::Unreadable => read.damage = Some("a rule cannot be read; is another version in the fleet?"),
                // Taken in before it was added.
                Content::Rule { origin: Some(origin), .. } if origin == self.origin => {}
                Content::Rule { rule, .. } => {
                    if self.list.deny(rule, self.knowledge.now()).wait().await.is_err() {
                        read.damage = Some("there is no room for all rules; give the store a larger rules_capacity");
                    }
                }
            }
        }
    }

    /// The marker that holds from now on.
    async fn marker(&self, live: &Live, found: Option<Marker>, before: Option<&Marker>) -> Result<Marker, StoreError> {
        match (found, before) {
            (Some(found), Some(before)) if found.replaces(before) => self.write(live, found.lost()).await,
            (Some(found), _) => Ok(found),
            (None, before) => {
                let new = Marker::new(self.empty_is_lost);
                let new = if before.is_some() { new.lost() } else { new };
                let set = cmd("SET").arg(&self.marker).arg(new.to_string()).arg("NX").clone();
                ask(live, [set]).await?;
                // Another one may have been first.
                let made = self.look(live).await?.marker;
                let made = made.ok_or_else(|| StoreError::new("the marker of the rules is gone again"))?;
                let unsaid = before.is_some_and(|before| made.replaces(before));
                if unsaid { self.write(live, made.lost()).await } else { Ok(made) }
            }
        }
    }

    async fn write(&self, live: &Live, marker: Marker) -> Result<Marker, StoreError> {
        ask(live, self.proclaim(&marker)).await?;
        Ok(marker)
    }

    /// What writes a marker, and wakes everybody to read it.
    pub(super) fn proclaim(&self, marker: &Marker) -> [Cmd; 2] {
        [cmd("SET").arg(&self.marker).arg(marker.to_string()).clone(), note(&self.stream)]
    }

    async fn look(&self, live: &Live) -> Result<Look, StoreError> {
        let beat = cmd("SET").arg(&self.beat).arg("").arg("PX").arg(10_000).clone();
        let get = cmd("GET").arg(&self.marker).clone();
        let mut commands = Pipeline::with_capacity(3);
        commands.add_command(beat).add_command(get).cmd("XINFO").arg("STREAM").arg(&self.stream);
        let answers = live.ask(&commands).await.map_err(|error| in_words(&error))?;
        let [beat, marker, stream] = answers.as_slice() else { return Err(odd()) };
        refuse_error(beat)?;
        refuse_error(marker)?;
        let unreadable = || StoreError::new("the marker of the rules cannot be read; is another version in the fleet?");
        let marker = match text(marker) {
            Some(marker) => Some(Marker::read(marker).ok_or_else(unreadable)?),
            None => None,
        };
        // Before the first rule there is no stream.
        let (last, added) = match stream {
            Value::ServerError(error) if error.code() == "ERR" => (EntryId::default(), 0),
            stream => in_stream(stream)?,
        };
        Ok(Look { marker, last, added })
    }

    async fn page(&self, live: &Live, after: EntryId, upto: EntryId) -> Result<Vec<Entry>, StoreError> {
        let range = cmd("XRANGE").arg(&self.stream).arg(format!("({after}")).arg(upto.to_string()).clone();
        let range = range.clone().arg("COUNT").arg(PAGE).clone();
        entries(&ask(live, [range]).await?).ok_or_else(odd)
    }

    async fn wait(&self, live: &Live, after: EntryId) -> Result<Vec<Entry>, StoreError> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(PAGE).arg("BLOCK").arg(BEAT.as_millis() as u64);
        read.arg("STREAMS").arg(&self.stream).arg(after.to_string());
        entries_read(&ask(live, [read]).await?).ok_or_else(odd)
    }
}

/// What stands in Redis at one moment.
struct Look {
    marker: Option<Marker>,
    /// The last entry that was ever added, and how many it were.
    last: EntryId,
    added: u64,
}

/// The last of the answers, none of which is an error.
pub(super) async fn ask(live: &Live, commands: impl IntoIterator<Item = Cmd>) -> Result<Value, StoreError> {
    let mut all = Pipeline::new();
    commands.into_iter().for_each(|command| {
        all.add_command(command);
    });
    let answers = live.ask(&all).await.map_err(|error| in_words(&error))?;
    answers.iter().try_for_each(refuse_error)?;
    answers.into_iter().next_back().ok_or_else(odd)
}

fn refuse_error(answer: &Value) -> Result<(), StoreError> {
    match answer {
        Value::ServerError(error) => Err(StoreError::new(format!("Redis answered {}", error.code()))),
        _ => Ok(()),
    }
}

fn odd() -> StoreError {
    StoreError::new("Redis answered something that was not expected")
}

fn in_stream(info: &Value) -> Result<(EntryId, u64), StoreError> {
    refuse_error(info)?;
    let Value::Array(facts) = info else { return Err(odd()) };
    let fact =
        |name| facts.as_chunks::<2>().0.iter().find_map(|[key, value]| (text(key) == Some(name)).then_some(value));
    let last = fact("last-generated-id").and_then(text).and_then(EntryId::read).ok_or_else(odd)?;
    match fact("entries-added") {
        Some(Value::Int(added)) => Ok((last, u64::try_from(*added).map_err(|_| odd())?)),
        _ => Err(odd()),
    }
}
