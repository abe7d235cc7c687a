// What if: replays the last minutes with other capacities, costs or another policy, and shows current
// beside proposed as bars, figures and a replay of every step. Never applies anything.
import { html, useEffect, useMemo, useState } from "../html.js";
import { Patterns, SiteName, Swatch, colourClass, lookOf } from "../charts/colours.js";
import { script, simulating, sitectl } from "../commands.js";
import { count, dateTime, listed, plural, portName, rtt, span, timeOfDay } from "../format.js";
import { setParams } from "../route.js";
import { Replay } from "./replay.js";
import { run } from "./running.js";
import { load } from "./scenario.js";
import { Ago, Badge, BusyButton, Card, Copy, Empty, Failed, Loading, Table, announce } from "../ui.js";

const SETTLED_MS = 350; // No requests while a slider moves.
const AGAIN_MS = 5000; // A step of the history: after it there may be something to run.
const PASSING = ["nothing-recorded", "unreachable", "timeout"]; // Asked again without a click.
const WINDOWS = [
  ["60", "last minute"],
  ["busiest", "busiest minute"],
  ["300", "last 5 minutes"],
  ["900", "last 15 minutes"],
];
const POLICIES = ["fill", "balanced", "spread", "failover"];

/** `id:12,id:5` as a map of numbers. @param {string | undefined} text */
export function numbersOf(text) {
  const found = {};
  for (const part of (text ?? "").split(",")) {
    const [id, value] = part.split(":");
    if (id && Number.isInteger(Number(value)) && value !== "") found[id] = Number(value);
  }
  return found;
}

/** @param {Record<string, number>} numbers */
export function textOf(numbers) {
  return Object.entries(numbers)
    .map(([id, value]) => `${id}:${value}`)
    .join(",");
}

/** A site's configured capacity, in its unit; null: none. */
export function capacityOf(site) {
  return site.capacity_kind === "rate" ? (site.rate?.per_s ?? null) : site.capacity;
}

/** All current settings of the sites that a run uses. @param {any} service */
function settingsOf(service) {
  const sites = service.sites
    .map((one) => [one.id, one.targets_ready, capacityOf(one), one.path_cost, one.draining])
    .sort();
  return JSON.stringify([service.policy, sites]);
}

/**
 * Starts a run once the question has settled; the last result stays visible meanwhile. A new question,
 * or leaving the page, ends the previous run. `settings`: the sites' settings at the time of the run.
 */
function useProposal(question, settings) {
  const [state, setState] = useState({ told: null, error: null, asking: false, settings, key: "" });
  const [tries, setTries] = useState(0);
  const key = JSON.stringify(question);
  useEffect(() => {
    const over = new AbortController();
    const timer = setTimeout(async () => {
      // While the same question is asked again, the page shows what was wrong with it.
      setState((was) => ({ ...was, error: was.key === key ? was.error : null, asking: true, key }));
      try {
        const told = await run("what-if", question, over.signal);
        setState({ told, error: null, asking: false, settings, key });
      } catch (error) {
        if (!over.signal.aborted) setState((was) => ({ ...was, error, asking: false }));
      }
    }, SETTLED_MS);
    return () => {
      clearTimeout(timer);
      over.abort();
    };
  }, [key, tries]);
  useEffect(() => {
    if (!PASSING.includes(state.error?.code)) return undefined;
    const timer = setTimeout(() => setTries(tries + 1), AGAIN_MS);
    return () => clearTimeout(timer);
  }, [state.error]);
  return { ...state, again: () => setTries(tries + 1) };
}

/** The service port with the most requests now; the first one if none has any. @param {any} live */
export function busiest(live) {
  const perS = new Map(live.now.map((one) => [`${one.service}:${one.port}`, one.requests_per_s]));
  const names = live.services.map((one) => `${one.name}:${one.port}`);
  return names.reduce(
    (best, name) => ((perS.get(name) ?? 0) > (perS.get(best) ?? 0) ? name : best),
    names[0],
  );
}

export function WhatIf({ live, route }) {
  const names = live.services.map((one) => `${one.name}:${one.port}`);
  const [first] = useState(() => busiest(live)); // Stays the same while the page is open.
  const name = [route.params.service, first].find((one) => names.includes(one)) ?? names[0];
  const service = live.services[names.indexOf(name)];
  if (!service) {
    return html`<${Card}><${Empty} hint=${html`<code>${sitectl("expose …")}</code>`}>No services.<//><//>`;
  }
  const services = live.services.map((one, number) => [names[number], portName(one)]);
  return html`<${Proposal} key=${name} ...${{ service, name, services, route }} />`;
}

