// What the overview says first: where are requests served, and why there?
import { isFull } from "./capacity.js";
import { closedOnes, whyNone, withoutListener } from "./closed.js";
import { sitectl } from "./commands.js";
import { LEAST_PER_S, count, listedOf, nameOf, plural, rate } from "./format.js";
import { inOrder } from "./network/sites.js";
import {
  becauseOf, begins, idleText, isFailing, isFault, leavingText, nounOf, openElsewhere, reasons, scopeOf, servedBy, spilling,
} from "./spills.js";
import { answersErrors, answersNothing, givesNoWholeAnswer, isEjected } from "./targets.js";
import { atThisRouter } from "./words.js";

const NAMED = 3; // Services or sites that a sentence names.

/** The command that makes a first service. */
export function makeOne() {
  return sitectl("service create shop 8080");
}

/** Whether no site that may serve has room. A site without a configured capacity always has room. */
function isFullEverywhere(service) {
  const serving = service.sites.filter((site) => site.targets_ready > 0 && !site.left_out);
  return serving.length > 0 && serving.every(isFull);
}

/** Whether a site with targets takes no new request of the service: that site need not be full. */
function isDrainedAnywhere(service) {
  return service.takes === 0 || service.sites.some((site) => site.draining);
}

/** Whether a site gets no request of the service because requests fail there: that site is not full. */
function isEjectedAnywhere(service) {
  const here = service.sites.find((site) => site.local);
  return (
    service.sites.some((site) => site.ejected_s != null) ||
    (here?.targets_ready === 0 && service.targets.some(isEjected))
  );
}

/** Whether no target of a site that may serve is ready, for another reason than those above. */
function isUnreadyAnywhere(service) {
  return service.sites.some((site) => {
    const isDrained = site.draining || (site.local && service.takes === 0);
    const areEjected = site.ejected_s != null || (site.local && service.targets.some(isEjected));
    return site.targets_ready === 0 && !site.left_out && !isDrained && !areEjected;
  });
}

/** `full`, `full or drained`, `full, not ready or ejected`. */
function fullness(services) {
  const words = ["full"];
  if (services.some(isUnreadyAnywhere)) words.push("not ready");
  if (services.some(isDrainedAnywhere)) words.push("drained");
  if (services.some(isEjectedAnywhere)) words.push("ejected");
  return words.join(", ").replace(/, ([\w ]+)$/, " or $1");
}

/** @param {any} live @returns {{text: string, more: string, tone: string}} */
export function answer(live) {
  const shut = live.status.draining ? [] : withoutListener(live);
  const closed = live.services.length ? closedOnes(live) : [];
  if (!shut.length && !closed.length) {
    const open = ofTheOpen(live);
    return { ...open, more: `${open.more}${notesElsewhere(live)}` };
  }
  const [cause] = [
    ...shut.map((one) => `${nameOf(one)} has no listener here: ${one.listener.error}.`),
    ...closed.map((one) => one.message),
  ];
  const names = shut.length ? listedOf(shut.map(nameOf), NAMED) : (closed.length > 1 ? "some services" : "a service");
  return { text: `Clients cannot connect to ${names}.`, more: `${cause}${ofOthers(live)}`, tone: "bad" };
}

/** The answer for all services that listen here. */
function ofOthers(live) {
  const shut = live.services.filter((one) => one.listener.state !== "bound");
  const gone = shut.map((one) => `${one.name}:${one.port}`);
  const services = live.services.filter((one) => !gone.includes(`${one.name}:${one.port}`));
  if (!services.length) return "";
  const now = live.now.filter((one) => !gone.includes(`${one.service}:${one.port}`));
  const { text, more } = ofTheOpen({ ...live, services, now });
  return ` Other services: ${text} ${more}`;
}

