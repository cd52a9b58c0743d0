//! Authorization details that a route demands (RFC 9396).

use serde::Deserialize;

/// What one object of `authorization_details` must grant: of exactly this `type`, with all that is named here among the
/// common members of RFC 9396 section 2.2. Compared code point by code point; types that nobody demands grant nothing.
///
/// What only the request knows (an amount, an account) is held against the token in the handler, by
/// [`Authenticated::detail`](crate::Authenticated::detail).
///
/// ```
/// use tower_oauth::{Demand, Detail, Requirement};
///
/// struct Initiate;
/// impl Requirement for Initiate {
///     const DEMAND: Demand = Demand::scope("payments")
///         .details(&[Detail::of_type("payment_initiation").actions(&["initiate"])]);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    kind: &'static str,
    actions: &'static [&'static str],
    locations: &'static [&'static str],
    datatypes: &'static [&'static str],
    privileges: &'static [&'static str],
}

impl Detail {
    /// An object of this `type`.
    #[must_use]
    pub const fn of_type(kind: &'static str) -> Self {
        Self { kind, actions: &[], locations: &[], datatypes: &[], privileges: &[] }
    }

    /// All of these `actions`.
    #[must_use]
    pub const fn actions(self, actions: &'static [&'static str]) -> Self {
        Self { actions, ..self }
    }

    /// All of these `locations`.
    #[must_use]
    pub const fn locations(self, locations: &'static [&'static str]) -> Self {
        Self { locations, ..self }
    }

    /// All of these `datatypes`.
    #[must_use]
    pub const fn datatypes(self, datatypes: &'static [&'static str]) -> Self {
        Self { datatypes, ..self }
    }

    /// All of these `privileges`.
    #[must_use]
    pub const fn privileges(self, privileges: &'static [&'static str]) -> Self {
        Self { privileges, ..self }
    }

    /// The `type`.
    pub(crate) const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether one of the token's details grants all of it.
    pub(crate) fn is_granted(&self, held: &[HeldDetail]) -> bool {
        held.iter().any(|held| {
            held.kind == self.kind
                && includes(&held.actions, self.actions)
                && includes(&held.locations, self.locations)
                && includes(&held.datatypes, self.datatypes)
                && includes(&held.privileges, self.privileges)
        })
    }
}

fn includes(held: &[String], wanted: &[&str]) -> bool {
    wanted.iter().all(|wanted| held.iter().any(|held| held == wanted))
}

/// The common members of one authorization detail of a token. One that is no array of strings grants nothing: the token
/// is read as a whole, and a detail that cannot be understood fails it.
#[derive(Debug, Deserialize)]
pub(crate) struct HeldDetail {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    locations: Vec<String>,
    #[serde(default)]
    datatypes: Vec<String>,
    #[serde(default)]
    privileges: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIATE: Detail = Detail::of_type("payment").actions(&["initiate"]).locations(&["https://rs.example"]);

    fn granted(held: &str) -> bool {
        INITIATE.is_granted(&serde_json::from_str::<Vec<HeldDetail>>(held).unwrap())
    }

    #[test]
    fn one_detail_must_grant_all_of_it() {
        assert!(granted(r#"[{"type":"payment","actions":["status","initiate"],"locations":["https://rs.example"]}]"#));
        for lacking in [
            "[]",
            r#"[{"type":"Payment","actions":["initiate"],"locations":["https://rs.example"]}]"#,
            r#"[{"type":"payment","actions":["status"],"locations":["https://rs.example"]}]"#,
            r#"[{"type":"payment","actions":["initiate"],"locations":["https://rs.example/"]}]"#,
            r#"[{"type":"payment","actions":["initiate"]},{"type":"payment","locations":["https://rs.example"]}]"#,
        ] {
            assert!(!granted(lacking), "{lacking}");
        }
    }
}
