//! RFC 9449: a token that was stolen is worthless here.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer as _, service_fn, util::BoxCloneSyncService};
use tower_oauth::crypto::Algorithm;
use tower_oauth::store::{Answer, MemoryReplayStore, Replay, ReplayEntry, ReplayStore, StoreError};
use tower_oauth::test::{DpopClient, RequestExt as _, SigningKey};
use tower_oauth::time::Timestamp;
use tower_oauth::{Demand, Dpop, NonceKey, OAuthConfig, OAuthConfigBuilder, OAuthLayer, OriginalTarget, Requirement};

use crate::support::{Answer as Response, App, Fixture, T, inner, send};

const BASE: &str = "https://rs.example";
const URL: &str = "https://rs.example/x";
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A fixture, a client of the same clock, and a token bound to the client's key.
struct Bound {
    fixture: Fixture,
    client: DpopClient,
    token: String,
}

impl Bound {
    fn new() -> Self {
        Self::with(|config| config)
    }

    fn with(change: impl FnOnce(OAuthConfigBuilder) -> OAuthConfigBuilder) -> Self {
        let fixture = Fixture::with(change);
        // The store is born with the server; proofs of tests are made later.
        fixture.clock.advance(Duration::from_secs(200));
        let client = DpopClient::new().clock(fixture.clock.clone());
        let token = fixture.token().bound_to(&client).expires_in(Duration::from_secs(3600)).sign();
        Self { fixture, client, token }
    }

    fn proof(&self) -> tower_oauth::test::ProofBuilder {
        self.client.proof_for(&Method::GET, URL, &self.token)
    }

    async fn present(&self, proof: &str) -> Response {
        send(&self.fixture.app(), Request::get("/x").dpop_with(&self.token, proof)).await
    }

    async fn get(&self, path: &str) -> Response {
        send(&self.fixture.app(), Request::get(path).dpop(&self.client, BASE, &self.token)).await
    }

    #[track_caller]
    fn now(&self) -> Timestamp {
        tower_oauth::time::Clock::now(&self.fixture.clock)
    }
}

async fn refuse_each(bound: &Bound, proofs: impl IntoIterator<Item = String>) {
    for proof in proofs {
        bound.present(&proof).await.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
    }
    // None of them has burnt or broken anything.
    bound.get("/x").await.assert_passed();
}

#[tokio::test]
async fn a_bound_token_with_its_proof_passes() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ed25519, Algorithm::Ps256, Algorithm::Rs256] {
        let bound = Bound::new();
        let client = DpopClient::with_algorithm(algorithm).clock(bound.fixture.clock.clone());
        let token = bound.fixture.token().bound_to(&client).sign();
        let answer = send(&bound.fixture.app(), Request::get("/x").dpop(&client, BASE, &token)).await;
        answer.assert_passed();
        assert_eq!(answer.header("x-principal"), Some("user user-1"));
    }
}

/// DPP-01: one DPoP header line, and one proof in it.
#[tokio::test]
async fn two_proofs_are_none() {
    let bound = Bound::new();
    let (one, two) = (bound.proof().sign(), bound.proof().sign());
    let twice = Request::get("/x").dpop_with(&bound.token, &one).header("dpop", &two);
    send(&bound.fixture.app(), twice).await.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
    refuse_each(&bound, [format!("{one}, {two}")]).await;
}

/// DPP-02: one well-formed compact JWS.
#[tokio::test]
async fn a_proof_is_one_compact_jws() {
    let bound = Bound::new();
    let proof = bound.proof().sign();
    let (head, signature) = proof.rsplit_once('.').unwrap();
    refuse_each(
        &bound,
        [
            head.to_owned(),
            format!("{proof}.x"),
            format!("{proof}.x.y"),
            format!("{head}.{signature}="),
            format!("x{proof}"),
            "{}".to_owned(),
            "W10.e30.AA".to_owned(),
        ],
    )
    .await;
}

/// DPP-03: header and claims are all there, of the right types.
#[tokio::test]
async fn every_member_of_a_proof_is_needed() {
    let bound = Bound::new();
    let mut proofs = Vec::new();
    for header in ["typ", "jwk"] {
        proofs.push(bound.proof().without_header(header).sign());
    }
    for claim in ["jti", "htm", "htu", "iat", "ath"] {
        proofs.push(bound.proof().without(claim).sign());
    }
    proofs.push(bound.proof().claim("iat", "1562262618").sign());
    proofs.push(bound.proof().claim("jti", 7).sign());
    proofs.push(bound.proof().claim("htu", json!([URL])).sign());
    refuse_each(&bound, proofs).await;
}

