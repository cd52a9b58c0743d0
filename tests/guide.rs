//! The guide's tables, held against the source: what a chapter names must be there, with the value that it shows.
#![allow(clippy::expect_used, clippy::panic, reason = "a missing file of the repository is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

/// The text of a file of the repository.
fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of every Rust file below `folder`.
fn source(folder: &str) -> String {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is readable") {
            let path: PathBuf = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                text.push_str(&read(path));
            }
        }
    }
    text
}

/// What stands between backticks, line by line, outside of code blocks.
fn code_spans(page: &str) -> Vec<&str> {
    let mut in_block = false;
    let prose = page.lines().filter(|line| {
        let fence = line.starts_with("```");
        in_block ^= fence;
        !in_block && !fence
    });
    prose.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_constant_has_the_value_that_the_guide_shows() {
    let (page, source) = (read("docs/guide/defaults.md"), source("src"));
    let shown: Vec<_> =
        code_spans(&page).into_iter().filter(|span| span.contains(" = ") || span.contains(" * ")).collect();
    assert!(shown.len() > 30, "the page shows its constants: {shown:?}");
    let wrong: Vec<_> = shown.into_iter().filter(|constant| !source.contains(*constant)).collect();
    assert!(
        wrong.is_empty(),
        "mend docs/guide/defaults.md, and the chapters that tell the number in words: {wrong:#?}"
    );
}

#[test]
fn every_test_that_the_guide_names_is_there() {
    let mut named = 0;
    for chapter in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide")).expect("there is a guide") {
        let page = read(chapter.expect("the entry is readable").path());
        for (file, function) in code_spans(&page).into_iter().filter_map(|span| span.split_once(".rs::")) {
            named += 1;
            assert!(read(format!("{file}.rs")).contains(&format!("fn {function}(")), "{file}.rs has no {function}");
        }
    }
    assert!(named > 30, "the threat model names its tests: {named}");
}

#[test]
fn every_kind_of_refusal_is_explained() {
    let page = read("docs/guide/jwt.md") + &read("docs/guide/observability.md") + &read("README.md");
    let spans = code_spans(&page);
    for kind in tower_oauth::RejectionKind::ALL {
        assert!(spans.contains(&kind.as_str()), "no page tells when {kind} happens");
    }
}
