//! The authorization endpoint (OAuth 2.1 section 4.1.1): a browser comes with a client's request, and leaves with a code.
//!
//! Until client and redirect URI are known to belong together, nothing redirects; from then on every error does. A person
//! is asked by a page, or a setting answers for them.

mod begin;
mod decide;
mod page;
mod request;
mod response;

use std::sync::Arc;

use crate::dev::grants::Digest;

pub(crate) use begin::begin;
pub(crate) use decide::decide;
pub(crate) use page::{PLAIN_POLICY, consent_policy, error_page, logout_page, over_page, own_policy};
pub(crate) use request::{AuthorizationRequest, Problem, parse};

/// A request that waits for a person.
#[derive(Debug)]
pub(crate) struct Pending {
    request: Arc<AuthorizationRequest>,
    /// The hash of the browser's cookie: the answer must come from where the question was shown.
    browser: Digest,
    /// Where the request was pushed, so that it is used once.
    pushed: Option<Digest>,
}

/// What the browser gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Back to the client.
    Redirect(String),
    /// A question to a person, with the origin to which its form may lead.
    Ask { html: String, leads_to: String },
    /// A page that says what is wrong. Leads nowhere.
    Refused(&'static str, &'static str),
}

/// What the browser gets, and under which cookie it is known from now on.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) cookie: Option<String>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, cookie: None }
    }
}
