//! An issuer's keys: what a key set says, and how it is kept fresh while requests come and go.
//!
//! [`key_set`] and [`jwk`] are pure: they read a document and choose among its keys. [`key_ring`] owns the set of one
//! issuer in time: it fetches once however many ask, refreshes ahead, and bounds what strangers can make it fetch.

pub(crate) mod jwk;
pub(crate) mod key_ring;
pub(crate) mod key_set;
