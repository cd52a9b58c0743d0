// An authorization server on loopback: oidc-provider, with signing keys that can be rotated while it serves.
//
//   node provider.mjs [port]        port 0, the default, takes a free one
//
// It prints one JSON line once it listens, `{"issuer":"http://127.0.0.1:PORT"}`, and then answers each command that it
// reads from its standard input, one per line, with one JSON line:
//
//   rotate         signs with new keys from now on and still publishes the older ones
//   withdraw-old   publishes the newest keys alone
//
// A client that sends a DPoP proof gets a token that is bound to its key, once the proof has the server's nonce.
//
// It ends when its standard input ends, so it never outlives whoever started it.
//
// The resource that a token is asked for decides its signature: the first of es256, rs256, ps256 and eddsa that is a
// label of the host or a segment of the path, as in https://es256.example and https://api.example/es256.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { exportJWK, generateKeyPair } from 'jose';
import { Provider, errors } from 'oidc-provider';

const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'];
const SCOPES = 'orders:read orders:write admin';

const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

// A generation is one signing key per algorithm; the newest comes first.
let generations = [];
let born = 0;

// Kept over rotations, so that nonces are.
const nonceSecret = randomBytes(32);

async function newGeneration() {
  born += 1;
  return Promise.all(
    ALGORITHMS.map(async (alg) => {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg.toLowerCase()}-${born}` };
    }),
  );
}

function algorithmOf(resource) {
  const { hostname, pathname } = new URL(resource);
  const labels = [...hostname.split('.'), ...pathname.split('/')];
  return ALGORITHMS.find((alg) => labels.includes(alg.toLowerCase()));
}

// oidc-provider reads its keys once, so a rotation is a new instance behind the same socket.
function newProvider(issuer) {
  return new Provider(issuer, {
    clients: [
      {
        client_id: 'interop',
        client_secret: 'interop-secret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    jwks: { keys: generations.flat() },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_ctx, resource) {
          const alg = algorithmOf(resource);
          if (!alg) throw new errors.InvalidTarget();
          const { kid } = generations[0].find((key) => key.alg === alg);
          return {
            accessTokenFormat: 'jwt',
            accessTokenTTL: 300,
            audience: resource,
            jwt: { sign: { alg, kid } },
            scope: SCOPES,
          };
        },
      },
    },
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
  });
}

let handle = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => handle(request, response));

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const serve = () => {
    handle = newProvider(issuer).callback();
    return { keys: generations.flat().map((key) => key.kid) };
  };
  const commands = {
    async rotate() {
      generations = [await newGeneration(), ...generations];
      return serve();
    },
    async 'withdraw-old'() {
      generations = generations.slice(0, 1);
      return serve();
    },
  };

  await commands.rotate();
  tell({ issuer });
  for await (const line of createInterface({ input: process.stdin })) {
    const command = commands[line.trim()];
    tell(command ? await command() : { error: `unknown command: ${line}` });
  }
  process.exit();
});
