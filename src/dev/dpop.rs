//! Tokens bound to a key: the `DPoP` header of a token request (RFC 9449 section 5), from header to thumbprint.
//!
//! The rules are those of section 4.3 as an authorization server has them: a proof comes with a request that carries no
//! token, so there is no `ath` to compare and no binding to hold it against; its key becomes the binding.

mod nonces;
mod proof;
mod seen;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::dev::dpop::nonces::Nonces;
use crate::dev::dpop::proof::Proof;
use crate::dev::dpop::seen::Seen;
use crate::dev::refusal::Refusal;
use crate::mint::MintError;
use crate::time::Timestamp;

/// How far `iat` may lie from the server's clock, either way (RFC 9449 section 11.1).
const WINDOW: Duration = Duration::from_secs(60);

/// What the server remembers between proofs.
#[derive(Debug)]
pub(super) struct Dpop {
    /// The token endpoint, as `htu` must name it.
    url: String,
    /// `None` where no nonce is asked for.
    nonces: Option<Mutex<Nonces>>,
    seen: Mutex<Seen>,
}

impl Dpop {
    pub(super) fn new(token_url: String, needs_nonce: bool, now: Timestamp) -> Result<Self, MintError> {
        let nonces = if needs_nonce { Some(Mutex::new(Nonces::new(now)?)) } else { None };
        Ok(Self { url: token_url, nonces, seen: Mutex::default() })
    }

    /// The thumbprint of the key that the request proves; `None` when it has no `DPoP` header.
    pub(super) fn prove(&self, headers: &HeaderMap, now: Timestamp) -> Result<Option<String>, Refusal> {
        let mut values = headers.get_all("dpop").iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Refusal::Proof("more than one DPoP header"));
        }
        let proof = Proof::parse(value.to_str().map_err(|_| Refusal::Proof("not a compact JWS"))?)?;
        proof.check_target("POST", &self.url)?;
        if now.since(proof.issued_at).max(proof.issued_at.since(now)) > WINDOW {
            return Err(Refusal::Proof("iat is more than a minute away from the server's clock"));
        }
        if let Some(nonces) = &self.nonces {
            let mut nonces = nonces.lock().unwrap_or_else(PoisonError::into_inner);
            nonces.turn(now).map_err(|_| Refusal::Server)?;
            if !proof.nonce.as_deref().is_some_and(|nonce| nonces.accept(nonce)) {
                return Err(Refusal::Nonce);
            }
        }
        // Last: a proof that is refused for anything else is not used up.
        let until = proof.issued_at.plus(WINDOW);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(proof.digest(), until, now)?;
        Ok(Some(proof.thumbprint))
    }

    /// The nonce to use next, for `DPoP-Nonce` (RFC 9449 section 8); `None` where none is asked for.
    pub(super) fn nonce(&self, now: Timestamp) -> Option<HeaderValue> {
        let mut nonces = self.nonces.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        // Rather none than one that is past before it comes back.
        nonces.turn(now).ok()?;
        HeaderValue::from_str(nonces.current()).ok()
    }

    /// Gives out a new nonce from now on.
    pub(super) fn rotate(&self, now: Timestamp) -> Result<(), MintError> {
        match &self.nonces {
            Some(nonces) => nonces.lock().unwrap_or_else(PoisonError::into_inner).rotate(now),
            None => Ok(()),
        }
    }
}
