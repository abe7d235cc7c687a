// Capacity of a target: requests in flight, configured capacity, and where latency starts to climb.
import { html } from "./html.js";
import { OF_MOMENTS } from "./charts/means.js";
import { count, latency, mean } from "./format.js";
import { capacityText, perSecond } from "./why.js";

/** `latency doubles`, or by which factor it climbs. @param {number} factor */
function bends(factor) {
  return factor === 2 ? "latency doubles" : `latency is ${factor} times that of low load`;
}

/** Whether its slots are learned, not configured. @param {any} target */
function isLearned(target) {
  return target.capacity_kind === "auto";
}

/**
 * `configured 40, latency doubles at 31`.
 * @param {any} target @param {any} knee The target's knee, or null.
 */
export function honesty(target, knee) {
  const stated = capacityText(target);
  const words = [stated === "–" ? "no capacity configured" : `${isLearned(target) ? "learned" : "configured"} ${stated}`];
  if (knee?.knee) words.push(`${bends(knee.factor)} at ${count(knee.knee)}`);
  else if (knee?.baseline_s) words.push(`no climb seen, ${latency(knee.baseline_s)} at low load`);
  return words.join(", ");
}

/** Whether the knee is below the configured capacity. @param {any} target @param {any} knee */
export function overstated(target, knee) {
  return Boolean(knee?.knee && target.capacity !== null && !isLearned(target) && knee.knee < target.capacity);
}

/** Whether an operator drained this site. Each of a site's routers can be drained. @param {any} service */
export function isDrainedHere(service) {
  return service.takes === 0 && service.sites.some((one) => one.local && one.draining);
}

const FULL_SHARE = 0.95; // A freed slot is taken again a moment later.

/** Requests in flight at a site or a target in the last seconds. @param {any} one */
export function inFlightOf(one) {
  return one.in_flight_mean ?? one.in_flight; // Targets read on demand report one moment.
}

/**
 * Whether all configured capacity that is not reserved for clients of another site was in use in the
 * last seconds. @param {any} one A site or a target.
 */
export function isFull(one) {
  const reserved = one.local ? 0 : (one.reserved ?? 0);
  return one.capacity !== null && inFlightOf(one) >= FULL_SHARE * (one.capacity - reserved);
}

/**
 * How much of the configured capacity was in use in the last seconds; null: none is configured. A
 * rate counts requests admitted per second, which only the site itself knows, not those in flight.
 * @param {any} one A site.
 */
export function usedOf(one) {
  const slots = one.capacity === null ? null : `${mean(inFlightOf(one))} of ${capacityText({ ...one, rate: null })}`;
  const { rate } = one;
  const meant = one.local ? "the mean of 5 s" : OF_MOMENTS;
  if (!rate) {
    const used = { value: inFlightOf(one), limit: one.capacity, full: isFull(one) };
    return slots && { ...used, words: slots, label: `${slots} in flight, ${meant}` };
  }
  const admitted = rate.admitted_per_s ?? null;
  const paced = admitted === null ? `at most ${perSecond(rate)}` : `${mean(admitted)} of ${perSecond(rate)}`;
  const words = `${slots ?? mean(inFlightOf(one))}, ${paced}`;
  const bySlots = { value: inFlightOf(one), limit: one.capacity, full: isFull(one) };
  const byRate = { value: admitted, limit: rate.per_s, full: admitted >= FULL_SHARE * rate.per_s };
  const isByRate = admitted !== null && (!slots || byRate.value / byRate.limit > bySlots.value / bySlots.limit);
  return { ...(isByRate ? byRate : bySlots), words, label: `in flight, ${meant}, and rate: ${words}` };
}

/**
 * `Requests that a rate admits are …`: unlike the other figures, in their own time; empty: no rate is
 * shown. @param {any[]} services
 */
export function ofRates(services) {
  const isPaced = services.some((service) => service.sites.some((one) => one.local && one.rate));
  return isPaced ? "Requests that a rate admits are a mean over the window of the rate." : "";
}

/** @param {{target: any, knee: any}} props */
export function CapacityBar({ target, knee }) {
  const stated = target.capacity;
  const bend = knee?.knee ?? null;
  const inFlight = inFlightOf(target);
  const most = Math.max(stated ?? 0, bend ?? 0, inFlight, 1) * 1.06;
  const x = (value) => Math.min(200, (value / most) * 200);
  const full = isFull(target);
  const words = `${mean(inFlight)} in flight, ${honesty(target, knee)}`;
  return html`<span class="capacity" role="img" aria-label=${words}>
    <svg viewBox="0 0 200 18" width="200" height="18" aria-hidden="true">
      <rect class="track" y="6" width="200" height="8" rx="2" />
      <rect class=${full ? "fill full" : "fill"} y="6" width=${x(inFlight)} height="8" rx="2" />
      ${stated !== null && html`<path class="stated" d=${`M${x(stated)} 3 V17`} />`}
      ${bend !== null && html`<path class="knee" d=${`M${x(bend) - 4} 0 h8 l-4 6 Z`} />`}
    </svg>
  </span>`;
}
