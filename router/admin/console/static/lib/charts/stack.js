// A stacked chart over time, for the river, simulations and what-if. Each layer has a color and a
// pattern, the legend below has its name and figure, and a cursor shows exact figures.
import { html, useState } from "../html.js";
import { Patterns, Swatch, colourClass } from "./colours.js";
import { count } from "../format.js";
import { Chart } from "../ui.js";
import { useWidth } from "./width.js";

const HEIGHT = 240;
const LEFT = 48;
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 24;
const TICK_PX = 110; // Between two labels of the time axis.

/** A figure as the table and the cursor show it: whole, or with one decimal. @param {number} value */
export function figure(value) {
  if (value === null || value === undefined) return "–";
  return count(Math.abs(value) < 100 ? Number(value.toFixed(1)) : Math.round(value));
}

/** The least "round" number that is not below `value`. @param {number} value */
export function roundedUp(value) {
  if (!(value > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].map((part) => part * size).find((part) => part >= value * 0.999);
}

/** A figure on the axis, with three significant digits. @param {number} value */
function onAxis(value) {
  return count(Number(value.toPrecision(3)));
}

/**
 * First and last step of each run without a gap, where at least one layer is known.
 * @param {number[][]} layers @param {number} length @returns {[number, number][]}
 */
export function runs(layers, length) {
  const found = [];
  for (let step = 0; step < length; step += 1) {
    if (!layers.some((values) => values[step] !== null && values[step] !== undefined)) continue;
    if (found.length && found.at(-1)[1] === step - 1) found.at(-1)[1] = step;
    else found.push([step, step]);
  }
  return found;
}

/**
 * Lower and upper edge of every layer at every step. An unknown figure counts as 0.
 * @param {number[][]} layers @returns {{edges: number[][], top: number}}
 */
export function stacked(layers) {
  const length = layers[0]?.length ?? 0;
  const edges = [new Array(length).fill(0)];
  for (const values of layers) {
    const below = edges.at(-1);
    edges.push(below.map((edge, index) => edge + (values[index] ?? 0)));
  }
  return { edges, top: Math.max(0, ...edges.at(-1)) };
}

/** A line that stays level until the next figure, with a gap where there is none. */
function levels(values, x, y) {
  let path = "";
  let open = false;
  values.forEach((value, index) => {
    if (value === null || value === undefined) {
      open = false;
      return;
    }
    path += open ? ` H${x(index)} V${y(value)}` : ` M${x(index)} ${y(value)}`;
    open = true;
  });
  return path;
}

/** A line through the upper edges of a layer, with gaps where the layer is empty. */
function outline(upper, values, [first, last], x, y) {
  let path = "";
  for (let step = first + 1; step <= last; step += 1) {
    if (!values[step] && !values[step - 1]) continue;
    const from = `${x(step - 1)} ${y(upper[step - 1])}`;
    path += `${path.endsWith(from) ? "" : ` M${from}`} L${x(step)} ${y(upper[step])}`;
  }
  return path;
}

/**
 * @typedef {object} Layer
 * @property {string} name
 * @property {number} look As in `colours.js`.
 * @property {string} [note] After its name: the path cost.
 * @property {(number | null)[]} values
 */

function Plot({ id, layers, line, marks, labels, ticks, unit, shown, width, span }) {
  const all = layers.map((layer) => layer.values);
  const { edges, top } = stacked(all);
  const known = runs(all, labels.length);
  const length = labels.length;
  const most = roundedUp(Math.max(top, ...(line?.values ?? []).map((value) => value ?? 0)) * 1.05);
  const offset = span - length;
  const inner = Math.max(1, width - LEFT - RIGHT);
  const x = (index) => Number((LEFT + ((index + offset) / Math.max(1, span - 1)) * inner).toFixed(1));
  const y = (value) =>
    Number((HEIGHT - BOTTOM - (value / most) * (HEIGHT - TOP - BOTTOM)).toFixed(1));
  const spots = (values, [first, last]) =>
    values.slice(first, last + 1).map((value, at) => `${x(first + at)} ${y(value)}`);
  const area = (index) =>
    known
      .map((run) => [...spots(edges[index + 1], run), ...spots(edges[index], run).reverse()])
      .map((corners) => `M${corners.join(" L")} Z`)
      .join(" ");
  /** The upper edge of a layer, where the layer is not empty. */
  const edge = (index) =>
    known.map((run) => outline(edges[index + 1], all[index], run, x, y)).join("");
  const every = Math.max(1, Math.ceil((TICK_PX / inner) * span));
  const at = [];
  for (let index = length - 1; index >= 0; index -= every) at.push(index);
  const cursor = shown === null ? null : x(shown);
  return html`<svg width=${width} height=${HEIGHT} class="stream" aria-hidden="true">
    <${Patterns} id=${id} all=${layers.map((layer) => layer.look)} />
    ${[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        html`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y(most * share)} y2=${y(most * share)} />
          <text class="tick" x=${LEFT - 8} y=${y(most * share) + 4} text-anchor="end"
            >${onAxis(most * share)}</text
          >`,
    )}
    <text class="tick" x=${LEFT} y=${TOP - 4}>${unit}</text>
    ${at.map(
      (index) =>
        html`<text
          class="tick"
          x=${x(index)}
          y=${HEIGHT - 6}
          text-anchor=${index === length - 1 ? "end" : "middle"}
          >${ticks[index]}</text
        >`,
    )}
    ${length > 1 &&
    layers.map(
      (layer, index) =>
        html`<path class="layer ${colourClass(layer.look)}" d=${area(index)} fill=${`url(#${id}-${layer.look})`}>
            <title>${layer.name}</title>
          </path>
          <path class="edge ${colourClass(layer.look)}" d=${edge(index)} />`,
    )}
    ${line && html`<path class="limit" d=${levels(line.values, x, y)} />`}
    ${marks?.values.map(
      (value, index) =>
        value > 0 &&
        html`<path class="mark" d=${`M${x(index) - 4} ${TOP} h8 l-4 7 Z`} />`,
    )}
    ${
      cursor !== null &&
      html`<g class="cursor">
        <line x1=${cursor} x2=${cursor} y1=${TOP} y2=${HEIGHT - BOTTOM} />
        ${layers.map(
          (layer, index) =>
            layer.values[shown] > 0 &&
            html`<circle cx=${cursor} cy=${y(edges[index + 1][shown])} r="3" class=${colourClass(layer.look)} />`,
        )}
      </g>`
    }
  </svg>`;
}

