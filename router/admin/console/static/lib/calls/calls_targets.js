// This site's targets as places behind it in the service graph, with the lines to them. Pure.
import { OTHERS, STAYS, idOf, serviceOf } from "./calls.js";
import { count } from "../format.js";

/** How many targets get a separate place; the rest share one. */
export const TARGETS_MAX = 14;

/** @typedef {{site: {name: string, id: string} | null, crosses: boolean, requests_total: number,
 *   failed_total: number, rate_per_s: number, failed_per_s: number}} ClientSite */

/** @typedef {{service: string, port: number, name: string, address: string | null,
 *   ready: boolean | null, drained: boolean, requests_total: number, failed_total: number, open: number,
 *   rate_per_s: number, failed_per_s: number, p50_s: number | null, p99_s: number | null,
 *   client_sites?: ClientSite[], history: [number, number][] | null}} Target As in the API. */

/** @param {Target} target */
export const targetOf = (target) => `${serviceOf(target)} ${target.address ?? OTHERS}`;

/** @param {Target} target */
export const targetText = ({ name, address }) => (address ? `${name} ${address}` : name);

/** @param {ClientSite} told */
export const clientSiteText = ({ site }) => site?.name ?? "other sites";

/** The keys of targets that get a separate place. @param {Target[]} targets @param {Set<string>} before */
function ownPlaces(targets, before) {
  const apart = targets.filter(({ address }) => address !== null);
  if (apart.length <= TARGETS_MAX + 1) return new Set(apart.map(targetOf));
  const weights = apart.map((one) => {
    const key = targetOf(one);
    return { key, weight: (one.rate_per_s + one.open) * (before.has(key) ? STAYS : 1), total: one.requests_total };
  });
  weights.sort(
    (one, other) => other.weight - one.weight || other.total - one.total || one.key.localeCompare(other.key),
  );
  return new Set(weights.slice(0, TARGETS_MAX).map(({ key }) => key));
}

/** The targets that a key selects. `OTHERS` selects those without a separate place. @param {Target[]} targets @param {string} key @param {Set<string>} shown */
export function targetsOf(targets, key, shown) {
  return targets.filter((one) => (key === OTHERS ? !shown.has(targetOf(one)) : targetOf(one) === key));
}

/** @param {Target[]} targets */
function stateOf(targets) {
  if (targets.some(({ ready, drained }) => ready || drained)) return "here";
  return targets.some(({ ready }) => ready === false) ? "down" : targets.some(({ address }) => address) ? "gone" : "here";
}

/**
 * The place of some targets. Its `near` has the calls that they may have served.
 * @param {string} key @param {Target[]} targets @param {{name: string, id: string}} site
 * @param {import("./calls.js").Edge[]} edges
 */
export function targetItem(key, targets, site, edges) {
  const services = new Set(targets.map(serviceOf));
  const [{ address, name }] = targets;
  const isAlone = key !== OTHERS && address !== null;
  const number = targets.filter((one) => one.address !== null).length;
  const others = number ? `${count(number)} other target${number === 1 ? "" : "s"}` : "other targets";
  const choice = { on: key };
  return {
    id: idOf(choice),
    column: 6,
    choice,
    label: isAlone ? address : key === OTHERS ? others : name,
    short: isAlone ? address.slice(0, address.lastIndexOf(":")) : number ? `${count(number)} others` : "others",
    edges: targets,
    near: edges.filter((edge) => edge.site?.id === site.id && services.has(serviceOf(edge))),
    behind: site.id,
    place: stateOf(targets),
    site,
  };
}

/** Lines from this site to a place of targets: for clients here, and for clients of other sites. */
function linesTo(item) {
  const told = item.edges.flatMap((target) => target.client_sites ?? []);
  const away = told.filter(({ crosses }) => crosses);
  const sum = (all, of) => all.reduce((total, one) => total + of(one), 0);
  const perS = (one) => one.rate_per_s;
  const failed = (one) => one.failed_per_s;
  const incoming = { perS: sum(away, perS), failedPerS: sum(away, failed) };
  const own = {
    perS: Math.max(0, sum(item.edges, perS) - incoming.perS),
    failedPerS: Math.max(0, sum(item.edges, failed) - incoming.failedPerS),
  };
  const isOnlyAway = told.length > 0 && away.length === told.length;
  const names = [...new Set(away.map(clientSiteText))];
  const from = names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  const line = (place, drawn, label) => ({
    ...item,
    id: `${item.id} ${place}`,
    column: 5,
    place,
    drawn,
    label: `${label} → ${item.label}`,
    short: item.short,
  });
  return [
    ...(isOnlyAway ? [] : [line("here", own, item.site.name)]),
    ...(away.length ? [line("incoming", incoming, `clients of ${from} → ${item.site.name}`)] : []),
  ];
}

/** Adds this site's place if it is missing because the site served no request of its own clients. */
function withSite(places, site) {
  const choice = { at: site.id };
  if (places.some((item) => item.choice.at === site.id)) return places;
  const item = { id: idOf(choice), column: 4, choice, label: site.name, short: site.name, edges: [], place: "here", site };
  return [item, ...places];
}

/**
 * The columns of the picture, followed by those of the targets.
 * @param {any[][]} columns @param {import("./calls.js").Edge[]} edges @param {Target[]} targets
 * @param {{name: string, id: string}} site This site. @param {Set<string>} before Keys that had a place.
 * @returns {{columns: any[][], shownTargets: Set<string>}}
 */
export function withTargets(columns, edges, targets, site, before) {
  const shownTargets = ownPlaces(targets, before);
  if (!targets.length) return { columns: [...columns, [], []], shownTargets };
  const inOrder = [...targets].sort(
    (one, other) =>
      serviceOf(one).localeCompare(serviceOf(other)) ||
      (one.address ?? "").localeCompare(other.address ?? "", undefined, { numeric: true }),
  );
  const places = inOrder
    .filter((one) => shownTargets.has(targetOf(one)))
    .map((one) => targetItem(targetOf(one), [one], site, edges));
  const rest = targetsOf(inOrder, OTHERS, shownTargets);
  if (rest.length) places.push(targetItem(OTHERS, rest, site, edges));
  const [callers, strands, services, ribbons, sites] = columns;
  return {
    columns: [callers, strands, services, ribbons, withSite(sites, site), places.flatMap(linesTo), places],
    shownTargets,
  };
}
