// All services at a glance, or one service with its targets, its river and the routing decision.
import { html, useMemo } from "../lib/html.js";
import { SiteName } from "../lib/charts/colours.js";
import { inFlightOf, isDrainedHere, ofRates, usedOf } from "../lib/capacity.js";
import { CallersCard } from "../lib/calls/callers_card.js";
import { Closed, closedOnes, whyNone } from "../lib/closed.js";
import { advised, sitectl } from "../lib/commands.js";
import { LEAST_PER_S, addressOf, count, latency, mean, percent, plural, portName, quantile, rate, shellWord, sinceReport } from "../lib/format.js";
import { GAP_MS, KEPT_MS } from "../lib/recent.js";
import { OF_MOMENTS } from "../lib/charts/means.js";
import { River, sharesOf, unitOf } from "../lib/charts/river.js";
import { href, setParams } from "../lib/route.js";
import { byCost } from "../lib/network/sites.js";
import { begins, idleText, isFailing, leavingText, nounOf, servedBy, spilledText } from "../lib/spills.js";
import { useAnswer } from "../lib/store.js";
import { Elsewhere, Targets, answersErrors, answersNothing, givesNoWholeAnswer } from "../lib/targets.js";
import { Badge, Card, Copy, Empty, Failed, Loading, Meter, Sparkline, Table } from "../lib/ui.js";
import { Candidates, known, RunnerUp } from "../lib/why.js";
import { whoseRequests } from "../lib/words.js";

export const title = "Services";

const HISTORY_MS = 5000; // A step of the history.
const WHY_MS = 2000;
const SHARE_S = 60;

export function heading(route, live) {
  const asked = route.rest[0];
  return (live && asked && found(live, asked)?.routing_key) || (asked ?? title);
}

export function command(route) {
  return route.rest[0]
    ? sitectl("why", shellWord(route.rest[0]))
    : sitectl("service status");
}

/** @param {any} one */
function named(one) {
  return `${one.name ?? one.service}:${one.port}`;
}

/** The service port that `NAME` or `NAME:PORT` refers to; null: none. @param {any} live @param {string} text */
export function found(live, text) {
  return (
    live.services.find((one) => named(one) === text) ??
    live.services.find((one) => one.name === text) ??
    null
  );
}

export function View({ live, route }) {
  return route.rest[0]
    ? html`<${Service} live=${live} route=${route} key=${route.rest[0]} />`
    : html`<${List} live=${live} />`;
}

function List({ live }) {
  const histories = useAnswer("history", {}, HISTORY_MS);
  if (!live.services.length && whyNone(live).length) {
    return html`<${Card}><${Closed} problems=${whyNone(live)} /><//>`;
  }
  if (!live.services.length) {
    return html`<${Card}
      ><${Empty} hint=${html`<code>${sitectl("expose …")}</code> or <code>${sitectl("service create …")}</code>`}
        >No services.<//
      ><//
    >`;
  }
  const nowOf = (one) => live.now.find((now) => now.service === one.name && now.port === one.port);
  const history = (one) =>
    (histories.value ?? []).find((kept) => kept.service === one.name && kept.port === one.port);
  return html`<${Card}>
    <p class="muted note">
      Figures cover the last few seconds. In flight and queued are means of 5 s. ${ofRates(live.services)}
      ${whoseRequests(live.status)}
    </p>
    <${Table}
      caption="Services"
      rows=${live.services}
      rowKey=${named}
      columns=${[
        {
          name: "Service",
          head: true,
          cell: (one) => html`<a class="strong" href=${href("services", {}, named(one))}>${portName(one)}</a>
            <span class="muted nowrap"> ${one.protocol}, ${one.policy}</span>`,
        },
        { name: "In flight here", cell: (one) => html`<${Local} service=${one} />` },
        {
          name: "In flight, last 15 min",
          cell: (one) => html`<${Lately} history=${history(one)} name=${named(one)} />`,
        },
        { name: "Requests", number: true, cell: (one) => rate(nowOf(one)?.begun_per_s) },
        {
          name: "Spilled",
          number: true,
          cell: (one) =>
            nowOf(one) && servedBy(nowOf(one)).length
              ? html`<${Badge} tone="warn" title=${nowOf(one).why}>${spilledText(nowOf(one))}<//>`
              : noneOf(nowOf(one)),
        },
        {
          name: "Failed",
          number: true,
          cell: (one) =>
            nowOf(one)?.failed_per_s > 0
              ? html`<${Badge} tone="bad">${rate(nowOf(one).failed_per_s)}<//>`
              : noneOf(nowOf(one)),
        },
        { name: "Queued", number: true, cell: (one) => mean(one.queued_mean) },
        { name: "p50", number: true, cell: (one) => quantile(nowOf(one)?.p50_s) },
        { name: "p99", number: true, cell: (one) => quantile(nowOf(one)?.p99_s) },
        { name: "Sites", number: true, cell: (one) => count(one.sites.length) },
      ]}
    />
    ${[...new Set(live.services.map((one) => one.removed).filter(Boolean))].map(
      (text) => html`<p class="note">${text}</p>`,
    )}
  <//>`;
}

