//! Demands as types: scopes, tuples of requirements, alternatives.

use std::fmt;
use std::marker::PhantomData;

use super::Demand;

/// A demand with a name: implement it on a type and use the type in [`Granted`](crate::Granted) and
/// [`require`](crate::require). Tuples combine requirements; of two strictnesses the stricter holds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no requirement",
    note = "name scopes with `tower_oauth::scopes!`, or implement `tower_oauth::Requirement` with a `Demand`"
)]
pub trait Requirement: 'static {
    /// What is demanded.
    const DEMAND: Demand;
}

/// A requirement that is one scope and nothing else, as [`scopes!`](crate::scopes) makes them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no single scope",
    note = "`AnyOf` takes scopes only, so that no other condition is lost; combine further conditions with a tuple around it"
)]
pub trait Scope: Requirement {
    /// The scope token.
    const SCOPE: &'static str;
}

/// At least one of a tuple of scopes: `AnyOf<(Admin, WriteOrders)>`.
///
/// Scopes only, so that an alternative cannot lose an `acr` or an age that another part demands. The challenge names
/// the first.
pub struct AnyOf<T>(PhantomData<fn() -> T>);

impl<T> fmt::Debug for AnyOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyOf")
    }
}

impl Requirement for () {
    const DEMAND: Demand = Demand::authenticated();
}

macro_rules! combine {
    ($($part:ident)+) => {
        impl<$($part: Requirement),+> Requirement for ($($part,)+) {
            const DEMAND: Demand = Demand { all: &[$($part::DEMAND),+], ..Demand::authenticated() };
        }

        impl<$($part: Scope),+> Requirement for AnyOf<($($part,)+)> {
            const DEMAND: Demand = Demand { any_scope: &[$($part::SCOPE),+], ..Demand::authenticated() };
        }
    };
}

combine!(A);
combine!(A B);
combine!(A B C);
combine!(A B C D);
combine!(A B C D E);
combine!(A B C D E F);