/// DPP-04: the typ is dpop+jwt, as a media type.
#[tokio::test]
async fn a_proof_says_that_it_is_one() {
    let bound = Bound::new();
    let proofs = ["JWT", "at+jwt", "dpop"].map(|typ| bound.proof().typ(typ).sign());
    refuse_each(&bound, proofs).await;
    for typ in ["DPoP+JWT", "application/dpop+jwt"] {
        bound.present(&bound.proof().typ(typ).sign()).await.assert_passed();
    }
}

/// DPP-05: the algorithm is one of those allowed, in its exact case.
#[tokio::test]
async fn the_algorithm_of_a_proof_is_allowed() {
    let bound = Bound::with(|config| config.dpop(Dpop::accepted().algorithms([Algorithm::Es256])));
    let mut proofs =
        ["none", "None", "HS256", "es256", "ES512"].map(|alg| bound.proof().algorithm_name(alg).sign()).to_vec();
    let other = DpopClient::with_algorithm(Algorithm::EdDsa).clock(bound.fixture.clock.clone());
    proofs.push(other.proof_for(&Method::GET, URL, &bound.token).sign());
    refuse_each(&bound, proofs).await;
}

/// DPP-06: the signature is by the key in the header, which is sound and fits the algorithm.
#[tokio::test]
async fn the_signature_is_by_the_key_in_the_proof() {
    let bound = Bound::new();
    let ec = SigningKey::generate(Algorithm::Es384).unwrap().public_jwk();
    let mut off_curve = SigningKey::generate(Algorithm::Es256).unwrap().public_jwk();
    off_curve["y"] = off_curve["x"].clone();
    let small = json!({ "kty": "RSA", "e": "AQAB", "n": "u".repeat(171) });
    refuse_each(
        &bound,
        [
            bound.proof().bad_signature().sign(),
            bound.proof().signed_by(&DpopClient::new()).sign(),
            bound.proof().algorithm_name("RS256").sign(),
            bound.proof().jwk(ec).sign(),
            bound.proof().jwk(off_curve).sign(),
            bound.proof().jwk(small).sign(),
        ],
    )
    .await;
}

/// DPP-07: no private or symmetric key is taken.
#[tokio::test]
async fn a_proof_that_gives_its_private_key_away_is_refused() {
    let bound = Bound::new();
    let mut proofs = vec![bound.proof().with_private_key().sign()];
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        let mut jwk = SigningKey::from(&bound.client).public_jwk();
        jwk[member] = json!("AA");
        proofs.push(bound.proof().jwk(jwk).sign());
    }
    proofs.push(bound.proof().jwk(json!({ "kty": "oct", "k": "AA" })).sign());
    refuse_each(&bound, proofs).await;
}

/// DPP-08: the method is the request's, byte for byte.
#[tokio::test]
async fn a_proof_is_for_one_method() {
    let bound = Bound::new();
    refuse_each(&bound, ["get", "POST", "GET ", ""].map(|method| bound.proof().htm(method).sign())).await;
    let head = Request::head("/x").dpop_with(&bound.token, &bound.proof().sign());
    send(&bound.fixture.app(), head).await.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
}

/// DPP-09: scheme, host, port and path are the request's.
#[tokio::test]
async fn a_proof_is_for_one_target() {
    let bound = Bound::new();
    let elsewhere = [
        "http://rs.example/x",
        "https://other.example/x",
        "https://rs.example:8443/x",
        "https://rs.example/y",
        "/x",
        "x",
        "",
    ];
    refuse_each(&bound, elsewhere.map(|url| bound.proof().htu(url).sign())).await;
}

/// DPP-10: query and fragment do not matter.
#[tokio::test]
async fn query_and_fragment_are_ignored() {
    let bound = Bound::new();
    for htu in [URL, "https://rs.example/x?a=2", "https://rs.example/x#f", "https://rs.example/x?a=1#f"] {
        let request = Request::get("/x?a=1").dpop_with(&bound.token, &bound.proof().htu(htu).sign());
        send(&bound.fixture.app(), request).await.assert_passed();
    }
}

/// DPP-11: targets are normalised by syntax and scheme.
#[tokio::test]
async fn equal_targets_are_equal() {
    let bound = Bound::new();
    let htu = "HTTPS://RS.example:443/%7ea/./b";
    let request = Request::get("/~a/b").dpop_with(&bound.token, &bound.proof().htu(htu).sign());
    send(&bound.fixture.app(), request).await.assert_passed();
    let root = Request::get("/").dpop_with(&bound.token, &bound.proof().htu("https://rs.example").sign());
    send(&bound.fixture.app(), root).await.assert_passed();
}

