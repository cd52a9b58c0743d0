//! Keys, token shapes, the documents and the endpoints of an authorization server: what test, dev and client share.
//!
//! Nothing here judges a token. A [`keys::SigningKey`] signs whatever it is given, so that a test can hold a
//! resource server to every rule by breaking it; private keys live in memory only and never reach `Debug`.

#![cfg_attr(
    not(feature = "test-util"),
    allow(
        dead_code,
        unreachable_pub,
        reason = "the test kit breaks on demand what the development server leaves whole"
    )
)]

pub(crate) mod assertion;
pub(crate) mod authority;
pub(crate) mod changes;
pub(crate) mod claim_set;
pub(crate) mod claims;
pub(crate) mod controls;
pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod fault;
pub(crate) mod form;
pub(crate) mod introspection;
pub(crate) mod key_set;
pub(crate) mod keys;
pub(crate) mod opaque;
#[cfg(feature = "test-util")]
pub(crate) mod proof;
pub(crate) mod registry;
pub(crate) mod reply;
pub(crate) mod status_list;
pub(crate) mod token;
pub(crate) mod tokens;
pub(crate) mod trouble;

use std::fmt;

/// A key or a token that could not be made, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintError(pub(crate) &'static str);

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for MintError {}