/** `none` if the last seconds are known, else a dash. @param {any} now */
function noneOf(now) {
  return now ? "none" : "–";
}

/** This site's part in a service, or a badge: the site is drained, or has no ready target. */
function Local({ service }) {
  const { total, ready } = service.local_targets;
  if (isDrainedHere(service)) return html`<${Drained} />`;
  return total > 0 && ready === 0 && service.takes !== 0
    ? html`<${Badge} tone="bad">${`0 of ${plural(total, "target")}`}<//>`
    : html`<${Here} site=${service.sites.find((one) => one.local)} />`;
}

function Drained() {
  return html`<${Badge} tone="warn">drained<//>`;
}

/** A site's part in a service. */
function Here({ site }) {
  if (!site) return html`<span class="muted">no targets</span>`;
  if (!site.targets_ready) return html`<span class="muted">no ready target</span>`;
  const used = usedOf(site);
  if (!used) {
    return html`<span class="number">${mean(inFlightOf(site))}</span><span class="muted">, no limit</span>`;
  }
  return html`<span class="bar-and-words">
    <${Meter} value=${used.value} limit=${used.limit} full=${used.full} label=${used.label} />
    <span class="number nowrap">${used.words}</span>
  </span>`;
}

function Lately({ history, name }) {
  if (!history?.samples.length) return html`<span class="muted">–</span>`;
  const points = history.samples.map((one) => [
    Date.parse(one.at),
    one.in_flight.reduce((all, part) => all + part, 0),
  ]);
  const most = Math.max(...points.map(([, value]) => value));
  const [to, last] = points.at(-1);
  return html`<span class="bar-and-words">
    <${Sparkline}
      points=${points}
      from=${to - KEPT_MS}
      to=${to}
      gap=${GAP_MS}
      label=${`${name}: in flight everywhere, most ${mean(most)}, last ${mean(last)}`}
    />
    <span class="muted small number nowrap">0 to ${mean(most)}</span>
  </span>`;
}

function Service({ live, route }) {
  const service = found(live, route.rest[0]);
  const site = route.params.site ?? "";
  const asked = service ? named(service) : route.rest[0];
  const history = useAnswer(service ? "history" : null, { service: asked, site }, HISTORY_MS);
  const knees = useAnswer(service ? "knees" : null, { service: service?.name }, HISTORY_MS);
  if (!service) {
    return html`<${Card}
      ><${Empty} hint=${html`<a href=${href("services")}>All services</a>`}
        >No service ${route.rest[0]} is known here.<//
      ><${Closed} problems=${live.services.length ? closedOnes(live) : whyNone(live)} /><//
    >`;
  }
  const now = live.now.find((one) => one.service === service.name && one.port === service.port);
  const kept = history.value?.find((one) => one.port === service.port) ?? null;
  return html`<div class="sections">
    ${service.removed && html`<p class="statement">${service.removed}</p>`}
    <p class="statement">${statement(service, now, live)}</p>
    <${Figures} service=${service} now=${now} />
    ${whoseRequests(live.status) && html`<p class="muted note">${whoseRequests(live.status)}</p>`}
    <${RiverCard} ...${{ live, service, route, history, kept, site }} />
    <${Sites} service=${service} kept=${kept} />
    <${CallersCard} name=${asked} site=${live.status.name} />
    <${Why} service=${service} />
    <${Targets} service=${service} knees=${knees} />
    <${Elsewhere} service=${service} />
  </div>`;
}

