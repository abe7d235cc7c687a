// The picture of sites and links: draws the places and loads that it gets.
import { html, useEffect, useRef, useState } from "../html.js";
import { Patterns, colourClass, lookOf } from "../charts/colours.js";
import { plural, rtt, timeOfDay } from "../format.js";
import { LINE, Labels, shortened } from "./labels.js";
import { href, parse } from "../route.js";
import { spillText } from "../spills.js";
import { costOf, edgeState, isUp } from "../words.js";

const PAD = 56;
const STEP_MAX = 420; // Most pixels for one hop.
const ABOVE_AND_BELOW = 300; // Pixels of the page above and below the map.
const HEIGHTS = { flat: 220, tall: 460, least: 400, most: 760 };
const STRETCH_MAX = 1.7; // How much wider than high a hop may be.
const FEW = 24; // Up to this many sites, every link has its figures.
const NAME_MAX = 18;
const SERVICES_MAX = 26; // Characters for a site's services.

/** The width of the element of `ref`, followed as long as the element exists. */
function useWidth(ref) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

/** Places in pixels: as large as there is room, up to a size that looks good. */
function fitted(spots, width) {
  const isTall = width < 560;
  const at = new Map(
    [...spots].map(([id, { x, y }]) => [id, isTall ? { x: y, y: x } : { x, y }]),
  );
  const xs = [...at.values()].map((spot) => spot.x);
  const ys = [...at.values()].map((spot) => spot.y);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [wide, high] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const fills = Math.min(HEIGHTS.most, Math.max(HEIGHTS.least, innerHeight - ABOVE_AND_BELOW));
  const room = { x: width - 2 * PAD, y: (isTall ? HEIGHTS.tall : fills) - 2 * PAD };
  const perX = Math.min(wide ? room.x / wide : STEP_MAX, STEP_MAX);
  const perY = Math.min(high ? room.y / high : STEP_MAX, STEP_MAX);
  const least = Math.min(perX, perY);
  const [sx, sy] = [Math.min(perX, least * STRETCH_MAX), Math.min(perY, least * STRETCH_MAX)];
  const needed = Math.max(HEIGHTS.flat, high * sy + 2 * PAD);
  const height = isTall || high * sy < HEIGHTS.flat ? needed : fills;
  const [ox, oy] = [(width - wide * sx) / 2, (height - high * sy) / 2];
  return {
    height,
    places: new Map(
      [...at].map(([id, { x, y }]) => [id, { x: ox + (x - left) * sx, y: oy + (y - top) * sy }]),
    ),
  };
}

function edgeLabel(edge) {
  const link = edge.links.find((one) => one.rtt_ms !== null);
  return link ? `${costOf(edge)} · ${rtt(link.rtt_ms)}` : costOf(edge);
}

/** The services that a site takes part in, in one line; empty: none. @param {any} node */
function servicesText(node) {
  const names = node.services.map((one) => one.text);
  const shown = [];
  for (const name of names) {
    if ([...shown, name].join(", ").length > SERVICES_MAX && shown.length) break;
    shown.push(shortened(name, SERVICES_MAX));
  }
  const more = names.length - shown.length;
  const at = node.site?.services_at ? ` as of ${timeOfDay(node.site.services_at)}` : "";
  return shown.join(", ") + (more > 0 ? ` +${more}` : "") + at;
}

/** The names and figures that have room. Important names come first. */
function labelled({ graph, places, width, height, radius, here, way, shown, loads, spilled }) {
  const lines = graph.edges.map((edge) => ({ from: places.get(edge.from), to: places.get(edge.to) }));
  const labels = new Labels(width, height, lines);
  for (const { x, y } of places.values()) labels.keepFree(x, y, radius + 1);
  const onWay = new Set(way.flatMap(({ from, to }) => [from, to]));
  const own = new Set(graph.edges.filter((edge) => edge.links.length).flatMap((edge) => [edge.from, edge.to]));
  const weight = (node) =>
    (node.id === shown?.id ? 8 : 0) +
    (node.id === here ? 4 : 0) +
    (onWay.has(node.id) ? 2 : 0) +
    (own.has(node.id) || spilled[node.name] ? 1 : 0);
  const names = [...graph.nodes]
    .sort((one, other) => weight(other) - weight(one))
    .map((node) => {
      const { x, y } = places.get(node.id);
      const text = shortened(node.name, NAME_MAX);
      const services = graph.nodes.length <= FEW ? servicesText(node) : "";
      const both = services && labels.beside([text, services], x, y, radius);
      return both
        ? { node, text, services, spot: both }
        : { node, text, services: "", spot: labels.beside([text], x, y, radius, weight(node) >= 2) };
    })
    .filter(({ spot }) => spot);
  const wayEdges = new Set(way.map((step) => step.edge));
  const figures = graph.edges
    .filter(
      (edge) =>
        graph.nodes.length <= FEW || wayEdges.has(edge) || edge.links.length || loads.has(edge),
    )
    .map((edge) => {
      const [from, to] = [places.get(edge.from), places.get(edge.to)];
      const text = edgeLabel(edge);
      return { edge, text, spot: labels.on(text, (from.x + to.x) / 2, (from.y + to.y) / 2) };
    })
    .filter(({ spot }) => spot);
  return { names, figures };
}

