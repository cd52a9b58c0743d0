//! Sealing: what we hand out and want back unchanged, without keeping a copy.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

use super::random;

/// A key for sealing, derived from a secret for one purpose.
///
/// AES-256-GCM-SIV (RFC 8452), because nonces are random and the key may live for years on every replica: where two
/// seals happen to share a nonce, nothing follows but that equal contents look equal. In plain GCM it would give
/// forgeries away.
pub(crate) struct SealingKey(LessSafeKey);

impl SealingKey {
    /// HKDF-SHA256 (RFC 5869) of `secret`; another `purpose` gives an unrelated key.
    pub(crate) fn derive(secret: &[u8], purpose: &'static [u8]) -> Option<Self> {
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let purpose = [purpose];
        let key = UnboundKey::from(extracted.expand(&purpose, &AES_256_GCM_SIV).ok()?);
        Some(Self(LessSafeKey::new(key)))
    }

    /// Nonce, ciphertext and tag; `None` when the system has no randomness to give.
    pub(crate) fn seal(&self, content: &[u8]) -> Option<Vec<u8>> {
        self.seal_for(content, &[])
    }

    /// The same, for a place of its own: it opens together with `place` only, which is not part of it.
    pub(crate) fn seal_for(&self, content: &[u8], place: &[u8]) -> Option<Vec<u8>> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = content.to_vec();
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed).ok()?;
        sealed.splice(..0, nonce);
        Some(sealed)
    }

    /// The content, if this key sealed it and nobody touched it.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        self.open_for(sealed, &[])
    }

    /// The content, if this key sealed it for this place.
    pub(crate) fn open_for(&self, sealed: &[u8], place: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut content = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(place), &mut content).ok()?.len();
        content.truncate(length);
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_sealed_opens_with_the_same_secret_and_purpose_only() {
        let key = SealingKey::derive(b"secret", b"one").unwrap();
        let sealed = key.seal(b"content").unwrap();
        assert_eq!(SealingKey::derive(b"secret", b"one").unwrap().open(&sealed).as_deref(), Some(&b"content"[..]));
        assert!(SealingKey::derive(b"secret", b"two").unwrap().open(&sealed).is_none());
        assert!(SealingKey::derive(b"Secret", b"one").unwrap().open(&sealed).is_none());
        assert_ne!(key.seal(b"content").unwrap(), sealed, "no two seals are alike");
        let placed = key.seal_for(b"content", b"here").unwrap();
        assert_eq!(key.open_for(&placed, b"here").as_deref(), Some(&b"content"[..]));
        assert!(key.open_for(&placed, b"there").is_none() && key.open(&placed).is_none());
    }

    proptest! {
        #[test]
        fn a_touched_or_foreign_seal_does_not_open(at in 0_usize..35, bit in 0_u8..8, junk in proptest::collection::vec(any::<u8>(), 0..64)) {
            let key = SealingKey::derive(b"secret", b"one").unwrap();
            let mut sealed = key.seal(b"content").unwrap();
            prop_assert_eq!(sealed.len(), 35);
            prop_assert!(key.open(&sealed[..at]).is_none());
            sealed[at] ^= 1 << bit;
            prop_assert!(key.open(&sealed).is_none());
            prop_assert!(key.open(&junk).is_none());
        }
    }
}
