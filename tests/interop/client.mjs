// The development authorization server as openid-client sees it, a client of another house: discovery, authorization by
// code and by pushed request, DPoP with nonces, ID tokens, userinfo, refresh, introspection, revocation. It is the server
// of the crate's `quickstart` example, whose API takes the tokens.
//
//   node --test client.mjs          after `cargo build --example quickstart`

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import * as client from 'openid-client';

import { claims, killChildren, startQuickstart } from './servers.mjs';

const SCOPE = 'openid profile orders:read';
const REDIRECT_URI = 'http://127.0.0.1:51004/callback';

describe('openid-client', () => {
  let api;
  let issuer;
  let page;
  let shop;
  let terminal;

  const discover = (id, metadata, authentication) =>
    client.discovery(new URL(issuer), id, metadata, authentication, {
      algorithm: 'oauth2',
      // Plain http on loopback; and the signatures of ID tokens are checked.
      execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
      timeout: 10,
    });

  before(async () => {
    ({ api, issuer } = await startQuickstart());
    page = await discover('page', { id_token_signed_response_alg: 'ES256' }, client.None());
    terminal = await discover('terminal', {}, client.None());
    shop = await discover('shop', 's3cr3t', client.ClientSecretBasic('s3cr3t'));
    // The API has just started, and refuses proofs of the second in which it did: it may have seen them before.
    await sleep(1_010 - (Date.now() % 1_000));
  });

  after(killChildren);

  // A person in front of the server's page, with cookies, who allows or denies what is asked. Gives where that leads.
  async function visit(url, decision = 'allow') {
    const shown = await fetch(url, { redirect: 'manual' });
    assert.equal(shown.status, 200, shown.headers.get('location'));
    const html = await shown.text();
    const [, ticket] = /name="ticket" value="([^"]+)"/.exec(html);
    const [, action] = /action="([^"]+)"/.exec(html);
    const answered = await fetch(new URL(action, url), {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: shown.headers.getSetCookie()[0].split(';')[0] },
      body: new URLSearchParams({ ticket, user: 'ada', decision }),
    });
    assert.equal(answered.status, 303);
    return new URL(answered.headers.get('location'));
  }

  const newKey = async (config) => client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));

  // The whole of a login: what is asked, and what is checked of the answer.
  async function login({ config = page, DPoP, parameters = {}, pushed = false } = {}) {
    const checks = {
      pkceCodeVerifier: client.randomPKCECodeVerifier(),
      expectedState: client.randomState(),
      ...(config === page && { expectedNonce: client.randomNonce(), idTokenExpected: true }),
    };
    const asked = {
      redirect_uri: REDIRECT_URI,
      scope: config === page ? SCOPE : 'orders:read',
      code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: checks.expectedState,
      ...(checks.expectedNonce && { nonce: checks.expectedNonce }),
      ...(DPoP && !pushed && { dpop_jkt: await DPoP.calculateThumbprint() }),
      ...parameters,
    };
    const url = pushed
      ? await client.buildAuthorizationUrlWithPAR(config, asked, { DPoP })
      : client.buildAuthorizationUrl(config, asked);
    const callback = await visit(url);
    const tokens = await client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP });
    return { tokens, callback, checks };
  }

  const isActive = async (token) => (await client.tokenIntrospection(shop, token)).active;

  // A call to the API, and its status.
  const call = async (token, DPoP) => {
    const url = new URL('/orders', api);
    try {
      return (await client.fetchProtectedResource(page, token, url, 'GET', undefined, undefined, { DPoP })).status;
    } catch (error) {
      if (error.code !== 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') throw error;
      return error.status;
    }
  };

  const refused = (promise, error) =>
    assert.rejects(promise, (thrown) => {
      assert.equal(thrown.error, error, thrown.stack);
      return true;
    });

  test('the metadata say what there is', () => {
    const metadata = page.serverMetadata();
    assert.equal(metadata.issuer, issuer);
    assert.ok(metadata.supportsPKCE('S256'));
    assert.equal(metadata.authorization_response_iss_parameter_supported, true);
    assert.ok(metadata.dpop_signing_alg_values_supported.includes('ES256'));
    assert.deepEqual(metadata.response_types_supported, ['code']);
  });

  test('a login gives bound tokens and an ID token that stands every check', async () => {
    const DPoP = await newKey(page);
    const { tokens } = await login({ DPoP });
    assert.equal(tokens.token_type, 'dpop');
    assert.deepEqual([tokens.claims().sub, tokens.claims().name], ['ada', 'Ada Lovelace']);
    const { cnf, aud, sub, scope } = claims(tokens.access_token);
    assert.deepEqual([cnf.jkt, aud, sub, scope], [await DPoP.calculateThumbprint(), api, 'ada', SCOPE]);
    assert.equal(await call(tokens.access_token, DPoP), 200);
    assert.equal(await call(tokens.access_token, await newKey(page)), 401, 'with another key');
  });

  test('userinfo tells of the same user, to who has the key', async () => {
    const DPoP = await newKey(page);
    const { tokens } = await login({ DPoP });
    const info = await client.fetchUserInfo(page, tokens.access_token, tokens.claims().sub, { DPoP });
    assert.deepEqual([info.sub, info.name], ['ada', 'Ada Lovelace']);
  });

  test('a pushed request is bound to the key that it proves', async () => {
    const DPoP = await newKey(page);
    const { tokens } = await login({ DPoP, pushed: true, parameters: { acr_values: 'phr' } });
    assert.equal(tokens.claims().acr, 'phr');
    assert.equal(await call(tokens.access_token, DPoP), 200);
  });

  test('a code is good once, for its verifier and its key', async () => {
    const DPoP = await newKey(page);
    const verifier = client.randomPKCECodeVerifier();
    const url = client.buildAuthorizationUrl(page, {
      redirect_uri: REDIRECT_URI,
      scope: SCOPE,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      dpop_jkt: await DPoP.calculateThumbprint(),
    });
    const callback = await visit(url);
    const redeem = (pkceCodeVerifier, key) =>
      client.authorizationCodeGrant(page, callback, { pkceCodeVerifier }, undefined, { DPoP: key });
    await refused(redeem(client.randomPKCECodeVerifier(), DPoP), 'invalid_grant');
    await refused(redeem(verifier, await newKey(page)), 'invalid_grant');
    const tokens = await redeem(verifier, DPoP);
    assert.equal(await call(tokens.access_token, DPoP), 200);
    await refused(redeem(verifier, DPoP), 'invalid_grant');
    assert.equal(await isActive(tokens.access_token), false, 'what the code became is revoked');
  });

  test('a no of the person and a missing challenge come back as errors, with state and iss', async () => {
    const state = client.randomState();
    const asked = { redirect_uri: REDIRECT_URI, scope: SCOPE, state };
    const challenge = await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier());
    const url = client.buildAuthorizationUrl(page, { ...asked, code_challenge: challenge, code_challenge_method: 'S256' });
    const denied = await visit(url, 'deny');
    await refused(client.authorizationCodeGrant(page, denied, { expectedState: state }), 'access_denied');

    const without = await fetch(client.buildAuthorizationUrl(page, asked), { redirect: 'manual' });
    const callback = new URL(without.headers.get('location'));
    await refused(client.authorizationCodeGrant(page, callback, { expectedState: state }), 'invalid_request');
  });

  test('a refresh token is good once, with its key, and a spent one ends the family and the session', async () => {
    const DPoP = await newKey(page);
    const { tokens } = await login({ DPoP });
    const refresh = (token, key = DPoP) => client.refreshTokenGrant(page, token, undefined, { DPoP: key });
    await refused(refresh(tokens.refresh_token, await newKey(page)), 'invalid_grant');

    // Two at once get the same successor here: the quickstart has a grace window.
    const [one, other] = await Promise.all([refresh(tokens.refresh_token), refresh(tokens.refresh_token)]);
    assert.equal(one.refresh_token, other.refresh_token);
    const last = await refresh(one.refresh_token);
    assert.notEqual(last.refresh_token, one.refresh_token);
    assert.equal(last.claims().sub, 'ada');
    assert.equal(await call(last.access_token, DPoP), 200);

    await refused(refresh(tokens.refresh_token), 'invalid_grant');
    await refused(refresh(last.refresh_token), 'invalid_grant');
    assert.deepEqual([await isActive(last.access_token), await call(last.access_token, DPoP)], [false, 401]);
  });

  test('a client without a key is refused by page, and refreshes by rotation as terminal', async () => {
    await refused(login(), 'invalid_dpop_proof');
    const { tokens } = await login({ config: terminal });
    assert.equal(tokens.token_type, 'bearer');
    const next = await client.refreshTokenGrant(terminal, tokens.refresh_token);
    assert.notEqual(next.refresh_token, tokens.refresh_token);
    assert.equal(await call(next.access_token), 200);
  });

  test('introspection tells a resource server what a token means, and nobody else', async () => {
    const DPoP = await newKey(page);
    const { tokens } = await login({ DPoP });
    const told = await client.tokenIntrospection(shop, tokens.access_token);
    assert.deepEqual([told.active, told.sub, told.client_id, told.token_type], [true, 'ada', 'page', 'DPoP']);
    assert.equal(told.cnf.jkt, await DPoP.calculateThumbprint());
    assert.deepEqual(await client.tokenIntrospection(shop, 'unknown'), { active: false });
    await assert.rejects(client.tokenIntrospection(page, tokens.access_token), { status: 401 }, 'a client without a secret');
  });

  test('a revoked refresh token takes its tokens along, and the API has heard of it', async () => {
    const DPoP = await newKey(page);
    const { tokens } = await login({ DPoP });
    assert.equal(await call(tokens.access_token, DPoP), 200);
    await client.tokenRevocation(shop, tokens.refresh_token);
    assert.equal(await call(tokens.access_token, DPoP), 200, 'somebody else cannot revoke it');
    await client.tokenRevocation(page, tokens.refresh_token, { token_type_hint: 'access_token' });
    assert.deepEqual([await isActive(tokens.access_token), await call(tokens.access_token, DPoP)], [false, 401]);
    await refused(client.refreshTokenGrant(page, tokens.refresh_token, undefined, { DPoP }), 'invalid_grant');
    await client.tokenRevocation(page, 'unknown');
  });

  test('a client of its own gets a token, and no more than it may', async () => {
    const tokens = await client.clientCredentialsGrant(shop, { scope: 'orders:read' });
    assert.equal(tokens.refresh_token, undefined);
    assert.equal(await call(tokens.access_token), 200);
    await refused(client.clientCredentialsGrant(shop, { scope: 'admin' }), 'invalid_scope');
    await refused(client.clientCredentialsGrant(terminal), 'unauthorized_client');
  });

  test('what is gone from OAuth 2.1 is gone', async () => {
    await refused(client.genericGrantRequest(shop, 'password', { username: 'ada', password: 'x' }), 'unsupported_grant_type');
  });
});
