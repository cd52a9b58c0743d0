//! ID tokens (OpenID Connect Core 1.0 section 2): who logged in, for the client alone.

use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use serde_json::{Map, json};

use crate::crypto::{Algorithm, b64};
use crate::dev::grants::Consented;
use crate::dev::refusal::Refusal;
use crate::dev::server::AuthorizationServer;
use crate::mint::claims::{numeric_date, random_id};
use crate::time::Timestamp;

/// How long an ID token is good: a client looks at it once.
const LIFETIME: Duration = Duration::from_secs(300);

/// The ID token beside an access token; none unless `openid` was asked for.
pub(crate) fn id_token(
    server: &AuthorizationServer,
    consented: &Consented,
    nonce: Option<&str>,
    access_token: &str,
    now: Timestamp,
) -> Result<Option<String>, Refusal> {
    if !consented.scopes.contains("openid") {
        return Ok(None);
    }
    let key = server.authority.state().keys.current()?;
    let user = server.users.get(&consented.subject);
    let mut claims = user.map(|user| user.profile(consented.scopes.iter())).unwrap_or_default();
    let now = Timestamp::from_secs(now.as_secs());
    claims.append(&mut Map::from_iter([
        ("iss".to_owned(), server.issuer().into()),
        ("sub".to_owned(), consented.subject.as_str().into()),
        ("aud".to_owned(), consented.client_id.as_str().into()),
        ("iat".to_owned(), numeric_date(now)),
        ("exp".to_owned(), numeric_date(now.plus(LIFETIME))),
        ("jti".to_owned(), random_id()?.into()),
        ("auth_time".to_owned(), consented.auth_time.as_secs().into()),
        ("acr".to_owned(), consented.acr.as_str().into()),
        ("sid".to_owned(), consented.sid.as_str().into()),
        ("at_hash".to_owned(), half_hash(key.algorithm(), access_token).into()),
    ]));
    claims.extend(nonce.map(|nonce| ("nonce".to_owned(), nonce.into())));
    let header = json!({ "typ": "JWT", "alg": key.algorithm().as_str(), "kid": key.kid() });
    Ok(Some(key.sign(&header, &claims)?))
}

/// The left half of the hash that goes with the signature's algorithm (OpenID Connect Core 1.0 section 3.1.3.6). Ed25519
/// hashes by SHA-512 within, and so do its clients here.
fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let by = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &SHA256,
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => &SHA384,
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 | Algorithm::EdDsa | Algorithm::Ed25519 => &SHA512,
    };
    let hash = digest::digest(by, text.as_bytes());
    b64(hash.as_ref().get(..hash.as_ref().len() / 2).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_hash_of_an_access_token_is_reproduced() {
        // OpenID Connect Core 1.0 appendix A.3.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(Algorithm::Es384, token).len(), 32);
        assert_eq!(half_hash(Algorithm::EdDsa, token).len(), 43);
    }
}
