//! The map of the crate, executed: a folder is a capability, and each may know only what the map lists for it.
//!
//! Every `crate::` and `super::` path outside `#[cfg(test)]` modules is read and held against [`MAP`]. `lib.rs` itself
//! knows everything; nothing knows `lib.rs`.
#![allow(clippy::expect_used, reason = "a missing file of the repository is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use source::Source;

#[path = "architecture/source.rs"]
mod source;

/// Plain data and its laws. Each may know those before it.
const WORDS: &[&str] = &["time", "secret", "scope", "demand", "crypto", "observe"];
/// What the crate asks of the world.
const PORTS: &[&str] = &["transport", "store"];
/// How a credential is judged.
const RULES: &[&str] = &["credential", "client_auth", "jwt", "dpop", "mtls"];
/// Where the knowledge about an issuer comes from.
const SOURCES: &[&str] = &["discovery", "jwks", "introspection", "revocation"];

/// A room and what it may know. A room that is not here does not exist.
const MAP: &[(&str, &[&[&str]])] = &[
    ("guide", &[]),
    ("time", &[]),
    ("secret", &[&["time"]]),
    ("scope", &[&["time", "secret"]]),
    ("demand", &[&["time", "secret", "scope"]]),
    ("crypto", &[&["time", "secret", "scope", "demand"]]),
    ("observe", &[&["time", "secret", "scope", "demand", "crypto"]]),
    // ports
    ("transport", &[WORDS]),
    ("store", &[WORDS]),
    // rules
    ("credential", &[WORDS, PORTS]),
    ("jwt", &[WORDS, PORTS]),
    ("client_auth", &[WORDS, PORTS, &["jwt"]]),
    ("dpop", &[WORDS, PORTS, &["jwt"]]),
    ("mtls", &[WORDS, PORTS]),
    // sources
    ("discovery", &[WORDS, PORTS, RULES]),
    ("jwks", &[WORDS, PORTS, RULES, &["discovery"]]),
    ("introspection", &[WORDS, PORTS, RULES, &["discovery"]]),
    ("revocation", &[WORDS, PORTS, RULES, &["discovery"]]),
    // verdicts
    ("reject", &[WORDS, PORTS, RULES, SOURCES]),
    ("token", &[WORDS, PORTS, RULES, SOURCES, &["reject"]]),
    // the engine
    ("server", &[WORDS, PORTS, RULES, SOURCES, &["reject", "token"]]),
    // surfaces
    ("layer", &[WORDS, &["reject", "token", "server"]]),
    ("guard", &[WORDS, &["reject", "token"]]),
    // apart
    ("mint", &[WORDS, RULES]),
    ("client", &[WORDS, PORTS, RULES, &["discovery", "mint"]]),
    ("dev", &[WORDS, RULES, &["mint"]]),
    ("test", &[WORDS, &["transport", "server", "mint"]]),
];

/// The longest that a file may be without its tests.
const LINES: usize = 300;

#[test]
fn a_word_knows_only_the_words_above_it() {
    assert_arrows(WORDS);
}

#[test]
fn a_port_knows_words_alone() {
    assert_arrows(PORTS);
}

#[test]
fn a_rule_knows_words_and_ports_and_of_the_other_rules_at_most_jwt() {
    assert_arrows(RULES);
}

#[test]
fn a_source_knows_no_other_source_but_discovery() {
    assert_arrows(SOURCES);
}

#[test]
fn a_rejection_knows_every_error_and_no_error_knows_it() {
    assert_arrows(&["reject", "token"]);
}

#[test]
fn the_engine_knows_no_surface() {
    assert_arrows(&["server"]);
}

#[test]
fn a_guard_needs_no_server_and_the_layer_judges_nothing_itself() {
    assert_arrows(&["layer", "guard"]);
}

#[test]
fn what_stands_apart_knows_no_verdict() {
    assert_arrows(&["mint", "client", "dev", "test"]);
}

#[test]
fn every_file_has_its_room_on_the_map() {
    let lost: Vec<String> =
        sources().into_iter().filter(|it| it.room() != "lib" && !on_map(it.room())).map(|it| it.path).collect();
    assert_none(&lost, "put the file into a room of the map, or the room onto the map of this test and of lib.rs");
}

#[test]
fn inner_code_imports_from_the_defining_module() {
    let shortcuts = over_sources(|source| {
        let from_root = source.paths.iter().filter(|path| !path.target.first().is_some_and(|room| on_map(room)));
        from_root
            .map(|path| format!("{}:{} takes crate::{} from the root", source.path, path.line, path.target.join("::")))
            .collect()
    });
    assert_none(&shortcuts, "name the module that defines it; the root's re-exports are for users");
}

#[test]
fn no_function_body_holds_a_cfg() {
    let inside =
        over_sources(|source| source.cfgs_in_bodies.iter().map(|line| format!("{}:{line}", source.path)).collect());
    assert_none(&inside, "switch whole items or modules, so that each body reads the same under every feature");
}

#[test]
fn no_file_is_longer_than_a_reader_bears() {
    let long = over_sources(|source| {
        if source.lines > LINES {
            vec![format!("{}: {} lines without its tests", source.path, source.lines)]
        } else {
            Vec::new()
        }
    });
    assert_none(&long, &format!("over {LINES} lines: split it by meaning"));
}

