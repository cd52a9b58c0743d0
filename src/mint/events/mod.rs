//! What an issuer sends to those who trust it when a session ends or an account changes: logout tokens (OpenID Connect
//! Back-Channel Logout 1.0) and security event tokens (RFC 8417), each right by default.

pub(crate) mod logout;
pub(crate) mod security;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::mint::MintError;
use crate::mint::authority::Authority;
use crate::mint::changes::Changes;
use crate::mint::claims::{numeric_date, random_id};
use crate::time::Timestamp;

/// What both kinds of token are made of.
#[derive(Clone)]
struct Event {
    authority: Arc<Authority>,
    /// When it was begun, in whole seconds.
    now: Timestamp,
    claims: Map<String, Value>,
    events: Map<String, Value>,
}

impl Event {
    /// `iss`, `aud` and `iat`; a `jti` follows at each signing.
    fn new(authority: &Arc<Authority>, audience: &str) -> Self {
        let now = Timestamp::from_secs(authority.now().as_secs());
        let claims = Map::from_iter([
            ("iss".to_owned(), authority.issuer().into()),
            ("aud".to_owned(), audience.into()),
            ("iat".to_owned(), numeric_date(now)),
        ]);
        Self { authority: Arc::clone(authority), now, claims, events: Map::new() }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.claims.insert(name.to_owned(), value.into());
    }

    fn sign(&self, typ: &str, changes: &Changes) -> Result<String, MintError> {
        let mut claims = self.claims.clone();
        claims.insert("jti".into(), random_id()?.into());
        claims.insert("events".into(), Value::Object(self.events.clone()));
        let key = self.authority.state().keys.current()?;
        changes.sign(&key, typ, claims)
    }
}
