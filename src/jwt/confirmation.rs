//! `cnf`: what a token is bound to (RFC 7800 section 3).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use crate::jwt::json::{Members, Strict, Text};

/// The methods by which whoever presents a token must prove that it is theirs.
#[derive(Debug, Default)]
pub(crate) struct Confirmation<'c> {
    /// The thumbprint of the key that signs DPoP proofs (RFC 9449 section 6.1).
    pub(crate) jkt: Option<Text<'c>>,
    /// A registered method that is not proved here; passing it over would loosen what the issuer bound.
    pub(crate) unprovable: bool,
}

/// Reads a `cnf` object. Members that are not registered are passed over, as RFC 7800 section 3.1 has it.
pub(crate) struct Confirmations<'r>(pub(crate) Strict<'r>);

impl<'de> DeserializeSeed<'de> for Confirmations<'_> {
    type Value = Confirmation<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Confirmations<'_> {
    type Value = Confirmation<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of confirmation methods")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut confirmation = Confirmation::default();
        let mut names = Members::default();
        let inner = self.0.deeper()?;
        while let Some(name) = names.next(&mut members, inner)? {
            match name.as_ref() {
                "jkt" => confirmation.jkt = Some(members.next_value()?),
                "jwk" | "jwe" | "kid" | "jku" | "osc" | "x5t#S256" => {
                    confirmation.unprovable = true;
                    members.next_value_seed(inner)?;
                }
                _ => members.next_value_seed(inner)?,
            }
        }
        Ok(confirmation)
    }
}
