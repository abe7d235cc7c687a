// Why a request goes where it goes: the candidates in the order considered, worded as in
// `sitectl why`, with the runner-up and by how much it lost.
import { html } from "./html.js";
import { SiteName } from "./charts/colours.js";
import { count, sinceReport } from "./format.js";
import { Badge, Table } from "./ui.js";

const TONES = {
  chosen: "good",
  dearer: "calm",
  "not-chosen": "calm",
  full: "warn",
  "above-mark": "warn",
  "sheddable-share": "warn",
  "higher-level": "warn",
};

/** Verdicts of sites that could have taken the request. */
const LOST = ["dearer", "not-chosen", "higher-level", "above-mark"];

/** `15/s`. @param {any} rate */
export function perSecond(rate) {
  return `${Number(rate.per_s.toFixed(3))}/s`;
}

/** `20`, `15/s`, `8 (auto)`. @param {any} one */
export function capacityText(one) {
  const words = [];
  if (one.capacity !== null && one.capacity !== undefined) {
    words.push(one.capacity_kind === "auto" ? `${count(one.capacity)} (auto)` : count(one.capacity));
  }
  if (one.rate) words.push(perSecond(one.rate));
  const reserved = one.reserved ? `, ${count(one.reserved)} reserved` : "";
  const most = one.most_for_one ?? null;
  const share = most === null ? "" : `, at most ${count(most)} per neighbor`;
  return (words.join(" and ") || "–") + reserved + share;
}

/** The level, as `sitectl why` prints it. @param {any} one */
function level(one) {
  return one.level === null || one.level === undefined ? "–" : String(Number(one.level.toFixed(3)));
}

/**
 * The next candidate, and by how much it lost; null: no other site has room.
 * @param {any[]} candidates
 */
export function runnerUp(candidates) {
  const chosen = candidates.find((one) => one.verdict === "chosen");
  const others = candidates.filter((one) => one.targets_ready > 0 && LOST.includes(one.verdict));
  const next = others.reduce(
    (best, one) => (best && !((one.level ?? 0) < (best.level ?? 0)) ? best : one),
    null,
  );
  if (!chosen || !next) return null;
  if (next.verdict === "higher-level") {
    return { site: next.site, text: `its level is ${level(next)}, ${chosen.site} is at ${level(chosen)}` };
  }
  if (next.verdict === "above-mark") return { site: next.site, text: next.reason };
  const cost = (next.path_cost ?? 0) - (chosen.path_cost ?? 0);
  const room = next.free === null ? "no capacity configured" : `${count(next.free)} free`;
  const margin = cost
    ? `its path costs ${count(Math.abs(cost))} ${cost > 0 ? "more" : "less"}`
    : "its path costs the same";
  return { site: next.site, text: `${margin}, ${room}` };
}

/** The path to a site; a site that cannot be reached has none. @param {any} one */
function pathText(one) {
  if (one.path?.length) return one.path.join(" > ");
  return one.path_cost === 0 ? "here" : "–";
}

/** The number, or null for a site that cannot be reached or is deleted: its 0 means not known. */
export function known(one, number) {
  return ["unreachable", "deleted"].includes(one.verdict) ? null : number;
}

/** @param {{candidates: any[], caption: string}} props */
export function Candidates({ candidates, caption }) {
  const hasLevels = candidates.some((one) => typeof one.level === "number" && one.free === null);
  return html`<${Table}
    caption=${caption}
    rows=${candidates}
    rowKey=${(one) => one.site}
    rowProps=${(one) => ({ class: one.verdict === "chosen" ? "chosen" : "" })}
    columns=${[
      { name: "Site", head: true, cell: (one) => html`<${SiteName} name=${one.site} />` },
      { name: "Path", names: true, cell: pathText },
      { name: "Cost", number: true, cell: (one) => count(one.path_cost) },
      { name: "Ready", number: true, cell: (one) => count(known(one, one.targets_ready)) },
      {
        name: "In flight",
        number: true,
        cell: (one) =>
          count(known(one, one.in_flight)) + (one.waiting ? `, ${count(one.waiting)} wait` : ""),
      },
      { name: "Capacity", number: true, cell: capacityText },
      { name: "Free", number: true, cell: (one) => count(one.free) },
      ...(hasLevels ? [{ name: "Level", number: true, cell: level }] : []),
      { name: "Age", number: true, cell: (one) => sinceReport(one.age_s) },
      {
        name: "Verdict",
        cell: (one) => html`<${Badge} tone=${TONES[one.verdict] ?? "bad"}>${one.verdict}<//>`,
      },
      { name: "Reason", long: true, cell: (one) => html`<span class="reason">${[one.reason, one.note].filter(Boolean).join("; ")}</span>` },
    ]}
  />`;
}

/** @param {{candidates: any[]}} props */
export function RunnerUp({ candidates }) {
  const next = runnerUp(candidates);
  return next
    ? html`<p class="muted">Runner-up: <strong>${next.site}</strong>, ${next.text}.</p>`
    : html`<p class="muted">No runner-up: no other site can take it.</p>`;
}
