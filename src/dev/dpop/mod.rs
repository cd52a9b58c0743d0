//! Tokens bound to a key: the `DPoP` header of a request to this server, from header to thumbprint (RFC 9449).
//!
//! The proof itself is judged as a resource server judges it. A token request carries no token, so there is no `ath` to
//! compare and no binding to hold the key against; the key becomes the binding.

mod nonces;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::crypto::Algorithm;
use crate::dev::dpop::nonces::Nonces;
use crate::dev::grants::shelf::Shelf;
use crate::dev::refusal::Refusal;
use crate::dpop::error::DpopError;
use crate::dpop::proof::{Expected, Proof};
use crate::dpop::replay_key;
use crate::dpop::target::Target;
use crate::mint::MintError;
use crate::time::Timestamp;

/// How far `iat` may lie from the server's clock, either way (RFC 9449 section 11.1).
const WINDOW: Duration = Duration::from_secs(60);

/// The most proofs that are remembered, some 130 a second for the two minutes that one can stay fresh.
const MOST: usize = 16_384;

/// What the server remembers between proofs.
#[derive(Debug)]
pub(crate) struct Dpop {
    /// This server, as `htu` must name it.
    target: Target,
    /// `None` where no nonce is asked for.
    nonces: Option<Mutex<Nonces>>,
    seen: Mutex<Shelf<[u8; 32], ()>>,
}

/// Where a proof was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    pub(crate) method: &'p str,
    pub(crate) path: &'p str,
}

impl Dpop {
    /// For a server at `origin`.
    pub(crate) fn new(origin: &str, needs_nonce: bool, now: Timestamp) -> Result<Self, MintError> {
        let target = Target::new(origin, &[], "").map_err(MintError)?;
        let nonces = if needs_nonce { Some(Mutex::new(Nonces::new(now)?)) } else { None };
        Ok(Self { target, nonces, seen: Mutex::new(Shelf::new(MOST)) })
    }

    /// The thumbprint of the key that the request proves; `None` when it has no `DPoP` header. With a token the proof
    /// must be for it.
    pub(crate) fn prove(
        &self,
        headers: &HeaderMap,
        place: Place<'_>,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<String>, Refusal> {
        if !headers.contains_key("dpop") {
            return Ok(None);
        }
        let expected = Expected {
            algorithms: &Algorithm::ALL,
            method: place.method,
            target: &self.target,
            path: place.path,
            token,
        };
        let refuse = |error| Refusal::Proof(reason(error));
        let line = Proof::in_headers(headers).map_err(refuse)?;
        let (proof, _) = Proof::verify(line, &expected, None).map_err(refuse)?;
        if now.since(proof.issued_at).max(proof.issued_at.since(now)) > WINDOW {
            return Err(Refusal::Proof("iat is more than a minute away from the server's clock"));
        }
        if let Some(nonces) = &self.nonces {
            let mut nonces = nonces.lock().unwrap_or_else(PoisonError::into_inner);
            nonces.turn(now)?;
            if !proof.nonce.as_deref().is_some_and(|nonce| nonces.accept(nonce)) {
                return Err(Refusal::Nonce);
            }
        }
        // Last: a proof that is refused for anything else is not used up.
        let key = replay_key("", &proof.jkt, &proof.jti);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(&key, now).is_some() {
            return Err(Refusal::Proof("it was used before"));
        }
        seen.put(key, (), proof.issued_at.plus(WINDOW), now)?;
        Ok(Some(proof.jkt.into()))
    }

    /// The nonce to use next, for `DPoP-Nonce` (RFC 9449 section 8); `None` where none is asked for.
    pub(crate) fn nonce(&self, now: Timestamp) -> Option<HeaderValue> {
        let mut nonces = self.nonces.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        // Rather none than one that is past before it comes back.
        nonces.turn(now).ok()?;
        HeaderValue::from_str(nonces.current()).ok()
    }

    /// Gives out a new nonce from now on.
    pub(crate) fn rotate(&self, now: Timestamp) -> Result<(), MintError> {
        match &self.nonces {
            Some(nonces) => nonces.lock().unwrap_or_else(PoisonError::into_inner).rotate(now),
            None => Ok(()),
        }
    }
}

/// What the client is told, which is its developer.
const fn reason(error: DpopError) -> &'static str {
    match error {
        DpopError::Malformed(what) | DpopError::Key(what) => what,
        DpopError::Repeated => "more than one DPoP header",
        DpopError::Type => "typ is not dpop+jwt",
        DpopError::Algorithm => "alg is no asymmetric algorithm that is known here",
        DpopError::PrivateKey => "jwk holds a private key",
        DpopError::Critical => "the header demands an extension that is not understood",
        DpopError::Signature => "the signature does not hold by alg and jwk",
        DpopError::Method => "htm is not the method of the request",
        DpopError::Target => "htu is not the URL of the request",
        DpopError::TokenHash => "ath is not the hash of the token that came along",
        _ => "the proof is not for this request",
    }
}
