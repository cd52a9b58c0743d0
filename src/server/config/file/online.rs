//! How an issuer is asked about its tokens, and as which client, as a file spells it.

use std::time::Duration;

use super::SecretText;
use super::issuer::IssuerSection;
use crate::client_auth::{ClientAuth, ClientKey, ClientSecret};
use crate::crypto::Algorithm;
use crate::server::issuer::Issuer;

impl IssuerSection {
    /// Settings that only an issuer has that is asked, and that its section has.
    pub(in crate::server::config) fn asking(&self) -> Vec<&'static str> {
        let settings = [
            ("confirm_online", self.confirm_online),
            ("client_auth", self.client_auth.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("client_secret_file", self.client_secret_file.is_some()),
            ("client_key_file", self.client_key_file.is_some()),
            ("client_key_id", self.client_key_id.is_some()),
            ("client_key_algorithm", self.client_key_algorithm.is_some()),
            ("introspection_endpoint", self.introspection_endpoint.is_some()),
            ("signed_answers", self.signed_answers),
            ("tokens_starting", self.tokens_starting.is_some()),
            ("cache_seconds", self.cache_seconds.is_some()),
            ("cache_until_exp", self.cache_until_exp),
            ("cache_refusals_seconds", self.cache_refusals_seconds.is_some()),
            ("questions_at_once", self.questions_at_once.is_some()),
            ("answer_within_seconds", self.answer_within_seconds.is_some()),
        ];
        settings.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
    }

    /// The issuer as it is asked, if it is: who its tokens are verified by, and as which client.
    pub(super) fn of_its_kind(&self, problems: &mut Vec<String>) -> Issuer {
        let name = &self.issuer;
        let kind = self.kind.as_deref().unwrap_or("jwt");
        let issuer = match (kind, self.confirm_online) {
            ("jwt", false) => {
                let idle = self.asking().join(", ");
                if !idle.is_empty() {
                    problems.push(format!(
                        "issuer {name:?}: without effect on an issuer that is not asked: {idle}; set kind to opaque or hybrid, or confirm_online to true"
                    ));
                }
                return Issuer::jwt(name);
            }
            ("jwt", true) if self.tokens_starting.is_some() => {
                problems.push(format!(
                    "issuer {name:?}: tokens_starting is for opaque tokens, which confirm_online does not admit; set kind to hybrid instead"
                ));
                return Issuer::jwt(name);
            }
            ("jwt", true) => self.client(problems).map(|me| Issuer::jwt(name).confirm_online(me)),
            ("opaque" | "hybrid", true) => {
                problems.push(format!("issuer {name:?}: kind {kind:?} is asked anyway; remove confirm_online"));
                return Issuer::jwt(name);
            }
            ("opaque", false) => self.client(problems).map(|me| Issuer::opaque(name, me)),
            ("hybrid", false) => self.client(problems).map(|me| Issuer::hybrid(name, me)),
            (other, _) => {
                problems.push(format!("issuer {name:?}: kind {other:?} is unknown; use jwt, opaque or hybrid"));
                return Issuer::jwt(name);
            }
        };
        if self.cache_until_exp && self.cache_seconds.is_some() {
            problems.push(format!("issuer {name:?}: cache_seconds and cache_until_exp exclude each other"));
        }
        // What it lacks to be asked was told; the rest of its settings is looked at all the same.
        issuer.map_or_else(|| Issuer::jwt(name), |issuer| self.asked(issuer))
    }

