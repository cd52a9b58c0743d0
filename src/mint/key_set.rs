//! The keys of one issuer over time: who signs, what is published, what was withdrawn.

use serde_json::{Value, json};

use crate::crypto::Algorithm;
use crate::jwt::compact::Compact;
use crate::mint::MintError;
use crate::mint::keys::SigningKey;

/// An issuer's keys. For each algorithm the first that is not retired signs.
#[derive(Debug)]
pub(crate) struct KeySet {
    algorithm: Algorithm,
    keys: Vec<Held>,
    foreign: Vec<Value>,
}

#[derive(Debug)]
struct Held {
    key: SigningKey,
    retired: bool,
    published: bool,
}

impl KeySet {
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, MintError> {
        let mut set = Self { algorithm, keys: Vec::new(), foreign: Vec::new() };
        set.add(algorithm)?;
        Ok(set)
    }

    /// The key that signs unless another algorithm is asked for.
    pub(crate) fn current(&mut self) -> Result<SigningKey, MintError> {
        self.for_algorithm(self.algorithm)
    }

    /// The key that signs by `algorithm`, made and published if there is none.
    pub(crate) fn for_algorithm(&mut self, algorithm: Algorithm) -> Result<SigningKey, MintError> {
        let held = self.keys.iter().find(|held| !held.retired && held.key.algorithm() == algorithm);
        match held {
            Some(held) => Ok(held.key.clone()),
            None => self.add(algorithm),
        }
    }

    /// Publishes one more key; the keys that sign stay the same.
    pub(crate) fn add(&mut self, algorithm: Algorithm) -> Result<SigningKey, MintError> {
        Ok(self.hold(SigningKey::generate(algorithm)?))
    }

    fn hold(&mut self, key: SigningKey) -> SigningKey {
        self.keys.push(Held { key: key.clone(), retired: false, published: true });
        key
    }

    /// A new key signs from now on; the old one stays published.
    pub(crate) fn rotate(&mut self) -> Result<(), MintError> {
        let fresh = SigningKey::generate(self.algorithm)?;
        self.retire();
        self.hold(fresh);
        Ok(())
    }

    /// A new key signs and is published under the old one's `kid`; the old one is published no longer.
    pub(crate) fn replace_under_same_kid(&mut self) -> Result<(), MintError> {
        let current = self.current()?;
        let fresh = SigningKey::generate(self.algorithm)?.with_kid(current.kid());
        self.keys.retain(|held| held.key.thumbprint() != current.thumbprint());
        self.retire();
        self.hold(fresh);
        Ok(())
    }

    fn retire(&mut self) {
        for held in self.keys.iter_mut().filter(|held| held.key.algorithm() == self.algorithm) {
            held.retired = true;
        }
    }

    /// Publishes no longer what a rotation has retired.
    pub(crate) fn withdraw_old(&mut self) {
        self.keys.retain(|held| !held.retired);
    }

    /// Publishes no longer what has this `kid`. The issuer goes on signing with it, as a confused one would.
    pub(crate) fn withdraw(&mut self, kid: &str) {
        for held in self.keys.iter_mut().filter(|held| held.key.kid() == kid) {
            held.published = false;
        }
        self.foreign.retain(|jwk| jwk.get("kid").and_then(Value::as_str) != Some(kid));
    }

    /// Publishes any value in front of the issuer's own keys.
    pub(crate) fn publish(&mut self, jwk: Value) {
        self.foreign.push(jwk);
    }

    /// Whether one of the issuer's own keys signed this, published or not.
    pub(crate) fn signed(&self, token: &Compact<'_>) -> bool {
        let keys = self.keys.iter().map(|held| &held.key).filter(|key| key.algorithm() == token.header.alg);
        let mut named = keys.filter(|key| token.header.kid.as_deref().is_none_or(|kid| kid == key.kid()));
        named.any(|key| key.verifies(token.signed, &token.signature))
    }

    /// The key set as published (RFC 7517 section 5).
    pub(crate) fn jwks(&self) -> Value {
        let own = self.keys.iter().filter(|held| held.published).map(|held| held.key.public_jwk());
        json!({ "keys": self.foreign.iter().cloned().chain(own).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids(set: &KeySet) -> Vec<String> {
        let jwks = set.jwks();
        jwks["keys"].as_array().unwrap().iter().map(|jwk| jwk["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn rotation_publishes_both_until_the_old_one_is_withdrawn() {
        let mut set = KeySet::generate(Algorithm::Es256).unwrap();
        let old = set.current().unwrap();
        set.rotate().unwrap();
        let new = set.current().unwrap();
        assert_eq!(kids(&set), [old.kid(), new.kid()]);
        set.withdraw_old();
        assert_eq!(kids(&set), [new.kid()]);
    }

    #[test]
    fn a_key_beside_the_others_does_not_sign_until_it_is_asked_for() {
        let mut set = KeySet::generate(Algorithm::Es256).unwrap();
        let current = set.current().unwrap();
        set.add(Algorithm::Es256).unwrap();
        let other = set.add(Algorithm::EdDsa).unwrap();
        assert_eq!(set.current().unwrap().kid(), current.kid());
        assert_eq!(set.for_algorithm(Algorithm::EdDsa).unwrap().kid(), other.kid());
        assert_eq!(kids(&set).len(), 3);
        set.for_algorithm(Algorithm::Es384).unwrap();
        assert_eq!(kids(&set).len(), 4);
        set.rotate().unwrap();
        assert_eq!(set.for_algorithm(Algorithm::EdDsa).unwrap().kid(), other.kid());
    }

    #[test]
    fn a_replaced_key_keeps_its_name_and_nothing_else() {
        let mut set = KeySet::generate(Algorithm::Es256).unwrap();
        let old = set.current().unwrap();
        set.replace_under_same_kid().unwrap();
        let new = set.current().unwrap();
        assert_eq!(new.kid(), old.kid());
        assert_ne!(new.thumbprint(), old.thumbprint());
        assert_eq!(kids(&set), [old.kid()]);
        assert_eq!(set.jwks()["keys"][0], new.public_jwk());
    }

    #[test]
    fn a_withdrawn_key_still_signs() {
        let mut set = KeySet::generate(Algorithm::Es256).unwrap();
        let key = set.current().unwrap();
        set.publish(json!({ "kty": "AKP", "kid": "odd" }));
        set.withdraw(key.kid());
        assert_eq!(kids(&set), ["odd"]);
        set.withdraw("odd");
        assert!(kids(&set).is_empty());
        assert_eq!(set.current().unwrap().kid(), key.kid());
    }
}