#[test]
fn the_map_in_the_crates_page_shows_the_rooms_that_exist() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs is readable");
    let existing: BTreeSet<String> =
        sources().iter().map(|it| it.room().to_owned()).filter(|room| room != "lib").collect();
    let shown = rooms_of_page(&page);
    let missing: Vec<&String> = existing.difference(&shown).collect();
    let gone: Vec<&String> = shown.difference(&existing).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "the section `# The map` of lib.rs shows a room per line, as `name.rs what` or `name/ what`: lacking {missing:?}, without code {gone:?}"
    );
}

/// The rooms shown in the section of `lib.rs` whose heading speaks of the map: lines that begin with a file or a folder.
fn rooms_of_page(page: &str) -> BTreeSet<String> {
    let lines = page.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let section = lines.skip_while(|line| !is_map_heading(line)).skip(1).take_while(|line| !line.starts_with("# "));
    let shown = section.filter_map(|line| {
        let line = line.trim_start_matches(['-', '*', '|', '`', '[', ' ']);
        let (name, rest) = line.split_at(line.find(|c: char| !c.is_ascii_lowercase() && c != '_')?);
        (!name.is_empty() && (rest.starts_with('/') || rest.starts_with(".rs"))).then(|| name.to_owned())
    });
    shown.filter(|room| room != "lib").collect()
}

fn is_map_heading(line: &str) -> bool {
    line.starts_with('#') && line.to_ascii_lowercase().contains("map")
}

/// Holds every path of the files in `rooms` against the map.
#[track_caller]
fn assert_arrows(rooms: &[&str]) {
    let wrong = over_sources(|source| if rooms.contains(&source.room()) { wrong_arrows(source) } else { Vec::new() });
    assert_none(&wrong, "the map has no such arrow: move the code to the room that may know it, or hand the value in");
}

/// The paths of a file that lead where its room may not look.
fn wrong_arrows(source: &Source) -> Vec<String> {
    let room = source.room();
    let known: BTreeSet<&str> = MAP
        .iter()
        .filter(|(name, _)| *name == room)
        .flat_map(|(_, known)| known.iter().copied().flatten().copied())
        .collect();
    let rooms = source.paths.iter().filter_map(|path| Some((path.line, path.target.first()?.as_str())));
    let wrong = rooms.filter(|(_, target)| on_map(target) && *target != room && !known.contains(target));
    wrong.map(|(line, target)| format!("{}:{line}: {room} -> {target}", source.path)).collect()
}

fn on_map(room: &str) -> bool {
    MAP.iter().any(|(name, _)| *name == room)
}

/// What `faults` finds in the files below `src`.
fn over_sources(faults: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    sources().iter().flat_map(faults).collect()
}

#[track_caller]
fn assert_none(faults: &[String], mend: &str) {
    assert!(faults.is_empty(), "{mend}\n  {}", faults.join("\n  "));
}

/// Every file below `src` that is not a test module of its own.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = BTreeMap::new();
    read_folder(&root, &root, &mut texts);
    let sources: Vec<Source> = texts.iter().map(|(path, text)| Source::read(path, text)).collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(|source| source.test_files.iter().cloned()).collect();
    sources.into_iter().filter(|source| !tests.contains(&source.path)).collect()
}

fn read_folder(root: &Path, folder: &Path, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            read_folder(root, &path, texts);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let name = path.strip_prefix(root).expect("below src").to_string_lossy().replace('\\', "/");
            texts.insert(name, fs::read_to_string(&path).expect("the source is readable"));
        }
    }
}

#[test]
fn an_arrow_that_the_map_lacks_is_found() {
    let wrong = |path: &str, text: &str| wrong_arrows(&Source::read(path, text));
    assert_eq!(
        wrong("guard/token.rs", "use crate::{token::Token, server::{Server, config::X}};"),
        ["guard/token.rs:1: guard -> server", "guard/token.rs:1: guard -> server"]
    );
    assert_eq!(
        wrong("store/memory.rs", "\nfn f() -> crate::dpop::Proof { super::super::jwt::f() }"),
        ["store/memory.rs:2: store -> dpop", "store/memory.rs:2: store -> jwt"]
    );
    assert_eq!(wrong("scope.rs", "use super::demand::Demand;"), ["scope.rs:1: scope -> demand"]);
    assert_eq!(wrong("dpop/proof.rs", "use crate::jwt::X; use super::nonce::Y; use crate::time::Z;"), [""; 0]);
}

#[test]
fn the_map_has_no_circle() {
    // Each room knows only rooms that stand before it, so the list itself is the order in which the crate is read.
    let place = |room: &str| MAP.iter().position(|(name, _)| *name == room);
    for (room, known) in MAP {
        for other in known.iter().copied().flatten() {
            assert!(place(other).is_some(), "{room} may know {other}, which is no room");
            assert!(place(other) < place(room), "{room} may know {other}, which comes later");
        }
    }
}

#[test]
fn the_map_of_a_page_is_read_whether_text_list_or_table() {
    let page = "//! # The map\n//! ```text\n//! lib.rs  this\n//! time.rs  ● when\n//!   store/  where\n//! ```\n//! * `jwt/`: how\n//! | `mtls.rs` | x |\n//! # Features\n//! dpop/\n\nmod x;";
    assert_eq!(rooms_of_page(page).into_iter().collect::<Vec<_>>(), ["jwt", "mtls", "store", "time"]);
}
