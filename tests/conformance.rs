//! docs/conformance.md and the tests agree: a row that says `done` has a test that runs and names the row, and a test
//! that names a row stands in it. The header of that page tells the convention; `scripts/conformance` mends most of what
//! fails here.
#![allow(clippy::expect_used, reason = "a missing file of the repository is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How many rows the page has: 186 for the resource server and 46 for the client and the development server. Rows are
/// never dropped; one that does not apply says `refused` or `left` and why.
const ROWS: usize = 232;

#[test]
fn the_conformance_page_and_the_tests_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/conformance.md")).expect("docs/conformance.md is readable");
    let mut sources = BTreeMap::new();
    for folder in ["src", "tests"] {
        read_sources(root, &root.join(folder), &mut sources);
    }
    let faults = faults(&page, &sources, ROWS);
    assert!(
        faults.is_empty(),
        "{} faults; most are mended by scripts/conformance:\n  {}",
        faults.len(),
        faults.join("\n  ")
    );
}

/// One line of the table.
struct Row<'a> {
    id: &'a str,
    tests: Vec<&'a str>,
    state: &'a str,
}

/// A function with the rows that its doc lines name.
#[derive(Debug, PartialEq)]
struct Test {
    name: String,
    rows: Vec<String>,
    runs: bool,
}

/// Everything in which the page and the sources (by path) disagree.
fn faults(page: &str, sources: &BTreeMap<String, String>, expected: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let rows: Vec<Row<'_>> = page.lines().filter_map(|line| row(line, &mut faults)).collect();
    if rows.len() != expected {
        faults.push(format!("the page has {} rows and not {expected}: one was lost or added", rows.len()));
    }
    let tests: BTreeMap<&String, Vec<Test>> =
        sources.iter().map(|(path, source)| (path, tests_of(path, source, &mut faults))).collect();
    let mut by_id = BTreeMap::new();
    for row in &rows {
        if by_id.insert(row.id, row).is_some() {
            faults.push(format!("{}: stands twice; an ID is one row", row.id));
        }
        check_row(row, &tests, &mut faults);
    }
    let families: BTreeSet<&str> = rows.iter().filter_map(|row| row.id.split('-').next()).collect();
    for (path, tests) in &tests {
        let in_suite = path.starts_with("tests/it/");
        if !in_suite && !path.starts_with("src/") {
            continue;
        }
        for test in tests {
            let here = format!("{path}::{}", test.name);
            for id in &test.rows {
                // In src a doc line may well begin with something like `UTF-16: `.
                let family_known = id.split('-').next().is_some_and(|family| families.contains(family));
                match by_id.get(id.as_str()) {
                    None if family_known || in_suite => {
                        faults.push(format!("{id}: no such row, yet {here} names it; correct the doc line"));
                    }
                    Some(row) if row.state != "done" || !row.tests.contains(&here.as_str()) => {
                        faults.push(format!(
                            "{id}: {here} names the row, which says `{}` without it; run scripts/conformance",
                            row.state
                        ));
                    }
                    _ => {}
                }
            }
        }
    }
    faults
}

