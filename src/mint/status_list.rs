//! A status list and the token that publishes it (draft-ietf-oauth-status-list sections 4 and 5).

use std::fmt;
use std::io::{self, Write as _};
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;
use serde_json::{Map, Value, json};

use crate::crypto::b64;
use crate::mint::MintError;
use crate::mint::changes::{Changes, jwt_changes};
use crate::mint::claims::numeric_date;
use crate::mint::keys::SigningKey;
use crate::mint::reply::Reply;
use crate::time::Timestamp;

/// The media type of a status list token (section 8.1).
const JWT: &str = "application/statuslist+jwt";

/// The statuses of many tokens, a few bits each, and how they are published; each part is right until told otherwise.
///
/// The token around it says `iat` (when it is fetched), `exp` (a day later), `ttl` (300 seconds) and, in `sub`, its own
/// URI. The words that any JWT can be broken by, such as `claim` and `typ`, change it.
///
/// ```
/// use tower_oauth::test::{StatusList, TestIssuer};
///
/// let issuer = TestIssuer::new("https://login.test");
/// issuer.publishes_status_list(1, StatusList::new(1, 100_000).ttl(std::time::Duration::from_secs(60)));
/// let token = issuer.token_for("https://api.test").status(1, 42).sign();
/// // The token is not valid any longer.
/// issuer.set_status(1, 42, 1);
///
/// // A list that its own token says is another's.
/// issuer.publishes_status_list(2, StatusList::new(2, 8).claim("sub", "https://login.test/status/1"));
/// # let _ = token;
/// ```
#[derive(Clone)]
#[must_use = "a list is read by nobody until an issuer publishes it"]
pub struct StatusList {
    bits: u8,
    len: u64,
    /// The first status stands in the lowest bits of the first byte (section 4.1).
    packed: Vec<u8>,
    envelope: Envelope,
    ttl: Duration,
    lifetime: Duration,
    told_bits: Option<Value>,
    lst: Option<String>,
    cache_control: Option<HeaderValue>,
    changes: Changes,
}

jwt_changes!(StatusList);

/// What the compressed data are wrapped in; only zlib is right (section 4.1).
#[derive(Clone, Copy, Debug)]
enum Envelope {
    Zlib,
    Gzip,
    Nothing,
}

impl StatusList {
    /// A list of `len` statuses of so many bits, all of them 0: valid.
    ///
    /// # Panics
    /// When `bits` is not 1, 2, 4 or 8, or when the list is longer than this machine's memory can be.
    pub fn new(bits: u8, len: u64) -> Self {
        assert!(matches!(bits, 1 | 2 | 4 | 8), "a status has 1, 2, 4 or 8 bits, not {bits}");
        let bytes = len.saturating_mul(u64::from(bits)).div_ceil(8);
        assert!(usize::try_from(bytes).is_ok(), "{len} statuses are more than there is memory for");
        Self {
            bits,
            len,
            packed: vec![0; usize::try_from(bytes).unwrap_or_default()],
            envelope: Envelope::Zlib,
            ttl: Duration::from_secs(300),
            lifetime: Duration::from_secs(86_400),
            told_bits: None,
            lst: None,
            cache_control: None,
            changes: Changes::default(),
        }
    }

    /// Sets a status: 0 is valid, 1 invalid, 2 suspended (section 7.1).
    ///
    /// # Panics
    /// When the list has no such index or its bits cannot hold the value.
    pub fn with(mut self, index: u64, status: u8) -> Self {
        let set = self.set(index, status);
        assert!(set.is_ok(), "status {status} at {index} does not fit into {self:?}");
        self
    }

    /// `ttl`, in whole seconds: for how long after it was fetched the list may be used.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// `exp`, counted from the moment in which the list is fetched.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// `status_list.bits`, whatever the list is made of.
    pub fn told_bits(mut self, bits: impl Into<Value>) -> Self {
        self.told_bits = Some(bits.into());
        self
    }

