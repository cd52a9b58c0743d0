//! The URI that a proof is for: `htu` against the URL that the client used (RFC 9449 section 4.3, check 9).
//!
//! Behind a proxy this service sees neither the scheme nor the host of that URL, and often another path. It is put
//! together from configuration and the path that the client used; no forwarded header is read, so none can be forged.
//! Both sides are normalised by syntax and scheme (RFC 3986 sections 6.2.2 and 6.2.3) and no further: what may be
//! another resource stays another.

use std::borrow::Cow;

/// Where this service is for its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Normalised: scheme and authority, without a default port.
    origins: Vec<Box<str>>,
    /// What a proxy strips: empty, or a normalised path without a slash at its end.
    prefix: Box<str>,
}

impl Target {
    /// The origin of the resource, further ones that reach it, and what stands before every path outside.
    pub(crate) fn new(origin: &str, also_at: &[String], public_prefix: &str) -> Result<Self, &'static str> {
        let mut origins: Vec<Box<str>> = Vec::with_capacity(1 + also_at.len());
        for text in std::iter::once(origin).chain(also_at.iter().map(String::as_str)) {
            if without_query(text) != text {
                return Err("an origin has no query and no fragment");
            }
            let (origin, path) = split(text).ok_or("an origin is a scheme and a host, as https://api.example.com")?;
            if !matches!(path, "" | "/") {
                return Err("an origin has no path; see public_prefix(..)");
            }
            let origin = normal_origin(origin).ok_or("an origin is http or https, a host in ASCII and maybe a port")?;
            if !origins.iter().any(|known| **known == *origin) {
                origins.push(origin.into());
            }
        }
        Ok(Self { origins, prefix: normal_prefix(public_prefix)? })
    }

    /// Whether `htu` names `path` here. Queries and fragments do not count.
    pub(crate) fn matches(&self, htu: &str, path: &str) -> bool {
        let (htu, path) = (without_query(htu), without_query(path));
        let path = if path.is_empty() { "/" } else { path };
        if !path.starts_with('/') {
            // `*`, or the authority of CONNECT: nothing that an `htu` could name.
            return false;
        }
        self.is_equal_text(htu, path) || self.is_equal_normalised(htu, path).unwrap_or(false)
    }

    /// Nearly every client writes the URL as it sends it; then nothing has to be built.
    fn is_equal_text(&self, htu: &str, path: &str) -> bool {
        self.origins.iter().any(|origin| {
            let rest = htu.strip_prefix(&**origin).and_then(|rest| rest.strip_prefix(&*self.prefix));
            rest == Some(path)
        })
    }

    fn is_equal_normalised(&self, htu: &str, path: &str) -> Option<bool> {
        let (origin, theirs) = split(htu)?;
        let origin = normal_origin(origin)?;
        if !self.origins.iter().any(|known| **known == *origin) {
            return Some(false);
        }
        let ours =
            if self.prefix.is_empty() { Cow::Borrowed(path) } else { Cow::Owned(format!("{}{path}", self.prefix)) };
        let theirs = normal_path(theirs)?;
        // A proxy that strips `/orders` sends `/` on for both `/orders` and `/orders/`: here the two are one request.
        let is_root = path == "/" && !self.prefix.is_empty() && *theirs == *self.prefix;
        Some(is_root || theirs == normal_path(&ours)?)
    }
}

fn without_query(url: &str) -> &str {
    url.find(['?', '#']).and_then(|at| url.get(..at)).unwrap_or(url)
}

/// Scheme and authority, and the path.
fn split(url: &str) -> Option<(&str, &str)> {
    let authority = url.find("://")? + 3;
    let path = url.get(authority..)?.find('/').map_or(url.len(), |at| authority + at);
    url.split_at_checked(path)
}

/// Scheme and host in lower case, no default port (RFC 3986 sections 6.2.2.1 and 6.2.3). User information is none of
/// an `htu`'s business: it is refused, and with it the trick of hiding the host behind an `@`.
fn normal_origin(origin: &str) -> Option<String> {
    let (scheme, authority) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let host_len = match authority.strip_prefix('[') {
        Some(literal) => literal.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(host_len)?;
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_of_literal = |byte: u8| byte.is_ascii_hexdigit() || b":.[]".contains(&byte);
    let literal = host.starts_with('[');
    if host.is_empty() || !host.bytes().all(|byte| if literal { is_of_literal(byte) } else { is_of_name(byte) }) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    let port = if port.is_empty() { "" } else { port.strip_prefix(':')? };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(if port.is_empty() || port == default_port {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{host}:{port}")
    })
}

fn normal_prefix(prefix: &str) -> Result<Box<str>, &'static str> {
    if prefix.is_empty() {
        return Ok("".into());
    }
    if !prefix.starts_with('/') || without_query(prefix) != prefix {
        return Err("public_prefix(..) is a path that begins with a slash, as /orders");
    }
    let path = normal_path(prefix).ok_or("public_prefix(..) holds a % that encodes nothing")?;
    Ok(path.trim_end_matches('/').into())
}