/// DPP-12: normalisation merges no two resources.
#[tokio::test]
async fn different_targets_stay_different() {
    let bound = Bound::new();
    for (path, htu) in [
        ("/a%2Fb", "https://rs.example/a/b"),
        ("/a/b", "https://rs.example/a%2Fb"),
        ("/A", "https://rs.example/a"),
        ("/a", "https://rs.example/a/"),
        ("/a/", "https://rs.example/a"),
        ("/a", "https://rs.example:8443/a"),
    ] {
        let request = Request::get(path).dpop_with(&bound.token, &bound.proof().htu(htu).sign());
        let answer = send(&bound.fixture.app(), request).await;
        answer.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
    }
}

/// DPP-13: the target is the configured public URL; no forwarded header is read.
#[tokio::test]
async fn the_target_is_the_configured_url_whatever_a_proxy_says() {
    let bound = Bound::new();
    let behind =
        || Request::get("http://10.0.0.5/x").header("host", "10.0.0.5").header("x-forwarded-host", "evil.example");
    let passed = behind().dpop_with(&bound.token, &bound.proof().sign());
    send(&bound.fixture.app(), passed).await.assert_passed();
    for htu in ["https://evil.example/x", "http://10.0.0.5/x"] {
        let request =
            behind().header("forwarded", "host=evil.example").dpop_with(&bound.token, &bound.proof().htu(htu).sign());
        let answer = send(&bound.fixture.app(), request).await;
        answer.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
    }
    let mapped = Bound::with(|config| config.public_prefix("/orders").also_at("https://alias.example"));
    for (htu, passes) in [
        ("https://rs.example/orders/x", true),
        ("https://alias.example/orders/x", true),
        ("https://rs.example/x", false),
        ("https://third.example/orders/x", false),
    ] {
        assert_eq!(mapped.present(&mapped.proof().htu(htu).sign()).await.passed(), passes, "{htu}");
    }
}

/// DPP-14: under nested routers the path is the one that the client used.
#[tokio::test]
async fn a_nested_router_compares_the_original_path() {
    let bound = Bound::new();
    let layer = OAuthLayer::new(&bound.fixture.server);
    let nested = axum::Router::new().route("/x", axum::routing::get(|| async { "inside" })).layer(layer);
    let app = axum::Router::new().nest("/api", nested);
    for (htu, status) in [("https://rs.example/api/x", 200), ("https://rs.example/x", 401)] {
        let request = Request::get("/api/x").dpop_with(&bound.token, &bound.proof().htu(htu).sign());
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
        assert_eq!(answer.status(), status, "{htu}");
    }
    let mut request = Request::get("/x").dpop_with(&bound.token, &bound.proof().htu("https://rs.example/v1/x").sign());
    request = request.extension(OriginalTarget("/v1/x".parse().unwrap()));
    send(&bound.fixture.app(), request).await.assert_passed();
}

fn with_nonce(config: OAuthConfigBuilder) -> OAuthConfigBuilder {
    config.dpop(Dpop::accepted().nonce(NonceKey::from_secret(SECRET)))
}

/// DPP-15: where nonces are needed, a proof without one is told so and given one.
#[tokio::test]
async fn a_proof_without_a_nonce_is_given_one() {
    let bound = Bound::with(with_nonce);
    let answer = bound.present(&bound.proof().sign()).await;
    answer.assert_dpop_refused(401, "use_dpop_nonce", "dpop_nonce_required");
    assert_eq!(answer.response.headers().get_all("dpop-nonce").iter().count(), 1);
    bound.client.note_nonce(BASE, answer.response.headers());
    bound.get("/x").await.assert_passed();
}

/// DPP-16: a nonce that is unknown, too old or another server's is answered like none; an earlier one still passes.
#[tokio::test]
async fn a_nonce_is_this_servers_and_recent() {
    let bound = Bound::with(with_nonce);
    let other = Bound::with(|config| config.dpop(Dpop::accepted().nonce(NonceKey::from_secret([7; 32]))));
    let nonce_of = async |bound: &Bound| {
        let answer = bound.present(&bound.proof().sign()).await;
        answer.header("dpop-nonce").unwrap().to_owned()
    };
    let (foreign, first) = (nonce_of(&other).await, nonce_of(&bound).await);
    for nonce in [foreign.as_str(), "made-up", ""] {
        let answer = bound.present(&bound.proof().nonce(nonce).sign()).await;
        answer.assert_dpop_refused(401, "use_dpop_nonce", "dpop_nonce_required");
    }
    bound.fixture.clock.advance(Duration::from_secs(30));
    let second = nonce_of(&bound).await;
    assert_ne!(first, second);
    for nonce in [&first, &second] {
        bound.present(&bound.proof().nonce(nonce).sign()).await.assert_passed();
    }
    bound.fixture.clock.advance(Duration::from_secs(600));
    let answer = bound.present(&bound.proof().nonce(&first).sign()).await;
    answer.assert_dpop_refused(401, "use_dpop_nonce", "dpop_nonce_required");
}

