//! Values that must never be printed: redacted in `Debug`, wiped on drop, compared in constant time.
//!
//! ```
//! use tower_oauth::secret::Secret;
//!
//! let secret = Secret::new(String::from("s3cr3t"));
//! assert_eq!(format!("{secret:?}"), "[redacted]");
//! assert!(secret.matches(b"s3cr3t"));
//! ```

use std::fmt;

use http::HeaderValue;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A secret of type `T`, readable only through [`Secret::expose`].
#[derive(Clone)]
pub struct Secret<T: Sensitive>(T);

impl<T: Sensitive> Secret<T> {
    /// Takes a value out of sight.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever calls this answers for where it goes.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Whether the secret equals `other`; takes the same time wherever they differ.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.as_secret_bytes().ct_eq(other).into()
    }
}

impl<T: Sensitive> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

impl<T: Sensitive> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret<String> {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

/// What a [`Secret`] can hold.
pub trait Sensitive: sealed::Sealed {
    /// The bytes to compare.
    #[doc(hidden)]
    fn as_secret_bytes(&self) -> &[u8];

    /// Overwrites the memory.
    #[doc(hidden)]
    fn wipe(&mut self);
}

impl Sensitive for String {
    fn as_secret_bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn wipe(&mut self) {
        self.zeroize();
    }
}

impl Sensitive for Vec<u8> {
    fn as_secret_bytes(&self) -> &[u8] {
        self
    }

    fn wipe(&mut self) {
        self.zeroize();
    }
}

/// A header's bytes are shared with the request that carried it, so wiping is left to their last owner.
impl Sensitive for HeaderValue {
    fn as_secret_bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn wipe(&mut self) {}
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for String {}
    impl Sealed for Vec<u8> {}
    impl Sealed for http::HeaderValue {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert!(!format!("{:?}", Some(&secret)).contains("hunter2"));
    }

    #[test]
    fn only_the_whole_secret_matches() {
        let secret = Secret::from("hunter2");
        assert!(secret.matches(b"hunter2"));
        assert!(!secret.matches(b"hunter"));
        assert!(!secret.matches(b"hunter22"));
        assert!(!secret.matches(b""));
    }
}
