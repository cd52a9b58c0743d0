//! TLS: the certificate decides, and no provider of the process.

use std::fs;

use rcgen::{CertificateParams, KeyPair};

use super::server::{Server, free_port};
use super::*;

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_alone() {
    let (key, stranger) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let other = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&stranger).unwrap();
    let folder = std::env::temp_dir().join(format!("tower-oauth-redis-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (pem, secret) = (file("certificate.pem", certificate.pem()), file("key.pem", key.serialize_pem()));
    let port = free_port().to_string();
    let tls = ["--tls-port", &port, "--tls-cert-file", &pem, "--tls-key-file", &secret, "--tls-auth-clients", "no"];
    let _server = Server::start_with(&tls);

    let store = |host: &str, roots: String| {
        let builder =
            RedisStore::builder(&format!("rediss://{host}:{port}"), super::key()).clock_tolerance(Duration::ZERO);
        builder.root_certificates_pem(roots).build().unwrap()
    };
    let (good, wrong) = (certificate.pem(), other.pem());
    assert_eq!(ask(&store("localhost", good.clone()), entry(1, NOW), NOW).await, Replay::Fresh);
    for (host, roots) in [("localhost", wrong), ("127.0.0.1", good)] {
        let refused = ask(&store(host, roots), entry(2, NOW), NOW).await;
        assert!(matches!(&refused, Replay::Unavailable(why) if why.to_string().contains("TLS")), "{host}: {refused:?}");
    }
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "the process has no provider, before and after");
    fs::remove_dir_all(&folder).unwrap();
}
