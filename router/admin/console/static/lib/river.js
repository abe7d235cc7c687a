// The overflow river: where the clients of one site were served over the last quarter of an hour,
// this site first, then each other one by the cost of the way, with this site's capacity as a line.
import { html } from "./html.js";
import { lookOf } from "./colours.js";
import { latency, timeOfDay } from "./format.js";
import { Stack, figure } from "./stack.js";
import { Empty } from "./ui.js";

const SPAN_S = 900;
const SPAN_MIN_S = 120; // A site that was just made fills the picture soon.
const SECONDS_BELOW_S = 480; // Of less, two marks beside each other would be of one minute.

/** The unit that fits what is stated: `at-once` or `per-second`. @param {any} history */
export function unitOf(history) {
  const last = history?.samples.at(-1);
  return last && last.capacity === null && last.capacity_per_s !== null ? "per-second" : "at-once";
}

/**
 * Layers and line of a history. Figures are the API's own, a second where `unit` says so.
 * @param {any} history @param {"at-once" | "per-second"} unit
 */
export function layersOf(history, unit) {
  const perS = unit === "per-second";
  const { samples, step_s: stepS } = history;
  const layers = history.sites.map((site, index) => ({
    name: site.local ? `${site.name} (here)` : site.name,
    look: lookOf(site),
    note: noteOf(site),
    values: samples.map((one) => (perS ? one.served[index] / stepS : one.in_flight[index])),
  }));
  const capacity = samples.map((one) => (perS ? one.capacity_per_s : one.capacity));
  const line = capacity.some((value) => value !== null)
    ? { name: "capacity here", values: capacity }
    : null;
  const marks = samples.some((one) => one.nowhere > 0)
    ? { name: "taken by nobody", values: samples.map((one) => one.nowhere) }
    : null;
  return { layers, line, marks };
}

/** What it costs to go there. @param {any} site */
function noteOf({ local, path_cost: cost, last_cost: last }) {
  if (local) return "";
  if (cost !== null) return `cost ${cost}`;
  return last === null || last === undefined ? "" : `gone, cost ${last}`;
}

/**
 * @param {{history: any, unit: "at-once" | "per-second", actions?: any}} props
 */
export function River({ history, unit, actions }) {
  const { samples, step_s: stepS } = history;
  if (!samples.length) return html`<${Empty}>Nothing is recorded yet.<//>`;
  const { layers, line, marks } = layersOf(history, unit);
  const full = samples.map((one) => timeOfDay(one.at));
  const span = Math.min(SPAN_S, Math.max(SPAN_MIN_S, samples.length * stepS)) / stepS;
  const more = [
    { name: "Ended", number: true, cell: (i) => figure(sum(samples[i].served) + samples[i].nowhere) },
    { name: "Overflowed", number: true, cell: (i) => figure(samples[i].overflow) },
    { name: "Queued", number: true, cell: (i) => figure(samples[i].queued) },
    { name: "p50", number: true, cell: (i) => latency(samples[i].p50_s) },
    { name: "p99", number: true, cell: (i) => latency(samples[i].p99_s) },
  ];
  return html`<${Stack}
    id="river"
    title="Where requests were served"
    note=${`Clients of ${history.site}. ${
      unit === "per-second"
        ? "Requests a second, by who served them."
        : "Requests in flight, by where they were: the mean of each step."
    } One step is ${stepS} s.`}
    unit=${unit === "per-second" ? "requests/s" : "in flight"}
    ...${{ layers, line, marks, span, more, actions }}
    labels=${full}
    ticks=${span * stepS < SECONDS_BELOW_S ? full : full.map((text) => text.slice(0, 5))}
    keys=${samples.map((one) => one.at)}
    now=${`Last step, ${full.at(-1)}`}
  />`;
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * Share of each site in what ended in the last `seconds`, in the order of `history.sites`.
 * @param {any} history @param {number} seconds
 */
export function sharesOf(history, seconds) {
  const recent = history.samples.slice(-Math.max(1, Math.round(seconds / history.step_s)));
  const counts = history.sites.map((_, index) => sum(recent.map((one) => one.served[index])));
  const nowhere = sum(recent.map((one) => one.nowhere));
  const total = sum(counts) + nowhere;
  return { counts, nowhere, total };
}
