// The panel: one article for each act, and in it each request, the token decoded, the challenge, and why.
//
// Everything is put there as text, never as markup. A secret is shown as its fingerprint.

import { fingerprint } from './encoding.js';
import { decode } from './jwt.js';

const SECRETS = ['token', 'refresh_token', 'access_token', 'id_token', 'code', 'code_verifier'];

// What the answers mean that need no word of their own.
const MEANINGS = {
  use_dpop_nonce: 'The proof needs a fresh word of this server, which the answer brings. The page sends it once more.',
  insufficient_scope: 'The token is good, and does not grant what this route asks for.',
  insufficient_user_authentication: 'The login is too weak or too old for this route: the challenge says what would do.',
  invalid_token: 'Something is wrong with the token. What it is stands in the log of the API and never in the answer.',
};

// `said` is read out by a screen reader: how each act ended, and not every request of it.
export function createPanel(log, said) {
  return {
    clear: () => log.replaceChildren(),

    // A new article at the top, for one act; those before it are folded.
    begin(title) {
      for (const folded of log.querySelectorAll(':scope > article > details')) folded.open = false;
      const outcome = element('p', { className: 'outcome' });
      const steps = element('ol', { className: 'steps' });
      const time = element('time', {}, new Date().toLocaleTimeString());
      const badge = element('span', { className: 'badge' }, 'under way');
      const head = element('header', {}, element('h3', {}, title), time, badge);
      const body = element('details', { open: true }, element('summary', {}, 'Each request'), steps);
      const article = element('article', { className: 'story' }, head, outcome, body);
      article.dataset.outcome = 'under-way';
      log.prepend(article);
      log.scrollTop = 0;

      const end = (name, word) => (text) => {
        article.dataset.outcome = name;
        badge.textContent = word;
        outcome.textContent = text;
        said.textContent = `${title}: ${word}. ${text}`;
      };
      const step = (...content) => steps.append(element('li', {}, ...content));

      return {
        article,
        passed: end('passed', 'passed'),
        refused: end('refused', 'refused, as it should be'),
        failed: end('failed', 'not as it should be'),
        abandoned: end('abandoned', 'not done'),
        say: (text) => step(why(text)),
        checked: (names) => step(why(`The page has checked: ${names.join(', ')}.`)),

        async authorization(url, answer) {
          const outside = [
            ['What was asked', await redacted(Object.fromEntries(url.searchParams))],
            ['What came back', await redacted(Object.fromEntries(answer))],
          ];
          step(
            line('GET', url, answer.get('error') ?? 'code', !answer.has('error')),
            why('In a window of its own: this page stays, and so does its memory.'),
            inside(outside),
          );
        },

        async exchange({ method, url, token, scheme, proof, form, why: given }, answer) {
          const { status, ok, error, content, challenges } = answer;
          const parts = [line(method, new URL(url), status, ok)];
          // A nonce is asked for in any story, whatever the story is about.
          const reason = error === 'use_dpop_nonce' ? MEANINGS[error] : (given ?? MEANINGS[error]);
          if (token) parts.push(await sent(scheme, token));
          if (reason) parts.push(why(reason));
          const named = challenges.filter((challenge) => challenge.error);
          // The API refuses by a challenge, and the authorization server in its content (RFC 6749 section 5.2).
          if (!named.length && content?.error) named.push(content);
          parts.push(...named.map(refusal));
          const blocks = [];
          if (token) blocks.push(['The token that was sent, decoded', decode(token)]);
          if (proof) blocks.push(['The proof, decoded', withShortKey(decode(proof))]);
          if (form) blocks.push(['The form that was sent', await redacted(form)]);
          if (challenges.length) blocks.push(['The challenges in WWW-Authenticate', challenges]);
          if (content && Object.keys(content).length) blocks.push(['The answer', await redacted(content)]);
          if (content?.access_token) blocks.push(['The new access token, decoded', decode(content.access_token)]);
          if (content?.id_token) blocks.push(['The ID token, decoded', decode(content.id_token)]);
          step(...parts, inside(blocks));
        },
      };
    },
  };
}

function line(method, url, status, isGood) {
  const where = url.origin === location.origin ? 'API' : 'issuer';
  return element(
    'p',
    { className: 'line' },
    element('span', { className: isGood ? 'status good' : 'status bad' }, String(status)),
    element('code', {}, `${method} ${url.pathname}`),
    element('span', { className: 'where' }, where),
  );
}

const why = (text) => element('p', { className: 'why' }, text);

// The token at a glance.
async function sent(scheme, token) {
  const { sub, scope, acr, cnf } = decode(token).claims;
  const binding = cnf?.jkt ? `bound to key ${cnf.jkt.slice(0, 6)}…` : 'bound to no key';
  const text = `${scheme} ${await fingerprint(token)}: ${sub} by ${acr}, ${scope}, ${binding}`;
  return element('p', { className: 'sent' }, text);
}

// What a client does next stands in these; the rest is further inside.
function refusal({ scheme, error, error_description: description, ...more }) {
  const code = scheme ? `${scheme} error="${error}"` : `error: ${error}`;
  const next = ['scope', 'acr_values', 'max_age'].filter((name) => more[name]).map((name) => `${name}="${more[name]}"`);
  return element(
    'p',
    { className: 'challenge' },
    element('code', {}, [code, ...next].join(', ')),
    element('span', {}, description ?? ''),
  );
}

const inside = (blocks) =>
  element(
    'details',
    { className: 'inside' },
    element('summary', {}, 'Look inside'),
    ...blocks.flatMap(([title, content]) => [
      element('h4', {}, title),
      element('pre', {}, typeof content === 'string' ? content : JSON.stringify(content, null, 2)),
    ]),
  );

// Only its thumbprint matters to the eye.
function withShortKey({ header, claims }) {
  const { jwk, ...rest } = header;
  return { header: { ...rest, jwk: { ...jwk, x: `${jwk.x.slice(0, 6)}…`, y: `${jwk.y.slice(0, 6)}…` } }, claims };
}

async function redacted(content) {
  if (typeof content === 'string') return content;
  const entries = Object.entries(content).map(async ([name, value]) => [
    name,
    SECRETS.includes(name) ? `(${name} ${await fingerprint(value)})` : value,
  ]);
  return Array.isArray(content) ? content : Object.fromEntries(await Promise.all(entries));
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
