//! Why a server did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::mint::MintError;

/// Why a [`DevServer`](crate::dev::DevServer) did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum DevServerError {
    /// The address is reached from other machines, and
    /// [`dangerous_allow_non_loopback`](crate::dev::DevServerBuilder::dangerous_allow_non_loopback) was not called.
    NotLoopback(SocketAddr),
    /// The issuer's path is not of the form `/tenant`, of letters, digits, `-`, `_` and `~`.
    IssuerPath,
    /// A client cannot be registered, for this reason.
    Client(&'static str),
    /// A user cannot be registered, for this reason.
    User(&'static str),
    /// A setting cannot be served, for this reason.
    Setting(&'static str),
    /// The socket could not be bound.
    Bind(io::Error),
    /// The key could not be made.
    Key(MintError),
}

impl fmt::Display for DevServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(f, "{address} is not a loopback address"),
            Self::IssuerPath => f.write_str("the issuer's path must look like /tenant, without a slash at its end"),
            Self::Client(reason) => write!(f, "a client cannot be registered: {reason}"),
            Self::User(reason) => write!(f, "a user cannot be registered: {reason}"),
            Self::Setting(reason) => f.write_str(reason),
            Self::Bind(_) => f.write_str("the socket could not be bound"),
            Self::Key(_) => f.write_str("the signing key could not be made"),
        }
    }
}

impl std::error::Error for DevServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(source) => Some(source),
            Self::Key(source) => Some(source),
            Self::NotLoopback(_) | Self::IssuerPath | Self::Client(_) | Self::User(_) | Self::Setting(_) => None,
        }
    }
}

impl From<MintError> for DevServerError {
    fn from(error: MintError) -> Self {
        Self::Key(error)
    }
}
