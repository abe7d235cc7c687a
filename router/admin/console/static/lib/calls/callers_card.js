// The callers of one service at this site.
import { html } from "../html.js";
import { CalledTargets } from "./called_targets.js";
import { busiestFirst } from "./calls.js";
import { CallersTable } from "./callers_table.js";
import { href } from "../route.js";
import { NoCallers, OldFigures } from "./service_graph.js";
import { useAnswer } from "../store.js";
import { Card, Failed, Loading } from "../ui.js";

const ASK_MS = 5000;

/** @param {{name: string, site: string}} props `name`: service with port. `site`: this site's name. */
export function CallersCard({ name, site }) {
  const answer = useAnswer("graph", { service: name }, ASK_MS);
  const graph = answer.value;
  let body;
  if (!graph) {
    body = answer.error ? html`<${Failed} error=${answer.error} />` : html`<${Loading} lines=${3} />`;
  } else if (!graph.edges.length) {
    body = html`<${NoCallers} graph=${graph} service=${name} />`;
  } else {
    body = html`<p class="muted note">
        Clients of ${site}, the busiest first. Requests, failures and latency: of the last one to two
        minutes. Failed includes requests that were shed or that clients gave up on.
      </p>
      <${CallersTable} caption="Callers of this service" edges=${busiestFirst(graph.edges)} withService=${false} />`;
  }
  return html`<${Card}
      title="Callers"
      id="callers"
      actions=${html`<a href=${href("topology", { tab: "services", service: name })}>Service graph</a>`}
  >
      <${OldFigures} answer=${answer} />
      ${body}
    <//>
    ${graph?.targets.length > 0 && html`<${CalledTargets} targets=${graph.targets} site=${site} service=${name} />`}`;
}
