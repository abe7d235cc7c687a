// Which tabs of this browser may hold a stream from the router open.
//
// A browser opens six connections to a host (HTTP/1.1), and a stream occupies one until it ends. If
// tabs held all six, every other request of this browser would wait forever. So the tabs share
// these places, and a tab without one polls. A place is a browser lock: at most one tab holds it, and
// the browser frees it when that tab closes or crashes.
const PLACES = [1, 2, 3, 4].map((number) => `spillway-stream-${number}`);

/**
 * Takes a free place.
 * @returns {Promise<(() => void) | null>} Frees the place; null: no place is free.
 */
export async function takePlace() {
  if (!navigator.locks) return null; // Browsers lack locks on plain HTTP to another machine.
  for (const place of PLACES) {
    const free = await lock(place);
    if (free) return free;
  }
  return null;
}

/** @param {string} name @returns {Promise<(() => void) | null>} */
function lock(name) {
  return new Promise((resolve) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (held) => {
        if (!held) return resolve(null);
        return new Promise((free) => resolve(() => free(undefined)));
      })
      .catch(() => resolve(null)); // Where storage is blocked, locks are refused.
  });
}
