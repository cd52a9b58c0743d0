// Bytes and text: what OAuth and JOSE say in base64url and SHA-256.

const utf8 = new TextEncoder();

export function base64url(bytes) {
  const binary = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

export function fromBase64url(text) {
  const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export const bytesOf = (text) => utf8.encode(text);

export const sha256 = (text) => crypto.subtle.digest('SHA-256', utf8.encode(text));

// 32 random bytes: as a state, a nonce, a verifier (RFC 7636 section 4.1), the name of a proof.
export const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// By this a secret can be told from another on the screen, and not be used.
export async function fingerprint(secret) {
  return Array.from(new Uint8Array(await sha256(secret), 0, 3), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