function EdgeLine({ edge, places, load, isWay }) {
  const [from, to] = [places.get(edge.from), places.get(edge.to)];
  const state = edgeState(edge);
  const told = isUp(edge) ? "link" : "down";
  const kind = edge.isTold ? told : "untold";
  const [start, end] = load?.from === edge.to ? [to, from] : [from, to];
  const streams = edge.links.reduce((sum, one) => sum + one.streams, 0);
  return html`<g>
    ${isWay && html`<line class="edge way" x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y} />`}
    <line class=${`edge ${kind}`} x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y} />
    ${
      (load || streams > 0) &&
      html`<line class="edge carries" x1=${start.x} y1=${start.y} x2=${end.x} y2=${end.y}>
        <title>${load ? `${spillText(load.perS, load.open)} of our requests` : plural(streams, "stream")}</title>
      </line>`
    }
  </g>`;
}

function SiteMark({ node, x, y, radius, here, shown, onPoint }) {
  const seen = node.site?.reachable ? "reachable" : "away";
  const kind = node.id === here ? "here" : node.site ? seen : "unknown";
  const look = lookOf(node);
  const fill = `url(#map-${look})`;
  const params = { ...parse(location.hash).params, site: node.name };
  return html`<a
    href=${href("topology", params)}
    tabindex="-1"
    class=${`site-mark ${kind} ${colourClass(look)} ${shown ? "shown" : ""}`}
    onMouseEnter=${() => onPoint(node.id)}
    onMouseLeave=${() => onPoint(null)}
  >
    <title>${node.name}</title>
    <circle class="hit" cx=${x} cy=${y} r=${Math.max(12, radius)} />
    ${
      kind === "here"
        ? html`<rect
            x=${x - radius}
            y=${y - radius}
            width=${2 * radius}
            height=${2 * radius}
            rx="3"
            fill=${fill}
          />`
        : html`<circle cx=${x} cy=${y} r=${radius} fill=${fill} />`
    }
    ${
      kind === "away" &&
      html`<path
        d="M${x - 3} ${y - 3}l6 6m0 -6l-6 6"
        class="cross"
      />`
    }
  </a>`;
}

/**
 * @param {{graph: any, spots: any, here: string, loads: any, spilled: Record<string, any>,
 *   way: any[], shown: any, label: string, onPoint: (id: string | null) => void}} props
 */
export function SiteMap({ graph, spots, here, loads, spilled, way, shown, label, onPoint }) {
  const box = useRef(null);
  const width = useWidth(box);
  if (!width) return html`<div ref=${box} class="map-box"></div>`;
  const { places, height } = fitted(spots, width);
  const radius = graph.nodes.length > 40 ? 5 : graph.nodes.length > FEW ? 7 : 12;
  const { names, figures } = labelled({
    graph, places, width, height, radius, here, way, shown, loads, spilled,
  });
  const wayEdges = new Set(way.map((step) => step.edge));
  return html`<div ref=${box} class="map-box">
    <svg class="site-map" viewBox="0 0 ${width} ${height}" height=${height} role="img" aria-label=${label}>
      <${Patterns} id="map" all=${graph.nodes.map(lookOf)} />
      ${graph.edges.map(
        (edge) =>
          html`<${EdgeLine}
            key=${`${edge.from} ${edge.to}`}
            edge=${edge}
            places=${places}
            load=${loads.get(edge)}
            isWay=${wayEdges.has(edge)}
          />`,
      )}
      ${graph.nodes.map(
        (node) =>
          html`<${SiteMark}
            key=${node.id}
            node=${node}
            ...${places.get(node.id)}
            radius=${radius}
            here=${here}
            shown=${node.id === shown?.id}
            onPoint=${onPoint}
          />`,
      )}
      ${figures.map(({ text, spot }) => html`<text class="cost" x=${spot.x} y=${spot.y}>${text}</text>`)}
      ${names.map(
        ({ node, text, services, spot }) =>
          html`<text class=${node.id === shown?.id || node.id === here ? "name strong" : "name"} x=${spot.x} y=${spot.y}>
              ${text}
            </text>
            ${services && html`<text class="of-site" x=${spot.x} y=${spot.y + LINE}>${services}</text>`}`,
      )}
    </svg>
  </div>`;
}
