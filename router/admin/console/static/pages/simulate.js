// Two simulations with the router's decision code: the user's own scenario, and what-if for this site.
import { html } from "../lib/html.js";
import { href } from "../lib/route.js";
import { Scenario } from "../lib/simulating/scenario.js";
import { WhatIf } from "../lib/simulating/what_if.js";

export const title = "Simulate";

const TABS = [
  ["scenario", "Scenario"],
  ["what-if", "What if, and replay"],
];

export function View({ live, route }) {
  const shown = route.params.tab === "what-if" ? "what-if" : "scenario";
  return html`<div class="sections">
    <div class="tabs" role="group" aria-label="Kinds of simulation">
      ${TABS.map(
        ([tab, text]) =>
          html`<a href=${href("simulate", { tab })} aria-current=${tab === shown ? "page" : null}>${text}</a>`,
      )}
    </div>
    ${shown === "scenario" ? html`<${Scenario} />` : html`<${WhatIf} live=${live} route=${route} />`}
  </div>`;
}
