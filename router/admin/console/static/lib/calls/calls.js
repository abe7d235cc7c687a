// Callers, services and the sites that serve them, as columns and the lines between them. Pure.
import { count, plural, portName, quantile, rate } from "../format.js";
import { byCost } from "../network/sites.js";

/** How many callers, services and sites get a separate place; the rest share one. */
export const SHOWN_MAX = [14, 14, 8];

/** A shown item stays until another has this many times its requests, so that the picture is steady. */
export const STAYS = 1.5;

/** Keys of the place that the rest share, and of requests that no site served. */
export const OTHERS = "others";
export const NOWHERE = "none";

/** @typedef {{caller: {kind: string, name: string}, service: string, port: number,
 *   site: {name: string, id: string} | null, crosses: boolean, requests_total: number,
 *   failed_total: number, open: number, rate_per_s: number, failed_per_s: number,
 *   p50_s: number | null, p99_s: number | null, history: [number, number][] | null}} Edge As in the
 *   API. */

/** @typedef {{from?: string | null, to?: string | null, at?: string | null, on?: string | null}}
 *   Choice A caller, a service and a site by their keys, each optional; or one target. */

/** @param {Edge} edge */
export const callerOf = ({ caller }) => `${caller.kind} ${caller.name}`;
/** @param {{service: string, port: number}} edge */
export const serviceOf = ({ service, port }) => `${service}:${port}`;
/** Human-readable `serviceOf`: the routing key, if the service has one. */
export const serviceText = ({ service, port, routing_key }) => portName({ service, port, routing_key });
/** @param {Edge} edge */
export const siteOf = ({ site }) => site?.id ?? NOWHERE;
const KEYS = [callerOf, serviceOf, siteOf];
const NAMES = /** @type {const} */ (["from", "to", "at"]); // Their names in a choice.

/** @template T @param {T[]} all @param {(one: T) => string} keyOf @returns {Map<string, T[]>} */
function grouped(all, keyOf) {
  /** @type {Map<string, T[]>} */
  const found = new Map();
  for (const one of all) {
    const key = keyOf(one);
    const known = found.get(key);
    if (known) known.push(one);
    else found.set(key, [one]);
  }
  return found;
}

/** Worded as in `sitectl graph`. @param {{kind: string, name: string}} caller */
export function callerText({ kind, name }) {
  if (kind === "workload" || kind === "address") return name;
  return kind === "others" ? "others" : `${kind} ${name}`;
}

/** `286 callers and others`. Callers without separate figures are not counted. @param {Edge[]} edges */
export function callersText(edges) {
  const keys = new Set(edges.filter((edge) => edge.caller.kind !== OTHERS).map(callerOf));
  const hasOthers = edges.some((edge) => edge.caller.kind === OTHERS);
  if (!keys.size) return hasOthers ? "other callers" : "no caller";
  return `${plural(keys.size, "caller")}${hasOthers ? " and others" : ""}`;
}

const KINDS = {
  workload: "A workload of this namespace.",
  unit: "A systemd unit of this host.",
  container: "A container of this host.",
  user: "A user of this host.",
  node: "A node stands for callers whose address was replaced on their way (SNAT), or that use the node's own network.",
  address: "Only this caller's address is known.",
  others: "More callers than are kept apart.",
};

/** @param {string} kind */
export const kindText = (kind) => KINDS[kind] ?? "";

/** @param {Edge[]} edges */
export function figuresOf(edges) {
  const sum = (of) => edges.reduce((total, edge) => total + of(edge), 0);
  return {
    perS: sum((edge) => edge.rate_per_s),
    failedPerS: sum((edge) => edge.failed_per_s),
    open: sum((edge) => edge.open),
    total: sum((edge) => edge.requests_total),
    failedTotal: sum((edge) => edge.failed_total),
  };
}

/** A quantile of one edge; for several edges the range, because quantiles cannot be added. @param {Edge[]} edges @param {"p50_s" | "p99_s"} which */
export function quantileText(edges, which) {
  const known = edges.map((edge) => edge[which]).filter((value) => value !== null);
  if (!known.length) return "–";
  const [least, most] = [Math.min(...known), Math.max(...known)].map(quantile);
  return least === most ? most : `${least} to ${most}`;
}

/** Where an edge's requests were served, seen from here. @param {Edge} edge */
export function placeOf({ site, crosses }) {
  return site === null ? "nowhere" : crosses ? "elsewhere" : "here";
}

/** @param {Edge[]} edges @param {{service?: string, caller?: string}} filter Empty: any. */
export function filtered(edges, { service = "", caller = "" }) {
  const part = caller.trim().toLowerCase();
  return edges.filter(
    (edge) =>
      (!service || serviceOf(edge) === service) &&
      (!part || callerText(edge.caller).toLowerCase().includes(part)),
  );
}