/** All figures of one step as a sentence, for users who cannot see the picture. */
function spoken(layers, line, marks, labels, unit, index) {
  if (layers.every((layer) => layer.values[index] === null)) return `${labels[index]}: not known`;
  const words = layers.map((layer) => `${layer.name} ${figure(layer.values[index])}`);
  if (line && line.values[index] !== null && line.values[index] !== undefined) {
    words.push(`${line.name} ${figure(line.values[index])}`);
  }
  if (marks && marks.values[index] > 0) words.push(`${marks.name} ${figure(marks.values[index])}`);
  return `${labels[index]}, ${unit}: ${words.join(", ")}`;
}

function Legend({ layers, line, marks, shown, labels, isCursor, now }) {
  const total = layers.reduce((sum, layer) => sum + (layer.values[shown] ?? 0), 0);
  return html`<div class="stream-legend">
    <p class="stream-at">${isCursor ? labels[shown] : now}</p>
    <ul class="plain">
      ${layers.map(
        (layer, index) =>
          html`<li>
            <${Swatch} look=${layer.look} />
            <span class="legend-name">${layer.name}</span>
            ${layer.note && html`<span class="muted">${layer.note}</span>`}
            <span class="number strong">${figure(layer.values[shown])}</span>
            <span class="number muted"
              >${total > 0 ? `${Math.round(((layer.values[shown] ?? 0) / total) * 100)} %` : ""}</span
            >
          </li>`,
      )}
      ${
        line &&
        html`<li>
          <svg class="swatch" width="16" height="12" aria-hidden="true">
            <path class="limit" d="M0 6 H16" />
          </svg>
          <span class="legend-name">${line.name}</span>
          <span class="number strong">${figure(line.values[shown])}</span>
        </li>`
      }
      ${
        marks &&
        html`<li>
          <svg class="swatch" width="16" height="12" aria-hidden="true">
            <path class="mark" d="M4 3 h8 l-4 7 Z" />
          </svg>
          <span class="legend-name">${marks.name}</span>
          <span class="number strong">${figure(marks.values[shown] ?? 0)}</span>
        </li>`
      }
    </ul>
  </div>`;
}

