//! How else a path may be read by what stands behind the layer.

/// A path as it is compared, and whether there is another way to read it.
pub(super) struct Spellings {
    /// Decoded and in lower case; without the empty segment of a slash at the end.
    pub(super) segments: Vec<String>,
    /// Whether a decoder, a normaliser or another platform could take it for another path.
    pub(super) ambiguous: bool,
}

impl Spellings {
    pub(super) fn of(path: &str) -> Self {
        let Some(rest) = path.strip_prefix('/') else { return Self { segments: Vec::new(), ambiguous: true } };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let has_empty = path.len() > 1 && rest.split('/').any(str::is_empty);
        Self {
            segments: rest.split('/').filter(|part| !part.is_empty()).map(|part| decode(part).to_lowercase()).collect(),
            ambiguous: has_empty || rest.split('/').any(is_ambiguous),
        }
    }
}

/// Whether a segment, decoded, is not plainly one name: a dot segment, one that holds a separator of some platform, a
/// parameter, a further escape, a control character, or no UTF-8.
pub(super) fn is_ambiguous(segment: &str) -> bool {
    let decoded = decode(segment);
    matches!(decoded.as_str(), "." | "..")
        || decoded.chars().any(|character| {
            matches!(character, '/' | '\\' | '%' | ';' | char::REPLACEMENT_CHARACTER) || character.is_control()
        })
}

/// Percent-decoding, once; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_read_in_two_ways_is_ambiguous() {
        for plain in ["/", "/a", "/a/b/", "/a%20b", "/%61", "/caf%C3%A9", "/a.b/..c", "/%E2%82%AC"] {
            assert!(!Spellings::of(plain).ambiguous, "{plain}");
        }
        for odd in [
            "", "*", "a", "//", "//a", "/a//b", "/a//", "/./a", "/a/..", "/%2e%2E", "/a%2fb", "/a%5Cb", "/a\\b",
            "/a;b", "/%252e", "/a%00", "/%ff", "/a%", "/a%zz",
        ] {
            assert!(Spellings::of(odd).ambiguous, "{odd}");
        }
    }

    #[test]
    fn segments_are_decoded_and_in_lower_case() {
        assert_eq!(Spellings::of("/%41dmin/My%20File/").segments, ["admin", "my file"]);
        assert!(Spellings::of("/").segments.is_empty());
    }
}
