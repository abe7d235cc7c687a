// Services that no client can reach here: this site's own import rules close them, the site that
// declares them is out of reach, another service has their port, or a listener fails.
import { html } from "./html.js";
import { Hint } from "./ui.js";

/** An import rule closes a service; no site that is known here declares one; its port is another's. */
const CLOSED = ["SW0343", "SW0301", "SW0321"];

/** The problems that name services which are closed here. @param {any} live */
export function closedOnes(live) {
  return live.status.problems.filter((one) => CLOSED.includes(one.code));
}

/** The problems that may be why no service is known here: of closed ones, otherwise all. @param {any} live */
export function whyNone(live) {
  const closed = closedOnes(live);
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
