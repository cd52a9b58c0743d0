//! The page that asks a person, and the one that says what is wrong. No script, nothing from elsewhere, everything
//! escaped.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::begin::is_fit;
use super::request::AuthorizationRequest;
use crate::crypto::sha256;
use crate::dev::grants::Session;
use crate::dev::server::AuthorizationServer;
use crate::time::Timestamp;

const STYLE: &str = include_str!("page.css");

/// For a page without a form.
pub(crate) const PLAIN_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `Content-Security-Policy` of the page that asks. Browsers hold the redirect that follows a form to `form-action` too,
/// so the client's origin stands there.
pub(crate) fn consent_policy(leads_to: &str) -> String {
    policy(&source_of(leads_to).map(|source| format!(" {source}")).unwrap_or_default())
}

/// For a page whose form leads nowhere else.
pub(crate) fn own_policy() -> String {
    policy("")
}

fn policy(form_action: &str) -> String {
    let style = STANDARD.encode(sha256(&[STYLE.as_bytes()]));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'self'{form_action}; \
         frame-ancestors 'none'"
    )
}

/// The origin of a redirect URI as a source expression; its scheme where that is an application's.
fn source_of(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let Some(authority) = rest.strip_prefix("//").filter(|_| matches!(scheme, "http" | "https")) else {
        return Some(format!("{scheme}:"));
    };
    let authority = authority.split(['/', '?']).next()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    authority.bytes().all(is_plain).then(|| format!("{scheme}://{authority}"))
}

/// Text as HTML, in content and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(character),
        }
    }
    html
}

pub(super) fn consent_page(
    server: &AuthorizationServer,
    request: &AuthorizationRequest,
    session: Option<&Session>,
    ticket: &str,
    now: Timestamp,
) -> String {
    let list = |items: &mut dyn Iterator<Item = &str>| {
        items.fold(String::new(), |mut list, item| {
            // Writing to a String cannot fail.
            let _ = write!(list, "<li><code>{}</code></li>", escaped(item));
            list
        })
    };
    let scopes = list(&mut request.scopes.iter());
    let resources = list(&mut request.resources.iter().map(String::as_str));
    let chosen = request.login_hint.as_deref().or(session.map(|session| session.subject.as_str()));
    let chosen = chosen.filter(|chosen| server.users.get(chosen).is_some());
    let users: String = server
        .users
        .iter()
        .enumerate()
        .map(|(n, user)| {
            let checked = if chosen.map_or(n == 0, |chosen| chosen == user.subject()) { " checked" } else { "" };
            let (subject, title) = (escaped(user.subject()), escaped(user.title()));
            format!(
                r#"<label><input type="radio" name="user" value="{subject}"{checked}> {title} <small>{subject}</small></label>"#
            )
        })
        .collect();
    let login = match session {
        Some(session) if is_fit(session, request, now) => {
            format!("Signed in as <b>{}</b>; no new sign-in is needed.", escaped(&session.subject))
        }
        _ => match request.acr_values.iter().find(|value| server.settings.acr_values.contains(value)) {
            Some(acr) => format!("This sign-in will count as <code>{}</code>.", escaped(acr)),
            None => "This signs you in. There are no passwords here.".to_owned(),
        },
    };
    let details = request.details.as_ref().map_or_else(String::new, |details| {
        format!("<h2>In detail</h2><pre>{}</pre>", escaped(&format!("{details:#}")))
    });
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title><style>{STYLE}</style></head>
<body><main>
<p class="note">Development server: never for production</p>
<h1><b>{client}</b> asks for access</h1>
<form method="post" action="{action}">
<input type="hidden" name="ticket" value="{ticket}">
<h2>As whom?</h2><div class="users">{users}</div><p>{login}</p>
<h2>To do what?</h2><ul>{scopes}</ul>
<h2>Where?</h2><ul>{resources}</ul>{details}
<div class="buttons"><button name="decision" value="allow">Allow</button>
<button name="decision" value="deny" class="quiet">Deny</button></div>
</form></main></body></html>
"#,
        client = escaped(&request.client_id),
        action = escaped(&server.path("/consent")),
        ticket = escaped(ticket),
    )
}

/// What is wrong, in this server's own words.
pub(crate) fn error_page(code: &str, description: &str) -> String {
    plain_page("This cannot go on", &format!("<p><code>{}</code></p><p>{}</p>", escaped(code), escaped(description)))
}

pub(crate) fn over_page() -> String {
    plain_page("Signed out", "<p>The session is over.</p>")
}

/// Asks whether the user wants to log out.
pub(crate) fn logout_page(action: &str) -> String {
    let action = escaped(action);
    plain_page("Sign out?", &format!(r#"<form method="post" action="{action}"><button>Sign out</button></form>"#))
}

/// A page without style or form; `content` is HTML.
fn plain_page(title: &str, content: &str) -> String {
    let title = escaped(title);
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head><body><h1>{title}</h1>{content}</body></html>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_become_markup_is_escaped() {
        assert_eq!(
            escaped(r#"<a href="x" class='y'>&</a>"#),
            "&lt;a href=&quot;x&quot; class=&#39;y&#39;&gt;&amp;&lt;/a&gt;"
        );
    }

    #[test]
    fn the_policy_names_the_origin_to_which_the_answer_goes_and_nothing_else_of_the_uri() {
        for (uri, source) in [
            ("https://app.test/cb?x=1", "; form-action 'self' https://app.test;"),
            ("http://[::1]:8080/cb", "; form-action 'self' http://[::1]:8080;"),
            ("com.example.app:/cb", "; form-action 'self' com.example.app:;"),
            ("https://a;b/", "; form-action 'self';"),
        ] {
            assert!(consent_policy(uri).contains(source), "{uri}");
        }
    }
}
