//! What is asked of a verified request: demands, claims, authorization details.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Authenticated, ClaimsError};
use crate::demand::{Demand, Facts, Freshness, HeldDetail};
use crate::reject::{Cause, Rejection};
use crate::store::Answer;

/// A demand held against a request: judged, or its issuer is being asked. `None` is a request that is as it was.
pub(crate) enum Proving {
    Now(Result<Option<Authenticated>, Rejection>),
    Later(Pin<Box<dyn Future<Output = Result<Option<Authenticated>, Rejection>> + Send>>),
}

impl Proving {
    pub(crate) async fn wait(self) -> Result<Option<Authenticated>, Rejection> {
        match self {
            Self::Now(proved) => proved,
            Self::Later(proved) => proved.await,
        }
    }
}

impl Authenticated {
    /// Whether the token meets `demand`; for decisions inside a handler. It never waits, so it cannot ask an issuer: see
    /// [`proves`](Self::proves) for a demand that wants a fresher verdict than the request already has.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with when it does not.
    pub fn meets(&self, demand: &Demand) -> Result<(), Rejection> {
        if self.is_fresh(demand.freshness()) {
            return self.holds(demand);
        }
        Err(self.context().refuse(Rejection::mistake(Cause::FreshnessNotAsked), Some(self.issuer()), true))
    }

    /// Whether the token meets `demand`, the issuer asked where the demand wants that. The request as it is known now is
    /// given back: the issuer's word may have changed scopes and claims.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with when it does not, or when nobody could be asked.
    pub async fn proves(&self, demand: &Demand) -> Result<Self, Rejection> {
        let fresher = self.prove(demand).wait().await?;
        Ok(fresher.unwrap_or_else(|| self.clone()))
    }

    /// As [`proves`](Self::proves), at once where nobody need be asked; `None` is a request that is fresh enough.
    pub(crate) fn prove(&self, demand: &Demand) -> Proving {
        let wanted = demand.freshness();
        if self.is_fresh(wanted) {
            return Proving::Now(self.holds(demand).map(|()| None));
        }
        let demand = *demand;
        let judge = move |fresher: Self| fresher.holds(&demand).map(|()| Some(fresher));
        match self.context().recheck(self, wanted) {
            Answer::Now(fresher) => Proving::Now(fresher.and_then(judge)),
            Answer::Later(fresher) => Proving::Later(Box::pin(async move { fresher.await.and_then(judge) })),
        }
    }

    /// Whether what is known of the token's standing is as fresh as that.
    pub(crate) fn is_fresh(&self, wanted: Freshness) -> bool {
        match wanted {
            Freshness::Offline => true,
            Freshness::Denylist => self.reached.looks_at_revocations(),
            Freshness::Within(age) => match self.reached {
                Freshness::Always => true,
                // Settled for that age, be it by the failure policy.
                Freshness::Within(reached) if reached <= age => true,
                reached => reached.looks_at_revocations() && self.verdict().is_younger(age, self.context().now()),
            },
            Freshness::Always => self.reached == Freshness::Always,
        }
    }

    fn holds(&self, demand: &Demand) -> Result<(), Rejection> {
        let (statement, context) = (&self.verdict().statement, self.context());
        let facts = Facts {
            scopes: &statement.scopes,
            has_role: &|role| statement.roles().any(|held| held == role),
            has_details: &|wanted| {
                let held: Vec<HeldDetail> = self.details().unwrap_or_default();
                wanted.iter().all(|wanted| wanted.is_granted(&held))
            },
            is_user: statement.is_user,
            acr: statement.acr(),
            auth_time: statement.auth_time,
            sender_constrained: self.is_sender_constrained(),
        };
        match demand.unmet(&facts, &context.hierarchy, context.now()) {
            None => Ok(()),
            Some(unmet) => {
                Err(context.refuse(context.challenger.unmet(&unmet, self.scheme()), Some(self.issuer()), true))
            }
        }
    }

    /// An authorization detail of this `type` that `grants` what the request asks for (RFC 9396 section 9).
    ///
    /// Types are compared code point by code point; a detail that does not fit `T` grants nothing.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tower_oauth::{Rejection, Token};
    ///
    /// #[derive(Deserialize)]
    /// struct Payment {
    ///     limit: u64,
    /// }
    ///
    /// async fn pay(token: Token) -> Result<String, Rejection> {
    ///     let amount = 120;
    ///     let payment: Payment = token.authenticated().detail("payment", |payment: &Payment| amount <= payment.limit)?;
    ///     Ok(format!("paid, up to {} would have been granted", payment.limit))
    /// }
    /// ```
    ///
    /// # Errors
    /// A [`Rejection`] with 403 `insufficient_scope` when none does.
    pub fn detail<T: DeserializeOwned>(&self, kind: &str, grants: impl Fn(&T) -> bool) -> Result<T, Rejection> {
        #[derive(Deserialize)]
        struct Typed {
            r#type: String,
        }
        let details: Vec<&RawValue> = self.details().unwrap_or_default();
        let is_of_kind =
            |detail: &&RawValue| serde_json::from_str(detail.get()).is_ok_and(|Typed { r#type }| r#type == kind);
        let mut read =
            details.into_iter().filter(is_of_kind).filter_map(|detail| serde_json::from_str(detail.get()).ok());
        read.find(grants).ok_or_else(|| {
            let context = self.context();
            context.refuse(context.challenger.detail_missing(self.scheme()), Some(self.issuer()), true)
        })
    }

    fn details<'s, T: Deserialize<'s>>(&'s self) -> Option<Vec<T>> {
        #[derive(Deserialize)]
        struct Granted<T> {
            authorization_details: Vec<T>,
        }
        let statement = &self.verdict().statement;
        let granted: Option<Granted<T>> =
            statement.has_details.then(|| serde_json::from_str(statement.payload()).ok()).flatten();
        granted.map(|granted| granted.authorization_details)
    }

    /// The claims as `C`, or the refusal of a token that lacks them.
    pub(crate) fn claims_or_reject<C: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<C>, Rejection> {
        self.claims().map_err(|ClaimsError { wanted, column }| {
            let context = self.context();
            context.refuse(
                context.challenger.unfit_token(Cause::ClaimsMismatch { wanted, column }, self.scheme()),
                Some(self.issuer()),
                true,
            )
        })
    }
}
