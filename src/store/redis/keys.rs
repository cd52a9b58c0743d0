//! What things are called in Redis.
//!
//! Every name begins with the namespace. In a cluster a name decides which server keeps the key, and what belongs
//! together in one round trip must be on one server: there the names of a proof and of the marker beside it carry the
//! same hash tag, one of 256, so that proofs spread over all servers.

/// Names within one namespace.
#[derive(Debug)]
pub(super) struct Keys {
    namespace: Box<str>,
    tagged: bool,
}

impl Keys {
    pub(super) fn new(namespace: &str, tagged: bool) -> Self {
        Self { namespace: namespace.into(), tagged }
    }

    /// Where a proof is remembered: by the first 128 bits of its digest, as bytes, for there are millions of them.
    pub(super) fn proof(&self, digest: &[u8; 32]) -> Vec<u8> {
        let [kept @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest;
        self.of_bucket(digest, "p:", kept)
    }

    /// Where the birth of the server that keeps a proof is written.
    pub(super) fn proof_marker(&self, digest: &[u8; 32]) -> Vec<u8> {
        self.of_bucket(digest, "birth", &[])
    }

    /// All such markers.
    pub(super) fn proof_markers(&self) -> impl Iterator<Item = Vec<u8>> {
        let buckets = if self.tagged { 0..=u8::MAX } else { 0..=0 };
        buckets.map(|bucket| self.proof_marker(&[bucket; 32]))
    }

    /// Where an answer is kept: by the whole digest, for a wrong answer would be a wrong verdict.
    pub(super) fn answer(&self, digest: &[u8; 32]) -> Vec<u8> {
        [self.namespace.as_bytes(), b":a:", digest].concat()
    }

    /// The stream of rules, and the marker that says whether it is whole: on one server.
    pub(super) fn rules(&self) -> String {
        self.of_rules("rules")
    }

    pub(super) fn rules_marker(&self) -> String {
        self.of_rules("rules-marker")
    }

    /// Written to see whether writes are taken.
    pub(super) fn rules_beat(&self) -> String {
        self.of_rules("rules-beat")
    }

    fn of_rules(&self, name: &str) -> String {
        let namespace = &self.namespace;
        if self.tagged { format!("{{{namespace}}}:{name}") } else { format!("{namespace}:{name}") }
    }

    fn of_bucket(&self, digest: &[u8; 32], kind: &str, rest: &[u8]) -> Vec<u8> {
        let namespace = &self.namespace;
        let [bucket, ..] = digest;
        let prefix =
            if self.tagged { format!("{{{namespace}:{bucket:02x}}}:{kind}") } else { format!("{namespace}:{kind}") };
        [prefix.as_bytes(), rest].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_namespace_and_a_tag_only_where_keys_are_spread() {
        let plain = Keys::new("shop", false);
        assert_eq!(plain.proof(&[b'x'; 32]), b"shop:p:xxxxxxxxxxxxxxxx");
        assert_eq!(plain.proof_marker(&[b'x'; 32]), b"shop:birth");
        assert_eq!(plain.rules(), "shop:rules");
        let spread = Keys::new("shop", true);
        assert_eq!(spread.proof(&[b'x'; 32]), b"{shop:78}:p:xxxxxxxxxxxxxxxx");
        assert_eq!(spread.proof_marker(&[b'x'; 32]), b"{shop:78}:birth");
        assert_eq!(spread.rules_marker(), "{shop}:rules-marker");
        assert!(spread.answer(&[b'x'; 32]).starts_with(b"shop:a:"));
    }
}
