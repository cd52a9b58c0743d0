//! A client that proves possession of its key (RFC 9449).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Method, Uri};

use crate::crypto::Algorithm;
use crate::mint::controls::made;
use crate::mint::keys::SigningKey;
use crate::mint::proof::ProofBuilder;
use crate::time::{Clock, SystemClock};

/// A key to which tokens are bound, and the proofs made with it. Clones are the same client.
///
/// ```
/// use http::{Method, Request};
/// use tower_oauth::test::{DpopClient, RequestExt as _, TestIssuer};
///
/// let issuer = TestIssuer::new("https://login.test");
/// let client = DpopClient::new();
/// let token = issuer.token_for("https://api.test").bound_to(&client).sign();
///
/// // A good request ...
/// let request = Request::get("/orders").dpop(&client, "https://api.test", &token).body(())?;
/// # assert!(request.headers().contains_key("dpop"));
/// // ... and one whose proof was made for another path.
/// let proof = client.proof_for(&Method::GET, "https://api.test/invoices", &token).sign();
/// let request = Request::get("/orders").dpop_with(&token, &proof).body(())?;
/// # assert_eq!(request.headers()["dpop"], proof);
/// # Ok::<(), http::Error>(())
/// ```
///
/// It remembers the nonce that each server gave last, once it was [told](Self::note_nonce).
#[derive(Clone)]
pub struct DpopClient {
    key: SigningKey,
    clock: Arc<dyn Clock>,
    /// By origin: a nonce means something to the server that gave it (RFC 9449 section 8).
    nonces: Arc<Mutex<HashMap<String, String>>>,
}

impl DpopClient {
    /// A client with a fresh key for ES256.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn new() -> Self {
        Self::with_algorithm(Algorithm::Es256)
    }

    /// A client with a fresh key for `algorithm`.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn with_algorithm(algorithm: Algorithm) -> Self {
        let key = made(SigningKey::generate(algorithm));
        Self { key, clock: Arc::new(SystemClock), nonces: Arc::default() }
    }

    /// Takes the time of proofs from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The thumbprint of the key (RFC 7638), as a token bound to it carries it in `cnf.jkt`.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        self.key.thumbprint()
    }

    /// A proof for a request that carries no token: to a token endpoint (RFC 9449 section 5).
    pub fn proof(&self, method: &Method, url: &str) -> ProofBuilder {
        let proof = ProofBuilder::new(&self.key, method, url, self.clock.now());
        match self.nonce_for(url) {
            Some(nonce) => proof.nonce(nonce),
            None => proof,
        }
    }

    /// A proof for a request that carries `token`: to a resource (RFC 9449 section 7).
    pub fn proof_for(&self, method: &Method, url: &str, token: &str) -> ProofBuilder {
        self.proof(method, url).ath_of(token)
    }

    /// Reads `DPoP-Nonce` off a response from `url`. Later proofs for that origin carry it; a response without the
    /// header changes nothing (RFC 9449 section 8.2).
    pub fn note_nonce(&self, url: &str, headers: &HeaderMap) {
        // There should be one. Of several, take the last, as from several responses.
        let nonce = headers.get_all("dpop-nonce").iter().next_back().and_then(|value| value.to_str().ok());
        if let Some(nonce) = nonce {
            self.nonces.lock().unwrap_or_else(PoisonError::into_inner).insert(origin(url), nonce.to_owned());
        }
    }

    /// The nonce that proofs for the origin of `url` carry now.
    #[must_use]
    pub fn nonce_for(&self, url: &str) -> Option<String> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner).get(&origin(url)).cloned()
    }
}

impl Default for DpopClient {
    fn default() -> Self {
        Self::new()
    }
}

/// For [`TokenBuilder::bound_to`](crate::test::TokenBuilder::bound_to) and [`ProofBuilder::signed_by`].
impl From<&DpopClient> for SigningKey {
    fn from(client: &DpopClient) -> Self {
        client.key.clone()
    }
}

impl std::fmt::Debug for DpopClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DpopClient").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Scheme, host and port of `url`, the default port written out; what is no absolute URL stands for itself.
fn origin(url: &str) -> String {
    let parsed: Option<Uri> = url.parse().ok();
    let origin = parsed.and_then(|uri| {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
        Some(format!("{scheme}://{}:{port}", uri.host()?.to_ascii_lowercase()))
    });
    origin.unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::crypto::b64_decode;
    use crate::test::{ManualClock, TestIssuer};
    use crate::time::Timestamp;

    const URL: &str = "https://rs.test/orders";

    fn part(jws: &str, n: usize) -> Value {
        serde_json::from_slice(&b64_decode(jws.split('.').nth(n).unwrap().as_bytes()).unwrap()).unwrap()
    }

    fn claims(proof: &ProofBuilder) -> Value {
        part(&proof.sign(), 1)
    }

    fn gives(nonce: &str) -> HeaderMap {
        HeaderMap::from_iter([("dpop-nonce".parse().unwrap(), nonce.parse().unwrap())])
    }

    #[test]
    fn a_token_is_bound_to_the_key_that_signs_the_proofs() {
        let client = DpopClient::with_algorithm(Algorithm::EdDsa);
        let token = TestIssuer::new("https://login.test").token_for("https://rs.test").bound_to(&client).sign();
        assert_eq!(part(&token, 1)["cnf"], json!({ "jkt": client.thumbprint() }));
        let header = part(&client.proof_for(&Method::GET, URL, &token).sign(), 0);
        assert_eq!((&header["alg"], &header["jwk"]["crv"]), (&json!("EdDSA"), &json!("Ed25519")));
        assert_ne!(client.thumbprint(), DpopClient::new().thumbprint());
    }

    #[test]
    fn a_proof_hashes_the_token_where_there_is_one() {
        let client = DpopClient::new();
        assert_eq!(claims(&client.proof(&Method::POST, URL)).get("ath"), None);
        let for_token = claims(&client.proof_for(&Method::POST, URL, "token"));
        assert_eq!(for_token["ath"], "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A");
    }

    #[test]
    fn proofs_are_dated_by_the_clients_clock() {
        let clock = ManualClock::new(Timestamp::from_secs(100));
        let client = DpopClient::new().clock(clock.clone());
        clock.advance(Duration::from_millis(5_900));
        assert_eq!(claims(&client.proof(&Method::GET, URL))["iat"], 105);
    }

    #[test]
    fn the_newest_nonce_of_an_origin_goes_into_its_proofs_and_into_no_others() {
        let client = DpopClient::new();
        let nonce = |url: &str| claims(&client.proof(&Method::GET, url)).get("nonce").cloned();
        assert_eq!(nonce(URL), None);
        client.note_nonce("HTTPS://RS.test:443/elsewhere?x#y", &gives("one"));
        client.clone().note_nonce("https://rs.test", &HeaderMap::new());
        assert_eq!(nonce(URL), Some("one".into()));
        client.clone().note_nonce(URL, &gives("two"));
        assert_eq!(nonce(URL), Some("two".into()));
        for other in ["https://rs.test:8443/", "http://rs.test/", "https://as.test/"] {
            assert_eq!(nonce(other), None, "{other}");
        }
        assert_eq!(claims(&client.proof(&Method::GET, URL).nonce("old"))["nonce"], "old");
        assert_eq!(claims(&client.proof(&Method::GET, URL).without("nonce")).get("nonce"), None);
    }

    #[test]
    fn neither_key_nor_nonces_are_printed() {
        let client = DpopClient::new();
        client.note_nonce(URL, &gives("SENTINEL"));
        assert!(!format!("{client:?}").contains("SENTINEL"));
    }
}
