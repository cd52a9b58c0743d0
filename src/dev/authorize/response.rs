//! The answer to the client, in the query of its redirect URI (OAuth 2.1 section 4.1.2): always with `state`, if there was
//! one, and with `iss` (RFC 9207), so that a client of several servers knows whom it hears.

use super::request::Problem;

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Return<'r> {
    pub(super) redirect_uri: &'r str,
    pub(super) state: Option<&'r str>,
    pub(super) issuer: &'r str,
}

impl Return<'_> {
    pub(super) fn code(&self, code: &str) -> String {
        self.with(&[("code", code)])
    }

    pub(super) fn problem(&self, problem: Problem) -> String {
        self.with(&[("error", problem.0), ("error_description", problem.1)])
    }

    fn with(&self, members: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(members);
        query.extend_pairs(self.state.map(|state| ("state", state)));
        query.append_pair("iss", self.issuer);
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.redirect_uri, query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_the_query_of_the_redirect_uri_and_gives_the_state_back_as_it_was() {
        let to = Return { redirect_uri: "https://a/cb?x=1", state: Some("a&b=c #é%"), issuer: "http://as" };
        let url = to.code("c");
        let (head, query) = url.split_once('?').unwrap();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(head, "https://a/cb");
        let expected = [("x", "1"), ("code", "c"), ("state", "a&b=c #é%"), ("iss", "http://as")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(url.is_ascii() && !url.contains(['#', ' ']));
    }
}
