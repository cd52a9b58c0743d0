//! One access token: a JWT by RFC 9068, or a text that says nothing and must be asked about (RFC 7662).

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::crypto::{b64, random};
use crate::dev::clients::Client;
use crate::dev::grants::{Consented, Issued};
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;
use crate::dev::status;
use crate::mint::claims;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// How an opaque token begins, so that a resource server can tell whom to ask.
pub(crate) const OPAQUE_PREFIX: &str = "opq_";

/// What a token says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessToken<'a> {
    pub(crate) client: &'a Client,
    pub(crate) subject: &'a str,
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) audience: &'a str,
    /// The key that it is bound to (RFC 9449 section 6.1).
    pub(crate) jkt: Option<&'a str>,
    /// The user's consent; none where no user took part.
    pub(crate) consented: Option<&'a Consented>,
    /// The grant with which the token ends.
    pub(crate) grant: Option<&'a str>,
    /// Claims that go into this token alone.
    pub(crate) more: Option<&'a Map<String, Value>>,
    pub(crate) lifetime: Duration,
}

impl AccessToken<'_> {
    /// Makes the token and remembers it.
    pub(crate) fn issue(&self, server: &AuthorizationServer, now: Timestamp) -> Result<String, Refusal> {
        // Whole seconds, as clients count them.
        let now = Timestamp::from_secs(now.as_secs());
        let mut claims = self.claims(server, now)?;
        let is_opaque = self.client.has_opaque_tokens || server.settings.has_opaque_tokens;
        let status = if is_opaque { None } else { status::give(server, &mut claims) };
        let token = if is_opaque {
            format!("{OPAQUE_PREFIX}{}", b64(&random::<32>().ok_or(Refusal::Server)?))
        } else {
            let key = server.authority.state().keys.current()?;
            let header = json!({ "typ": "at+jwt", "alg": key.algorithm().as_str(), "kid": key.kid() });
            key.sign(&header, &claims)?
        };
        let issued = Issued { claims, grant: self.grant.map(str::to_owned), status };
        server.grants.lock().keep_issued(&token, issued, now.plus(self.lifetime), now)?;
        server.counts.tokens.add_one();
        Ok(token)
    }

    /// RFC 9068 section 2.2. What a user brings stands first, so that it never replaces what the server says.
    fn claims(&self, server: &AuthorizationServer, now: Timestamp) -> Result<Map<String, Value>, Refusal> {
        let mut claims = server.users.get(self.subject).map(|user| user.claims().clone()).unwrap_or_default();
        if let Some(consented) = self.consented {
            claims.insert("sid".into(), consented.sid.as_str().into());
            claims
                .insert("auth_time".into(), claims::numeric_date(Timestamp::from_secs(consented.auth_time.as_secs())));
            claims.insert("acr".into(), consented.acr.as_str().into());
            claims.extend(consented.details.clone().map(|details| ("authorization_details".to_owned(), details)));
        }
        claims.extend(self.more.cloned().unwrap_or_default());
        claims.append(&mut claims::access_token(server.issuer(), now));
        claims.insert("sub".into(), self.subject.into());
        claims.insert("client_id".into(), self.client.id.as_str().into());
        claims.insert("aud".into(), self.audience.into());
        claims.insert("exp".into(), claims::numeric_date(now.plus(self.lifetime)));
        claims.insert("jti".into(), claims::random_id()?.into());
        if !self.scopes.is_empty() {
            claims.insert("scope".into(), self.scopes.as_str().into());
        }
        claims.extend(self.jkt.map(|jkt| ("cnf".to_owned(), json!({ "jkt": jkt }))));
        Ok(claims)
    }

    /// The members of RFC 6749 section 5.1 that every answer has.
    pub(crate) fn answer(&self, token: String) -> Map<String, Value> {
        let mut members = Map::from_iter([
            ("access_token".to_owned(), token.into()),
            ("token_type".to_owned(), if self.jkt.is_some() { "DPoP" } else { "Bearer" }.into()),
            ("expires_in".to_owned(), self.lifetime.as_secs().into()),
        ]);
        if !self.scopes.is_empty() {
            members.insert("scope".into(), self.scopes.as_str().into());
        }
        members
    }
}
