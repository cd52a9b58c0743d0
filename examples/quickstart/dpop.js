// DPoP (RFC 9449): a key that no script can read, and a signed proof with every request.

import { base64url, bytesOf, random, sha256 } from './encoding.js';

const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

// Not extractable: a script that was smuggled in could sign while the page is open, but take nothing away.
export async function newKey() {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ES256, false, ['sign', 'verify']);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  // RFC 7638: these members in this order, and nothing else.
  const thumbprint = base64url(await sha256(JSON.stringify({ crv, kty, x, y })));
  return { privateKey, jwk: { kty, crv, x, y }, thumbprint };
}

// A proof for one request. With an access token it is for that token alone (`ath`).
export async function prove(key, { method, url, token, nonce }) {
  const { origin, pathname } = new URL(url);
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk };
  const claims = {
    jti: random(),
    htm: method,
    htu: origin + pathname,
    iat: Math.floor(Date.now() / 1000),
    ...(token && { ath: base64url(await sha256(token)) }),
    ...(nonce && { nonce }),
  };
  const part = (value) => base64url(bytesOf(JSON.stringify(value)));
  const signed = `${part(header)}.${part(claims)}`;
  const signature = await crypto.subtle.sign(ES256, key.privateKey, bytesOf(signed));
  return `${signed}.${base64url(signature)}`;
}
