// The components of pages. None of them depends on a page.
import { html, useErrorBoundary, useRef, useState } from "./html.js";
import { advised, commandIn } from "./commands.js";
import { clock, dateTime, span, timeOfDay } from "./format.js";
import { usePaged } from "./paging.js";
import { parse, setParams } from "./route.js";
import { secondsUntil, useNow } from "./store.js";

/** Announces a text to screen readers: only changes of state, never figures. @param {string} text */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}

/**
 * A state in a word. The style sheet adds a mark whose shape and color repeat the state.
 * @param {{tone: "good" | "warn" | "bad" | "calm" | "info", children?: any, title?: string}} props
 */
export function Badge({ tone, children, title }) {
  return html`<span class="badge ${tone}" title=${title}>${children}</span>`;
}

/** @param {{title?: string, id?: string, actions?: any, children?: any, class?: string}} props */
export function Card({ title, id, actions, children, class: extra = "" }) {
  return html`<section class="card ${extra}" aria-labelledby=${title && id ? `${id}-title` : null}>
    ${
      title &&
      html`<header class="card-head">
        <h2 id=${id ? `${id}-title` : null}>${title}</h2>
        ${actions && html`<div class="actions">${actions}</div>`}
      </header>`
    }
    ${children}
  </section>`;
}

/** Says that there is nothing to show, and how to change that. @param {{children?: any, hint?: any}} props */
export function Empty({ children, hint }) {
  return html`<div class="empty"><p>${children}</p>${hint && html`<p class="muted">${hint}</p>`}</div>`;
}

/** @param {{lines?: number, what?: string}} props */
export function Loading({ lines = 3, what = "Loading" }) {
  return html`<div class="loading" aria-busy="true">
    <span class="unseen">${what}…</span>
    ${Array.from({ length: lines }, () => html`<span class="bone" aria-hidden="true"></span>`)}
  </div>`;
}

/** @param {{error: {message: string, hint?: string, code?: string}, again?: () => void}} props */
export function Failed({ error, again }) {
  return html`<div class="failed">
    <p><${Badge} tone="bad">Failed<//> ${error.message}</p>
    ${error.hint && html`<p class="muted">${error.hint}</p>`}
    ${again && html`<p><button type="button" onClick=${again}>Try again</button></p>`}
  </div>`;
}

/**
 * A button that cannot be pressed while ``busy``. A disabled one would lose the focus.
 * @param {{busy: boolean, onClick: () => void, class?: string, children?: any}} props
 */
export function BusyButton({ busy, onClick, class: extra, children }) {
  return html`<button
    type="button"
    class=${extra}
    aria-disabled=${busy ? "true" : null}
    onClick=${busy ? null : onClick}
  >
    ${children}
  </button>`;
}

/** Closes the details of the chosen item; so does Escape. @param {{onClick: () => void}} props */
export function Close({ onClick }) {
  return html`<button type="button" class="close" onClick=${onClick}>Close</button>`;
}

/** Keeps one broken widget from breaking the page. @param {{children?: any}} props */
export function Fence({ children }) {
  const [error, reset] = useErrorBoundary((/** @type {unknown} */ thrown) => console.error(thrown));
  if (!error) return children;
  return html`<${Failed}
    error=${{ message: `This part cannot be drawn: ${error.message}.`, hint: "The rest of the console still works." }}
    again=${reset}
  />`;
}

/** Copies text to the clipboard. Not every page may use the Clipboard API. */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** @param {{text: string, label?: string, what?: string, class?: string}} props */
export function Copy({ text, label = "Copy", what = "", class: extra = "" }) {
  const [done, setDone] = useState(false);
  const timer = useRef(undefined);
  const copy = async () => {
    await toClipboard(text);
    setDone(true);
    announce("Copied");
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(false), 1500);
  };
  return html`<button
    type="button"
    class="copy ${extra}"
    onClick=${copy}
    aria-label=${what ? `${label} ${what}` : null}
    title=${text}
  >
    ${done ? "Copied" : label}
  </button>`;
}

/** The next step; a command in it can be copied. @param {{text: string}} props */
export function Hint({ text }) {
  if (!text) return null;
  const found = commandIn(text);
  return html`<p class="hint">${advised(text)} ${found && html`<${Copy} text=${found} what=${found} />`}</p>`;
}

