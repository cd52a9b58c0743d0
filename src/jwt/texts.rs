//! The texts of a verified token, kept once: as places in its payload, which is kept anyway for the user's own claims.

use std::fmt;

/// A text's place in [`Texts`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// A payload, and behind it those texts that it holds only with escapes.
pub(crate) struct Texts {
    all: Box<str>,
    payload_len: usize,
}

impl Texts {
    pub(crate) fn payload(&self) -> &str {
        self.all.get(..self.payload_len).unwrap_or_default()
    }

    /// The text at a place of these very texts.
    pub(crate) fn at(&self, span: Span) -> &str {
        self.all.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts")
    }
}

/// Collects places of texts that were read from one payload.
pub(crate) struct Collector<'p> {
    payload: &'p str,
    unescaped: String,
}

impl<'p> Collector<'p> {
    pub(crate) const fn new(payload: &'p str) -> Self {
        Self { payload, unescaped: String::new() }
    }

    /// Its place in the payload where it was borrowed from there, otherwise behind it.
    pub(crate) fn place(&mut self, text: &str) -> Span {
        // The address says where to look and nothing more: what stands there is compared.
        let start = text.as_ptr().addr().wrapping_sub(self.payload.as_ptr().addr());
        let end = start.wrapping_add(text.len());
        if self.payload.get(start..end) == Some(text) {
            return span(start, end);
        }
        let start = self.payload.len() + self.unescaped.len();
        self.unescaped.push_str(text);
        span(start, start + text.len())
    }

    pub(crate) fn finish(self) -> Texts {
        let mut all = String::with_capacity(self.payload.len() + self.unescaped.len());
        all.push_str(self.payload);
        all.push_str(&self.unescaped);
        Texts { all: all.into_boxed_str(), payload_len: self.payload.len() }
    }
}

/// Tokens have 16 KiB at most, so nothing is cut off here; a place beyond would be empty.
fn span(start: usize, end: usize) -> Span {
    let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: place(start), end: place(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_the_payload_and_kept_behind_it_otherwise() {
        let payload = String::from(r#"{"sub":"ada","acr":"a\u0062c","aud":""}"#);
        let mut collector = Collector::new(&payload);
        let borrowed = collector.place(&payload[8..11]);
        let empty = collector.place(&payload[36..36]);
        let (unescaped, elsewhere) = (collector.place("abc"), collector.place("ada"));
        let texts = collector.finish();
        assert_eq!(texts.payload(), payload);
        assert_eq!([borrowed, empty, unescaped, elsewhere].map(|span| texts.at(span)), ["ada", "", "abc", "ada"]);
        assert_eq!(texts.all.len(), payload.len() + "abcada".len());
    }
}
