//! Tokens as vendors write them, under the presets that read them.
//!
//! The shapes are those of the vendors' documentation and of tokens seen in the field; every identifier is made up.

use std::convert::Infallible;
use std::sync::LazyLock;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, service_fn};
use tower_oauth::test::{RequestExt as _, SigningKey, TestIssuer, TokenBuilder};
use tower_oauth::{
    Algorithm, Authenticated, Demand, OAuthConfigBuilder, OAuthLayer, Principal, Profile, Requirement, ResourceServer,
};

use crate::support::{Answer, Fixture, RESOURCE, T, send};

const API: &str = "https://api.shop.example";

/// All vendors sign by RS256. One key, because it takes long to make.
static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Rs256).unwrap());

struct UserOnly;

impl Requirement for UserOnly {
    const DEMAND: Demand = Demand::authenticated().user_only();
}

/// An issuer, how it is trusted, and how it writes its tokens.
struct Vendor {
    issuer: &'static str,
    /// What its access tokens name as their audience.
    audience: &'static str,
    profile: Profile,
    /// The name of the preset in the operator's log; a marked issuer has none.
    hint: Option<&'static str>,
}

impl Vendor {
    fn fixture(&self, profile: Profile) -> Fixture {
        let issuer = TestIssuer::new(self.issuer);
        issuer.publish(RSA.public_jwk());
        Fixture::of(issuer, |issuer| issuer.issuer().profile(profile).audience(self.audience))
    }

    /// The token passes under the preset, and what it says is understood.
    async fn reads(&self, header: &Value, claims: &Value, expected: &Expected<'_>) {
        let fixture = self.fixture(self.profile.clone());
        let token = token(&fixture, header, claims);
        let known = verdict(&fixture, &token).await;
        assert_eq!(known.principal(), expected.principal);
        assert_eq!(known.client_id(), Some(expected.client));
        assert_eq!(known.subject(), claims["sub"].as_str());
        assert_eq!(known.issuer(), self.issuer);
        assert_eq!(known.scopes(), &expected.scopes.parse().unwrap());
        assert_eq!(known.roles().collect::<Vec<_>>(), expected.roles);
        assert_eq!(known.token_id(), expected.id);
        let user_only = send(&fixture.guarded::<UserOnly>(), Request::get("/x").bearer(&token)).await;
        match expected.principal {
            Principal::User(_) => user_only.assert_passed(),
            Principal::Client(_) => {
                user_only.assert_refused(403, Some("insufficient_scope"));
                assert_eq!(user_only.rejection().kind().as_str(), "user_required");
            }
        }
    }

    /// The token is none by RFC 9068. The operator is told which preset would read it, the client is not.
    async fn is_not_read_by_rfc_9068(&self, header: &Value, claims: &Value) {
        let fixture = self.fixture(Profile::rfc9068());
        let app = OAuthLayer::new(&fixture.server).problem_details().layer(service_fn(crate::support::inner));
        let request = Request::get("/x").bearer(&token(&fixture, header, claims));
        let answer = send(&BoxCloneSyncService::new(app), request).await;
        answer.assert_invalid_token("wrong_token_type");
        let told = answer.rejection().to_string();
        match self.hint {
            Some(preset) => assert!(told.ends_with(&format!("set its profile: {preset}")), "{told}"),
            None => assert!(!told.contains("profile"), "{told}"),
        }
        let wire = format!("{:?} {:?}", answer.response.headers(), answer.body).to_lowercase();
        for word in ["profile", "preset", "typ is", "wrong_token_type", self.profile.name()] {
            assert!(!wire.contains(word), "{wire}");
        }
    }

    /// Another kind of token, signed by the same key and for the same audience, does not pass under the preset.
    async fn is_no_access_token(&self, header: &Value, claims: &Value) {
        let fixture = self.fixture(self.profile.clone());
        fixture.answer(&token(&fixture, header, claims)).await.assert_invalid_token("wrong_token_type");
        let meant_for_us = changed(claims, &json!({ "aud": self.audience }));
        fixture.answer(&token(&fixture, header, &meant_for_us)).await.assert_invalid_token("wrong_token_type");
    }
}

struct Expected<'a> {
    principal: Principal<'a>,
    client: &'a str,
    scopes: &'a str,
    roles: &'a [&'a str],
    id: Option<&'a str>,
}

