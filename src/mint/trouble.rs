//! Which of an issuer's answers fail or are late, each by itself.

#[cfg(feature = "dev-server")]
use std::collections::BTreeMap;
use std::time::Duration;

use crate::mint::documents::Document;
use crate::mint::fault::Fault;

/// What is wrong with one kind of answer.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    fault: Option<Fault>,
    /// How many were asked for since the fault was set; it turns only where something flaps.
    asked: u32,
    delay: Duration,
}

impl Trouble {
    pub(crate) fn fail(&mut self, fault: Fault) {
        (self.fault, self.asked) = (Some(fault), 0);
    }

    pub(crate) fn delay(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// The wait before this answer.
    pub(crate) fn wait(&self) -> Duration {
        self.delay
    }

    /// What befalls this answer.
    pub(crate) fn strikes(&mut self) -> Option<Fault> {
        let Some(Fault::Flapping { ok, failed }) = self.fault else { return self.fault };
        let turn = ok.saturating_add(failed).max(1);
        let place = self.asked % turn;
        self.asked = (place + 1) % turn;
        (place >= ok && failed > 0).then_some(Fault::Status(503))
    }
}

/// The troubles of one issuer.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    metadata: Trouble,
    jwks: Trouble,
    introspection: Trouble,
    status_list: Trouble,
    /// Of what is no document, by name.
    #[cfg(feature = "dev-server")]
    endpoints: BTreeMap<&'static str, Trouble>,
}

impl Troubles {
    pub(crate) fn of(&mut self, document: Document) -> &mut Trouble {
        match document {
            Document::Metadata => &mut self.metadata,
            Document::Jwks => &mut self.jwks,
            Document::Introspection => &mut self.introspection,
            Document::StatusList(_) => &mut self.status_list,
        }
    }

    /// What is wrong with an endpoint that serves no document; [`all`](Self::all) leaves it out.
    #[cfg(feature = "dev-server")]
    pub(crate) fn endpoint(&mut self, name: &'static str) -> &mut Trouble {
        self.endpoints.entry(name).or_default()
    }

    pub(crate) fn all(&mut self) -> [&mut Trouble; 4] {
        [&mut self.metadata, &mut self.jwks, &mut self.introspection, &mut self.status_list]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(fault: Fault, times: usize) -> Vec<bool> {
        let mut trouble = Trouble::default();
        trouble.fail(fault);
        (0..times).map(|_| trouble.strikes().is_some()).collect()
    }

    #[test]
    fn what_flaps_answers_and_fails_in_turn_from_when_it_was_set() {
        let flapping = struck(Fault::Flapping { ok: 2, failed: 1 }, 7);
        assert_eq!(flapping, [false, false, true, false, false, true, false]);
        assert_eq!(struck(Fault::Flapping { ok: 0, failed: 1 }, 3), [true; 3]);
        assert_eq!(struck(Fault::Flapping { ok: 1, failed: 0 }, 3), [false; 3]);
        assert_eq!(struck(Fault::Flapping { ok: 0, failed: 0 }, 3), [false; 3]);
        assert_eq!(struck(Fault::Hang, 3), [true; 3]);
    }

    #[test]
    fn each_kind_of_answer_fails_alone() {
        let mut troubles = Troubles::default();
        troubles.of(Document::Introspection).fail(Fault::Garbage);
        assert_eq!(troubles.of(Document::Jwks).strikes(), None);
        assert_eq!(troubles.of(Document::Introspection).strikes(), Some(Fault::Garbage));
    }
}
