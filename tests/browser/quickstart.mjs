// What the cases have in common: the quickstart and a browser as children, and a person who clicks.
//
// QUICKSTART names another executable that behaves as the example does; CHROMIUM another browser of that family.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const QUICKSTART = process.env.QUICKSTART ?? here('../../target/debug/examples/quickstart');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const PICTURES = process.env.PICTURES ?? here('../../target/browser');

const START_LIMIT = 30_000;
const WHOLE_LIMIT = 240_000;
export const STEP_LIMIT = 15_000;

// Whatever happens, nothing that was started here outlives this process.
const children = new Set();
export const killChildren = () => children.forEach((child) => child.kill('SIGKILL'));
process.on('exit', killChildren);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
setTimeout(() => {
  console.error(`not finished within ${WHOLE_LIMIT / 1000} s`);
  process.exit(1);
}, WHOLE_LIMIT).unref();

// Starts the quickstart, and gives the address of its page and of its authorization server.
export async function startQuickstart() {
  const child = spawn(QUICKSTART, [], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.add(child);
  child.on('exit', () => children.delete(child));
  const limit = AbortSignal.timeout(START_LIMIT);
  const ended = once(child, 'exit', { signal: limit }).then(
    ([code]) => Promise.reject(new Error(`the quickstart ended (${code})`)),
    () => Promise.reject(new Error('the quickstart did not say where its page is')),
  );
  ended.catch(() => {});
  const said = new Promise((resolve) => {
    const found = {};
    createInterface({ input: child.stdout }).on('line', (line) => {
      found.page ??= /^Open (http:\/\/127\.0\.0\.1:\d+)\/ /.exec(line)?.[1];
      found.issuer ??= /tokens come from (http:\/\/127\.0\.0\.1:\d+) /.exec(line)?.[1];
      if (found.page && found.issuer) resolve(found);
    });
  });
  const addresses = await Promise.race([said, ended]);
  // A server that has just started refuses proofs of the second in which it did: it may have seen them before.
  await sleep(1_010 - (Date.now() % 1_000));
  return addresses;
}

export async function startBrowser() {
  await mkdir(PICTURES, { recursive: true });
  // Its sandbox does not work for root, and it shows pages of this machine only.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: CHROMIUM, args, timeout: START_LIMIT });
}

export const picture = (page, name) =>
  page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true, animations: 'disabled' });

// A person in front of the page.
export async function visit(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(STEP_LIMIT);
  const page = await context.newPage();
  const heard = [];
  page.on('console', (message) => heard.push({ type: message.type(), text: message.text(), at: message.location().url }));
  page.on('pageerror', (error) => heard.push({ type: 'error', text: String(error), at: '' }));
  await page.goto(`${address}/`);
  await page.locator('#sign-in:enabled').waitFor();

  // The article that an act leaves behind, once it has come to its end.
  const outcome = async (title) => {
    const story = page.locator('article.story').first();
    await story.and(page.locator(':not([data-outcome="under-way"])')).waitFor();
    const read = (selector) => story.locator(selector).allTextContents();
    return {
      title: (await read('h3'))[0],
      outcome: await story.getAttribute('data-outcome'),
      text: (await read('.outcome'))[0],
      statuses: await read('.status'),
      steps: await read('.why'),
      challenges: await read('.challenge'),
      whole: await story.textContent(),
    };
  };

  // What the authorization server asks in its window.
  const answer = async (window, decision, user) => {
    if (user) await window.getByRole('radio', { name: user }).check();
    await Promise.all([window.waitForEvent('close'), window.getByRole('button', { name: decision }).click()]);
  };

  const withWindow = async (press, decision, user) => {
    const [window] = await Promise.all([page.waitForEvent('popup'), press()]);
    await answer(window, decision, user);
    return outcome();
  };

  return {
    context,
    page,
    heard,
    outcome,
    answer,
    act: async (name) => {
      await page.locator(`[data-act="${name}"]`).click();
      return outcome();
    },
    // An act for which the authorization server asks something.
    actWithWindow: (name, decision = 'Allow') => withWindow(() => page.locator(`[data-act="${name}"]`).click(), decision),
    signIn: (decision = 'Allow', user = 'Ada Lovelace') =>
      withWindow(() => page.getByRole('button', { name: 'Sign in' }).click(), decision, user),
  };
}