/// A token of exactly these claims beside `iss`, `iat` and `exp`.
fn token(fixture: &Fixture, header: &Value, claims: &Value) -> String {
    let ours = fixture.token().signed_by(&*RSA);
    let bare = ["sub", "client_id", "jti"].into_iter().fold(ours, TokenBuilder::without);
    let builder = claims
        .as_object()
        .unwrap()
        .iter()
        .fold(bare.without("aud").without_typ(), |builder, (name, value)| builder.claim(name, value));
    header
        .as_object()
        .unwrap()
        .iter()
        .fold(builder, |builder, (name, value)| builder.header(name, value.clone()))
        .sign()
}

/// What was proved of a token that passes.
async fn verdict(fixture: &Fixture, token: &str) -> Authenticated {
    let reporting = service_fn(async |request: Request<Full<Bytes>>| {
        let mut response = Response::new(Full::default());
        response.headers_mut().insert("x-inner", "called".parse().unwrap());
        response.extensions_mut().insert(request.extensions().get::<Authenticated>().unwrap().clone());
        Ok::<_, Infallible>(response)
    });
    let app = BoxCloneSyncService::new(OAuthLayer::new(&fixture.server).layer(reporting));
    let answer: Answer = send(&app, Request::get("/x").bearer(token)).await;
    answer.assert_passed();
    answer.response.extensions().get::<Authenticated>().unwrap().clone()
}

/// `claims` with those of `changes`; `null` takes one away.
fn changed(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    let members = claims.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    claims
}

fn jwt() -> Value {
    json!({ "typ": "JWT" })
}

fn untyped() -> Value {
    json!({})
}

fn keycloak() -> Vendor {
    Vendor {
        issuer: "https://sso.shop.example/realms/shop",
        audience: "orders-api",
        profile: Profile::keycloak().roles_at("resource_access.orders-api.roles"),
        hint: Some("Profile::keycloak()"),
    }
}

fn keycloak_user() -> Value {
    json!({
        "auth_time": T.as_secs() - 10,
        "jti": "onrtac:5e2b4f0c-7d0e-4a53-9c52-64ad1fd9a7e1",
        "aud": ["orders-api", "account"],
        "sub": "0c5a7a52-8d8e-4f0e-a1ff-3a9f4f6d2b11",
        "typ": "Bearer",
        "azp": "shop-web",
        "sid": "b6f7f0a4-63a5-4d0f-8e59-0a6f1f5f2a77",
        "acr": "1",
        "allowed-origins": ["https://shop.example"],
        "realm_access": { "roles": ["default-roles-shop", "clerk"] },
        "resource_access": {
            "orders-api": { "roles": ["refunds"] },
            "account": { "roles": ["manage-account", "view-profile"] },
        },
        "scope": "openid profile email orders:read",
        "email_verified": true,
        "name": "Ada Example",
        "preferred_username": "ada",
        "given_name": "Ada",
        "family_name": "Example",
        "email": "ada@shop.example",
    })
}

fn keycloak_service_account() -> Value {
    json!({
        "jti": "trrtcc:9a0d2c7e-3f0b-4f52-8d5a-2f1f6b7a9c10",
        "aud": ["orders-api", "account"],
        "sub": "7b1f0f6e-2d0a-4c57-9a43-5c1d9f1e8a90",
        "typ": "Bearer",
        "azp": "nightly-job",
        "acr": "1",
        "allowed-origins": ["/*"],
        "realm_access": { "roles": ["default-roles-shop", "offline_access"] },
        "resource_access": { "orders-api": { "roles": ["exporter"] } },
        "scope": "email profile",
        "email_verified": false,
        "clientHost": "192.0.2.7",
        "preferred_username": "service-account-nightly-job",
        "clientAddress": "192.0.2.7",
        "client_id": "nightly-job",
    })
}

