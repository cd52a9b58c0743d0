// JWTs: decoded for the eye, and the ID token checked in earnest (OpenID Connect Core 1.0 section 3.1.3.7).

import { base64url, bytesOf, fromBase64url, sha256 } from './encoding.js';

const json = (part) => JSON.parse(new TextDecoder().decode(fromBase64url(part)));

// What a token says. Nothing of it is proved; the API proves it.
export function decode(token) {
  const [header, claims] = token.split('.');
  return { header: json(header), claims: json(claims) };
}

// Throws unless the ID token is of this issuer, for this client, in time, the answer to this very request (`nonce`), and
// beside this very access token (`at_hash`).
export async function checkIdToken({ idToken, keys, issuer, clientId, nonce, accessToken }) {
  const { header, claims } = decode(idToken);
  const demand = (isMet, what) => {
    if (!isMet) throw new Error(`the ID token is refused: ${what}`);
  };
  demand(header.alg === 'ES256', 'its algorithm is not ES256');
  demand(await isSigned(idToken, keys.find((key) => key.kid === header.kid)), 'its signature');
  demand(claims.iss === issuer, 'iss is another issuer');
  demand([claims.aud].flat().length === 1 && [claims.aud].flat()[0] === clientId, 'aud is another client');
  demand(claims.exp > Date.now() / 1000, 'it has expired');
  demand(claims.nonce === nonce, 'nonce is not the one of this request');
  const half = new Uint8Array(await sha256(accessToken), 0, 16);
  demand(claims.at_hash === base64url(half), 'at_hash is of another access token');
  return claims;
}

async function isSigned(token, jwk) {
  if (jwk?.kty !== 'EC' || jwk.crv !== 'P-256') return false;
  const [header, claims, signature] = token.split('.');
  const { kty, crv, x, y } = jwk;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, algorithm, false, ['verify']);
  const signed = bytesOf(`${header}.${claims}`);
  return crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, fromBase64url(signature), signed);
}