function Proposal({ service, name, services, route }) {
  const capacity = numbersOf(route.params.capacity);
  const cost = numbersOf(route.params.cost);
  const policy = route.params.policy ?? "";
  const time = route.params.window || "60";
  const settings = settingsOf(service);
  const proposal = useProposal(
    {
      service: service.name,
      port: service.port,
      capacity,
      cost,
      policy: policy || null,
      window_s: Number(time) || 60,
      busiest: time === "busiest",
    },
    settings,
  );
  const { told, error, asking } = proposal;
  const isOld = proposal.settings !== settings;
  const answer = useMemo(
    () => html`<${Answer} proposal=${proposal} isOld=${isOld} />`,
    [told, error, asking, isOld, route.params.table],
  );
  const changed = Object.keys(capacity).length + Object.keys(cost).length + (policy ? 1 : 0);
  const sites = [...service.sites].sort((one, other) => one.path_cost - other.path_cost);
  const put = (kind, numbers, id, value) => {
    const next = { ...numbers };
    if (value === null) delete next[id];
    else next[id] = value;
    setParams({ [kind]: textOf(next) });
  };
  return html`<div class="sections">
    <${Card}
      title="Proposal"
      id="proposal"
      actions=${html`<label class="choice"
          >Service
          <select
            value=${name}
            onChange=${(event) => setParams({ service: event.target.value, capacity: "", cost: "", policy: "" })}
          >
            ${services.map(([key, text]) => html`<option value=${key}>${text}</option>`)}
          </select>
        </label>
        <label class="choice"
          >Requests of the
          <select value=${time} onChange=${(event) => setParams({ window: event.target.value })}>
            ${WINDOWS.map(([value, text]) => html`<option value=${value}>${text}</option>`)}
          </select>
        </label>
        <label class="choice"
          >Policy
          <select value=${policy} onChange=${(event) => setParams({ policy: event.target.value })}>
            <option value="">${service.policy} (as now)</option>
            ${POLICIES.filter((one) => one !== service.policy).map(
              (one) => html`<option value=${one}>${one}</option>`,
            )}
          </select>
        </label>
        <button
          type="button"
          disabled=${!changed}
          onClick=${() => setParams({ capacity: "", cost: "", policy: "" })}
        >
          Reset to current
        </button>`}
    >
      <p class="muted note">
        The code that runs in production replays the recorded requests. Nothing is applied.
      </p>
      <div class="knobs">
        ${sites.map(
          (site) => html`<fieldset class="knob" key=${site.id}>
            <legend>
              <${SiteName} id=${site.id} name=${`${site.site}${site.local ? " (here)" : ""}`} />
            </legend>
            <${Capacity} site=${site} value=${capacity[site.id]} put=${(value) => put("capacity", capacity, site.id, value)} />
            ${
              !site.local &&
              html`<${Knob}
                label=${`Path cost to ${site.site}`}
                short="Cost"
                now=${site.path_cost}
                value=${cost[site.id]}
                most=${Math.max(20, site.path_cost * 3)}
                limit=${65535}
                put=${(value) => put("cost", cost, site.id, value)}
              />`
            }
          </fieldset>`,
        )}
      </div>
    <//>
    ${answer}
  </div>`;
}

function Capacity({ site, value, put }) {
  const now = capacityOf(site);
  const rated = site.capacity_kind === "rate";
  const unit = rated ? "/s" : "";
  return html`<${Knob}
    label=${`Capacity of ${site.site}${rated ? ", a second" : ", at once"}`}
    short="Capacity"
    none=${site.targets_ready ? "" : "no ready target"}
    unit=${unit}
    now=${now === null ? null : Math.round(now)}
    value=${value}
    most=${Math.max(20, Math.round((now ?? 10) * 4))}
    limit=${1000000}
    put=${put}
  />`;
}