/** The answer for services that clients can connect to. */
function ofTheOpen(live) {
  if (live.status.draining) {
    return {
      text: `${live.status.replicas > 1 ? "This router of " : ""}${live.status.name} is stopping.`,
      more: "Open requests may finish; no new requests start here.",
      tone: "warn",
    };
  }
  const [reason] = whyNone(live);
  if (!live.services.length && reason) {
    return {
      text: "No service is open here.",
      more: reason.message,
      tone: "warn",
    };
  }
  if (!live.services.length) {
    return {
      text: "No services.",
      more: `Make one: ${makeOne()}, or ${sitectl("expose …")}`,
      tone: "calm",
    };
  }
  const away = spilling(live);
  const failed = live.now.filter((one) => one.failed_per_s >= LEAST_PER_S);
  const losing = `${perSecond(failed, "failed_per_s", "fail")}${givenUp(live)}`;
  const full = live.services.filter(isFullEverywhere);
  const failing = live.now.filter(isFailing);
  if (full.length && !hidesFailures(live, full, failing)) {
    const gone = notReached(full);
    return {
      text: `${listedOf(full.map(nameOf), NAMED)} ${
        full.length === 1 ? "is" : "are"
      } ${fullness(full)} at every site that ${gone.length ? "is reached and " : ""}may serve ${
        full.length === 1 ? "it" : "them"
      }.`,
      more: `${full.some((one) => one.queued_mean > 0) ? `${begins(nounOf(full))}s wait for room here.` : `No ${nounOf(full)} waits for room here.`}${losing}${besides(live)}${leftOut(live, full)}${
        gone.length ? ` ${listedOf(gone, NAMED)} ${gone.length === 1 ? "is" : "are"} not reached.` : ""
      }`,
      tone: "bad",
    };
  }
  const requests = live.now.reduce((sum, one) => sum + one.requests_per_s, 0);
  if (failing.length) return failingNow(live, failing, failed);
  if (!away.length) {
    return servedHere(live, requests, losing);
  }
  const wrong = `${silentHere(live)}${failedHere(live)}`;
  const where = inOrder(live, away.flatMap(servedBy));
  const who = listedOf(away.map(nameOf), NAMED);
  const { now, began } = reasons(away, live.services);
  return {
    text: `${who} ${away.length === 1 ? "spills" : "spill"} to ${listedOf(where, NAMED)}.`,
    more: `${howMuch(live, away)} ${now.length ? "leave" : "left"} ${live.status.name} because ${becauseOf(now, began)}.${losing}${besides(live)}${wrong}`,
    tone: losing || wrong || isFault(now) ? "warn" : "info",
  };
}

/**
 * Whether other services fail while no client here meets the ``full`` ones, so that those are not
 * the news. ``failing``: services where a large share of requests fails.
 */
function hidesFailures(live, full, failing) {
  const met = servicesOf(live, live.now.filter((one) => one.failed_per_s >= LEAST_PER_S));
  return failing.length > 0 && !full.some((one) => one.queued_mean > 0 || met.includes(one));
}

/** ` 4/s fail at shop.` for ``services``; empty: there are no services. */
function perSecond(services, field, verb) {
  if (!services.length) return "";
  const perS = services.reduce((sum, one) => sum + one[field], 0);
  return ` ${rate(perS)} ${verb} at ${listedOf(services.map(nameOf), NAMED)}.`;
}

/** Requests that their clients give up: neither failures of the service nor served. */
function givenUp(live) {
  const services = live.now.filter((one) => one.gave_up_per_s >= LEAST_PER_S);
  return perSecond(services, "gave_up_per_s", "are given up by clients");
}

/** Sheddable requests that make way for others: not a failure, because this is configured. */
function shedNow(live) {
  const services = live.now.filter((one) => one.shed_per_s >= LEAST_PER_S);
  return perSecond(services, "shed_per_s", "are shed");
}

/** Requests that this router answers itself, because they are malformed, too large or too slow. */
function rejectedNow(live) {
  const services = live.now.filter((one) => one.rejected_per_s >= LEAST_PER_S);
  return perSecond(services, "rejected_per_s", "are refused here with 4xx");
}

/** Requests that are neither served nor failures of a service. */
function besides(live) {
  return `${shedNow(live)}${rejectedNow(live)}`;
}

/** Sites that offered one of the services lately and cannot be reached. @param {any[]} services */
function notReached(services) {
  const gone = services.flatMap((one) => one.absent ?? []);
  return [...new Set(gone.filter((one) => one.verdict === "unreachable").map((one) => one.site))];
}

/** The rules that leave out sites with room. @param {any} live @param {any[]} services */
function leftOut(live, services) {
  const names = services.map((one) => `${one.name}:${one.port}`);
  return live.now
    .filter((one) => one.left_out && names.includes(`${one.service}:${one.port}`))
    .slice(0, 3)
    .map((one) => ` ${one.left_out}`)
    .join("");
}

/** `4/s of 9/s`, `5 open connections`, `4/s and 2 open requests`. */
function howMuch(live, away) {
  const begun = live.now.reduce((sum, one) => sum + one.begun_per_s, 0);
  const perS = away.reduce((sum, one) => sum + one.spilled_per_s, 0);
  const open = away.reduce((sum, one) => sum + openElsewhere(one), 0);
  const here = atThisRouter(live.status);
  if (perS >= LEAST_PER_S && perS <= begun) return `${rate(perS)} of ${rate(begun)}${here}`;
  if (!open) return `${rate(perS)}${here}`;
  const noun = nounOf(servicesOf(live, away.filter((one) => openElsewhere(one) > 0)));
  const opened = `${plural(open, `open ${noun}`)}${here}`;
  return perS >= LEAST_PER_S ? `${rate(perS)} and ${opened}` : opened;
}

/**
 * The answer while clients get errors, wherever requests are served. `failing`: services where a large
 * share of requests fails; `failed`: services where some requests fail.
 */
