//! Each check of RFC 9449 section 4.3 on its own: one thing wrong, everything else right.

use http::HeaderValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::mint::keys::SigningKey;

const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const ATH: &str = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

/// RFC 9449 section 4.1: the header of all three proofs.
const HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUkl\
                      DUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2\
                      R2R1JEQSIsImNydiI6IlAtMjU2In19";
/// RFC 9449 section 7.1.
const FOR_RESOURCE: &str = "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtc\
                            GxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc0\
                            5yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxH\
                            F8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
/// RFC 9449 sections 4.1 and 5.
const FOR_TOKEN: [(&str, i64); 2] = [
    (
        "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia\
         WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
        1_562_262_616,
    ),
    (
        "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia\
         WF0IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA",
        1_562_265_296,
    ),
];

fn target() -> Target {
    Target::new("https://rs.example", &[], "").unwrap()
}

fn verify(text: &str, expected: &Expected<'_>) -> Result<Proof, DpopError> {
    Proof::verify(text, expected, None).map(|(proof, _)| proof)
}

fn judge_by(algorithms: &[Algorithm], text: &str) -> Result<Proof, DpopError> {
    let target = target();
    verify(text, &Expected { algorithms, method: "GET", target: &target, path: "/x", token: Some(TOKEN) })
}

fn judge(text: &str) -> Result<Proof, DpopError> {
    judge_by(&Algorithm::ALL, text)
}

/// A client with one key, and what its proofs say when nothing is wrong.
struct Client(SigningKey);

impl Client {
    fn of(algorithm: Algorithm) -> Self {
        Self(SigningKey::generate(algorithm).unwrap())
    }

