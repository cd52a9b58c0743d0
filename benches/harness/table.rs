//! Sections of the page, and rows of their tables: a figure beside its floor, what it must be, and what it should be.

use std::fmt;

/// Begins a section and its table.
pub(crate) fn section(title: &str, prose: &str) {
    println!("\n## {title}\n\n{prose}\n");
    line(["case", "figure", "beside it", "figure", "more", "ratio", "must", "aim", "reached"].map(str::to_owned));
    println!("|{}", "---|".repeat(9));
}

fn line([what, case, beside, floor, more, ratio, must, aim, reached]: [String; 9]) {
    println!(
        "| {what:<46} | {case:>10} | {beside:<26} | {floor:>10} | {more:>10} | {ratio:>8} | {must:>11} | {aim:>11} | {reached:<7} |"
    );
}

/// What a figure is counted in. Times are given in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Micros,
    Millis,
    Allocations,
    Bytes,
    Mebibytes,
    PerSecond,
    Percent,
    Instructions,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Micros => format!("{:.2} µs", value / 1e3),
            Self::Millis => format!("{:.4} ms", value / 1e6),
            Self::Allocations => format!("{value:.1}"),
            Self::Bytes => format!("{value:.0} B"),
            Self::Mebibytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Self::PerSecond => format!("{value:.0} /s"),
            Self::Percent => format!("{value:.1} %"),
            Self::Instructions => format!("{value:.0}"),
        }
    }
}

/// What a figure may be at most, or must be at least; in its row's unit.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// At most so much more than its floor.
    Over(f64),
    /// At most so many times its floor.
    Times(f64),
    /// At least so many times its floor.
    AtLeast(f64),
    /// At most so much, whatever its floor.
    Within(f64),
}

impl Limit {
    fn holds(self, case: f64, floor: f64) -> bool {
        match self {
            Self::Over(limit) => case - floor <= limit,
            Self::Times(limit) => case / floor <= limit,
            Self::AtLeast(limit) => case / floor >= limit,
            Self::Within(limit) => case <= limit,
        }
    }

    fn show(self, unit: Unit) -> String {
        match self {
            Self::Over(limit) => format!("+ {}", unit.show(limit)),
            Self::Times(limit) => format!("≤ {limit:.2} ×"),
            Self::AtLeast(limit) => format!("≥ {limit:.1} ×"),
            Self::Within(limit) => format!("≤ {}", unit.show(limit)),
        }
    }
}

/// One row. Nothing fails when a limit is missed: it says so.
#[must_use = "a row is not shown until it gets its figures"]
pub(crate) struct Row {
    what: String,
    beside: &'static str,
    unit: Unit,
    must: Option<Limit>,
    aim: Option<Limit>,
}

impl Row {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), beside: "", unit: Unit::Micros, must: None, aim: None }
    }

    pub(crate) fn beside(self, beside: &'static str) -> Self {
        Self { beside, ..self }
    }

    pub(crate) fn unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    pub(crate) fn must(self, must: Limit) -> Self {
        Self { must: Some(must), ..self }
    }

    pub(crate) fn aim(self, aim: Limit) -> Self {
        Self { aim: Some(aim), ..self }
    }

    /// Shows the figure beside its floor.
    pub(crate) fn over(self, floor: f64, case: f64) {
        let (unit, more) = (self.unit, self.unit.show(case - floor));
        let more = if more.starts_with('-') { more } else { format!("+{more}") };
        self.show(case, floor, [unit.show(floor), more, format!("{:.2} ×", case / floor)]);
    }

    /// Shows a figure that has no floor.
    pub(crate) fn alone(self, case: f64) {
        self.show(case, f64::NAN, [(); 3].map(|()| String::new()));
    }

    fn show(self, case: f64, floor: f64, [beside_it, more, ratio]: [String; 3]) {
        let holds = |limit: Option<Limit>| limit.map(|limit| limit.holds(case, floor));
        let reached = match (holds(self.must), holds(self.aim)) {
            (None, None) => "",
            (_, Some(true)) => "aim",
            (Some(true), _) => "must",
            _ => "missed",
        };
        let limit = |limit: Option<Limit>| limit.map(|limit| limit.show(self.unit)).unwrap_or_default();
        let (figure, must, aim) = (self.unit.show(case), limit(self.must), limit(self.aim));
        line([self.what, figure, self.beside.into(), beside_it, more, ratio, must, aim, reached.into()]);
    }
}