/// What the row says of itself, against the tests.
fn check_row(row: &Row<'_>, tests: &BTreeMap<&String, Vec<Test>>, faults: &mut Vec<String>) {
    let id = row.id;
    let reasoned = ["refused: ", "left: "]
        .iter()
        .any(|word| row.state.strip_prefix(word).is_some_and(|why| !why.trim().is_empty()));
    match row.state {
        "done" if row.tests.is_empty() => {
            faults.push(format!("{id}: says done and names no test; name one or say planned"))
        }
        "planned" if !row.tests.is_empty() => {
            faults.push(format!("{id}: says planned and names a test; say done or write —"))
        }
        "done" | "planned" => {}
        _ if reasoned => {}
        other => {
            faults.push(format!("{id}: the state `{other}` is none of done, planned, `refused: why`, `left: why`"))
        }
    }
    for named in &row.tests {
        let Some((path, name)) = named.split_once("::") else {
            faults.push(format!("{id}: `{named}` is no test; write tests/it/file.rs::name"));
            continue;
        };
        let Some(found) = tests.get(&path.to_owned()) else {
            faults.push(format!("{id}: {path} does not exist under src or tests; correct the row"));
            continue;
        };
        match found.iter().find(|test| test.name == name) {
            None => faults.push(format!("{id}: {path} has no `fn {name}`; correct the row or write the test")),
            Some(test) if !test.runs => {
                faults.push(format!("{id}: {named} is no test that runs (no test attribute, or ignored)"))
            }
            Some(test) if !test.rows.iter().any(|it| it == id) => {
                faults.push(format!("{id}: {named} does not name the row; add the doc line `/// {id}: …`"));
            }
            Some(_) => {}
        }
    }
}

/// The row that a line of the page is, if it is one.
fn row<'a>(line: &'a str, faults: &mut Vec<String>) -> Option<Row<'a>> {
    let cells: Vec<&str> = line.strip_prefix('|')?.trim_end().strip_suffix('|')?.split('|').map(str::trim).collect();
    let (&id, rest) = cells.split_first()?;
    if leading_id(id) != Some((id, "")) {
        return None;
    }
    let &[_, tests, state] = rest else {
        faults.push(format!("{id}: has {} cells and not 4; a cell holds no `|`", cells.len()));
        return None;
    };
    let tests = tests.split("<br>").flat_map(|part| part.split(',')).map(|part| part.trim().trim_matches('`'));
    Some(Row { id, tests: tests.filter(|test| !matches!(*test, "" | "—")).collect(), state })
}

/// An ID (`BEA-02`) at the start of the text, and what follows it.
fn leading_id(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let (family, number) = (bytes.get(..3)?, bytes.get(4..6)?);
    let shaped = family.iter().all(u8::is_ascii_uppercase)
        && bytes.get(3) == Some(&b'-')
        && number.iter().all(u8::is_ascii_digit);
    let whole = !bytes.get(6).is_some_and(u8::is_ascii_alphanumeric);
    (shaped && whole).then(|| text.split_at(6))
}

/// The functions of a source with the rows named by the doc lines right above them.
fn tests_of(path: &str, source: &str, faults: &mut Vec<String>) -> Vec<Test> {
    let mut tests = Vec::new();
    let (mut rows, mut attributed, mut ignored) = (Vec::new(), false, false);
    for line in source.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("//") {
            let text = comment.trim_start_matches(['/', '!']).trim_start();
            match leading_id(text) {
                Some((id, rest))
                    if line.starts_with("/// ") && rest.strip_prefix(": ").is_some_and(|it| !it.is_empty()) =>
                {
                    rows.push(id.to_owned());
                }
                Some((id, _)) if path.starts_with("tests/it/") => {
                    faults
                        .push(format!("{id}: {path} has `{line}`; a row is named by a line `/// {id}: what is shown`"));
                }
                _ => {}
            }
        } else if line.starts_with("#[") {
            attributed |= line.contains("test") && !line.contains("cfg(");
            ignored |= line.starts_with("#[ignore");
        } else if let Some(name) = function(line) {
            tests.push(Test { name: name.to_owned(), rows: std::mem::take(&mut rows), runs: attributed && !ignored });
            (attributed, ignored) = (false, false);
        } else if !line.is_empty() && !attributed {
            if path.starts_with("tests/it/") {
                faults.extend(
                    rows.iter().map(|id| format!("{id}: {path} names the row above `{line}`, which is no test")),
                );
            }
            rows.clear();
            ignored = false;
        }
    }
    tests
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    line.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// Every Rust source below `folder`, by its path from `root`.
fn read_sources(root: &Path, folder: &Path, into: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() && !path.ends_with("node_modules") {
            read_sources(root, &path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            into.insert(name, fs::read_to_string(&path).expect("the source is readable"));
        }
    }
}