    fn asked(&self, mut issuer: Issuer) -> Issuer {
        if let Some(url) = &self.introspection_endpoint {
            issuer = issuer.introspection_endpoint(url);
        }
        if self.signed_answers {
            issuer = issuer.signed_answers();
        }
        if let Some(prefix) = &self.tokens_starting {
            issuer = issuer.tokens_starting(prefix.as_str());
        }
        if let Some(seconds) = self.cache_seconds {
            issuer = issuer.cache_for(Duration::from_secs(seconds));
        }
        if self.cache_until_exp {
            issuer = issuer.cache_until_exp();
        }
        if let Some(seconds) = self.cache_refusals_seconds {
            issuer = issuer.cache_refusals_for(Duration::from_secs(seconds));
        }
        if let Some(most) = self.questions_at_once {
            issuer = issuer.questions_at_once(most);
        }
        if let Some(seconds) = self.answer_within_seconds {
            issuer = issuer.answer_within(Duration::from_secs(seconds));
        }
        issuer
    }

    /// The client as which the issuer is asked; `None` when something about it is wrong, which is told.
    fn client(&self, problems: &mut Vec<String>) -> Option<ClientAuth> {
        let (name, before) = (&self.issuer, problems.len());
        let method = self.client_auth.as_deref().unwrap_or("secret_basic");
        let (id, secret, key) = match method {
            "secret_basic" | "secret_post" => (true, true, false),
            "private_key_jwt" => (true, false, true),
            "bearer" => (false, true, false),
            other => {
                problems.push(format!(
                    "issuer {name:?}: client_auth {other:?} is unknown; use secret_basic, secret_post, private_key_jwt or bearer"
                ));
                return None;
            }
        };
        let has_secret = self.client_secret.is_some() || self.client_secret_file.is_some();
        for (setting, is_needed, is_set) in [
            ("client_id", id, self.client_id.is_some()),
            ("client_secret or client_secret_file", secret, has_secret),
            ("client_key_file", key, self.client_key_file.is_some()),
            ("client_key_id", key && self.client_key_id.is_some(), self.client_key_id.is_some()),
            ("client_key_algorithm", key && self.client_key_algorithm.is_some(), self.client_key_algorithm.is_some()),
        ] {
            match (is_needed, is_set) {
                (true, false) => problems.push(format!("issuer {name:?}: client_auth {method:?} needs {setting}")),
                (false, true) => problems.push(format!(
                    "issuer {name:?}: client_auth {method:?} has no use for {setting}; remove it, or choose another client_auth"
                )),
                _ => {}
            }
        }
        let secret = self.secret(problems);
        let key = self.key(problems);
        if problems.len() > before {
            return None;
        }
        let id = self.client_id.as_deref().unwrap_or_default();
        match method {
            "secret_basic" => Some(ClientAuth::secret_basic(id, secret?)),
            "secret_post" => Some(ClientAuth::secret_post(id, secret?)),
            "private_key_jwt" => Some(ClientAuth::private_key_jwt(id, key?)),
            _ => Some(ClientAuth::bearer(secret?)),
        }
    }

    fn secret(&self, problems: &mut Vec<String>) -> Option<ClientSecret> {
        let name = &self.issuer;
        match (&self.client_secret, &self.client_secret_file) {
            (Some(_), Some(_)) => {
                problems.push(format!("issuer {name:?}: client_secret and client_secret_file exclude each other"));
                None
            }
            (Some(SecretText(secret)), None) if secret.expose().is_empty() => {
                problems.push(format!("issuer {name:?}: client_secret is empty"));
                None
            }
            (Some(SecretText(secret)), None) => Some(secret.clone().into()),
            (None, Some(path)) => Some(ClientSecret::file(path)),
            (None, None) => None,
        }
    }

    fn key(&self, problems: &mut Vec<String>) -> Option<ClientKey> {
        let mut key = ClientKey::file(self.client_key_file.as_ref()?);
        if let Some(kid) = &self.client_key_id {
            key = key.kid(kid);
        }
        if let Some(algorithm) = &self.client_key_algorithm {
            match Algorithm::from_name(algorithm) {
                Some(algorithm) => key = key.algorithm(algorithm),
                None => problems.push(format!(
                    "issuer {:?}: client_key_algorithm {algorithm:?} is unknown or symmetric; use PS256, ES256, EdDSA or another of RFC 7518 with a private key",
                    self.issuer
                )),
            }
        }
        Some(key)
    }
}