/**
 * `labels`: full names of the steps; `ticks`: short names. `line`: a limit; `marks`: steps where
 * something went wrong. `span`: least width of the picture, in steps. `keys` identify steps when the
 * picture moves on. With `cursor` and `setCursor` (a step), the caller holds the cursor.
 * @param {{id: string, title: string, note?: any, unit: string, layers: Layer[],
 *   line?: Layer | null, marks?: Layer | null, labels: string[], ticks: string[], keys?: any[],
 *   span?: number, now?: string, more?: import("../ui.js").Column[], actions?: any,
 *   cursor?: number | null, setCursor?: (step: number | null) => void}} props
 */
export function Stack(props) {
  const { id, title, note, unit, layers, line = null, marks = null, labels, ticks } = props;
  const keys = props.keys ?? labels;
  const { box, width } = useWidth();
  const [own, setOwn] = useState(null);
  const length = labels.length;
  const holds = props.setCursor === undefined;
  const found = holds ? keys.indexOf(own) : (props.cursor ?? -1);
  const cursor = found >= 0 && found < length ? found : null;
  const put = (index) => (holds ? setOwn(index === null ? null : keys[index]) : props.setCursor(index));
  const span = Math.max(length, props.span ?? 0);
  const shown = cursor ?? length - 1;

  const point = (event) => {
    const bounds = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - bounds.left - LEFT) / Math.max(1, bounds.width - LEFT - RIGHT);
    const index = Math.round(share * (span - 1)) - (span - length);
    put(Math.min(length - 1, Math.max(0, index)));
  };
  const press = (event) => {
    const from = cursor ?? length - 1;
    const next = {
      ArrowLeft: from - 1,
      ArrowDown: from - 1,
      ArrowRight: from + 1,
      ArrowUp: from + 1,
      PageDown: from - 10,
      PageUp: from + 10,
      Home: 0,
      End: length - 1,
    }[event.key];
    if (event.key === "Escape" && holds) put(null);
    if (next === undefined) return;
    event.preventDefault();
    put(Math.min(length - 1, Math.max(0, next)));
  };

  const rows = labels.map((_, index) => index);
  const columns = [
    { name: "Time", head: true, cell: (index) => labels[index] },
    ...layers.map((layer) => ({
      name: layer.name,
      number: true,
      cell: (index) => figure(layer.values[index]),
    })),
    ...[line, marks].filter(Boolean).map((one) => ({
      name: one.name,
      number: true,
      cell: (index) => figure(one.values[index]),
    })),
    ...(props.more ?? []),
  ];
  return html`<${Chart}
    id=${id}
    title=${title}
    note=${note}
    actions=${props.actions}
    table=${{ columns, rows: rows.reverse() }}
  >
    <div ref=${box}>
      <div
        class="plot"
        tabindex="0"
        role="slider"
        aria-label=${`${title}: time`}
        aria-valuemin="0"
        aria-valuemax=${length - 1}
        aria-valuenow=${shown}
        aria-valuetext=${spoken(layers, line, marks, labels, unit, shown)}
        onPointerMove=${point}
        onPointerLeave=${() => holds && put(null)}
        onPointerDown=${point}
        onKeyDown=${press}
        onBlur=${() => holds && put(null)}
      >
        <${Plot}
          ...${{ id, layers, line, marks, labels, ticks, unit, width, span }}
          shown=${cursor}
        />
      </div>
      <${Legend} ...${{ layers, line, marks, shown, labels }} isCursor=${cursor !== null} now=${props.now ?? "Now"} />
    </div>
  <//>`;
}
