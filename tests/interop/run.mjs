// The crate's `resource_server` example against oidc-provider: tokens of an authorization server of another house, for
// each signature algorithm, and a rotation of its keys under load.
//
//   node --test run.mjs             after `cargo build --example resource_server`

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { header, killChildren, metadataPath, startProvider, startResourceServer } from './servers.mjs';

// Two identifiers are a whole host and two have a path, because their metadata live in different places.
const RESOURCES = {
  ES256: 'https://es256.example',
  RS256: 'https://api.example/rs256',
  PS256: 'https://ps256.example',
  EdDSA: 'https://api.example/eddsa',
};

// The parameters of the Bearer challenge of a refusal (RFC 9110, section 11.6.1).
function bearerChallenge(response) {
  const field = response.headers.get('www-authenticate') ?? '';
  const parts = field.matchAll(/(?:^|,)\s*(?:([\w-]+) +)?([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g);
  let scheme;
  const parameters = {};
  for (const [, begun, name, quoted, plain] of parts) {
    scheme = begun?.toLowerCase() ?? scheme;
    if (scheme === 'bearer') parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain;
  }
  assert.ok(Object.keys(parameters).length > 0, `a Bearer challenge with a parameter, in: ${field}`);
  return parameters;
}

describe('oidc-provider', () => {
  let provider;
  const servers = {};

  before(async () => {
    provider = await startProvider();
    const started = Object.entries(RESOURCES).map(async ([alg, resource]) => {
      servers[alg] = await startResourceServer(resource, provider.issuer);
    });
    await Promise.all(started);
  });

  after(() => {
    provider?.stop();
    killChildren();
  });

  for (const [alg, resource] of Object.entries(RESOURCES)) {
    describe(`and ${alg} tokens for ${resource}`, () => {
      test('a token with the scope passes', async () => {
        const token = await provider.token(resource, 'orders:read');
        assert.deepEqual([header(token).alg, header(token).typ], [alg, 'at+jwt']);
        for (const path of ['/public', '/me', '/read']) {
          assert.equal((await servers[alg].get(path, token)).status, 200, path);
        }
      });

      test('each route asks for its own scope', async () => {
        const scopes = { '/read': 'orders:read', '/write': 'orders:write', '/admin': 'admin' };
        const plain = await provider.token(resource);
        for (const [path, scope] of Object.entries(scopes)) {
          const refused = await servers[alg].get(path, plain);
          assert.equal(refused.status, 403, path);
          const challenge = bearerChallenge(refused);
          assert.deepEqual([challenge.error, challenge.scope], ['insufficient_scope', scope]);
          assert.equal((await servers[alg].get(path, await provider.token(resource, scope))).status, 200, path);
        }
      });

      test('no token gets a challenge without an error', async () => {
        const refused = await servers[alg].get('/me');
        assert.equal(refused.status, 401);
        const challenge = bearerChallenge(refused);
        assert.equal(challenge.error, undefined);
        assert.equal(challenge.resource_metadata, new URL(metadataPath(resource), resource).href);
        assert.equal((await servers[alg].get('/public')).status, 200);
      });

      test('a token for another resource is invalid', async () => {
        const foreign = await provider.token(`https://elsewhere.example/${alg.toLowerCase()}`);
        const refused = await servers[alg].get('/me', foreign);
        assert.equal(refused.status, 401);
        assert.equal(bearerChallenge(refused).error, 'invalid_token');
      });

      test('a token that was tampered with is invalid', async () => {
        const [head, claims, signature] = (await provider.token(resource)).split('.');
        const more = { ...JSON.parse(Buffer.from(claims, 'base64url')), scope: 'admin' };
        const forged = [head, Buffer.from(JSON.stringify(more)).toString('base64url'), signature].join('.');
        const refused = await servers[alg].get('/admin', forged);
        assert.equal(refused.status, 401);
        assert.equal(bearerChallenge(refused).error, 'invalid_token');
      });

      test('the metadata name the resource and its issuer', async () => {
        const response = await servers[alg].get(metadataPath(resource));
        assert.equal(response.status, 200);
        const metadata = await response.json();
        assert.equal(metadata.resource, resource);
        assert.deepEqual(metadata.authorization_servers, [provider.issuer]);
      });
    });
  }

  test('two rotations under load refuse no valid token', async () => {
    const [alg, resource] = Object.entries(RESOURCES)[0];
    const loops = 4;
    const requests = 300;
    // Each rotation comes later than the server's cooldown (5 s) after what last made it look for new keys: the forged
    // token above, then the first rotation. A provider that signs sooner than that with keys that it never published
    // before is met with 401 on purpose.
    const pace = 50;
    const rotations = [7_000, 13_000];

    const refusals = [];
    const kids = new Set();
    const load = Array.from({ length: loops }, async () => {
      const begun = Date.now();
      const first = await provider.token(resource, 'orders:read');
      let newest = first;
      for (let sent = 0; sent < requests; sent += 1) {
        if (sent % 5 === 0) newest = await provider.token(resource, 'orders:read');
        // The oldest and the newest in turn: its key was rotated away, but the token is still good.
        const token = sent % 2 === 0 ? newest : first;
        const { kid } = header(token);
        const response = await servers[alg].get('/read', token);
        await response.arrayBuffer();
        kids.add(kid);
        if (response.status !== 200) {
          refusals.push(`request ${sent}, key ${kid}: ${response.status} ${response.headers.get('www-authenticate')}`);
        }
        await sleep(Math.max(0, begun + sent * pace - Date.now()));
      }
    });
    const rotating = rotations.map(async (moment) => {
      await sleep(moment);
      await provider.command('rotate');
    });
    await Promise.all([...load, ...rotating]);

    assert.equal(refusals.length, 0, `${refusals.length} of ${loops * requests} refused, first:\n${refusals.slice(0, 5).join('\n')}`);
    assert.equal(kids.size, 1 + rotations.length, `tokens of every generation were sent: ${[...kids]}`);
  });

  test('tokens pass after the old keys were withdrawn', async () => {
    const { keys } = await provider.command('withdraw-old');
    for (const [alg, resource] of Object.entries(RESOURCES)) {
      const token = await provider.token(resource, 'orders:read');
      assert.ok(keys.includes(header(token).kid));
      assert.equal((await servers[alg].get('/read', token)).status, 200, alg);
    }
  });
});