    fn header(&self) -> Value {
        let mut jwk = self.0.public_jwk();
        for name in ["kid", "use", "alg"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        json!({"typ": "dpop+jwt", "alg": self.0.algorithm().as_str(), "jwk": jwk})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.0.sign(header, claims).unwrap()
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> Result<Proof, DpopError> {
        let mut header = self.header();
        change(&mut header);
        judge(&self.sign(&header, &claims()))
    }

    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> Result<Proof, DpopError> {
        let mut claims = claims();
        change(&mut claims);
        judge(&self.sign(&self.header(), &claims))
    }
}

fn claims() -> Value {
    json!({"jti": "e1j3V_bKic8-LAEB", "htm": "GET", "htu": "https://rs.example/x", "iat": 1_562_262_618, "ath": ATH})
}

fn client() -> Client {
    Client::of(Algorithm::Es256)
}

fn is_malformed(judged: &Result<Proof, DpopError>) -> bool {
    matches!(judged, Err(DpopError::Malformed(_)))
}

/// DPP-18: the published proof passes with the published token, hash and thumbprint (V-01, V-03).
#[test]
fn the_published_proof_for_a_resource_verifies() {
    let target = Target::new("https://resource.example.org", &[], "").unwrap();
    let expected = Expected {
        algorithms: &[Algorithm::Es256],
        method: "GET",
        target: &target,
        path: "/protectedresource",
        token: Some(TOKEN),
    };
    let text = format!("{HEADER}.{FOR_RESOURCE}");
    let proof = verify(&text, &expected).unwrap();
    let jti = "e1j3V_bKic8-LAEB".into();
    let issued_at = Timestamp::from_secs(1_562_262_618);
    assert_eq!(proof, Proof { jkt: JKT.into(), jti, issued_at, nonce: None, algorithm: Algorithm::Es256 });
    assert_eq!(b64(&sha256(&[TOKEN.as_bytes()])), ATH);
    let refusal = |expected| verify(&text, &expected).unwrap_err();
    assert_eq!(refusal(Expected { token: Some("other"), ..expected }), DpopError::TokenHash);
    assert_eq!(refusal(Expected { method: "POST", ..expected }), DpopError::Method);
    assert_eq!(refusal(Expected { path: "/", ..expected }), DpopError::Target);
    assert_eq!(refusal(Expected { algorithms: &[Algorithm::Es384], ..expected }), DpopError::Algorithm);
}

/// DPP-03: the published proofs for token requests verify (V-02), and serve no resource, because they name no token.
#[test]
fn the_published_proofs_for_token_requests_verify_and_serve_no_resource() {
    let target = Target::new("https://server.example.com", &[], "").unwrap();
    let algorithms = &[Algorithm::Es256];
    for (proof, iat) in FOR_TOKEN {
        let text = format!("{HEADER}.{proof}");
        let parts = Parts::split(&text).unwrap();
        let decoded = parts.decoded_header().unwrap();
        let (header, claims) = (Header::parse(&decoded).unwrap(), parts.claims().unwrap());
        assert_eq!((&*claims.jti.0, claims.iat.0), ("-BwC3ESc6acc2lTc", Timestamp::from_secs(iat)));
        let (algorithm, jwk) = header.check(algorithms).unwrap();
        let key = key_for(algorithm, &jwk).unwrap();
        assert_eq!(key.thumbprint(), JKT);
        assert!(key.verifies(algorithm, parts.signed, &parts.signature));
        let expected = Expected { algorithms, method: "POST", target: &target, path: "/token", token: Some(TOKEN) };
        assert!(is_malformed(&verify(&text, &expected)));
    }
}

/// DPP-01: one field with one value.
#[test]
fn a_request_carries_one_proof() {
    let headers = |values: &[&[u8]]| {
        let fields = values.iter().map(|value| (DPOP, HeaderValue::from_bytes(value).unwrap()));
        fields.collect::<HeaderMap>()
    };
    assert_eq!(Proof::in_headers(&headers(&[])), Err(DpopError::Missing));
    assert_eq!(Proof::in_headers(&headers(&[b"a.b.c"])), Ok("a.b.c"));
    assert_eq!(Proof::in_headers(&headers(&[b"a.b.c", b"a.b.c"])), Err(DpopError::Repeated));
    for list in [&b"a.b.c, d.e.f"[..], b"a.b.c,d.e.f", b"a.b.c,", b","] {
        assert_eq!(Proof::in_headers(&headers(&[list])), Err(DpopError::Repeated));
    }
    assert!(matches!(Proof::in_headers(&headers(&[b"a.\xFF.c"])), Err(DpopError::Malformed(_))));
    let long = |bytes: usize| headers(&["a".repeat(bytes).as_bytes()]);
    assert!(Proof::in_headers(&long(MAX_PROOF_BYTES)).is_ok());
    assert!(matches!(Proof::in_headers(&long(MAX_PROOF_BYTES + 1)), Err(DpopError::Malformed(_))));
}

/// DPP-02: one compact JWS of strict JSON.
#[test]
fn a_proof_is_one_well_formed_jws() {
    let good = client().sign(&client().header(), &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    for bad in [
        "",
        "...",
        signed,
        &format!("{good}.AA"),
        &format!("{good}.AA.AA"),
        &format!("{header}=.{payload}.{signature}"),
        &format!("{header}.{payload}.{signature}="),
        &format!("{header}.{payload}+.{signature}"),
        &format!(" {good}"),
        &format!("{}.{payload}.{signature}", b64(b"[]")),
        &format!("{}.{payload}.{signature}", b64(b"\"x\"")),
        &format!("{header}.{}.{signature}", b64(b"[]")),
        &format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#),
        &"a".repeat(MAX_PROOF_BYTES + 1),
    ] {
        assert!(is_malformed(&judge(bad)), "{bad}");
    }
    let client = client();
    let header = client.header().to_string();
    let twice = header.replacen('{', r#"{"alg":"ES256","#, 1);
    let text = client.0.sign_bytes(twice.as_bytes(), claims().to_string().as_bytes()).unwrap();
    assert!(is_malformed(&judge(&text)), "a name stands twice");
    let inside = header.replacen(r#""jwk":{"#, r#""jwk":{"kty":"EC","#, 1);
    let text = client.0.sign_bytes(inside.as_bytes(), claims().to_string().as_bytes()).unwrap();
    assert!(is_malformed(&judge(&text)), "a name stands twice within the key");
}

/// DPP-03: everything that must be there is, and of its type.
#[test]
fn headers_and_claims_are_present_and_of_their_type() {
    let client = client();
    assert!(client.with_header(|_| ()).is_ok() && client.with_claims(|_| ()).is_ok());
    for name in ["typ", "alg", "jwk"] {
        for wrong in [None, Some(json!(7)), Some(Value::Null), Some(json!([]))] {
            let judged = client.with_header(|header| set(header, name, wrong.clone()));
            assert!(judged.is_err(), "{name} {wrong:?}");
        }
    }
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        for wrong in [None, Some(Value::Null), Some(json!([])), Some(json!(true))] {
            let judged = client.with_claims(|claims| set(claims, name, wrong.clone()));
            assert!(is_malformed(&judged), "{name} {wrong:?}");
        }
    }
    for (name, wrong) in [
        ("iat", json!("1562262618")),
        ("iat", json!(-1)),
        ("iat", json!(1e300)),
        ("jti", json!(7)),
        ("jti", json!("")),
        ("htm", json!(7)),
        ("htu", json!(7)),
        ("ath", json!(7)),
        ("nonce", json!(7)),
        ("nonce", Value::Null),
    ] {
        let judged = client.with_claims(|claims| set(claims, name, Some(wrong.clone())));
        assert!(is_malformed(&judged), "{name} {wrong}");
    }
    let proof = client.with_claims(|claims| claims["nonce"] = json!("n")).unwrap();
    assert_eq!(proof.nonce.as_deref(), Some("n"));
    let proof = client.with_claims(|claims| claims["iat"] = json!(1_562_262_618.5)).unwrap();
    assert_eq!(proof.issued_at, Timestamp::from_millis(1_562_262_618_500));
}

fn set(object: &mut Value, name: &str, value: Option<Value>) {
    let members = object.as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.into(), value),
        None => members.remove(name),
    };
}

/// DPP-04: `typ` is the media type, in any case and with or without `application/`.
#[test]
fn another_type_of_jwt_is_no_proof() {
    let client = client();
    let typed = |typ: &str| client.with_header(|header| header["typ"] = json!(typ)).map(drop);
    for typ in ["dpop+jwt", "DPoP+JWT", "application/dpop+jwt", "Application/DPOP+jwt"] {
        assert_eq!(typed(typ), Ok(()), "{typ}");
    }
    for typ in ["JWT", "at+jwt", "", "dpop", "dpop+jwt ", "text/dpop+jwt", "application/application/dpop+jwt"] {
        assert_eq!(typed(typ), Err(DpopError::Type), "{typ}");
    }
    assert_eq!(client.with_header(|header| set(header, "typ", None)), Err(DpopError::Type));
}

/// DPP-05: only listed names, and exactly.
#[test]
fn an_algorithm_that_is_not_listed_is_refused() {
    let client = client();
    for alg in ["none", "None", "HS256", "es256", "ES256 ", "ES256K", ""] {
        assert_eq!(client.with_header(|header| header["alg"] = json!(alg)), Err(DpopError::Algorithm), "{alg}");
    }
    for algorithm in Algorithm::ALL {
        let client = Client::of(algorithm);
        let text = client.sign(&client.header(), &claims());
        let proof = judge_by(&[algorithm], &text).unwrap();
        assert_eq!((&*proof.jkt, proof.algorithm), (client.0.thumbprint(), algorithm));
        let others: Vec<_> = Algorithm::ALL.into_iter().filter(|other| *other != algorithm).collect();
        assert_eq!(judge_by(&others, &text), Err(DpopError::Algorithm), "{algorithm}");
    }
}

/// DPP-06: the signature is that of the key in the header, and nothing was touched.
#[test]
fn a_touched_proof_or_another_key_does_not_verify() {
    let (client, other) = (client(), self::client());
    assert_eq!(judge(&other.sign(&client.header(), &claims())), Err(DpopError::Signature));
    let good = client.sign(&client.header(), &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for at in [0, 31, 32, 63] {
        let mut bytes = b64_decode(signature.as_bytes()).unwrap();
        bytes[at] ^= 1;
        assert_eq!(judge(&format!("{signed}.{}", b64(&bytes))), Err(DpopError::Signature));
    }
    assert_eq!(judge(&format!("{signed}.")), Err(DpopError::Signature));
    let (header, _) = signed.split_once('.').unwrap();
    let mut changed = claims();
    changed["jti"] = json!("another");
    let payload = b64(changed.to_string().as_bytes());
    assert_eq!(judge(&format!("{header}.{payload}.{signature}")), Err(DpopError::Signature));
}

/// DPP-06: the key is sound and one for the algorithm.
#[test]
fn a_key_that_is_not_sound_or_not_for_the_algorithm_is_refused() {
    let (es256, rs256) = (client(), Client::of(Algorithm::Rs256));
    let es384 = Client::of(Algorithm::Es384);
    let unfit = |judged: Result<Proof, DpopError>| matches!(judged, Err(DpopError::Key(_)));
    assert!(unfit(rs256.with_header(|header| header["jwk"] = es256.header()["jwk"].take())));
    assert!(unfit(es256.with_header(|header| header["jwk"] = es384.header()["jwk"].take())));
    assert!(unfit(es256.with_header(|header| header["alg"] = json!("ES384"))));
    assert!(unfit(es256.with_header(|header| header["alg"] = json!("RS256"))));
    assert!(unfit(es256.with_header(|header| header["jwk"]["y"] = header["jwk"]["x"].clone())), "off the curve");
    assert!(unfit(es256.with_header(|header| header["jwk"]["x"] = json!("AA"))));
    assert!(unfit(es256.with_header(|header| header["jwk"]["x"] = json!("A="))));
    assert!(unfit(es256.with_header(|header| header["jwk"]["crv"] = json!("secp256k1"))));
    assert!(unfit(es256.with_header(|header| header["jwk"]["alg"] = json!("ES384"))));
    assert!(unfit(es256.with_header(|header| header["jwk"] = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}))));
    let mut short = vec![0xFF; 128];
    short[0] = 0x80;
    assert!(unfit(rs256.with_header(|header| header["jwk"]["n"] = json!(b64(&short)))), "1024 bits");
    assert!(unfit(rs256.with_header(|header| header["jwk"]["e"] = json!("AQ"))));
    for (member, value) in
        [("alg", json!("ES256")), ("use", json!("sig")), ("key_ops", json!(["sign"])), ("ext", json!(true))]
    {
        assert!(es256.with_header(|header| header["jwk"][member] = value).is_ok(), "{member}");
    }
    let ed = Client::of(Algorithm::EdDsa);
    assert!(ed.with_header(|header| header["jwk"]["alg"] = json!("Ed25519")).is_ok(), "two names of one algorithm");
}

/// DPP-07: nothing private and nothing symmetric.
#[test]
fn a_private_or_symmetric_key_is_refused() {
    let private = |client: &Client, member: &str, value: Value| {
        assert_eq!(
            client.with_header(|header| header["jwk"][member] = value.clone()),
            Err(DpopError::PrivateKey),
            "{member} {value}"
        );
    };
    for client in [client(), Client::of(Algorithm::Ed25519), Client::of(Algorithm::Rs256)] {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            private(&client, member, json!("AA"));
            private(&client, member, Value::Null);
            private(&client, member, json!([]));
        }
    }
    private(&client(), "kty", json!("oct"));
    let akp = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "priv": "AA"});
    assert_eq!(client().with_header(|header| header["jwk"] = akp), Err(DpopError::PrivateKey));
}

