// Requests that other sites serve: how many, where, and why this site did not.
import { LEAST_PER_S, count, listed, mean, plural, rate } from "./format.js";

/** Each of the router's reasons as a clause about this site, after "because". */
const WORDS = {
  full: "it has no room",
  "above-mark": "it keeps its last slots in reserve",
  "sheddable-share": "it keeps its last slots from sheddable requests",
  "higher-level": "it has more in flight for each target than other sites",
  rate: "its rate is used up",
  drained: "it is drained",
  "no-target": "it has no ready target",
  bare: "it has no target of its own",
  ejected: "it has ejected targets and no ready one",
  failover: "attempts here failed",
  policy: "the policy chooses other sites too",
  session: "sessions stay at other sites",
};

/** The same for requests still open: the reason held when they began, and may be gone. */
const BEGAN = {
  full: "it had no room",
  "above-mark": "it kept its last slots in reserve",
  "sheddable-share": "it kept its last slots from sheddable requests",
  "higher-level": "it had more in flight for each target than other sites",
  rate: "its rate was used up",
  drained: "it was drained",
  "no-target": "it had no ready target",
  bare: "it had no target of its own",
  ejected: "it had ejected targets and no ready one",
  failover: "attempts here failed",
  policy: "the policy chose other sites too",
  session: "their sessions were at other sites",
};

const FAULTS = ["no-target", "ejected", "failover"];

/** A service fails if more of its requests than this fail; `status` and an alert use the same share. */
const FAILING_SHARE = 0.05;

/** A smaller mean of requests in flight is only the remainder of something that ended. */
const LEAST_IN_FLIGHT = 0.05;

/** Whether clients of a service get errors. @param {any} now */
export function isFailing(now) {
  return now.failed_per_s >= LEAST_PER_S && now.failed_per_s > FAILING_SHARE * now.requests_per_s;
}

/** Connections and answers under way that other sites serve now. @param {any} now */
export function openElsewhere(now) {
  return Object.values(now.open_to ?? {}).reduce((sum, one) => sum + one, 0);
}

/**
 * The sentence to show while no request of this site's clients ends and no other site serves any.
 * Some requests may still be under way or wait, and TCP connections be open or wait. Requests of
 * other sites' clients may end here.
 * @param {any[]} services @param {any[]} nows Of these services. @param {any} status Of the site.
 */
export function idleText(services, nows, status) {
  const ours = (isTcp) =>
    services
      .filter((one) => (one.protocol === "tcp") === isTcp)
      .reduce((sum, one) => sum + one.under_way, 0);
  const open = ours(true);
  const waits = services.some((one) => one.protocol === "tcp" && one.queued);
  const underWay = ours(false) + (waits ? open : 0);
  if (underWay) {
    const begun = services.reduce((sum, one) => sum + one.under_way - one.queued, 0);
    const whose = servesOthers(services, begun) ? ` of clients of this ${scopeOf(status)}` : "";
    return `No ${nounOf(services)}${whose} ended in the last seconds: ${plural(underWay, "is", "are")} under way.`;
  }
  if (open) return `${plural(open, "open connection is", "open connections are")} served here.`;
  const others = nows.reduce((sum, one) => sum + one.in_flight_mean, 0);
  if (others >= LEAST_IN_FLIGHT) {
    return `Only clients of other ${scopeOf(status)}s are served here: ${mean(others)} in flight on average.`;
  }
  if (services.some((one) => one.sites.some((site) => site.local && site.note))) {
    return "No request ended in the last seconds."; // Some may wait for a silent worker.
  }
  return `No ${nounOf(services)}s at the moment.`;
}

/**
 * `8 more are under way at other sites`; empty: none. If no other site serves any yet, these are the
 * first ones to spill: a request counts as spilled once a target of another site has it.
 * @param {any[]} services
 */
export function leavingText(services) {
  const away = services.reduce((sum, one) => sum + one.under_way_elsewhere, 0);
  return away ? `${plural(away, "more is", "more are")} under way at other sites` : "";
}

/** Whose clients the figures count: each of a site's routers counts only its own clients. */
export function scopeOf(status) {
  return status.replicas > 1 ? "router" : "site";
}

/** Whether more requests are in flight at this site than `ours`, those of its own clients. */
function servesOthers(services, ours) {
  const here = services.flatMap((one) => one.sites.filter((site) => site.local));
  return here.reduce((sum, site) => sum + site.in_flight, 0) > ours;
}

/** What the services count: connections if all are tcp, else requests. @param {any[]} services */
export function nounOf(services) {
  return services.length && services.every((one) => one.protocol === "tcp") ? "connection" : "request";
}

