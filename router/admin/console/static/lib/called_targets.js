// The targets of this site as the service graph has them: what each did with its requests.
import { html } from "./html.js";
import { serviceOf } from "./calls.js";
import { Failures } from "./callers_table.js";
import { count, quantile, rate } from "./format.js";
import { href } from "./route.js";
import { Badge, Card, Empty, Table } from "./ui.js";

const STEP = 50;

/** @typedef {{service: string, port: number, name: string, address: string | null,
 *   ready: boolean | null, requests_total: number, failed_total: number, open: number,
 *   rate_per_s: number, failed_per_s: number, p50_s: number | null, p99_s: number | null}} Target
 *   As the API has them. */

/** @param {{target: Target}} props */
function State({ target }) {
  if (target.address === null) return "–";
  if (target.ready === null) return html`<${Badge}>gone<//>`;
  return target.ready ? html`<${Badge} tone="good">ready<//>` : html`<${Badge} tone="bad">not ready<//>`;
}

/** The busiest first. @param {Target[]} targets */
function inOrder(targets) {
  const textOf = (one) => `${serviceOf(one)} ${one.name} ${one.address}`;
  return [...targets].sort(
    (one, other) =>
      other.rate_per_s - one.rate_per_s || other.open - one.open || textOf(one).localeCompare(textOf(other)),
  );
}

/** @param {{targets: Target[], site: string, service?: string}} props `service`: those of one alone. */
export function CalledTargets({ targets, site, service = "" }) {
  const shown = inOrder(targets.filter((one) => !service || serviceOf(one) === service));
  return html`<${Card} title=${`Targets of ${site}`} id="called-targets">
    <p class="muted note">
      Requests of all callers, also of those at other sites. Latency: from the choice of the target to
      the end of its answer.
    </p>
    <${Table}
      caption="Targets of this site"
      rows=${shown}
      rowKey=${(one) => `${serviceOf(one)} ${one.address}`}
      step=${STEP}
      empty=${html`<${Empty}>No target of this site had a request yet.<//>`}
      columns=${[
        { name: "Target", head: true, cell: (one) => (one.address ? `${one.name} ${one.address}` : one.name) },
        {
          name: "Service",
          cell: (one) => html`<a href=${href("services", {}, serviceOf(one))}>${serviceOf(one)}</a>`,
        },
        { name: "State", cell: (one) => html`<${State} target=${one} />` },
        { name: "Requests", number: true, cell: (one) => rate(one.rate_per_s) },
        { name: "Failed", number: true, cell: (one) => html`<${Failures} edge=${one} />` },
        { name: "Open", number: true, cell: (one) => count(one.open) },
        { name: "p50", number: true, cell: (one) => quantile(one.p50_s) },
        { name: "p99", number: true, cell: (one) => quantile(one.p99_s) },
        { name: "Since start", number: true, cell: (one) => count(one.requests_total) },
      ]}
    />
  <//>`;
}