/** A slider and a number field for one value, with the current value, or why there is `none`. */
function Knob({ label, short, now, value, most, limit, put, unit = "", none = "" }) {
  const shown = value ?? now ?? "";
  const set = (event) => {
    const next = Math.round(Number(event.target.value));
    if (event.target.value === "" || !(next >= 1)) put(null);
    else put(next === now ? null : Math.min(next, limit));
  };
  const is = value !== undefined && value !== now;
  return html`<div class="knob-row">
    <span class="knob-name">${short}</span>
    <input
      type="range"
      min="1"
      disabled=${Boolean(none)}
      max=${Math.max(most, Number(shown) || 1)}
      value=${shown === "" ? 1 : shown}
      aria-label=${label}
      aria-valuetext=${none || `${shown === "" ? "none configured" : `${shown}${unit}`}${is ? `, now ${now ?? "none configured"}${unit}` : ""}`}
      onInput=${set}
    />
    <input type="number" min="1" disabled=${Boolean(none)} max=${limit} value=${shown} aria-label=${`${label}, as a number`} onChange=${set} />
    <span class="muted nowrap knob-now">${
      none ||
      (is ? html`now ${now ?? "none"}${unit}` : now === null ? "none configured" : `as now${unit && `, ${unit}`}`)
    }</span>
  </div>`;
}

function Answer({ proposal, isOld }) {
  const { told, error, asking, again } = proposal;
  if (error?.code === "nothing-recorded") {
    return html`<${Card}
      ><${Empty} hint=${error.hint}>${error.message}<//>
      <p class="empty"><button type="button" onClick=${proposal.again}>Try again</button></p>
    <//>`;
  }
  if (error && !told) {
    return html`<${Card}><${Failed} error=${error} again=${proposal.again} /><//>`;
  }
  if (!told) return html`<${Card}><${Loading} lines=${8} what="Running both" /><//>`;
  return html`<div class=${asking ? "told asking" : "told"} aria-busy=${String(asking)}>
    ${error && html`<${Failed} error=${error} again=${proposal.again} />`}
    <${Compared} told=${told} asking=${asking} isOld=${isOld} again=${again} />
    <${Replay} told=${told} />
    <${Honesty} told=${told} />
  </div>`;
}

/** The answer in a sentence. @param {any} told */
export function verdict(told) {
  const { current, proposed } = told;
  if (!told.moved && current.p99_ms === proposed.p99_ms) return "Nothing would change.";
  const words = [
    told.moved
      ? `${told.moved < 0.005 ? "<1" : Math.round(told.moved * 100)} % of requests would move to a different site`
      : "Each request would be served where it is now, with a different latency",
  ];
  const away = proposed.overflow - current.overflow;
  if (away) words.push(`${count(Math.abs(away))} ${away < 0 ? "fewer" : "more"} spill`);
  const refused = proposed.refused - current.refused;
  if (refused) words.push(`${count(Math.abs(refused))} ${refused < 0 ? "fewer" : "more"} are refused`);
  return `${listed(words)}.`;
}

function Bar({ picture, label }) {
  const all = Math.max(1, picture.offered);
  let from = 0;
  const parts = picture.sites.map((site) => {
    const part = { look: lookOf(site), x: (from / all) * 600, width: (site.served / all) * 600 };
    from += site.served;
    return part;
  });
  const words = picture.sites.map((one) => `${one.name} ${Math.round(one.share * 100)} %`);
  if (picture.refused) words.push(`refused ${Math.round((picture.refused / all) * 100)} %`);
  return html`<div class="share-bar">
    <span class="share-name">${label}</span>
    <svg viewBox="0 0 600 22" preserveAspectRatio="none" role="img" aria-label=${`${label}: ${words.join(", ")}`}>
      <${Patterns} id=${`bar-${label}`} all=${parts.map((part) => part.look)} />
      <rect class="track" width="600" height="22" />
      ${parts.map(
        (part) =>
          html`<rect class=${`layer ${colourClass(part.look)}`} fill=${`url(#bar-${label}-${part.look})`} x=${part.x} width=${Math.max(0, part.width - 1)} height="22" />`,
      )}
      ${
        picture.refused > 0 &&
        html`<rect class="refused" x=${(from / all) * 600} width=${(picture.refused / all) * 600} height="22" />`
      }
    </svg>
    <span class="number">${words.join(", ")}</span>
  </div>`;
}

/** `+12`, `−3 %`, `same`. */
function difference(now, then, shown) {
  if (now === null || then === null) return "–";
  const by = then - now;
  if (Math.abs(by) < 1e-9 || shown(Math.abs(by)).startsWith("<")) return "same";
  return `${by > 0 ? "+" : "−"}${shown(Math.abs(by))}`;
}