/** Sorted, busiest first. @param {Edge[]} edges */
export function busiestFirst(edges) {
  const order = (one, other) =>
    other.rate_per_s - one.rate_per_s || other.open - one.open ||
    other.requests_total - one.requests_total || callerOf(one).localeCompare(callerOf(other)) ||
    serviceOf(one).localeCompare(serviceOf(other));
  return [...edges].sort(order);
}

/** The keys that get a separate place. @param {Edge[]} edges @param {number} column @param {number} most @param {Set<string>} before */
function ownPlaces(edges, column, most, before) {
  /** @type {Map<string, Edge[]>} */
  const byKey = grouped(
    edges.filter((edge) => column > 0 || edge.caller.kind !== OTHERS),
    KEYS[column],
  );
  if (byKey.size <= most + 1) return new Set(byKey.keys());
  const weights = [...byKey].map(([key, own]) => {
    const { perS, open, total } = figuresOf(own);
    const isFixed = column === 2 && own.some((edge) => !edge.crosses); // This site and `NOWHERE`.
    const weight = isFixed ? Infinity : (perS + open) * (before.has(key) ? STAYS : 1);
    return { key, weight, total };
  });
  weights.sort(
    (one, other) =>
      Number(other.weight === Infinity) - Number(one.weight === Infinity) ||
      (one.weight === other.weight ? 0 : other.weight - one.weight) ||
      other.total - one.total || one.key.localeCompare(other.key),
  );
  return new Set(weights.slice(0, most).map(({ key }) => key));
}

/** The name of a place. `number`: how many callers, services or sites `others` has. */
function labelOf(column, key, [edge], number) {
  if (key === OTHERS) {
    return number ? `${count(number)} other ${["caller", "service", "site"][column]}${number === 1 ? "" : "s"}` : "others";
  }
  if (column === 0) return callerText(edge.caller);
  return column === 1 ? serviceText(edge) : (edge.site?.name ?? "no site");
}

/** Like `labelOf`, for a narrow page: a workload without its kind. */
function shortOf(column, key, edges, number) {
  const [{ caller }] = edges;
  if (key === OTHERS) return number ? `${count(number)} others` : "others";
  return column === 0 ? caller.name.slice(caller.name.lastIndexOf("/") + 1) : labelOf(column, key, edges, 0);
}

/**
 * @typedef {{id: string, column: number, choice: Choice, label: string, short: string, edges: any[],
 *   place: string, site: {name: string, id: string} | null, near?: Edge[], behind?: string,
 *   drawn?: {perS: number, failedPerS: number}}} Item A place in column 0, 2, 4 or 6, or a line in 1
 *   (caller to service), 3 (service to site) or 5 (site to target). In 5 and 6 the edges are targets,
 *   and items also have the calls `near` the targets and the site that the targets are `behind`. Lines
 *   in 5 have the figures `drawn`.
 */

/**
 * @param {Edge[]} edges @param {any} live @param {Set<string>[]} before Keys that had a place.
 * @returns {{columns: Item[][], shown: Set<string>[]}} In the order of the picture.
 */
export function itemsOf(edges, live, before = []) {
  const shown = KEYS.map((_, column) =>
    ownPlaces(edges, column, SHOWN_MAX[column], before[column] ?? new Set()),
  );
  const keyOf = (edge, column) => {
    const key = KEYS[column](edge);
    return shown[column].has(key) ? key : OTHERS;
  };
  const known = new Map(live.network.map((site) => [site.id, site]));
  const inOrder = (column) => (one, other) => {
    const last = (item) => [OTHERS, NOWHERE].indexOf(keysOf(item)[column]);
    if (last(one) !== last(other)) return last(one) - last(other);
    const cost = ({ site }) => ({ path_cost: null, ...known.get(site?.id), name: site?.name ?? "" });
    return column === 2 ? byCost(cost(one), cost(other)) : one.label.localeCompare(other.label);
  };
  const keysOf = ({ choice }) => [choice.from, choice.to, choice.at];
  const nodes = KEYS.map((own, column) =>
    [...grouped(edges, (edge) => keyOf(edge, column))]
      .map(([key, all]) => {
        const number = new Set(all.filter((edge) => edge.caller.kind !== OTHERS || column).map(own)).size;
        const [label, short] = [labelOf, shortOf].map((of) => of(column, key, all, number));
        return { ...itemOf(2 * column, { [NAMES[column]]: key }, all, label), short };
      })
      .sort(inOrder(column)),
  );
  const rank = nodes.map((all, column) => new Map(all.map((item, at) => [keysOf(item)[column], at])));
  const lines = [[0, 1, 2], [1, 2]].map((parts) => {
    const places = (edge) => parts.map((column) => keyOf(edge, column));
    const byRank = (one, other) =>
      parts.map((part) => rank[part].get(keysOf(one)[part]) - rank[part].get(keysOf(other)[part])).find(Boolean) ?? 0;
    return [...grouped(edges, (edge) => JSON.stringify(places(edge)))]
      .map(([, all]) => {
        const keys = places(all[0]);
        const choice = Object.fromEntries(parts.map((column, at) => [NAMES[column], keys[at]]));
        const labels = parts.map((part, at) => nodes[part][rank[part].get(keys[at])].label);
        return itemOf(parts.length === 3 ? 1 : 3, choice, all, labels.join(" → "));
      })
      .sort(byRank);
  });
  return { columns: [nodes[0], lines[0], nodes[1], lines[1], nodes[2]], shown };
}

