//! The user's own claim types, read once for each verdict.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;

/// Types that were read from one payload. Slots are filled once and never emptied, so that a read takes no lock. A type
/// that finds no free slot is read anew each time: a verdict's memory stays bounded. There are no slots before the first
/// type, because many services read none.
#[derive(Default)]
pub(crate) struct TypedClaims(OnceLock<Box<[Slot; 4]>>);

type Slot = OnceLock<Arc<dyn Any + Send + Sync>>;

// `()` asks for no claims and costs nothing. One for each thread, so that none waits for another to count.
thread_local!(static NO_CLAIMS: Arc<dyn Any + Send + Sync> = Arc::new(()));

impl TypedClaims {
    pub(crate) fn read<C: DeserializeOwned + Send + Sync + 'static>(
        &self,
        payload: &str,
    ) -> Result<Arc<C>, ClaimsError> {
        if TypeId::of::<C>() == TypeId::of::<()>()
            && let Ok(none) = NO_CLAIMS.with(Arc::clone).downcast()
        {
            return Ok(none);
        }
        let known = self
            .0
            .get()
            .into_iter()
            .flat_map(|slots| slots.iter())
            .map_while(OnceLock::get)
            .find(|known| (***known).is::<C>());
        if let Some(known) = known.and_then(|known| Arc::clone(known).downcast().ok()) {
            return Ok(known);
        }
        // The error of the parser quotes the value, and the value is a claim: its position is all that may be told.
        let claims: Arc<C> = Arc::new(
            serde_json::from_str(payload)
                .map_err(|error| ClaimsError { wanted: type_name::<C>(), column: error.column() })?,
        );
        let mut kept: Arc<dyn Any + Send + Sync> = Arc::clone(&claims) as _;
        for slot in self.0.get_or_init(Box::default).iter() {
            match slot.set(kept) {
                Ok(()) => break,
                Err(taken) => kept = taken,
            }
        }
        Ok(claims)
    }
}

impl fmt::Debug for TypedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedClaims")
    }
}

/// The token's claims do not fit the type that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimsError {
    pub(crate) wanted: &'static str,
    pub(crate) column: usize,
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the token's claims do not fit {} (byte {} of the payload); make the field optional or ask the issuer for the claim",
            self.wanted, self.column
        )
    }
}

impl std::error::Error for ClaimsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Shop {
        tenant: String,
    }

    #[test]
    fn a_type_is_read_once() {
        let typed = TypedClaims::default();
        let first: Arc<Shop> = typed.read(r#"{"tenant":"a","x":1}"#).unwrap();
        let again: Arc<Shop> = typed.read("not even JSON").unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn an_error_names_the_type_and_no_value() {
        let error = TypedClaims::default().read::<Shop>(r#"{"tenant":{"hush":1}}"#).unwrap_err().to_string();
        assert!(error.contains("Shop") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn no_claims_are_always_there() {
        assert!(TypedClaims::default().read::<()>("").is_ok());
    }
}