/// ATJ-02: Keycloak's access tokens are read by their own mark.
#[tokio::test]
async fn keycloak_tokens_are_read() {
    let user = Expected {
        principal: Principal::User("0c5a7a52-8d8e-4f0e-a1ff-3a9f4f6d2b11"),
        client: "shop-web",
        scopes: "openid profile email orders:read",
        roles: &["default-roles-shop", "clerk", "refunds"],
        id: Some("onrtac:5e2b4f0c-7d0e-4a53-9c52-64ad1fd9a7e1"),
    };
    let service = Expected {
        principal: Principal::Client("nightly-job"),
        client: "nightly-job",
        scopes: "email profile",
        roles: &["default-roles-shop", "offline_access", "exporter"],
        id: Some("trrtcc:9a0d2c7e-3f0b-4f52-8d5a-2f1f6b7a9c10"),
    };
    keycloak().reads(&jwt(), &keycloak_user(), &user).await;
    keycloak().reads(&jwt(), &keycloak_service_account(), &service).await;
    // Older versions name the session by `session_state`, and give the session of a service account too.
    let session = json!({ "sid": null, "session_state": "b6f7f0a4-63a5-4d0f-8e59-0a6f1f5f2a77" });
    keycloak().reads(&jwt(), &changed(&keycloak_user(), &session), &user).await;
    keycloak().reads(&jwt(), &changed(&keycloak_service_account(), &session), &service).await;
    // With the client's setting for RFC 9068 switched on.
    keycloak().reads(&json!({ "typ": "at+jwt" }), &keycloak_user(), &user).await;
    for claims in [keycloak_user(), keycloak_service_account()] {
        keycloak().is_not_read_by_rfc_9068(&jwt(), &claims).await;
    }
}

/// ATJ-02: Keycloak's other tokens, which carry the same `typ` in their headers, are not.
#[tokio::test]
async fn keycloaks_other_tokens_are_not_read() {
    let id_token = changed(
        &keycloak_user(),
        &json!({
            "typ": "ID", "aud": "shop-web", "nonce": "c9d2", "at_hash": "pT8qzKX0N4aXv1tJ3jP5eg", "scope": null,
            "realm_access": null, "resource_access": null, "allowed-origins": null,
        }),
    );
    let refresh_token = json!({
        "jti": "d7a1c7c6-8a52-4f2a-bb1d-3f1c1c52f5a4",
        "aud": "https://sso.shop.example/realms/shop",
        "sub": "0c5a7a52-8d8e-4f0e-a1ff-3a9f4f6d2b11",
        "typ": "Refresh",
        "azp": "shop-web",
        "sid": "b6f7f0a4-63a5-4d0f-8e59-0a6f1f5f2a77",
        "scope": "openid profile email orders:read",
    });
    let logout_token = json!({
        "jti": "8d3c1f5e-6f4a-4be9-9d5b-98f8a7c7a1b2",
        "aud": "shop-web",
        "sub": "0c5a7a52-8d8e-4f0e-a1ff-3a9f4f6d2b11",
        "typ": "Logout",
        "sid": "b6f7f0a4-63a5-4d0f-8e59-0a6f1f5f2a77",
        "events": {
            "http://schemas.openid.net/event/backchannel-logout": {},
            "http://schemas.openid.net/event/backchannel-logout-revoke-offline-access": false,
        },
    });
    keycloak().is_no_access_token(&jwt(), &id_token).await;
    keycloak().is_no_access_token(&jwt(), &refresh_token).await;
    keycloak().is_no_access_token(&jwt(), &changed(&refresh_token, &json!({ "typ": "Offline" }))).await;
    keycloak().is_no_access_token(&jwt(), &logout_token).await;
    keycloak().is_no_access_token(&json!({ "typ": "logout+jwt" }), &logout_token).await;
    keycloak().is_no_access_token(&jwt(), &changed(&logout_token, &json!({ "typ": "Bearer" }))).await;
}

fn auth0() -> Vendor {
    Vendor {
        issuer: "https://shop-example.eu.auth0.com/",
        audience: API,
        profile: Profile::auth0(),
        hint: Some("Profile::auth0()"),
    }
}

fn auth0_user() -> Value {
    json!({
        "sub": "auth0|6530c1f2a4b7d90012ab34cd",
        "aud": [API, "https://shop-example.eu.auth0.com/userinfo"],
        "scope": "openid profile orders:read offline_access",
        "azp": "yT0n2KkV5mQ8rXc1LwZ4bHs7DfGj9PaE",
        "permissions": ["orders:read", "orders:refund"],
    })
}