/// DPP-17: the time of a proof is within a short window, both ways; a nonce may stand for it.
#[tokio::test]
async fn a_proof_is_recent() {
    let bound = Bound::new();
    for (offset, passes) in [(0, true), (-60, true), (-61, false), (10, true), (11, false), (61, false)] {
        let at = Timestamp::from_secs(bound.now().as_secs() + offset);
        let answer = bound.present(&bound.proof().issued_at(at).sign()).await;
        assert_eq!(answer.passed(), passes, "{offset}");
        if !passes {
            answer.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
        }
    }
    let timeless =
        Bound::with(|config| config.dpop(Dpop::accepted().nonce(NonceKey::from_secret(SECRET)).nonce_instead_of_iat()));
    let nonce = timeless.present(&timeless.proof().sign()).await.header("dpop-nonce").unwrap().to_owned();
    let wrong = Timestamp::from_secs(timeless.now().as_secs() + 7200);
    timeless.present(&timeless.proof().issued_at(wrong).nonce(&nonce).sign()).await.assert_passed();
}

/// DPP-18: the hash is of the very token that was sent.
#[tokio::test]
async fn a_proof_names_its_token() {
    let bound = Bound::new();
    let other = bound.fixture.token().bound_to(&bound.client).sign();
    let mut proofs = vec![bound.proof().ath_of(&other).sign()];
    for ath in ["", "AA", "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo="] {
        proofs.push(bound.proof().claim("ath", ath).sign());
    }
    refuse_each(&bound, proofs).await;
}

/// DPP-19: a proof by another key than the token's is a fault of the token.
#[tokio::test]
async fn a_proof_by_another_key_does_not_free_the_token() {
    let bound = Bound::new();
    let thief = DpopClient::new().clock(bound.fixture.clock.clone());
    let answer = send(&bound.fixture.app(), Request::get("/x").dpop(&thief, BASE, &bound.token)).await;
    answer.assert_dpop_refused(401, "invalid_token", "dpop_key_mismatch");
}

/// DPP-20: the DPoP scheme without a proof.
#[tokio::test]
async fn the_scheme_needs_a_proof() {
    let bound = Bound::new();
    let answer = bound.fixture.authorized(format!("DPoP {}", bound.token)).await;
    answer.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
}

/// DPP-21: a bound token sent as Bearer is refused, proof or no proof.
#[tokio::test]
async fn a_stolen_token_is_worthless_as_bearer() {
    let bound = Bound::new();
    let bare = Request::get("/x").bearer(&bound.token);
    let proved = Request::get("/x").bearer(&bound.token).header("dpop", bound.proof().sign());
    for request in [bare, proved] {
        let answer = send(&bound.fixture.app(), request).await;
        answer.assert_invalid_token("token_bound");
        assert!(answer.parameter_of("DPoP", "algs").is_some());
        assert_eq!(answer.parameter_of("DPoP", "error"), None);
    }
}

/// DPP-22: an unbound token is not lifted by a proof.
#[tokio::test]
async fn an_unbound_token_under_dpop_is_refused() {
    let bound = Bound::new();
    let unbound = bound.fixture.token().sign();
    let answer = send(&bound.fixture.app(), Request::get("/x").dpop(&bound.client, BASE, &unbound)).await;
    answer.assert_dpop_refused(401, "invalid_token", "token_unbound");
}

/// DPP-23: where DPoP is required, Bearer is no scheme, and the metadata say so.
/// SEC-04: sender-constrained tokens can be required.
#[tokio::test]
async fn required_means_that_bearer_is_nothing() {
    let bound = Bound::with(|config| config.dpop(Dpop::required()));
    let answer = bound.fixture.answer(&bound.fixture.token().sign()).await;
    assert_eq!(answer.status(), 401);
    assert!(answer.challenge_of("Bearer").is_none() && answer.challenge_of("DPoP").is_some());
    bound.get("/x").await.assert_passed();
    let metadata = send(&bound.fixture.app(), Request::get("/.well-known/oauth-protected-resource/api")).await;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.body).unwrap();
    assert_eq!(metadata["dpop_bound_access_tokens_required"], true);
    assert!(metadata["dpop_signing_alg_values_supported"].as_array().unwrap().contains(&json!("ES256")));
}

