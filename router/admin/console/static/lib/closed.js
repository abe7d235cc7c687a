// Services that no client can reach here: this site's own import rules close them, or a listener fails.
import { html } from "./html.js";
import { Hint } from "./ui.js";

const CLOSED_BY_RULE = "SW0343";

/** The problems that name services closed by import rules. @param {any} live */
export function closedByRules(live) {
  return live.status.problems.filter((one) => one.code === CLOSED_BY_RULE);
}

/** Services whose listener is not bound. @param {any} live @returns {any[]} */
export function withoutListener(live) {
  return live.services.filter((one) => one.listener.state === "error");
}

/** Each service closed by import rules, with the hint on how to open it. */
export function Closed({ live }) {
  return closedByRules(live).map(
    (one) => html`<p>${one.message}</p><${Hint} text=${one.hint} />`,
  );
}
