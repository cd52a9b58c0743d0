// One request and its answer, with the proof that it needs and a record of both for the panel.

import { prove } from './dpop.js';

// The newest nonce of each server (RFC 9449 section 8.2).
const nonces = new Map();

// Sends a request; once more, and only once, when the server asks for a nonce in the proof.
//
// `form` makes it a POST of a form. `token` is sent under `scheme`, with a proof by `key` where there is one. A given
// `proof` is sent as it is.
export async function send(story, request) {
  const first = await attempt(story, request);
  return first.error === 'use_dpop_nonce' && request.key ? attempt(story, request) : first;
}

async function attempt(story, { method = 'GET', url, token, scheme = 'DPoP', key, proof, form, why }) {
  const { origin } = new URL(url);
  const headers = {};
  if (token) headers.Authorization = `${scheme} ${token}`;
  proof ??= key && (await prove(key, { method, url, token, nonce: nonces.get(origin) }));
  if (proof) headers.DPoP = proof;
  const body = form && new URLSearchParams(form);
  const response = await fetch(url, {
    method,
    headers,
    body,
    // Neither cookies nor caches: a token is all that speaks for this page.
    credentials: 'omit',
    cache: 'no-store',
    redirect: 'error',
    referrerPolicy: 'no-referrer',
    signal: AbortSignal.timeout(15_000),
  });
  const nonce = response.headers.get('DPoP-Nonce');
  if (nonce) nonces.set(origin, nonce);
  const text = await response.text();
  const isJson = response.headers.get('Content-Type')?.startsWith('application/json');
  const content = isJson && text ? JSON.parse(text) : text;
  const challenges = parse(response.headers.get('WWW-Authenticate') ?? '');
  const error = content?.error ?? challenges.find((challenge) => challenge.error)?.error;
  const answer = { status: response.status, ok: response.ok, content, challenges, error, proof };
  await story.exchange({ method, url, token, scheme, proof, form, why }, answer);
  return answer;
}

// The challenges of RFC 9110 section 11.6.1, each with its parameters.
function parse(field) {
  const challenges = [];
  const parts = field.matchAll(/(?:^|,)\s*(?:([\w-]+) +)?([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g);
  for (const [, scheme, name, quoted, plain] of parts) {
    if (scheme) challenges.push({ scheme });
    const challenge = challenges.at(-1);
    if (challenge) challenge[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain;
  }
  return challenges;
}
