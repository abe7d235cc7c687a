// Sites and their links as a graph: neighbors, cheapest paths, and where to draw each site.
// Independent of the page: the same sites give the same picture.

import { servicesOf } from "../format.js";

/**
 * @typedef {{id: string, name: string, site: any, services: {name: string, text: string}[]}} Node
 * @typedef {{from: string, to: string, cost: number | null, back: number | null, links: any[],
 *   isTold: boolean}} Edge `cost` as `from` reports it, `back` as `to` does; null: that end
 *   reports nothing. Not `isTold`: neither end can be reached, so their reports are old.
 */

/**
 * @param {any} live
 * @returns {{nodes: Node[], edges: Edge[]}} In an order that does not depend on that of the answer.
 */
export function graphOf(live) {
  /** @type {Map<string, Node>} */
  const nodes = new Map();
  for (const site of live.network) {
    nodes.set(site.id, { id: site.id, name: site.name, site, services: servicesOf(live, site) });
  }
  const idOf = new Map(live.network.map((site) => [site.name, site.id]));
  /** @type {Map<string, Edge>} */
  const edges = new Map();
  const edge = (from, to) => {
    const [first, second] = from < to ? [from, to] : [to, from];
    const key = `${first} ${second}`;
    const blank = { from: first, to: second, cost: null, back: null, links: [], isTold: true };
    if (!edges.has(key)) edges.set(key, blank);
    return edges.get(key);
  };
  for (const site of live.network) {
    for (const { site: other, cost } of site.neighbours) {
      const id = idOf.get(other);
      if (id === undefined || id === site.id) continue;
      const found = edge(site.id, id);
      if (found.from === site.id) found.cost = cost;
      else found.back = cost;
    }
  }
  const here = live.status.id;
  for (const link of live.links) {
    const { id, name } = link.neighbour;
    if (!id || id === here) continue; // A token that no site has answered yet, or our own replica.
    if (!nodes.has(id)) nodes.set(id, { id, name, site: null, services: [] });
    edge(here, id).links.push(link);
  }
  if (!nodes.has(here)) nodes.set(here, { id: here, name: live.status.name, site: null, services: [] });
  const isReached = (id) => id === here || Boolean(nodes.get(id).site?.reachable);
  for (const one of edges.values()) one.isTold = isReached(one.from) || isReached(one.to);
  const sorted = [...nodes.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  const keys = [...edges.keys()].sort();
  return { nodes: sorted, edges: keys.map((key) => edges.get(key)) };
}

/** The cost of a step over an edge; null: no step is possible, because an end reports no cost. */
function stepCost(edge, from) {
  if (edge.cost === null || edge.back === null) return null;
  return edge.from === from ? edge.cost : edge.back;
}

/**
 * @typedef {{before: string, edge: Edge}} Arrival The last step of a cheapest path to a node.
 * @typedef {{from: string, to: string, edge: Edge}} Step
 */

/**
 * The cheapest path from `start` to every node, as the site before each node. Among equal paths the
 * first by ID, so that the page always shows the same one. `arrivals` has the last steps of all.
 * @param {{nodes: Node[], edges: Edge[]}} graph @param {string} start
 * @returns {Map<string, {cost: number, before: string | null, edge: Edge | null, arrivals: Arrival[]}>}
 */
export function ways(graph, start) {
  /** @type {Map<string, Edge[]>} */
  const near = new Map(graph.nodes.map((node) => [node.id, []]));
  for (const edge of graph.edges) {
    near.get(edge.from)?.push(edge);
    near.get(edge.to)?.push(edge);
  }
  const found = new Map([[start, { cost: 0, before: null, edge: null, arrivals: [] }]]);
  const open = new Set([start]);
  while (open.size) {
    const here = [...open].reduce((best, one) =>
      found.get(one).cost < found.get(best).cost ||
      (found.get(one).cost === found.get(best).cost && one < best)
        ? one
        : best,
    );
    open.delete(here);
    for (const edge of near.get(here) ?? []) {
      const there = edge.from === here ? edge.to : edge.from;
      const step = stepCost(edge, here);
      if (step === null) continue;
      const cost = found.get(here).cost + step;
      const known = found.get(there);
      if (!known || cost < known.cost) {
        found.set(there, { cost, before: here, edge, arrivals: [{ before: here, edge }] });
        open.add(there);
      } else if (cost === known.cost && there !== start) {
        known.arrivals.push({ before: here, edge });
      }
    }
  }
  return found;
}

/**
 * Steps of the path to `goal`, the first one from the start. Empty: there is no path, or `goal` is
 * the start.
 * @param {ReturnType<typeof ways>} found @param {string} goal
 * @returns {Step[]}
 */
export function stepsTo(found, goal) {
  const steps = [];
  for (let at = found.get(goal); at?.before != null; at = found.get(at.before)) {
    const to = at.edge.from === at.before ? at.edge.to : at.edge.from;
    steps.unshift({ from: at.before, to, edge: at.edge });
  }
  return steps;
}

/**
 * The known steps of the path to `goal`. An edge router knows only its own links: then the steps end
 * at the first site of the path, and `isWhole` is false.
 * @param {{nodes: Node[]}} graph @param {ReturnType<typeof ways>} found @param {string} goal
 */
export function wayTo(graph, found, goal) {
  const steps = stepsTo(found, goal);
  const site = graph.nodes.find((node) => node.id === goal)?.site;
  const isKnown = steps.length || !site?.reachable || site.neighbours_known;
  if (isKnown || !site.next_hops.length) return { steps, isWhole: true };
  const first = graph.nodes.find((node) => node.name === site.next_hops[0]);
  return { steps: stepsTo(found, first?.id), isWhole: false };
}

const EQUAL_PATHS_MAX = 8; // As many as the router keeps for each destination.

/** The cheapest paths to `goal`, at most as many as a router uses. @returns {Step[][]} */
function equalPaths(found, goal) {
  const paths = [];
  const extend = (at, steps) => {
    const { arrivals } = found.get(at) ?? { arrivals: [] };
    if (!arrivals.length && steps.length) paths.push(steps);
    for (const { before, edge } of arrivals) {
      if (paths.length >= EQUAL_PATHS_MAX) return;
      extend(before, [{ from: before, to: at, edge }, ...steps]);
    }
  };
  extend(goal, []);
  return paths;
}

/**
 * How the router divides requests to `goal` among links: first hops have equal shares, and so have
 * the paths of each first hop. Costs alone do not say which sites it crosses: none that drains, and
 * none on terms. So paths whose first hop it does not report do not count.
 * @param {{nodes: Node[]}} graph @param {ReturnType<typeof ways>} found @param {string} goal
 * @returns {(Step & {share: number})[]} A step has an entry for each path that it is part of.
 */
export function sharesTo(graph, found, goal) {
  const { steps, isWhole } = wayTo(graph, found, goal);
  const nodeOf = new Map(graph.nodes.map((node) => [node.id, node]));
  const hops = nodeOf.get(goal)?.site?.next_hops ?? [];
  const known = isWhole ? equalPaths(found, goal) : [steps].filter((path) => path.length);
  const used = known.filter(([{ to }]) => hops.includes(nodeOf.get(to)?.name));
  const paths = used.length ? used : known;
  const firstHops = new Map();
  for (const [{ to }] of paths) firstHops.set(to, (firstHops.get(to) ?? 0) + 1);
  return paths.flatMap((path) => {
    const share = 1 / firstHops.size / firstHops.get(path[0].to);
    return path.map((step) => ({ ...step, share }));
  });
}

/** The least number of links between each two sites; Infinity: not connected. */
function hops(graph) {
  const index = new Map(graph.nodes.map((node, at) => [node.id, at]));
  const near = graph.nodes.map(() => /** @type {number[]} */ ([]));
  for (const { from, to } of graph.edges) {
    const [one, other] = [index.get(from), index.get(to)];
    near[one].push(other);
    near[other].push(one);
  }
  return graph.nodes.map((_, start) => {
    const far = new Array(graph.nodes.length).fill(Infinity);
    far[start] = 0;
    const queue = [start];
    for (const here of queue) {
      for (const there of near[here]) {
        if (far[there] === Infinity) {
          far[there] = far[here] + 1;
          queue.push(there);
        }
      }
    }
    return far;
  });
}

const PICTURED_SITES = 200;
const PICTURED_LINKS = 1000;

/**
 * The part of a graph that fits into a picture: `first` and the neighbors of this site, then the sites
 * that are cheapest to reach. A member can report thousands of sites, each with many links.
 * @param {{nodes: Node[], edges: Edge[]}} graph @param {ReturnType<typeof ways>} found
 * @param {string[]} first IDs, without duplicates. @returns {{nodes: Node[], edges: Edge[]}}
 */
export function pictured(graph, found, first) {
  if (graph.nodes.length <= PICTURED_SITES && graph.edges.length <= PICTURED_LINKS) return graph;
  const own = new Set(graph.edges.filter((edge) => edge.links.length).flatMap(({ from, to }) => [from, to]));
  const ranks = new Map(first.map((id, at) => [id, at - first.length - 1]));
  const rank = ({ id }) => ranks.get(id) ?? (own.has(id) ? -1 : (found.get(id)?.cost ?? Infinity));
  const ranked = graph.nodes.toSorted((one, other) => rank(one) - rank(other) || (one.id < other.id ? -1 : 1));
  const ids = new Set(ranked.slice(0, PICTURED_SITES).map((node) => node.id));
  const among = graph.edges.filter(({ from, to }) => ids.has(from) && ids.has(to));
  const edges = among.toSorted((one, other) => other.links.length - one.links.length);
  return { nodes: graph.nodes.filter((node) => ids.has(node.id)), edges: edges.slice(0, PICTURED_LINKS) };
}

const ROUNDS = 80;

/**
 * Places whose distances in the picture are like distances in hops (stress majorization: Gansner,
 * Koren, North 2004). Starts from a circle in the order of a walk from the first site.
 * Deterministic: the same graph always gets the same places.
 * @param {{nodes: Node[], edges: Edge[]}} graph One connected part, or several, placed side by side.
 * @param {string} start The id of this site.
 * @returns {Map<string, {x: number, y: number}>} A site's distance to its neighbor is about 1.
 */
export function placed(graph, start) {
  const far = hops(graph);
  const number = graph.nodes.length;
  const first = Math.max(0, graph.nodes.findIndex((node) => node.id === start));
  const widest = Math.max(1, ...far[first].filter((one) => one !== Infinity));
  const apart = (one, other) => (far[one][other] === Infinity ? widest + 1 : far[one][other]);
  const order = walk(graph, first);
  const radius = Math.max(1, number / 6);
  const spots = graph.nodes.map(() => ({ x: 0, y: 0 }));
  order.forEach((node, at) => {
    const angle = (2 * Math.PI * at) / number;
    spots[node] = { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
  });
  for (let round = 0; round < ROUNDS; round += 1) {
    spots.forEach((spot, one) => {
      spots[one] = pulled(spot, one, spots, apart); // The next one uses its new place.
    });
  }
  return new Map(upright(spots, first).map((spot, at) => [graph.nodes[at].id, spot]));
}

/** Where the other sites want one site: the mean of their wishes. Near sites have the most weight. */
function pulled(spot, one, spots, apart) {
  let [x, y, weights] = [0, 0, 0];
  spots.forEach((other, at) => {
    if (at === one) return;
    const wish = apart(one, at);
    const [dx, dy] = [spot.x - other.x, spot.y - other.y];
    const length = Math.hypot(dx, dy) || 1e-6;
    const weight = 1 / (wish * wish);
    x += weight * (other.x + (wish * dx) / length);
    y += weight * (other.y + (wish * dy) / length);
    weights += weight;
  });
  return weights ? { x: x / weights, y: y / weights } : spot;
}

/** All nodes in the order of a depth-first walk, then the nodes that the walk cannot reach. */
function walk(graph, first) {
  const index = new Map(graph.nodes.map((node, at) => [node.id, at]));
  const near = graph.nodes.map(() => /** @type {number[]} */ ([]));
  for (const { from, to } of graph.edges) {
    near[index.get(from)].push(index.get(to));
    near[index.get(to)].push(index.get(from));
  }
  const seen = new Set();
  for (const root of [first, ...graph.nodes.keys()]) {
    const stack = [root];
    while (stack.length) {
      const here = stack.pop();
      if (seen.has(here)) continue;
      seen.add(here);
      stack.push(...near[here].toSorted((one, other) => other - one));
    }
  }
  return [...seen];
}

/** Turns the picture to be wider than high, with this site on the left and not below the middle. */
function upright(spots, first) {
  const mean = (of) => spots.reduce((sum, spot) => sum + of(spot), 0) / (spots.length || 1);
  const [mx, my] = [mean((spot) => spot.x), mean((spot) => spot.y)];
  const at = spots.map(({ x, y }) => ({ x: x - mx, y: y - my }));
  const xx = at.reduce((sum, { x }) => sum + x * x, 0);
  const yy = at.reduce((sum, { y }) => sum + y * y, 0);
  const xy = at.reduce((sum, { x, y }) => sum + x * y, 0);
  const turn = -0.5 * Math.atan2(2 * xy, xx - yy);
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const turned = at.map(({ x, y }) => ({ x: x * cos - y * sin, y: x * sin + y * cos }));
  const [flipX, flipY] = [turned[first]?.x > 0 ? -1 : 1, turned[first]?.y > 1e-6 ? -1 : 1];
  return turned.map(({ x, y }) => ({ x: x * flipX, y: y * flipY }));
}