/** The command that shows the same in a terminal. @param {{command: string}} props */
export function Command({ command }) {
  return html`<span class="command">
    <code title="The same in a terminal">${command}</code>
    <${Copy} text=${command} label="Copy as sitectl" class="as-sitectl" />
  </span>`;
}

const CLOCK_MOVED_S = 10; // A later time comes from a clock that was ahead.

/** How long ago, in words that the page keeps current. @param {{iso: string | null | undefined}} props */
export function Ago({ iso }) {
  useNow();
  if (!iso) return "–";
  const left = secondsUntil(iso);
  const words = left > CLOCK_MOVED_S ? `at ${dateTime(iso)}, by a clock that was ahead` : `${span(-left)} ago`;
  return html`<time datetime=${iso} title=${timeOfDay(iso)}>${words}</time>`;
}

/**
 * Time left until `iso`; a colored badge when it is short.
 * @param {{iso: string | null, warnS: number, badS: number, exact?: boolean}} props
 */
export function TimeLeft({ iso, warnS, badS, exact = false }) {
  useNow();
  if (!iso) return html`<span class="muted">–</span>`;
  const left = secondsUntil(iso);
  if (left <= 0) return html`<${Badge} tone="bad" title=${iso}>expired ${span(-left)} ago<//>`;
  const text = exact ? clock(left) : span(left);
  if (left <= badS) return html`<${Badge} tone="bad" title=${iso}>${text} left<//>`;
  if (left <= warnS) return html`<${Badge} tone="warn" title=${iso}>${text} left<//>`;
  return html`<time datetime=${iso} title=${iso}>${text} left</time>`;
}

/**
 * @typedef {object} Column
 * @property {string} name The heading.
 * @property {(row: any) => any} cell
 * @property {boolean} [number] Aligned to the right, in figures of equal width.
 * @property {boolean} [head] Its cells name their row.
 * @property {boolean} [long] On a phone each of its cells has a separate line.
 * @property {boolean} [names] Its cells hold names, which may be too long for one line.
 */

/** @param {Column} column */
const classOf = (column) => ["number", "long", "names"].filter((one) => column[one]).join(" ");

/**
 * On a phone each row is a block of named figures. `grid`: a grid of figures at any width. `step`:
 * how many rows at a time on a wide page.
 * @param {{caption: string, columns: Column[], rows: any[], rowKey?: (row: any) => string,
 *   rowProps?: (row: any) => object, empty?: any, hideCaption?: boolean, grid?: boolean,
 *   step?: number}} props
 */
export function Table(props) {
  const { caption, columns, rows, rowKey, rowProps, empty, hideCaption = true, grid } = props;
  const paged = usePaged(rows, props.step ?? Infinity);
  if (rows.length === 0 && empty) return empty;
  // Explicit roles: once the elements are blocks, the browser no longer sees a table.
  return html`<div
    class=${grid ? "table" : "table blocks"}
    role="region"
    aria-label=${caption}
    tabindex="0"
  >
    <table role="table">
      <caption class=${hideCaption ? "unseen" : ""}>${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          ${columns.map(
            (column) =>
              html`<th scope="col" role="columnheader" class=${classOf(column)}>${column.name}</th>`,
          )}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${(grid ? rows : paged.shown).map(
          (row, index) => html`<tr key=${rowKey ? rowKey(row) : index} role="row" ...${rowProps?.(row)}>
            ${columns.map((column) =>
              column.head
                ? html`<th scope="row" role="rowheader">${column.cell(row)}</th>`
                : html`<td role="cell" class=${classOf(column)} data-name=${column.name}>
                    ${column.cell(row)}
                  </td>`,
            )}
          </tr>`,
        )}
      </tbody>
    </table>
    ${!grid && paged.more}
  </div>`;
}

/**
 * A field that filters a list. Its text is part of the address, and `/` moves the focus to it.
 * @param {{name: string, label: string, value?: string}} props
 */
