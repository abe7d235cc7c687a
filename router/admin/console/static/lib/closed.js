// Services that no client can reach here: this site's own import rules close them, the site that declares them is out of reach, or a listener fails.
import { html } from "./html.js";
import { Hint } from "./ui.js";

const CLOSED_BY_RULE = "SW0343";

/** The problems that name services closed by import rules. @param {any} live */
export function closedByRules(live) {
  return live.status.problems.filter((one) => one.code === CLOSED_BY_RULE);
}

/** The problems that may be why no service is known here: import rules, otherwise all. @param {any} live */
export function whyNone(live) {
  const closed = closedByRules(live);
  return closed.length ? closed : live.status.problems;
}

/** Services whose listener is not bound. @param {any} live @returns {any[]} */
export function withoutListener(live) {
  return live.services.filter((one) => one.listener.state === "error");
}

/** Each of ``problems`` with its next step. */
export function Closed({ problems }) {
  return problems.map(
    (one) => html`<p>${one.message}</p><${Hint} text=${one.hint} />`,
  );
}
