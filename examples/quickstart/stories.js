// What each button does. Every story says beforehand how it must end; the panel shows when it ends otherwise.

import { newKey } from './dpop.js';
import { fingerprint } from './encoding.js';
import { send } from './http.js';

// `expect` throws unless the answer is that one.
function expect(answer, status, error) {
  if (answer.status !== status || (error && answer.error !== error)) {
    throw new Error(`expected ${status} ${error ?? ''}, and it was ${answer.status} ${answer.error ?? ''}`);
  }
  return answer;
}

export function storiesOf({ client, server, resource, clientId, redirectUri }) {
  // What a thief has kept of a session that is over.
  let kept;

  return {
    enough: {
      async run(story) {
        const answer = expect(await client.call(story, '/orders'), 200);
        story.passed(`The API answered: ${answer.content.join(', ')}.`);
      },
    },

    little: {
      async run(story) {
        const answer = expect(await client.call(story, '/orders', { method: 'POST' }), 403, 'insufficient_scope');
        const { scope } = answer.challenges.find((challenge) => challenge.error);
        story.refused(`The challenge names what is lacking: ${scope}. A token with fewer scopes is worth less to a thief.`);
      },
    },

    'step-up': {
      async run(story) {
        const answer = expect(await client.call(story, '/payouts', { method: 'POST' }), 201);
        story.passed(`${answer.content.trim()} A token of the ordinary login would not have done it.`);
      },
    },

    refresh: {
      async run(story) {
        const { refresh: before } = client.session();
        // Two callers, one flight: the second waits for what the first has begun.
        await Promise.all([client.refresh(story), client.refresh(story)]);
        const [old, next] = await Promise.all([fingerprint(before), fingerprint(client.session().refresh)]);
        story.passed(`Refresh token ${old} is spent, ${next} came in its place. Two callers asked, one request was made.`);
      },
    },

    twice: {
      async run(story) {
        const { refresh, key } = client.session();
        const why =
          'Two tabs may wake at once and send the same token. Within five seconds the server answers the second with the ' +
          'same successor, for the same client and key. No standard has this window: within it a thief who also has the ' +
          'key is answered too. It is off unless it is asked for.';
        const both = [1, 2].map(() => client.useRefreshToken(story, { refresh, key }, why));
        const [one, other] = await Promise.all(both);
        expect(one, 200);
        expect(other, 200);
        if (one.content.refresh_token !== other.content.refresh_token) throw new Error('two successors of one token');
        client.renew(one.content);
        story.passed(`Both got the same successor, ${await fingerprint(one.content.refresh_token)}: the family goes on.`);
      },
    },

    steal: {
      async run(story) {
        const { access: token } = client.session();
        const url = `${resource}/orders`;
        const plain = 'The thief sends it as a plain Bearer token. It says itself (cnf.jkt) that it needs a proof.';
        expect(await send(story, { url, token, scheme: 'Bearer', why: plain }), 401);
        const own = 'The thief signs a proof with another key. Its thumbprint is not the one in the token.';
        expect(await send(story, { url, token, key: await newKey(), why: own }), 401, 'invalid_token');
        story.refused('The token alone is worthless: it is bound to a key that cannot be taken out of this page.');
      },
    },

    replay: {
      async run(story) {
        const { access: token } = client.session();
        const { proof } = expect(await client.call(story, '/orders'), 200);
        const url = `${resource}/orders`;
        const same = 'The same request once more, to the letter. The API remembers the proof.';
        expect(await send(story, { url, token, proof, why: same }), 401, 'invalid_dpop_proof');
        const other = 'The same proof for another request. It names the method and the address that it is for.';
        expect(await send(story, { url, method: 'POST', token, proof, why: other }), 401, 'invalid_dpop_proof');
        story.refused('A proof is good once, and for one request.');
      },
    },

    code: {
      async run(story) {
        // Somebody who is signed in and has agreed before is asked nothing.
        const granted = await client.authorize(story, { prompt: 'none' });
        const form = { grant_type: 'authorization_code', client_id: clientId, redirect_uri: redirectUri, code: granted.code };
        const url = server.token_endpoint;
        const key = await newKey();
        const none = 'The thief saw the code in the address and redeems it first, but has no verifier (RFC 7636).';
        expect(await send(story, { method: 'POST', url, key, form, why: none }), 400, 'invalid_grant');
        const made = { ...form, code_verifier: 'x'.repeat(43) };
        const guess = 'With a verifier that was made up: its hash is not the challenge of the request.';
        expect(await send(story, { method: 'POST', url, key, form: made, why: guess }), 400, 'invalid_grant');
        await client.exchange(story, granted);
        story.refused('The code is worth nothing without its verifier. It cost its owner nothing either: theirs was answered.');
      },
    },

    reuse: {
      async run(story) {
        const old = { ...client.session() };
        const foreign = { refresh: old.refresh, key: await newKey() };
        const bound = 'A thief without the key. That ends nothing, or a token in a log would be a way to log people out.';
        expect(await client.useRefreshToken(story, foreign, bound), 400, 'invalid_grant');
        await client.refresh(story);
        await client.refresh(story);
        const spent =
          'The first token comes back with its key, as from a copy of the whole browser. It was spent: two have it, and ' +
          'nobody can tell which of them is the owner. So the family and the session are over for both.';
        expect(await client.useRefreshToken(story, old, spent), 400, 'invalid_grant');
        const told = 'An access token with most of its life before it, but the server has told the API (RFC 8935).';
        expect(await client.request(story, '/orders', { why: told }), 401, 'invalid_token');
        story.refused('The session is over, here and at the API. Use the API now, and the page will ask you to sign in.');
      },
    },

    'log-out': {
      async run(story) {
        kept = client.session();
        await client.logOut(story);
        client.forget();
        const why = 'Somebody kept a copy of the access token. The server has told the API that the session is over.';
        expect(await client.request(story, '/orders', { as: kept, why }), 401, 'invalid_token');
        story.passed('The API has seen the end of the session before the token reached its own.');
      },
    },

    after: {
      // The one act that needs a session which is over.
      isReady: () => kept !== undefined && client.session() === undefined,
      async run(story) {
        const why = 'Token and key are right, and the session is over: nothing comes of it any more.';
        expect(await client.useRefreshToken(story, kept, why), 400, 'invalid_grant');
        story.refused('What was revoked stays revoked.');
      },
    },
  };
}
