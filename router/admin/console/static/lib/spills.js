// Requests that other sites serve: how many, where, and why this site did not.
import { LEAST_PER_S, listed } from "./format.js";

/** What each reason of the router says of this site, after "because". */
const WORDS = {
  full: "it has no room",
  "higher-level": "it has more in flight for each target than other sites",
  rate: "its rate is used up",
  "no-target": "it has no ready target",
  ejected: "its targets are ejected",
  draining: "it is draining",
  failover: "attempts here failed",
  policy: "the policy names other sites",
};

const FAULTS = ["no-target", "ejected", "failover"];

/** More of the requests of a service than this fail: as `status` and an alert have it. */
const FAILING_SHARE = 0.05;

/** Whether clients of a service get errors. @param {any} now */
export function isFailing(now) {
  return now.failed_per_s >= LEAST_PER_S && now.failed_per_s > FAILING_SHARE * now.requests_per_s;
}

/** The services of which other sites serve requests now, most first. @param {any} live */
export function spilling(live) {
  return live.now
    .filter((one) => one.spilled_per_s >= LEAST_PER_S)
    .sort((one, other) => other.spilled_per_s - one.spilled_per_s);
}

/** Why, the most frequent reason first. @param {any[]} nows */
export function reasons(nows) {
  /** @type {Record<string, number>} */
  const sums = {};
  for (const now of nows) {
    for (const [reason, perS] of Object.entries(now.spilled_for)) {
      sums[reason] = (sums[reason] ?? 0) + perS;
    }
  }
  return Object.keys(sums).sort((one, other) => sums[other] - sums[one]);
}

/** `it has no room and the policy names other sites` @param {string[]} found */
export function becauseOf(found) {
  return listed(found.map((reason) => WORDS[reason] ?? reason));
}

/** Whether one of the reasons is a fault here. @param {string[]} found */
export function isFault(found) {
  return found.some((reason) => FAULTS.includes(reason));
}