function Compared({ told, asking, isOld, again }) {
  const { current, proposed } = told;
  useEffect(() => announce(verdict(told)), [told]);
  const percent = (share) => `${Math.round(share * 1000) / 10} %`;
  const points = (share) => `${Math.round(share * 1000) / 10} points`;
  const rows = [
    ...current.sites.map((site, index) => ({
      name: `Served by ${site.name}${site.local ? " (here)" : ""}`,
      look: lookOf(site),
      now: site.share,
      then: proposed.sites[index].share,
      shown: percent,
      points: true,
    })),
    { name: "Spilled, requests", now: current.overflow, then: proposed.overflow, shown: count },
    { name: "Refused, requests", now: current.refused, then: proposed.refused, shown: count },
    { name: "p50", now: current.p50_ms, then: proposed.p50_ms, shown: rtt },
    { name: "p99", now: current.p99_ms, then: proposed.p99_ms, shown: rtt },
  ];
  return html`<${Card}
    title="Current beside proposed"
    id="compared"
    actions=${html`<${BusyButton} busy=${asking} onClick=${again}>${asking ? "Running again…" : "Run again"}<//>`}
  >
    <p class="muted note">
      Requests until ${timeOfDay(told.recorded.until)}, <${Ago} iso=${told.recorded.until} />.
      ${isOld && html` <${Badge} tone="warn">The sites have changed since it ran.<//>`}
    </p>
    <p class="statement">${verdict(told)}</p>
    <${Bar} picture=${current} label="Current" />
    <${Bar} picture=${proposed} label="Proposed" />
    <${Table}
      caption="Current and proposed in figures"
      rows=${rows}
      columns=${[
        {
          name: "",
          head: true,
          cell: (one) => html`${one.look !== undefined && html`<${Swatch} look=${one.look} /> `}${one.name}`,
        },
        { name: "Current", number: true, cell: (one) => one.shown(one.now) },
        { name: "Proposed", number: true, cell: (one) => one.shown(one.then) },
        { name: "Difference", number: true, cell: (one) => difference(one.now, one.then, one.points ? points : one.shown) },
      ]}
    />
    ${told.commands.length > 0 && html`<${Commands} steps=${told.commands} />`}
  <//>`;
}

/** Commands that apply the proposal, by site, with notes on the parts that no command covers. */
function Commands({ steps }) {
  const sites = [...new Set(steps.map((one) => one.site))];
  return html`<div class="commands">
    <h3>How to apply it</h3>
    ${sites.map((site) => {
      const own = steps.filter((one) => one.site === site);
      const text = script(own);
      const place = own[0].local ? "Here" : `At ${site}`;
      return html`<div key=${site}>
        <div class="commands-head">
          <h4>${place}</h4>
          ${text && html`<${Copy} text=${text} label="Copy as sitectl" what=${own[0].local ? "" : `for ${site}`} class="as-sitectl" />`}
        </div>
        ${text && html`<pre><code>${text}</code></pre>`}
        ${own.map((one) => one.note && html`<p class="muted">${one.note}</p>`)}
      </div>`;
    })}
  </div>`;
}

/** How close the simulation of the current settings comes to the record, and its assumptions. */
function Honesty({ told }) {
  const { recorded, current } = told;
  const percent = (number, all) => (all ? `${Math.round((number / all) * 100)} %` : "–");
  return html`<${Card} title="Accuracy" id="honesty">
    <p class="said">
      The router recorded ${plural(recorded.requests, "request")} in the ${span(recorded.window_s)} until${" "}
      ${dateTime(recorded.until)}; the simulation ran ${count(current.offered)}.
    </p>
    <${Table}
      caption="Recorded requests beside the simulation of the current settings"
      rows=${current.sites}
      columns=${[
        { name: "Served by", head: true, cell: (one) => html`<${SiteName} ...${one} />` },
        {
          name: "Recorded",
          number: true,
          cell: (one) => percent(recorded.served[one.id] ?? 0, recorded.requests),
        },
        { name: "Simulated", number: true, cell: (one) => percent(one.served, current.offered) },
        {
          name: "Held by others",
          number: true,
          cell: (one) => (one.taken ? html`${count(one.taken)} <${Badge} tone="info">not counted on<//>` : "–"),
        },
      ]}
    />
    <ul class="assumptions">
      ${told.assumptions.map((one) => html`<li>${one}</li>`)}
    </ul>
    <div class="actions">
      <a class="button" href="#/simulate?tab=scenario" onClick=${() => load(told.scenario)}>Open as a scenario</a>
      <${Copy} text=${simulating(told.scenario)} label="Copy as sitectl" />
    </div>
  <//>`;
}
