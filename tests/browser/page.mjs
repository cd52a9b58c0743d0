// The page of the quickstart in Chromium: a person clicks through every button.
//
//   node --test page.mjs            after `cargo build --example quickstart`

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { STEP_LIMIT, killChildren, picture, startBrowser, startQuickstart, visit } from './quickstart.mjs';

const LAPTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

// Chromium tells of each answer of 400 and more. Those are the story; anything else is a mistake.
const isRefusal = ({ text }) => /^Failed to load resource: the server responded with a status of 40[013] /.test(text);

// The long secrets that went over the wire, as far as a script may look: of every request and answer.
function listen(context) {
  const secrets = new Set();
  const keep = (value) => value && value.length > 20 && secrets.add(value);
  context.on('request', (request) => {
    const { authorization, dpop } = request.headers();
    keep(authorization?.split(' ')[1]);
    keep(dpop);
    for (const [name, value] of new URLSearchParams(request.postData() ?? '')) {
      if (['code', 'code_verifier', 'refresh_token', 'token'].includes(name)) keep(value);
    }
  });
  context.on('response', async (response) => {
    if (!response.url().endsWith('/token') || response.status() !== 200) return;
    const { access_token: access, refresh_token: refresh, id_token: id } = await response.json();
    [access, refresh, id].forEach(keep);
  });
  return secrets;
}

// All that a script of the page could find outside of its memory.
const remains = (page) =>
  page.evaluate(async () => ({
    local: JSON.stringify(localStorage),
    session: JSON.stringify(sessionStorage),
    databases: (await indexedDB.databases()).length,
    caches: (await caches.keys()).length,
    cookies: document.cookie,
    address: location.href,
    entries: history.length,
    // What was shown, and every address that was loaded.
    document: document.documentElement.outerHTML,
    loaded: performance.getEntriesByType('resource').map(({ name }) => name).join(' '),
  }));

