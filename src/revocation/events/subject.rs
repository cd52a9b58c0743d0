//! Whom an event is about: subject identifiers (RFC 9493), and the complex ones of the Shared Signals Framework.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Expected, object};
use crate::jwt::json::Text;
use crate::store::Denied;

/// The members of all formats that are understood.
#[derive(Deserialize)]
struct Identifier<'p> {
    #[serde(borrow)]
    format: Text<'p>,
    #[serde(borrow)]
    iss: Option<Text<'p>>,
    #[serde(borrow)]
    sub: Option<Text<'p>>,
    #[serde(borrow)]
    jti: Option<Text<'p>>,
    #[serde(borrow)]
    id: Option<Text<'p>>,
}

/// The members of a complex subject. Each narrows whom it is about.
#[derive(Deserialize)]
struct Complex<'p> {
    #[serde(borrow)]
    user: Option<&'p RawValue>,
    #[serde(borrow)]
    session: Option<&'p RawValue>,
}

/// What is denied because of an event about `subject`; nothing where that is not understood, or somebody else's user.
///
/// An opaque subject of a revoked session is the user in some systems and the session in others (both stand in CAEP's
/// examples), so it is taken for either.
///
/// A complex subject with members that are not understood means fewer tokens than are denied, unless the member is a
/// critical one: then nothing is (SSF, "Complex Subjects").
pub(super) fn denied(subject: &RawValue, of_session: bool, expected: &Expected<'_>) -> Vec<Denied> {
    let Some(identifier) = object::<Identifier<'_>>(subject) else { return Vec::new() };
    match identifier.format.0.as_ref() {
        "complex" => complex(subject, expected).into_iter().collect(),
        "opaque" if of_session => simple(&identifier, expected).into_iter().flat_map(user_or_session).collect(),
        _ => simple(&identifier, expected).into_iter().collect(),
    }
}

fn user_or_session(denied: Denied) -> Vec<Denied> {
    match denied {
        Denied::Subject(id) => vec![Denied::Session(id.clone()), Denied::Subject(id)],
        other => vec![other],
    }
}

fn complex(subject: &RawValue, expected: &Expected<'_>) -> Option<Denied> {
    let members: serde_json::Map<String, serde_json::Value> = object(subject)?;
    let complex: Complex<'_> = object(subject)?;
    let user: Option<Identifier<'_>> = complex.user.and_then(object);
    let session: Option<Identifier<'_>> = complex.session.and_then(object);
    let elsewhere = |of: &Identifier<'_>| of.iss.as_ref().is_some_and(|Text(iss)| *iss != expected.issuer);
    if user.iter().chain(&session).any(elsewhere) {
        return None;
    }
    let user = user.and_then(|user| simple(&user, expected));
    let session = session.filter(|session| session.format.0 == "opaque").and_then(|session| id(session.id.as_ref()));
    let is_understood = |name: &str| match name {
        "session" => session.is_some(),
        "user" => user.is_some(),
        _ => false,
    };
    let mut critical = expected.critical_members.iter().filter(|name| members.contains_key(&***name));
    if critical.any(|name| !is_understood(name)) {
        return None;
    }
    session.map(Denied::Session).or(user)
}

fn simple(identifier: &Identifier<'_>, expected: &Expected<'_>) -> Option<Denied> {
    let own = || identifier.iss.as_ref().is_some_and(|Text(iss)| *iss == expected.issuer);
    match identifier.format.0.as_ref() {
        "iss_sub" if own() => id(identifier.sub.as_ref()).map(Denied::Subject),
        "jwt_id" if own() => id(identifier.jti.as_ref()).map(Denied::Token),
        "opaque" => id(identifier.id.as_ref()).map(Denied::Subject),
        _ => None,
    }
}

fn id(text: Option<&Text<'_>>) -> Option<Box<str>> {
    text.map(|Text(id)| Box::<str>::from(&**id)).filter(|id| !id.is_empty())
}