/// ATJ-02: Auth0's access tokens are read in both of its dialects.
#[tokio::test]
async fn auth0_tokens_are_read() {
    let user = Expected {
        principal: Principal::User("auth0|6530c1f2a4b7d90012ab34cd"),
        client: "yT0n2KkV5mQ8rXc1LwZ4bHs7DfGj9PaE",
        scopes: "openid profile orders:read offline_access",
        roles: &["orders:read", "orders:refund"],
        id: None,
    };
    let machine = json!({
        "sub": "Qb3x7NnW2cVt6LpJ9kRz1YmHd5Fs8GaU@clients",
        "aud": API,
        "scope": "orders:export",
        "gty": "client-credentials",
        "azp": "Qb3x7NnW2cVt6LpJ9kRz1YmHd5Fs8GaU",
    });
    let service = Expected {
        principal: Principal::Client("Qb3x7NnW2cVt6LpJ9kRz1YmHd5Fs8GaU"),
        client: "Qb3x7NnW2cVt6LpJ9kRz1YmHd5Fs8GaU",
        scopes: "orders:export",
        roles: &[],
        id: None,
    };
    auth0().reads(&jwt(), &auth0_user(), &user).await;
    auth0().reads(&jwt(), &machine, &service).await;
    for claims in [auth0_user(), machine.clone()] {
        auth0().is_not_read_by_rfc_9068(&jwt(), &claims).await;
    }
    // The dialect that Auth0 calls its RFC 9068 profile.
    let at_jwt = json!({ "typ": "at+jwt" });
    let rfc_9068 = |claims: &Value| {
        let client = claims["azp"].clone();
        changed(claims, &json!({ "azp": null, "gty": null, "client_id": client, "jti": "h2Jk9sLq4VbN8tZx" }))
    };
    auth0().reads(&at_jwt, &rfc_9068(&auth0_user()), &Expected { id: Some("h2Jk9sLq4VbN8tZx"), ..user }).await;
    auth0().reads(&at_jwt, &rfc_9068(&machine), &Expected { id: Some("h2Jk9sLq4VbN8tZx"), ..service }).await;
    let strict = auth0().fixture(Profile::rfc9068());
    strict.answer(&token(&strict, &at_jwt, &rfc_9068(&auth0_user()))).await.assert_passed();
}

/// ATJ-02: Auth0's ID tokens are for the client and pass nowhere.
#[tokio::test]
async fn auth0_id_tokens_are_not_read() {
    let id_token = json!({
        "nickname": "ada",
        "name": "Ada Example",
        "picture": "https://cdn.example/ada.png",
        "updated_at": "2026-11-21T08:00:00.000Z",
        "email": "ada@shop.example",
        "email_verified": true,
        "aud": "yT0n2KkV5mQ8rXc1LwZ4bHs7DfGj9PaE",
        "sub": "auth0|6530c1f2a4b7d90012ab34cd",
        "sid": "vM3kq9T7nXr2LbY5hWc8ZsJd1FgPaE4u",
        "nonce": "b1hQVXd6",
    });
    auth0().is_no_access_token(&jwt(), &id_token).await;
    // Without a nonce, and with `azp` as OpenID has it for several audiences.
    let bare = changed(&id_token, &json!({ "nonce": null }));
    auth0().is_no_access_token(&jwt(), &bare).await;
    let client = "yT0n2KkV5mQ8rXc1LwZ4bHs7DfGj9PaE";
    let mut for_itself = auth0();
    for_itself.audience = client;
    for_itself.is_no_access_token(&jwt(), &changed(&bare, &json!({ "azp": client }))).await;
    for_itself.is_no_access_token(&jwt(), &changed(&bare, &json!({ "azp": client, "aud": [client, API] }))).await;
}

const TENANT: &str = "3f2b8c1e-5a7d-4e90-b6c4-9d1e2f3a4b5c";
const ENTRA_API: &str = "5d9a3c7e-1b2f-4a6d-8e0c-7f6b5a4d3c2b";

fn entra_v1() -> Vendor {
    Vendor {
        issuer: "https://sts.windows.net/3f2b8c1e-5a7d-4e90-b6c4-9d1e2f3a4b5c/",
        audience: "api://5d9a3c7e-1b2f-4a6d-8e0c-7f6b5a4d3c2b",
        profile: Profile::entra(),
        hint: Some("Profile::entra()"),
    }
}

fn entra_v2() -> Vendor {
    Vendor {
        issuer: "https://login.microsoftonline.com/3f2b8c1e-5a7d-4e90-b6c4-9d1e2f3a4b5c/v2.0",
        audience: ENTRA_API,
        ..entra_v1()
    }
}

fn entra_header() -> Value {
    json!({ "typ": "JWT", "x5t": "8kR2vXq1LmT7nYb3ZcW9dHs5FgA" })
}

