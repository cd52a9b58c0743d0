// An authorization server on loopback: oidc-provider, with signing keys that can be rotated while it serves.
//
//   node provider.mjs [port]        port 0, the default, takes a free one
//
// It prints one JSON line once it listens, `{"issuer":"http://127.0.0.1:PORT"}`, and then answers each command that it
// reads from its standard input, one per line, with one JSON line:
//
//   rotate         signs with new keys from now on and still publishes the older ones
//   withdraw-old   publishes the newest keys alone
//   introspections how often it was asked about a token
//   fail           answers no introspection any more, but by status 500
//   heal           answers it again
//
// A client that sends a DPoP proof gets a token that is bound to its key, once the proof has the server's nonce.
//
// It ends when its standard input ends, so it never outlives whoever started it.
//
// The resource that a token is asked for decides its signature: the first of es256, rs256, ps256 and eddsa that is a
// label of the host or a segment of the path, as in https://es256.example and https://api.example/es256. Where that is
// opaque, the token has none: it means something to this server alone.
//
// Resource servers ask about such tokens as the client `api` by its secret, or as `api-by-key` by the key whose public
// half is in API_KEY, a JWK; that one gets signed answers. The subject of a token is the client that asked for it.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { exportJWK, generateKeyPair } from 'jose';
import { Provider, errors } from 'oidc-provider';

const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'];
const SCOPES = 'orders:read orders:write admin';
const INTROSPECTION = '/token/introspection';

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

function formatOf(resource) {
  const { hostname, pathname } = new URL(resource);
  const labels = [...hostname.split('.'), ...pathname.split('/')];
  if (labels.includes('opaque')) return { accessTokenFormat: 'opaque' };
  const alg = ALGORITHMS.find((alg) => labels.includes(alg.toLowerCase()));
  if (!alg) throw new errors.InvalidTarget();
  const { kid } = generations[0].find((key) => key.alg === alg);
  return { accessTokenFormat: 'jwt', jwt: { sign: { alg, kid } } };
}

// Clients that get tokens, and resource servers that may ask about them.
const client = (id, more = {}) => ({
  client_id: id,
  client_secret: `${id}-secret`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  ...more,
});
const byKey = process.env.API_KEY && {
  client_secret: undefined,
  introspection_signed_response_alg: 'ES256',
  jwks: { keys: [JSON.parse(process.env.API_KEY)] },
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
};
const clients = [client('interop'), client('other'), client('api'), ...(byKey ? [client('api-by-key', byKey)] : [])];

// oidc-provider reads its keys once, so a rotation is a new instance behind the same socket.
function newProvider(issuer) {
  return new Provider(issuer, {
    clients,
    extraTokenClaims: (_ctx, token) => ({ sub: token.clientId }),
    jwks: { keys: generations.flat() },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => true },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_ctx, resource) {
          return { accessTokenTTL: 300, audience: resource, scope: SCOPES, ...formatOf(resource) };
        },
      },
    },
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS, introspectionSigningAlgValues: ALGORITHMS },
  });
}

let handle = (_request, response) => response.writeHead(503).end();
let introspections = 0;
let failing = false;
const server = createServer((request, response) => {
  if (request.url === INTROSPECTION) {
    introspections += 1;
    if (failing) return response.writeHead(500).end();
  }
  return handle(request, response);
});

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
    introspections: () => ({ introspections }),
    fail: () => ({ failing: (failing = true) }),
    heal: () => ({ failing: (failing = false) }),
  };

  await commands.rotate();
  tell({ issuer });
  for await (const line of createInterface({ input: process.stdin })) {
    const command = commands[line.trim()];
    tell(command ? await command() : { error: `unknown command: ${line}` });
  }
  process.exit();
});
