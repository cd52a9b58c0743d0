//! Rules as entries of a stream: fields with short names, readable by eye.

use std::collections::HashMap;

use ::redis::{Cmd, Value, cmd};

use super::dial::text;
use crate::store::{Denied, DenyRule};
use crate::time::Timestamp;

/// An entry that only wakes whoever follows, to look at the marker.
pub(super) const NOTE: &str = "note";

/// One entry of the stream.
pub(super) struct Entry {
    pub(super) id: EntryId,
    pub(super) content: Content,
}

pub(super) enum Content {
    Rule {
        rule: DenyRule,
        /// Who added it, where that was said.
        origin: Option<Box<str>>,
    },
    Note,
    /// Of a version that this one does not know.
    Unreadable,
}

/// The place of an entry in the stream. A later one is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(u64, u64);

impl EntryId {
    pub(super) fn read(id: &str) -> Option<Self> {
        let (millis, number) = id.split_once('-')?;
        Some(Self(millis.parse().ok()?, number.parse().ok()?))
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// `XADD` of a rule, by the process `origin`, which need not be told of it.
pub(super) fn add(stream: &str, rule: &DenyRule, origin: &str) -> Cmd {
    let (kind, value) = (rule.denied().kind(), value(rule.denied()));
    let mut add = cmd("XADD");
    add.arg(stream).arg("*").arg("kind").arg(kind).arg("issuer").arg(rule.issuer()).arg("value").arg(value);
    add.arg("until").arg(rule.keep_until().as_millis()).arg("by").arg(origin);
    if let Some(latest) = rule.latest_issue() {
        add.arg("issued").arg(latest.as_millis());
    }
    add
}

/// `XADD` of a note.
pub(super) fn note(stream: &str) -> Cmd {
    let mut add = cmd("XADD");
    add.arg(stream).arg("*").arg("kind").arg(NOTE);
    add
}

/// Entries as `XRANGE` answers, and `XREAD` for each stream.
pub(super) fn entries(answer: &Value) -> Option<Vec<Entry>> {
    let Value::Array(entries) = answer else { return None };
    entries.iter().map(entry).collect()
}

/// Entries as `XREAD` answers for one stream; none when nothing came in time.
pub(super) fn entries_read(answer: &Value) -> Option<Vec<Entry>> {
    if *answer == Value::Nil {
        return Some(Vec::new());
    }
    let Value::Array(streams) = answer else { return None };
    let [Value::Array(stream)] = streams.as_slice() else { return None };
    let [_name, read] = stream.as_slice() else { return None };
    entries(read)
}

fn entry(entry: &Value) -> Option<Entry> {
    let Value::Array(parts) = entry else { return None };
    let [id, fields] = parts.as_slice() else { return None };
    Some(Entry { id: EntryId::read(text(id)?)?, content: content(fields).unwrap_or(Content::Unreadable) })
}

fn content(fields: &Value) -> Option<Content> {
    let Value::Array(fields) = fields else { return None };
    let (pairs, []) = fields.as_chunks::<2>() else { return None };
    let fields: HashMap<_, _> = pairs.iter().filter_map(|[name, value]| Some((text(name)?, text(value)?))).collect();
    let field = |name: &str| fields.get(name).copied();
    let millis = |text: &str| text.parse().ok().map(Timestamp::from_millis);
    let value = || field("value").map(Box::from);
    let denied = match field("kind")? {
        NOTE => return Some(Content::Note),
        "token" => Denied::Token(value()?),
        "session" => Denied::Session(value()?),
        "subject" => Denied::Subject(value()?),
        "client" => Denied::Client(value()?),
        "everything" => Denied::Everything,
        _ => return None,
    };
    let rule = DenyRule::new(field("issuer")?, denied, millis(field("until")?)?);
    let rule = match field("issued") {
        Some(latest) => rule.issued_until(millis(latest)?),
        None => rule,
    };
    Some(Content::Rule { rule, origin: field("by").map(Box::from) })
}

fn value(denied: &Denied) -> &str {
    match denied {
        Denied::Token(value) | Denied::Session(value) | Denied::Subject(value) | Denied::Client(value) => value,
        Denied::Everything => "",
    }
}

#[cfg(test)]
mod tests {
    use ::redis::Arg;

    use super::*;

    fn sent(command: &Cmd) -> Value {
        let words = command.args_iter().filter_map(|word| match word {
            Arg::Simple(word) => Some(Value::BulkString(word.to_vec())),
            _ => None,
        });
        Value::Array(words.skip(3).collect())
    }

    #[test]
    fn a_rule_comes_back_as_it_was_sent() {
        let until = Timestamp::from_millis(1_700_000_000_123);
        let each = [
            Denied::Token("a b\r\n".into()),
            Denied::Session("é".into()),
            Denied::Subject("".into()),
            Denied::Client("c".into()),
            Denied::Everything,
        ];
        for denied in each {
            let rule = DenyRule::new("https://i", denied, until);
            for rule in [rule.clone(), rule.issued_until(Timestamp::from_millis(-5))] {
                let back = content(&sent(&add("s", &rule, "me")));
                let Some(Content::Rule { rule: back, origin }) = back else { panic!("{rule:?}") };
                assert_eq!((back, origin.as_deref()), (rule, Some("me")));
            }
        }
        assert!(matches!(content(&sent(&note("s"))), Some(Content::Note)));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let words = |words: &[&str]| {
            Value::Array(words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())).collect())
        };
        for odd in [
            &["kind", "planet", "issuer", "i", "value", "v", "until", "1"][..],
            &["kind", "token", "issuer", "i", "value", "v"],
            &["kind", "token", "issuer", "i", "value", "v", "until", "soon"],
            &["kind", "token", "issuer", "i", "value", "v", "until", "1", "issued", "x"],
            &["kind", "token", "value", "v", "until", "1"],
            &["kind"],
            &[],
        ] {
            let read = entry(&Value::Array(vec![Value::BulkString(b"5-1".to_vec()), words(odd)])).unwrap();
            assert!(matches!(read.content, Content::Unreadable), "{odd:?}");
            assert_eq!(read.id, EntryId(5, 1));
        }
    }

    #[test]
    fn places_are_ordered_as_numbers() {
        assert!(EntryId::read("9-10") > EntryId::read("9-9") && EntryId::read("10-0") > EntryId::read("9-10"));
        assert_eq!(EntryId::read("9"), None);
        assert_eq!(EntryId(3, 4).to_string(), "3-4");
    }
}
