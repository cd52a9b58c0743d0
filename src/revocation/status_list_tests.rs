//! Lists of the draft, lists with one thing wrong, and the references of tokens.

use std::collections::HashMap;

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::crypto::b64;
use crate::revocation::tests::{ISSUER, NOW, Signer, verified};

const URI: &str = "https://login.example.com/statuslists/1";
/// The lists of a million entries, in a file for their length.
const LONG: &str = include_str!("status_list_vectors.txt");

fn zlib(bytes: &[u8]) -> String {
    b64(&compress_to_vec_zlib(bytes, 6))
}

fn status(value: u8) -> Status {
    match value {
        0 => Status::Valid,
        1 => Status::Invalid,
        2 => Status::Suspended,
        other => Status::Other(other),
    }
}

/// What stands in a list, from its first place to its last.
fn statuses(list: &StatusList) -> Vec<Status> {
    (0..list.entries()).map(|idx| list.status(idx)).collect()
}

/// TSL-05: the short lists of section 4.1, and no other widths than 1, 2, 4 and 8.
#[test]
fn places_count_from_the_least_significant_bit() {
    let list = StatusList::parse(1, "eNrbuRgAAhcBXQ").unwrap();
    assert_eq!(*list.bytes, [0xB9, 0xA3]);
    assert_eq!(statuses(&list), [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1].map(status));
    let list = StatusList::parse(2, "eNo76fITAAPfAgc").unwrap();
    assert_eq!(*list.bytes, [0xC9, 0x44, 0xF9]);
    assert_eq!(statuses(&list), [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3].map(status));
    let bytes = zlib(&[0x21, 0xF3]);
    assert_eq!(statuses(&StatusList::parse(4, &bytes).unwrap()), [1, 2, 3, 15].map(status));
    assert_eq!(statuses(&StatusList::parse(8, &bytes).unwrap()), [0x21, 0xF3].map(status));
    for bits in [0, 3, 5, 6, 7, 16, 32, u64::MAX] {
        assert_eq!(StatusList::parse(bits, "eNrbuRgAAhcBXQ").unwrap_err(), ListError::Bits, "{bits}");
    }
}

/// TSL-05: the long lists of the draft, every one of their 2^20 places.
#[test]
fn the_long_lists_of_the_draft_say_what_they_must_at_each_of_a_million_places() {
    let mut lists = 0;
    for line in LONG.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let bits: u64 = words.next().unwrap().parse().unwrap();
        let list = StatusList::parse(bits, words.next().unwrap()).unwrap();
        let listed: HashMap<u64, u8> = words
            .map(|word| {
                let (idx, value) = word.split_once('=').unwrap();
                (idx.parse().unwrap(), value.parse().unwrap())
            })
            .collect();
        assert_eq!((list.entries(), list.size() as u64), (1 << 20, (1 << 20) * bits / 8));
        for idx in 0..1 << 20 {
            assert_eq!(list.status(idx), status(listed.get(&idx).copied().unwrap_or(0)), "{idx} of {bits} bits");
        }
        assert_eq!(list.status(1 << 20), Status::NotListed);
        lists += 1;
    }
    assert_eq!(lists, 4);
}

/// TSL-07: the last place is one, the next is none, however far away.
#[test]
fn beyond_the_list_nothing_is_said() {
    for bits in [1, 2, 4, 8] {
        let list = StatusList::parse(bits, &zlib(&[0; 7])).unwrap();
        let entries = 7 * 8 / bits;
        assert_eq!((list.entries(), list.status(entries - 1)), (entries, Status::Valid));
        for beyond in [entries, entries + 1, 1 << 32, 1 << 61, u64::MAX] {
            assert_eq!(list.status(beyond), Status::NotListed, "{beyond} of {bits} bits");
        }
        assert!(!Status::NotListed.is_valid());
    }
    assert_eq!(StatusList::parse(1, &zlib(&[])).unwrap().status(0), Status::NotListed);
}

/// TSL-08: 0 is valid, and nothing else is.
#[test]
fn only_zero_is_valid() {
    let all: Vec<u8> = (0..=255).collect();
    let list = StatusList::parse(8, &zlib(&all)).unwrap();
    let valid: Vec<u64> = (0..256).filter(|idx| list.status(*idx).is_valid()).collect();
    assert_eq!(valid, [0]);
    assert_eq!([1, 2].map(|idx| list.status(idx)), [Status::Invalid, Status::Suspended]);
}

