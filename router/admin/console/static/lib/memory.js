// What this browser keeps for its user: looks only, nothing of the router.
const PREFIX = "spillway.";

/** @param {string} name @returns {string | null} */
export function kept(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null; // Storage may be forbidden; then nothing is kept.
  }
}

/** @param {string} name @param {string} value */
export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // As above.
  }
}
