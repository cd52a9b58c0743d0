//! One fetch of one list: the document, its signature, and what it says.

use std::time::Duration;

use super::age::Age;
use super::list::{Held, List, Loaded, unavailable};
use super::{MAX_BYTES, MAX_LISTS, Shared, StatusUnavailable};
use crate::jwt::signed::SignedError;
use crate::revocation::status_list::{ListToken, MEDIA_TYPE};
use crate::transport::fetch::{Document, Fetched};

/// The longest document. It is base64url twice over, so 2 MiB compressed.
const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// The list itself and the issuer's keys, which may have to be found and fetched first; each of these ends sooner.
const WHOLE: Duration = Duration::from_secs(20);

const INVALID: &str = "list_invalid";

impl List {
    pub(super) async fn load(&self) -> Result<Loaded, StatusUnavailable> {
        let late = |_elapsed| Err(unavailable("timeout", "the list and its issuer's keys took longer than 20 s"));
        tokio::time::timeout(WHOLE, self.load_in_time()).await.unwrap_or_else(late)
    }

    async fn load_in_time(&self) -> Result<Loaded, StatusUnavailable> {
        let Shared { fetcher, keys, clock, .. } = &**self.shared();
        // Before anybody was asked: what the list says is no older than this.
        let fetched_at = clock.now();
        let fetched = fetcher.get_within(self.uri(), MEDIA_TYPE, None, MAX_DOCUMENT_BYTES).await;
        let document = match fetched.map_err(|error| unavailable(error.code(), error.to_string()))? {
            Fetched::Document(document) => document,
            // An answer to a question that was not asked.
            Fetched::NotModified { .. } => return Err(self.invalid("it is not there")),
        };
        let text = self.text(&document)?;
        let signed = keys.verified(text).await.map_err(|error| match error {
            SignedError::Refused(_) => self.invalid(error),
            SignedError::KeysUnavailable { .. } => unavailable("keys_unavailable", error.to_string()),
        })?;
        let (issuer, uri, now) = (keys.issuer().to_owned(), self.uri().to_owned(), clock.now());
        // Up to 16 MiB are inflated, which is too long for a thread that serves requests.
        let judging = tokio::task::spawn_blocking(move || ListToken::judge(&signed, &issuer, &uri, now));
        let judged = judging.await.map_err(|_panicked| unavailable("stopped", "the list could not be read"))?;
        let ListToken { list, expires_at, ttl } = judged.map_err(|error| self.invalid(error))?;
        let full = || {
            let most = MAX_BYTES / (1024 * 1024);
            unavailable("too_many_lists", format!("up to {MAX_LISTS} lists of an issuer may hold {most} MiB together"))
        };
        let held = Held::new(self.shared(), list.size(), MAX_BYTES).ok_or_else(full)?;
        Ok(Loaded { list, age: Age::new(fetched_at, ttl, document.max_age, expires_at), _held: held })
    }

    /// The JWT (section 8.2).
    fn text(&self, document: &Document) -> Result<Box<str>, StatusUnavailable> {
        let content_type = document.content_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case(MEDIA_TYPE) {
            return Err(self.invalid("its content type is not application/statuslist+jwt"));
        }
        let text = str::from_utf8(&document.bytes).map_err(|_not_utf8| self.invalid("it is not text"))?;
        Ok(text.trim_ascii().into())
    }

    fn invalid(&self, why: impl std::fmt::Display) -> StatusUnavailable {
        let address = self.uri().split('?').next().unwrap_or_default();
        unavailable(INVALID, format!("the list at {address} is of no use: {why}"))
    }
}