/// DPP-24: a stray proof beside an unbound Bearer token gives no rights.
#[tokio::test]
async fn a_stray_proof_gives_nothing() {
    struct Constrained;
    impl Requirement for Constrained {
        const DEMAND: Demand = Demand::authenticated().sender_constrained();
    }
    let bound = Bound::new();
    let unbound = bound.fixture.token().sign();
    let request = || Request::get("/x").bearer(&unbound).header("dpop", bound.proof().sign());
    send(&bound.fixture.app(), request()).await.assert_passed();
    let guarded = bound.fixture.guarded::<Constrained>();
    let answer = send(&guarded, request()).await;
    answer.assert_dpop_refused(401, "invalid_token", "sender_unproved");
    assert!(answer.challenge_of("Bearer").is_none());
    send(&guarded, Request::get("/x").dpop(&bound.client, BASE, &bound.token)).await.assert_passed();
}

/// DPP-25: every DPoP challenge lists the algorithms.
#[tokio::test]
async fn the_algorithms_are_in_every_challenge() {
    let bound = Bound::with(|config| config.dpop(Dpop::accepted().algorithms([Algorithm::Es256, Algorithm::EdDsa])));
    for answer in [send(&bound.fixture.app(), Request::get("/x")).await, bound.present("junk").await] {
        assert_eq!(answer.parameter_of("DPoP", "algs"), Some("ES256 EdDSA"));
    }
}

/// DPP-26: the error stands in the challenge of the scheme that was tried.
/// HTT-05: with both schemes enabled, a request without a credential gets both challenges.
#[tokio::test]
async fn the_error_is_told_to_the_scheme_that_was_tried() {
    let bound = Bound::new();
    let bearer = bound.fixture.answer("junk").await;
    bearer.assert_invalid_token("token_malformed");
    assert_eq!(bearer.parameter_of("DPoP", "error"), None);
    let dpop = send(&bound.fixture.app(), Request::get("/x").dpop(&bound.client, BASE, "junk")).await;
    dpop.assert_dpop_refused(401, "invalid_token", "token_malformed");
    let neither = send(&bound.fixture.app(), Request::get("/x")).await;
    assert!(neither.challenge_of("Bearer").is_some() && neither.challenge_of("DPoP").is_some());
    assert!(!format!("{:?}", neither.response.headers()).contains("error"));
}

/// HTT-04: of several credentials none is taken, and each scheme that was tried is told.
#[tokio::test]
async fn several_schemes_are_each_told() {
    let bound = Bound::new();
    let token = &bound.token;
    let both = Request::get("/x").bearer(token).header("authorization", format!("DPoP {token}"));
    let listed = Request::get("/x").header("authorization", format!("Bearer {token}, DPoP {token}"));
    for request in [both, listed] {
        let answer = send(&bound.fixture.app(), request).await;
        assert_eq!(answer.status(), 400);
        for scheme in ["Bearer", "DPoP"] {
            assert_eq!(answer.parameter_of(scheme, "error"), Some("invalid_request"), "{scheme}");
        }
    }
}

/// DPP-27: a scope that is lacking is told in a DPoP challenge.
#[tokio::test]
async fn a_missing_scope_is_told_to_dpop() {
    let bound = Bound::new();
    let guarded = bound.fixture.guarded::<crate::support::ReadAndWrite>();
    let answer = send(&guarded, Request::get("/x").dpop(&bound.client, BASE, &bound.token)).await;
    answer.assert_dpop_refused(403, "insufficient_scope", "scope_missing");
    assert_eq!(answer.parameter_of("DPoP", "scope"), Some("read write"));
    assert!(answer.challenge_of("Bearer").is_none());
}

