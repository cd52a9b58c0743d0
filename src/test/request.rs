//! Requests with a credential, in one line.

use http::header::AUTHORIZATION;
use http::{HeaderValue, request};

/// Adds credentials to [`http::request::Builder`].
pub trait RequestExt: Sized {
    /// `Authorization: Bearer`, marked sensitive (RFC 6750 section 2.1). A token that no header can carry makes the
    /// builder's `body` fail.
    #[must_use]
    fn bearer(self, token: &str) -> Self;
}

impl RequestExt for request::Builder {
    fn bearer(self, token: &str) -> Self {
        match HeaderValue::try_from(format!("Bearer {token}")) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.header(AUTHORIZATION, value)
            }
            Err(_) => self.header(AUTHORIZATION, "\0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn the_credential_is_carried_and_not_printed() {
        let request = Request::get("/orders").bearer("abc.def.ghi").body(()).unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer abc.def.ghi");
        assert!(!format!("{request:?}").contains("abc"));
    }

    #[test]
    fn what_no_header_can_carry_fails_at_the_body() {
        assert!(Request::get("/orders").bearer("a\nb").body(()).is_err());
    }
}
