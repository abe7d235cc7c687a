// Sites and links: the cost of each path, the load on it, and the sites along it.
import { html, useMemo, useRef, useState } from "../html.js";
import { SiteName } from "../charts/colours.js";
import { count, dateTime, listed, listedOf, plural, rtt, timeOfDay } from "../format.js";
import { graphOf, pictured, placed, sharesTo, wayTo, ways } from "./graph.js";
import { Ping } from "./ping.js";
import { href, setParams } from "../route.js";
import { byCost } from "./sites.js";
import { SiteDetail } from "./site_detail.js";
import { SiteMap } from "./site_map.js";
import { servedBy, spillText } from "../spills.js";
import { Badge, Card, Chart, Close, Empty, Filter, Table } from "../ui.js";
import { atThisRouter, costOf, edgeState, isUp, linkState, linksDown, linksPartly, linksSilent, linksUp, siteState, sitesReachable, whoseRequests } from "../words.js";

/** Load that spills to each site by name, over all services: requests per second, open connections. */
function spilledTo(live) {
  /** @type {Record<string, {perS: number, open: number}>} */
  const sums = {};
  for (const one of live.now) {
    for (const site of servedBy(one)) {
      const sum = (sums[site] ??= { perS: 0, open: 0 });
      sum.perS += one.spilled_to[site] ?? 0;
      sum.open += one.open_to?.[site] ?? 0;
    }
  }
  return sums;
}

const ROUNDING = 0.001;

/**
 * The load of this site's requests on each edge, as in `spilledTo`, with the direction. Paths of
 * equal cost share it.
 */
function carried(graph, found, spilled) {
  /** @type {Map<any, {perS: number, open: number, from: string}>} */
  const loads = new Map();
  const idOf = new Map(graph.nodes.map((node) => [node.name, node.id]));
  for (const [name, { perS, open }] of Object.entries(spilled)) {
    for (const { edge, from, share } of sharesTo(graph, found, idOf.get(name))) {
      const was = loads.get(edge) ?? { perS: 0, open: 0 };
      loads.set(edge, { perS: was.perS + perS * share, open: was.open + open * share, from });
    }
  }
  for (const load of loads.values()) load.open = Math.ceil(load.open - ROUNDING); // Each is on one path.
  return loads;
}

/** `4/s, 5 open` @param {{perS: number, open: number} | undefined} load */
function loadText(load) {
  return spillText(load?.perS ?? 0, load?.open ?? 0);
}

const WAY_MAX = 4;
const ROWS = 200; // Sites in the list, at a time.

/** The map forgets gone sites once they outnumber the present ones by this many. */
const SEEN_MORE = 16;

/** A path in one line; a long path shows only its ends. @param {any} way @param {(id: string) => string} nameOf @param {string} goal */
function inShort({ steps, isWhole }, nameOf, goal) {
  const names = [...steps.map((step) => nameOf(step.to)), ...(isWhole ? [] : ["…", goal])];
  if (names.length <= WAY_MAX) return names.join(" → ");
  const between = `… ${names.length - 3} more …`;
  return [names[0], names[1], between, names.at(-1)].join(" → ");
}

function Way({ graph, found, way, site, live }) {
  const { steps, isWhole } = way;
  const nameOf = (id) => graph.nodes.find((node) => node.id === id)?.name ?? id;
  if (site.id === live.status.id) return html`<p class="muted">This console belongs to this site.</p>`;
  if (!steps.length) {
    return html`<p>
      ${site.site?.reachable ? "The path is not known here." : `There is no path to it now${site.site?.reason ? `: ${site.site.reason}` : ""}.`}
    </p>`;
  }
  return html`<ol class="way">
      <li><span class="strong">${live.status.name}</span></li>
      ${steps.map(({ from, to, edge }) => {
        const link = edge.links.find((one) => one.state === "up");
        return html`<li>
          <span class="strong">${nameOf(to)}</span>
          <span class="muted number">
            cost ${edge.from === from ? edge.cost : edge.back}${link ? `, ${rtt(link.rtt_ms)}` : ""}
          </span>
        </li>`;
      })}
      ${!isWhole && html`<li><span class="strong">${site.name}</span> <span class="muted">by a path that an edge router does not know</span></li>`}
    </ol>
    <p class="number">
      <span class="muted">Total cost</span> <span class="strong">${count(site.site?.path_cost)}</span>
      ${isWhole && html`<span class="muted"> over ${plural(steps.length, "link")}</span>`}
    </p>
    ${
      isWhole &&
      found.get(site.id).cost !== site.site?.path_cost &&
      html`<p class="muted">
        The router uses a different path${site.site?.next_hops.length > 0 && `, via ${listed(site.site.next_hops)}`}.
      </p>`
    }
    ${
      site.site?.next_hops.length > 1 &&
      html`<p class="muted">Equal-cost paths start at ${listed(site.site.next_hops)}.</p>`
    }`;
}

