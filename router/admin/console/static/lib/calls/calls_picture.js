// The picture of callers, services, sites and targets: draws the items that it gets.
import { html, useMemo, useState } from "../html.js";
import { areRelated, itemWith, spoken } from "./calls.js";
import { MARK, placedCalls } from "./calls_places.js";
import { colourClass, lookOf } from "../charts/colours.js";
import { useWidth } from "../charts/width.js";

/** The class for an item's color: that of the site that served it. @param {any} item */
function colourOf({ site }) {
  return site ? colourClass(lookOf(site)) : "";
}

/** How to draw an item while the picture highlights `shown` and all items related to it. */
function seenAs(item, shown) {
  if (!shown) return "";
  if (item.id === shown.id) return "shown";
  return areRelated(item, shown) ? "" : "dim";
}

function Line({ line, seen }) {
  const { item, width, path, failed, isIdle } = line;
  const kind = `${item.place} ${isIdle ? "idle" : ""} ${colourOf(item)}`;
  return html`<g class=${`call ${kind} ${seen}`}>
    <path class="flow" d=${path} stroke-width=${width} />
    ${failed && html`<path class="failed" d=${failed.path} stroke-width=${failed.width} />`}
  </g>`;
}

function Place({ place, seen }) {
  const { item, x, y, width, height, label } = place;
  const kind = item.column >= 4 ? `${item.place} ${colourOf(item)}` : "";
  return html`<g class=${`call-place ${width > MARK ? "boxed" : ""} ${kind} ${seen}`}>
    <rect x=${x} y=${y} width=${width} height=${height} rx=${Math.min(4, width / 2)} />
    <text x=${label.x} y=${label.y} text-anchor=${label.anchor}>${label.text}</text>
    <title>${item.label}</title>
  </g>`;
}

/** Whether the pointer moved, rather than the page under it. @param {MouseEvent} event */
function isMoved({ movementX, movementY }) {
  return movementX !== 0 || movementY !== 0;
}

/** The item that an arrow key moves to. @param {any[][]} columns @param {any} item @param {string} key */
function nextOf(columns, item, key) {
  if (!item) return columns[1][0] ?? columns.flat()[0];
  const column = columns[item.column];
  const at = column.findIndex((one) => one.id === item.id);
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (step) return column[Math.min(column.length - 1, Math.max(0, at + step))];
  if (key === "Home") return column[0];
  if (key === "End") return column.at(-1);
  const side = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const there = columns[Math.min(columns.length - 1, Math.max(0, item.column + side))];
  return there.find((one) => areRelated(one, item)) ?? item;
}

const ARROWS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End"];

/**
 * `shown`: the item that is pointed at or chosen. `onPoint` gets the item pointed at; null: none.
 * @param {{columns: any[][], shown: any, chosenId: string, label: string,
 *   onPoint: (item: any) => void, onChoose: (item: any) => void}} props
 */
export function CallsPicture({ columns, shown, chosenId, label, onPoint, onChoose }) {
  const { box, width } = useWidth();
  const [at, setAt] = useState(/** @type {any} */ (null)); // The keyboard's item.
  const { height, heads, places, lines } = useMemo(
    () => placedCalls(columns, Math.max(1, width)),
    [columns, width],
  );
  const items = columns.flat();
  const domId = (item) => `call-${items.indexOf(item)}`;
  const current = at && (items.find(({ id }) => id === at.id) ?? itemWith(columns, at.choice, at.edges));
  const go = (item) => {
    setAt(item);
    onPoint(item);
  };
  const press = (event) => {
    if (event.key === "Escape") onChoose(null);
    else if ((event.key === "Enter" || event.key === " ") && current) onChoose(current);
    else if (ARROWS.includes(event.key)) go(nextOf(columns, current, event.key));
    else return;
    event.preventDefault();
  };
  const option = (item, drawn, extra = null) =>
    html`<g
      key=${item.id}
      id=${domId(item)}
      role="option"
      aria-label=${spoken(item)}
      aria-selected=${String(item.id === chosenId)}
      class="call-option"
      onMouseMove=${(event) => isMoved(event) && onPoint(item)}
      onMouseLeave=${() => onPoint(null)}
      onClick=${() => onChoose(item)}
    >
      ${drawn} ${extra}
    </g>`;
  return html`<div
    ref=${box}
    class="calls"
    role="listbox"
    tabindex="0"
    aria-label=${label}
    aria-activedescendant=${current ? domId(current) : null}
    onKeyDown=${press}
    onFocus=${() => current && onPoint(current)}
    onBlur=${() => onPoint(null)}
  >
    ${
      width > 0 &&
      html`<svg width=${width} height=${height} role="presentation">
        ${heads.map(
          ({ text, x, anchor }) => html`<text class="tick" x=${x} y="14" text-anchor=${anchor}>${text}</text>`,
        )}
        ${lines.map((line) =>
          option(
            line.item,
            html`<${Line} line=${line} seen=${seenAs(line.item, shown)} />`,
            html`<path class="hit" d=${line.path} stroke-width=${Math.max(10, line.width)} />`,
          ),
        )}
        ${places.map((place) => option(place.item, html`<${Place} place=${place} seen=${seenAs(place.item, shown)} />`))}
      </svg>`
    }
  </div>`;
}

const KINDS = [
  ["here series-1", "served here"],
  ["elsewhere series-2", "another site served it"],
  ["failed-only", "failed, or no site served it"],
];
const INCOMING = ["incoming series-1", "clients of other sites"];

/** @param {{hasIncoming: boolean}} props */
export function CallsLegend({ hasIncoming }) {
  return html`<ul class="legend">
    ${[...KINDS, ...(hasIncoming ? [INCOMING] : [])].map(
      ([kind, words]) =>
        html`<li>
          <svg width="28" height="8" aria-hidden="true" class=${`call ${kind}`}>
            <path class=${kind === "failed-only" ? "failed" : "flow"} d="M0 4 H28" stroke-width="5" />
          </svg>
          ${words}
        </li>`,
    )}
    <li class="muted">
      Width: requests a second, the mean of the last one to two minutes.${" "}
      <span class="by-color">Color: the site that served them.</span>
    </li>
  </ul>`;
}