fn entra_v2_user() -> Value {
    json!({
        "aud": ENTRA_API,
        "nbf": T.as_secs(),
        "aio": "AWQAm/8ZAAAAbZ9m3r0oYb1q",
        "azp": "c81f7b5e-2a4d-4c36-9e70-1d2b3c4a5f6e",
        "azpacr": "0",
        "name": "Ada Example",
        "oid": "9b7e6d5c-4a3f-42e1-8d0c-6f5a4b3c2d1e",
        "preferred_username": "ada@shop.example",
        "rh": "1.AXkAHowrP31akE62xJ0eLzpLXH6c",
        "roles": ["Orders.Approver"],
        "scp": "Orders.Read Orders.Refund",
        "sid": "00a1b2c3-d4e5-46f7-8a9b-0c1d2e3f4a5b",
        "sub": "kX3nT9vLq7YbR2mZcW5dHs8FgAjPe1uNoV4tGiBxQyE",
        "tid": TENANT,
        "uti": "Zq8Lk3RvT0mXnYb2HcWdAA",
        "ver": "2.0",
    })
}

fn entra_v2_application() -> Value {
    json!({
        "aud": ENTRA_API,
        "nbf": T.as_secs(),
        "aio": "k2RgYGDYvm6hlfVjvZAnG2sdAA==",
        "azp": "d4c3b2a1-6f5e-4d7c-8b9a-0e1f2a3b4c5d",
        "azpacr": "1",
        "idtyp": "app",
        "oid": "e5f6a7b8-9c0d-4e1f-a2b3-c4d5e6f7a8b9",
        "rh": "1.AXkAHowrP31akE62xJ0eLzpLXH6c",
        "roles": ["Orders.Export.All"],
        "sub": "e5f6a7b8-9c0d-4e1f-a2b3-c4d5e6f7a8b9",
        "tid": TENANT,
        "uti": "pX5nT1vLq9YbR4mZcW7dBB",
        "ver": "2.0",
    })
}

/// The v1.0 names of what v2.0 calls otherwise.
fn as_v1(claims: &Value) -> Value {
    let renamed = json!({
        "aud": "api://5d9a3c7e-1b2f-4a6d-8e0c-7f6b5a4d3c2b",
        "appid": claims["azp"], "appidacr": claims["azpacr"], "azp": null, "azpacr": null,
        "ver": "1.0",
    });
    let v1 = changed(claims, &renamed);
    match claims.get("idtyp") {
        Some(_) => changed(&v1, &json!({ "idp": format!("https://sts.windows.net/{TENANT}/") })),
        None => changed(
            &v1,
            &json!({
                "acr": "1", "amr": ["pwd", "mfa"], "family_name": "Example", "given_name": "Ada",
                "ipaddr": "192.0.2.7", "preferred_username": null, "unique_name": "ada@shop.example",
                "upn": "ada@shop.example",
            }),
        ),
    }
}

/// ATJ-02: Entra's access tokens are read, those of version 1.0 and those of version 2.0.
#[tokio::test]
async fn entra_tokens_are_read() {
    let user = Expected {
        principal: Principal::User("kX3nT9vLq7YbR2mZcW5dHs8FgAjPe1uNoV4tGiBxQyE"),
        client: "c81f7b5e-2a4d-4c36-9e70-1d2b3c4a5f6e",
        scopes: "Orders.Read Orders.Refund",
        roles: &["Orders.Approver"],
        id: Some("Zq8Lk3RvT0mXnYb2HcWdAA"),
    };
    let application = Expected {
        principal: Principal::Client("d4c3b2a1-6f5e-4d7c-8b9a-0e1f2a3b4c5d"),
        client: "d4c3b2a1-6f5e-4d7c-8b9a-0e1f2a3b4c5d",
        scopes: "",
        roles: &["Orders.Export.All"],
        id: Some("pX5nT1vLq9YbR4mZcW7dBB"),
    };
    // `idtyp` is an optional claim, and most tokens lack it.
    let unsaid = json!({ "idtyp": null });
    for (claims, expected) in [
        (entra_v2_user(), &user),
        (entra_v2_application(), &application),
        (changed(&entra_v2_application(), &unsaid), &application),
    ] {
        entra_v2().reads(&entra_header(), &claims, expected).await;
        entra_v2().is_not_read_by_rfc_9068(&entra_header(), &claims).await;
    }
    for (claims, expected) in [
        (as_v1(&entra_v2_user()), &user),
        (as_v1(&entra_v2_application()), &application),
        (changed(&as_v1(&entra_v2_application()), &unsaid), &application),
    ] {
        entra_v1().reads(&entra_header(), &claims, expected).await;
        entra_v1().is_not_read_by_rfc_9068(&entra_header(), &claims).await;
    }
}

