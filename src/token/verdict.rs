//! What is kept of a proved token. Holds no token, so that it may be cached.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::{Context, TypedClaims};
use crate::crypto::{Algorithm, b64, sha256};
use crate::dpop::proof::JudgedHeader;
use crate::jwt::shapes::StatusReference;
use crate::jwt::statement::Statement;
use crate::revocation::status_lists::List;
use crate::store::Marks;
use crate::time::Timestamp;

/// The facts of one token, and what is needed to judge demands on it.
///
/// In this order: what every recalled verdict is looked at for comes first, so that it lies beside the count of references
/// and costs one trip to memory, not one for each field.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Verdict {
    /// The generation of the denylist at which no rule denied the token.
    undenied_at: AtomicU64,
    /// The issuer has said something newer since.
    superseded: AtomicBool,
    /// The token is bound to a key.
    is_bound: bool,
    /// The token names a status list.
    is_listed: bool,
    pub(crate) issuer: Arc<str>,
    pub(crate) proved: ProvedBy,
    pub(crate) statement: Statement,
    pub(crate) context: Arc<Context>,
    pub(crate) typed: TypedClaims,
    rare: OnceLock<Box<Rare>>,
}

/// What most verdicts never need, so that they need no room for it.
#[derive(Debug, Default)]
struct Rare {
    /// Stands for a `jti` where the token has none.
    digest: Option<Box<str>>,
    /// The header of the proofs of the token's own client, once one was proved.
    proof_header: OnceLock<Arc<JudgedHeader>>,
    /// The issuer's list that tells of the token, once it was looked for.
    status_list: OnceLock<List>,
    /// By the issuer's newest word on a token that it has signed.
    confirmed: ArcSwapOption<Verdict>,
}

/// How a token was proved: by a signature, by the word of its issuer, or by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProvedBy {
    /// By a signature of the issuer, of this algorithm.
    pub(crate) signature: Option<Algorithm>,
    /// By the issuer's word, asked for at this moment.
    pub(crate) asked_at: Option<Timestamp>,
}

impl Verdict {
    /// `token` is not kept; where its claims do not name it, a digest of it does.
    pub(crate) fn new(
        issuer: Arc<str>,
        statement: Statement,
        proved: ProvedBy,
        token: &str,
        context: Arc<Context>,
    ) -> Self {
        let named = |digest: String| OnceLock::from(Box::new(Rare { digest: Some(digest.into()), ..Rare::default() }));
        let rare = match statement.token_id() {
            Some(_) => OnceLock::new(),
            None => named(b64(&sha256(&[b"token ", token.as_bytes()]))),
        };
        Self {
            undenied_at: AtomicU64::new(u64::MAX),
            superseded: AtomicBool::new(false),
            is_bound: statement.jkt().is_some(),
            is_listed: statement.status.is_some(),
            issuer,
            proved,
            statement,
            context,
            typed: TypedClaims::default(),
            rare,
        }
    }

    /// The thumbprint of the key that the token is bound to.
    pub(crate) fn jkt(&self) -> Option<&str> {
        if self.is_bound { self.statement.jkt() } else { None }
    }

    /// Where the issuer tells of the token's status.
    pub(crate) fn status(&self) -> Option<&StatusReference> {
        if self.is_listed { self.statement.status.as_deref() } else { None }
    }

    /// When the issuer was last asked about the token; `None` when it never was.
    pub(crate) const fn asked_at(&self) -> Option<Timestamp> {
        self.proved.asked_at
    }

    /// Whether the issuer has signed the token, so that it can be verified again.
    pub(crate) const fn is_signed(&self) -> bool {
        self.proved.signature.is_some()
    }

    /// The verdict by the issuer's newest word on the same token, if it was asked.
    pub(crate) fn confirmed(&self) -> Option<Arc<Self>> {
        self.rare.get()?.confirmed.load_full()
    }

    /// `newer` is what the issuer says of the same token now.
    pub(crate) fn confirm(&self, newer: &Arc<Self>) {
        self.rare().confirmed.store(Some(Arc::clone(newer)));
    }

    /// The header of the proofs of the token's own client, once one was proved.
    pub(crate) fn proof_header(&self) -> Option<&Arc<JudgedHeader>> {
        self.rare.get()?.proof_header.get()
    }

    /// Only the first one is kept.
    pub(crate) fn keep_proof_header(&self, header: Arc<JudgedHeader>) {
        let _ = self.rare().proof_header.set(header);
    }

    /// The issuer's list that tells of the token, once it was looked for.
    pub(crate) fn status_list(&self) -> Option<&List> {
        self.rare.get()?.status_list.get()
    }

    pub(crate) fn keep_status_list(&self, list: List) -> &List {
        self.rare().status_list.get_or_init(|| list)
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// Whether the issuer was asked at most so long ago. One that was asked in the future was asked who knows when.
    pub(crate) fn is_younger(&self, age: Duration, now: Timestamp) -> bool {
        self.asked_at().is_some_and(|at| at <= now && now.since(at) <= age)
    }

    /// What the token is called by a rule for it alone: its `jti`, or else a digest of it.
    pub(crate) fn name(&self) -> &str {
        self.statement.token_id().or(self.rare.get().and_then(|rare| rare.digest.as_deref())).unwrap_or_default()
    }

    /// What rules of a denylist look at.
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks {
            issuer: &self.issuer,
            token_id: Some(self.name()),
            session_id: self.statement.session_id(),
            subject: self.statement.subject(),
            client_id: self.statement.client_id(),
            issued_at: self.statement.issued_at,
        }
    }

    pub(crate) fn was_undenied_at(&self, generation: u64) -> bool {
        self.undenied_at.load(Ordering::Relaxed) == generation
    }

    /// `generation` must have been read before the denylist was asked.
    pub(crate) fn is_undenied_at(&self, generation: u64) {
        self.undenied_at.store(generation, Ordering::Relaxed);
    }

    /// Whether the issuer has said something newer since.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    pub(crate) fn supersede(&self) {
        if let Some(rare) = self.rare.get() {
            rare.confirmed.store(None);
        }
        self.superseded.store(true, Ordering::Release);
    }
}

/// A reference to a verdict with a count of its own: each thread's cache has one, so that threads that serve the same
/// hot token do not contend for one counter.
#[derive(Debug)]
pub(crate) struct VerdictRef(pub(crate) Arc<Verdict>);

impl Deref for VerdictRef {
    type Target = Verdict;

    fn deref(&self) -> &Verdict {
        &self.0
    }
}
