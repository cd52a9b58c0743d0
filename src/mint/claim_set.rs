//! The claims of one access token and the words in which a test says them, whether the token is signed or opaque.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::mint::{MintError, claims};
use crate::time::Timestamp;

/// Ten minutes: beyond any leeway that a resource server may be given.
const WELL_BEYOND: Duration = Duration::from_secs(600);

/// Claims that are valid by RFC 9068 section 2.2 until told otherwise.
#[derive(Clone)]
pub(crate) struct ClaimSet {
    pub(crate) now: Timestamp,
    claims: Map<String, Value>,
    random_jti: bool,
    is_for_client: bool,
    problem: Option<MintError>,
}

impl ClaimSet {
    pub(crate) fn new(issuer: &str, now: Timestamp) -> Self {
        // Whole seconds, as issuers write them; a fraction comes only from a duration or a time that has one.
        let now = Timestamp::from_secs(now.as_secs());
        let claims = claims::access_token(issuer, now);
        Self { now, claims, random_jti: true, is_for_client: false, problem: None }
    }

    /// What the token says, with the parts that are made up anew for each token.
    pub(crate) fn build(&self) -> Result<Map<String, Value>, MintError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let mut claims = self.claims.clone();
        if self.random_jti {
            claims.insert("jti".into(), claims::random_id()?.into());
        }
        if self.is_for_client
            && let Some(client) = claims.get("client_id").cloned()
        {
            claims.insert("sub".into(), client);
        }
        Ok(claims)
    }

    /// The one place that writes a claim: what is set by hand is no longer made up.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.random_jti &= name != "jti";
        self.is_for_client &= name != "sub";
        self.claims.insert(name.to_owned(), value.into());
    }

    pub(crate) fn serialized(&mut self, name: &str, value: impl Serialize) {
        match serde_json::to_value(value) {
            Ok(value) => self.set(name, value),
            Err(_) => self.problem = Some(MintError("a claim cannot be written as JSON")),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.set(name, Value::Null);
        self.claims.remove(name);
    }

    pub(crate) fn add_scope(&mut self, scope: &str) {
        claims::add_scope(&mut self.claims, scope);
    }

    pub(crate) fn make_client_the_subject(&mut self) {
        self.is_for_client = true;
    }

    /// Issued fifteen minutes ago and expired ten minutes ago.
    pub(crate) fn expire(&mut self) {
        let expired = self.now.minus(WELL_BEYOND);
        self.set("iat", claims::numeric_date(expired.minus(claims::LIFETIME)));
        self.set("exp", claims::numeric_date(expired));
    }

    pub(crate) fn not_before_in(&mut self, wait: Duration) {
        self.set("nbf", claims::numeric_date(self.now.plus(wait)));
    }

    pub(crate) fn not_yet_valid(&mut self) {
        self.not_before_in(WELL_BEYOND);
    }
}