/** The sites that bar a site, until when, and what follows here. @param {{site: any}} props */
function Bars({ site }) {
  if (!site?.barred_by.length) return null;
  const names = site.barred_by.map((one) => `${one.site} until ${dateTime(one.until)}`);
  return html`<p>
    Barred by ${listed(names)}${site.put_out ? ": its declarations and targets count for nothing here" : ""}.
  </p>`;
}

/** The links of this site to another one, each with its state. */
function OwnLinks({ live, node }) {
  return live.links
    .filter((link) => link.neighbour.id === node.id)
    .map((link) => {
      const { word, tone } = linkState(link);
      return html`<p key=${`${link.direction}/${link.name}`}>
        Link <a href=${href("links", { link: link.name })}>${link.name}</a>:${" "}
        <${Badge} tone=${tone}>${word}<//> ${link.error}
      </p>`;
    });
}

function Details({ graph, found, live, node, spilled, isChosen }) {
  const { word, tone } = node.site
    ? siteState(node.site, live)
    : { word: "not in the network", tone: "calm" };
  const { services } = node;
  return html`<${Card} title=${node.name} id="site" actions=${html`<${Badge} tone=${tone}>${word}<//>`}>
    <div class="details">
      <${Way} graph=${graph} found=${found} way=${wayTo(graph, found, node.id)} site=${node} live=${live} />
      <${Bars} site=${node.site} />
      <${OwnLinks} live=${live} node=${node} />
      ${
        spilled[node.name] &&
        html`<p><span class="strong number">${loadText(spilled[node.name])}</span> spill there now.</p>`
      }
      <div>
        <h3>Services${asOf(node.site) && `, ${asOf(node.site)}`}</h3>
        ${
          services.length
            ? html`<ul class="inline">
                ${services
                  .slice(0, 20)
                  .map(({ name, text }) => html`<li><a href=${href("services", {}, name)}>${text}</a></li>`)}
                ${services.length > 20 && html`<li>and ${services.length - 20} more</li>`}
              </ul>`
            : html`<p class="muted">${noServices(node.site) === "none" ? "None." : "Not known."}</p>`
        }
      </div>
      ${node.site && html`<p class="muted">Version ${node.site.version || "not known"}</p>`}
      ${node.site?.reachable && node.id !== live.status.id && html`<${Ping} name=${node.name} />`}
      ${isChosen && html`<p><${Close} onClick=${() => setParams({ site: null })} /></p>`}
    </div>
  <//>`;
}

const NAMED = 4;
const FEW = 5; // Sites or links in trouble that are named.

/** When a site that cannot be reached last reported; empty: the page shows current data. */
function asOf(site) {
  return site?.services_at ? `as of ${timeOfDay(site.services_at)}` : "";
}

/** The text for a site with no services, or with none known because it cannot be reached. */
function noServices(site) {
  return site && !site.reachable ? "not known" : "none";
}

function ServicesOf({ node }) {
  const { services, site } = node;
  if (!services.length) return html`<span class="muted">${noServices(site)}</span>`;
  return html`<span class="inline">
    ${services.slice(0, NAMED).map(({ name, text }) => html`<a href=${href("services", {}, name)}>${text}</a>`)}
    ${services.length > NAMED && html`<span class="muted">and ${count(services.length - NAMED)} more</span>`}
    ${asOf(site) && html`<span class="muted">${asOf(site)}</span>`}
  </span>`;
}

