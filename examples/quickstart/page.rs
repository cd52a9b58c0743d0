//! The files of the page, kept in the program, under headers that let nothing else in.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, header::InvalidHeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

macro_rules! files {
    ($($path:literal: $media:ident $file:literal,)+) => {
        [$(($path, $media, include_str!($file)),)+]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const FILES: [(&str, &str, &str); 14] = files! {
    "/": HTML "index.html",
    "/callback": HTML "callback.html",
    "/style.css": CSS "style.css",
    "/icon.svg": SVG "icon.svg",
    "/app.js": SCRIPT "app.js",
    "/callback.js": SCRIPT "callback.js",
    "/client.js": SCRIPT "client.js",
    "/dpop.js": SCRIPT "dpop.js",
    "/encoding.js": SCRIPT "encoding.js",
    "/http.js": SCRIPT "http.js",
    "/jwt.js": SCRIPT "jwt.js",
    "/panel.js": SCRIPT "panel.js",
    "/popup.js": SCRIPT "popup.js",
    "/stories.js": SCRIPT "stories.js",
};

/// The page, which talks to this origin and to the issuer's and to nobody else.
pub(crate) fn page(issuer: &str) -> Result<Router, InvalidHeaderValue> {
    // Nothing inline, nothing from elsewhere, no markup made of text, in no frame.
    let policy = HeaderValue::try_from(format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {issuer}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ))?;
    let guarded = move |mut response: Response| {
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        async { response }
    };
    let files = FILES.into_iter().fold(Router::new(), |router, (path, media, content)| {
        // No other site holds this page by the hand; the windows that it opens itself still know it.
        let alone = (path == "/").then_some([(CROSS_ORIGIN_OPENER_POLICY, "same-origin-allow-popups")]);
        router.route(path, get(move || async move { (alone, [(CONTENT_TYPE, media)], content) }))
    });
    Ok(files.layer(map_response(guarded)))
}