/// TSL-06: zlib alone, whole and intact; neither raw deflate nor gzip.
#[test]
fn only_a_zlib_stream_is_read() {
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let whole = compress_to_vec_zlib(&bytes, 6);
    assert_eq!(*StatusList::parse(8, &b64(&whole)).unwrap().bytes, *bytes);
    let raw = compress_to_vec(&bytes, 6);
    let mut gzip = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    gzip.extend_from_slice(&raw);
    gzip.extend_from_slice(&[0; 8]);
    let mut altered = whole.clone();
    *altered.last_mut().unwrap() ^= 1;
    let mut dictionary = whole.clone();
    dictionary[1] = 0x20 | (31 - (u16::from_be_bytes([whole[0], 0x20]) % 31) as u8);
    for (what, stream) in [
        ("raw deflate", &raw[..]),
        ("gzip", &gzip),
        ("another checksum", &altered),
        ("a preset dictionary", &dictionary),
        ("cut off", &whole[..whole.len() - 1]),
        ("cut in two", &whole[..whole.len() / 2]),
        ("a header alone", &whole[..2]),
        ("nothing", &[]),
        ("zeros", &[0; 64]),
    ] {
        assert_eq!(StatusList::parse(8, &b64(stream)).unwrap_err(), ListError::Compression, "{what}");
    }
    for text in ["eNrbuRgAAhcBXQ==", "eNrbuRgAAhcBXR", "eNrb+RgAAhcBXQ", "eNrb uRgAAhcBXQ", "e"] {
        assert_eq!(StatusList::parse(1, text).unwrap_err(), ListError::Encoding, "{text}");
    }
}

/// TSL-06: what a few bytes inflate to is bounded.
#[test]
fn a_list_that_inflates_beyond_measure_is_refused() {
    let most = vec![0; MAX_LIST_BYTES];
    assert_eq!(StatusList::parse(1, &zlib(&most)).unwrap().size(), MAX_LIST_BYTES);
    let bomb = zlib(&vec![0; MAX_LIST_BYTES + 1]);
    assert!(bomb.len() < 32 * 1024);
    assert_eq!(StatusList::parse(1, &bomb).unwrap_err(), ListError::TooLong);
    assert_eq!(StatusList::parse(1, &zlib(&vec![0; 4 * MAX_LIST_BYTES])).unwrap_err(), ListError::TooLong);
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": URI, "iat": NOW.as_secs() - 10, "exp": NOW.as_secs() + 3600, "ttl": 600,
        "status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ", "aggregation_uri": "https://login.example.com/all"}
    })
}

fn judge(claims: &Value) -> Result<ListToken, ListError> {
    ListToken::judge(&Signer::new().signed("statuslist+jwt", claims), ISSUER, URI, NOW)
}

#[test]
fn the_signed_list_of_the_draft_is_read() {
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": "12",
        "x": "I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo", "y": "6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M"
    });
    let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEyIiwidHlwIjoic3RhdHVzbGlzdCtqd3QifQ.eyJleHAiOjIyOTE3MjAxNzAsImlhdCI6MT\
                 Y4NjkyMDE3MCwiaXNzIjoiaHR0cHM6Ly9leGFtcGxlLmNvbSIsInN0YXR1c19saXN0Ijp7ImJpdHMiOjEsImxzdCI6ImVOcmJ1UmdBQW\
                 hjQlhRIn0sInN1YiI6Imh0dHBzOi8vZXhhbXBsZS5jb20vc3RhdHVzbGlzdHMvMSIsInR0bCI6NDMyMDB9.2lKUUNG503R9htu4aHAYi\
                 7vjmr3sgApbfoDvPrl65N3URUO1EYqqQl45Jfzd-Av4QzlKa3oVALpLwOEUOq-U_g";
    let document = verified(token, &jwk).unwrap();
    let list = ListToken::judge(&document, "https://example.com", "https://example.com/statuslists/1", NOW).unwrap();
    assert_eq!(*list.list.bytes, [0xB9, 0xA3]);
    assert_eq!(list.ttl, Some(Duration::from_secs(43_200)));
    assert_eq!(list.expires_at, Some(Timestamp::from_secs(2_291_720_170)));
}

