//! Whose certificates are believed, against TLS servers on loopback.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::transport::fetch::{Fetched, Fetcher};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server on 127.0.0.1 whose certificate names `name`; answers every connection with one small document.
async fn server(
    ca: &Authority,
    name: &str,
    expired: bool,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    if expired {
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    }
    let certificate = params.signed_by(&key, ca).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://127.0.0.1:{port}/jwks")
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

async fn fetch(transport: HyperTransport, url: &str) -> Result<(), (&'static str, String)> {
    match Fetcher::new(Arc::new(transport), false).get(url, "application/json", None).await {
        Ok(Fetched::Document(document)) => {
            assert_eq!(document.bytes, "{}");
            Ok(())
        }
        Ok(Fetched::NotModified { .. }) => panic!("not asked for"),
        Err(error) => Err((error.code(), error.with_causes().to_string())),
    }
}

#[tokio::test]
async fn a_server_of_the_private_authority_is_fetched_from() {
    let ca = authority("ours");
    for versions in [BOTH, &[&rustls::version::TLS12]] {
        let url = server(&ca, "127.0.0.1", false, versions).await;
        let by_pem = HyperTransport::with_root_certificate_pem(ca.pem().as_bytes()).unwrap();
        assert_eq!(fetch(by_pem, &url).await, Ok(()));
        let by_der = HyperTransport::with_root_certificate_der(ca.der()).unwrap();
        assert_eq!(fetch(by_der.and_native_roots(), &url).await, Ok(()));
    }
}

#[tokio::test]
async fn a_server_of_another_authority_is_not() {
    let url = server(&authority("theirs"), "127.0.0.1", false, BOTH).await;
    let transport = HyperTransport::with_root_certificate_pem(authority("ours").pem().as_bytes()).unwrap();
    let (code, text) = fetch(transport, &url).await.unwrap_err();
    assert_eq!(code, "connect");
    assert!(text.contains("UnknownIssuer"), "the operator must learn why: {text}");
}

#[tokio::test]
async fn an_expired_or_misnamed_certificate_is_not_believed() {
    let ca = authority("ours");
    let transport = HyperTransport::with_root_certificate_pem(ca.pem().as_bytes()).unwrap();
    let expired = server(&ca, "127.0.0.1", true, BOTH).await;
    let (code, text) = fetch(transport.clone(), &expired).await.unwrap_err();
    assert_eq!((code, text.contains("expired")), ("connect", true), "{text}");
    let misnamed = server(&ca, "other.example", false, BOTH).await;
    let (code, text) = fetch(transport, &misnamed).await.unwrap_err();
    assert_eq!((code, text.contains("not valid for name")), ("connect", true), "{text}");
}

/// rustls speaks nothing older than TLS 1.2, so a server that does cannot be built here; what the client offers is read
/// from its first message instead: the extension supported_versions (RFC 8446 section 4.2.1).
#[tokio::test]
async fn nothing_below_tls_1_2_is_offered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let transport = HyperTransport::with_root_certificate_der(authority("ours").der()).unwrap();
    let fetched = tokio::spawn(async move { fetch(transport, &url).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut hello = vec![0; 4096];
    let length = stream.read(&mut hello).await.unwrap();
    drop(stream);
    let tls_1_3_and_1_2 = [0x00, 0x2B, 0x00, 0x05, 0x04, 0x03, 0x04, 0x03, 0x03];
    assert!(hello[..length].windows(tls_1_3_and_1_2.len()).any(|window| window == tls_1_3_and_1_2));
    assert_eq!(fetched.await.unwrap().unwrap_err().0, "connect");
}

#[tokio::test]
async fn nothing_listening_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    drop(listener);
    assert_eq!(
        fetch(HyperTransport::with_root_certificate_der(authority("ours").der()).unwrap(), &url).await.unwrap_err().0,
        "connect"
    );
}

#[test]
fn a_text_without_certificates_is_refused_at_once() {
    for bad in ["", "hello", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
        let error = HyperTransport::with_root_certificate_pem(bad.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("certificate"), "{bad}");
    }
    assert!(HyperTransport::with_root_certificate_der(b"junk").is_err());
}
