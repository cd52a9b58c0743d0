//! The target of a request as its client wrote it.

use http::{Extensions, Uri};

/// Tells the layers behind what the client asked for, where a router of your own cuts prefixes off the path.
///
/// Put it into the request's extensions before the path is changed. axum's `OriginalUri` is found by itself. The path of
/// the metadata document and the `htu` of DPoP proofs are compared with it.
#[derive(Clone, Debug)]
pub struct OriginalTarget(pub Uri);

/// What the client asked for; no forwarded header is ever read for it.
pub(crate) fn original_uri<'r>(extensions: &'r Extensions, uri: &'r Uri) -> &'r Uri {
    match extensions.get::<OriginalTarget>() {
        Some(OriginalTarget(original)) => original,
        None => routed_from(extensions).unwrap_or(uri),
    }
}

#[cfg(feature = "axum")]
fn routed_from(extensions: &Extensions) -> Option<&Uri> {
    extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

#[cfg(not(feature = "axum"))]
const fn routed_from(_: &Extensions) -> Option<&Uri> {
    None
}
