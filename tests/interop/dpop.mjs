// The crate's `resource_server` example with DPoP required (RFC 9449): tokens that oidc-provider bound to a key, and
// proofs that oauth4webapi made. Both servers demand nonces of their own.
//
//   node --test dpop.mjs            after `cargo build --example resource_server`

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import * as oauth from 'oauth4webapi';

import { claims, header, killChildren, metadataPath, startProvider, startResourceServer } from './servers.mjs';

const RESOURCE = 'https://es256.example';
const CLIENT = { client_id: 'interop' };

// How a key is generated, and what its proofs call the algorithm: that of Ed25519 has an old name and a new one.
const KEYS = [
  ['ES256', 'ES256'],
  ['Ed25519', 'Ed25519'],
  ['Ed25519', 'EdDSA'],
];

describe('oauth4webapi with DPoP', () => {
  let provider;
  let server;
  let as;

  before(async () => {
    provider = await startProvider();
    server = await startResourceServer(RESOURCE, provider.issuer, {
      OAUTH_DPOP: 'required',
      OAUTH_DPOP_NONCE_SECRET: randomBytes(32).toString('hex'),
    });
    const issuer = new URL(provider.issuer);
    const discovered = await oauth.discoveryRequest(issuer, { [oauth.allowInsecureRequests]: true });
    as = await oauth.processDiscoveryResponse(issuer, discovered);
    // A server that has just started cannot know which proofs were used before, so it refuses those whose `iat`, in
    // whole seconds, lies before its start. In the next second no proof does.
    await sleep(1_010 - (Date.now() % 1_000));
  });

  after(() => {
    provider?.stop();
    killChildren();
  });

  async function newKey(generated = 'ES256', alg = generated) {
    const options = alg === generated ? undefined : { [oauth.modifyAssertion]: (head) => void (head.alg = alg) };
    return oauth.DPoP(CLIENT, await oauth.generateKeyPair(generated), options);
  }

  // As the documentation of oauth4webapi says: once more, if the refusal brought a nonce. The handle has kept it.
  const withNonce = (attempt) =>
    attempt().catch((error) => {
      if (oauth.isDPoPNonceError(error)) return attempt();
      throw error;
    });

  // A token and the proofs that were sent for it.
  async function grant(DPoP, scope) {
    const proofs = [];
    const token = await withNonce(async () => {
      const response = await oauth.clientCredentialsGrantRequest(
        as,
        CLIENT,
        oauth.ClientSecretBasic('interop-secret'),
        { resource: RESOURCE, ...(scope && { scope }) },
        {
          DPoP,
          [oauth.allowInsecureRequests]: true,
          [oauth.customFetch](url, request) {
            proofs.push(request.headers.dpop);
            return fetch(url, request);
          },
        },
      );
      return oauth.processClientCredentialsResponse(as, CLIENT, response);
    });
    return { ...token, proofs };
  }

  // What stands between the public URL that the client knows and the socket: a proxy that ends TLS.
  const forward = (url, request) => fetch(server.origin + new URL(url).pathname, request);

  // One attempt. `send` may do something else with what the library made.
  const once = (path, token, DPoP, send = forward) =>
    oauth.protectedResourceRequest(token, 'GET', new URL(path, RESOURCE), undefined, null, {
      ...(DPoP && { DPoP }),
      [oauth.customFetch]: send,
    });

  // The refusal of an attempt: its status, and the only challenge, which is one of DPoP.
  async function refusal(attempt) {
    const error = await attempt.then(
      (response) => assert.fail(`refused, but it was answered ${response.status}`),
      (thrown) => thrown,
    );
    assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, error);
    assert.deepEqual(error.cause.map(({ scheme }) => scheme), ['dpop']);
    const [{ parameters }] = error.cause;
    assert.equal(parameters.resource_metadata, new URL(metadataPath(RESOURCE), RESOURCE).href);
    return { status: error.status, nonce: error.response.headers.get('dpop-nonce'), error, ...pick(parameters) };
  }
  const pick = ({ error, scope, algs }) => ({ code: error, scope, algs });

  // A key whose handle has a nonce of the resource server, and a token that is bound to it.
  async function acquainted(scope) {
    const DPoP = await newKey();
    const { access_token: token } = await grant(DPoP, scope);
    assert.equal((await withNonce(() => once('/me', token, DPoP))).status, 200);
    return { DPoP, token };
  }

  for (const [generated, alg] of KEYS) {
    test(`a token bound to a key of ${alg} passes, with the nonce of each server`, async () => {
      const DPoP = await newKey(generated, alg);
      const { access_token: token, token_type: type, proofs } = await grant(DPoP, 'orders:read');
      assert.equal(type, 'dpop');
      assert.deepEqual(claims(token).cnf, { jkt: await DPoP.calculateThumbprint() });
      assert.deepEqual(proofs.map((proof) => claims(proof).nonce !== undefined), [false, true]);

      const sent = [];
      const look = (url, request) => {
        sent.push(request.headers.dpop);
        return forward(url, request);
      };
      const refused = await refusal(once('/read', token, DPoP, look));
      assert.deepEqual([refused.status, refused.code], [401, 'use_dpop_nonce']);
      assert.ok(refused.nonce);
      assert.ok(oauth.isDPoPNonceError(refused.error));
      assert.ok(refused.algs.split(' ').includes(alg), refused.algs);

      const passed = await once('/read', token, DPoP, look);
      assert.equal(passed.status, 200);
      assert.equal(await passed.text(), 'the orders');
      const renewed = passed.headers.get('dpop-nonce');
      assert.ok(renewed && renewed !== refused.nonce, 'an answer renews the nonce');

      assert.equal((await once('/read', token, DPoP, look)).status, 200);
      assert.deepEqual(sent.map((proof) => header(proof).alg), [alg, alg, alg]);
      assert.deepEqual(sent.map((proof) => claims(proof).nonce), [undefined, refused.nonce, renewed]);
    });
  }

  test('a bound token is refused as Bearer', async () => {
    const { token } = await acquainted();
    const refused = await refusal(once('/me', token));
    assert.equal(refused.status, 401);
    assert.ok(refused.algs.split(' ').includes('ES256'), refused.algs);
  });

  test('a token that is bound to no key is refused, with a proof and without', async () => {
    const { DPoP } = await acquainted();
    const unbound = await provider.token(RESOURCE);
    assert.equal((await refusal(once('/me', unbound))).status, 401);
    const refused = await refusal(once('/me', unbound, DPoP));
    assert.deepEqual([refused.status, refused.code], [401, 'invalid_token']);
  });

  test('a token without the scope is refused in a challenge of DPoP', async () => {
    const { DPoP, token } = await acquainted();
    const refused = await refusal(once('/read', token, DPoP));
    assert.deepEqual([refused.status, refused.code, refused.scope], [403, 'insufficient_scope', 'orders:read']);
  });

  test('a proof passes once', async () => {
    const { DPoP, token } = await acquainted();
    let captured;
    const passed = await once('/me', token, DPoP, (url, request) => {
      captured = request;
      return forward(url, request);
    });
    assert.equal(passed.status, 200);
    const refused = await refusal(once('/me', token, DPoP, (url) => forward(url, captured)));
    assert.deepEqual([refused.status, refused.code], [401, 'invalid_dpop_proof']);
    assert.equal((await once('/me', token, DPoP)).status, 200, 'a new proof passes');
  });

  test('a proof for another path or method is refused', async () => {
    const { DPoP, token } = await acquainted('orders:read');
    const elsewhere = (_url, request) => forward(new URL('/read', RESOURCE), request);
    const otherwise = (url, request) => forward(url, { ...request, method: 'POST' });
    for (const send of [elsewhere, otherwise]) {
      const refused = await refusal(once('/me', token, DPoP, send));
      assert.deepEqual([refused.status, refused.code], [401, 'invalid_dpop_proof']);
    }
  });

  test('a proof by another key is refused', async () => {
    const [{ token }, { DPoP: foreign }] = [await acquainted(), await acquainted()];
    const refused = await refusal(once('/me', token, foreign));
    assert.deepEqual([refused.status, refused.code], [401, 'invalid_token']);
  });

  test('a nonce of another server is refused, and a good one comes along', async () => {
    const DPoP = await newKey();
    const { access_token: token, proofs } = await grant(DPoP);
    const { nonce } = claims(proofs.at(-1));
    const respond = () => new Response(null, { headers: { 'dpop-nonce': nonce } });
    await once('/me', token, DPoP, respond);
    const refused = await refusal(once('/me', token, DPoP));
    assert.deepEqual([refused.status, refused.code], [401, 'use_dpop_nonce']);
    assert.equal((await once('/me', token, DPoP)).status, 200);
  });

  test('the metadata say that tokens must be bound', async () => {
    const resource = new URL(RESOURCE);
    const response = await oauth.resourceDiscoveryRequest(resource, { [oauth.customFetch]: forward });
    const metadata = await oauth.processResourceDiscoveryResponse(resource, response);
    assert.equal(metadata.dpop_bound_access_tokens_required, true);
    assert.ok(metadata.dpop_signing_alg_values_supported.includes('ES256'));
    assert.deepEqual(metadata.authorization_servers, [provider.issuer]);
  });
});