/// TSL-03: type, time of issue, subject and list must be there; what else is there must be right.
#[test]
fn a_list_token_with_one_thing_wrong_is_of_no_use() {
    assert!(judge(&claims()).is_ok());
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        judge(&claims).map(|_| ()).unwrap_err()
    };
    for name in ["sub", "iat", "status_list"] {
        let mut lacking = claims();
        lacking.as_object_mut().unwrap().remove(name);
        assert_eq!(judge(&lacking).unwrap_err(), ListError::Claims, "without {name}");
    }
    for (name, value) in [
        ("iat", json!("1700000000")),
        ("iat", json!(null)),
        ("sub", json!([URI])),
        ("exp", json!("never")),
        ("exp", json!(null)),
        ("ttl", json!(0)),
        ("ttl", json!(-1)),
        ("ttl", json!("600")),
        ("ttl", json!(1.5)),
        ("status_list", json!("eNrbuRgAAhcBXQ")),
        ("status_list", json!({"bits": 1})),
        ("status_list", json!({"lst": "eNrbuRgAAhcBXQ"})),
        ("status_list", json!({"bits": "1", "lst": "eNrbuRgAAhcBXQ"})),
    ] {
        assert_eq!(with(name, value.clone()), ListError::Claims, "{name}: {value}");
    }
    assert_eq!(with("iss", json!("https://other.example.com")), ListError::Issuer);
    assert_eq!(with("iat", json!(NOW.as_secs() + 61)), ListError::NotYetValid);
    assert_eq!(with("nbf", json!(NOW.as_secs() + 61)), ListError::NotYetValid);
    assert_eq!(with("exp", json!(NOW.as_secs())), ListError::Expired);
    assert_eq!(with("status_list", json!({"bits": 3, "lst": "eNrbuRgAAhcBXQ"})), ListError::Bits);
}

/// TSL-03: a signed document of another kind is no list, whatever it says.
#[test]
fn only_the_type_of_a_list_is_a_list() {
    let signer = Signer::new();
    let judge = |document: &Signed| ListToken::judge(document, ISSUER, URI, NOW).map(|_| ());
    for typ in ["statuslist+jwt", "application/statuslist+jwt", "StatusList+JWT"] {
        assert_eq!(judge(&signer.signed(typ, &claims())), Ok(()), "{typ}");
    }
    for typ in ["jwt", "at+jwt", "statuslist+cwt", "statuslist", "", "secevent+jwt"] {
        assert_eq!(judge(&signer.signed(typ, &claims())), Err(ListError::Type), "{typ}");
    }
    assert_eq!(judge(&signer.signed_untyped(&claims())), Err(ListError::Type));
}

/// TSL-04: byte for byte.
#[test]
fn a_list_is_that_of_its_own_address_only() {
    for sub in [
        "https://login.example.com/statuslists/2",
        "https://login.example.com/statuslists/1/",
        "https://LOGIN.example.com/statuslists/1",
        "https://login.example.com:443/statuslists/1",
        "",
    ] {
        let mut claims = claims();
        claims["sub"] = sub.into();
        assert_eq!(judge(&claims).unwrap_err(), ListError::Subject, "{sub}");
    }
}

#[test]
fn what_is_printed_of_a_list_is_its_length() {
    let list = StatusList::parse(2, "eNo76fITAAPfAgc").unwrap();
    assert_eq!(format!("{list:?}"), "StatusList { entries: 12, .. }");
}

proptest! {
    #[test]
    fn every_width_reads_what_was_written(width in 0..4_u32, values in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bits = 1_u32 << width;
        let mask = u8::MAX >> (8 - bits);
        let per_byte = 8 / bits as usize;
        let mut bytes = vec![0_u8; values.len().div_ceil(per_byte)];
        for (n, value) in values.iter().enumerate() {
            bytes[n / per_byte] |= (value & mask) << (n % per_byte * bits as usize);
        }
        let list = StatusList::parse(bits.into(), &zlib(&bytes)).unwrap();
        for (n, value) in values.iter().enumerate() {
            prop_assert_eq!(list.status(n as u64), status(value & mask));
        }
    }

    #[test]
    fn no_stream_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), header in any::<bool>()) {
        let mut stream = if header { vec![0x78, 0x9C] } else { Vec::new() };
        stream.extend_from_slice(&bytes);
        let _ = StatusList::parse(1, &b64(&stream));
    }
}