/// ATJ-02: Entra's ID tokens are not read, though one application may be both client and API.
#[tokio::test]
async fn entra_id_tokens_are_not_read() {
    let v2 = json!({
        "aud": ENTRA_API,
        "nbf": T.as_secs(),
        "aio": "AWQAm/8ZAAAAmX2k1p8nYb3q",
        "name": "Ada Example",
        "nonce": "638a1f0c",
        "oid": "9b7e6d5c-4a3f-42e1-8d0c-6f5a4b3c2d1e",
        "preferred_username": "ada@shop.example",
        "rh": "1.AXkAHowrP31akE62xJ0eLzpLXH6c",
        "roles": ["Orders.Approver"],
        "sid": "00a1b2c3-d4e5-46f7-8a9b-0c1d2e3f4a5b",
        "sub": "mW1kT7vLq5YbR9nZcX3dHs6FgAjPe8uNoV2tGiBxQyE",
        "tid": TENANT,
        "uti": "Tq2Lk9RvZ4mXnYb6HcWdCC",
        "ver": "2.0",
    });
    let v1 = changed(&v2, &json!({ "preferred_username": null, "unique_name": "ada@shop.example", "ver": "1.0" }));
    for (vendor, id_token) in [(entra_v2(), v2), (entra_v1(), v1)] {
        vendor.is_no_access_token(&jwt(), &id_token).await;
        vendor.is_no_access_token(&jwt(), &changed(&id_token, &json!({ "nonce": null }))).await;
    }
}

fn okta() -> Vendor {
    Vendor {
        issuer: "https://shop-example.okta.com/oauth2/aus7k2m9xQ4vLpT1n5d7",
        audience: "api://orders",
        profile: Profile::okta(),
        hint: Some("Profile::okta()"),
    }
}

/// ATJ-02: Okta's access tokens are read, without `typ` and with an array of scopes.
#[tokio::test]
async fn okta_tokens_are_read() {
    let user = json!({
        "ver": 1,
        "jti": "AT.q7V2nXk9LmT4bYcR1ZwHs5dF8gAjPe3uNoGi6xByQtE.oarx3k8n2vT7mLq5d697",
        "aud": "api://orders",
        "cid": "0oa4k9n2xQ7vLpT1m5d7",
        "uid": "00u8b3c1dE6fGh2Ij5k7",
        "scp": ["openid", "offline_access", "orders:read"],
        "auth_time": T.as_secs() - 60,
        "sub": "ada@shop.example",
        "groups": ["Everyone", "Clerks"],
    });
    let machine = json!({
        "ver": 1,
        "jti": "AT.m2K8pXr5TnL1bYcV9ZwHs3dF6gAjQe7uNoGi4xByRtE",
        "aud": "api://orders",
        "cid": "0oa6p1q8rS3tUv5Wx9y2",
        "scp": ["orders:export"],
        "sub": "0oa6p1q8rS3tUv5Wx9y2",
    });
    okta()
        .reads(
            &untyped(),
            &user,
            &Expected {
                principal: Principal::User("ada@shop.example"),
                client: "0oa4k9n2xQ7vLpT1m5d7",
                scopes: "openid offline_access orders:read",
                roles: &["Everyone", "Clerks"],
                id: user["jti"].as_str(),
            },
        )
        .await;
    okta()
        .reads(
            &untyped(),
            &machine,
            &Expected {
                principal: Principal::Client("0oa6p1q8rS3tUv5Wx9y2"),
                client: "0oa6p1q8rS3tUv5Wx9y2",
                scopes: "orders:export",
                roles: &[],
                id: machine["jti"].as_str(),
            },
        )
        .await;
    for claims in [user, machine] {
        okta().is_not_read_by_rfc_9068(&untyped(), &claims).await;
    }
}

