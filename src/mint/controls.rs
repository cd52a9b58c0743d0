//! The handles by which a test works an issuer, the same for the one in memory and the one on a socket.

/// Adds to a type with a field `authority: Arc<Authority>` what can be done to an issuer from outside its protocol.
macro_rules! authority_controls {
    ($issuer:ty) => {
        impl $issuer {
            /// The issuer's identifier (RFC 8414 section 2), as tokens carry it in `iss`.
            #[must_use]
            pub fn issuer_url(&self) -> &str {
                self.authority.issuer()
            }

            /// The `kid` of the key that signs.
            #[must_use]
            pub fn kid(&self) -> String {
                self.signing_key().kid().to_owned()
            }

            /// The key that signs, to sign by hand or to go on with after a rotation.
            ///
            /// # Panics
            /// When the system has no randomness.
            #[must_use]
            pub fn signing_key(&self) -> $crate::mint::keys::SigningKey {
                $crate::mint::controls::made(self.authority.state().keys.current())
            }

            /// Signs with a new key from now on; the old one stays published.
            ///
            /// # Panics
            /// When the system has no randomness.
            pub fn rotate(&self) {
                $crate::mint::controls::made(self.authority.state().keys.rotate());
            }

            /// Publishes no longer the keys that a rotation has replaced.
            pub fn withdraw_old(&self) {
                self.authority.state().keys.withdraw_old();
            }

            /// Publishes no longer what has this `kid`. If it is the key that signs, it goes on signing.
            pub fn withdraw(&self, kid: &str) {
                self.authority.state().keys.withdraw(kid);
            }

            /// Signs with a new key under the old one's `kid`, which RFC 7517 section 4.5 does not foresee and which
            /// happens all the same; the old key is published no longer.
            ///
            /// # Panics
            /// When the system has no randomness.
            pub fn replace_under_same_kid(&self) {
                $crate::mint::controls::made(self.authority.state().keys.replace_under_same_kid());
            }

            /// Publishes one more key. The key that signs stays the same, but the new one is the issuer's key for its
            /// algorithm if it is the first.
            ///
            /// # Panics
            /// When the system has no randomness.
            pub fn add_key(&self, algorithm: $crate::crypto::Algorithm) -> $crate::mint::keys::SigningKey {
                $crate::mint::controls::made(self.authority.state().keys.add(algorithm))
            }

            /// Publishes any value in front of the issuer's keys, however odd.
            pub fn publish(&self, jwk: serde_json::Value) {
                self.authority.state().keys.publish(jwk);
            }

            /// The key set as published now.
            #[must_use]
            pub fn jwks(&self) -> serde_json::Value {
                self.authority.state().keys.jwks()
            }

            /// Sets a member of the metadata; `null` removes it.
            pub fn metadata_member(&self, name: impl Into<String>, value: impl Into<serde_json::Value>) {
                self.authority.state().members.insert(name.into(), value.into());
            }

            /// Serves the key set with `Cache-Control: max-age`, in whole seconds. 300 seconds unless set.
            pub fn max_age(&self, max_age: std::time::Duration) {
                self.cache_control(&format!("max-age={}", max_age.as_secs()));
            }

            /// Serves the key set with this `Cache-Control`; without the header when the value is empty or cannot be
            /// sent.
            pub fn cache_control(&self, value: &str) {
                let value = http::HeaderValue::from_str(value).ok().filter(|value| !value.is_empty());
                self.authority.state().cache_control = value;
            }

            /// Fails to answer anything until [`heal`](Self::heal).
            pub fn fail(&self, fault: $crate::mint::fault::Fault) {
                self.authority.state().troubles.all().into_iter().for_each(|trouble| trouble.fail(fault));
            }

            /// Fails to serve the metadata.
            pub fn fail_metadata(&self, fault: $crate::mint::fault::Fault) {
                self.authority.state().troubles.of($crate::mint::documents::Document::Metadata).fail(fault);
            }

            /// Fails to serve the key set.
            pub fn fail_jwks(&self, fault: $crate::mint::fault::Fault) {
                self.authority.state().troubles.of($crate::mint::documents::Document::Jwks).fail(fault);
            }

            /// Fails to answer introspection requests.
            pub fn fail_introspection(&self, fault: $crate::mint::fault::Fault) {
                self.authority.state().troubles.of($crate::mint::documents::Document::Introspection).fail(fault);
            }

            /// Fails to serve status lists, all of them.
            pub fn fail_status_list(&self, fault: $crate::mint::fault::Fault) {
                self.authority.state().troubles.of($crate::mint::documents::Document::StatusList(0)).fail(fault);
            }

            /// Answers everything again, at once. Requests that hang go on hanging.
            pub fn heal(&self) {
                self.authority.state().troubles = Default::default();
            }

            /// Waits so long, by tokio's clock, before each answer.
            pub fn delay(&self, delay: std::time::Duration) {
                self.authority.state().troubles.all().into_iter().for_each(|trouble| trouble.delay(delay));
            }

            /// Waits so long before the metadata are served.
            pub fn delay_metadata(&self, delay: std::time::Duration) {
                self.authority.state().troubles.of($crate::mint::documents::Document::Metadata).delay(delay);
            }

            /// Waits so long before the key set is served.
            pub fn delay_jwks(&self, delay: std::time::Duration) {
                self.authority.state().troubles.of($crate::mint::documents::Document::Jwks).delay(delay);
            }

            /// Waits so long before an introspection request is answered.
            pub fn delay_introspection(&self, delay: std::time::Duration) {
                self.authority.state().troubles.of($crate::mint::documents::Document::Introspection).delay(delay);
            }

            /// Waits so long before a status list is served.
            pub fn delay_status_list(&self, delay: std::time::Duration) {
                self.authority.state().troubles.of($crate::mint::documents::Document::StatusList(0)).delay(delay);
            }

            /// Sets a status in one of the lists at `{issuer}/status/{list}`: 0 is valid, 1 invalid, 2 suspended
            /// (draft-ietf-oauth-status-list section 7.1). A list that was not set up has 1024 statuses of 2 bits.
            ///
            /// # Panics
            /// When the list has no such index or its bits cannot hold the status.
            pub fn set_status(&self, list: u32, index: u64, status: u8) {
                let mut state = self.authority.state();
                $crate::mint::controls::fits(state.status_lists.entry(list).or_default().set(index, status));
            }

            /// How often the metadata were asked for, however it was answered.
            #[must_use]
            pub fn metadata_fetches(&self) -> u64 {
                self.authority.metadata_fetches.get()
            }

            /// How often the key set was asked for, however it was answered.
            #[must_use]
            pub fn jwks_fetches(&self) -> u64 {
                self.authority.jwks_fetches.get()
            }

            /// How often introspection was asked for, however it was answered.
            #[must_use]
            pub fn introspections(&self) -> u64 {
                self.authority.introspections.get()
            }

            /// How often a status list was asked for, however it was answered.
            #[must_use]
            pub fn status_list_fetches(&self) -> u64 {
                self.authority.status_list_fetches.get()
            }

            /// How many requests for a document were answered with 304 Not Modified.
            #[must_use]
            pub fn not_modified(&self) -> u64 {
                self.authority.not_modified.get()
            }
        }

        impl From<&$issuer> for $crate::mint::keys::SigningKey {
            fn from(issuer: &$issuer) -> Self {
                issuer.signing_key()
            }
        }
    };
}

pub(crate) use authority_controls;

/// What was made, for callers that no network reaches.
#[expect(clippy::expect_used, reason = "a test without keys cannot carry on")]
pub(crate) fn made<T>(result: Result<T, crate::mint::MintError>) -> T {
    result.expect("the system has randomness")
}

/// What an author asked of something that can do it.
#[expect(clippy::expect_used, reason = "only the author of a test is told")]
pub(crate) fn fits<T>(result: Result<T, crate::mint::MintError>) -> T {
    result.expect("what was asked for can be done")
}
