//! Tokens put together by hand, issuers beside the usual one, and a record of what was fetched: what several files need
//! besides the fixture.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http_body_util::Full;
use tower::{ServiceExt as _, service_fn};
use tower_oauth::test::{ManualClock, TestIssuer};
use tower_oauth::transport::Transport;
use tower_oauth::{Issuer, ResourceServer};

use crate::support::{Answer, Fixture, T, config};

impl Fixture {
    /// The fixture with another issuer, or with the usual one trusted in another way.
    pub(crate) fn of(issuer: TestIssuer, trust: impl FnOnce(&TestIssuer) -> Issuer) -> Self {
        let clock = ManualClock::new(T);
        let issuer = issuer.clock(clock.clone());
        let server = ResourceServer::new(config(&clock).trust(trust(&issuer)).build().unwrap());
        Self { issuer, clock, server }
    }

    /// The header and the payload of a valid token, to be changed by hand and signed again.
    pub(crate) fn draft(&self) -> (String, String) {
        let token = self.token().sign();
        let [header, payload, _] = parts(&token);
        let text = |part| String::from_utf8(unb64(part)).unwrap();
        (text(header), text(payload))
    }

    /// Signed by the issuer's key, whatever it is.
    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.issuer.signing_key().sign_bytes(header.as_ref(), payload.as_ref()).unwrap()
    }
}

impl Answer {
    /// Asserts that the request was not judged: nothing that makes a client throw its token away.
    #[track_caller]
    pub(crate) fn assert_not_judged(&self) {
        assert!(!self.passed());
        assert_eq!(self.status(), 503, "{:?}", self.response);
        assert!(self.response.headers().contains_key(RETRY_AFTER));
        assert!(!self.response.headers().contains_key(WWW_AUTHENTICATE));
        assert_eq!(self.rejection().kind().as_str(), "keys_unavailable");
        assert_eq!(self.rejection().kind().error(), None);
    }
}

/// Puts `member` in front of the members of a JSON object.
pub(crate) fn with_member(object: &str, member: &str) -> String {
    format!("{{{member},{}", object.strip_prefix('{').unwrap())
}

/// Header, payload and signature.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Every address that was asked for, in order.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    pub(crate) fn urls(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The way to an issuer, listened to.
    pub(crate) fn on_the_way_to(&self, issuer: &TestIssuer) -> impl Transport + use<> {
        let (asked, transport) = (self.clone(), issuer.transport());
        service_fn(move |request: Request<Full<Bytes>>| {
            asked.0.lock().unwrap().push(request.uri().to_string());
            transport.clone().oneshot(request)
        })
    }
}
