//! Which addresses lists are fetched from. A token names one, and a token is a stranger's until proved and an issuer's
//! word at best: neither may send this service to an address inside its own network.

use http::Uri;

use crate::transport::fetch::Fetcher;

/// The issuer's own origin, and hosts that were listed for it.
#[derive(Debug)]
pub(super) struct Admitted {
    issuer: Box<str>,
    /// In lower case; with the port where it is not 443.
    hosts: Vec<Box<str>>,
}

impl Admitted {
    /// `hosts` are names such as `status.example.com`, with a port where it is not 443.
    pub(super) fn new(issuer: &str, hosts: &[Box<str>]) -> Self {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase());
        let hosts = hosts.map(|host| host.strip_suffix(":443").unwrap_or(&host).into()).collect();
        Self { issuer: issuer.into(), hosts }
    }

    /// Why a list at `uri` is not fetched.
    pub(super) fn check(&self, uri: &str, fetcher: &Fetcher) -> Result<(), String> {
        fetcher.check_named(uri, &self.issuer).map_err(|error| error.to_string())?;
        let (Ok(uri), Ok(issuer)) = (uri.parse::<Uri>(), self.issuer.parse::<Uri>()) else {
            return Err("the address of the list cannot be read".to_owned());
        };
        if origin(&uri) == origin(&issuer) {
            return Ok(());
        }
        let listed = uri.scheme_str() == Some("https")
            && origin(&uri).is_some_and(|(_, host)| self.hosts.iter().any(|listed| **listed == *host));
        if listed {
            return Ok(());
        }
        Err("the list is neither at its issuer's origin nor at a host that is admitted for it".to_owned())
    }
}

/// Scheme, and host with the port where that is not the scheme's own.
fn origin(uri: &Uri) -> Option<(&str, String)> {
    let scheme = uri.scheme_str()?;
    let host = uri.host()?.to_ascii_lowercase();
    let own = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().filter(|port| *port != own);
    Some((scheme, port.map_or(host.clone(), |port| format!("{host}:{port}"))))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use tower::service_fn;

    use super::*;

    #[test]
    fn plain_http_is_for_the_own_origin_of_an_issuer_on_loopback_only() {
        let nobody =
            service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(Response::new(Full::default())) });
        let fetcher = Fetcher::new(Arc::new(nobody), true);
        let hosts = ["127.0.0.2".into(), "127.0.0.2:81".into(), "127.0.0.3:443".into()];
        let admitted = Admitted::new("http://127.0.0.1:8080", &hosts);
        let is_admitted = |uri: &str| admitted.check(uri, &fetcher).is_ok();
        assert!(is_admitted("http://127.0.0.1:8080/lists/1"));
        assert!(is_admitted("https://127.0.0.2/1") && is_admitted("https://127.0.0.3/1"));
        for uri in ["http://127.0.0.2/1", "http://127.0.0.2:81/1", "http://127.0.0.1/1", "https://127.0.0.1:8080/1"] {
            assert!(!is_admitted(uri), "{uri}");
        }
    }
}