/// ATJ-02: Okta's ID tokens, and the tokens of its own organization server, are not.
#[tokio::test]
async fn oktas_other_tokens_are_not_read() {
    let id_token = json!({
        "sub": "00u8b3c1dE6fGh2Ij5k7",
        "name": "Ada Example",
        "email": "ada@shop.example",
        "ver": 1,
        "aud": "0oa4k9n2xQ7vLpT1m5d7",
        "jti": "ID.h5J2sXq8LkT3bYcN7ZwRv1dF9gAmPe4uVoGi2xByWtE",
        "amr": ["pwd"],
        "idp": "00o1a2b3cD4eFg5Hi6j7",
        "nonce": "f0c4",
        "preferred_username": "ada@shop.example",
        "auth_time": T.as_secs() - 60,
        "at_hash": "Yb3mXkT9nLq1RvZcW5dHsA",
        "groups": ["Everyone", "Clerks"],
    });
    let of_the_organization = json!({
        "ver": 1,
        "jti": "AT.w9V4nXk1LmT6bYcR3ZwHs7dF2gAjPe5uNoGi8xByQtE",
        "aud": "https://shop-example.okta.com",
        "sub": "ada@shop.example",
        "cid": "0oa4k9n2xQ7vLpT1m5d7",
        "uid": "00u8b3c1dE6fGh2Ij5k7",
        "scp": ["openid"],
    });
    okta().is_no_access_token(&untyped(), &id_token).await;
    let bare = json!({ "nonce": null, "at_hash": null, "cid": "0oa4k9n2xQ7vLpT1m5d7" });
    okta().is_no_access_token(&untyped(), &changed(&id_token, &bare)).await;
    let internal = json!({ "typ": "application/okta-internal-at+jwt" });
    okta().is_no_access_token(&internal, &of_the_organization).await;
}

fn cognito() -> Vendor {
    Vendor {
        issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Qx7Vn2KpL",
        // A pool's token names its client alone, so the clients that may call are listed.
        audience: "4k9n2xq7vlpt1m5d7rbc3yzwhs",
        profile: Profile::cognito(),
        hint: Some("Profile::cognito()"),
    }
}

fn cognito_user() -> Value {
    json!({
        "sub": "a3d4f8c2-70b1-4e5f-9c6d-8b2a1e0f7d43",
        "cognito:groups": ["clerks", "eu-central-1_Qx7Vn2KpL_Google"],
        "version": 2,
        "client_id": "4k9n2xq7vlpt1m5d7rbc3yzwhs",
        "origin_jti": "1f7c0b52-3d6e-4a89-b0c1-5e2d4f6a8b90",
        "event_id": "6b0d1e5f-2c3a-4f78-9d1e-0a2b4c6d8e0f",
        "token_use": "access",
        "scope": "openid profile orders/read",
        "auth_time": T.as_secs() - 60,
        "jti": "c2e4a6b8-0d1f-4c3e-8a5b-7d9f1e3c5a70",
        "username": "ada",
    })
}

/// ATJ-02: Cognito's access tokens are read, with or without an audience.
#[tokio::test]
async fn cognito_tokens_are_read() {
    let user = Expected {
        principal: Principal::User("a3d4f8c2-70b1-4e5f-9c6d-8b2a1e0f7d43"),
        client: "4k9n2xq7vlpt1m5d7rbc3yzwhs",
        scopes: "openid profile orders/read",
        roles: &["clerks", "eu-central-1_Qx7Vn2KpL_Google"],
        id: Some("c2e4a6b8-0d1f-4c3e-8a5b-7d9f1e3c5a70"),
    };
    let machine = json!({
        "sub": "4k9n2xq7vlpt1m5d7rbc3yzwhs",
        "token_use": "access",
        "scope": "orders/export",
        "auth_time": T.as_secs(),
        "version": 2,
        "jti": "e6a8c0d2-4f1b-4e7a-9c3d-5b7f9a1c3e50",
        "client_id": "4k9n2xq7vlpt1m5d7rbc3yzwhs",
    });
    cognito().reads(&untyped(), &cognito_user(), &user).await;
    cognito()
        .reads(
            &untyped(),
            &machine,
            &Expected {
                principal: Principal::Client("4k9n2xq7vlpt1m5d7rbc3yzwhs"),
                client: "4k9n2xq7vlpt1m5d7rbc3yzwhs",
                scopes: "orders/export",
                roles: &[],
                id: Some("e6a8c0d2-4f1b-4e7a-9c3d-5b7f9a1c3e50"),
            },
        )
        .await;
    for claims in [cognito_user(), machine] {
        cognito().is_not_read_by_rfc_9068(&untyped(), &claims).await;
    }
    // A resource bound to the token takes the client's place: then that must be ours.
    let mut bound = cognito();
    bound.audience = API;
    let bound_to = |resource: &str| changed(&cognito_user(), &json!({ "aud": resource }));
    bound.reads(&untyped(), &bound_to(API), &user).await;
    let fixture = cognito().fixture(Profile::cognito());
    let elsewhere = token(&fixture, &untyped(), &bound_to("https://other.example"));
    fixture.answer(&elsewhere).await.assert_invalid_token("audience_mismatch");
    let of_another_client = changed(&cognito_user(), &json!({ "client_id": "7r1c5vzx9q3np2k8m4lbtdyhwa" }));
    fixture.answer(&token(&fixture, &untyped(), &of_another_client)).await.assert_invalid_token("audience_mismatch");
}

