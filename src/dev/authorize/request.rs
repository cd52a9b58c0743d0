//! An authorization request, read and held against what the client may ask (OAuth 2.1 section 4.1.1, OpenID Connect Core
//! 1.0 section 3.1.2.1).

use std::time::Duration;

use serde_json::Value;

use crate::dev::clients::Client;
use crate::dev::form::Form;
use crate::dev::pkce;
use crate::dev::server::Settings;
use crate::dev::token::target::is_absolute_uri;
use crate::scope::ScopeSet;

/// The longest `authorization_details` that is passed through, in bytes: they go into tokens.
const MAX_DETAILS_BYTES: usize = 4 * 1024;
/// The longest of the values that are given back as they came, in bytes.
const MAX_ECHO_BYTES: usize = 2 * 1024;

/// A request in which everything is as it should be.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scopes: ScopeSet,
    pub(crate) resources: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: String,
    /// The key that the code is bound to (RFC 9449 section 10).
    pub(crate) jkt: Option<String>,
    pub(crate) acr_values: Vec<String>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) prompt: Prompt,
    pub(crate) login_hint: Option<String>,
    pub(crate) details: Option<Value>,
}

/// `prompt` of OpenID Connect Core 1.0 section 3.1.2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// Nothing may be shown.
    pub(crate) none: bool,
    /// The user logs in anew.
    pub(crate) login: bool,
    pub(crate) consent: bool,
}

/// An error code and its description, for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem(pub(crate) &'static str, pub(crate) &'static str);

/// Reads a request whose client and redirect URI are known to belong together. `jkt` is the key that a pushed request
/// has proved (RFC 9449 section 10.1).
pub(crate) fn parse(
    form: &Form,
    client: &Client,
    redirect_uri: String,
    settings: &Settings,
    issuer: &str,
    jkt: Option<String>,
) -> Result<AuthorizationRequest, Problem> {
    check_response(form)?;
    let scopes = client
        .granted(form.get("scope"))
        .map_err(|_| Problem("invalid_scope", "a scope is malformed or not registered for this client"))?;
    let echoed = ["state", "nonce"].into_iter().filter_map(|name| form.get(name));
    if echoed.into_iter().any(|value| value.len() > MAX_ECHO_BYTES) {
        return Err(Problem("invalid_request", "state and nonce have at most 2 KiB"));
    }
    let values = form.get("acr_values").unwrap_or_default().split(' ').filter(|value| !value.is_empty());
    let acr_values: Vec<String> = values.map(str::to_owned).collect();
    if !acr_values.is_empty() && !acr_values.iter().any(|value| settings.acr_values.contains(value)) {
        let unmet = "none of acr_values is supported; see acr_values_supported in the metadata (RFC 9470 section 5)";
        return Err(Problem("unmet_authentication_requirements", unmet));
    }
    Ok(AuthorizationRequest {
        client_id: client.id.clone(),
        redirect_uri,
        state: form.get("state").map(str::to_owned),
        resources: resources(form, &scopes, settings, issuer)?,
        scopes,
        nonce: form.get("nonce").map(str::to_owned),
        challenge: challenge(form)?,
        jkt: bound_key(form, jkt)?,
        acr_values,
        max_age: max_age(form)?,
        prompt: prompt(form)?,
        login_hint: form.get("login_hint").map(str::to_owned),
        details: details(form)?,
    })
}

fn check_response(form: &Form) -> Result<(), Problem> {
    if form.get("request").is_some() {
        return Err(Problem("request_not_supported", "push the request instead (RFC 9126)"));
    }
    match form.get("response_type") {
        Some("code") => {}
        None => return Err(Problem("invalid_request", "response_type is missing; it is code")),
        Some(_) => {
            let gone = "only code exists: implicit and hybrid answers are gone from OAuth 2.1 (section 10)";
            return Err(Problem("unsupported_response_type", gone));
        }
    }
    match form.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(Problem("invalid_request", "response_mode can only be query")),
    }
}

