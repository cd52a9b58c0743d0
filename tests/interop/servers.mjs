// What the cases have in common: the authorization server and the crate's examples `resource_server` and `quickstart` as
// children.
//
// RESOURCE_SERVER and QUICKSTART name other executables that behave as the examples do.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const example = (name) => fileURLToPath(new URL(`../../target/debug/examples/${name}`, import.meta.url));
const RESOURCE_SERVER = process.env.RESOURCE_SERVER ?? example('resource_server');
const QUICKSTART = process.env.QUICKSTART ?? example('quickstart');

const START_LIMIT = 30_000;
const WHOLE_LIMIT = 150_000;

// Whatever happens, nothing that was started here outlives this process.
const children = new Set();
export const killChildren = () => children.forEach((child) => child.kill('SIGKILL'));
process.on('exit', killChildren);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
setTimeout(() => {
  console.error(`not finished within ${WHOLE_LIMIT / 1000} s`);
  process.exit(1);
}, WHOLE_LIMIT).unref();

function start(command, args, options) {
  const child = spawn(command, args, options);
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

// The first match of `pattern` among the lines that a child prints from now on.
async function said(child, lines, pattern) {
  const done = new AbortController();
  const ended = once(child, 'exit', { signal: AbortSignal.any([done.signal, AbortSignal.timeout(START_LIMIT)]) })
    .then(([code, signal]) => `it ended (${code ?? signal})`, (error) => error.message)
    .then((why) => {
      throw new Error(`waited for ${pattern} from ${child.spawnfile}: ${why}`);
    });
  const found = new Promise((resolve) => {
    lines.on('line', function look(line) {
      const match = pattern.exec(line);
      if (!match) return;
      lines.off('line', look);
      done.abort();
      resolve(match);
    });
  });
  ended.catch(() => {});
  return Promise.race([found, ended]);
}

// `settings` are further variables of the provider's environment.
export async function startProvider(settings = {}) {
  const child = start(process.execPath, [fileURLToPath(new URL('provider.mjs', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...settings },
  });
  const lines = createInterface({ input: child.stdout });
  const { issuer } = JSON.parse(await said(child, lines, /^\{"issuer".*/));
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const post = (url, client, parameters) =>
    fetch(url, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client}:${client}-secret`)}` },
      body: new URLSearchParams(parameters),
    });
  return {
    issuer,

    async command(name) {
      const answer = said(child, lines, /^\{.*/);
      child.stdin.write(`${name}\n`);
      const { error, ...told } = JSON.parse(await answer);
      assert.equal(error, undefined);
      return told;
    },

    async token(resource, scope, client = 'interop') {
      const parameters = { grant_type: 'client_credentials', resource, ...(scope && { scope }) };
      const response = await post(metadata.token_endpoint, client, parameters);
      const answer = await response.json();
      assert.equal(response.status, 200, JSON.stringify(answer));
      return answer.access_token;
    },

    // RFC 7009, as the client that the token was given to.
    async revoke(token, client = 'interop') {
      const response = await post(metadata.revocation_endpoint, client, { token });
      assert.equal(response.status, 200, await response.text());
    },

    stop: () => child.stdin.end(),
  };
}

// `settings` are further variables of the example's environment.
export async function startResourceServer(resource, issuer, settings = {}) {
  const child = start(RESOURCE_SERVER, [], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      LISTEN: '127.0.0.1:0',
      OAUTH_RESOURCE: resource,
      OAUTH_ISSUERS: issuer,
      OAUTH_DANGEROUS_LOOPBACK_HTTP: 'true',
      ...settings,
    },
  });
  const [, origin] = await said(child, createInterface({ input: child.stdout }), /^listening on (http:\/\/127\.0\.0\.1:\d+)/);
  return {
    origin,
    get: (path, token) => fetch(origin + path, { headers: token ? { authorization: `Bearer ${token}` } : {} }),
    post: (path, token) => fetch(origin + path, { method: 'POST', headers: { authorization: `Bearer ${token}` } }),
  };
}

// The crate's own authorization server, and an API that trusts it.
export async function startQuickstart() {
  const child = start(QUICKSTART, [], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = createInterface({ input: child.stdout });
  const [, api, issuer] = await said(child, lines, /Orders are at (http:\S+), tokens come from (http:\S+) /);
  return { api, issuer };
}

// What a JWT says, unverified.
export const header = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
export const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

// RFC 9728, section 3.1: between host and path.
export const metadataPath = (resource) => `/.well-known/oauth-protected-resource${new URL(resource).pathname.replace(/\/$/, '')}`;