export function Filter({ name, label, value = "" }) {
  return html`<input
    type="search"
    data-filter
    aria-label=${label}
    placeholder=${label}
    value=${value}
    autocomplete="off"
    spellcheck=${false}
    onInput=${(event) => setParams({ [name]: event.target.value })}
  />`;
}

/**
 * A picture with the same figures as a table. The address says which of the two is shown.
 * @param {{id: string, title: string, note?: any, table: {columns: Column[], rows: any[]},
 *   actions?: any, children?: any, class?: string}} props
 */
export function Chart({ id, title, note, table, actions, children, class: extra = "" }) {
  const shown = (parse(location.hash).params.table ?? "").split(",").filter(Boolean);
  const asTable = shown.includes(id);
  const toggle = () =>
    setParams({
      table: (asTable ? shown.filter((one) => one !== id) : [...shown, id]).join(","),
    });
  return html`<figure class="chart card ${extra}" id=${`chart-${id}`}>
    <figcaption class="card-head">
      <h2 id=${`chart-${id}-title`}>${title}</h2>
      <div class="actions">
        ${actions}
        <button type="button" class="as-table" aria-pressed=${String(asTable)} onClick=${toggle}>
          Show as table<span class="unseen">: ${title}</span>
        </button>
      </div>
      ${note && html`<p class="muted note">${note}</p>`}
    </figcaption>
    ${
      asTable
        ? html`<${Table} caption=${title} columns=${table.columns} rows=${table.rows} grid />`
        : children
    }
  </figure>`;
}

/**
 * A line of the last figures from 0 up, without axes; `label` describes it in words. Each point is at
 * its time, with a gap where nothing is known. `stretch`: as wide as there is room.
 * @param {{points: [number, number | null][], from: number, to: number, gap: number, label: string,
 *   width?: number, height?: number, stretch?: boolean}} props
 *   `points`: moments and their figures, ascending. `from` and `to`: the moments at the ends of the
 *   picture. `gap`: between moments that are farther apart, nothing is known.
 */
export function Sparkline(props) {
  const { points, from, to, gap, label, width = 120, height = 28, stretch = false } = props;
  const known = points.filter(([at, value]) => at >= from && value !== null);
  const top = Math.max(0, ...known.map(([, value]) => value)) || 1;
  const [high, low] = [2, height - 2];
  const x = (at) => (((at - from) / Math.max(1, to - from)) * width).toFixed(1);
  const y = (value) => (low - (value / top) * (low - high)).toFixed(1);
  const lines = runs(points, gap)
    .map((run) => run.filter(([at]) => at >= from))
    .filter((run) => run.length)
    .map((run) => ({
      start: x(run[0][0]),
      end: x(run.at(-1)[0]),
      path: run.map(([at, value]) => `${x(at)} ${y(value)}`).join(" L"),
    }));
  return html`<svg
    class="sparkline"
    viewBox="0 0 ${width} ${height}"
    width=${stretch ? "100%" : width}
    height=${height}
    preserveAspectRatio="none"
    role="img"
    aria-label=${label}
  >
    <line class="base" x1="0" x2=${width} y1=${low} y2=${low} />
    ${lines.map(
      ({ start, end, path }) =>
        html`<path class="area" d="M${start} ${low} L${path} L${end} ${low} Z" />
          <path class="line" d="M${path}${start === end ? ` h0.1` : ""}" />`,
    )}
  </svg>`;
}

/** Runs of points without a gap. @param {[number, number | null][]} points @param {number} gap */
function runs(points, gap) {
  const found = [];
  let last = null;
  for (const [at, value] of points) {
    if (value !== null) {
      if (last === null || at - last > gap) found.push([]);
      found.at(-1).push([at, value]);
    }
    last = value === null ? null : at;
  }
  return found;
}

/**
 * A bar for a share. `limit` null: there is no limit. `full`: there is no room for more.
 * @param {{value: number, limit: number | null, label: string, full?: boolean}} props
 */
export function Meter({ value, limit, label, full = false }) {
  const share = limit ? Math.min(1, value / limit) : 0;
  return html`<span class="meter ${full ? "full" : ""}" role="img" aria-label=${label}>
    <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="8" rx="2" />
      <rect class="fill" width=${share * 100} height="8" rx="2" />
    </svg>
  </span>`;
}
