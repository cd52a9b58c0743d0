//! JSON Web Tokens as access tokens (RFC 9068, RFC 8725): pure rules, no clock, no I/O.

pub(crate) mod compact;
pub(crate) mod error;
pub(crate) mod json;