/** @returns {Item} */
function itemOf(column, choice, edges, label) {
  const places = new Set(edges.map(placeOf));
  const place = places.size === 1 ? placeOf(edges[0]) : "";
  const sites = new Set(edges.map(siteOf));
  const site = sites.size === 1 ? edges[0].site : null;
  return { id: idOf(choice), column, choice, label, short: label, edges, place, site };
}

/** @param {Choice} choice */
export const idOf = ({ from, to, at, on }) =>
  JSON.stringify([from ?? null, to ?? null, at ?? null, ...(on ? [on] : [])]);

/** Whether two items share calls or targets, or one is the site that the other is behind. @param {Item} one @param {Item} other */
export function areRelated(one, other) {
  const isBehind = (target, { choice }) =>
    target.behind !== undefined && target.behind === choice.at && !choice.to && !choice.from;
  if (isBehind(one, other) || isBehind(other, one)) return true;
  const isOfTargets = one.near && other.near;
  const [some, others] = isOfTargets
    ? [one.edges, other.edges]
    : [one.near ?? one.edges, other.near ?? other.edges];
  const known = new Set(others);
  return some.some((edge) => known.has(edge));
}

/**
 * The edges that a choice selects. `others` selects edges whose key has no separate place.
 * @param {Edge[]} edges @param {Choice} choice @param {Set<string>[]} shown
 */
export function chosenOf(edges, { from, to, at }, shown) {
  const wanted = [from, to, at];
  return edges.filter((edge) =>
    wanted.every((key, column) => {
      if (!key) return true;
      const own = KEYS[column](edge);
      return key === OTHERS ? !shown[column].has(own) : key === own;
    }),
  );
}

/**
 * The item of the picture that shows a choice: the choice's own item, or the smallest one that
 * contains its edges.
 * @param {Item[][]} columns @param {Choice} choice @param {Edge[]} chosen
 */
export function itemWith(columns, choice, chosen) {
  const all = columns.flat().filter(({ column }) => column !== 5); // A target's place, not its lines.
  const own = all.find((item) => item.id === idOf(choice));
  if (own || !chosen.length) return own ?? null;
  const around = all.filter((item) => chosen.every((edge) => item.edges.includes(edge)));
  return around.sort((one, other) => one.edges.length - other.edges.length)[0] ?? null;
}

/** An item for a choice that has no separate place or line; only words show it. @param {Choice} choice @param {Edge[]} edges @returns {Item} */
export function itemOfChoice(choice, edges) {
  const labels = [choice.from, choice.to, choice.at].map((key, column) => key && labelOf(column, key, edges, 0));
  return itemOf(1, choice, edges, labels.filter(Boolean).join(" → "));
}

/** `12/s, 0.2/s failed, p50 <12 ms, p99 <81 ms, 3 open` @param {Edge[]} edges */
export function figuresText(edges) {
  const { perS, failedPerS, open } = figuresOf(edges);
  return [
    rate(perS),
    `${rate(failedPerS)} failed`,
    `p50 ${quantileText(edges, "p50_s")}`,
    `p99 ${quantileText(edges, "p99_s")}`,
    `${count(open)} open`,
  ].join(", ");
}

const PLACES = {
  here: "served here",
  elsewhere: "another site served it",
  nowhere: "no site served it",
  incoming: "clients of other sites",
  down: "not ready",
  gone: "no longer a target",
};

/** @param {string} place */
export const placeText = (place) => PLACES[place] ?? "";

/** An item as a sentence. @param {Item} item */
export function spoken(item) {
  return [item.label, placeText(item.place), figuresText(item.edges)].filter(Boolean).join(": ");
}

/** Caveats about the callers, as sentences. @param {any} graph */
export function notesOf(graph) {
  const notes = [];
  if (!graph.enabled) notes.push("Callers are no longer named here; these figures are old.");
  if (graph.named_share !== null && graph.unnamed_total) {
    notes.push(`${Math.round(graph.named_share * 100)} % of the connections have a named caller, the others an address.`);
  }
  if (graph.edges.some((edge) => edge.caller.kind === "node")) notes.push(KINDS.node);
  if (graph.waiting) {
    const what = plural(graph.waiting, "address is", "addresses are");
    notes.push(`${what} not assigned to a caller yet.`);
  }
  return notes;
}
