// Light, dark, or the system's theme. `first.js` applies the theme before the first paint.
import { keep, kept } from "./memory.js";

const THEMES = ["system", "light", "dark"];

export function theme() {
  const chosen = kept("theme");
  return chosen !== null && THEMES.includes(chosen) ? chosen : "system";
}

export function nextTheme() {
  const now = document.documentElement.dataset.theme ?? "system";
  return THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
}

/** @param {string} chosen */
export function setTheme(chosen) {
  keep("theme", chosen);
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  return chosen;
}
