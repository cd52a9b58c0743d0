//! The story for a terminal: lines of a shell, each `curl -i` under the status that it will get.

use std::time::{Duration, SystemTime};

use tower_oauth::Algorithm;
use tower_oauth::dev::{DevServer, MintError, SigningKey};

pub(crate) fn print_lines(api: &str, dev: &DevServer) -> Result<(), MintError> {
    let issuer = dev.issuer_url();
    let alice = dev.token().subject("alice").scope("orders:read");
    let (reader, expired) = (alice.sign(), alice.clone().expired().sign());
    let bound = alice.bound_to(SigningKey::generate(Algorithm::Es256)?).sign();
    let admin = dev.token().subject("bob").scope("admin").sign();
    let payer = dev.token().subject("alice").scope("payouts:write");
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO).as_secs();
    let (weak, strong) = (payer.clone().acr("pwd").sign(), payer.acr("phr").claim("auth_time", now).sign());
    println!(
        r#"The same for a terminal. Orders are at {api}, tokens come from {issuer} and live an hour.
Paste these lines into one other shell, in their order.

# 200: the token grants orders:read
curl -i {api}/orders -H 'Authorization: Bearer {reader}'

# 403: placing an order needs orders:write, says the challenge
curl -i -X POST {api}/orders -H 'Authorization: Bearer {reader}'

# 401: the token is ten minutes past its end, so it is an invalid_token
curl -i {api}/orders -H 'Authorization: Bearer {expired}'

# 401: no token, so no error; the challenge leads to the metadata
curl -i {api}/orders

# 200: the metadata tell a client where to get tokens, and for which scopes (RFC 9728)
curl -i {api}/.well-known/oauth-protected-resource

# 200: a fresh token for the client "shop"
curl -i -u shop:s3cr3t -d grant_type=client_credentials -d scope=orders:write {issuer}/token

# 201: the same, and an order placed with it
curl -i -X POST {api}/orders -H "Authorization: Bearer $(curl -s -u shop:s3cr3t -d grant_type=client_credentials -d scope=orders:write {issuer}/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')"

# 204: an administrator may clear the orders
curl -i -X DELETE {api}/orders -H 'Authorization: Bearer {admin}'

# 401: stolen, and worthless: the token is bound to a key (DPoP, RFC 9449), so it is refused as plain Bearer
curl -i {api}/orders -H 'Authorization: Bearer {bound}'

# 401: paying out needs a strong, recent login; the challenge says which (RFC 9470)
curl -i -X POST {api}/payouts -H 'Authorization: Bearer {weak}'

# 201: a token of such a login, within five minutes of it
curl -i -X POST {api}/payouts -H 'Authorization: Bearer {strong}'

# A person signs in: curl takes the place of the browser, finds the ticket in the page and allows what is asked.
ASK='{issuer}/authorize?response_type=code&client_id=terminal&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback'
ASK="$ASK&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
VERIFIER=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk
member() {{ sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/'; }}
sign_in() {{
  JAR=$(mktemp)
  TICKET=$(curl -s -c "$JAR" "$ASK" | sed -n 's/.*name="ticket" value="\([^"]*\)".*/\1/p')
  CODE=$(curl -si -b "$JAR" -d "ticket=$TICKET" -d user=ada -d decision=allow {issuer}/consent | sed -n 's/^location: .*[?&]code=\([^&]*\).*/\1/p')
  rm "$JAR"
}}
redeem() {{ curl "$@" -d grant_type=authorization_code -d client_id=terminal -d redirect_uri=http://127.0.0.1/callback -d "code=$CODE" {issuer}/token; }}
refresh() {{ curl "$@" -d grant_type=refresh_token -d client_id=terminal {issuer}/token; }}
sign_in

# 400: whoever saw the code lacks its verifier (PKCE, RFC 7636)
redeem -i

# Its owner has it, and gets an access token and a refresh token.
TOKENS=$(redeem -s -d "code_verifier=$VERIFIER")
ACCESS=$(echo "$TOKENS" | member access_token)
FIRST=$(echo "$TOKENS" | member refresh_token)

# 200: the access token is good
curl -i {api}/orders -H "Authorization: Bearer $ACCESS"

# A refresh token is good once, and comes back as the next one.
SECOND=$(refresh -s -d "refresh_token=$FIRST" | member refresh_token)

# 200: so the second is good
refresh -i -d "refresh_token=$SECOND"

# 400: the first comes back; two have it, and nobody can tell which is the thief, so the session is over for both
refresh -i -d "refresh_token=$FIRST"

# 401: the issuer has told the API (RFC 8935), so the access token is refused long before its end
curl -i {api}/orders -H "Authorization: Bearer $ACCESS"

# Signed in once more, to log out.
sign_in
TOKENS=$(redeem -s -d "code_verifier=$VERIFIER")
ACCESS=$(echo "$TOKENS" | member access_token)
KEPT=$(echo "$TOKENS" | member refresh_token)

# 200: the client gives its refresh token back (RFC 7009), and the session ends with it
curl -i -d client_id=terminal -d "token=$KEPT" {issuer}/revoke

# 401: the API has heard of it
curl -i {api}/orders -H "Authorization: Bearer $ACCESS"

# 400: nor does a copy of the refresh token help
refresh -i -d "refresh_token=$KEPT"

Ctrl-C ends both."#
    );
    Ok(())
}
