// Means of the requests in flight and queued. A snapshot shows one moment and misses most requests
// that take milliseconds. The router reports the mean for this site; for other sites and for single
// targets, the page computes the mean of the last snapshots.
import { HARDLY_ANY, LEAST_PER_S, addressOf } from "../format.js";

const OVER_MS = 5000;

/** What a mean of snapshots is: a client in step with them is met in the same state each time. */
export const OF_MOMENTS = "the mean of five moments";

/** @type {{at: number, counts: Map<string, number>}[]} Of the last snapshots, oldest first. */
let seen = [];

/** Every count of a snapshot that gets a mean: its object, key and field, and the field of the mean. */
function* counted(live) {
  for (const service of live.services) {
    const port = `${service.name}:${service.port}`;
    yield [service, `${port} queued`, "queued", "queued_mean"];
    for (const one of service.sites) {
      yield [one, `${port} at ${one.id}`, "in_flight", "in_flight_mean"];
    }
    for (const one of service.targets) {
      yield [one, `${port} of ${one.name} ${addressOf(one)}`, "in_flight", "in_flight_mean"];
    }
  }
}

/**
 * Adds `queued_mean` to services, and `in_flight_mean` to their sites and targets.
 * @param {any} live @param {number} at When the snapshot arrived, in milliseconds.
 */
export function addMeans(live, at) {
  const counts = new Map();
  seen = [...seen.filter((one) => at - one.at < OVER_MS), { at, counts }];
  for (const [one, key, count, mean] of counted(live)) {
    counts.set(key, one[count]);
    const known = seen.filter((picture) => picture.counts.has(key));
    one[mean] = known.reduce((sum, picture) => sum + picture.counts.get(key), 0) / known.length;
  }
  const here = new Map(
    live.services.map((one) => [`${one.name}:${one.port}`, one.sites.find((site) => site.local)]),
  );
  for (const now of live.now) {
    const site = here.get(`${now.service}:${now.port}`);
    if (!site || now.in_flight_mean === undefined) continue;
    const served = now.begun_per_s - now.spilled_per_s - now.failed_per_s - (now.shed_per_s ?? 0) >= LEAST_PER_S;
    // The router's samples may have missed requests that came and went in between.
    site.in_flight_mean = now.in_flight_mean || (served && site.targets_ready ? HARDLY_ANY : 0);
  }
}