/** ``text`` as the beginning of a sentence. @param {string} text */
export function begins(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** The services that spill requests to other sites now, most first. @param {any} live */
export function spilling(live) {
  return live.now
    .filter((one) => one.spilled_per_s >= LEAST_PER_S || openElsewhere(one) > 0)
    .sort(
      (one, other) =>
        other.spilled_per_s - one.spilled_per_s || openElsewhere(other) - openElsewhere(one),
    );
}

/** The sites that serve requests of a service for this one. @param {any} now */
export function servedBy(now) {
  return [...new Set([...Object.keys(now.spilled_to), ...Object.keys(now.open_to ?? {})])];
}

/**
 * How much spills: `4/s`, `5 open`, or both. A rate does not show connections that stay open.
 * @param {number | undefined} perS @param {number} open
 */
export function spillText(perS, open) {
  if (!open) return rate(perS);
  return perS >= LEAST_PER_S ? `${rate(perS)}, ${count(open)} open` : `${count(open)} open`;
}

/** Like `spillText`, for one service. @param {any} now */
export function spilledText(now) {
  return now ? spillText(now.spilled_per_s, openElsewhere(now)) : rate(undefined);
}

/**
 * Why requests spill, the most frequent reason first. `began` has the reasons that are over, and those
 * for which requests still open began.
 * @param {any[]} nows @param {any[]} services
 */
export function reasons(nows, services) {
  const [lately, open] = [[], []];
  for (const one of nows) {
    const isBare = serviceOf(one, services)?.local_targets.total === 0;
    if (one.spilled_per_s >= LEAST_PER_S) lately.push({ ...one, spilled_for: named(one.spilled_for, isBare) });
    else open.push(named(one.open_for, isBare));
  }
  const found = byNumber(lately.map((one) => one.spilled_for));
  const over = found.filter((reason) => isOver(reason, lately, services));
  const now = found.filter((one) => !over.includes(one));
  const began = [...over, ...byNumber(open)];
  return { now, began: [...new Set(began)].filter((one) => !now.includes(one)) };
}

/** A site without any target of its own, as where only clients are, lacks none that is ready. */
function named(counts, isBare) {
  if (!isBare || !counts["no-target"]) return counts;
  const { "no-target": bare, ...others } = counts;
  return { ...others, bare };
}

function serviceOf(now, services) {
  return services.find((one) => one.name === now.service && one.port === now.port);
}

/** For each reason, whether it no longer holds, judged by this site's state of the service. */
const IS_OVER = {
  full: (service, now) => isDownHere(service) || (now.more_slots > 0 && hasRoomHere(service)),
  "above-mark": isDownHere,
  "sheddable-share": isDownHere,
  "higher-level": isDownHere,
  policy: (service) => isDownHere(service) || NEAREST.includes(service.policy),
  drained: (service) => service.takes === 1,
  "no-target": isReadyHere,
  ejected: isReadyHere,
  rate: (service) => isDownHere(service) || !localPartOf(service)?.rate,
};

/** Policies that send no request elsewhere while this site takes it. */
const NEAREST = ["fill", "failover"];

function hasRoomHere(service) {
  const here = localPartOf(service);
  return here?.targets_ready > 0 && (here.capacity === null || here.in_flight < here.capacity);
}

function isReadyHere(service) {
  return localPartOf(service)?.targets_ready > 0;
}

/** Without a ready target here, no other reason holds. @param {any} service */
function isDownHere(service) {
  return !isReadyHere(service);
}

function localPartOf(service) {
  return service.sites.find((one) => one.local);
}

/** Whether ``reason`` no longer holds for any service. @param {string} reason @param {any[]} nows @param {any[]} services */
function isOver(reason, nows, services) {
  return nows
    .filter((now) => now.spilled_for[reason])
    .every((now) => IS_OVER[reason]?.(serviceOf(now, services), now) ?? false);
}

/** @param {Record<string, number>[]} counts */
function byNumber(counts) {
  /** @type {Record<string, number>} */
  const sums = {};
  for (const [reason, number] of counts.flatMap((one) => Object.entries(one))) {
    sums[reason] = (sums[reason] ?? 0) + number;
  }
  return Object.keys(sums).sort((one, other) => sums[other] - sums[one]);
}

/**
 * `it has no room and the policy chooses other sites too`. ``began``: for requests still open, in the
 * past tense.
 * @param {string[]} now @param {string[]} [began]
 */
export function becauseOf(now, began = []) {
  return listed([
    ...now.map((reason) => WORDS[reason] ?? reason),
    ...began.map((reason) => BEGAN[reason] ?? reason),
  ]);
}

/** Whether one of the reasons is a fault here. @param {string[]} found */
export function isFault(found) {
  return found.some((reason) => FAULTS.includes(reason));
}