/// DPP-08: `htm` is the method, byte for byte.
#[test]
fn a_proof_for_another_method_is_refused() {
    let client = client();
    for htm in ["get", "Get", "HEAD", "POST", "", "GET "] {
        assert_eq!(client.with_claims(|claims| claims["htm"] = json!(htm)), Err(DpopError::Method), "{htm}");
    }
    let target = target();
    let expected =
        Expected { algorithms: &Algorithm::ALL, method: "HEAD", target: &target, path: "/x", token: Some(TOKEN) };
    let text = client.sign(&client.header(), &claims());
    assert_eq!(verify(&text, &expected), Err(DpopError::Method));
}

/// DPP-09: `htu` is the URI of the request.
#[test]
fn a_proof_for_another_uri_is_refused() {
    let client = client();
    let aimed = |htu: &str| client.with_claims(|claims| claims["htu"] = json!(htu)).map(drop);
    assert_eq!(aimed("HTTPS://RS.example:443/%78?q#f"), Ok(()));
    for htu in
        ["http://rs.example/x", "https://other.example/x", "https://rs.example:8443/x", "https://rs.example/y", "/x"]
    {
        assert_eq!(aimed(htu), Err(DpopError::Target), "{htu}");
    }
}

/// RFC 9449 section 4.3: the path that counts is the client's, not what a router left of it.
#[test]
fn a_proof_for_the_stripped_path_is_refused() {
    let (client, target) = (client(), target());
    let text = client.sign(&client.header(), &claims());
    let expected =
        Expected { algorithms: &Algorithm::ALL, method: "GET", target: &target, path: "/api/x", token: Some(TOKEN) };
    assert_eq!(verify(&text, &expected), Err(DpopError::Target));
}

