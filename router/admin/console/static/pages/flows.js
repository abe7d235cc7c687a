// Requests and connections as they begin and end, and why each one went where it went.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { address, getWhole } from "../lib/api.js";
import { SiteName } from "../lib/charts/colours.js";
import { sitectl } from "../lib/commands.js";
import { CLIENT_GONE, FlowDetail, GAVE_UP, UNDER_WAY, outcomeText, toneOf, what } from "../lib/flow_detail.js";
import { count, latency, moment, plural, portName, shellWord } from "../lib/format.js";
import { repeat } from "../lib/simulating/repeat.js";
import { setParams } from "../lib/route.js";
import { byCost } from "../lib/network/sites.js";
import { Badge, Card, Empty, Failed, Loading } from "../lib/ui.js";
import { whoseRequests } from "../lib/words.js";

export const title = "Flows";

const KEPT = 500;
const SHOWN = 200;
const EVERY_MS = 1000;
const AGAIN_MS = 3000; // After a failure.

/** The command for one service: the command line cannot list the flows of all services. */
export function command(route, live) {
  const [only, ...others] = live?.services ?? [];
  const service = route.params.service || (only && !others.length ? `${only.name}:${only.port}` : "");
  return service ? sitectl("why", shellWord(service), route.params.outcome === "failed" ? "--failed" : "--last 20") : null;
}

/**
 * Adds `fresh` flows to the `kept` ones. A flow in both is replaced. One that was under way and is
 * not in `fresh` may have ended and is left out. If the newest number fell, the router has restarted,
 * and all `kept` flows are left out.
 * @param {any[]} kept @param {any[]} fresh Both newest first.
 */
function merged(kept, fresh) {
  const isRestarted = fresh.length > 0 && kept.length > 0 && fresh[0].id < kept[0].id;
  const still = isRestarted ? [] : kept.filter((one) => one.outcome !== UNDER_WAY);
  const byId = new Map(still.map((one) => [one.id, one]));
  for (const one of fresh) byId.set(one.id, one);
  return [...byId.values()].sort((one, other) => other.id - one.id).slice(0, KEPT);
}

/** How many of `told` are not among `flows`. @param {any[]} flows @param {any[]} told */
function unseen(flows, told) {
  const seen = new Set(flows.map((one) => one.id));
  return new Set(told.map((one) => one.id).filter((id) => !seen.has(id))).size;
}

/** Whether a field of the flow contains the text. @param {any} flow @param {string} text */
export function fits(flow, text) {
  if (!text) return true;
  const shown = [flow.service, flow.client, flow.method, flow.path, flow.outcome, flow.code];
  const all = [...shown, flow.site ?? "", flow.target, flow.overflow, flow.spill_reason, flow.reason, flow.request_id];
  return all.join("\n").toLowerCase().includes(text.toLowerCase());
}

/** `left`: requests of the last second that the router did not record. */
const NOTHING = { flows: [], error: null, loading: true, behind: 0, left: 0 };

/** The newest flows that match the filters, read again each second unless held. */
function useFlows(filters, isHeld) {
  const [shown, setShown] = useState(NOTHING);
  const waiting = useRef([]);
  const held = useRef(false);
  held.current = isHeld;
  const key = address("flows", filters);

  const draw = () => {
    if (held.current) {
      const behind = (was) => unseen(was.flows, waiting.current);
      setShown((was) => ({ ...was, error: null, loading: false, behind: behind(was) }));
      return;
    }
    const told = waiting.current;
    waiting.current = [];
    const flows = (was) => merged(was.flows, told);
    setShown((was) => ({ ...was, flows: flows(was), error: null, loading: false, behind: 0 }));
  };

  useEffect(() => {
    waiting.current = [];
    setShown(NOTHING);
    let skipped = null;
    return repeat(async (signal, isPoll) => {
      try {
        const asked = { ...filters, count: SHOWN };
        const answer = await getWhole("flows", asked, { signal, isPoll });
        waiting.current = merged(waiting.current, answer.items);
        draw();
        const left = skipped === null ? 0 : Math.max(0, answer.skipped - skipped);
        setShown((was) => ({ ...was, left }));
        skipped = answer.skipped;
        return EVERY_MS;
      } catch (error) {
        if (!signal.aborted) setShown((was) => ({ ...was, error, loading: false }));
        return AGAIN_MS;
      }
    });
  }, [key]);
  useEffect(() => {
    if (!isHeld && waiting.current.length) draw();
  }, [isHeld]);
  return shown;
}

