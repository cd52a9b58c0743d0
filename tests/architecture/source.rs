//! Reads as much of a Rust source as the map needs: the paths to other modules, the `cfg`s inside function bodies and the
//! length without tests. No parser: comments, text and test items are blanked out, the rest is looked at token by token.

use std::ops::Range;

/// What the map asks about one file.
#[derive(Debug)]
pub(crate) struct Source {
    /// The path below `src`.
    pub(crate) path: String,
    /// Every `crate::`, `self::` and `super::` path, resolved from the root of the crate.
    pub(crate) paths: Vec<CratePath>,
    /// The lines of the `cfg`s inside function bodies.
    pub(crate) cfgs_in_bodies: Vec<usize>,
    /// How many lines the file has without its test items.
    pub(crate) lines: usize,
    /// The files of the modules that are declared for tests only.
    pub(crate) test_files: Vec<String>,
}

/// A path within the crate, without the leading `crate`.
#[derive(Debug, PartialEq)]
pub(crate) struct CratePath {
    /// Where it begins.
    pub(crate) line: usize,
    /// Its names; a `*` stands for everything.
    pub(crate) target: Vec<String>,
}

impl Source {
    /// Reads the file at `path` below `src`.
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let mut code = blank_comments_and_text(text);
        let here = module(path);
        let mut lines = text.lines().count();
        let mut test_files = Vec::new();
        for item in test_items(&code) {
            let declared = code.get(item.clone()).unwrap_or_default().iter().collect::<String>();
            lines = lines.saturating_sub(declared.lines().count());
            let written: String = text.chars().skip(item.start).take(item.len()).collect();
            if let Some(file) = path_attribute(&written).filter(|_| declared.ends_with(';')) {
                let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
                test_files.push(folder + file);
            } else if let Some(name) = declared.split_once("mod ").and_then(|(_, rest)| rest.strip_suffix(';')) {
                let folder = here.iter().fold(String::new(), |folder, name| folder + name + "/");
                test_files.extend([format!("{folder}{}.rs", name.trim()), format!("{folder}{}/mod.rs", name.trim())]);
            }
            code.iter_mut().take(item.end).skip(item.start).filter(|c| **c != '\n').for_each(|c| *c = ' ');
        }
        let tokens = tokens(&code);
        Self {
            path: path.to_owned(),
            paths: paths(&tokens, &here),
            cfgs_in_bodies: cfgs_in_bodies(&tokens),
            lines,
            test_files,
        }
    }

    /// The top-level module to which the file belongs; `lib` for the root.
    pub(crate) fn room(&self) -> &str {
        self.path.split('/').next().and_then(|name| name.split('.').next()).unwrap_or_default()
    }
}

/// The file of a module that is declared with `#[path = ".."]`, from the folder of the declaring file.
fn path_attribute(item: &str) -> Option<&str> {
    item.split_once("#[path = \"")?.1.split_once("\"]").map(|(file, _)| file)
}

/// The module that a file holds.
fn module(path: &str) -> Vec<String> {
    let mut names: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    names
}

/// The text with comments, string and character literals as spaces; lines stay where they are.
fn blank_comments_and_text(text: &str) -> Vec<char> {
    let chars: Vec<char> = text.chars().collect();
    let mut code = chars.clone();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut i = 0;
    while i < chars.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => find(&chars, i, |j| at(j) == '\n'),
            ('/', '*') => {
                let (mut j, mut depth) = (i + 2, 1);
                while depth > 0 && j < chars.len() {
                    match (at(j), at(j + 1)) {
                        ('/', '*') => (depth, j) = (depth + 1, j + 2),
                        ('*', '/') => (depth, j) = (depth - 1, j + 2),
                        _ => j += 1,
                    }
                }
                j
            }
            ('r', '"' | '#') if !is_name(if i == 0 { ' ' } else { at(i - 1) }) || at(i.wrapping_sub(1)) == 'b' => {
                let quote = find(&chars, i + 1, |j| at(j) != '#');
                let hashes = quote - i - 1;
                if at(quote) == '"' {
                    find(&chars, quote + 1, |j| at(j) == '"' && (1..=hashes).all(|k| at(j + k) == '#')) + 1 + hashes
                } else {
                    i + 2 // a raw name such as `r#type`
                }
            }
            ('"', _) => closing(&chars, i, '"'),
            ('\'', '\\') => closing(&chars, i, '\''),
            ('\'', _) if at(i + 2) == '\'' => i + 3,
            _ => {
                i += 1;
                continue;
            }
        };
        code.iter_mut().take(end).skip(i).filter(|c| **c != '\n').for_each(|c| *c = ' ');
        i = end;
    }
    code
}

/// The first place from `start` on that fits, or the end.
fn find(chars: &[char], start: usize, fits: impl Fn(usize) -> bool) -> usize {
    (start..chars.len()).find(|j| fits(*j)).unwrap_or(chars.len())
}

