// The overflow river: which sites served the clients of one site in the last quarter of an hour, this
// site first, then the others by path cost, with this site's capacity as a line.
import { html } from "../html.js";
import { lookOf } from "./colours.js";
import { quantile, timeOfDay } from "../format.js";
import { Stack, figure } from "./stack.js";
import { partialText } from "../recent.js";
import { Empty } from "../ui.js";

const SPAN_S = 900;
const STEPS_MAX = 900;
const SPAN_MIN_S = 120; // So that a new site soon fills the picture.
const SECONDS_BELOW_S = 480; // In shorter spans, two adjacent labels would show the same minute.

/** The unit of the configured capacity: `at-once` or `per-second`. @param {any} history */
export function unitOf(history) {
  const last = history?.samples.at(-1);
  return last && last.capacity === null && last.capacity_per_s !== null ? "per-second" : "at-once";
}

/**
 * Layers, line and marks of a history. Figures are the API's own, per second where `unit` says so.
 * @param {any} history @param {any[]} samples Of the history, null: none.
 * @param {"at-once" | "per-second"} unit
 * @param {boolean} [isHere] The history is of this site's clients, not of another site's.
 */
export function layersOf(history, samples, unit, isHere = true) {
  const perS = unit === "per-second";
  const stepS = history.step_s;
  const each = (of) => samples.map((one) => (one === null ? null : of(one)));
  const layers = history.sites.map((site, index) => ({
    name: site.local && isHere ? `${site.name} (here)` : site.name,
    look: lookOf(site),
    note: noteOf(site),
    values: each((one) => (perS ? one.served[index] / stepS : one.in_flight[index])),
  }));
  const capacity = each((one) => (perS ? one.capacity_per_s : one.capacity));
  const line = capacity.some((value) => value !== null)
    ? { name: isHere ? "capacity here" : `capacity of ${history.site}`, values: capacity }
    : null;
  // Beside requests in flight, those that no site served are a count, and its name says so.
  const marks = samples.some((one) => one?.nowhere > 0)
    ? {
        name: perS ? "served by no site" : `served by no site in ${stepS} s`,
        values: each((one) => (perS ? one.nowhere / stepS : one.nowhere)),
      }
    : null;
  return { layers, line, marks };
}

/**
 * The newest samples at even steps; null where the router recorded none, such as before it restarted.
 * Never more than the picture has room for, whatever step another site reports.
 * @param {any} history @returns {{at: string, sample: any | null}[]}
 */
export function evenly({ samples, step_s: stepS }) {
  const stepMs = stepS * 1000;
  const most = Math.min(STEPS_MAX, SPAN_S / stepS);
  const steps = [];
  for (const sample of [...samples].reverse()) {
    const ms = Date.parse(sample.at);
    const later = steps.at(-1)?.ms ?? ms;
    const missing = Math.round((later - ms) / stepMs) - 1;
    for (let step = 1; step <= missing && steps.length < most; step += 1) {
      const between = later - step * stepMs;
      steps.push({ ms: between, at: new Date(between).toISOString(), sample: null });
    }
    if (steps.length >= most) break;
    steps.push({ ms, at: sample.at, sample });
  }
  return steps.reverse();
}

/** A note with the path cost of a site. @param {any} site */
function noteOf({ local, path_cost: cost, last_cost: last }) {
  if (local) return "";
  if (cost !== null) return `cost ${cost}`;
  return last === null || last === undefined ? "" : `gone, cost ${last}`;
}

/**
 * @param {{history: any, unit: "at-once" | "per-second", isHere: boolean, actions?: any}} props
 */
export function River({ history, unit, isHere, actions }) {
  const stepS = history.step_s;
  if (!history.samples.length) return html`<${Empty}>No history yet.<//>`;
  const steps = evenly(history);
  const samples = steps.map((one) => one.sample);
  const { layers, line, marks } = layersOf(history, samples, unit, isHere);
  const elsewhere = (one) => sum(one.served.filter((_, index) => !history.sites[index].local));
  const full = steps.map((one) => timeOfDay(one.at));
  const span = Math.min(SPAN_S, Math.max(SPAN_MIN_S, steps.length * stepS)) / stepS;
  const column = (name, of) => ({
    name,
    number: true,
    cell: (i) => (samples[i] === null ? "–" : of(samples[i])),
  });
  const more = [
    column("Ended", (one) => figure(sum(one.served) + one.nowhere)),
    column("Spilled", (one) => figure(elsewhere(one))),
    column("Overflows begun", (one) => figure(one.overflow)),
    column("Failed", (one) => figure(one.failed)),
    column("Clients gave up", (one) => figure(one.gave_up)),
    column("Shed", (one) => figure(one.shed ?? 0)),
    column("Queued", (one) => figure(one.queued)),
    column("p50", (one) => quantile(one.p50_s)),
    column("p99", (one) => quantile(one.p99_s)),
  ];
  return html`<${Stack}
    id="river"
    title="Where requests were served"
    note=${`Clients of ${history.site}. ${
      unit === "per-second"
        ? "Requests a second, by the site that served them"
        : "Requests in flight, by the site that serves them"
    }, the mean of each ${stepS} s.${
      history.partial_until ? ` ${partialText(history.partial_until)}` : ""
    }`}
    unit=${unit === "per-second" ? "requests/s" : "in flight"}
    ...${{ layers, line, marks, span, more, actions }}
    labels=${full}
    ticks=${span * stepS < SECONDS_BELOW_S ? full : full.map((text) => text.slice(0, 5))}
    keys=${steps.map((one) => one.at)}
    now=${`Last step, ${full.at(-1)}`}
  />`;
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * Requests that ended in the last `seconds`, by the site that served them: `counts` is in the order of
 * `history.sites`, `nowhere` counts those that no site served.
 * @param {any} history @param {number} seconds
 */
export function sharesOf(history, seconds) {
  const recent = history.samples.slice(-Math.max(1, Math.round(seconds / history.step_s)));
  const counts = history.sites.map((_, index) => sum(recent.map((one) => one.served[index])));
  const nowhere = sum(recent.map((one) => one.nowhere));
  const total = sum(counts) + nowhere;
  return { counts, nowhere, total };
}
