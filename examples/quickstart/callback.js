// Where the authorization server sends the window that it was shown in. The answer goes to the page that opened it, if
// that is of this very origin, and out of the address and the history at once.

const query = location.search;
history.replaceState(null, '', location.pathname);
window.opener?.postMessage({ kind: 'authorization-response', query }, location.origin);
window.close();