/// PKCE for everybody, by S256 (OAuth 2.1 section 4.1.1, RFC 9700 section 2.1.1).
fn challenge(form: &Form) -> Result<String, Problem> {
    let Some(challenge) = form.get("code_challenge") else {
        return Err(Problem("invalid_request", "code_challenge is missing; PKCE is required (RFC 7636)"));
    };
    if form.get("code_challenge_method") != Some("S256") {
        return Err(Problem("invalid_request", "code_challenge_method must be S256; without it plain would be meant"));
    }
    if !pkce::is_challenge(challenge) {
        return Err(Problem("invalid_request", "code_challenge is not the base64url of a SHA-256 hash"));
    }
    Ok(challenge.to_owned())
}

/// What the request names and what it has proved must be one key (RFC 9449 section 10.1).
fn bound_key(form: &Form, proved: Option<String>) -> Result<Option<String>, Problem> {
    match (form.get("dpop_jkt"), proved) {
        (Some(named), Some(proved)) if named != proved => {
            Err(Problem("invalid_dpop_proof", "dpop_jkt is not the key of the DPoP proof"))
        }
        (Some(named), _) if !pkce::is_challenge(named) => {
            Err(Problem("invalid_request", "dpop_jkt is not a SHA-256 thumbprint (RFC 9449 section 10)"))
        }
        (Some(named), _) => Ok(Some(named.to_owned())),
        (None, proved) => Ok(proved),
    }
}

fn resources(form: &Form, scopes: &ScopeSet, settings: &Settings, issuer: &str) -> Result<Vec<String>, Problem> {
    let mut resources: Vec<String> = Vec::new();
    for resource in form.all("resource") {
        if !is_absolute_uri(resource) {
            return Err(Problem("invalid_target", "a resource is an absolute URI without fragment (RFC 8707)"));
        }
        if !resources.iter().any(|known| known == resource) {
            resources.push(resource.to_owned());
        }
    }
    if resources.is_empty() {
        // Who asks only for a login gets a token for userinfo, which is this server's.
        let own = scopes.contains("openid").then(|| issuer.to_owned());
        let audience = settings.audience.clone().or(own);
        resources.push(audience.ok_or(Problem("invalid_target", "resource is missing (RFC 8707 section 2)"))?);
    }
    Ok(resources)
}

fn max_age(form: &Form) -> Result<Option<Duration>, Problem> {
    let Some(text) = form.get("max_age") else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(seconds) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Some(Duration::from_secs(seconds.into()))),
        _ => Err(Problem("invalid_request", "max_age is a number of seconds")),
    }
}

fn prompt(form: &Form) -> Result<Prompt, Problem> {
    let mut prompt = Prompt::default();
    for value in form.get("prompt").unwrap_or_default().split(' ').filter(|value| !value.is_empty()) {
        match value {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            // The page always asks for both.
            "consent" | "select_account" => prompt.consent = true,
            _ => return Err(Problem("invalid_request", "prompt is none, login, consent or select_account")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(Problem("invalid_request", "prompt is none or something else, not both"));
    }
    Ok(prompt)
}

/// An array of objects that each have a `type` (RFC 9396 section 2); what they mean is the resource's affair.
fn details(form: &Form) -> Result<Option<Value>, Problem> {
    const WRONG: Problem = Problem(
        "invalid_authorization_details",
        "authorization_details is an array of objects with a type, of at most 4 KiB (RFC 9396 section 2)",
    );
    let Some(text) = form.get("authorization_details") else { return Ok(None) };
    if text.len() > MAX_DETAILS_BYTES {
        return Err(WRONG);
    }
    let details: Value = serde_json::from_str(text).map_err(|_| WRONG)?;
    let is_typed = |detail: &Value| detail.get("type").is_some_and(Value::is_string);
    if details.as_array().is_some_and(|array| !array.is_empty() && array.iter().all(is_typed)) {
        Ok(Some(details))
    } else {
        Err(WRONG)
    }
}
