//! Whether the stream of rules is whole: a marker beside it, with a name for its life and what is known of it.
//!
//! Every process remembers the name that it saw. Where the marker has another name, or is gone, the rules of before are
//! gone with it. A process that starts then knows of no life before and makes a new marker; so of a new one only those
//! who remember another can say that rules are missing, and they write that down for all.

use crate::crypto::{b64, random};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    life: Box<str>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Made by somebody who remembered no other.
    New,
    /// Somebody remembers another life, or entries that are gone.
    Lost,
    /// Rules were lost, and somebody vouches that they are all here again.
    Reseeded,
}

impl Marker {
    /// For a stream that nobody here remembers. Without randomness it has no name that others could not have too, and is
    /// lost from the beginning.
    pub(super) fn new(empty_is_lost: bool) -> Self {
        match random::<12>() {
            Some(life) if !empty_is_lost => Self { life: b64(&life).into(), state: State::New },
            Some(life) => Self { life: b64(&life).into(), state: State::Lost },
            None => Self { life: "unknown".into(), state: State::Lost },
        }
    }

    pub(super) fn lost(self) -> Self {
        Self { state: State::Lost, ..self }
    }

    pub(super) fn reseeded(self) -> Self {
        Self { state: State::Reseeded, ..self }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Whether whoever remembers `before` must say that rules were lost, because nobody else has.
    pub(super) fn replaces(&self, before: &Self) -> bool {
        self.life != before.life && self.state == State::New
    }

    /// Whether the entries are those of `before`, so that one may read on where one was.
    pub(super) fn continues(&self, before: &Self) -> bool {
        self.life == before.life
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (life, state) = text.split_once(' ')?;
        let state = match state {
            "new" => State::New,
            "lost" => State::Lost,
            "reseeded" => State::Reseeded,
            _ => return None,
        };
        Some(Self { life: life.into(), state })
    }
}

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            State::New => "new",
            State::Lost => "lost",
            State::Reseeded => "reseeded",
        };
        write!(f, "{} {state}", self.life)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_comes_back_as_it_was_written() {
        let new = Marker::new(false);
        for marker in [new.clone(), new.clone().lost(), new.clone().reseeded()] {
            assert_eq!(Marker::read(&marker.to_string()), Some(marker));
        }
        assert_eq!(Marker::read("abc"), None);
        assert_eq!(Marker::read("abc odd"), None);
        assert!(Marker::new(true).is_lost() && !new.is_lost());
    }

    #[test]
    fn another_life_is_a_loss_unless_somebody_vouches_for_it() {
        let (before, other) = (Marker::new(false), Marker::new(false));
        assert!(other.replaces(&before) && !other.continues(&before));
        assert!(!before.replaces(&before) && before.continues(&before));
        assert!(!other.clone().reseeded().replaces(&before));
        assert!(!other.lost().replaces(&before), "it has been said");
    }
}
