//! Proofs of possession, as a file spells their settings.

use std::time::Duration;

use serde::Deserialize;

use super::SecretText;
use crate::dpop::{Dpop, NonceKey};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server::config) struct DpopSection {
    pub(in crate::server::config) mode: Option<String>,
    pub(in crate::server::config) max_age_seconds: Option<u64>,
    pub(in crate::server::config) nonce_secret: Option<SecretText>,
    pub(in crate::server::config) previous_nonce_secret: Option<SecretText>,
    #[serde(default)]
    pub(in crate::server::config) nonce_instead_of_iat: bool,
}

impl DpopSection {
    pub(super) fn into_policy(self, problems: &mut Vec<String>) -> Dpop {
        let mut policy = match self.mode.as_deref() {
            None | Some("accepted") => Dpop::accepted(),
            Some("required") => Dpop::required(),
            Some("off") => Dpop::off(),
            Some(other) => {
                problems.push(format!("dpop: mode {other:?} is unknown; use off, accepted or required"));
                Dpop::accepted()
            }
        };
        if let Some(seconds) = self.max_age_seconds {
            policy = policy.max_age(Duration::from_secs(seconds));
        }
        match (self.nonce_secret, self.previous_nonce_secret) {
            (Some(SecretText(secret)), previous) => {
                let key = NonceKey::from_secret(secret.expose().as_bytes());
                policy = policy.nonce(match previous {
                    Some(SecretText(previous)) => key.previous(previous.expose().as_bytes()),
                    None => key,
                });
            }
            (None, Some(_)) => problems.push("dpop: previous_nonce_secret needs nonce_secret beside it".to_owned()),
            (None, None) => {}
        }
        if self.nonce_instead_of_iat { policy.nonce_instead_of_iat() } else { policy }
    }
}
