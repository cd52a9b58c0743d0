//! Tokens that are refused before their time: what issuers say of tokens that they have signed already.
//!
//! An issuer tells it in one of two ways. It publishes the status of each token, to be fetched now and then
//! ([`status_lists`], Token Status List draft-21); or it sends an event when something happens ([`events`]: OpenID
//! Back-Channel Logout, security event tokens of RFC 8417). What follows from an event is a rule for the
//! [`Denylist`](crate::store::Denylist).
//!
//! Both are documents that the issuer's keys have signed. None is believed for its address or its sender.

pub(crate) mod events;
pub(crate) mod status_list;
pub(crate) mod status_lists;

#[cfg(test)]
mod tests;
