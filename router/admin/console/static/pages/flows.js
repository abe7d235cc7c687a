// Requests and connections as they end, and why each one went where it went.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { address, get, parsed } from "../lib/api.js";
import { SiteName } from "../lib/colours.js";
import { sitectl } from "../lib/commands.js";
import { count, dateTime, latency, moment, plural, shellWord } from "../lib/format.js";
import { setParams } from "../lib/route.js";
import { byCost } from "../lib/sites.js";
import { Badge, Card, Copy, Empty, Failed, Loading } from "../lib/ui.js";
import { Candidates, RunnerUp } from "../lib/why.js";

export const title = "Flows";

const KEPT = 500;
const SHOWN = 200;
const DRAWN_MS = 500; // A busy service ends thousands a second; people read two pictures.
const AGAIN_MS = 3000;

/** Of one service: the command line has no list of all. */
export function command(route, live) {
  const [only, ...others] = live?.services ?? [];
  const service = route.params.service || (only && !others.length ? `${only.name}:${only.port}` : "");
  return service ? sitectl("why", shellWord(service), "--last 20") : null;
}

/**
 * Puts flows into what is kept, newest first: one that is told again replaces what was known.
 * @param {any[]} kept @param {any[]} fresh
 */
export function merged(kept, fresh) {
  const byId = new Map(kept.map((one) => [one.id, one]));
  for (const one of fresh) byId.set(one.id, one);
  return [...byId.values()].sort((one, other) => other.id - one.id).slice(0, KEPT);
}

/** How many of `told` are not among `flows`. @param {any[]} flows @param {any[]} told */
function unseen(flows, told) {
  const seen = new Set(flows.map((one) => one.id));
  return new Set(told.map((one) => one.id).filter((id) => !seen.has(id))).size;
}

/** Whether a flow has the text somewhere that is shown. @param {any} flow @param {string} text */
export function fits(flow, text) {
  if (!text) return true;
  const shown = [flow.service, flow.client, flow.method, flow.path, flow.outcome, flow.code];
  const all = [...shown, flow.site ?? "", flow.target, flow.overflow, flow.reason, flow.request_id];
  return all.join("\n").toLowerCase().includes(text.toLowerCase());
}

/** Flows of these filters: those that are kept, then each new one, unless they are held. */
function useFlows(filters, isHeld) {
  const [shown, setShown] = useState({ flows: [], error: null, loading: true, behind: 0 });
  const waiting = useRef([]);
  const held = useRef(false);
  held.current = isHeld;
  const key = address("flows", filters);

  useEffect(() => {
    let source = null;
    let retry;
    let fresh = true;
    const over = new AbortController();
    waiting.current = [];
    setShown({ flows: [], error: null, loading: true, behind: 0 });
    const draw = setInterval(() => {
      if (held.current) {
        setShown((was) => ({ ...was, behind: unseen(was.flows, waiting.current) }));
        return;
      }
      if (!waiting.current.length) {
        setShown((was) => (was.behind ? { ...was, behind: 0 } : was));
        return;
      }
      const told = waiting.current;
      waiting.current = [];
      setShown((was) => ({ ...was, flows: merged(was.flows, told), behind: 0 }));
    }, DRAWN_MS);
    const open = async () => {
      try {
        const flows = await get("flows", { ...filters, count: SHOWN }, { signal: over.signal });
        if (held.current && !fresh) waiting.current = [...waiting.current, ...flows];
        else setShown((was) => ({ ...was, flows: merged(was.flows, flows), error: null, loading: false }));
        fresh = false;
      } catch (error) {
        if (over.signal.aborted) return;
        setShown((was) => ({ ...was, error, loading: false }));
        retry = setTimeout(open, AGAIN_MS);
        return;
      }
      source = new EventSource(key);
      source.onmessage = (message) => {
        try {
          waiting.current.push(parsed(message.data));
        } catch {
          return; // Cut off half-way.
        }
        if (waiting.current.length > KEPT) waiting.current = waiting.current.slice(-KEPT);
      };
      source.onerror = () => {
        source.close();
        if (!over.signal.aborted) retry = setTimeout(open, AGAIN_MS);
      };
    };
    open();
    return () => {
      over.abort();
      source?.close();
      clearTimeout(retry);
      clearInterval(draw);
    };
  }, [key]);
  return shown;
}

/** @param {any} flow */
export function toneOf(flow) {
  if (flow.outcome === "under-way") return "info";
  if (flow.outcome !== "ok") return "bad";
  if (flow.status >= 500) return "bad";
  return flow.status >= 400 ? "warn" : "good";
}

/** The word of the filter, of `why` and of the API. @param {any} flow */
function outcomeText({ outcome, code }) {
  return outcome !== "ok" && code && code !== outcome ? `${outcome} (${code})` : outcome;
}

