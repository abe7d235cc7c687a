// Services that this site does not show, since its own import rules close them.
import { html } from "./html.js";
import { Hint } from "./ui.js";

const CLOSED_BY_RULE = "SW0343";

/** The problems that name them. @param {any} live */
export function closedByRules(live) {
  return live.status.problems.filter((one) => one.code === CLOSED_BY_RULE);
}

/** Each with what opens it. */
export function Closed({ live }) {
  return closedByRules(live).map(
    (one) => html`<p>${one.message}</p><${Hint} text=${one.hint} />`,
  );
}