/// DPP-28: one nonce on an answer, unpredictable, uncacheable, and good at every server with the key.
#[tokio::test]
async fn a_nonce_is_renewed_on_success_and_shared_by_replicas() {
    let (one, two) = (Bound::with(with_nonce), Bound::with(with_nonce));
    let first = one.present(&one.proof().sign()).await;
    one.client.note_nonce(BASE, first.response.headers());
    let noisy = OAuthLayer::new(&one.fixture.server).layer(service_fn(|_: Request<Full<bytes::Bytes>>| async {
        let answer = http::Response::builder().header("dpop-nonce", "theirs").header("x-inner", "called");
        Ok::<_, std::convert::Infallible>(answer.body(Full::<bytes::Bytes>::default()).unwrap())
    }));
    let app: App = BoxCloneSyncService::new(noisy);
    let passed = send(&app, Request::get("/x").dpop(&one.client, BASE, &one.token)).await;
    passed.assert_passed();
    let nonces: Vec<_> = passed.response.headers().get_all("dpop-nonce").iter().collect();
    assert_eq!(nonces.len(), 1);
    assert_ne!(nonces[0], "theirs");
    assert_eq!(passed.header("cache-control"), Some("no-store"));
    let nonce = nonces[0].to_str().unwrap();
    assert!(nonce.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)), "{nonce}");
    let token = two.fixture.token().bound_to(&one.client).sign();
    let proof = one.client.proof_for(&Method::GET, URL, &token).nonce(nonce).sign();
    send(&two.fixture.app(), Request::get("/x").dpop_with(&token, &proof)).await.assert_passed();
}

/// DPP-29: a client that never saw a nonce does not get around it.
#[tokio::test]
async fn a_nonce_cannot_be_left_out() {
    let bound = Bound::with(with_nonce);
    for _ in 0..3 {
        let answer = bound.present(&bound.proof().sign()).await;
        answer.assert_dpop_refused(401, "use_dpop_nonce", "dpop_nonce_required");
    }
}

/// DPP-30: a proof passes once within its window, to the window's end.
#[tokio::test]
async fn a_proof_passes_once() {
    let bound = Bound::new();
    let proof = bound.proof().sign();
    bound.present(&proof).await.assert_passed();
    bound.present(&proof).await.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_replayed");
    let ahead = Timestamp::from_secs(bound.now().as_secs() + 10);
    let early = bound.proof().issued_at(ahead).sign();
    bound.present(&early).await.assert_passed();
    bound.fixture.clock.advance(Duration::from_secs(70));
    bound.present(&early).await.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_replayed");
}

/// DPP-31: equal identifiers of different clients do not collide.
#[tokio::test]
async fn two_clients_may_choose_the_same_identifier() {
    let bound = Bound::new();
    bound.present(&bound.proof().jti("same").sign()).await.assert_passed();
    let other = DpopClient::new().clock(bound.fixture.clock.clone());
    let token = bound.fixture.token().bound_to(&other).sign();
    let proof = other.proof_for(&Method::GET, URL, &token).jti("same").sign();
    send(&bound.fixture.app(), Request::get("/x").dpop_with(&token, &proof)).await.assert_passed();
}

/// DPP-32: an oversized identifier is refused, and a full store refuses rather than forgets.
#[tokio::test]
async fn memory_is_bounded_and_a_full_store_is_no_pass() {
    let bound = Bound::new();
    refuse_each(&bound, [bound.proof().jti("j".repeat(257)).sign(), bound.proof().jti("j".repeat(65_536)).sign()])
        .await;
    let full = Bound::with(|config| config.replay(MemoryReplayStore::with_capacity(3, T)));
    let first = full.proof().sign();
    full.present(&first).await.assert_passed();
    let mut answers = Vec::new();
    for _ in 0..200 {
        answers.push(full.get("/x").await);
    }
    let refused = answers.last().unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.rejection().kind().as_str(), "replay_unknown");
    assert!(refused.header("retry-after").is_some() && refused.challenge_of("DPoP").is_none());
    full.present(&first).await.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_replayed");
    full.fixture.clock.advance(Duration::from_secs(200));
    full.get("/x").await.assert_passed();
}

/// DPP-33: a proof is burnt only by passing, and of a hundred at once one passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_equal_proofs_one_passes() {
    let bound = Bound::new();
    let forged = bound.proof().jti("one").bad_signature().sign();
    bound.present(&forged).await.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
    let proof = bound.proof().jti("one").sign();
    let attempts: Vec<_> = (0..100)
        .map(|_| {
            let (app, token, proof) = (bound.fixture.app(), bound.token.clone(), proof.clone());
            tokio::spawn(async move { send(&app, Request::get("/x").dpop_with(&token, &proof)).await.passed() })
        })
        .collect();
    let mut passed = 0;
    for attempt in attempts {
        passed += usize::from(attempt.await.unwrap());
    }
    assert_eq!(passed, 1);
}