function what(flow) {
  return flow.protocol === "tcp" ? "connection" : `${flow.method} ${flow.path}`;
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
      ${known.error && html`<${Failed} error=${known.error} />`}
      ${
        flows.length
          ? html`<${Rows} ...${{ flows, chosen, setReading }} />
              <${Held} behind=${reading && !paused ? known.behind : 0} />`
          : known.loading
            ? html`<${Loading} lines=${8} />`
            : html`<${Empty} hint=${service || outcome || site || q ? "Other filters may show some." : "They appear as they end."}
                >No flows.<//
              >`
      }
    <//>
    ${chosen !== null && html`<${Detail} id=${chosen} key=${chosen} />`}
  </div>`;
}

function Filters({ live, service, outcome, site, q, paused, setPaused, behind }) {
  const put = (name) => (event) => setParams({ [name]: event.target.value });
  const services = live.services.map((one) => `${one.name}:${one.port}`);
  if (service && !services.includes(service)) services.push(service);
  const sites = [...live.network].sort(byCost).map((one) => one.name);
  if (site && !sites.includes(site)) sites.push(site);
  const outcomes = ["ok", "under-way"];
  if (outcome && !outcomes.includes(outcome)) outcomes.push(outcome);
  return html`<div class="flow-filters" role="search" aria-label="Filter flows">
    <label
      >Service
      <select value=${service} onChange=${put("service")}>
        <option value="">all</option>
        ${services.map((one) => html`<option value=${one}>${one}</option>`)}
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
        ${outcomes.map((one) => html`<option value=${one}>${one}</option>`)}
      </select>
    </label>
    <label class="grows"
      >Text
      <input type="search" data-filter value=${q} onInput=${put("q")} placeholder="path, client, id" />
    </label>
    <button type="button" aria-pressed=${String(paused)} onClick=${() => setPaused(!paused)}>
      ${paused ? `Go on${behind ? ` (${count(behind)} newer)` : ""}` : "Pause"}
    </button>
  </div>`;
}

/** Whoever is in the list reads it: it stands still, and says what came since. */
function Held({ behind }) {
  return html`<p class="muted held" role="status">
    ${behind > 0 && `${plural(behind, "newer one")} since you are in the list. Escape shows ${behind === 1 ? "it" : "them"}.`}
  </p>`;
}

function Rows({ flows, chosen, setReading }) {
  const [entry, setEntry] = useState(null); // Where Tab leads into the list.
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
        Flows, newest first. Enter on a row tells why it went there. New ones wait while you are here.
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          <th scope="col" role="columnheader">Time</th>
          <th scope="col" role="columnheader">Service</th>
          <th scope="col" role="columnheader">Request</th>
          <th scope="col" role="columnheader">Outcome</th>
          <th scope="col" role="columnheader" class="number">Status</th>
          <th scope="col" role="columnheader">Served by</th>
          <th scope="col" role="columnheader">Why</th>
          <th scope="col" role="columnheader" class="number">Took</th>
          <th scope="col" role="columnheader">Client</th>
        </tr>
      </thead>
      <tbody role="rowgroup" onFocusCapture=${() => setReading(true)} onBlurCapture=${left}>
        ${flows.map(
          (flow) =>
            html`<tr
              key=${flow.id}
              role="row"
              tabindex=${flow.id === first ? "0" : "-1"}
              data-flow=${flow.id}
              class=${flow.id === chosen ? "chosen" : ""}
              onClick=${() => setParams({ flow: flow.id })}
              onKeyDown=${press}
            >
              <th scope="row" role="rowheader" class="time nowrap">${moment(flow.at)}</th>
              <td role="cell" class="service nowrap">${flow.service}:${flow.port}</td>
              <td role="cell" class="what"><code title=${what(flow)}>${what(flow)}</code></td>
              <td role="cell" class="outcome"><${Badge} tone=${toneOf(flow)}>${outcomeText(flow)}<//></td>
              <td role="cell" class="status number">${flow.status || ""}</td>
              <td role="cell" class="by nowrap">
                ${flow.site ? html`<${SiteName} name=${flow.site} />` : html`<span class="muted">nobody</span>`}
              </td>
              <td role="cell" class="why">
                ${flow.overflow && html`<span class="overflowed">overflow, ${flow.overflow}: </span>`}${flow.reason}
                ${flow.attempts > 1 && html` <${Badge} tone="warn">${plural(flow.attempts, "attempt")}<//>`}
              </td>
              <td role="cell" class="took number nowrap">
                ${flow.outcome === "under-way" ? "…" : latency(flow.total_s)}
              </td>
              <td role="cell" class="client nowrap muted">${flow.client}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** The phases of a flow as one bar: waiting, on the way, at the target. */
function Phases({ flow }) {
  const parts = [
    ["queue", flow.queue_s],
    ["network", flow.network_s],
    ["target", flow.target_s],
  ].filter(([, seconds]) => seconds > 0);
  const total = parts.reduce((all, [, seconds]) => all + seconds, 0);
  if (!total) return null;
  let from = 0;
  return html`<div class="phases">
    <svg viewBox="0 0 400 14" preserveAspectRatio="none" aria-hidden="true">
      ${parts.map(([name, seconds]) => {
        const x = from;
        from += (seconds / total) * 400;
        return html`<rect class=${`phase ${name}`} x=${x} width=${Math.max(1, from - x - 1)} height="14" />`;
      })}
    </svg>
    <ul class="plain">
      ${parts.map(
        ([name, seconds]) =>
          html`<li><span class=${`dot ${name}`} aria-hidden="true"></span>${name}${" "}
            <span class="number strong">${latency(seconds)}</span></li>`,
      )}
    </ul>
  </div>`;
}

function Detail({ id }) {
  const dialog = useRef(null);
  const [answer, setAnswer] = useState({ detail: null, error: null });
  useEffect(() => {
    const over = new AbortController();
    get(`flows/${id}`, {}, { signal: over.signal }).then(
      (detail) => setAnswer({ detail, error: null }),
      (error) => over.signal.aborted || setAnswer({ detail: null, error }),
    );
    return () => over.abort();
  }, [id]);
  useEffect(() => {
    if (!dialog.current.open) dialog.current.showModal();
  }, []);
  const close = () => {
    setParams({ flow: null });
    document.querySelector(`tr[data-flow="${id}"]`)?.focus();
  };
  const { detail, error } = answer;
  return html`<dialog
    ref=${dialog}
    class="drawer"
    aria-labelledby="flow-title"
    onClose=${close}
    onClick=${(event) => event.target === dialog.current && dialog.current.close()}
  >
    <div class="drawer-body">
      <header class="card-head">
        <h2 id="flow-title">Why flow ${id} went there</h2>
        <button type="button" onClick=${() => dialog.current.close()}>Close</button>
      </header>
      ${error && html`<${Failed} error=${error} />`}
      ${!detail && !error && html`<${Loading} lines=${6} />`}
      ${detail && html`<${Told} flow=${detail.flow} decision=${detail.decision} />`}
    </div>
  </dialog>`;
}

/** Facts of a flow; those that nobody noted, for nobody looked when it began, are left out. */
function Told({ flow, decision }) {
  const facts = [
    what(flow).trim() && ["Request", html`<code>${what(flow)}</code>`],
    ["Service", `${flow.service}:${flow.port} (${flow.protocol})`],
    ["Began", dateTime(flow.at)],
    flow.client && ["Client", flow.client],
    ["Outcome", html`<${Badge} tone=${toneOf(flow)}>${outcomeText(flow)}<//>`],
    flow.status > 0 && ["Status", String(flow.status)],
    ["Served by", flow.site ?? "nobody"],
    flow.target && ["Target", flow.target],
    ["Attempts", count(flow.attempts)],
    ["Bytes in, out", `${count(flow.bytes_in)}, ${count(flow.bytes_out)}`],
    flow.request_id && ["Request id", html`<code>${flow.request_id}</code> <${Copy} text=${flow.request_id} />`],
    flow.trace_id && ["Trace", html`<code>${flow.trace_id}</code> <${Copy} text=${flow.trace_id} />`],
  ].filter(Boolean);
  return html`<div class="sections">
    <p class="decision">
      ${flow.site ? html`To <strong>${flow.site}</strong>` : "Taken by nobody"}: ${flow.reason || "–"}.
      ${flow.overflow && html` <${Badge} tone="warn">overflow<//> A cheaper site was passed over: ${flow.overflow}.`}
    </p>
    ${
      decision
        ? html`<${Decision} decision=${decision} />`
        : html`<p class="muted">
            Its decision is not kept any more: the last ones of each service are.
          </p>`
    }
    <h3>Where the time went: ${latency(flow.total_s)}</h3>
    <${Phases} flow=${flow} />
    <dl class="flow-facts">
      ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
    <p>
      <${Copy} text=${sitectl("why", shellWord(`${flow.service}:${flow.port}`), "--last 20 -v")} label="Copy as sitectl" />
    </p>
  </div>`;
}

function Decision({ decision }) {
  if (!decision.candidates.length) {
    return html`<p class="muted">
      Served here: ${count(decision.in_flight)}
      ${decision.capacity === null ? " in flight, no capacity configured" : ` of ${count(decision.capacity)} slots in use`},
      so no other site was considered.
    </p>`;
  }
  return html`<div>
    <${RunnerUp} candidates=${decision.candidates} />
    <h3>Candidates as they were at ${moment(decision.decided_at)}, policy ${decision.policy}</h3>
    <${Candidates} candidates=${decision.candidates} caption="Candidates as they were then" />
    ${decision.further > 0 && html`<p class="muted">And ${count(decision.further)} dearer ones.</p>`}
    ${
      decision.retried_for &&
      html`<p class="muted">
        Attempt ${count(decision.attempts)}, after ${decision.retried_for}.
      </p>`
    }
  </div>`;
}
