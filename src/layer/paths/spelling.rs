//! How else a path may be read by what stands behind the layer.

/// Whether a decoder, a normaliser or another platform could read the segment as something else.
pub(super) fn hides(segment: &str) -> bool {
    segment.bytes().any(|byte| matches!(byte, b'%' | b'\\' | b';') || byte.is_ascii_control() || byte == b' ')
}

/// The ways in which services behind might read one path.
pub(super) struct Spellings {
    /// As segments: with dot segments resolved, and with them passed over.
    readings: [Vec<String>; 2],
    /// Whether the path, read otherwise, is another one.
    pub(super) hidden: bool,
}

/// Decoders are run at most this often; a path that still changes is hidden for good.
const MAX_DECODINGS: usize = 3;

impl Spellings {
    pub(super) fn of(path: &str) -> Self {
        let mut decoded = path.to_owned();
        for _ in 0..MAX_DECODINGS {
            let next = decode(&decoded);
            if next == decoded {
                break;
            }
            decoded = next;
        }
        let comparable = decoded.replace('\\', "/").to_lowercase();
        let parts = || comparable.split('/').map(|part| part.split(';').next().unwrap_or_default());
        let mut resolved: Vec<String> = Vec::new();
        for part in parts() {
            match part {
                "" | "." => {}
                ".." => {
                    resolved.pop();
                }
                other => resolved.push(other.to_owned()),
            }
        }
        let flat = parts().filter(|part| !matches!(*part, "" | "." | "..")).map(str::to_owned).collect();
        let plain = path.strip_prefix('/').unwrap_or(path);
        let hidden = !path.starts_with('/')
            || plain.split('/').any(|part| hides(part) || part == "." || part == "..")
            || path.contains("//");
        Self { readings: [resolved, flat], hidden }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[String]> {
        self.readings.iter().map(Vec::as_slice)
    }
}

/// Percent-decoding; what is no escape, or no UTF-8 once decoded, stays recognisably odd.
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
