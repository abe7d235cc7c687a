// The last quarter of an hour of the whole site. Starts with the history that the router stored and
// adds each new snapshot, so that the page need not request the whole history again and again.
import { useEffect, useState } from "./html.js";
import { get } from "./api.js";
import { timeOfDay } from "./format.js";

const STEP_S = 5;
const STEPS = 180;

/** How far back the figures go. */
export const KEPT_MS = STEPS * STEP_S * 1000;

/** Figures are missing between moments that are farther apart. */
export const GAP_MS = 2.5 * STEP_S * 1000;

/**
 * @typedef {object} Recent One step; figures per second, `p99_s` of the slowest service.
 * @property {number} at Milliseconds since the epoch, of the router's clock.
 * @property {number} requests
 * @property {number} spilled Served by other sites.
 * @property {number} failed
 * @property {number | null} p99_s
 */

const worst = (/** @type {(number | null)[]} */ all) => {
  const known = all.filter((one) => one !== null);
  return known.length ? Math.max(...known) : null;
};
const total = (/** @type {number[]} */ all) => all.reduce((sum, one) => sum + one, 0);

/**
 * Ends of steps, in milliseconds: those of the service with the most samples, and those of other
 * services that are not near any of them. A worker ends the steps of all its services at the same
 * time, which can be any second.
 * @param {any[]} histories
 */
function endsOf(histories) {
  /** @type {number[]} */
  const ends = [];
  const longestFirst = [...histories].sort((a, b) => b.samples.length - a.samples.length);
  for (const { samples, step_s } of longestFirst) {
    const found = samples.map(({ at }) => Date.parse(at));
    const known = [...ends];
    const isNear = (/** @type {number} */ one) =>
      known.some((end) => Math.abs(end - one) <= step_s * 750);
    ends.push(...found.filter((one) => !isNear(one)));
  }
  return ends.sort((a, b) => a - b);
}

/** @param {any[]} histories As in `/api/v1/history`. @returns {Recent[]} */
export function summed(histories) {
  /** @type {Recent[]} */
  const steps = endsOf(histories).map((at) => ({ at, requests: 0, spilled: 0, failed: 0, p99_s: null }));
  for (const { samples, sites, step_s } of histories) {
    let from = 0; // A step has one sample of a service, even if two are equally near.
    for (const sample of samples) {
      const at = Date.parse(sample.at);
      while (Math.abs(steps[from + 1]?.at - at) <= Math.abs(steps[from].at - at)) from += 1;
      const step = steps[from];
      step.requests += (total(sample.served) + sample.nowhere) / step_s;
      step.spilled += total(sample.served.filter((_, site) => !sites[site].local)) / step_s;
      step.failed += sample.failed / step_s;
      step.p99_s = worst([step.p99_s, sample.p99_s]);
      from += 1;
      if (from === steps.length) break;
    }
  }
  return steps.slice(-STEPS);
}

/** The latest end of a step that lacks a worker's figures; empty: no step does. @param {any[]} histories */
export function partialOf(histories) {
  const all = histories.map((one) => one.partial_until ?? "").filter((text) => text);
  return all.sort((one, other) => Date.parse(one) - Date.parse(other)).at(-1) ?? "";
}

/** A sentence about missing figures; empty: none are missing. @param {string} until */
export function partialText(until) {
  return until
    ? `Up to ${timeOfDay(until)} without those of a worker that ended or does not answer.`
    : "";
}

/** @param {any} live @returns {Recent} */
function present(live) {
  return {
    at: Date.parse(live.at),
    requests: total(live.now.map((one) => one.requests_per_s)),
    spilled: total(live.now.map((one) => one.spilled_per_s)),
    failed: total(live.now.map((one) => one.failed_per_s)),
    p99_s: worst(live.now.map((one) => one.p99_s)),
  };
}

/**
 * @param {any} live
 * @returns {{steps: Recent[], before: "asked" | "told" | "failed", partialUntil: string}} Oldest
 *   first; the last one is current. `before`: state of the request for the router's stored history.
 *   The steps up to `partialUntil` lack the figures of a worker that ended or does not answer; empty:
 *   all steps are complete.
 */
export function useRecent(live) {
  const [kept, setKept] = useState(/** @type {Recent[]} */ ([]));
  const [before, setBefore] = useState(/** @type {"asked" | "told" | "failed"} */ ("asked"));
  const [partialUntil, setPartialUntil] = useState("");
  const [missed, setMissed] = useState(0); // How often snapshots paused, as in a hidden tab.
  const workers = live.status.workers // A worker that ends or goes silent takes its figures with it.
    .map((one) => `${one.restarts} ${one.silent_since ?? ""}`)
    .join();
  useEffect(() => {
    const over = new AbortController();
    get("history", {}, { signal: over.signal }).then(
      (histories) => {
        setPartialUntil(partialOf(histories));
        setBefore("told");
        setKept((own) => {
          const told = summed(histories);
          const until = told.at(-1)?.at ?? 0;
          return [...told, ...own.filter((one) => one.at > until + STEP_S * 500)].slice(-STEPS);
        });
      },
      () => setBefore((was) => (was === "told" ? was : "failed")), // Then the figures begin now.
    );
    return () => over.abort();
  }, [missed, workers]);
  useEffect(() => {
    const now = present(live);
    const last = kept.at(-1);
    if (last && now.at - last.at > GAP_MS) setMissed(missed + 1);
    setKept((steps) => {
      const last = steps.at(-1);
      if (last && now.at - last.at < STEP_S * 1000) return steps;
      return [...steps, now].slice(-STEPS);
    });
  }, [live.at]);
  const steps = [...kept, present(live)];
  const isOver = Date.parse(partialUntil) < steps[0].at;
  return { steps, before, partialUntil: isOver ? "" : partialUntil };
}