const ERRORS_SAID = 2; // The table has all of them.

/** Where requests go. Begins with failures if many fail, and ends with targets that return errors. */
function statement(service, now, live) {
  const errors = service.targets
    .filter((one) => answersErrors(one) || givesNoWholeAnswer(one))
    .map((one) => ` ${addressOf(one)} ${one.error}.`)
    .slice(0, ERRORS_SAID)
    .join("");
  if (!now?.why) return `${leaving(service, now, live)}${errors}`;
  const failing = isFailing(now)
    ? `${rate(now.failed_per_s)} of ${rate(now.failed_of_per_s)} fail; `
    : "";
  return `${failing}${now.why}${errors && "."}${errors}`;
}

/** `; the rest is served where it comes in`; empty: there is no rest, or no target here for it. */
function theRest(now, partPerS, here) {
  const isRest = here?.targets_ready && now.requests_per_s - partPerS >= LEAST_PER_S;
  return isRest ? "; the rest is served where it comes in" : "";
}

/** The statement when nothing spills. */
function leaving(service, now, live) {
  if (live.status.draining) return "This router stops and takes nothing new.";
  const here = service.sites.find((one) => one.local);
  const { total } = service.local_targets;
  if (service.listener.state === "error") {
    return `Clients cannot connect here: ${service.listener.error}.`;
  }
  if (here?.note) return `${here.note}.`;
  if (now?.failed_per_s >= LEAST_PER_S) {
    return `${rate(now.failed_per_s)} of ${rate(now.failed_of_per_s)} fail.`;
  }
  const mute = here?.targets_ready ? service.targets.filter(answersNothing) : [];
  if (mute.length === 1) return `A target here answers nothing: ${mute[0].error}.`;
  if (mute.length) {
    const shown = `${count(mute.length)} of ${plural(service.targets.length, "target")}`;
    return `${shown} here answer nothing. See the target table for the reason.`;
  }
  if (now?.gave_up_per_s >= LEAST_PER_S) {
    return `Clients give up ${rate(now.gave_up_per_s)} of ${rate(now.requests_per_s)}${theRest(now, now.gave_up_per_s, here)}.`;
  }
  if (now?.shed_per_s >= LEAST_PER_S) {
    return `${rate(now.shed_per_s)} of ${rate(now.requests_per_s)} are shed, as sheddable requests make way for others${theRest(now, now.shed_per_s, here)}.`;
  }
  if (now?.rejected_per_s >= LEAST_PER_S) {
    return `${rate(now.rejected_per_s)} of ${rate(now.requests_per_s)} are refused here with 4xx because they are malformed, too large or too slow${theRest(now, now.rejected_per_s, here)}.`;
  }
  if (!here?.targets_ready) {
    if (service.takes === 0) return "Drained: nothing new of this service is served here.";
    return total ? `0 of ${plural(total, "target")} here ${total === 1 ? "is" : "are"} ready.` : "This service has no target here.";
  }
  if (!(now?.requests_per_s > 0)) return idleText([service], now ? [now] : [], live.status);
  const { state, error } = service.listener;
  const shut = state === "none" && error ? `New clients cannot connect here: ${error}. ` : "";
  const away = leavingText([service]);
  if (away) return `${shut}Every ${nounOf([service])} that ended was served where it came in; ${away}.`;
  return shut
    ? `${shut}Those connected before are served here.`
    : `Every ${nounOf([service])} is served where it comes in.`;
}