/// An absolute path, or an empty one, which means `/` (RFC 3986 section 6.2.3). `None` when a `%` encodes nothing:
/// whatever such a text means, it may mean something else to the next reader.
fn normal_path(path: &str) -> Option<String> {
    // Decoded first, so that `%2e%2e` is the dot segment for which every reader takes it.
    let path = normal_encoding(path)?;
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        // `/a/.` and `/a/b/..` are the folder `/a/` (RFC 3986 section 5.2.4).
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    Some(format!("/{}", kept.join("/")))
}

/// Unreserved characters decoded, everything else kept encoded with digits in upper case (RFC 3986 sections 6.2.2.1 and
/// 6.2.2.2). A `%2F` stays what it is: data within a segment, not a bound between two.
fn normal_encoding(path: &str) -> Option<Cow<'_, str>> {
    let mut pieces = path.split('%');
    let first = pieces.next()?;
    if first.len() == path.len() {
        return Some(Cow::Borrowed(path));
    }
    let mut normal = String::with_capacity(path.len());
    normal.push_str(first);
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            normal.push(char::from(byte));
        } else {
            normal.push('%');
            normal.push_str(&digits.to_ascii_uppercase());
        }
        normal.push_str(rest);
    }
    Some(Cow::Owned(normal))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(origin: &str, prefix: &str) -> Target {
        Target::new(origin, &[], prefix).unwrap()
    }

    fn matches(htu: &str, path: &str) -> bool {
        at("https://rs.example", "").matches(htu, path)
    }

    /// DPP-10: neither side's query or fragment counts.
    #[test]
    fn query_and_fragment_do_not_count() {
        for htu in
            ["https://rs.example/x", "https://rs.example/x?a=2", "https://rs.example/x#f", "https://rs.example/x?#/y"]
        {
            assert!(matches(htu, "/x"), "{htu}");
            assert!(matches(htu, "/x?a=1"), "{htu}");
        }
        assert!(matches("https://rs.example?a=1", "/"));
        assert!(matches("https://rs.example#f", "/"));
        assert!(!matches("https://rs.example/?/x", "/x"));
    }

    /// DPP-11: what RFC 3986 takes for one URI is one, whichever side writes it otherwise.
    #[test]
    fn equal_uris_are_found_equal() {
        for (htu, path) in [
            ("https://rs.example/~a/b", "/~a/b"),
            ("HTTPS://RS.example:443/%7ea/./b", "/~a/b"),
            ("https://rs.example/~a/b", "/%7Ea/./b"),
            ("https://rs.example:/x", "/x"),
            ("https://rs.example", "/"),
            ("https://rs.example/", ""),
            ("https://rs.example", ""),
            ("https://rs.example/a%2fb", "/a%2Fb"),
            ("https://rs.example/%41%7e%2d%2E%5f", "/A~-._"),
            ("https://rs.example/a/b/../c", "/a/c"),
            ("https://rs.example/a/b/..", "/a/"),
            ("https://rs.example/a/b/.", "/a/b/"),
            ("https://rs.example/%2e%2E/a", "/a"),
            ("https://rs.example/../../a", "/a"),
            ("https://rs.example/a//b", "/a//b"),
            ("https://rs.example/a//../b", "/a/b"),
            ("https://rs.example/caf%c3%a9", "/caf%C3%A9"),
        ] {
            assert!(matches(htu, path), "{htu} is {path}");
        }
        assert!(at("HTTPS://RS.Example:443/", "").matches("https://rs.example/x", "/x"));
        assert!(at("https://[::1]:8443", "").matches("https://[::1]:8443/x", "/x"));
        assert!(at("https://[FE80::A]", "").matches("https://[fe80::a]:443/x", "/x"));
        assert!(at("http://127.0.0.1:80", "").matches("http://127.0.0.1/x", "/x"));
    }

    /// DPP-12: nothing beyond that is taken for one.
    #[test]
    fn different_resources_are_never_merged() {
        for (htu, path) in [
            ("https://rs.example/a%2Fb", "/a/b"),
            ("https://rs.example/a/b", "/a%2Fb"),
            ("https://rs.example/A", "/a"),
            ("https://rs.example/a", "/a/"),
            ("https://rs.example/a/", "/a"),
            ("https://rs.example/a//b", "/a/b"),
            ("https://rs.example/a%3Fb", "/a"),
            ("https://rs.example/a%252Fb", "/a%2Fb"),
            ("https://rs.example/a;b", "/a%3Bb"),
            ("https://rs.example/a+b", "/a%20b"),
            ("https://rs.example/a\\b", "/a/b"),
            ("https://rs.example/é", "/%C3%A9"),
            ("https://rs.example/a/..%2Fb", "/b"),
            ("https://rs.example:8443/a", "/a"),
            ("https://rs.example:0443/a", "/a"),
            ("https://rs.example./a", "/a"),
            ("https://rs.example/%zz", "/%ZZ"),
            ("https://rs.example/%%341", "/A"),
            ("https://rs.example/%4", "/%04"),
        ] {
            assert!(!matches(htu, path), "{htu} is not {path}");
        }
        assert!(!at("https://rs.example:8443", "").matches("https://rs.example/a", "/a"));
    }

    /// DPP-09: another scheme, host, port or path, each alone.
    #[test]
    fn another_origin_or_path_does_not_match() {
        for htu in [
            "http://rs.example/x",
            "https://rs.example.evil/x",
            "https://evil.example/x",
            "https://rs.example:444/x",
            "https://rs.example/y",
            "https://rs.example/x/y",
            "https://rs.example/xy",
            "https://rs.examplex",
            "https://user@rs.example/x",
            "https://user:pass@rs.example/x",
            "https://rs.example@evil.example/x",
            "https://evil.example\\@rs.example/x",
            "https://rs%2Eexample/x",
            "https://rs.example:44x/x",
            "https://[rs.example]/x",
            "https:/rs.example/x",
            "https:rs.example/x",
            "//rs.example/x",
            "ftp://rs.example/x",
            " https://rs.example/x",
            "https://rs.example /x",
            "https://",
            "/x",
            "x",
            "",
        ] {
            assert!(!matches(htu, "/x"), "{htu}");
        }
        assert!(!matches("https://rs.example*", "*"));
        assert!(!matches("https://rs.example.evil", ".evil"));
    }

    /// RFC 9449 section 4.3: the URI is that of the configured public URL, wherever this service stands behind it.
    #[test]
    fn the_public_prefix_and_further_origins_count() {
        let target = Target::new("https://rs.example", &["https://alias.example:8443".into()], "/orders/").unwrap();
        assert!(target.matches("https://rs.example/orders/x", "/x"));
        assert!(target.matches("https://rs.example/orders/", "/"));
        assert!(target.matches("https://rs.example/orders/", ""));
        assert!(target.matches("https://rs.example/orders", "/"), "the proxy sends the same for both");
        assert!(target.matches("https://ALIAS.example:8443/%6frders/x", "/x"));
        for htu in [
            "https://rs.example/x",
            "https://rs.example/ordersx",
            "https://rs.example/orders",
            "https://rs.example/orders/",
            "https://alias.example/orders/x",
            "https://10.0.0.5/orders/x",
        ] {
            assert!(!target.matches(htu, "/x"), "{htu}");
        }
    }

    #[test]
    fn an_origin_or_prefix_that_is_none_is_told() {
        for bad in [
            "rs.example",
            "https://",
            "https://rs.example/api",
            "https://rs.example?x",
            "https://rs.example#x",
            "https://u@rs.example",
            "ftp://rs.example",
            "https://rs.example:x",
            "https://bücher.example",
        ] {
            assert!(Target::new(bad, &[], "").is_err(), "{bad}");
            assert!(Target::new("https://rs.example", &[bad.into()], "").is_err(), "{bad}");
        }
        for bad in ["orders", "/orders?x", "/orders#x", "/%zz", "https://rs.example/orders"] {
            assert!(Target::new("https://rs.example", &[], bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_comparison_panic(htu in "(https://rs.example)?.{0,40}", path in "/?.{0,20}", prefix in "/?.{0,10}") {
            if let Ok(target) = Target::new("https://rs.example", &[], &prefix) {
                let _ = target.matches(&htu, &path);
            }
            let _ = Target::new(&htu, &[], "");
        }

        #[test]
        fn what_is_normal_stays_as_it_is(path in "(/([a-zA-Z.~]|%[0-9a-fA-F]{2}|%|é){0,5}){0,5}", origin in "[hH][tT][tT][pP][sS]?://[a-zA-Z.]{1,9}(:[0-9]{0,4})?") {
            if let Some(normal) = normal_path(&path) {
                prop_assert_eq!(normal_path(&normal), Some(normal));
            }
            let normal = normal_origin(&origin).unwrap();
            prop_assert_eq!(normal_origin(&normal), Some(normal));
        }

        #[test]
        fn a_url_matches_itself_and_no_other_normal_path(a in "(/[a-zA-Z0-9~%]{1,3}){1,4}/?", b in "(/[a-zA-Z0-9~%]{1,3}){1,4}/?") {
            let htu = format!("https://rs.example{a}");
            prop_assert!(matches(&htu, &a));
            let (normal_a, normal_b) = (normal_path(&a), normal_path(&b));
            let equal = a == b || (normal_a.is_some() && normal_a == normal_b);
            prop_assert_eq!(matches(&htu, &b), equal);
        }
    }
}
