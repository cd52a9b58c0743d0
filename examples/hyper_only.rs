//! hyper and tower alone: no router, no extractors. Rules by path decide who may pass.
//!
//! ```sh
//! cargo run --example hyper_only
//! ```
//!
//! It prints `curl` lines, each under what it will answer: paste them into another shell. Look at the path that no rule
//! names, and at those that only look other than they are: whatever is not opened is closed.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tower::ServiceBuilder;
use tower_oauth::dev::DevServer;
use tower_oauth::{Authenticated, OAuthConfig, OAuthLayer, PathRules};

tower_oauth::scopes! {
    /// See orders.
    ReadOrders = "orders:read";
    /// Run the shop.
    Admin = "admin";
}

/// The first rule that matches decides; a path that none matches needs a token.
fn rules() -> PathRules {
    PathRules::new()
        .public("/health")
        .require::<ReadOrders>((Method::GET, "/orders"))
        // Every other method. Without this line POST would need a token and no scope.
        .require::<Admin>("/orders")
        .require::<Admin>("/admin/{*rest}")
}

/// Called only for requests that the rules let pass.
async fn serve(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // The layer leaves what it proved. Public paths have none of it.
    let caller = request.extensions().get::<Authenticated>().map(|known| known.principal().to_string());
    let (status, text) = match (request.uri().path(), caller) {
        ("/health", _) => (StatusCode::OK, "well\n".to_owned()),
        ("/orders", Some(caller)) => (StatusCode::OK, format!("the orders of {caller}\n")),
        (path, Some(caller)) if path.starts_with("/admin/") => (StatusCode::OK, format!("{caller} runs the shop\n")),
        _ => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let api = format!("http://{}", listener.local_addr()?);
    let dev = DevServer::builder().audience(&api).token_lifetime(Duration::from_secs(3600)).start().await?;
    let config = OAuthConfig::builder(&api).trust(dev.issuer_url()).dangerous_loopback_http().build()?;

    let service = ServiceBuilder::new().layer(OAuthLayer::new(config).paths(rules())).service_fn(serve);
    let service = TowerToHyperService::new(service);

    print_lines(&api, &dev);
    let mut interrupted = std::pin::pin!(ctrl_c());
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            interrupted = &mut interrupted => return Ok(interrupted?),
        };
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection broke: {error}");
            }
        });
    }
}

fn print_lines(api: &str, dev: &DevServer) {
    let reader = dev.token().subject("alice").scope("orders:read").sign();
    let admin = dev.token().subject("bob").scope("admin").sign();
    println!(
        r#"Orders are at {api}. Paste any of these lines into another shell.

# 200: public
curl -i {api}/health

# 200: the rule of the path wants orders:read
curl -i {api}/orders -H 'Authorization: Bearer {reader}'

# 401: without a token, the challenge names the scope to ask for
curl -i {api}/orders

# 403: every other method there is for administrators
curl -i -X DELETE {api}/orders -H 'Authorization: Bearer {reader}'

# 403: below /admin the scope admin is needed
curl -i {api}/admin/tills -H 'Authorization: Bearer {reader}'

# 200: with it
curl -i {api}/admin/tills -H 'Authorization: Bearer {admin}'

# 401: another spelling of a public path is not public
curl -i {api}//health

# 403: another spelling of a demanded path is demanded all the same
curl -i {api}/%61dmin/tills -H 'Authorization: Bearer {reader}'

# 401: no rule opens this path, so it needs a token
curl -i {api}/forgotten

# 404: with a token it is the service's turn, which has nothing there
curl -i {api}/forgotten -H 'Authorization: Bearer {reader}'

# 200: the layer answers the metadata path itself (RFC 9728)
curl -i {api}/.well-known/oauth-protected-resource

Ctrl-C ends it."#
    );
}