function Summary({ graph, live }) {
  const namesOf = (wanted) => graph.nodes.filter(wanted).map((node) => node.name);
  const away = namesOf((node) => node.site && !node.site.reachable);
  const outside = namesOf((node) => !node.site); // Neighbors that were never linked.
  const down = linksDown(live).map((link) => link.name);
  const broken = graph.edges.filter((edge) => edge.isTold && !isUp(edge));
  const untold = graph.edges.filter((edge) => !edge.isTold);
  const linked = new Set(graph.edges.flatMap((edge) => [edge.from, edge.to]));
  const alone = namesOf((node) => node.site && !node.site.reachable && !linked.has(node.id));
  const knowsAll = live.network.every((site) => site.neighbours_known);
  return html`<${Card} title="Network" id="network">
    <div class="details">
      <p>
        ${
          away.length
            ? html`<${Badge} tone="bad">${sitesReachable(live.status)}<//> Not reachable: ${listedOf(away, FEW)}`
            : html`${sitesReachable(live.status)}${
                outside.length ? "." : html`: <${Badge} tone="good">all reachable<//>`
              }`
        }
        ${
          outside.length > 0 &&
          html` <${Badge} tone="bad">Not in the network:<//> ${listedOf(outside, FEW)}`
        }
      </p>
      ${
        graph.edges.length > 0 &&
        html`<p>
          ${plural(graph.edges.length, "link")} ${knowsAll ? `between ${alone.length ? "the others" : "them"}` : "known here"}:${" "}
          ${
            broken.length
              ? html`<${Badge} tone="bad">${count(broken.length)} not up<//>`
              : !untold.length && html`<${Badge} tone="good">up<//>`
          }
          ${untold.length > 0 && ` ${count(untold.length)} not known because neither end is reachable`}
          ${alone.length > 0 && `. No link of ${listedOf(alone, FEW)} is known now`}
        </p>`
      }
      <p>
        <a href=${href("links")}>Links of ${live.status.name}</a>:${" "}
        ${
          live.links.length
            ? html`<${Badge} tone=${down.length ? "bad" : linksSilent(live).length || linksPartly(live).length ? "warn" : "good"}>${linksUp(live)}<//>`
            : html`<span class="muted">none${atThisRouter(live.status)}</span>`
        }
        ${down.length > 0 && ` Not up: ${listedOf(down, FEW)}.`}
      </p>
      <p class="muted">
        ${knowsAll ? "A link between two other sites is shown while it is up." : "An edge router knows no links between other sites."}${" "}
        Point at a site, or choose one in the list, to see the path to it. ${whoseRequests(live.status)}
      </p>
    </div>
  <//>`;
}

const LEGEND = [
  ["link", "link"],
  ["carries", "carries requests"],
  ["down", "not up"],
  ["untold", "not known: neither end is reachable"],
  ["way", "the path to the chosen site"],
];

function Legend() {
  return html`<ul class="legend">
    ${LEGEND.map(
      ([kind, words]) =>
        html`<li>
          <svg class="site-map" width="28" height="8" aria-hidden="true">
            <line class=${`edge ${kind}`} x1="0" x2="28" y1="4" y2="4" />
          </svg>
          ${words}
        </li>`,
    )}
    <li class="muted">numbers on links: cost · round trip</li>
  </ul>`;
}

/**
 * All sites and links seen since the page was opened, so that the rest stay in place when one goes.
 */
