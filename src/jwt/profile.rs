//! How an issuer writes its access tokens: strictly by RFC 9068, or in a dialect that has a preset.
//!
//! RFC 9068 tells an access token from an ID token by `typ: at+jwt`. Issuers that do not send it are admitted only by
//! a preset, and each preset demands another mark that an ID token of the same issuer lacks (RFC 8725bis sections 3.11
//! and 3.12).
//!
//! ```
//! use tower_oauth::{Issuer, Profile};
//!
//! let issuer = Issuer::jwt("https://login.example.com/realms/shop").profile(Profile::keycloak().roles_at("realm_access.roles"));
//! ```

use crate::jwt::claims::RawClaims;
use crate::jwt::compact::Header;
use crate::jwt::json::{Text, strings_at};

/// An issuer's way to write access tokens: what marks them as such, and where client, scopes and roles stand.
///
/// [The guide](crate::guide::jwt) has a table of what each preset asks for and reads.
///
/// ```
/// use tower_oauth::{Issuer, Profile};
///
/// let issuer = Issuer::jwt("https://login.example.com/realms/shop")
///     .profile(Profile::keycloak().roles_at("resource_access.orders.roles"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    dialect: Dialect,
    roles: Vec<Vec<Box<str>>>,
    scope_arrays: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Dialect {
    Rfc9068,
    Keycloak,
    Auth0,
    Entra,
    Okta,
    Cognito,
    Marked { claim: Box<str>, value: Box<str> },
}

impl Profile {
    /// RFC 9068 to the letter: the default. Roles are read from `roles`.
    #[must_use]
    pub fn rfc9068() -> Self {
        Self::of(Dialect::Rfc9068, "roles")
    }

    /// Keycloak: `typ` is `JWT`, and the claim `typ` says `Bearer`. Roles are read from `realm_access.roles`; those of a
    /// client are added by `.roles_at("resource_access.<client>.roles")`.
    #[must_use]
    pub fn keycloak() -> Self {
        Self::of(Dialect::Keycloak, "realm_access.roles")
    }

    /// Auth0: `typ` is `JWT`, the client is in `azp`. Permissions (RBAC) are read as roles.
    #[must_use]
    pub fn auth0() -> Self {
        Self::of(Dialect::Auth0, "permissions")
    }

    /// Microsoft Entra ID, v1.0 and v2.0 tokens: scopes are in `scp`, app roles in `roles`.
    #[must_use]
    pub fn entra() -> Self {
        Self::of(Dialect::Entra, "roles")
    }

    /// Okta custom authorization servers: no `typ`, scopes in the array `scp`, the client in `cid`. Roles are read from
    /// `groups`.
    #[must_use]
    pub fn okta() -> Self {
        Self::of(Dialect::Okta, "groups")
    }

    /// Amazon Cognito user pools: `token_use` is `access`, roles are read from `cognito:groups`.
    ///
    /// A Cognito access token has no `aud` unless a resource was bound to it; then its `client_id` takes the place, so
    /// name the app clients that may call with [`Issuer::audience`](crate::Issuer::audience).
    #[must_use]
    pub fn cognito() -> Self {
        Self::of(Dialect::Cognito, "cognito:groups")
    }

    /// An issuer without a preset: any `typ` that is `at+jwt`, `JWT` or absent, if the top-level claim `claim` is the
    /// string `value`, which no other kind of token of the issuer carries.
    #[must_use]
    pub fn marked_by(claim: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        Self::of(Dialect::Marked { claim: claim.into(), value: value.into() }, "roles")
    }

    fn of(dialect: Dialect, roles: &str) -> Self {
        let scope_arrays = matches!(dialect, Dialect::Okta | Dialect::Entra);
        Self { dialect, roles: vec![path(roles)], scope_arrays }
    }

    /// Reads roles also from this path of members, separated by dots: strings, or an array of them. Members whose
    /// names hold dots are given by [`roles_at_members`](Self::roles_at_members).
    #[must_use]
    pub fn roles_at(self, dotted: &str) -> Self {
        self.roles_at_members(dotted.split('.'))
    }

