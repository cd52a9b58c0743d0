//! An issuer's keys: what a key set says ([`key_set`], pure) and how it is kept fresh.

pub(crate) mod jwk;
pub(crate) mod key_set;
