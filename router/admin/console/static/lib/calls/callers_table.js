// The edges of the service graph as a table: what the picture shows, in words and figures.
import { html } from "../html.js";
import { callerOf, callerText, placeOf, serviceOf, serviceText, siteOf } from "./calls.js";
import { SiteName } from "../charts/colours.js";
import { LEAST_PER_S, count, quantile, rate } from "../format.js";
import { href } from "../route.js";
import { Badge, Table } from "../ui.js";

/** Link to the view that shows an edge in the picture. @param {any} edge @param {Record<string, string>} [params] */
export function hrefOf(edge, params = {}) {
  return href("topology", {
    ...params,
    tab: "services",
    from: callerOf(edge),
    to: serviceOf(edge),
    at: siteOf(edge),
  });
}

function ServedBy({ edge }) {
  const place = placeOf(edge);
  if (place === "nowhere") return html`<${Badge} tone="bad">no site<//>`;
  return html`<${SiteName} ...${edge.site} /> ${place === "elsewhere" && html`<${Badge} tone="warn">another site<//>`}`;
}

/** Failures per second of an edge or target. @param {{edge: {failed_per_s: number}}} props */
export function Failures({ edge }) {
  return edge.failed_per_s >= LEAST_PER_S
    ? html`<${Badge} tone="bad">${rate(edge.failed_per_s)}<//>`
    : rate(edge.failed_per_s);
}

const STEP = 50;

/**
 * `withService`: the edges are of several services. `params`: parameters of the view that links keep.
 * @param {{caption: string, edges: any[], withService: boolean, params?: Record<string, string>,
 *   rowProps?: (edge: any) => object, empty?: any}} props
 */
export function CallersTable({ caption, edges, withService, params, rowProps, empty }) {
  return html`<${Table}
    caption=${caption}
    rows=${edges}
    rowKey=${(edge) => `${callerOf(edge)} ${serviceOf(edge)} ${siteOf(edge)}`}
    step=${STEP}
    ...${{ rowProps, empty }}
    columns=${[
      {
        name: "Caller",
        head: true,
        cell: (edge) => html`<a href=${hrefOf(edge, params)}>${callerText(edge.caller)}</a>`,
      },
      ...(withService
        ? [
            {
              name: "Service",
              cell: (edge) =>
                html`<a href=${href("services", {}, serviceOf(edge))}>${serviceText(edge)}</a>`,
            },
          ]
        : []),
      { name: "Served by", cell: (edge) => html`<${ServedBy} edge=${edge} />` },
      { name: "Requests", number: true, cell: (edge) => rate(edge.rate_per_s) },
      { name: "Failed", number: true, cell: (edge) => html`<${Failures} edge=${edge} />` },
      { name: "Open", number: true, cell: (edge) => count(edge.open) },
      { name: "p50", number: true, cell: (edge) => quantile(edge.p50_s) },
      { name: "p99", number: true, cell: (edge) => quantile(edge.p99_s) },
      { name: "Since start", number: true, cell: (edge) => count(edge.requests_total) },
    ]}
  />`;
}
