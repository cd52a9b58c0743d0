//! How many questions an issuer gets at once. A quarter of the slots is kept for tokens that were active before, so that
//! a flood of invented ones cannot starve them, and whoever finds no slot waits for a short time among few.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::breaker::Class;

/// How long a question waits for a slot.
const WAIT: Duration = Duration::from_millis(300);

/// The slots of one issuer, and the places of those who wait for one.
#[derive(Debug)]
pub(super) struct Gate {
    common: Arc<Semaphore>,
    /// `None` where there are too few slots to keep any.
    kept: Option<Arc<Semaphore>>,
    new_places: Arc<Semaphore>,
    known_places: Arc<Semaphore>,
}

/// Held by a question for as long as it lives, sent or not: their number is bounded.
#[derive(Debug)]
pub(super) struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Held while the issuer is asked.
#[derive(Debug)]
pub(super) struct Slot(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Gate {
    /// `concurrent` questions at once, and as many waiting of each class.
    pub(super) fn new(concurrent: usize) -> Self {
        let concurrent = concurrent.clamp(1, Semaphore::MAX_PERMITS / 2);
        let kept = concurrent / 4;
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            common: semaphore(concurrent - kept),
            kept: (kept > 0).then(|| semaphore(kept)),
            new_places: semaphore((concurrent - kept) * 2),
            known_places: semaphore(concurrent * 2),
        }
    }

    /// A place for one more question; `None` when too many are there.
    pub(super) fn place(&self, class: Class) -> Option<Place> {
        let places = match class {
            Class::Known => &self.known_places,
            Class::New => &self.new_places,
        };
        Arc::clone(places).try_acquire_owned().ok().map(Place)
    }

    /// A slot, waited for if need be; `None` when none became free in time.
    pub(super) async fn slot(&self, class: Class) -> Option<Slot> {
        let first = self.kept.as_ref().filter(|_| class == Class::Known).unwrap_or(&self.common);
        let slot = Arc::clone(first).try_acquire_owned().or_else(|_| Arc::clone(&self.common).try_acquire_owned());
        if let Ok(slot) = slot {
            return Some(Slot(slot));
        }
        tokio::time::timeout(WAIT, Arc::clone(first).acquire_owned()).await.ok()?.ok().map(Slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_quarter_of_the_slots_is_out_of_reach_for_invented_tokens() {
        let gate = Gate::new(8);
        let mut slots = Vec::new();
        for _ in 0..6 {
            slots.push(gate.slot(Class::New).await.unwrap());
        }
        let started = tokio::time::Instant::now();
        assert!(gate.slot(Class::New).await.is_none());
        assert_eq!(started.elapsed(), WAIT);
        slots.extend([gate.slot(Class::Known).await.unwrap(), gate.slot(Class::Known).await.unwrap()]);
        assert!(gate.slot(Class::Known).await.is_none());
        slots.pop();
        assert!(gate.slot(Class::New).await.is_none(), "a slot that was kept stays so");
        assert!(gate.slot(Class::Known).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_the_slot_that_becomes_free() {
        for concurrent in [1, 4] {
            let gate = Arc::new(Gate::new(concurrent));
            for class in [Class::New, Class::Known] {
                let mut slots = Vec::new();
                for _ in 0..concurrent {
                    slots.extend(gate.slot(class).await);
                }
                let waiting = tokio::spawn({
                    let gate = gate.clone();
                    async move { gate.slot(class).await.is_some() }
                });
                tokio::time::sleep(WAIT / 2).await;
                drop(slots);
                assert!(waiting.await.unwrap(), "{class:?} of {concurrent}");
            }
        }
    }

    #[test]
    fn the_places_of_strangers_are_not_those_of_known_tokens() {
        let gate = Gate::new(4);
        let places: Vec<_> = std::iter::from_fn(|| gate.place(Class::New)).collect();
        assert_eq!(places.len(), 6);
        assert!(gate.place(Class::Known).is_some());
        drop(places);
        assert!(gate.place(Class::New).is_some());
    }
}