export function View({ live, route }) {
  const { service = "", outcome = "", site = "", q = "" } = route.params;
  const [paused, setPaused] = useState(false);
  const [reading, setReading] = useState(false);
  const known = useFlows({ service, outcome, site }, paused || reading);
  const flows = known.flows.filter((one) => fits(one, q)).slice(0, SHOWN);
  const chosen = route.params.flow ? Number(route.params.flow) : null;
  useEffect(() => {
    if (chosen === null && !document.activeElement?.closest(".flows tbody")) setReading(false);
  }, [chosen]);
  return html`<div class="sections">
    <${Card}>
      <${Filters} ...${{ live, service, outcome, site, q, paused, setPaused }} behind=${known.behind} />
      ${whoseRequests(live.status) && html`<p class="muted note">${whoseRequests(live.status)}</p>`}
      ${known.error && html`<${Failed} error=${known.error} />`}
      ${
        known.left > 0 &&
        html`<p class="muted">
          The router records a sample: it skipped ${plural(known.left, "request")} since the last update.
        </p>`
      }
      ${
        flows.length
          ? html`<${Rows} ...${{ live, flows, chosen, setReading }} />
              <${Held} behind=${reading && !paused ? known.behind : 0} />`
          : known.loading
            ? html`<${Loading} lines=${8} />`
            : html`<${Empty} hint=${service || outcome || site || q ? "Change the filters to see others." : "Requests and connections appear here as they begin and end."}
                >No flows.<//
              >`
      }
    <//>
    ${chosen !== null && html`<${FlowDetail} live=${live} id=${chosen} key=${chosen} />`}
  </div>`;
}

/** Outcomes of the API that the filter shows in other words. */
const OUTCOMES = new Map([
  [CLIENT_GONE, `${GAVE_UP}, or left`],
  [UNDER_WAY, "under way"],
]);

function Filters({ live, service, outcome, site, q, paused, setPaused, behind }) {
  const put = (name) => (event) => setParams({ [name]: event.target.value });
  const services = live.services.map((one) => [`${one.name}:${one.port}`, portName(one)]);
  if (service && services.every(([key]) => key !== service)) services.push([service, service]);
  const sites = [...live.network].sort(byCost).map((one) => one.name);
  if (site && !sites.includes(site)) sites.push(site);
  const outcomes = ["ok", "failed", CLIENT_GONE, UNDER_WAY];
  if (outcome && !outcomes.includes(outcome)) outcomes.push(outcome);
  return html`<div class="flow-filters" role="search" aria-label="Filter flows">
    <label
      >Service
      <select value=${service} onChange=${put("service")}>
        <option value="">all</option>
        ${services.map(([key, text]) => html`<option value=${key}>${text}</option>`)}
      </select>
    </label>
    <label
      >Served by
      <select value=${site} onChange=${put("site")}>
        <option value="">any site</option>
        ${sites.map((one) => html`<option value=${one}>${one}</option>`)}
      </select>
    </label>
    <label
      >Outcome
      <select value=${outcome} onChange=${put("outcome")}>
        <option value="">any</option>
        ${outcomes.map((one) => html`<option value=${one}>${OUTCOMES.get(one) ?? one}</option>`)}
      </select>
    </label>
    <label class="grows"
      >Text
      <input type="search" data-filter value=${q} onInput=${put("q")} placeholder="path, client, id" />
    </label>
    <button type="button" aria-pressed=${String(paused)} onClick=${() => setPaused(!paused)}>
      ${paused ? `Resume${behind ? ` (${count(behind)} newer)` : ""}` : "Pause"}
    </button>
  </div>`;
}

