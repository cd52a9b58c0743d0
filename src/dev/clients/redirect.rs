//! Redirect URIs: compared as text, but for the port of a loopback address (OAuth 2.1 section 2.3.1, RFC 8252 section
//! 7.3).

/// Whether `uri` is the registered one. A native application listens on whatever port is free.
pub(super) fn matches(registered: &str, uri: &str) -> bool {
    if registered == uri {
        return true;
    }
    match (loopback(registered), loopback(uri)) {
        (Some(known), Some(sent)) => known == sent,
        _ => false,
    }
}

/// Host and rest of an `http` URI whose host is a loopback literal, without its port.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let (host, rest) =
        ["http://127.0.0.1", "http://[::1]"].into_iter().find_map(|host| Some((host, uri.strip_prefix(host)?)))?;
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            port.get(digits..).filter(|_| (1..=5).contains(&digits))?
        }
        None => rest,
    };
    // Anything else would still belong to the host: `http://127.0.0.1.evil.test`, `http://127.0.0.1@evil.test`.
    (rest.is_empty() || rest.starts_with('/') || rest.starts_with('?')).then_some((host, rest))
}

/// Why `uri` cannot be registered.
pub(super) fn problem(uri: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Some("a redirect URI must be absolute") };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let is_visible = rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\'));
    if !is_scheme || rest.is_empty() || !is_visible {
        return Some("a redirect URI must be absolute and hold visible ASCII characters only");
    }
    if uri.contains('#') {
        return Some("a redirect URI has no fragment (OAuth 2.1 section 2.3.1)");
    }
    let is_web = matches!(scheme, "http" | "https") && rest.strip_prefix("//").is_some_and(|rest| !rest.is_empty());
    // A scheme of an application is a reversed domain name (RFC 8252 section 7.1), which no scheme of a browser is.
    (!is_web && !scheme.contains('.')).then_some("a redirect URI is http, https, or of a scheme like com.example.app")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_compared_as_text() {
        let known = "https://app.test/cb?a=1";
        assert!(matches(known, known));
        for other in [
            "https://app.test/cb",
            "https://app.test/cb?a=1&b=2",
            "https://APP.test/cb?a=1",
            "https://app.test:443/cb?a=1",
        ] {
            assert!(!matches(known, other), "{other}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_vary() {
        for (known, good) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
            ("http://127.0.0.1:8080/cb", "http://127.0.0.1/cb"),
            ("http://[::1]/cb?x=1", "http://[::1]:1/cb?x=1"),
        ] {
            assert!(matches(known, good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:51004/cb/",
            "http://127.0.0.1:51004/CB",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:123456/cb",
            "http://127.0.0.1:1@evil.test/cb",
            "http://127.0.0.1.evil.test/cb",
            "http://localhost/cb",
            "http://[::1]/cb",
            "https://127.0.0.1/cb",
        ] {
            assert!(!matches("http://127.0.0.1/cb", bad), "{bad}");
        }
        let named = "http://127.0.0.1.evil.test/cb";
        assert!(!matches(named, "http://127.0.0.1:1.evil.test/cb"), "no address, so no port of one");
    }

    #[test]
    fn what_would_run_in_the_page_or_lead_nowhere_cannot_be_registered() {
        for good in ["https://app.test/cb", "http://127.0.0.1/cb", "com.example.app:/cb"] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in [
            "",
            "/cb",
            "app.test/cb",
            "https:",
            "https://",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a/#f",
            "https://a/\"",
            "https://a/é",
            "myapp:/cb",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
