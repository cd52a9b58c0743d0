//! For which resource a token is (RFC 8707): always for one, so that no scope is good where it was not meant (RFC 9068
//! section 3).

use crate::dev::form::Form;
use crate::dev::refusal::Refusal;

/// What may be chosen from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice<'c> {
    /// Any resource, else this one: which resources a client may ask for is a policy, and this server has none.
    Any(Option<&'c str>),
    /// Those that the user agreed to.
    Of(&'c [String]),
}

/// The audience of the token. `also` is a further parameter that may name it.
pub(super) fn target(form: &Form, also: Option<&str>, choice: Choice<'_>) -> Result<String, Refusal> {
    let mut requested = form.all("resource");
    let resource = requested.next();
    if requested.next().is_some() {
        return Err(Refusal::Target("a token is for one resource; ask once for each (RFC 9068 section 3)"));
    }
    if resource.is_some_and(|resource| !is_absolute_uri(resource)) {
        return Err(Refusal::Target("a resource is an absolute URI without fragment (RFC 8707 section 2)"));
    }
    match (resource.or(also), choice) {
        (Some(resource), Choice::Any(_)) => Ok(resource.to_owned()),
        (None, Choice::Any(Some(audience))) => Ok(audience.to_owned()),
        (None, Choice::Any(None)) => {
            Err(Refusal::Target("resource is missing, and this server has no default audience"))
        }
        (Some(resource), Choice::Of(granted)) => {
            let known = granted.iter().any(|known| known == resource);
            known.then(|| resource.to_owned()).ok_or(Refusal::Target("the user agreed to no such resource"))
        }
        (None, Choice::Of([only])) => Ok(only.clone()),
        (None, Choice::Of(_)) => Err(Refusal::Target("the grant is for several resources; name one of them")),
    }
}

/// `absolute-URI` of RFC 3986 section 4.3, as far as a scheme, visible characters and no fragment.
pub(crate) fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\'))
}
