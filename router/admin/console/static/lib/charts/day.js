// A small chart with axes: requests and failures of the last day, in steps of some minutes.
import { html, useMemo } from "../html.js";
import { count, plural, span, timeOfDay } from "../format.js";
import { roundedUp } from "./stack.js";
import { serverNow } from "../store.js";
import { Chart } from "../ui.js";
import { useWidth } from "./width.js";

const HEIGHT = 132;
const LEFT = 44;
const RIGHT = 4;
const TOP = 20;
const BOTTOM = 20;
const LEAST_PX = 1.5; // Of failures, so that one among many requests is visible.
const HOURS = 6; // Between two labels of the time axis.
const NOW_PX = 44; // Room for the last label.

/** @param {number} ms */
const clockOf = (ms) => timeOfDay(new Date(ms).toISOString()).slice(0, 5);

/**
 * Merges histories into steps with their start times, oldest first. Steps from before the router
 * started have no figures.
 * @param {[number, number][][]} histories @param {number} stepS
 * @param {number} newest When the last step began, in milliseconds: at any second, not at a full minute.
 * @param {number} started When the router started, in milliseconds.
 * @returns {{at: number, requests: number | null, failed: number | null}[]}
 */
export function stepsOf(histories, stepS, newest, started) {
  const stepMs = stepS * 1000;
  const length = Math.max(0, ...histories.map((one) => one.length));
  return Array.from({ length }, (_, index) => {
    const at = newest - (length - 1 - index) * stepMs;
    if (at + stepMs <= started) return { at, requests: null, failed: null };
    const sum = (part) => histories.reduce((total, one) => total + (one[index]?.[part] ?? 0), 0);
    return { at, requests: sum(0), failed: sum(1) };
  });
}

/** The path of the bars: the upper edge of each, closed at the bottom. */
function bars(steps, from, heightOf, x, y) {
  let path = "";
  steps.forEach((step, index) => {
    const top = heightOf(step);
    if (top === null) return;
    path += `M${x(from + index)} ${y(0)} V${top} H${x(from + index + 1)} V${y(0)} Z `;
  });
  return path;
}

/** The last moment of a step. @param {number} at @param {number} stepS */
const endOf = (at, stepS) => new Date(at + stepS * 1000 - 1);

function Plot({ steps, stepS, width }) {
  const most = roundedUp(Math.max(...steps.map((step) => step.requests ?? 0)));
  const inner = Math.max(1, width - LEFT - RIGHT);
  const x = (index) => Number((LEFT + (index / steps.length) * inner).toFixed(1));
  const y = (value) => Number((HEIGHT - BOTTOM - (value / most) * (HEIGHT - TOP - BOTTOM)).toFixed(1));
  const unknown = steps.filter((step) => step.requests === null).length;
  const last = steps.length - 1;
  const whole = ({ requests }) => (requests ? y(requests) : null);
  const red = ({ failed }) => (failed ? Math.min(y(failed), y(0) - LEAST_PX) : null);
  const ticks = steps
    .map((step, index) => ({ end: endOf(step.at, stepS), index }))
    .filter(({ end }) => end.getMinutes() * 60 < stepS && end.getHours() % HOURS === 0) // Has the hour.
    .filter(({ index }) => x(index) < width - NOW_PX && x(index) > LEFT + 12);
  return html`<svg width=${width} height=${HEIGHT} class="day" aria-hidden="true">
    ${unknown > 0 && html`<rect class="unknown" x=${LEFT} y=${TOP} width=${x(unknown) - LEFT} height=${y(0) - TOP} />`}
    ${[0, 0.5, 1].map(
      (share) =>
        html`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y(most * share)} y2=${y(most * share)} />
          <text class="tick" x=${LEFT - 6} y=${y(most * share) + 4} text-anchor="end"
            >${count(Number((most * share).toPrecision(3)))}</text
          >`,
    )}
    <path class="bars" d=${bars(steps.slice(0, last), 0, whole, x, y)} />
    <path class="bars under-way" d=${bars(steps.slice(last), last, whole, x, y)} />
    <path class="bars failed" d=${bars(steps, 0, red, x, y)} />
    ${ticks.map(
      ({ end, index }) =>
        html`<line class="grid" x1=${x(index)} x2=${x(index)} y1=${y(0)} y2=${y(0) + 4} />
          <text class="tick" x=${x(index)} y=${HEIGHT - 4} text-anchor="middle">${clockOf(end.setMinutes(0, 0, 0))}</text>`,
    )}
    <text class="tick" x=${width - RIGHT} y=${HEIGHT - 4} text-anchor="end">now</text>
    <text class="tick" x=${LEFT} y=${TOP - 8}>requests</text>
  </svg>`;
}

/** The day in a sentence. */
function inWords(steps, stepS) {
  const known = steps.filter((step) => step.requests !== null);
  const sum = (of) => known.reduce((total, step) => total + of(step), 0);
  const total = sum((step) => step.requests);
  if (!total) return "No request in the last day.";
  const most = known.reduce((best, step) => (step.requests > best.requests ? step : best));
  return (
    `${plural(total, "request")} in the last day, most ${count(most.requests)} in the ${span(stepS)} ` +
    `from ${clockOf(most.at)}; ${count(sum((step) => step.failed))} failed.`
  );
}

/**
 * @param {{title: string, histories: [number, number][][], stepS: number, currentS: number, uptimeS: number}} props
 */
export function Day({ title, histories, stepS, currentS, uptimeS }) {
  const { box, width } = useWidth();
  // The time when the steps arrived sets their position, not the time when they are drawn.
  const steps = useMemo(() => {
    const now = serverNow();
    return stepsOf(histories, stepS, now - currentS * 1000, now - uptimeS * 1000);
  }, [histories]);
  const known = steps.filter((step) => step.requests !== null);
  const words = inWords(steps, stepS);
  return html`<${Chart}
    id="day"
    class="day-card"
    title=${title}
    note=${`In steps of ${span(stepS)}; the last step is in progress. Red: failed.`}
    table=${{
      columns: [
        { name: "From", head: true, cell: (step) => clockOf(step.at) },
        { name: "Requests", number: true, cell: (step) => count(step.requests) },
        { name: "Failed", number: true, cell: (step) => count(step.failed) },
      ],
      rows: [...known].reverse(),
    }}
  >
    <div ref=${box} role="img" aria-label=${words}>
      ${width > 0 && steps.length > 0 && html`<${Plot} steps=${steps} stepS=${stepS} width=${width} />`}
    </div>
    <p class="muted small">${words}</p>
    ${
      known.length < steps.length &&
      html`<p class="muted small">
        Gray: not known, the router started at ${clockOf(serverNow() - uptimeS * 1000)}.
      </p>`
    }
  <//>`;
}
