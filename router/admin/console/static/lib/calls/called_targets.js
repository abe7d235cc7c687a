// This site's targets in the service graph, with the figures of each.
import { html } from "../html.js";
import { figuresOf, serviceOf, serviceText } from "./calls.js";
import { clientSiteText, targetOf, targetText } from "./calls_targets.js";
import { Failures } from "./callers_table.js";
import { count, plural, quantile, rate } from "../format.js";
import { href } from "../route.js";
import { Badge, Card, Empty, Table } from "../ui.js";

const STEP = 50;
const SITES = 3; // Sites of clients shown in a row.

/** @typedef {import("./calls_targets.js").Target} Target */

/** Link to the target's last day in the service graph. @param {Target} target */
const hrefOf = (target) => href("topology", { tab: "services", on: targetOf(target) });

/** @param {{target: Target}} props */
function State({ target }) {
  if (target.address === null) return "–";
  if (target.ready === null) return html`<${Badge}>gone<//>`;
  if (target.drained) return html`<${Badge} tone="warn">drained<//>`;
  return target.ready ? html`<${Badge} tone="good">ready<//>` : html`<${Badge} tone="bad">not ready<//>`;
}

/** Requests to some targets by the site of the client, busiest first. @param {Target[]} targets */
function clientSites(targets) {
  /** @type {Map<string, {name: string, perS: number, total: number}>} */
  const found = new Map();
  for (const told of targets.flatMap((one) => one.client_sites ?? [])) {
    const id = told.site?.id ?? "";
    const known = found.get(id) ?? { name: clientSiteText(told), perS: 0, total: 0 };
    found.set(id, {
      name: known.name,
      perS: known.perS + told.rate_per_s,
      total: known.total + told.requests_total,
    });
  }
  return [...found.values()].sort((one, other) => other.perS - one.perS || other.total - one.total);
}

/** @param {Target} target */
function sitesText(target) {
  const sites = clientSites([target]);
  const shown = sites.slice(0, SITES).map(({ name, perS }) => `${name} ${rate(perS)}`);
  return [...shown, ...(sites.length > SITES ? [`${sites.length - SITES} more`] : [])].join(", ") || "–";
}

/** `16 targets and others`. Targets without separate figures are not counted. @param {Target[]} targets */
function countedTargets(targets) {
  const kept = targets.filter((one) => one.address !== null).length;
  if (!kept) return "other targets";
  return `${plural(kept, "target")}${kept < targets.length ? " and others" : ""}`;
}

/** Facts about the targets that are pointed at or chosen. @param {{targets: Target[]}} props */
export function TargetFacts({ targets }) {
  const sites = clientSites(targets);
  const { total } = figuresOf(targets);
  return html`
    <p class="inline">
      ${targets.length === 1 && html`${targetText(targets[0])} <${State} target=${targets[0]} />`}
      ${targets.length > 1 && `${countedTargets(targets)} without a place of their own.`}
    </p>
    ${
      sites.length > 0 &&
      html`<p class="muted">
        Clients at ${sites.slice(0, 8).map(({ name, perS }) => `${name} ${rate(perS)}`).join(", ")}${
          sites.length > 8 ? ` and ${count(sites.length - 8)} more sites` : ""
        }.
      </p>`
    }
    ${total > 0 && html`<p class="muted">Times run from target selection to the end of the response.</p>`}
  `;
}

/** Sorted, busiest first. @param {Target[]} targets */
function inOrder(targets) {
  const textOf = (one) => `${serviceText(one)} ${one.name} ${one.address}`;
  return [...targets].sort(
    (one, other) =>
      other.rate_per_s - one.rate_per_s || other.open - one.open || textOf(one).localeCompare(textOf(other)),
  );
}

/** @param {{targets: Target[], site: string, service?: string}} props `service`: only its targets. */
export function CalledTargets({ targets, site, service = "" }) {
  const shown = inOrder(targets.filter((one) => !service || serviceOf(one) === service));
  return html`<${Card} title=${`Targets of ${site}`} id="called-targets">
    <p class="muted note">
      Requests from all callers, including those at other sites. Latency: from target selection to the
      end of the response. Select a target to see its last day.
    </p>
    <${Table}
      caption="Targets of this site"
      rows=${shown}
      rowKey=${(one) => `${serviceOf(one)} ${one.address}`}
      step=${STEP}
      empty=${html`<${Empty}>No target of this site had a request yet.<//>`}
      columns=${[
        { name: "Target", head: true, cell: (one) => html`<a href=${hrefOf(one)}>${targetText(one)}</a>` },
        {
          name: "Service",
          cell: (one) => html`<a href=${href("services", {}, serviceOf(one))}>${serviceText(one)}</a>`,
        },
        { name: "State", cell: (one) => html`<${State} target=${one} />` },
        { name: "Requests", number: true, cell: (one) => rate(one.rate_per_s) },
        { name: "Failed", number: true, cell: (one) => html`<${Failures} edge=${one} />` },
        { name: "Open", number: true, cell: (one) => count(one.open) },
        { name: "p50", number: true, cell: (one) => quantile(one.p50_s) },
        { name: "p99", number: true, cell: (one) => quantile(one.p99_s) },
        { name: "Since start", number: true, cell: (one) => count(one.requests_total) },
        { name: "Clients at", cell: sitesText },
      ]}
    />
  <//>`;
}
