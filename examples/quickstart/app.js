// The page: buttons, the session at a glance, and the panel.

import { createClient, discover } from './client.js';
import { fingerprint } from './encoding.js';
import { createPanel } from './panel.js';
import { SignInNeeded, openWindow } from './popup.js';
import { storiesOf } from './stories.js';

const $ = (selector) => document.querySelector(selector);
const acts = [...document.querySelectorAll('[data-act]')];
const panel = createPanel($('#log'), $('#said'));
let isBusy = true;

const resource = location.origin;
const clientId = 'page';
const redirectUri = `${location.origin}/callback`;

// A browser opens a window only for a click, so where the click is too long ago another one is asked for.
function askForClick() {
  const again = $('#again');
  again.querySelector('p').textContent = 'The authorization server has to ask you something, in a window of its own.';
  again.hidden = false;
  const button = again.querySelector('button');
  button.focus();
  return new Promise((resolve, reject) => {
    const opened = () => {
      again.hidden = true;
      const popup = openWindow();
      if (popup) resolve(popup);
      else reject(new Error('the browser opens no window for this page; allow it to'));
    };
    button.addEventListener('click', opened, { once: true });
  });
}

async function main() {
  const server = await discover(resource);
  const client = createClient({
    server,
    resource,
    clientId,
    redirectUri,
    scope: 'openid profile orders:read payouts:write',
    askForClick,
    changed: () => show(client),
  });
  const stories = storiesOf({ client, server, resource, clientId, redirectUri });

  const enable = () => {
    $('#sign-in').disabled = isBusy;
    for (const button of acts) {
      const { isReady } = stories[button.dataset.act];
      button.disabled = isBusy || !(isReady ? isReady() : client.session());
    }
  };

  // One act at a time, each under its title in the panel.
  async function perform(title, run) {
    if (isBusy) return;
    isBusy = true;
    const focused = document.activeElement;
    const story = panel.begin(title);
    $('#hint').hidden = true;
    $('#clear').hidden = false;
    enable();
    reveal(story.article);
    try {
      await run(story);
    } catch (error) {
      (error instanceof SignInNeeded ? story.abandoned : story.failed)(`${error.message}.`);
    }
    isBusy = false;
    enable();
    // A button that was disabled meanwhile has lost the focus.
    if (document.activeElement === document.body && !focused?.disabled) focused?.focus({ preventScroll: true });
  }

  $('#sign-in').addEventListener('click', () => {
    const popup = openWindow() ?? undefined;
    perform('Sign in', async (story) => {
      await client.signIn(story, {}, popup);
      story.passed('The tokens are in the memory of this page and bound to its key.');
    });
  });
  $('#clear').addEventListener('click', () => {
    panel.clear();
    $('#hint').hidden = false;
    $('#clear').hidden = true;
  });
  for (const button of acts) {
    const { run } = stories[button.dataset.act];
    const title = button.querySelector('.act').textContent;
    button.addEventListener('click', () => perform(title, run));
  }
  isBusy = false;
  enable();
}

// On a phone the panel is below what was pressed.
function reveal(article) {
  if (!matchMedia('(max-width: 60rem)').matches) return;
  const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  article.scrollIntoView({ block: 'start', behavior: isCalm ? 'auto' : 'smooth' });
}

let shown = 0;
async function show(client) {
  const turn = (shown += 1);
  const session = client.describe();
  const facts = [];
  if (session) {
    const { refresh, access } = client.session();
    const { user, token, thumbprint } = session;
    facts.push(
      ['Login', `${user.acr}, ${new Date(user.auth_time * 1000).toLocaleTimeString()}`],
      ['Scope', token.scope],
      ['Access token', `${await fingerprint(access)}, until ${new Date(token.exp * 1000).toLocaleTimeString()}`],
      ['Refresh token', await fingerprint(refresh)],
      ['Key', `${thumbprint.slice(0, 10)}…, not extractable`],
    );
  }
  // Of two changes at once the later is shown, whichever is ready first.
  if (turn !== shown) return;
  $('#who').textContent = session ? `${session.user.name ?? session.user.sub} is signed in.` : 'Nobody is signed in.';
  $('#who').dataset.state = session ? 'in' : 'out';
  $('#facts').hidden = !session;
  $('#sign-in').hidden = Boolean(session);
  const term = (name) => Object.assign(document.createElement('dt'), { textContent: name });
  const value = (text) => Object.assign(document.createElement('dd'), { textContent: text });
  $('#facts').replaceChildren(...facts.flatMap(([name, text]) => [term(name), value(text)]));
}

main().catch((error) => {
  $('#who').textContent = `The page could not begin: ${error.message}. Reload it to try again.`;
});