function Figures({ service, now }) {
  const tiles = [
    [`${begins(nounOf([service]))}s`, rate(now?.begun_per_s)],
    ["Spilled", spilledText(now)],
    ["Failed", rate(now?.failed_per_s)],
    ["Clients gave up", rate(now?.gave_up_per_s)],
    ...(service.sheddable || now?.shed_per_s > 0 ? [["Shed", rate(now?.shed_per_s)]] : []),
    ["Queued", mean(service.queued_mean)],
    ["p50", quantile(now?.p50_s)],
    ["p99", quantile(now?.p99_s)],
  ];
  return html`<dl class="tiles">
    ${tiles.map(
      ([name, value]) => html`<div><dt>${name}</dt><dd class="number">${value}</dd></div>`,
    )}
    <div class="links-of">
      <dt>
        ${service.protocol}, policy ${service.policy}
        ${service.spill_at ? ` to ${percent(service.spill_at)}` : null}
        ${service.isolation !== "none" ? `, ${service.isolation}` : null}
        ${service.reserve_for_own ? `, ${Number((service.reserve_for_own * 100).toFixed(3))}% reserved for its own clients` : null}
        ${service.max_share < 1 ? `, at most ${Number((service.max_share * 100).toFixed(3))}% for one neighbor` : null}
        ${service.takes < 1 ? html`<strong>, drained to ${percent(service.takes)}</strong>` : null}
      </dt>
      <dd>
        <a href=${href("flows", { service: named(service) })}>Flows</a>
        <a href=${href("simulate", { tab: "what-if", service: named(service) })}>What if</a>
      </dd>
    </div>
  </dl>`;
}

function RiverCard({ live, service, route, history, kept, site }) {
  const unit = route.params.unit || unitOf(kept);
  const others = live.network
    .filter((one) => one.reachable && one.id !== live.status.id)
    .sort(byCost);
  const actions = html`
    <label class="choice"
      >Clients of
      <select value=${site} onChange=${(event) => setParams({ site: event.target.value })}>
        <option value="">${live.status.name} (here)</option>
        ${others.map((one) => html`<option value=${one.id}>${one.name}</option>`)}
      </select>
    </label>
    <label class="choice"
      >Unit
      <select value=${unit} onChange=${(event) => setParams({ unit: event.target.value })}>
        <option value="at-once">in flight</option>
        <option value="per-second">per second</option>
      </select>
    </label>
  `;
  // A snapshot of the live feed each second must not redraw 180 steps.
  const names = others.map((one) => one.name).join("\n");
  const drawn = useMemo(
    () => kept && html`<${River} history=${kept} unit=${unit} isHere=${!site} actions=${actions} />`,
    [kept, unit, site, names, route.params.table],
  );
  if (kept) {
    return html`<div>
      ${history.error && html`<${Failed} error=${history.error} />`} ${drawn}
    </div>`;
  }
  return html`<${Card} title="Where requests were served" id="river-none" actions=${actions}>
    ${
      history.error
        ? html`<${Failed} error=${history.error} />`
        : history.loading
          ? html`<${Loading} lines=${6} />`
          : html`<${Empty}>No history for ${named(service)} there yet.<//>`
    }
  <//>`;
}

/** A site that is gone may no longer have a cost: it comes last. */
function byPathCost(one, other) {
  return (one.path_cost ?? Infinity) - (other.path_cost ?? Infinity) || 0;
}