describe('the page of the quickstart', () => {
  let browser;
  let addresses;

  before(async () => {
    addresses = await startQuickstart();
    browser = await startBrowser();
  });

  after(async () => {
    await browser?.close();
    killChildren();
  });

  // A person and what they leave behind; at the end of the case both are held against the rules of the house.
  const person = async (run, options) => {
    const it = await visit(browser, addresses.page, options);
    const secrets = listen(it.context);
    try {
      await run(it, secrets);
      const heard = it.heard.filter((message) => !isRefusal(message));
      assert.deepEqual(heard, [], 'the console says nothing but that a request was refused');
    } finally {
      await it.context.close();
    }
  };

  test('every button tells its part of the story', () =>
    person(async ({ page, act, actWithWindow, signIn, heard }, secrets) => {
      assert.equal(await page.locator('[data-act]:enabled').count(), 0, 'nothing can be done before signing in');
      const ends = (story, outcome, statuses, ...words) => {
        assert.deepEqual([story.outcome, story.statuses], [outcome, statuses], `${story.title}: ${story.text}`);
        for (const word of words) assert.ok(story.whole.includes(word), `${word} in ${story.title}: ${story.whole}`);
      };

      ends(await signIn(), 'passed', ['code', '400', '200'], 'state, iss, signature of the ID token, nonce, aud, at_hash');
      assert.equal(await page.locator('#who').textContent(), 'Ada Lovelace is signed in.');
      ends(await act('enough'), 'passed', ['401', '200'], 'use_dpop_nonce', 'tea, bread', 'bound to key');
      ends(await act('little'), 'refused', ['403'], 'error="insufficient_scope", scope="orders:write"');
      const stepUp = await actWithWindow('step-up');
      ends(stepUp, 'passed', ['401', 'code', '200', '200', '201'], 'error="insufficient_user_authentication"', 'acr_values="phr"');
      assert.match(await page.locator('#facts').textContent(), /phr/);
      ends(await act('step-up'), 'passed', ['201'], 'ada by phr');
      ends(await act('refresh'), 'passed', ['200'], 'Two callers asked, one request was made');
      ends(await act('twice'), 'passed', ['200', '200'], 'within it a thief', 'Both got the same successor');
      ends(await act('steal'), 'refused', ['401', '401'], 'Bearer error="invalid_token"', 'DPoP error="invalid_token"');
      ends(await act('replay'), 'refused', ['200', '401', '401'], 'error="invalid_dpop_proof"');
      ends(await act('code'), 'refused', ['code', '400', '400', '200', '200'], 'code_verifier is missing', 'code_verifier does not belong');
      ends(await act('enough'), 'passed', ['200']);

      const reuse = await act('reuse');
      ends(reuse, 'refused', ['400', '200', '200', '400', '401'], 'bound to another DPoP key', 'family and session are over');
      // The session is over, so the page refreshes once, in vain, and begins again instead of trying once more.
      const again = await actWithWindow('enough');
      ends(again, 'passed', ['401', '400', 'code', '200', '200'], 'the authorization begins anew');

      assert.equal(await page.locator('[data-act="after"]').isEnabled(), false);
      ends(await act('log-out'), 'passed', ['200', '401'], 'error="invalid_token"');
      assert.equal(await page.locator('#who').textContent(), 'Nobody is signed in.');
      assert.equal(await page.locator('[data-act]:enabled').count(), 1, 'only what comes after logout is left');
      ends(await act('after'), 'refused', ['400'], 'error: invalid_grant');
      await picture(page, 'whole-story');

      const refused = await page.locator('.status.bad').count();
      assert.equal(heard.length, refused, 'each refusal that the console tells of is in the panel');
      const left = await remains(page);
      assert.deepEqual([left.local, left.session, left.cookies], ['{}', '{}', '']);
      assert.deepEqual([left.databases, left.caches, left.entries], [0, 0, 1 + 1], 'about:blank and the page');
      assert.equal(left.address, `${addresses.page}/`);
      assert.ok(secrets.size > 40, `${secrets.size} secrets went over the wire`);
      const everywhere = JSON.stringify([left, heard]);
      for (const secret of secrets) assert.ok(!everywhere.includes(secret), `a secret can be read: ${secret.slice(0, 12)}…`);
    }));

  test('a code that is not exchanged is not tried again: the authorization begins anew', () =>
    person(async ({ page, context, answer, outcome }) => {
      let spoilt = 0;
      await context.route('**/token', (route) => {
        spoilt += 1;
        return spoilt > 1
          ? route.continue()
          : route.fulfill({ status: 400, json: { error: 'invalid_grant' }, headers: { 'Access-Control-Allow-Origin': '*' } });
      });
      const [first] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Sign in' }).click()]);
      const second = page.waitForEvent('popup');
      await answer(first, 'Allow');
      await answer(await second, 'Allow');
      const { outcome: end, statuses } = await outcome();
      assert.equal(end, 'passed');
      assert.deepEqual(statuses.filter((status) => status === 'code').length, 2, 'two codes, each exchanged once');
    }));

  test('an answer to another request is refused', () =>
    person(async ({ page, outcome }) => {
      for (const [name, spoil, said] of [
        ['state', (url) => url.searchParams.set('state', 'x'), 'state is not the one of this request.'],
        ['iss', (url) => url.searchParams.set('iss', 'https://evil.example'), 'iss is another server.'],
      ]) {
        await page.context().route(
          '**/consent',
          async (route) => {
            const response = await route.fetch({ maxRedirects: 0 });
            const url = new URL(response.headers().location);
            spoil(url);
            await route.fulfill({ response, headers: { ...response.headers(), location: url.href } });
          },
          { times: 1 },
        );
        const [window] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Sign in' }).click()]);
        await window.getByRole('button', { name: 'Allow' }).click();
        const story = await outcome();
        assert.deepEqual([story.outcome, story.text, story.statuses], ['failed', said, []], name);
      }
    }));

  test('an ID token of another request, or beside another access token, is refused', () =>
    person(async ({ page, context, signIn }) => {
      let first;
      let swapped;
      await context.route('**/token', async (route) => {
        const response = await route.fetch();
        if (response.status() !== 200) return route.fulfill({ response });
        const tokens = await response.json();
        first ??= tokens;
        return route.fulfill({ response, json: { ...tokens, ...(swapped && { [swapped]: first[swapped] }) } });
      });
      assert.equal((await signIn()).outcome, 'passed');
      for (const [name, said] of [
        ['id_token', 'nonce is not the one of this request'],
        ['access_token', 'at_hash is of another access token'],
      ]) {
        swapped = name;
        await page.reload();
        await page.locator('#sign-in:enabled').waitFor();
        const story = await signIn();
        assert.deepEqual([story.outcome, story.text], ['failed', `the ID token is refused: ${said}.`]);
      }
    }));

  test('who says no, or closes the window, is not signed in and may begin again', () =>
    person(async ({ page, outcome, signIn }) => {
      const denied = await signIn('Deny');
      assert.deepEqual([denied.outcome, denied.text], ['abandoned', 'access_denied: the user said no.']);
      const [window] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Sign in' }).click()]);
      await window.close();
      const closed = await outcome();
      assert.deepEqual([closed.outcome, closed.text], ['abandoned', 'the sign-in window was closed.']);
      assert.equal((await signIn('Allow', 'Grace Hopper')).outcome, 'passed');
      assert.equal(await page.locator('#who').textContent(), 'Grace Hopper is signed in.');
    }));

  test('a message of another window is no answer', () =>
    person(async ({ page, answer, outcome }) => {
      const [window] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Sign in' }).click()]);
      await page.evaluate(() => {
        window.postMessage({ kind: 'authorization-response', query: '?code=forged&state=forged' }, location.origin);
      });
      await answer(window, 'Allow');
      assert.equal((await outcome()).outcome, 'passed');
    }));

  test('the code leaves the address and the history of its window at once', () =>
    person(async ({ context }) => {
      const window = await context.newPage();
      await window.goto(`${addresses.page}/callback?code=a-code-of-somebody&state=x`);
      await window.waitForURL(`${addresses.page}/callback`);
      await window.goto(`${addresses.page}/icon.svg`);
      await window.goBack();
      assert.equal(window.url(), `${addresses.page}/callback`);
    }));

  test('where the browser opens no window, the page asks for another click', () =>
    person(async ({ page, answer, outcome }) => {
      await page.evaluate(() => {
        const { open } = window;
        let refusals = 2;
        window.open = (...all) => (refusals-- > 0 ? null : open.apply(window, all));
      });
      await page.getByRole('button', { name: 'Sign in' }).click();
      const again = page.getByRole('button', { name: 'Go on' });
      await again.and(page.locator(':focus')).waitFor();
      const [window] = await Promise.all([page.waitForEvent('popup'), again.click()]);
      await answer(window, 'Allow');
      assert.equal((await outcome()).outcome, 'passed');
      assert.equal(await again.isVisible(), false);
    }));

  test('the page lets in nothing from elsewhere', async () => {
    const response = await fetch(`${addresses.page}/`, { signal: AbortSignal.timeout(STEP_LIMIT) });
    const policy = response.headers.get('content-security-policy');
    for (const directive of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
      assert.ok(policy.includes(directive), policy);
    }
    assert.ok(!policy.includes('unsafe'), policy);
    assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('cross-origin-opener-policy'), 'same-origin-allow-popups');
    await person(async ({ page, heard }) => {
      const isStopped = await page.evaluate(() => {
        try {
          document.body.innerHTML = '<p>markup</p>';
          return false;
        } catch {
          return true;
        }
      });
      assert.ok(isStopped, 'text does not become markup');
      assert.equal(await page.evaluate(() => document.scripts.length), 1);
      // Chromium says in the console that it has stopped it, and that is what was asked for.
      assert.ok(heard.splice(0).some(({ text }) => text.includes('TrustedHTML')));
    });
  });

  for (const [device, viewport] of Object.entries({ laptop: LAPTOP, phone: PHONE })) {
    for (const colorScheme of ['light', 'dark']) {
      test(`on a ${device} in the ${colorScheme} nothing is cut off, and every button can be reached by key`, () =>
        person(
          async ({ page, act, signIn }) => {
            await picture(page, `${device}-${colorScheme}-start`);
            await signIn();
            await act('little');
            await page.locator('.inside summary').first().click();
            await picture(page, `${device}-${colorScheme}-signed-in`);
            const { scroll, client } = await page.evaluate(() => ({
              scroll: document.documentElement.scrollWidth,
              client: document.documentElement.clientWidth,
            }));
            assert.ok(scroll <= client, `${scroll} pixels wide on ${client}`);
            const reached = new Set();
            await page.locator('body').press('Home');
            await page.evaluate(() => document.activeElement?.blur());
            for (let presses = 0; presses < 40; presses += 1) {
              await page.keyboard.press('Tab');
              reached.add(await page.evaluate(() => document.activeElement?.dataset?.act));
            }
            const enabled = await page.locator('[data-act]:enabled').evaluateAll((all) => all.map(({ dataset }) => dataset.act));
            assert.ok(enabled.length === 10 && enabled.every((name) => reached.has(name)), `${[...reached]} of ${enabled}`);
          },
          { viewport, colorScheme },
        ));
    }
  }
});
