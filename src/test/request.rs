//! Requests with a credential, in one line.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, request};

use crate::test::dpop::DpopClient;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Adds credentials to [`http::request::Builder`].
pub trait RequestExt: Sized {
    /// `Authorization: Bearer`, marked sensitive (RFC 6750 section 2.1). A token that no header can carry makes the
    /// builder's `body` fail.
    #[must_use]
    fn bearer(self, token: &str) -> Self;

    /// `Authorization: DPoP` and a fresh proof by `client` (RFC 9449 section 7.1), both marked sensitive. The proof is
    /// for the method of the request as set so far, and for its path behind `base_url`, under which clients know the
    /// server: `https://api.test`.
    #[must_use]
    fn dpop(self, client: &DpopClient, base_url: &str, token: &str) -> Self;

    /// `Authorization: DPoP` and this proof, however wrong.
    #[must_use]
    fn dpop_with(self, token: &str, proof: &str) -> Self;
}

impl RequestExt for request::Builder {
    fn bearer(self, token: &str) -> Self {
        sensitive(self, AUTHORIZATION, format!("Bearer {token}"))
    }

    fn dpop(self, client: &DpopClient, base_url: &str, token: &str) -> Self {
        // Neither is there once the builder has failed, which shows at its `body`.
        let (Some(method), Some(uri)) = (self.method_ref(), self.uri_ref()) else { return self };
        let url = format!("{}{}", base_url.strip_suffix('/').unwrap_or(base_url), uri.path());
        let proof = client.proof_for(method, &url, token).sign();
        self.dpop_with(token, &proof)
    }

    fn dpop_with(self, token: &str, proof: &str) -> Self {
        let request = sensitive(self, AUTHORIZATION, format!("DPoP {token}"));
        sensitive(request, DPOP, proof.to_owned())
    }
}

fn sensitive(request: request::Builder, name: HeaderName, value: String) -> request::Builder {
    match HeaderValue::try_from(value) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(name, value)
        }
        Err(_) => request.header(name, "\0"),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::Value;

    use super::*;
    use crate::crypto::b64_decode;

    fn claims(request: &Request<()>) -> Value {
        let payload = request.headers()[DPOP].to_str().unwrap().split('.').nth(1).unwrap();
        serde_json::from_slice(&b64_decode(payload.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn the_credential_is_carried_and_not_printed() {
        let request = Request::get("/orders").bearer("abc.def.ghi").body(()).unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer abc.def.ghi");
        assert!(!format!("{request:?}").contains("abc"));
    }

    #[test]
    fn what_no_header_can_carry_fails_at_the_body() {
        assert!(Request::get("/orders").bearer("a\nb").body(()).is_err());
        assert!(Request::get("/orders").dpop_with("a\nb", "proof").body(()).is_err());
        assert!(Request::get("/orders").dpop_with("token", "a\nb").body(()).is_err());
    }

    #[test]
    fn a_proof_is_for_the_method_and_the_path_of_the_request() {
        let client = DpopClient::new();
        for (uri, base, htu) in [
            ("/orders?page=2", "https://api.test", "https://api.test/orders"),
            ("/orders", "https://api.test/", "https://api.test/orders"),
            ("/orders", "https://api.test/v1", "https://api.test/v1/orders"),
            ("http://10.0.0.5/orders", "https://api.test", "https://api.test/orders"),
            ("/", "https://api.test", "https://api.test/"),
        ] {
            let request = Request::put(uri).dpop(&client, base, "abc").body(()).unwrap();
            assert_eq!(request.headers()[AUTHORIZATION], "DPoP abc");
            let claims = claims(&request);
            assert_eq!((&claims["htm"], &claims["htu"]), (&"PUT".into(), &htu.into()));
            assert_eq!(claims["ath"], "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        }
    }

    #[test]
    fn neither_token_nor_proof_is_printed() {
        let request = Request::get("/").dpop_with("abc", "def").body(()).unwrap();
        assert_eq!(request.headers()[DPOP], "def");
        let printed = format!("{:?}", request.headers());
        assert!(!printed.contains("abc") && !printed.contains("def"));
    }

    #[test]
    fn a_builder_that_has_failed_stays_failed() {
        let request = Request::get("not a uri").dpop(&DpopClient::new(), "https://api.test", "abc");
        assert!(request.body(()).is_err());
    }
}