/// ATJ-02: Cognito's ID tokens, whose audience is the very client, are not.
#[tokio::test]
async fn cognito_id_tokens_are_not_read() {
    let id_token = json!({
        "sub": "a3d4f8c2-70b1-4e5f-9c6d-8b2a1e0f7d43",
        "cognito:groups": ["clerks"],
        "email_verified": true,
        "cognito:username": "ada",
        "origin_jti": "1f7c0b52-3d6e-4a89-b0c1-5e2d4f6a8b90",
        "aud": "4k9n2xq7vlpt1m5d7rbc3yzwhs",
        "event_id": "6b0d1e5f-2c3a-4f78-9d1e-0a2b4c6d8e0f",
        "token_use": "id",
        "auth_time": T.as_secs() - 60,
        "jti": "d3f5b7c9-1e2a-4d4f-9b6c-8e0a2f4d6b81",
        "email": "ada@shop.example",
        "at_hash": "pT8qzKX0N4aXv1tJ3jP5eg",
    });
    cognito().is_no_access_token(&untyped(), &id_token).await;
    let with_client = changed(&id_token, &json!({ "client_id": "4k9n2xq7vlpt1m5d7rbc3yzwhs", "at_hash": null }));
    cognito().is_no_access_token(&untyped(), &with_client).await;
}

/// ATJ-02: an issuer without a preset is read by the mark that it is known to make.
#[tokio::test]
async fn marked_tokens_are_read() {
    let vendor = Vendor {
        issuer: "https://login.shop.example",
        audience: RESOURCE,
        profile: Profile::marked_by("token_kind", "access"),
        hint: None,
    };
    let user = json!({
        "sub": "ada",
        "aud": RESOURCE,
        "client_id": "shop-web",
        "jti": "1",
        "scope": "orders:read",
        "roles": ["clerk"],
        "token_kind": "access",
    });
    let expected = Expected {
        principal: Principal::User("ada"),
        client: "shop-web",
        scopes: "orders:read",
        roles: &["clerk"],
        id: Some("1"),
    };
    for header in [jwt(), untyped(), json!({ "typ": "at+jwt" })] {
        vendor.reads(&header, &user, &expected).await;
    }
    let service = Expected { principal: Principal::Client("job"), client: "job", ..expected };
    vendor.reads(&jwt(), &changed(&user, &json!({ "sub": "job", "client_id": "job" })), &service).await;
    for header in [jwt(), untyped()] {
        vendor.is_not_read_by_rfc_9068(&header, &user).await;
    }
    for unmarked in [json!(null), json!("id"), json!("Access"), json!(["access", "id"]), json!({ "access": true })] {
        for header in [jwt(), untyped(), json!({ "typ": "at+jwt" })] {
            vendor.is_no_access_token(&header, &changed(&user, &json!({ "token_kind": unmarked }))).await;
        }
    }
    vendor.is_no_access_token(&json!({ "typ": "logout+jwt" }), &user).await;
    vendor.is_no_access_token(&jwt(), &changed(&user, &json!({ "events": {} }))).await;
}

/// ATJ-02: configuration files name the presets as the code does.
#[tokio::test]
async fn presets_are_named_in_configuration() {
    for (vendor, header, claims) in [
        (keycloak(), jwt(), keycloak_user()),
        (auth0(), jwt(), auth0_user()),
        (entra_v2(), entra_header(), entra_v2_user()),
        (cognito(), untyped(), cognito_user()),
    ] {
        let fixture = vendor.fixture(vendor.profile.clone());
        let section = json!({
            "resource": RESOURCE,
            "issuers": [{
                "issuer": vendor.issuer,
                "profile": vendor.profile.name(),
                "audiences": [vendor.audience],
            }],
        });
        let config = OAuthConfigBuilder::from_section(section).unwrap();
        let config = config.transport(fixture.issuer.transport()).clock(fixture.clock.clone()).build().unwrap();
        let fixture = Fixture { server: ResourceServer::new(config), ..fixture };
        fixture.answer(&token(&fixture, &header, &claims)).await.assert_passed();
    }
}