    /// Reads roles also from this path of members.
    #[must_use]
    pub fn roles_at_members<M: Into<Box<str>>>(mut self, members: impl IntoIterator<Item = M>) -> Self {
        self.roles.push(members.into_iter().map(Into::into).collect());
        self
    }

    /// Accepts a `scope` claim that is an array; RFC 9068 has a string.
    #[must_use]
    pub fn scope_arrays(mut self) -> Self {
        self.scope_arrays = true;
        self
    }

    /// The name of the preset, as configuration spells it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.dialect {
            Dialect::Rfc9068 => "rfc9068",
            Dialect::Keycloak => "keycloak",
            Dialect::Auth0 => "auth0",
            Dialect::Entra => "entra",
            Dialect::Okta => "okta",
            Dialect::Cognito => "cognito",
            Dialect::Marked { .. } => "marked",
        }
    }

    /// The preset of this name, as configuration spells it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::rfc9068, Self::keycloak, Self::auth0, Self::entra, Self::okta, Self::cognito]
            .into_iter()
            .map(|preset| preset())
            .find(|preset| preset.name() == name)
    }

    /// Whether the token is an access token and no other kind that the issuer signs.
    pub(crate) fn is_access_token(&self, header: &Header, claims: &RawClaims<'_>, payload: &str) -> bool {
        let typ = header.media_type();
        if typ.is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt")) {
            return match &self.dialect {
                Dialect::Marked { claim, value } => has_mark(payload, claim, value),
                _ => true,
            };
        }
        let plain = typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        let is = |claim: &Option<Text<'_>>, value: &str| claim.as_ref().is_some_and(|Text(text)| text == value);
        plain
            && !claims.events
            && match &self.dialect {
                Dialect::Rfc9068 => false,
                Dialect::Keycloak => is(&claims.typ, "Bearer"),
                // An ID token's audience is the client itself.
                Dialect::Auth0 => {
                    !claims.id_token_mark
                        && claims.azp.as_ref().is_some_and(|Text(client)| {
                            claims.aud.as_ref().is_some_and(|aud| aud.iter().all(|audience| audience != client))
                        })
                }
                Dialect::Entra => !claims.id_token_mark && (claims.azp.is_some() || claims.appid.is_some()),
                Dialect::Okta => {
                    !claims.id_token_mark
                        && claims.cid.is_some()
                        && claims.jti.as_ref().is_some_and(|Text(jti)| jti.starts_with("AT."))
                }
                Dialect::Cognito => is(&claims.token_use, "access"),
                Dialect::Marked { claim, value } => has_mark(payload, claim, value),
            }
    }

    /// A preset that would take this token for an access token: a hint for the operator's log, never for the wire.
    pub(crate) fn preset_for(header: &Header, claims: &RawClaims<'_>, payload: &str) -> Option<&'static str> {
        [
            (Self::keycloak as fn() -> Self, "Profile::keycloak()"),
            (Self::cognito, "Profile::cognito()"),
            (Self::okta, "Profile::okta()"),
            (Self::entra, "Profile::entra()"),
            (Self::auth0, "Profile::auth0()"),
        ]
        .into_iter()
        .filter(|(preset, _)| preset().is_access_token(header, claims, payload))
        // Auth0 and Entra both say `azp`; only Entra has `tid`, `oid` or `uti`.
        .find(|(_, name)| *name != "Profile::entra()" || claims.uti.is_some())
        .map(|(_, name)| name)
    }

    /// A claim that the dialect promises and this token lacks.
    pub(crate) fn missing_claim(&self, claims: &RawClaims<'_>) -> Option<&'static str> {
        let subject_may_lack = matches!(self.dialect, Dialect::Keycloak);
        let has_id = !matches!(self.dialect, Dialect::Rfc9068 | Dialect::Keycloak | Dialect::Okta | Dialect::Cognito);
        [
            ("iss", claims.iss.is_some()),
            ("exp", claims.exp.is_some()),
            ("aud", claims.aud.is_some() || self.client_stands_for_audience()),
            ("sub", claims.sub.is_some() || (subject_may_lack && claims.azp.is_some())),
            ("client_id", self.client_id(claims).is_some() || matches!(self.dialect, Dialect::Marked { .. })),
            ("iat", claims.iat.is_some()),
            ("jti", claims.jti.is_some() || has_id),
        ]
        .into_iter()
        .find_map(|(name, there)| (!there).then_some(name))
    }

    /// The OAuth client that the token was issued to.
    pub(crate) fn client_id<'c>(&self, claims: &'c RawClaims<'_>) -> Option<&'c str> {
        let text = |claim: &'c Option<Text<'_>>| claim.as_ref().map(|Text(text)| text.as_ref());
        match self.dialect {
            Dialect::Rfc9068 | Dialect::Cognito | Dialect::Marked { .. } => text(&claims.client_id),
            Dialect::Keycloak | Dialect::Auth0 => text(&claims.azp).or_else(|| text(&claims.client_id)),
            Dialect::Entra => text(&claims.azp).or_else(|| text(&claims.appid)),
            Dialect::Okta => text(&claims.cid),
        }
    }

    /// The token's own identifier.
    pub(crate) fn token_id<'c>(&self, claims: &'c RawClaims<'_>) -> Option<&'c str> {
        let entra = matches!(self.dialect, Dialect::Entra).then_some(&claims.uti).and_then(Option::as_ref);
        claims.jti.as_ref().or(entra).map(|Text(id)| id.as_ref())
    }

    /// Whether a user stands behind the token, as against a client acting for itself (RFC 9068 section 5).
    pub(crate) fn is_user(&self, claims: &RawClaims<'_>) -> bool {
        let text = |claim: &Option<Text<'_>>, test: fn(&str) -> bool| claim.as_ref().is_some_and(|Text(it)| test(it));
        let Some(Text(subject)) = &claims.sub else { return false };
        let is_client = self.client_id(claims).is_some_and(|client| client == subject);
        !is_client
            && match self.dialect {
                Dialect::Rfc9068 | Dialect::Marked { .. } => true,
                Dialect::Keycloak => {
                    (claims.sid.is_some() || claims.session_state.is_some())
                        && !text(&claims.preferred_username, |name| name.starts_with("service-account-"))
                }
                Dialect::Auth0 => {
                    !subject.ends_with("@clients") && !text(&claims.gty, |grant| grant == "client-credentials")
                }
                Dialect::Entra => claims.scp.is_some() && !text(&claims.idtyp, |kind| kind == "app"),
                Dialect::Okta => claims.uid.is_some(),
                Dialect::Cognito => claims.username.is_some(),
            }
    }

    /// Whether `scp` is the claim that holds the scopes.
    pub(crate) const fn reads_scp(&self) -> bool {
        matches!(self.dialect, Dialect::Entra | Dialect::Okta)
    }

    /// Whether an array of scopes is read, or refused as malformed.
    pub(crate) const fn reads_scope_arrays(&self) -> bool {
        self.scope_arrays
    }

    /// Whether the client identifier is compared with the audiences when `aud` is absent.
    pub(crate) const fn client_stands_for_audience(&self) -> bool {
        matches!(self.dialect, Dialect::Cognito)
    }

    /// The top-level members that roles are read from.
    pub(crate) fn role_members(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().filter_map(|path| path.first()).map(AsRef::as_ref)
    }

    /// The roles in the payload, from every configured path.
    pub(crate) fn roles<'p>(&self, claims: &RawClaims<'_>, payload: &'p str) -> impl Iterator<Item = Text<'p>> {
        let is_there = |path: &&Vec<Box<str>>| path.first().is_some_and(|name| claims.names.contains(name));
        self.roles.iter().filter(is_there).flat_map(|path| strings_at(payload, path))
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::rfc9068()
    }
}

fn path(dotted: &str) -> Vec<Box<str>> {
    dotted.split('.').map(Box::from).collect()
}

fn has_mark(payload: &str, claim: &str, value: &str) -> bool {
    matches!(strings_at(payload, &[claim.into()]).as_slice(), [Text(only)] if only == value)
}