function useSeen(graph) {
  const seen = useRef({ nodes: new Map(), edges: new Map() });
  const { nodes, edges } = seen.current;
  if (nodes.size > 2 * graph.nodes.length + SEEN_MORE) {
    nodes.clear();
    edges.clear();
  }
  for (const node of graph.nodes) nodes.set(node.id, node);
  for (const edge of graph.edges) edges.set(`${edge.from} ${edge.to}`, edge);
  const byId = [...nodes.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  return { nodes: byId, edges: [...edges.keys()].sort().map((key) => edges.get(key)) };
}

/** @param {{live: any, route: import("../route.js").Route}} props */
export function SitesAndLinks({ live, route }) {
  const [pointed, setPointed] = useState(/** @type {string | null} */ (null));
  const graph = graphOf(live);
  const here = live.status.id;
  const found = ways(graph, here);
  const chosen = graph.nodes.find((node) => node.name === route.params.site);
  const first = [here, chosen?.id, ...wayTo(graph, found, chosen?.id).steps.map((step) => step.to)].filter(Boolean);
  const drawn = pictured(graph, found, [...new Set(first)]);
  const known = useSeen(drawn);
  const shape = JSON.stringify([
    known.nodes.map((node) => node.id),
    known.edges.map(({ from, to }) => [from, to]),
  ]);
  const spots = useMemo(() => placed(known, here), [shape, here]);
  const spilled = spilledTo(live);
  const loads = carried(graph, found, spilled);
  const shown = graph.nodes.find((node) => node.id === pointed) ?? chosen;
  const way = shown ? wayTo(graph, found, shown.id).steps : [];
  const nameOf = new Map(graph.nodes.map((node) => [node.id, node.name]));
  const filter = (route.params.filter ?? "").toLowerCase();
  const rows = graph.nodes
    .filter((node) => node.name.toLowerCase().includes(filter))
    .sort((one, other) => byCost(one.site ?? one, other.site ?? other));
  return html`
    <div class="map-and-site">
      <${Chart}
        id="map"
        title="Sites and links"
        note=${drawn.nodes.length < graph.nodes.length ? `The nearest ${count(drawn.nodes.length)} of ${plural(graph.nodes.length, "site")}. The list below shows all of them.` : null}
        table=${{
          columns: [
            {
              name: "Link",
              head: true,
              cell: (edge) => `${nameOf.get(edge.from)} – ${nameOf.get(edge.to)}`,
            },
            { name: "Cost", number: true, cell: costOf },
            {
              name: "Round trip",
              number: true,
              cell: (edge) => rtt(edge.links.find((one) => one.rtt_ms !== null)?.rtt_ms),
            },
            {
              name: "Streams",
              number: true,
              cell: (edge) =>
                edge.links.length ? edge.links.reduce((sum, one) => sum + one.streams, 0) : "–",
            },
            { name: "Our requests", number: true, cell: (edge) => loadText(loads.get(edge)) },
            {
              name: "State",
              cell: (edge) => {
                const { word, tone } = edgeState(edge);
                return html`<${Badge} tone=${tone}>${word}<//>`;
              },
            },
          ],
          rows: graph.edges,
        }}
      >
        <${SiteMap}
          graph=${drawn}
          spots=${spots}
          here=${here}
          loads=${loads}
          spilled=${spilled}
          way=${way}
          shown=${shown}
          label=${`${plural(graph.nodes.length, "site")} and the links between them. The table has each link, the list below each site.`}
          onPoint=${setPointed}
        />
        <${Legend} />
      <//>
      ${
        shown
          ? html`<${Details} graph=${graph} found=${found} live=${live} node=${shown} spilled=${spilled} isChosen=${shown === chosen} />`
          : html`<${Summary} graph=${graph} live=${live} />`
      }
    </div>
    ${chosen?.site && html`<${SiteDetail} key=${chosen.id} name=${chosen.name} />`}
    <${Card}
      title="All sites"
      id="all-sites"
      actions=${html`<${Filter} name="filter" label="Filter sites" value=${route.params.filter} />`}
    >
      <${Table}
        caption="All sites"
        rows=${rows}
        step=${ROWS}
        rowKey=${(node) => node.id}
        rowProps=${(node) => ({
          onMouseEnter: () => setPointed(node.id),
          onMouseLeave: () => setPointed(null),
          onFocusCapture: () => setPointed(node.id),
          onBlurCapture: () => setPointed(null),
          class: node.id === shown?.id ? "shown" : "",
        })}
        empty=${html`<${Empty}>No site name matches.<//>`}
        columns=${[
          {
            name: "Site",
            head: true,
            cell: (node) =>
              html`<a href=${href("topology", { ...route.params, site: node.name })}><${SiteName} ...${node} /></a>`,
          },
          {
            name: "Way",
            names: true,
            cell: (node) =>
              inShort(wayTo(graph, found, node.id), (id) => nameOf.get(id), node.name) ||
              (node.id === here ? "–" : "none"),
          },
          { name: "Cost", number: true, cell: (node) => count(node.site?.path_cost) },
          { name: "Services", names: true, cell: (node) => html`<${ServicesOf} node=${node} />` },
          { name: "Spills there", number: true, cell: (node) => loadText(spilled[node.name]) },
          { name: "Version", cell: (node) => node.site?.version || "–" },
          {
            name: "State",
            cell: (node) => {
              if (!node.site) return html`<${Badge} tone="calm">not in the network<//>`;
              const { word, tone } = siteState(node.site, live);
              return html`<${Badge} tone=${tone}>${word}<//>`;
            },
          },
        ]}
      />
    <//>
  `;
}
