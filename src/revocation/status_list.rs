//! Token Status Lists (draft-ietf-oauth-status-list-21): one signed document, some bits for each token. Pure.
//!
//! A token names a list and its place in it ([`Reference`]). The list is a JWT of type `statuslist+jwt` whose `lst` holds
//! all statuses, compressed; read once, it takes the memory of its bits and answers by a shift.

use std::fmt;
use std::time::Duration;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use serde::Deserialize;

use crate::crypto::b64_decode;
use crate::jwt::json::{self, NumericDate, Text, present};
use crate::jwt::signed::Signed;
use crate::time::Timestamp;

/// The media type of a list, and its `typ`.
pub(crate) const MEDIA_TYPE: &str = "application/statuslist+jwt";

/// The longest list, uncompressed: 134 million statuses of one bit.
pub(crate) const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// How far `iat` and `nbf` of a list may lie ahead.
const LEEWAY: Duration = Duration::from_secs(60);

/// What a list says of one token (section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Valid,
    Invalid,
    Suspended,
    /// Defined elsewhere, or nowhere yet. Nobody said that the token is valid.
    Other(u8),
    /// The list has no such place, so it says nothing of the token, which must be refused (section 8.3).
    NotListed,
}

impl Status {
    /// Whether a token of this status may pass.
    pub(crate) fn is_valid(self) -> bool {
        self == Self::Valid
    }
}

/// Why a list is of no use. Tokens that it should tell of are not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListError {
    /// Another kind of document.
    Type,
    /// Not JSON, or a member is missing or malformed.
    Claims,
    /// The list of another address.
    Subject,
    /// `iss` names somebody else.
    Issuer,
    NotYetValid,
    Expired,
    Bits,
    Encoding,
    Compression,
    TooLong,
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "its typ is not statuslist+jwt",
            Self::Claims => "it is no JSON object with sub, iat and status_list of the right types",
            Self::Subject => "its sub is not the address that the token names",
            Self::Issuer => "its iss is another issuer",
            Self::NotYetValid => "it was issued in the future; compare the clocks",
            Self::Expired => "it has expired; its issuer must publish a new one",
            Self::Bits => "bits is not 1, 2, 4 or 8",
            Self::Encoding => "lst is not base64url",
            Self::Compression => "lst is not a whole zlib stream (RFC 1950)",
            Self::TooLong => "lst holds more than 16 MiB",
        })
    }
}

impl std::error::Error for ListError {}

/// The statuses of all tokens of one list.
pub(crate) struct StatusList {
    /// Bits of a status, as a power of two.
    width: u32,
    bytes: Box<[u8]>,
}

impl StatusList {
    /// From `bits` and `lst` (section 4).
    pub(crate) fn parse(bits: u64, lst: &str) -> Result<Self, ListError> {
        let width = match bits {
            1 | 2 | 4 | 8 => bits.trailing_zeros(),
            _ => return Err(ListError::Bits),
        };
        let compressed = b64_decode(lst.as_bytes()).ok_or(ListError::Encoding)?;
        let bytes = decompress_to_vec_zlib_with_limit(&compressed, MAX_LIST_BYTES).map_err(|error| {
            if error.status == TINFLStatus::HasMoreOutput { ListError::TooLong } else { ListError::Compression }
        })?;
        Ok(Self { width, bytes: bytes.into() })
    }

    /// What stands at `idx`. Within a byte places count from the least significant bit (section 4.1).
    pub(crate) fn status(&self, idx: u64) -> Status {
        let in_byte = 3 - self.width;
        let byte = usize::try_from(idx >> in_byte).ok().and_then(|byte| self.bytes.get(byte));
        let Some(byte) = byte else { return Status::NotListed };
        let place = (idx & ((1 << in_byte) - 1)) << self.width;
        let mask = u8::MAX >> (8 - (1_u32 << self.width));
        match (byte >> place) & mask {
            0 => Status::Valid,
            1 => Status::Invalid,
            2 => Status::Suspended,
            other => Status::Other(other),
        }
    }

    /// How many tokens it tells of.
    pub(crate) fn entries(&self) -> u64 {
        (self.bytes.len() as u64) << (3 - self.width)
    }

    /// The memory that it takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl fmt::Debug for StatusList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusList").field("entries", &self.entries()).finish_non_exhaustive()
    }
}

/// A list whose signature is its issuer's, with what it says of its own age (section 5.1).
#[derive(Debug)]
pub(crate) struct ListToken {
    pub(crate) list: StatusList,
    pub(crate) expires_at: Option<Timestamp>,
    /// How long it may be kept, counted from when it was fetched.
    pub(crate) ttl: Option<Duration>,
}

#[derive(Deserialize)]
struct RawListToken<'d> {
    #[serde(borrow)]
    sub: Text<'d>,
    iat: NumericDate,
    #[serde(borrow, default, deserialize_with = "present")]
    iss: Option<Text<'d>>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    ttl: Option<u64>,
    #[serde(borrow)]
    status_list: RawList<'d>,
}

#[derive(Deserialize)]
struct RawList<'d> {
    bits: u64,
    #[serde(borrow)]
    lst: Text<'d>,
}

impl ListToken {
    /// Judges what `issuer` has signed and published at `uri` (section 8.3); the list is inflated last.
    pub(crate) fn judge(document: &Signed, issuer: &str, uri: &str, now: Timestamp) -> Result<Self, ListError> {
        if !document.is_typed(MEDIA_TYPE) {
            return Err(ListError::Type);
        }
        let raw: RawListToken<'_> =
            json::from_slice(document.payload().as_bytes()).map_err(|_unread| ListError::Claims)?;
        if raw.sub.0 != uri {
            return Err(ListError::Subject);
        }
        if raw.iss.is_some_and(|Text(iss)| iss != issuer) {
            return Err(ListError::Issuer);
        }
        let latest = now.plus(LEEWAY);
        if raw.iat.0 > latest || raw.nbf.is_some_and(|NumericDate(nbf)| nbf > latest) {
            return Err(ListError::NotYetValid);
        }
        let expires_at = raw.exp.map(|NumericDate(exp)| exp);
        if expires_at.is_some_and(|exp| exp <= now) {
            return Err(ListError::Expired);
        }
        // It must be positive (section 5.1).
        let ttl = match raw.ttl {
            Some(0) => return Err(ListError::Claims),
            ttl => ttl.map(Duration::from_secs),
        };
        let list = StatusList::parse(raw.status_list.bits, &raw.status_list.lst.0)?;
        Ok(Self { list, expires_at, ttl })
    }
}

#[cfg(test)]
#[path = "status_list_tests.rs"]
mod tests;
