//! The least that can be paid: a layer that does nothing, and a signature alone.

use std::task::{Context, Poll};

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use axum::body::Body;
use http::Request;
use tower::{Layer, Service};
use tower_oauth::crypto::Algorithm;
use tower_oauth::test::{DpopClient, SigningKey, TestIssuer};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The floor of every verification: the signature alone, by a key that was parsed before.
pub(crate) struct RawVerifier(ParsedPublicKey);

impl RawVerifier {
    pub(crate) fn new(issuer: &TestIssuer) -> Self {
        Self::of_key(&issuer.signing_key())
    }

    pub(crate) fn of_client(client: &DpopClient) -> Self {
        Self::of_key(&SigningKey::from(client))
    }

    fn of_key(key: &SigningKey) -> Self {
        let jwk = key.public_jwk();
        let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("a member")).expect("base64url");
        let parsed = match key.algorithm() {
            Algorithm::Es256 => {
                let point = [vec![4], member("x"), member("y")].concat();
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
            }
            Algorithm::Rs256 => RsaPublicKeyComponents { n: member("n"), e: member("e") }
                .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256),
            _ => ParsedPublicKey::new(&signature::ED25519, member("x")),
        };
        Self(parsed.expect("a key"))
    }

    pub(crate) fn verify(&self, token: &str) -> bool {
        let Some((signed, signature)) = token.rsplit_once('.') else { return false };
        let signature = URL_SAFE_NO_PAD.decode(signature);
        signature.is_ok_and(|signature| self.0.verify_sig(signed.as_bytes(), &signature).is_ok())
    }
}

/// A layer that only passes requests on, as the least that any middleware costs.
#[derive(Clone, Copy)]
pub(crate) struct DoNothing;

impl<S> Layer<S> for DoNothing {
    type Service = Nothing<S>;

    fn layer(&self, inner: S) -> Nothing<S> {
        Nothing(inner)
    }
}

#[derive(Clone)]
pub(crate) struct Nothing<S>(S);

impl<S: Service<Request<Body>>> Service<Request<Body>> for Nothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}