/// DPP-34: what is not known is tolerated, unless it is critical.
#[tokio::test]
async fn further_members_are_tolerated_and_critical_ones_are_not() {
    let bound = Bound::new();
    bound.present(&bound.proof().claim("extra", json!({ "a": 1 })).header("x", "y").sign()).await.assert_passed();
    refuse_each(&bound, [bound.proof().header("crit", json!(["x"])).sign()]).await;
}

/// DPP-36: plain http is taken at loopback alone, behind a door with its name on it.
#[test]
fn dpop_needs_tls() {
    assert!(OAuthConfig::builder("http://rs.example").trust("https://as.example").build().is_err());
    assert!(
        OAuthConfig::builder("https://rs.example")
            .also_at("http://alias.example")
            .trust("https://as.example")
            .build()
            .is_err()
    );
}

#[tokio::test]
async fn a_layer_within_a_layer_spends_a_proof_once() {
    let bound = Bound::new();
    let layer = || OAuthLayer::new(&bound.fixture.server);
    let app: App = BoxCloneSyncService::new(layer().layer(layer().layer(service_fn(inner))));
    send(&app, Request::get("/x").dpop(&bound.client, BASE, &bound.token)).await.assert_passed();
}

#[tokio::test]
async fn a_cached_verdict_needs_a_proof_all_the_same() {
    let bound = Bound::new();
    bound.get("/x").await.assert_passed();
    bound.get("/x").await.assert_passed();
    bound.fixture.answer(&bound.token).await.assert_invalid_token("token_bound");
}

#[tokio::test]
async fn a_token_bound_by_another_method_is_refused() {
    let bound = Bound::new();
    let jkt = bound.client.thumbprint();
    for (cnf, passes) in [
        (json!({ "jkt": jkt }), true),
        (json!({ "jkt": jkt, "vendor": "x" }), true),
        (json!({ "jkt": jkt, "x5t#S256": "x" }), false),
        (json!({ "x5t#S256": "x" }), false),
        (json!({ "vendor": "x" }), false),
        (json!({}), false),
    ] {
        let token = bound.fixture.token().confirmation(cnf.clone()).sign();
        let answer = send(&bound.fixture.app(), Request::get("/x").dpop(&bound.client, BASE, &token)).await;
        assert_eq!(answer.passed(), passes, "{cnf}");
    }
}

#[tokio::test]
async fn without_dpop_its_scheme_is_nothing_and_a_bound_token_is_refused() {
    let bound = Bound::with(|config| config.dpop(Dpop::off()));
    let answer = bound.get("/x").await;
    answer.assert_refused(401, None);
    assert!(answer.challenge_of("DPoP").is_none());
    bound.fixture.answer(&bound.token).await.assert_invalid_token("token_bound");
}

#[tokio::test]
async fn proof_and_token_are_sensitive_or_gone_behind_the_layer() {
    let bound = Bound::new();
    let stripped = OAuthLayer::new(&bound.fixture.server).strip_credential().layer(service_fn(
        |request: Request<Full<bytes::Bytes>>| async move {
            assert!(!request.headers().contains_key("dpop") && !request.headers().contains_key("authorization"));
            inner(request).await
        },
    ));
    let app: App = BoxCloneSyncService::new(stripped);
    send(&app, Request::get("/x").dpop(&bound.client, BASE, &bound.token)).await.assert_passed();
}

/// A store that is never there.
#[derive(Debug)]
struct Away;

impl ReplayStore for Away {
    fn check_and_insert(&self, _: ReplayEntry, _: Timestamp) -> Answer<Replay> {
        Answer::Later(Box::pin(async { Replay::Unavailable(StoreError::new("no route")) }))
    }
}

#[tokio::test]
async fn a_store_out_of_reach_is_a_503_and_never_a_pass() {
    let bound = Bound::with(|config| config.replay(Away));
    let answer = bound.get("/x").await;
    assert_eq!((answer.status().as_u16(), answer.passed()), (503, false));
    assert_eq!(answer.rejection().kind().as_str(), "replay_unknown");
    // A proof that is wrong is judged without asking the store.
    let forged = bound.present(&bound.proof().bad_signature().sign()).await;
    forged.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
}

#[test]
fn a_key_of_this_process_alone_does_not_fit_a_shared_store() {
    let build = |key| {
        let dpop = Dpop::accepted().nonce(key);
        OAuthConfig::builder("https://rs.example").trust("https://as.example").replay(Away).dpop(dpop).build()
    };
    assert!(build(NonceKey::generated()).unwrap_err().to_string().contains("from_secret"));
    assert!(build(NonceKey::from_secret(SECRET)).is_ok());
    assert!(build(NonceKey::from_secret("short")).is_err());
}