    /// `status_list.lst` exactly as given.
    pub fn lst(mut self, lst: impl Into<String>) -> Self {
        self.lst = Some(lst.into());
        self
    }

    /// Wraps the compressed list as gzip does (RFC 1952), which is wrong.
    pub fn gzip(mut self) -> Self {
        self.envelope = Envelope::Gzip;
        self
    }

    /// Wraps the compressed list in nothing (RFC 1951), which is wrong.
    pub fn raw_deflate(mut self) -> Self {
        self.envelope = Envelope::Nothing;
        self
    }

    /// Serves the list with this `Cache-Control`; without the header unless set, or when the value cannot be sent.
    pub fn cache_control(mut self, value: &str) -> Self {
        self.cache_control = HeaderValue::from_str(value).ok();
        self
    }

    /// Sets a status where there is one.
    pub(crate) fn set(&mut self, index: u64, status: u8) -> Result<(), MintError> {
        const OUTSIDE: MintError = MintError("the status list has no such index or its bits cannot hold the status");
        let largest = u8::MAX >> (8 - self.bits);
        let position = index.saturating_mul(u64::from(self.bits));
        let byte = usize::try_from(position / 8).ok().and_then(|at| self.packed.get_mut(at));
        match byte {
            Some(byte) if index < self.len && status <= largest => {
                let shift = (position % 8) as u32;
                *byte = (*byte & !(largest << shift)) | (status << shift);
                Ok(())
            }
            _ => Err(OUTSIDE),
        }
    }

    /// The list as its URI serves it at `now`.
    pub(crate) fn reply(&self, uri: &str, key: &SigningKey, now: Timestamp) -> Result<Reply, MintError> {
        Ok(Reply::cached(JWT, self.token(uri, key, now)?, self.cache_control.clone()))
    }

    fn token(&self, uri: &str, key: &SigningKey, now: Timestamp) -> Result<String, MintError> {
        let now = Timestamp::from_secs(now.as_secs());
        let lst = match &self.lst {
            Some(lst) => lst.clone(),
            None => b64(&self.compressed().map_err(|_| MintError("the status list cannot be compressed"))?),
        };
        let bits = self.told_bits.clone().unwrap_or(self.bits.into());
        let claims = Map::from_iter([
            ("sub".to_owned(), uri.into()),
            ("iat".to_owned(), numeric_date(now)),
            ("exp".to_owned(), numeric_date(now.plus(self.lifetime))),
            ("ttl".to_owned(), self.ttl.as_secs().into()),
            ("status_list".to_owned(), json!({ "bits": bits, "lst": lst })),
        ]);
        self.changes.sign(key, "statuslist+jwt", claims)
    }

    /// As small as it gets, which section 4.1 recommends.
    fn compressed(&self) -> io::Result<Vec<u8>> {
        match self.envelope {
            Envelope::Zlib => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(&self.packed)?;
                encoder.finish()
            }
            Envelope::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(&self.packed)?;
                encoder.finish()
            }
            Envelope::Nothing => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(&self.packed)?;
                encoder.finish()
            }
        }
    }
}

/// What a list is that nobody has set up: 1024 statuses of 2 bits, all of them valid.
impl Default for StatusList {
    fn default() -> Self {
        Self::new(2, 1024)
    }
}