function failingNow(live, failing, failed) {
  const others = failed.filter((one) => !failing.includes(one));
  const perS = failed.reduce((sum, one) => sum + one.failed_per_s, 0);
  const whole = live.now.reduce((sum, one) => sum + one.failed_of_per_s, 0);
  const dead = live.services.filter((one) => !one.sites.some((site) => site.targets_ready > 0));
  const names = dead.map((one) => `${one.name}:${one.port}`);
  const unserved = failing.filter((one) => names.includes(`${one.service}:${one.port}`));
  const gone = notReached(dead);
  const shut = servicesOf(live, unserved).filter((one) => one.takes === 0);
  const drained = shut.length ? ` ${live.status.name} is drained of ${listedOf(shut.map(nameOf), NAMED)}.` : "";
  const because = unserved.length
    ? ` ${listedOf(unserved.map(nameOf), NAMED)}: no ready target at any site${
        gone.length ? ` that is reached; ${listedOf(gone, NAMED)} ${gone.length === 1 ? "is" : "are"} not` : ""
      }.${drained}`
    : "";
  return {
    text: `${begins(nounOf(servicesOf(live, [...failing, ...others])))}s fail at ${listedOf([...failing, ...others].map(nameOf), NAMED)}.`,
    more: `${rate(perS)} of ${rate(whole)} fail${atThisRouter(live.status)}.${because}${silentHere(live)}${failedHere(live)}${givenUp(live)}${besides(live)}`,
    tone: "bad",
  };
}

/** The services that the figures `nows` belong to. @param {any} live @param {any[]} nows */
function servicesOf(live, nows) {
  const names = nows.map((one) => `${one.service}:${one.port}`);
  return live.services.filter((one) => names.includes(`${one.name}:${one.port}`));
}

/** The answer while no other site serves a request of this site. */
function servedHere(live, requests, losing) {
  const down = live.services.filter(isDownHere).map(nameOf);
  const dead = down.length ? ` ${listedOf(down, NAMED)}: no ready target here.` : "";
  const silent = silentHere(live);
  const notes = notesHere(live);
  const wrong = `${silent}${failedHere(live)}${notes}`;
  const leaving = leavingText(live.services);
  const begun = requests > 0 && leaving ? ` ${begins(leaving)}.` : "";
  return {
    text: requests > 0 ? servedText(live, losing || silent || notes, begun) : idleText(live.services, live.now, live.status),
    more: `${rate(requests)}${requests > 0 ? "" : ` from this ${scopeOf(live.status)}'s clients`} in ${plural(live.services.length, "service")}.${begun}${losing}${besides(live)}${dead}${wrong}`,
    tone: losing || dead || wrong ? "warn" : "good",
  };
}

/** Which services have targets here that accept connections and answer nothing. */
function silentHere(live) {
  return told(live, answersNothing, "answers nothing", "answer nothing");
}

/** Which services have targets here that failed requests lately: some may have stopped doing so. */
function failedHere(live) {
  const errors = "answered 5xx in the last minute";
  const torn = "gave some requests no whole answer in the last minute"; // Reset, torn or late.
  return told(live, answersErrors, errors, errors) + told(live, givesNoWholeAnswer, torn, torn);
}

/** ` A target of shop answers nothing.`; empty: no target does. */
function told(live, whose, does, many) {
  const services = live.services.filter((one) => one.targets.some(whose));
  if (!services.length) return "";
  const names = listedOf(services.map(nameOf), NAMED);
  const targets = services.flatMap((one) => one.targets);
  const found = targets.filter(whose).length;
  return found === 1
    ? ` A target of ${names} ${does}.`
    : ` ${count(found)} of ${count(targets.length)} targets of ${names} ${many}.`;
}

/** Which part of this site takes no request of a service, and why. */
function notesHere(live) {
  const told = live.services.flatMap((service) =>
    service.sites.filter((site) => site.local && site.note).map((site) => ` ${nameOf(service)}: ${site.note}.`),
  );
  const more = told.length > NAMED ? ` ${plural(told.length - NAMED, "more service is", "more services are")} affected.` : "";
  return `${told.slice(0, NAMED).join("")}${more}`;
}

/** Which other sites take no request, though they show free slots, and why. */
function notesElsewhere(live) {
  if (live.status.draining) return "";
  const told = live.services.flatMap((service) =>
    service.sites.filter((site) => !site.local && site.note).map((site) => ` ${site.site}: ${site.note}.`),
  );
  return [...new Set(told)].slice(0, NAMED).join("");
}

function servedText(live, losing, begun) {
  const noun = nounOf(live.services);
  const valid = rejectedNow(live) ? "valid " : "";
  if (givenUp(live)) return "Some requests get no answer.";
  if (losing) return `Every ${noun} that succeeds is served here.`;
  if (shedNow(live)) return `All ${valid}requests except shed ones are served here.`;
  return begun ? `Every ${valid}${noun} that ended was served here.` : `Every ${valid}${noun} is served here.`;
}

function isDownHere(service) {
  const { total, ready } = service.local_targets;
  return total > 0 && ready === 0 && service.takes !== 0;
}