/** While the focus is in the list, the list does not move; this line counts the newer flows. */
function Held({ behind }) {
  const show = () => {
    document.querySelector(".flows").scrollTop = 0;
    document.querySelector("h1")?.focus(); // The button goes, and a row would stop the list again.
  };
  return html`<p class="muted held">
    <span role="status">${behind > 0 && `${plural(behind, "newer flow")}.`}</span>
    ${behind > 0 && html` <button type="button" class="copy" onClick=${show}>Show</button>`}
  </p>`;
}

/** Whether the request took the usual way: on a phone, only the details show its reason. */
const isPlain = (flow) =>
  !flow.overflow && !flow.spill_reason && flow.attempts <= 1 && flow.site !== null;

function Rows({ live, flows, chosen, setReading }) {
  const keys = new Map(live.services.map((one) => [one.name, one.routing_key]));
  const [entry, setEntry] = useState(null); // The row that Tab enters the list at.
  const first = flows.some((one) => one.id === entry) ? entry : flows[0].id;
  const list = useRef(null);
  const go = (row) => {
    setEntry(Number(row.dataset.flow));
    row.focus();
  };
  const press = (event) => {
    const row = event.currentTarget;
    if (event.key === "Enter") {
      event.preventDefault();
      setParams({ flow: row.dataset.flow });
    }
    if (event.key === "Escape") {
      row.blur();
      list.current.scrollTop = 0;
    }
    const all = row.parentElement;
    const next = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: all.firstElementChild,
      End: all.lastElementChild,
    }[event.key];
    if (next) {
      event.preventDefault();
      go(next);
    }
  };
  const left = (event) => {
    // The dialog of a flow takes the focus, and gives it back.
    if (!event.currentTarget.contains(event.relatedTarget) && document.hasFocus()) {
      setReading(Boolean(document.querySelector("dialog[open]")));
    }
  };
  return html`<div class="table flows" role="region" aria-label="Flows, newest first" ref=${list}>
    <table role="table">
      <caption class="unseen">
        Flows, newest first. Enter on a row shows why the request went there. The list pauses while it has focus.
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          <th scope="col" role="columnheader">Time</th>
          <th scope="col" role="columnheader">Service</th>
          <th scope="col" role="columnheader">Request</th>
          <th scope="col" role="columnheader">Outcome</th>
          <th scope="col" role="columnheader">Served by</th>
          <th scope="col" role="columnheader">Why</th>
          <th scope="col" role="columnheader" class="number">Took</th>
          <th scope="col" role="columnheader">Client</th>
        </tr>
      </thead>
      <tbody role="rowgroup" onFocusCapture=${() => setReading(true)} onBlurCapture=${left}>
        ${flows.map((flow) => {
          const service = portName({ ...flow, routing_key: keys.get(flow.service) });
          return html`<tr
            key=${flow.id}
            role="row"
            tabindex=${flow.id === first ? "0" : "-1"}
            data-flow=${flow.id}
            class=${flow.id === chosen ? "chosen" : ""}
            onClick=${() => setParams({ flow: flow.id })}
            onKeyDown=${press}
          >
            <th scope="row" role="rowheader" class="time nowrap">${moment(flow.at)}</th>
            <td role="cell" class="service nowrap" title=${service}>${service}</td>
            <td role="cell" class="what"><code title=${what(flow)}>${what(flow)}</code></td>
            <td role="cell" class="outcome"><${Badge} tone=${toneOf(flow)}>${outcomeText(flow)}<//></td>
            <td role="cell" class="by nowrap" title=${flow.site}>
              ${flow.site ? html`<${SiteName} name=${flow.site} />` : html`<span class="muted">no site</span>`}
            </td>
            <td role="cell" class=${isPlain(flow) ? "why plain-why" : "why"}>
              ${
                flow.overflow
                  ? html`<span class="overflowed">overflow, ${flow.overflow}: </span>`
                  : flow.spill_reason && html`<span class="overflowed">spilled, ${flow.spill_reason}: </span>`
              }${flow.reason}
              ${flow.attempts > 1 && html` <${Badge} tone="warn">${plural(flow.attempts, "attempt")}<//>`}
            </td>
            <td role="cell" class="took number nowrap">
              ${flow.outcome === UNDER_WAY ? "…" : latency(flow.total_s)}
            </td>
            <td role="cell" class="client nowrap muted">${flow.client}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}
