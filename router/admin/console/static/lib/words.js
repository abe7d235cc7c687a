// States of sites and links in a word, the same on every page.
import { count, plural } from "./format.js";

/** @param {any} link @returns {{word: string, tone: "good" | "warn" | "bad" | "calm" | "info"}} */
export function linkState(link) {
  switch (link.state) {
    case "up":
      if (link.silent_since) return { word: "silent", tone: "warn" };
      if (link.workers_down?.length) {
        const up = count(link.workers - link.workers_down.length);
        return { word: `up (${up} of ${plural(link.workers, "worker")})`, tone: "warn" };
      }
      return link.standby ? { word: "standby", tone: "info" } : { word: "up", tone: "good" };
    case "draining":
      return { word: "draining", tone: "warn" };
    case "connecting":
      return link.error ? { word: "connecting", tone: "warn" } : { word: "connecting", tone: "calm" };
    case "refused":
      return { word: "refused", tone: "bad" };
    default:
      return { word: link.state, tone: "bad" };
  }
}

/** `3 sites`, or `2 of 3 sites reachable`, as `status` counts them. @param {any} status */
export function sitesReachable(status) {
  const known = status.sites_known || status.sites;
  const all = plural(known, "site");
  return status.sites === known ? all : `${count(status.sites)} of ${all} reachable`;
}

/** The links of this site that are not up. @param {any} live */
export function linksDown(live) {
  return live.links.filter((link) => link.state !== "up" && !link.succeeded);
}

/** `1 of 2 links up (1 silent, 1 not at every worker)`, of this site's links as `status` counts them. @param {any} live */
export function linksUp(live) {
  const all = live.links.filter((link) => !link.succeeded).length;
  const silent = linksSilent(live).length;
  const partly = linksPartly(live).length;
  const up = `${count(all - linksDown(live).length)} of ${plural(all, "link")} up`;
  const notes = [silent && `${count(silent)} silent`, partly && `${count(partly)} not at every worker`];
  const words = silent || partly ? `${up} (${notes.filter(Boolean).join(", ")})` : up;
  return words + atThisRouter(live.status);
}

/** Where links are counted: each of several routers of a site knows only its own. @param {any} status */
export function atThisRouter(status) {
  return status.replicas > 1 ? " at this router" : "";
}

/**
 * `Requests … are those of this router, one of 2.`: each of several routers of a site counts its own.
 * @param {any} status
 */
export function whoseRequests(status) {
  if (!(status.replicas > 1)) return "";
  return `Requests, latencies and the capacity of targets are those of this router, one of ${count(status.replicas)}.`;
}

/** The links that have no connection at some workers. @param {any} live */
export function linksPartly(live) {
  return live.links.filter((link) => link.workers_down.length);
}

/** The links over which nothing arrives. @param {any} live */
export function linksSilent(live) {
  return live.links.filter((link) => link.silent_since);
}

/** @param {any} site @param {any} live */
export function siteState(site, live) {
  if (site.id === live.status.id) return { word: "this site", tone: "info" };
  if (site.reachable && site.barred_by.length) return { word: "barred", tone: "warn" };
  if (site.draining) return { word: "draining", tone: "warn" };
  return site.reachable
    ? { word: "reachable", tone: "good" }
    : { word: "not reachable", tone: "bad" };
}

/** An edge's state in a word, from this site's own links or from the reports of both ends. */
export function edgeState(edge) {
  if (edge.links.length) {
    const states = edge.links.map(linkState);
    return states.find((one) => one.tone === "good") ?? states[0];
  }
  if (!edge.isTold) return { word: "not known", tone: "calm" };
  return edge.cost !== null && edge.back !== null
    ? { word: "up", tone: "good" }
    : { word: "one end only", tone: "warn" };
}

/** Whether two sites can reach each other over this edge. */
export function isUp(edge) {
  return edge.links.length
    ? edge.links.some((link) => link.state === "up")
    : edge.cost !== null && edge.back !== null;
}

/** The cost of a step over an edge; both costs when the ends differ. */
export function costOf(edge) {
  const [one, other] = [edge.cost, edge.back];
  if (one === null && other === null) {
    return edge.links.length ? String(Math.min(...edge.links.map((link) => link.cost))) : "–";
  }
  return one === other || other === null || one === null ? String(one ?? other) : `${one}/${other}`;
}