/// DPP-18: `ath` is the hash of the token as sent, base64url without padding.
#[test]
fn a_proof_for_another_token_is_refused() {
    let client = client();
    let hashed = |ath: &str| client.with_claims(|claims| claims["ath"] = json!(ath)).map(drop);
    assert_eq!(hashed(ATH), Ok(()));
    let hex: String = sha256(&[TOKEN.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
    for ath in [&b64(&sha256(&[b"other"])), &format!("{ATH}="), &hex, "", &ATH[1..], &ATH.to_lowercase()] {
        assert_eq!(hashed(ath), Err(DpopError::TokenHash), "{ath}");
    }
    assert!(is_malformed(&client.with_claims(|claims| set(claims, "ath", None))));
}

/// RFC 9449 section 11.1: an oversized `jti` is refused before anything is kept.
#[test]
fn a_long_jti_is_refused() {
    let client = client();
    let named = |bytes: usize| client.with_claims(|claims| claims["jti"] = json!("j".repeat(bytes)));
    assert_eq!(named(256).unwrap().jti.len(), 256);
    assert!(is_malformed(&named(257)));
    assert!(is_malformed(&named(64 * 1024)));
}

/// DPP-34: what is not known is tolerated, unless it is said to be critical.
#[test]
fn unknown_members_are_tolerated_and_critical_ones_are_not() {
    let client = client();
    assert!(client.with_claims(|claims| claims["extra"] = json!({"a": [1, null]})).is_ok());
    assert!(client.with_header(|header| header["extra"] = json!([1])).is_ok());
    assert!(client.with_header(|header| header["kid"] = json!("k")).is_ok());
    for crit in [json!(["x"]), json!([]), json!(["alg"]), Value::Null, json!(7)] {
        assert_eq!(client.with_header(|header| header["crit"] = crit.clone()), Err(DpopError::Critical), "{crit}");
    }
    assert_eq!(client.with_header(|header| header["b64"] = json!(false)), Err(DpopError::Critical));
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in ".{0,200}", header in ".{0,80}", payload in ".{0,80}") {
        let _ = judge(&text);
        let (header, payload) = (b64(header.as_bytes()), b64(payload.as_bytes()));
        for text in [format!("{header}.{payload}.AA"), format!("{HEADER}.{payload}.AA")] {
            prop_assert!(judge(&text).is_err());
        }
    }

    #[test]
    fn no_letter_of_the_published_proof_can_be_changed(at in 0_usize..500, letter in "[A-Za-z0-9_.-]") {
        let target = Target::new("https://resource.example.org", &[], "").unwrap();
        let expected = Expected {
            algorithms: &Algorithm::ALL, method: "GET", target: &target, path: "/protectedresource", token: Some(TOKEN),
        };
        let mut text = format!("{HEADER}.{FOR_RESOURCE}");
        let at = at % text.len();
        if text[at..=at] != letter {
            text.replace_range(at..=at, &letter);
            prop_assert!(verify(&text, &expected).is_err());
        }
    }
}

#[test]
fn a_known_header_spares_its_reading_and_no_check() {
    let target = target();
    let client = client();
    let proof = client.sign(&client.header(), &claims());
    let expected = |algorithms| Expected { algorithms, method: "GET", target: &target, path: "/x", token: Some(TOKEN) };
    let (first, known) = Proof::verify(&proof, &expected(&Algorithm::ALL), None).unwrap();
    let (again, same) = Proof::verify(&proof, &expected(&Algorithm::ALL), Some(&known)).unwrap();
    assert_eq!(first, again);
    assert!(Arc::ptr_eq(&known, &same));
    let mut forged = proof.clone().into_bytes();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let refused = Proof::verify(&forged, &expected(&Algorithm::ALL), Some(&known)).unwrap_err();
    assert_eq!(refused, DpopError::Signature);
    let refused = Proof::verify(&proof, &expected(&[Algorithm::Rs512]), Some(&known)).unwrap_err();
    assert_eq!(refused, DpopError::Algorithm, "a header that was allowed once is not so for ever");
}
