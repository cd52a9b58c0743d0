//! What is kept for a time: a bounded map in which each entry has an end of its own.

use std::collections::HashMap;
use std::hash::Hash;

use crate::time::Timestamp;

/// There is no room for one more, and nothing is forgotten early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A map of at most `most` entries. What is past its end is not found any more, and makes room when room is needed.
#[derive(Debug)]
pub(crate) struct Shelf<K, T> {
    entries: HashMap<K, Kept<T>>,
    most: usize,
}

#[derive(Debug)]
struct Kept<T> {
    until: Timestamp,
    value: T,
}

impl<K: Eq + Hash, T> Shelf<K, T> {
    pub(crate) fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), most }
    }

    /// Keeps `value` until `until`, in place of what was kept under `key`.
    pub(crate) fn put(&mut self, key: K, value: T, until: Timestamp, now: Timestamp) -> Result<(), Full> {
        if self.entries.len() >= self.most && !self.entries.contains_key(&key) {
            self.entries.retain(|_, kept| kept.until >= now);
            if self.entries.len() >= self.most {
                return Err(Full);
            }
        }
        self.entries.insert(key, Kept { until, value });
        Ok(())
    }

    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<&T> {
        self.entries.get(key).filter(|kept| kept.until >= now).map(|kept| &kept.value)
    }

    pub(crate) fn get_mut(&mut self, key: &K, now: Timestamp) -> Option<&mut T> {
        self.entries.get_mut(key).filter(|kept| kept.until >= now).map(|kept| &mut kept.value)
    }

    /// Takes the entry away, so that nobody finds it again.
    pub(crate) fn take(&mut self, key: &K, now: Timestamp) -> Option<T> {
        self.entries.remove(key).filter(|kept| kept.until >= now).map(|kept| kept.value)
    }

    /// Every entry, past its end or not.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.values_mut().map(|kept| &mut kept.value)
    }

    /// Every entry that has not ended.
    pub(crate) fn iter(&self, now: Timestamp) -> impl Iterator<Item = (&K, &T)> {
        self.entries.iter().filter(move |(_, kept)| kept.until >= now).map(|(key, kept)| (key, &kept.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn an_entry_is_found_until_its_end_and_taken_once() {
        let mut shelf = Shelf::new(2);
        shelf.put("a", 1, at(10), at(0)).unwrap();
        assert_eq!(shelf.get(&"a", at(10)), Some(&1));
        assert_eq!(shelf.get(&"a", Timestamp::from_millis(10_001)), None);
        assert_eq!((shelf.take(&"a", at(5)), shelf.take(&"a", at(5))), (Some(1), None));
    }

    #[test]
    fn a_full_shelf_refuses_until_something_on_it_is_past() {
        let mut shelf = Shelf::new(2);
        shelf.put("a", 1, at(10), at(0)).unwrap();
        shelf.put("b", 2, at(20), at(0)).unwrap();
        assert_eq!(shelf.put("c", 3, at(20), at(10)), Err(Full));
        assert_eq!(shelf.put("b", 4, at(20), at(10)), Ok(()), "what is there may change");
        assert_eq!(shelf.put("c", 3, at(20), at(11)), Ok(()));
        assert_eq!(shelf.iter(at(11)).count(), 2);
    }
}
