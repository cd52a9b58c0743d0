//! What a test changes in a JWT that is right by default.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::mint::MintError;
use crate::mint::keys::SigningKey;
use crate::mint::token::with_bad_signature;

/// Members of header and payload as they are given, `None` to leave one out, and who signs.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    header: BTreeMap<String, Option<Value>>,
    claims: BTreeMap<String, Option<Value>>,
    pub(crate) key: Option<SigningKey>,
    pub(crate) has_bad_signature: bool,
    pub(crate) is_unsigned: bool,
    problem: Option<MintError>,
}

impl Changes {
    pub(crate) fn header(&mut self, name: &str, value: Option<Value>) {
        self.header.insert(name.to_owned(), value);
    }

    pub(crate) fn claim(&mut self, name: &str, value: Option<Value>) {
        self.claims.insert(name.to_owned(), value);
    }

    /// A claim that may be no JSON, which shows when the token is signed.
    pub(crate) fn serialized(&mut self, name: &str, value: impl Serialize) {
        match serde_json::to_value(value) {
            Ok(value) => self.claim(name, Some(value)),
            Err(_) => self.problem = Some(MintError("a claim cannot be written as JSON")),
        }
    }

    /// `claims` and the header of `typ`, changed as was said, signed by `own` unless another key was given.
    pub(crate) fn sign(
        &self,
        own: &SigningKey,
        typ: &str,
        mut claims: Map<String, Value>,
    ) -> Result<String, MintError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let key = self.key.as_ref().unwrap_or(own);
        let mut header = Map::from_iter([
            ("typ".to_owned(), typ.into()),
            ("alg".to_owned(), key.algorithm().as_str().into()),
            ("kid".to_owned(), key.kid().into()),
        ]);
        if self.is_unsigned {
            header.insert("alg".into(), "none".into());
        }
        apply(&self.header, &mut header);
        apply(&self.claims, &mut claims);
        let token = key.sign(&header, &claims)?;
        Ok(match (self.is_unsigned, self.has_bad_signature) {
            (true, _) => without_signature(&token),
            (false, true) => with_bad_signature(&token),
            (false, false) => token,
        })
    }
}

/// Puts in place, or takes away, the members that `changes` names.
pub(crate) fn apply(changes: &BTreeMap<String, Option<Value>>, members: &mut Map<String, Value>) {
    for (name, value) in changes {
        match value {
            Some(value) => members.insert(name.clone(), value.clone()),
            None => members.remove(name),
        };
    }
}

/// An unsecured JWS ends with its second dot (RFC 7519 section 6).
fn without_signature(token: &str) -> String {
    let message = token.rsplit_once('.').map_or(token, |(message, _)| message);
    format!("{message}.")
}

/// Header and payload of a compact JWS.
#[cfg(test)]
pub(crate) fn parts(token: &str) -> (Value, Value) {
    let part = |n: usize| crate::crypto::b64_decode(token.split('.').nth(n).unwrap().as_bytes()).unwrap();
    (serde_json::from_slice(&part(0)).unwrap(), serde_json::from_slice(&part(1)).unwrap())
}

/// Adds to a builder with a field `changes: Changes` the ways in which any JWT can be wrong.
macro_rules! jwt_changes {
    ($builder:ty) => {
        impl $builder {
            /// Any claim of the payload, in place of what is there.
            pub fn claim(mut self, name: &str, value: impl serde::Serialize) -> Self {
                self.changes.serialized(name, value);
                self
            }

            /// Leaves out a claim of the payload.
            pub fn without(mut self, claim: &str) -> Self {
                self.changes.claim(claim, None);
                self
            }

            /// `typ` of the header.
            pub fn typ(self, typ: &str) -> Self {
                self.header("typ", typ)
            }

            /// Any member of the header. `alg` too: it changes the name only, never how the token is signed.
            pub fn header(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
                self.changes.header(name, Some(value.into()));
                self
            }

            /// Leaves out a member of the header.
            pub fn without_header(mut self, name: &str) -> Self {
                self.changes.header(name, None);
                self
            }

            /// Signs with a key that need not be the issuer's: a [`SigningKey`]($crate::mint::keys::SigningKey), or the
            /// current one of another issuer.
            pub fn signed_by(mut self, key: impl Into<$crate::mint::keys::SigningKey>) -> Self {
                self.changes.key = Some(key.into());
                self
            }

            /// Changes one bit of the signature.
            pub fn bad_signature(mut self) -> Self {
                self.changes.has_bad_signature = true;
                self
            }

            /// `alg` is `none`, and there is no signature (RFC 7519 section 6).
            pub fn unsigned(mut self) -> Self {
                self.changes.is_unsigned = true;
                self
            }
        }
    };
}

pub(crate) use jwt_changes;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::Algorithm;

    fn claims() -> Map<String, Value> {
        Map::from_iter([("iss".to_owned(), "i".into()), ("aud".to_owned(), "a".into())])
    }

    #[test]
    fn what_is_not_changed_stays() {
        let own = SigningKey::generate(Algorithm::Es256).unwrap();
        let token = Changes::default().sign(&own, "logout+jwt", claims()).unwrap();
        let header = json!({ "typ": "logout+jwt", "alg": "ES256", "kid": own.kid() });
        assert_eq!(parts(&token), (header, json!({ "iss": "i", "aud": "a" })));
    }

    #[test]
    fn members_are_replaced_and_left_out_and_another_key_signs() {
        let own = SigningKey::generate(Algorithm::Es256).unwrap();
        let other = SigningKey::generate(Algorithm::EdDsa).unwrap().with_kid("other");
        let mut changes = Changes { key: Some(other), ..Changes::default() };
        changes.header("typ", None);
        changes.claim("aud", None);
        changes.serialized("iss", ["x"]);
        let token = changes.sign(&own, "t", claims()).unwrap();
        assert_eq!(parts(&token), (json!({ "alg": "EdDSA", "kid": "other" }), json!({ "iss": ["x"] })));
        changes.serialized("odd", std::collections::HashMap::from([(vec![1], 1)]));
        assert!(changes.sign(&own, "t", claims()).is_err());
    }

    #[test]
    fn an_unsigned_token_says_none_and_ends_with_a_dot() {
        let own = SigningKey::generate(Algorithm::Es256).unwrap();
        let changes = Changes { is_unsigned: true, ..Changes::default() };
        let token = changes.sign(&own, "t", claims()).unwrap();
        assert!(token.ends_with('.'));
        assert_eq!(parts(&token).0["alg"], "none");
    }
}
