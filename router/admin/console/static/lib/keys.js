// All keyboard shortcuts in one place, so that `?` can list them.
import { kept, keep } from "./memory.js";

/** @typedef {{keys: string, does: string, run: () => void}} Shortcut */

/** @type {Shortcut[]} */
const shortcuts = [];
const PAIR_MS = 1200; // How long the second key of `g o` may take.

export function areOn() {
  return kept("shortcuts") !== "off";
}

/** Single-key shortcuts disturb some input methods (speech), so users can turn them off. */
export function setOn(/** @type {boolean} */ on) {
  keep("shortcuts", on ? "on" : "off");
}

export function all() {
  return shortcuts;
}

/** @param {string} keys One key, or two with a space between. */
export function shortcut(keys, does, run) {
  shortcuts.push({ keys, does, run });
}

/** @param {EventTarget | null} target */
function takesText(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input, textarea, select"))
  );
}

export function listen() {
  let first = "";
  let firstAt = 0;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!areOn() || takesText(event.target) || document.querySelector("dialog[open]")) return;
    const isSecond = first && event.timeStamp - firstAt < PAIR_MS;
    const found =
      shortcuts.find((one) => isSecond && one.keys === `${first} ${event.key}`) ??
      shortcuts.find((one) => one.keys === event.key);
    if (found) {
      event.preventDefault();
      first = "";
      found.run();
      return;
    }
    [first, firstAt] = [event.key, event.timeStamp];
  });
}
