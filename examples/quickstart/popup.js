// The window in which a person signs in.
//
// The page itself stays where it is, so verifier, state, nonce, key and tokens never leave its memory: nothing has to
// survive a redirect, and nothing is written to any storage. What comes back is believed only from that very window, and
// only from this origin.

const FEATURES = 'popup,width=480,height=720';

// There are no tokens without the person, who has to act first.
export class SignInNeeded extends Error {}

// Opens the window empty, so that it is the click that opens it; null where the browser forbids it.
export const openWindow = () => window.open('', '', FEATURES);

// Leads the window to `url`, and gives the parameters with which it comes back.
export function answerOf(popup, url) {
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      removeEventListener('message', listen);
      clearInterval(watch);
      popup.close();
      settle(value);
    };
    const listen = ({ source, origin, data }) => {
      if (source !== popup || origin !== location.origin || data?.kind !== 'authorization-response') return;
      end(resolve, new URLSearchParams(data.query));
    };
    // A message of a window that has closed may still be on its way, so it is given up one turn later.
    let wasClosed = false;
    const watch = setInterval(() => {
      if (wasClosed) end(reject, new SignInNeeded('the sign-in window was closed'));
      wasClosed = popup.closed;
    }, 400);
    addEventListener('message', listen);
    popup.location.replace(url);
  });
}
