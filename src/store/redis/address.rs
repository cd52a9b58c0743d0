//! Where a server is, and as whom to talk to it.

use std::fmt;

use ::redis::{ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo};

use crate::store::StoreError;

/// One server of a URL: `redis://`, or `rediss://` for TLS, with user, password and database as usual.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) login: RedisConnectionInfo,
}

impl Address {
    /// Reads a URL. What is wrong with it is said without repeating it: it may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = || StoreError::new("a Redis URL reads redis[s]://[user[:password]@]host[:port][/database]");
        // The client would refuse `rediss`, because its own TLS is switched off; who connects is `dial`.
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(wrong()),
        };
        if rest.contains('#') {
            return Err(StoreError::new("a Redis URL has no fragment; certificates are always verified"));
        }
        let info = format!("redis://{rest}").into_connection_info().map_err(|_secret| wrong())?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else { return Err(wrong()) };
        // Answers are read in the form of version 2, which every server speaks.
        let login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        Ok(Self { host: host.clone(), port: *port, tls, login })
    }

    /// The same login, at another server that this one told of.
    pub(super) fn at(&self, host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, ..self.clone() }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_tells_server_login_and_database() {
        let address = Address::parse("rediss://shop:p%40ss@10.0.0.5:6380/3").unwrap();
        assert_eq!((address.host.as_str(), address.port, address.tls), ("10.0.0.5", 6380, true));
        assert_eq!((address.login.username(), address.login.password()), (Some("shop"), Some("p@ss")));
        assert_eq!(address.login.db(), 3);
        let plain = Address::parse("redis://[::1]").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.tls), ("::1", 6379, false));
        assert_eq!(plain.login.password(), None);
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        for url in ["", "10.0.0.5", "http://hunter2@x", "redis://", "redis://:hunter2@h/x", "rediss://h#insecure"] {
            let refused = Address::parse(url).unwrap_err().to_string();
            assert!(!refused.contains("hunter2"), "{url}: {refused}");
        }
    }

    #[test]
    fn nothing_of_the_password_is_printed() {
        let address = Address::parse("redis://u:hunter2@h").unwrap();
        assert_eq!(format!("{address:?}"), "redis://h:6379");
    }
}
