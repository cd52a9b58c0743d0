// The crate's `resource_server` example and the opaque tokens of oidc-provider: asked about by introspection (RFC 7662,
// RFC 9701), and taken back by revocation (RFC 7009) and by the service itself. Three servers that differ by one variable
// each notice it as they promise.
//
//   node --test opaque.mjs          after `cargo build --example resource_server`

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { killChildren, metadataPath, startProvider, startResourceServer } from './servers.mjs';

const RESOURCE = 'https://opaque.example';
const PATHS = ['/me', '/read'];

const SECRET = { OAUTH_KIND: 'opaque', OAUTH_CLIENT_ID: 'api', OAUTH_CLIENT_SECRET: 'api-secret' };

// What each promises: `denylist` that its own revocations count at once, and the issuer's when an answer of 30 s is over;
// `within` that the issuer's count after two seconds; `always` that they count at once.
const SERVERS = {
  denylist: {},
  within: { OAUTH_FRESHNESS: '2' },
  always: { OAUTH_FRESHNESS: 'always' },
  patient: { OAUTH_FRESHNESS: 'always', OAUTH_ON_INTROSPECTION_FAILURE: '60' },
};

describe('opaque tokens of oidc-provider', () => {
  const folder = mkdtempSync(join(tmpdir(), 'interop-'));
  const servers = {};
  let provider;

  before(async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keyFile = join(folder, 'key.pem');
    writeFileSync(keyFile, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'api-1', use: 'sig', alg: 'ES256' };
    provider = await startProvider({ API_KEY: JSON.stringify(jwk) });
    const byKey = {
      OAUTH_KIND: 'opaque',
      OAUTH_CLIENT_AUTH: 'private_key_jwt',
      OAUTH_CLIENT_ID: 'api-by-key',
      OAUTH_CLIENT_KEY_FILE: keyFile,
      OAUTH_CLIENT_KEY_ID: 'api-1',
      OAUTH_SIGNED_ANSWERS: 'true',
    };
    const start = async ([name, settings]) => {
      servers[name] = await startResourceServer(RESOURCE, provider.issuer, settings);
    };
    const bySecret = Object.entries(SERVERS).map(([name, settings]) => [name, { ...SECRET, ...settings }]);
    await Promise.all([...bySecret, ['signed', byKey]].map(start));
  });

  after(() => {
    provider?.stop();
    killChildren();
    rmSync(folder, { recursive: true });
  });

  const asked = async (action) => {
    const { introspections: earlier } = await provider.command('introspections');
    await action();
    return (await provider.command('introspections')).introspections - earlier;
  };

  const status = async (server, path, token) => (await servers[server].get(path, token)).status;

  // The code in the challenge of a refusal.
  async function refusal(server, path, token) {
    const response = await servers[server].get(path, token);
    const [, code] = /error="([^"]*)"/.exec(response.headers.get('www-authenticate') ?? '') ?? [];
    return [response.status, code];
  }

  for (const name of [...Object.keys(SERVERS), 'signed']) {
    test(`${name}: a token passes with its scope and for its resource alone`, async () => {
      const token = await provider.token(RESOURCE, 'orders:read');
      assert.ok(!token.includes('.'), token);
      for (const path of PATHS) assert.equal(await status(name, path, token), 200, path);
      const greeting = await servers[name].get('/me', token);
      assert.equal(await greeting.text(), 'Hello, interop!');
      assert.deepEqual(await refusal(name, '/write', token), [403, 'insufficient_scope']);
      const foreign = await provider.token('https://elsewhere.example/opaque', 'orders:read');
      assert.deepEqual(await refusal(name, '/read', foreign), [401, 'invalid_token']);
      assert.deepEqual(await refusal(name, '/read', 'invented'), [401, 'invalid_token']);
    });
  }

  test('a token is asked about once, however many requests bring it', async () => {
    const token = await provider.token(RESOURCE, 'orders:read');
    const many = () => Promise.all(Array.from({ length: 40 }, () => status('denylist', '/read', token)));
    const questions = await asked(async () => {
      for (let turn = 0; turn < 3; turn += 1) assert.deepEqual(new Set(await many()), new Set([200]));
    });
    assert.equal(questions, 1);
    assert.equal(await asked(() => status('always', '/read', token)), 1);
    assert.equal(await asked(() => status('always', '/read', token)), 1);
  });

  test('a token that the issuer has revoked is refused at once where it is always asked', async () => {
    const token = await provider.token(RESOURCE, 'orders:read');
    for (const path of PATHS) assert.equal(await status('always', path, token), 200, path);
    await provider.revoke(token);
    for (const path of PATHS) assert.deepEqual(await refusal('always', path, token), [401, 'invalid_token'], path);
  });

  test('it is refused within the promised seconds where the word may be that old', async () => {
    const token = await provider.token(RESOURCE, 'orders:read');
    assert.equal(await status('within', '/read', token), 200);
    assert.equal(await status('denylist', '/read', token), 200);
    await provider.revoke(token);
    const revoked = Date.now();
    let passed = 0;
    while ((await status('within', '/read', token)) === 200) {
      passed += 1;
      // A slow machine may be late; the answer itself would be good for 30 s.
      assert.ok(Date.now() - revoked < 10_000, 'it still passes');
      await sleep(50);
    }
    assert.ok(passed > 0, 'what was asked two seconds ago is good enough');
    assert.deepEqual(await refusal('within', '/me', token), [401, 'invalid_token']);
    assert.equal(await status('denylist', '/read', token), 200, 'nobody asked for more than the answer');
  });

  test('what the service itself revokes is refused at once on every route', async () => {
    const token = await provider.token(RESOURCE, 'orders:read', 'other');
    const bystander = await provider.token(RESOURCE, 'orders:read');
    const admin = await provider.token(RESOURCE, 'admin');
    for (const path of PATHS) assert.equal(await status('denylist', path, token), 200, path);
    const questions = await asked(async () => {
      assert.equal((await servers.denylist.post('/revoke/other', bystander)).status, 403);
      assert.equal((await servers.denylist.post('/revoke/other', admin)).status, 204);
      for (const path of PATHS) {
        assert.deepEqual(await refusal('denylist', path, token), [401, 'invalid_token'], path);
        assert.equal(await status('denylist', path, bystander), 200, path);
      }
    });
    assert.ok(questions <= 2, 'only about tokens that were new');
  });

  test('after a logout here nothing passes, although the issuer gives no token a name', async () => {
    const token = await provider.token(RESOURCE, 'orders:read');
    const another = await provider.token(RESOURCE, 'orders:read');
    assert.equal((await servers.denylist.post('/logout', token)).status, 204);
    for (const path of PATHS) assert.deepEqual(await refusal('denylist', path, token), [401, 'invalid_token'], path);
    assert.equal(await status('denylist', '/read', another), 200, 'of the same client');
    assert.equal(await status('within', '/read', token), 200, 'another server has a denylist of its own');
  });

  test('an issuer that fails is no refusal and no pass', async () => {
    const token = await provider.token(RESOURCE, 'orders:read');
    for (const name of ['denylist', 'always', 'patient']) assert.equal(await status(name, '/read', token), 200, name);
    const fresh = await provider.token(RESOURCE, 'orders:read');
    await provider.command('fail');
    try {
      assert.equal(await status('denylist', '/read', token), 200, 'its answer is there');
      for (const [name, bearer] of [['always', token], ['denylist', fresh], ['patient', fresh]]) {
        const response = await servers[name].get('/read', bearer);
        assert.equal(response.status, 503, name);
        assert.ok(Number(response.headers.get('retry-after')) >= 1, name);
        assert.equal(response.headers.get('www-authenticate'), null, name);
      }
      assert.equal(await status('patient', '/read', token), 200, 'by the last answer, as configured');
    } finally {
      await provider.command('heal');
    }
    assert.equal(await status('denylist', '/read', fresh), 200, 'it is back');
  });

  test('the metadata name the issuer', async () => {
    const metadata = await (await servers.denylist.get(metadataPath(RESOURCE))).json();
    assert.deepEqual([metadata.resource, metadata.authorization_servers], [RESOURCE, [provider.issuer]]);
  });
});