impl fmt::Debug for StatusList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusList").field("bits", &self.bits).field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::crypto::{Algorithm, b64_decode};
    use crate::mint::changes::parts;

    const URI: &str = "https://login.test/status/1";
    const NOW: Timestamp = Timestamp::from_millis(1_000_900);

    fn of(bits: u8, statuses: &[u8]) -> StatusList {
        let list = StatusList::new(bits, statuses.len() as u64);
        (0..).zip(statuses).fold(list, |list, (index, status)| list.with(index, *status))
    }

    fn published(list: &StatusList) -> (Value, Value) {
        parts(&list.token(URI, &SigningKey::generate(Algorithm::Es256).unwrap().with_kid("k"), NOW).unwrap())
    }

    fn inflated(lst: &Value) -> Vec<u8> {
        let compressed = b64_decode(lst.as_str().unwrap().as_bytes()).unwrap();
        let mut bytes = Vec::new();
        flate2::read::ZlibDecoder::new(&compressed[..]).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_published_short_lists_are_reproduced() {
        let one = of(1, &[1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
        assert_eq!(one.packed, [0xb9, 0xa3]);
        assert_eq!(published(&one).1["status_list"], json!({ "bits": 1, "lst": "eNrbuRgAAhcBXQ" }));
        let two = of(2, &[1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]);
        assert_eq!(two.packed, [0xc9, 0x44, 0xf9]);
        assert_eq!(published(&two).1["status_list"], json!({ "bits": 2, "lst": "eNo76fITAAPfAgc" }));
        assert_eq!(inflated(&json!("eNo76fITAAPfAgc")), two.packed);
    }

    #[test]
    fn wider_statuses_are_packed_from_the_lowest_bits() {
        assert_eq!(of(4, &[1, 15, 3]).packed, [0xf1, 0x03]);
        assert_eq!(of(8, &[1, 255]).packed, [1, 255]);
        let changed = of(2, &[3, 3, 3, 3]).with(1, 0).with(2, 1);
        assert_eq!(changed.packed, [0b1101_0011]);
        let large = StatusList::new(1, 1 << 20).with((1 << 20) - 1, 1);
        let bytes = inflated(&published(&large).1["status_list"]["lst"]);
        assert_eq!((bytes.len(), bytes.last()), (1 << 17, Some(&0x80)));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut list = StatusList::new(2, 5);
        assert!(list.set(5, 1).is_err() && list.set(7, 1).is_err() && list.set(u64::MAX, 1).is_err());
        assert!(list.set(0, 4).is_err());
        assert_eq!(list.packed, [0, 0]);
        assert!(list.set(4, 3).is_ok());
    }

    #[test]
    #[should_panic(expected = "1, 2, 4 or 8 bits")]
    fn three_bits_make_no_list() {
        let _ = StatusList::new(3, 1);
    }

    #[test]
    fn the_token_names_its_uri_and_its_times() {
        let (header, mut claims) = published(&StatusList::default());
        assert_eq!(header, json!({ "typ": "statuslist+jwt", "alg": "ES256", "kid": "k" }));
        claims.as_object_mut().unwrap().remove("status_list").unwrap();
        assert_eq!(claims, json!({ "sub": URI, "iat": 1_000, "exp": 87_400, "ttl": 300 }));
        let brief = StatusList::default().ttl(Duration::from_secs(60)).expires_in(Duration::from_secs(90));
        let claims = published(&brief).1;
        assert_eq!((&claims["ttl"], &claims["exp"]), (&json!(60), &json!(1_090)));
    }

    #[test]
    fn every_part_can_be_wrong() {
        let list = StatusList::new(1, 8);
        let odd = list.clone().told_bits(3).lst("!").typ("JWT").claim("sub", "s").without("iat").without("ttl");
        let (header, claims) = published(&odd);
        assert_eq!(header["typ"], "JWT");
        assert_eq!(claims, json!({ "sub": "s", "exp": 87_400, "status_list": { "bits": 3, "lst": "!" } }));
        let first = |list: StatusList| {
            let lst = published(&list).1["status_list"]["lst"].clone();
            b64_decode(lst.as_str().unwrap().as_bytes()).unwrap()[..2].to_vec()
        };
        assert_eq!(first(list.clone()), [0x78, 0xda]);
        assert_eq!(first(list.clone().gzip()), [0x1f, 0x8b]);
        assert_ne!(first(list.raw_deflate())[0] & 0x0f, 8);
    }
}