/// Adds to a builder with a field `claims: ClaimSet` the claims of an access token by their names.
macro_rules! access_token_claims {
    ($builder:ty) => {
        impl $builder {
            /// The claim `scope` gets these too, separated by spaces; it may be called more than once.
            pub fn scope(mut self, scope: &str) -> Self {
                self.claims.add_scope(scope);
                self
            }

            /// `sub`.
            pub fn subject(self, subject: impl Into<String>) -> Self {
                self.set("sub", subject.into())
            }

            /// `client_id`.
            pub fn client(self, client_id: impl Into<String>) -> Self {
                self.set("client_id", client_id.into())
            }

            /// `sub` is the client itself, as RFC 9068 section 2.2 wants it when no user took part.
            pub fn client_credentials(mut self) -> Self {
                self.claims.make_client_the_subject();
                self
            }

            /// Any claim, in place of what is there. What cannot be written as JSON shows when the token is made.
            pub fn claim(mut self, name: &str, value: impl serde::Serialize) -> Self {
                self.claims.serialized(name, value);
                self
            }

            /// Leaves out a claim.
            pub fn without(mut self, claim: &str) -> Self {
                self.claims.remove(claim);
                self
            }

            /// `aud`, one string.
            pub fn audience(self, audience: impl Into<String>) -> Self {
                self.set("aud", audience.into())
            }

            /// `aud`, an array when there is more than one.
            pub fn audiences<A: Into<String>>(self, audiences: impl IntoIterator<Item = A>) -> Self {
                self.set("aud", $crate::mint::claims::one_or_many(audiences.into_iter().map(Into::into).collect()))
            }

            /// `iss`, in place of the issuer's identifier.
            pub fn issuer_claim(self, issuer: impl Into<String>) -> Self {
                self.set("iss", issuer.into())
            }

            /// Issued fifteen minutes ago and expired ten minutes ago, beyond any leeway.
            pub fn expired(mut self) -> Self {
                self.claims.expire();
                self
            }

            /// `exp`, counted from now.
            pub fn expires_in(self, lifetime: std::time::Duration) -> Self {
                let at = self.claims.now.plus(lifetime);
                self.expires_at(at)
            }

            /// `exp`.
            pub fn expires_at(self, at: $crate::time::Timestamp) -> Self {
                self.set("exp", $crate::mint::claims::numeric_date(at))
            }

            /// `nbf`, counted from now.
            pub fn not_before_in(mut self, wait: std::time::Duration) -> Self {
                self.claims.not_before_in(wait);
                self
            }

            /// Not to be used before ten minutes from now, beyond any leeway.
            pub fn not_yet_valid(mut self) -> Self {
                self.claims.not_yet_valid();
                self
            }

            /// `iat`.
            pub fn issued_at(self, at: $crate::time::Timestamp) -> Self {
                self.set("iat", $crate::mint::claims::numeric_date(at))
            }

            /// `auth_time`: when the user last logged in (RFC 9068 section 2.2.1).
            pub fn auth_time(self, at: $crate::time::Timestamp) -> Self {
                self.set("auth_time", $crate::mint::claims::numeric_date(at))
            }

            /// `acr`: how strongly the user logged in (RFC 9068 section 2.2.1).
            pub fn acr(self, acr: impl Into<String>) -> Self {
                self.set("acr", acr.into())
            }

            /// `roles` (RFC 9068 section 2.2.3.1).
            pub fn roles<R: Into<String>>(self, roles: impl IntoIterator<Item = R>) -> Self {
                self.set("roles", roles.into_iter().map(Into::into).collect::<Vec<String>>())
            }

            /// `cnf.jkt`: only who proves possession of `key` may use the token (RFC 9449 section 6.1). A `&DpopClient` is as
            /// good as a [`SigningKey`]($crate::mint::keys::SigningKey).
            pub fn bound_to(self, key: impl Into<$crate::mint::keys::SigningKey>) -> Self {
                let jkt = key.into().thumbprint().to_owned();
                self.confirmation(serde_json::json!({ "jkt": jkt }))
            }

            /// `cnf`: how the presenter proves possession (RFC 7800 section 3.1), however odd.
            pub fn confirmation(self, confirmation: serde_json::Value) -> Self {
                self.set("cnf", confirmation)
            }

            /// `jti`, the same for each token that is made.
            pub fn jti(self, jti: impl Into<String>) -> Self {
                self.set("jti", jti.into())
            }

            /// `act`: who acts for the subject (RFC 8693 section 4.1), an object; an actor behind it goes into its own `act`.
            pub fn actor(self, actor: serde_json::Value) -> Self {
                self.set("act", actor)
            }

            /// `authorization_details` (RFC 9396 section 9.1), an array of objects with a `type`.
            pub fn authorization_details(self, details: serde_json::Value) -> Self {
                self.set("authorization_details", details)
            }

            fn set(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
                self.claims.set(name, value);
                self
            }
        }
    };
}

pub(crate) use access_token_claims;