/// The place behind the literal that opens at `start`.
fn closing(chars: &[char], start: usize, quote: char) -> usize {
    let mut j = start + 1;
    while let Some(c) = chars.get(j) {
        match *c {
            '\\' => j += 2,
            c if c == quote => return j + 1,
            _ => j += 1,
        }
    }
    chars.len()
}

/// The items behind `#[cfg(test)]` or `#[cfg(all(test, ..))]`, attributes included.
fn test_items(code: &[char]) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    let mut from = 0;
    let next = |from| ["#[cfg(test)]", "#[cfg(all(test,"].iter().filter_map(|it| position(code, from, it)).min();
    while let Some(start) = next(from) {
        let (mut depth, mut end) = (0_usize, code.len());
        for (i, c) in code.iter().enumerate().skip(start) {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(c, '}' | ';' | ',') {
                end = i + 1;
                break;
            }
        }
        items.push(start..end);
        from = end;
    }
    items
}

fn position(code: &[char], from: usize, wanted: &str) -> Option<usize> {
    let wanted: Vec<char> = wanted.chars().collect();
    code.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|i| i + from)
}

/// A name or a sign (`::` is one), with its line.
struct Token {
    line: usize,
    text: String,
}

fn tokens(code: &[char]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let (mut line, mut before) = (1, ' ');
    for &c in code {
        match tokens.last_mut() {
            Some(last) if is_name(c) && is_name(before) => last.text.push(c),
            Some(last) if c == ':' && before == ':' && last.text == ":" => last.text.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(Token { line, text: c.to_string() }),
        }
        line += usize::from(c == '\n');
        before = c;
    }
    tokens
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn text(tokens: &[Token], i: usize) -> &str {
    tokens.get(i).map_or("", |token| token.text.as_str())
}

/// Every path that begins at `crate`, `self` or `super`, from the root of the crate. `$crate` is the user's side.
fn paths(tokens: &[Token], here: &[String]) -> Vec<CratePath> {
    let mut found = Vec::new();
    let (mut module, mut depth, mut opened, mut i) = (here.to_vec(), 0_usize, Vec::new(), 0);
    while i < tokens.len() {
        let before = if i == 0 { "" } else { text(tokens, i - 1) };
        match text(tokens, i) {
            "{" => {
                depth += 1;
                if i >= 2 && text(tokens, i - 2) == "mod" {
                    module.push(before.to_owned());
                    opened.push(depth);
                }
            }
            "}" => {
                if opened.last() == Some(&depth) {
                    opened.pop();
                    module.pop();
                }
                depth = depth.saturating_sub(1);
            }
            "crate" | "self" | "super" if text(tokens, i + 1) == "::" && !matches!(before, "$" | "::") => {
                i = tree(tokens, i, &[], &module, &mut found);
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Follows a path (or, in `use`, a tree of paths) from token `i` on; gives the place behind it.
fn tree(tokens: &[Token], mut i: usize, prefix: &[String], module: &[String], found: &mut Vec<CratePath>) -> usize {
    let line = tokens.get(i).map_or(0, |token| token.line);
    let mut target = prefix.to_vec();
    loop {
        match text(tokens, i) {
            "{" => {
                i += 1;
                while !matches!(text(tokens, i), "}" | "") {
                    i = tree(tokens, i, &target, module, found);
                    i += usize::from(text(tokens, i) == ",");
                }
                return i + 1;
            }
            "crate" => target.clear(),
            "self" if prefix.is_empty() && target.is_empty() => target = module.to_vec(),
            "self" => {}
            "super" => {
                if target.is_empty() && prefix.is_empty() {
                    target = module.to_vec();
                }
                target.pop();
            }
            name => target.push(name.to_owned()),
        }
        let next = text(tokens, i + 2);
        if text(tokens, i + 1) != "::" || !(matches!(next, "{" | "*") || next.starts_with(is_name)) {
            break;
        }
        i += 2;
    }
    // A macro that is exported can be named from the root only.
    let called = text(tokens, i + 1) == "!" && matches!(text(tokens, i + 2), "(" | "[" | "{");
    if !(called && target.len() == 1) {
        found.push(CratePath { line, target });
    }
    // The new name of `as name`, and whatever else stands up to the next branch, is no path.
    let rest = tokens.get(i + 1..).unwrap_or_default();
    i + 1 + rest.iter().position(|token| !token.text.starts_with(is_name)).unwrap_or(rest.len())
}

/// The lines of `#[cfg(..)]`, `#[cfg_attr(..)]` and `cfg!(..)` inside function bodies.
fn cfgs_in_bodies(tokens: &[Token]) -> Vec<usize> {
    let mut lines = Vec::new();
    // The depth of braces at which a body opened, and whether one is awaited behind a signature.
    let (mut depth, mut brackets, mut bodies, mut awaited) = (0_usize, 0_usize, Vec::new(), false);
    for (i, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "fn" if text(tokens, i + 1).starts_with(is_name) => (awaited, brackets) = (true, 0),
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets = brackets.saturating_sub(1),
            ";" if brackets == 0 => awaited = false,
            "{" => {
                depth += 1;
                if awaited && brackets == 0 {
                    awaited = false;
                    bodies.push(depth);
                }
            }
            "}" => {
                if bodies.last() == Some(&depth) {
                    bodies.pop();
                }
                depth = depth.saturating_sub(1);
            }
            "cfg" | "cfg_attr" if !bodies.is_empty() && matches!(text(tokens, i + 1), "(" | "!") => {
                lines.push(token.line)
            }
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(path: &str, text: &str) -> Vec<String> {
        Source::read(path, text).paths.iter().map(|path| path.target.join("::")).collect()
    }

    #[test]
    fn a_use_tree_is_read_to_its_leaves() {
        let read = targets("jwt/rules.rs", "use crate::{a::{self, B, c::{D as E, *}}, f::g}; use crate::h as i;");
        assert_eq!(read, ["a", "a::B", "a::c::D", "a::c::*", "f::g", "h"]);
    }

    #[test]
    fn a_path_in_the_middle_of_code_is_read() {
        let read = targets("a.rs", "fn f<T: crate::b::C>(x: &crate::d::E<T>) -> X { crate::g::h::<T>(x) }");
        assert_eq!(read, ["b::C", "d::E", "g::h"]);
        assert_eq!(targets("a.rs", "crate::scopes! { X } crate::a::m!(); crate::B != crate::C"), ["a::m", "B", "C"]);
    }

    #[test]
    fn super_and_self_are_resolved_from_the_file_and_its_inner_modules() {
        assert_eq!(
            targets("a/b.rs", "use super::c::D; use super::super::e::F; use self::g::H;"),
            ["a::c::D", "e::F", "a::b::g::H"]
        );
        assert_eq!(
            targets("a/mod.rs", "use super::c; mod x { use super::{y, super::z}; } use self::w;"),
            ["c", "a::y", "z", "a::w"]
        );
        assert_eq!(targets("a.rs", "pub(crate) fn f(&self) { self.x } pub(super) fn g() {}"), [""; 0]);
    }

    #[test]
    fn comments_text_tests_and_the_users_side_of_a_macro_do_not_count() {
        let text = r##"
            //! [`X`](crate::a::X)
            /* crate::b /* crate::c */ crate::d */
            const S: &str = "crate::e \" crate::f"; const R: &[u8] = br#"crate::g " "#; const C: char = '"';
            fn f<'a>(x: &'a str) -> crate::h::I<'a> { r#type() }
            macro_rules! m { () => { $crate::j::K } }
            #[cfg(test)]
            mod tests { use crate::l; fn f() { if cfg!(x) {} } }
            #[cfg(test)]
            use crate::m;
            use crate::n;
        "##;
        assert_eq!(targets("a.rs", text), ["h::I", "n"]);
        assert_eq!(Source::read("a.rs", text).paths.last().map(|path| path.line), Some(11));
    }

    #[test]
    fn a_cfg_counts_inside_a_body_only() {
        let text = "#[cfg(x)] fn f() {}\nfn g(a: [u8; { 1 }]) -> X\nwhere T: U {\n #[cfg(y)] h();\n if cfg!(z) {} }\n#[cfg(w)] mod m;";
        assert_eq!(Source::read("a.rs", text).cfgs_in_bodies, [4, 5]);
        assert_eq!(
            Source::read("a.rs", "trait T { fn f(&self); }\nstruct S { #[cfg(x)] y: Z }").cfgs_in_bodies,
            [0; 0]
        );
    }

    #[test]
    fn the_length_is_that_without_tests_and_a_test_file_is_known() {
        let source = Source::read("a/mod.rs", "one\n#[cfg(test)]\nmod tests {\n}\nfive\n#[cfg(test)]\nmod cases;\n");
        assert_eq!((source.lines, source.room()), (2, "a"));
        assert_eq!(source.test_files, ["a/cases.rs", "a/cases/mod.rs"]);
        assert_eq!(Source::read("lib.rs", "#[cfg(test)] mod cases;").test_files, ["cases.rs", "cases/mod.rs"]);
        let elsewhere = "#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;";
        assert_eq!(Source::read("a/b.rs", elsewhere).test_files, ["a/b_tests.rs"]);
        let with_a_feature = elsewhere.replace("(test)", "(all(test, feature = \"x\"))");
        assert_eq!(Source::read("b.rs", &with_a_feature).test_files, ["b_tests.rs"]);
    }
}
