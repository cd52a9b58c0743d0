//! Token requests with DPoP proofs over loopback (RFC 9449 sections 5 and 8).

use http::Method;

use super::*;
use crate::mint::keys::SigningKey;
use crate::test::{DpopClient, ManualClock};

async fn start(setup: impl FnOnce(DevServerBuilder) -> DevServerBuilder) -> DevServer {
    let builder = DevServer::builder()
        .client("shop", "s3cr3t", ["orders:read"])
        .dpop_bound_client("bound", "s3cr3t", ["orders:read"])
        .audience("https://api.test");
    setup(builder).quiet().start().await.unwrap()
}

fn token_url(dev: &DevServer) -> String {
    format!("{}/token", dev.issuer_url())
}

async fn send_proofs(dev: &DevServer, client_id: &str, proofs: &[&str]) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::post(token_url(dev))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{client_id}:s3cr3t"))));
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    let (status, headers, body) = send(request.body(Full::from(GRANT)).unwrap()).await.unwrap();
    (status, headers, serde_json::from_slice(&body).unwrap())
}

/// Answers as a client with nothing to hide: the proof is right but for what the builder was told.
async fn answer(dev: &DevServer, proof: &crate::mint::proof::ProofBuilder) -> (StatusCode, Value) {
    let (status, _, answer) = send_proofs(dev, "shop", &[&proof.sign()]).await;
    (status, answer)
}

fn claims(answer: &Value) -> Value {
    serde_json::from_str(&Compact::parse(answer["access_token"].as_str().unwrap()).unwrap().payload).unwrap()
}

/// DAS-08: the type is `DPoP`, and `cnf.jkt` names the key.
#[tokio::test]
async fn a_proof_binds_the_token_to_its_key_under_every_algorithm() {
    let dev = start(|builder| builder.issuer_path("/tenant")).await;
    for algorithm in Algorithm::ALL {
        let client = DpopClient::with_algorithm(algorithm);
        let proof = client.proof(&Method::POST, &token_url(&dev));
        let (status, answer) = answer(&dev, &proof).await;
        assert_eq!((status, &answer["token_type"]), (StatusCode::OK, &json!("DPoP")), "{algorithm}: {answer}");
        assert_eq!(claims(&answer)["cnf"], json!({ "jkt": client.thumbprint() }));
    }
}

#[tokio::test]
async fn without_a_proof_the_token_is_for_any_bearer_unless_the_client_is_bound() {
    let dev = start(|builder| builder).await;
    let (status, headers, answer) = send_proofs(&dev, "shop", &[]).await;
    assert_eq!((status, &answer["token_type"]), (StatusCode::OK, &json!("Bearer")));
    assert!(claims(&answer).get("cnf").is_none() && !headers.contains_key("dpop-nonce"));
    let (status, _, answer) = send_proofs(&dev, "bound", &[]).await;
    assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_dpop_proof")));
    let proof = DpopClient::new().proof(&Method::POST, &token_url(&dev)).sign();
    let (_, _, answer) = send_proofs(&dev, "bound", &[&proof]).await;
    assert_eq!(answer["token_type"], "DPoP");
    assert_eq!(dev.tokens_issued(), 2);
}

/// DAS-08: 400 `invalid_dpop_proof`.
#[tokio::test]
async fn each_thing_wrong_with_a_proof_refuses_the_token() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| builder.clock(clock.clone())).await;
    let url = token_url(&dev);
    let (client, other) = (DpopClient::new().clock(clock.clone()), DpopClient::new());
    let proof = || client.proof(&Method::POST, &url);
    let rsa = SigningKey::generate(Algorithm::Rs256).unwrap();
    let off = |seconds: u64| Duration::from_secs(seconds);
    for (name, bad) in [
        ("typ", proof().typ("JWT")),
        ("no typ", proof().without_header("typ")),
        ("none", proof().algorithm_name("none")),
        ("symmetric", proof().algorithm_name("HS256")),
        ("another alg", proof().algorithm_name("ES384")),
        ("no alg", proof().without_header("alg")),
        ("no jwk", proof().without_header("jwk")),
        ("jwk is text", proof().header("jwk", "x")),
        ("symmetric key", proof().jwk(json!({ "kty": "oct", "k": "AAAA" }))),
        ("another key", proof().jwk(Value::Object(rsa.public_members()))),
        ("private key", proof().with_private_key()),
        ("crit", proof().header("crit", json!(["x"]))),
        ("foreign signature", proof().signed_by(&other)),
        ("bad signature", proof().bad_signature()),
        ("no jti", proof().without("jti")),
        ("jti is a number", proof().claim("jti", 7)),
        ("empty jti", proof().jti("")),
        ("long jti", proof().jti("j".repeat(257))),
        ("no htm", proof().without("htm")),
        ("htm in lower case", proof().htm("post")),
        ("another method", proof().htm("GET")),
        ("no htu", proof().without("htu")),
        ("another path", proof().htu(format!("{url}/x"))),
        ("another case of the path", proof().htu(url.replace("token", "Token"))),
        ("another origin", proof().htu("https://as.test/token")),
        ("no URL", proof().htu("/token")),
        ("no iat", proof().without("iat")),
        ("iat is text", proof().claim("iat", "1562262618")),
        ("too old", proof().issued_at(clock.now().minus(off(61)))),
        ("too far ahead", proof().issued_at(clock.now().plus(off(61)))),
    ] {
        let (status, answer) = answer(&dev, &bad).await;
        assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_dpop_proof")), "{name}");
    }
    for malformed in ["", "x", "a.b", "a.b.c.d", "e30.e30.AA"] {
        let (_, _, answer) = send_proofs(&dev, "shop", &[malformed]).await;
        assert_eq!(answer["error"], "invalid_dpop_proof", "{malformed}");
    }
    for good in [
        proof().typ("application/DPoP+JWT"),
        proof().htu(format!("{}?a=1#f", url.replace("http", "HTTP"))),
        proof().issued_at(clock.now().minus(off(60))),
        proof().issued_at(clock.now().plus(off(60))),
        proof().claim("extra", 1).header("kid", "k").nonce("not asked for"),
    ] {
        assert_eq!(answer(&dev, &good).await.0, StatusCode::OK);
    }
    assert_eq!(dev.tokens_issued(), 5);
}

