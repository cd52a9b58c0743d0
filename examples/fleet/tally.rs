//! What came of the requests of each fault.

use super::client::Answer;

/// One fault and what was answered meanwhile.
#[derive(Default)]
pub(crate) struct Row {
    name: String,
    sent: u64,
    passed: u64,
    refused: u64,
    not_judged: u64,
    unanswered: u64,
    /// Passed, and should not have.
    wrong: u64,
    /// Answered otherwise than by 200, 401, 403 or 503 with `Retry-After`; or a promise that was not kept.
    broken: Vec<String>,
    note: String,
}

impl Row {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Counts one answer; whether it let the request pass.
    pub(crate) fn count(&mut self, answer: Answer) -> bool {
        self.sent += 1;
        match answer {
            Answer::Status { status: 200..=299, .. } => {
                self.passed += 1;
                return true;
            }
            Answer::Status { status: 401 | 403, .. } => self.refused += 1,
            Answer::Status { status: 503, retry_after: true } => self.not_judged += 1,
            Answer::Status { status, retry_after } => {
                self.broken.push(format!("answered {status}, retry-after {retry_after}"));
            }
            Answer::Nobody => self.unanswered += 1,
        }
        false
    }

    /// Counts the answer to a request that must not pass.
    pub(crate) fn count_forbidden(&mut self, answer: Answer) {
        self.wrong += u64::from(self.count(answer));
    }

    pub(crate) fn wrong(&mut self, more: u64) {
        self.wrong += more;
    }

    pub(crate) fn require(&mut self, kept: bool, otherwise: &str) {
        if !kept {
            self.broken.push(otherwise.to_owned());
        }
    }

    pub(crate) fn note(&mut self, note: String) {
        self.note = note;
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.sent += other.sent;
        self.passed += other.passed;
        self.refused += other.refused;
        self.not_judged += other.not_judged;
        self.unanswered += other.unanswered;
        self.wrong += other.wrong;
        self.broken.extend(other.broken.iter().cloned());
    }
}

#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("done: {}", row.name);
        self.0.push(row);
    }

    pub(crate) fn print(&self) {
        let heads = ["sent", "passed", "refused", "503", "nobody", "wrong"];
        println!("{:<38}{}  what else", "fault", heads.map(|head| format!("{head:>9}")).concat());
        for row in &self.0 {
            let numbers = [row.sent, row.passed, row.refused, row.not_judged, row.unanswered, row.wrong];
            println!("{:<38}{}  {}", row.name, numbers.map(|number| format!("{number:>9}")).concat(), row.note);
        }
        let broken: Vec<_> = self.0.iter().flat_map(|row| row.broken.iter().map(|why| (&row.name, why))).collect();
        println!("\nbroken promises other than that: {}", broken.len());
        for (name, why) in broken.iter().take(20) {
            println!("  {name}: {why}");
        }
        println!("wrong accepts: {}", self.0.iter().map(|row| row.wrong).sum::<u64>());
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.0.iter().all(|row| row.wrong == 0 && row.broken.is_empty())
    }
}