#[tokio::test]
async fn a_proof_from_before_the_store_was_born_is_refused() {
    let bound = Bound::with(|config| config.replay(MemoryReplayStore::new(Timestamp::from_secs(T.as_secs() + 190))));
    let at = |offset: i64| Timestamp::from_secs(T.as_secs() + offset);
    let before = bound.present(&bound.proof().issued_at(at(189)).sign()).await;
    before.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_invalid");
    bound.present(&bound.proof().issued_at(at(191)).sign()).await.assert_passed();
}

#[tokio::test]
async fn a_client_whose_nonce_is_older_than_the_store_is_given_a_new_one() {
    let born = Timestamp::from_secs(T.as_secs() + 210);
    let bound = Bound::with(|config| {
        let dpop = Dpop::accepted().nonce(NonceKey::from_secret(SECRET)).nonce_instead_of_iat();
        config.dpop(dpop).replay(MemoryReplayStore::new(born))
    });
    let before = bound.present(&bound.proof().sign()).await;
    bound.client.note_nonce(BASE, before.response.headers());
    bound.fixture.clock.advance(Duration::from_secs(20));
    let old = bound.get("/x").await;
    old.assert_dpop_refused(401, "use_dpop_nonce", "dpop_nonce_required");
    bound.client.note_nonce(BASE, old.response.headers());
    bound.get("/x").await.assert_passed();
}

#[tokio::test]
async fn a_reconfigured_server_still_remembers_used_proofs() {
    let bound = Bound::new();
    let proof = bound.proof().sign();
    bound.present(&proof).await.assert_passed();
    let config = crate::support::config(&bound.fixture.clock).trust(bound.fixture.issuer.issuer());
    bound.fixture.server.replace(config.build().unwrap());
    bound.present(&proof).await.assert_dpop_refused(401, "invalid_dpop_proof", "dpop_proof_replayed");
    bound.get("/x").await.assert_passed();
}

/// FAP-01: by the profile, Bearer is nothing and a query token too.
/// FAP-02: only PS256, ES256 and Ed25519 are taken, of tokens and of proofs.
/// FAP-03: a clock up to 10 s ahead is accepted, and one of a minute is not.
#[tokio::test]
async fn the_fapi_profile_holds() {
    let bound = Bound::new();
    let clock = bound.fixture.clock.clone();
    let config = OAuthConfig::fapi2(crate::support::RESOURCE).clock(clock.clone()).trust(bound.fixture.issuer.issuer());
    let fixture = Fixture { server: tower_oauth::ResourceServer::new(config.build().unwrap()), ..bound.fixture };
    let bound = Bound { fixture, ..bound };
    bound.fixture.clock.advance(Duration::from_secs(100));
    for algorithm in Algorithm::ALL {
        bound.fixture.issuer.add_key(algorithm);
    }
    let plain = bound.fixture.answer(&bound.fixture.token().sign()).await;
    assert_eq!((plain.status().as_u16(), plain.challenge_of("Bearer")), (401, None));
    let query = format!("/x?access_token={}", bound.token);
    assert_eq!(send(&bound.fixture.app(), Request::get(query)).await.status(), 401);
    for (algorithm, passes) in [
        (Algorithm::Es256, true),
        (Algorithm::Ps256, true),
        (Algorithm::EdDsa, true),
        (Algorithm::Ed25519, true),
        (Algorithm::Rs256, false),
        (Algorithm::Es384, false),
    ] {
        let token = bound.fixture.token().bound_to(&bound.client).algorithm(algorithm).sign();
        let answer = send(&bound.fixture.app(), Request::get("/x").dpop(&bound.client, BASE, &token)).await;
        assert_eq!(answer.passed(), passes, "token {algorithm}");
        let client = DpopClient::with_algorithm(algorithm).clock(clock.clone());
        let token = bound.fixture.token().bound_to(&client).sign();
        let answer = send(&bound.fixture.app(), Request::get("/x").dpop(&client, BASE, &token)).await;
        assert_eq!(answer.passed(), passes, "proof {algorithm}");
    }
    for (ahead, passes) in [(10, true), (61, false)] {
        let at = Timestamp::from_secs(bound.now().as_secs() + ahead);
        let token = bound.fixture.token().bound_to(&bound.client).issued_at(at).sign();
        let answer = send(&bound.fixture.app(), Request::get("/x").dpop(&bound.client, BASE, &token)).await;
        assert_eq!(answer.passed(), passes, "{ahead}");
    }
}