#[tokio::test]
async fn a_proof_is_good_once_and_two_in_one_request_are_none() {
    let dev = start(|builder| builder).await;
    let client = DpopClient::new();
    let proof = || client.proof(&Method::POST, &token_url(&dev)).jti("j");
    let (_, _, answer) = send_proofs(&dev, "shop", &[&proof().sign(), &proof().sign()]).await;
    assert_eq!(answer["error"], "invalid_dpop_proof");
    let folded = format!("{}, {}", proof().sign(), proof().sign());
    assert_eq!(send_proofs(&dev, "shop", &[&folded]).await.2["error"], "invalid_dpop_proof");
    assert_eq!(send_proofs(&dev, "shop", &[&proof().bad_signature().sign()]).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(send_proofs(&dev, "shop", &[&proof().sign()]).await.0, StatusCode::OK, "none of these used it up");
    assert_eq!(send_proofs(&dev, "shop", &[&proof().sign()]).await.2["error"], "invalid_dpop_proof");
    let others = DpopClient::new().proof(&Method::POST, &token_url(&dev)).jti("j").sign();
    assert_eq!(send_proofs(&dev, "shop", &[&others]).await.0, StatusCode::OK, "another key has its own identifiers");
}

/// DAS-08: 400 `use_dpop_nonce` with the nonce to use.
#[tokio::test]
async fn a_nonce_is_told_asked_for_and_renewed() {
    let dev = start(|builder| builder.dpop_nonce(true)).await;
    let (url, client) = (token_url(&dev), DpopClient::new());
    let proof = || client.proof(&Method::POST, &url).sign();
    let (status, headers, answer) = send_proofs(&dev, "shop", &[&proof()]).await;
    assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("use_dpop_nonce")));
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(headers.get_all("dpop-nonce").iter().count(), 1);
    client.note_nonce(&url, &headers);
    let first = client.nonce_for(&url).unwrap();
    let (status, headers, _) = send_proofs(&dev, "shop", &[&proof()]).await;
    assert_eq!((status, &headers["dpop-nonce"]), (StatusCode::OK, &first.parse().unwrap()));

    dev.rotate_dpop_nonce();
    let (status, headers, _) = send_proofs(&dev, "shop", &[&proof()]).await;
    assert_eq!(status, StatusCode::OK, "the previous nonce is still good");
    client.note_nonce(&url, &headers);
    assert_ne!(client.nonce_for(&url).unwrap(), first, "and the answer brings the next");
    assert_eq!(send_proofs(&dev, "shop", &[&proof()]).await.0, StatusCode::OK);

    dev.rotate_dpop_nonce();
    let old = client.proof(&Method::POST, &url).nonce(&first).sign();
    assert_eq!(send_proofs(&dev, "shop", &[&old]).await.2["error"], "use_dpop_nonce");
    let (_, headers, answer) = send_proofs(&dev, "shop", &[]).await;
    assert_eq!(answer["token_type"], "Bearer", "a nonce belongs to a proof");
    assert!(!headers.contains_key("dpop-nonce"));
}

#[tokio::test]
async fn nonces_go_with_the_time() {
    let clock = ManualClock::starting_now();
    let dev = start(|builder| builder.dpop_nonce(true).clock(clock.clone())).await;
    let (url, client) = (token_url(&dev), DpopClient::new().clock(clock.clone()));
    let (_, headers, _) = send_proofs(&dev, "shop", &[&client.proof(&Method::POST, &url).sign()]).await;
    client.note_nonce(&url, &headers);
    clock.advance(Duration::from_secs(119));
    assert_eq!(answer(&dev, &client.proof(&Method::POST, &url)).await.0, StatusCode::OK);
    clock.advance(Duration::from_secs(60));
    assert_eq!(answer(&dev, &client.proof(&Method::POST, &url)).await.1["error"], "use_dpop_nonce");
    clock.advance(Duration::from_secs(1_000));
    let (_, headers, answer) = send_proofs(&dev, "shop", &["malformed"]).await;
    assert_eq!(answer["error"], "invalid_dpop_proof");
    client.note_nonce(&url, &headers);
    let (status, ..) = send_proofs(&dev, "shop", &[&client.proof(&Method::POST, &url).sign()]).await;
    assert_eq!(status, StatusCode::OK, "a refusal brings a nonce that is fresh");
}

#[tokio::test]
async fn a_stranger_is_told_so_first_and_metadata_tell_the_algorithms() {
    let dev = start(|builder| builder.dpop_nonce(true)).await;
    let (_, _, answer) = send_proofs(&dev, "nobody", &["x"]).await;
    assert_eq!(answer["error"], "invalid_client");
    let metadata = json_at(&format!("{}/.well-known/oauth-authorization-server", dev.issuer_url())).await;
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(Algorithm::ALL.map(Algorithm::as_str)));
}
