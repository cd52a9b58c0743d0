// An OAuth 2.1 client in a browser (RFC 10017): authorization code with PKCE, tokens bound to a key, in memory only.
//
// Tokens are in the closure of `createClient` and nowhere else. What a browser application gets wrong most often is
// decided here once: a refresh token is used once, by one request at a time; a refresh or an exchange of a code that
// fails is never tried again, but begins the authorization anew; whatever the server answers is held against what was
// asked.

import { newKey } from './dpop.js';
import { base64url, random, sha256 } from './encoding.js';
import { send } from './http.js';
import { checkIdToken, decode } from './jwt.js';
import { SignInNeeded, answerOf, openWindow } from './popup.js';

// The API says whom it believes (RFC 9728), and the server says where its endpoints are (RFC 8414).
export async function discover(resource) {
  const get = async (url) => {
    const response = await fetch(url, { credentials: 'omit', referrerPolicy: 'no-referrer' });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return response.json();
  };
  const metadata = await get(`${resource}/.well-known/oauth-protected-resource`);
  const [issuer] = metadata.authorization_servers;
  const server = await get(`${issuer}/.well-known/oauth-authorization-server`);
  if (metadata.resource !== resource || server.issuer !== issuer) throw new Error('the metadata are of somebody else');
  const { keys } = await get(server.jwks_uri);
  return { ...server, keys };
}

// `askForClick` lets a person open the window where the browser would not; `changed` is told of every new session.
export function createClient({ server, resource, clientId, redirectUri, scope, askForClick, changed }) {
  let session; // access, refresh, user, key
  let refreshing;

  // What every authorization has of its own.
  async function begin(more) {
    const verifier = random();
    const request = { verifier, state: random(), nonce: random(), key: session?.key ?? (await newKey()) };
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      scope,
      resource,
      state: request.state,
      nonce: request.nonce,
      code_challenge: base64url(await sha256(verifier)),
      code_challenge_method: 'S256',
      // A code that is good with this key only (RFC 9449 section 10).
      dpop_jkt: request.key.thumbprint,
      ...more,
    });
    return { ...request, url };
  }

  // Shows the person the authorization server, and gives the code that comes back. `popup` is a window that is open.
  async function authorize(story, more = {}, popup = openWindow()) {
    popup ??= await askForClick();
    const request = await begin(more);
    const answer = await answerOf(popup, request.url.href);
    // RFC 6749 section 10.12 and RFC 9207: the answer to this request, by this server, or none at all.
    if (answer.get('state') !== request.state) throw new Error('state is not the one of this request');
    if (answer.get('iss') !== server.issuer) throw new Error('iss is another server');
    await story.authorization(request.url, answer);
    if (answer.has('error')) {
      throw new SignInNeeded(`${answer.get('error')}: ${answer.get('error_description') ?? ''}`);
    }
    return { ...request, code: answer.get('code') };
  }

  // Exchanges a code for tokens, and takes them once everything in them is as it was asked for.
  async function exchange(story, { code, verifier, nonce, key }) {
    const answer = await send(story, {
      method: 'POST',
      url: server.token_endpoint,
      key,
      form: {
        grant_type: 'authorization_code',
        client_id: clientId,
        redirect_uri: redirectUri,
        code,
        code_verifier: verifier,
      },
      why: 'The code for tokens. The verifier shows that it was this page that asked, and the proof binds them to its key.',
    });
    if (!answer.ok) throw new SignInNeeded(`the code was not exchanged: ${answer.error}`);
    const { access_token: access, refresh_token: refresh, id_token: idToken, token_type: type } = answer.content;
    if (type?.toLowerCase() !== 'dpop') throw new Error('the access token is not bound to the key');
    const { issuer, keys } = server;
    const user = await checkIdToken({ idToken, keys, issuer, clientId, nonce, accessToken: access });
    if (session && session.user.sub !== user.sub) forget();
    story.checked(['state', 'iss', 'signature of the ID token', 'nonce', 'aud', 'at_hash']);
    const before = session;
    session = { access, refresh, user, key };
    changed();
    // The refresh token of the authorization before would live on unused, and nobody would notice its theft.
    if (before) await revoke(story, before, 'The page has newer tokens now, and gives the older ones back.');
  }

  function revoke(story, { refresh, key }, why) {
    const form = { token: refresh, token_type_hint: 'refresh_token', client_id: clientId };
    return send(story, { method: 'POST', url: server.revocation_endpoint, key, form, why });
  }

  // From a click to tokens. What fails is not tried again: it begins anew, once.
  async function signIn(story, more, popup, isAgain = false) {
    const granted = await authorize(story, more, popup);
    try {
      await exchange(story, granted);
    } catch (error) {
      if (isAgain || !(error instanceof SignInNeeded)) throw error;
      story.say(`${error.message}. A code is good once, so the authorization begins again.`);
      await signIn(story, more, undefined, true);
    }
  }

  // One request with a refresh token.
  function useRefreshToken(story, { refresh, key }, why) {
    const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refresh };
    return send(story, { method: 'POST', url: server.token_endpoint, key, form, why });
  }

  // Takes the successors of the tokens.
  function renew({ access_token: access, refresh_token: refresh }) {
    session = { ...session, access, refresh };
    changed();
  }

  // Whoever wants new tokens while they are under way waits for the same ones.
  function refresh(story) {
    refreshing ??= (async () => {
      const answer = await useRefreshToken(story, session, 'The refresh token is spent by this, and comes back as the next one.');
      if (answer.ok) return renew(answer.content);
      forget();
      throw new SignInNeeded(`the refresh token was refused: ${answer.error}`);
    })().finally(() => (refreshing = undefined));
    return refreshing;
  }

  // A request to the API as it comes: nothing is mended.
  const request = (story, path, { method, why, as = session } = {}) =>
    send(story, { method, url: resource + path, token: as.access, key: as.key, why });

  // A request to the API that mends what can be mended: an old token by a refresh, a weak login by a step-up, and the
  // end of everything by signing in.
  async function call(story, path, options) {
    const first = await request(story, path, options);
    if (first.error === 'insufficient_user_authentication') {
      const { acr_values, max_age } = first.challenges.find((challenge) => challenge.error === first.error);
      await signIn(story, { ...(acr_values && { acr_values }), ...(max_age && { max_age }) });
    } else if (first.error === 'invalid_token') {
      try {
        await refresh(story);
      } catch (error) {
        if (!(error instanceof SignInNeeded)) throw error;
        story.say(`${error.message}. That is not tried again: the authorization begins anew.`);
        await signIn(story);
      }
    } else {
      return first;
    }
    return request(story, path, options);
  }

  async function logOut(story) {
    await revoke(story, session, 'The client gives its refresh token back (RFC 7009); the session ends with it.');
  }

  function forget() {
    session = undefined;
    changed();
  }

  return {
    signIn,
    call,
    refresh,
    logOut,
    forget,
    // For the attacks. A client in earnest has no such doors.
    session: () => session,
    request,
    authorize,
    exchange,
    useRefreshToken,
    renew,
    describe: () =>
      session && { user: session.user, token: decode(session.access).claims, thumbprint: session.key.thumbprint },
  };
}