/// The faults of a page of one or more rows beside one source of the suite.
fn faults_of(rows: &str, source: &str) -> Vec<String> {
    let sources = BTreeMap::from([("tests/it/bearer.rs".to_owned(), source.to_owned())]);
    faults(rows, &sources, rows.lines().count())
}

const DONE: &str = "| BEA-02 | Nothing. (SHOULD; RFC 6750 §3) | tests/it/bearer.rs::nothing | done |";
const TEST: &str = "/// BEA-02: nothing gets a challenge.\n#[tokio::test]\nasync fn nothing() {}\n";

#[track_caller]
fn assert_one(faults: &[String], part: &str) {
    assert!(matches!(faults, [only] if only.contains(part)), "one fault with `{part}` in {faults:#?}");
}

#[test]
fn a_row_and_its_test_that_name_each_other_agree() {
    assert_eq!(faults_of(DONE, TEST), [""; 0]);
    let two = "| BEA-02 | Nothing. | `tests/it/bearer.rs::nothing`<br>tests/it/bearer.rs::again | done |";
    let both = format!("{TEST}/// BEA-02: nor does nothing twice.\n///\n/// In full.\n#[test]\nfn again() {{}}\n");
    assert_eq!(faults_of(two, &both), [""; 0]);
}

#[test]
fn an_id_stands_once_and_no_row_is_lost() {
    assert_one(&faults_of(&format!("{DONE}\n{DONE}"), TEST), "stands twice");
    let sources = BTreeMap::from([("tests/it/bearer.rs".to_owned(), TEST.to_owned())]);
    assert_one(&faults(DONE, &sources, 2), "1 rows and not 2");
}

#[test]
fn a_done_row_needs_a_test_that_exists_runs_and_names_it() {
    assert_one(&faults_of("| BEA-02 | Nothing. | — | done |", ""), "names no test");
    assert_one(&faults_of(DONE, "/// Something else.\n#[test]\nfn other() {}\n"), "has no `fn nothing`");
    assert_one(&faults_of(&DONE.replace("bearer", "gone"), ""), "does not exist");
    assert_one(&faults_of(DONE, "#[test]\nfn nothing() {}\n"), "does not name the row");
    assert_one(&faults_of(DONE, &TEST.replace("#[tokio::test]", "")), "no test that runs");
    assert_one(&faults_of(DONE, &TEST.replace("async", "#[ignore]\nasync")), "no test that runs");
}

#[test]
fn a_test_names_only_rows_that_list_it() {
    assert!(
        faults_of("| BEA-02 | Nothing. | — | planned |", TEST).iter().any(|it| it.contains("which says `planned`"))
    );
    assert_one(&faults_of(DONE, &TEST.replace("#[tokio", "/// BEA-99: unheard of.\n#[tokio")), "BEA-99: no such row");
    assert_one(&faults_of(DONE, &format!("{TEST}// BEA-02 once more\n")), "a row is named by a line");
    assert_one(&faults_of(DONE, &format!("{TEST}/// BEA-02: no test.\nstruct S;\n")), "which is no test");
}

#[test]
fn a_state_is_one_of_four_and_a_refusal_has_a_reason() {
    for state in ["refused: the body is never read", "left: no peer supports it"] {
        assert_eq!(faults_of(&format!("| BEA-02 | Nothing. | — | {state} |"), ""), [""; 0]);
    }
    for state in ["refused", "left: ", "Done", ""] {
        assert_one(&faults_of(&format!("| BEA-02 | Nothing. | — | {state} |"), ""), "is none of");
    }
    let planned = faults_of(&DONE.replace("done", "planned"), TEST);
    assert!(planned.iter().any(|it| it.contains("says planned and names a test")), "{planned:#?}");
}
