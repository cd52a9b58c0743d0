//! Which keys are used, which are skipped, and which a token may mean.

use proptest::prelude::*;

use super::*;
use crate::crypto::b64;

/// RFC 7517 appendix A.1.
const EC_X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
const EC_Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
/// RFC 8037 appendix A.
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn rsa_n(bits: usize) -> String {
    let mut n = vec![0xFF; bits / 8];
    n[0] = 0x80;
    b64(&n)
}

fn ec(more: &str) -> String {
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}","y":"{EC_Y}"{more}}}"#)
}

fn ed(more: &str) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED_X}"{more}}}"#)
}

fn rsa(more: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"{more}}}"#, rsa_n(2048))
}

/// RSA keys that differ, by their number.
fn numbered(number: u16, more: &str) -> String {
    let mut n = vec![0xFF; 256];
    n[100..102].copy_from_slice(&number.to_be_bytes());
    format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"{more}}}"#, b64(&n))
}

fn set(keys: &[String]) -> KeySet {
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
}

fn kid(name: &str) -> String {
    format!(r#","kid":"{name}""#)
}

fn count(set: &KeySet, kid: Option<&str>, alg: Algorithm) -> usize {
    set.select(kid, alg).count()
}

/// DSC-06: a key that is not understood, incomplete or out of range is skipped.
/// JOS-06: so is an RSA key of a bad size or exponent.
/// JOS-07: so is a key for another purpose.
/// JOS-11: so is a point off its curve.
/// BCP-08: so is a symmetric key.
#[test]
fn an_odd_key_is_skipped_and_the_good_one_beside_it_used() {
    let odd = [
        r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"pq"}"#.to_owned(),
        format!(r#"{{"kty":"OKP","crv":"X25519","x":"{ED_X}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed448","x":"{ED_X}"}}"#),
        r#"{"kty":"oct","k":"AAAA"}"#.to_owned(),
        format!(r#"{{"kty":"EC","crv":"secp256k1","x":"{EC_X}","y":"{EC_Y}"}}"#),
        format!(r#"{{"kty":"EC","x":"{EC_X}","y":"{EC_Y}"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}","y":"{EC_X}"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}=","y":"{EC_Y}"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{EC_Y}"}}"#, b64(&[1; 31])),
        format!(r#"{{"kty":"EC","crv":"P-384","x":"{EC_X}","y":"{EC_Y}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, b64(&[1; 31])),
        format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, rsa_n(1024)),
        format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, rsa_n(65_536)),
        format!(r#"{{"kty":"RSA","n":"{}","e":"AQ"}}"#, rsa_n(2048)),
        format!(r#"{{"kty":"RSA","n":"{}"}}"#, rsa_n(2048)),
        format!(r#"{{"kty":"ec","crv":"P-256","x":"{EC_X}","y":"{EC_Y}"}}"#),
        format!(r#"{{"crv":"P-256","x":"{EC_X}","y":"{EC_Y}"}}"#),
        ec(r#","kid":7"#),
        ec(r#","kid":null"#),
        ec(r#","alg":"ES384""#),
        ec(r#","alg":"RS256""#),
        ec(r#","alg":"EdDSA""#),
        ec(r#","alg":"none""#),
        ec(r#","alg":"HS256""#),
        ec(r#","alg":"es256""#),
        ec(r#","alg":["ES256"]"#),
        ec(r#","use":"enc""#),
        ec(r#","use":["sig"]"#),
        ec(r#","key_ops":["sign"]"#),
        ec(r#","key_ops":[]"#),
        ec(r#","key_ops":"verify""#),
        ec(r#","use":"sig","key_ops":["verify","encrypt"]"#),
        ec(r#","d":"AAAA""#),
        ed(r#","d":"AAAA""#),
        rsa(r#","d":"AAAA""#),
        rsa(r#","p":"AAAA","q":"AAAA""#),
        rsa(r#","alg":"RSA-OAEP-256""#),
        rsa(r#","alg":"ES256""#),
        ec(&kid(&"k".repeat(257))),
        "null".to_owned(),
        "7".to_owned(),
        "\"key\"".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
    ];
    for odd in &odd {
        let set = set(&[odd.clone(), ec(&kid("good"))]);
        assert_eq!((set.len(), set.skipped()), (1, 1), "{odd}");
        assert_eq!(count(&set, Some("good"), Algorithm::Es256), 1);
    }
    let all = set(&[&odd[..], &[ed(&kid("good"))]].concat());
    assert_eq!((all.len(), all.skipped()), (1, odd.len()));
}

#[test]
fn sound_keys_of_every_kind_are_used() {
    let fine = [
        ec(r#","use":"sig","alg":"ES256","kid":"1","x5c":["AA"],"nbf":7,"other":{"a":null}"#),
        ec(r#","key_ops":["verify"]"#),
        ec(r#","use":"sig","key_ops":["sign","verify"],"kid":"2""#),
        ed(r#","alg":"Ed25519""#),
        ed(r#","alg":"EdDSA""#),
        rsa(r#","alg":"PS512""#),
        rsa(""),
    ];
    let set = set(&fine);
    assert_eq!((set.len(), set.skipped()), (fine.len(), 0));
}

/// JOS-03: a name stands once in a key set and in each key.
#[test]
fn the_document_as_a_whole_is_strict() {
    let twice = format!(r#"{{"keys":[{}]}}"#, ec(r#","kid":"a","kid":"b""#));
    assert_eq!(KeySet::parse(twice.as_bytes()), Err(KeySetError(JsonError::Duplicate)));
    assert_eq!(KeySet::parse(br#"{"keys":[],"keys":[]}"#), Err(KeySetError(JsonError::Duplicate)));
    for bad in ["{}", "[]", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"Keys":[]}"#] {
        assert_eq!(KeySet::parse(bad.as_bytes()), Err(KeySetError(JsonError::Shape)), "{bad}");
    }
    for bad in ["", "<html></html>", r#"{"keys":[}"#, r#"{"keys":[]}x"#] {
        assert_eq!(KeySet::parse(bad.as_bytes()), Err(KeySetError(JsonError::Syntax)), "{bad}");
    }
    let nothing = KeySet::parse(br#"{"keys":[],"more":1}"#).unwrap();
    assert!(nothing.is_empty() && nothing.skipped() == 0);
}

/// BCP-02: the key decides what it verifies.
#[test]
fn the_keys_own_alg_decides() {
    let any = set(&[rsa("")]);
    let only = set(&[rsa(r#","alg":"PS256""#)]);
    for alg in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Rs512] {
        assert_eq!(count(&any, None, alg), 1);
        assert_eq!(count(&only, None, alg), usize::from(alg == Algorithm::Ps256));
    }
    assert_eq!(count(&any, None, Algorithm::Es256), 0);
    for name in ["EdDSA", "Ed25519"] {
        let set = set(&[ed(&format!(r#","alg":"{name}""#))]);
        assert_eq!(count(&set, None, Algorithm::EdDsa), 1, "two names of one algorithm");
        assert_eq!(count(&set, None, Algorithm::Ed25519), 1, "two names of one algorithm");
    }
}

/// JOS-08: of keys under one kid, each that fits is tried.
#[test]
fn one_kid_may_name_several_keys_and_each_that_fits_is_tried() {
    let two_kinds = set(&[rsa(&kid("k")), ec(&kid("k"))]);
    assert_eq!(count(&two_kinds, Some("k"), Algorithm::Rs256), 1);
    assert_eq!(count(&two_kinds, Some("k"), Algorithm::Es256), 1);
    assert_eq!(count(&two_kinds, Some("k"), Algorithm::EdDsa), 0);
    let one_kind = set(&[numbered(1, &kid("k")), numbered(2, &kid("k")), numbered(3, &kid("other"))]);
    assert_eq!(count(&one_kind, Some("k"), Algorithm::Rs256), 2);
}

/// JOS-09: a token without kid means each key that fits, up to a bound.
#[test]
fn a_token_without_kid_tries_every_key_that_fits_up_to_four() {
    let five: Vec<_> = (0..5).map(|n| numbered(n, &kid(&n.to_string()))).chain([ec(""), ed("")]).collect();
    let five = set(&five);
    assert_eq!(count(&five, None, Algorithm::Rs256), MAX_CANDIDATES);
    assert_eq!(count(&five, None, Algorithm::Es256), 1, "keys that do not fit take no place");
    let same_kid: Vec<_> = (0..9).map(|n| numbered(n, &kid("k"))).collect();
    assert_eq!(count(&set(&same_kid), Some("k"), Algorithm::Rs256), MAX_CANDIDATES);
}

#[test]
fn a_kid_that_the_set_lacks_selects_nothing() {
    let named = set(&[numbered(1, &kid("a")), numbered(2, "")]);
    assert_eq!(count(&named, Some("b"), Algorithm::Rs256), 0, "not even the nameless key");
    assert_eq!(count(&named, Some("A"), Algorithm::Rs256), 0);
    assert_eq!(count(&named, Some(""), Algorithm::Rs256), 0);
    assert_eq!(count(&named, Some("a"), Algorithm::Rs256), 1);
    assert_eq!(count(&named, None, Algorithm::Rs256), 2);
    let nameless = set(&[numbered(1, ""), numbered(2, "")]);
    assert_eq!(count(&nameless, Some("b"), Algorithm::Rs256), 2, "names mean nothing to this issuer");
}

#[test]
fn keys_beyond_a_hundred_and_repetitions_are_counted_not_used() {
    let many: Vec<_> = (0..130).map(|n| numbered(n, &kid(&n.to_string()))).collect();
    let many = set(&many);
    assert_eq!((many.len(), many.skipped()), (100, 30));
    let repeated = set(&[ec(""), ec(""), ec(&kid("a"))]);
    assert_eq!((repeated.len(), repeated.skipped()), (2, 1));
}

/// JOS-12: the name and the use of a key do not change its thumbprint.
#[test]
fn sets_are_equal_by_what_they_verify() {
    let one = set(&[ec(&kid("a")), ed(&kid("b"))]);
    assert_eq!(one, set(&[ed(&kid("b")), ec(&(kid("a") + r#","use":"sig""#)), "{}".into()]));
    assert_ne!(one, set(&[ec(&kid("a"))]));
    assert_ne!(one, set(&[ec(&kid("a")), ed(&kid("c"))]));
    assert_ne!(one, set(&[ec(&kid("a")), ed(&(kid("b") + r#","alg":"EdDSA""#))]));
    assert_ne!(set(&[numbered(1, &kid("a"))]), set(&[numbered(2, &kid("a"))]), "replaced under its kid");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(document in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = KeySet::parse(&document);
    }

    #[test]
    fn no_truncation_is_taken_for_a_set(cut in 0_usize..1000) {
        let whole = format!(r#"{{"keys":[{},{},{}]}}"#, rsa(&kid("r")), ec(&kid("e")), ed(""));
        prop_assume!(cut < whole.len());
        prop_assert!(KeySet::parse(&whole.as_bytes()[..cut]).is_err());
    }

    #[test]
    fn no_members_make_a_key_panic(
        kty in "RSA|EC|OKP|AKP|[a-z]{0,4}", crv in "P-256|P-384|P-521|Ed25519|X25519|.?",
        x in "[A-Za-z0-9_=-]{0,90}", y in "[A-Za-z0-9_-]{0,90}", alg in "ES256|RS256|EdDSA|Ed25519|[A-Z]{0,5}",
    ) {
        let jwk = serde_json::json!({ "kty": kty, "crv": crv, "x": x, "y": y, "n": x, "e": y, "alg": alg });
        let set = KeySet::parse(serde_json::json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
        prop_assert_eq!(set.len() + set.skipped(), 1);
    }
}