function Sites({ service, kept }) {
  const shares = kept && kept.samples.length ? sharesOf(kept, SHARE_S) : null;
  const share = (one) => {
    const isIt = (site) => (one.id ? site.id === one.id : site.name === one.site); // A gone site has no ID.
    const index = kept?.sites.findIndex(isIt) ?? -1;
    if (!shares || index < 0 || !shares.total) return "–";
    return `${Math.round((shares.counts[index] / shares.total) * 100)} %`;
  };
  const inFlight = (one) => {
    if (one.verdict) return count(one.in_flight || known(one, 0)); // Of clients of this site.
    if (one.local && isDrainedHere(service)) return html`<${Drained} />`;
    if (one.draining && !one.targets_ready) return html`<span class="muted">takes nothing new</span>`;
    return html`<${Here} site=${one} />`;
  };
  return html`<${Card} title="Sites" id="sites">
    <p class="muted note">
      By cost. In flight: here the mean of 5 s, elsewhere ${OF_MOMENTS}. Share: of the ${nounOf([service])}s of clients${" "}
      ${kept ? `of ${kept.site} ` : ""}in the last minute${shares?.nowhere ? `; no site served ${count(shares.nowhere)}` : ""}.
    </p>
    <${Table}
      caption="Sites of this service"
      rows=${[...service.sites, ...(service.absent ?? [])].sort(byPathCost)}
      rowKey=${(one) => one.id ?? one.site}
      empty=${html`<${Empty}>No site has a target of this service.<//>`}
      columns=${[
        {
          name: "Site",
          head: true,
          cell: (one) => html`<${SiteName} id=${one.id} name=${one.site} />${one.local && html`<span class="muted"> here</span>`}
            ${one.draining && html` <${Badge} tone="warn">draining<//>`}
            ${one.ejected_s != null && html` <${Badge} tone="bad">ejected<//>`}
            ${one.verdict && html` <${Badge} tone="bad">${one.verdict}<//> <span class="muted">${one.reason}</span>`}`,
        },
        { name: "Cost", number: true, cell: (one) => count(one.path_cost) },
        { name: "Share", number: true, cell: share },
        { name: "In flight", cell: inFlight },
        { name: "Ready", number: true, cell: (one) => (one.verdict ? "–" : count(one.targets_ready)) },
        {
          name: "Age",
          number: true,
          cell: (one) => (one.verdict ? "–" : sinceReport(one.local ? 0 : one.age_s)),
        },
      ]}
    />
  <//>`;
}

/** How a burst hook helps requests that wait. @param {any} queue */
function wakes({ held_by: hook, waking_s: wakingS, again_s: againS, woken }) {
  if (woken) return `and what burst ${hook} woke answers`;
  if (againS != null) return `as burst ${hook} failed and runs again in ${latency(againS)}`;
  return `${wakingS == null ? "so that" : "while"} burst ${hook} wakes a site`;
}

/** The outcome for a request that no site takes now. @param {any} queue */
function nowhere(queue) {
  if (!queue) return "Nowhere";
  const { outlook, limit, wait_s } = queue;
  if (outlook === "waits") {
    const held = queue.held_by ? `, ${wakes(queue)}` : "";
    return `It waits, at most ${latency(wait_s)}${held} (the queue holds ${count(limit)})`;
  }
  if (outlook === "too-long") return "Refused, too many wait already";
  return limit ? `Refused, the queue of ${count(limit)} is full` : "Refused, queueing is off";
}

function Why({ service }) {
  const why = useAnswer(`why/${encodeURIComponent(service.name)}:${service.port}`, {}, WHY_MS);
  const known = why.value;
  return html`<${Card}
    title=${`Where the next ${nounOf([service])} goes`}
    id="why"
    actions=${html`<${Copy} text=${sitectl("why", shellWord(named(service)))} label="Copy as sitectl" />`}
  >
    ${why.error && html`<${Failed} error=${why.error} />`}
    ${
      known
        ? html`${known.closed && html`<p>No client can connect here. If one could:</p>`}
            <p class="decision">
              ${known.decision.site ? html`To <strong>${known.decision.site}</strong>` : nowhere(known.queue)}${
                known.decision.path.length > 1
                  ? ` through ${known.decision.path.slice(0, -1).join(" > ")}`
                  : ""
              }: ${known.decision.text}.
            </p>
            ${known.left_out && html`<p>${known.left_out} ${advised(known.let_in ?? "")}</p>`}
            <${RunnerUp} candidates=${known.candidates} />
            <${Candidates} candidates=${known.candidates} caption="Candidates in the order considered" />`
        : !why.error && html`<${Loading} lines=${3} />`
    }
  <//>`;
}
