// The drawer beside the list: one flow in words, and why it went where it went.
import { html, useEffect, useRef, useState } from "./html.js";
import { get } from "./api.js";
import { sitectl } from "./commands.js";
import { count, dateTime, latency, moment, plural, portNameIn, shellWord } from "./format.js";
import { setParams } from "./route.js";
import { becauseOf } from "./spills.js";
import { Badge, Copy, Failed, Loading } from "./ui.js";
import { Candidates, RunnerUp } from "./why.js";

/** Not a failure of the service: the client left before the end. */
export const CLIENT_GONE = "client-gone";
export const GAVE_UP = "client gave up";
export const UNDER_WAY = "under-way";

/**
 * Whether a tcp client ended its connection with a reset, or TLS without `close_notify`: it may have
 * had all it wanted.
 * @param {any} flow
 */
function isCut({ outcome, protocol, site }) {
  return outcome === CLIENT_GONE && protocol === "tcp" && Boolean(site);
}

/** @param {any} flow */
export function toneOf(flow) {
  if (flow.outcome === UNDER_WAY || isCut(flow)) return "info";
  if (flow.outcome === CLIENT_GONE) return "warn";
  if (flow.outcome !== "ok") return "bad";
  if (flow.answer === "5xx") return "bad";
  return flow.answer === "4xx" ? "warn" : "good";
}

/**
 * The outcome of a flow, worded as in `sitectl why --last`, with the status of a complete answer, or
 * its class if the status is not known.
 * @param {any} flow
 */
export function outcomeText(flow) {
  const { outcome, code, status, answer } = flow;
  if (outcome === "ok" && answer === "ok") return "ok"; // A tcp connection.
  if (outcome === "ok") return `${answer === "5xx" ? "answered" : "ok"} ${status || answer}`;
  if (outcome === CLIENT_GONE) return isCut(flow) ? "client left" : GAVE_UP;
  if (outcome === UNDER_WAY) return "under way";
  return code && code !== outcome ? `${outcome} (${code})` : outcome;
}

export function what(flow) {
  return flow.protocol === "tcp" ? "connection" : `${flow.method} ${flow.path}`;
}

/** The phases of a flow as one bar: queue, network and target. */
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

/** @param {number} id @param {any} flow */
function titleOf(id, flow) {
  if (flow && !flow.site) return `Why no site served flow ${id}`;
  return `Why flow ${id} went there`;
}

/** The drawer of one flow, by its ID. @param {{live: any, id: number}} props */
export function FlowDetail({ live, id }) {
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
        <h2 id="flow-title">${titleOf(id, detail?.flow)}</h2>
        <button type="button" onClick=${() => dialog.current.close()}>Close</button>
      </header>
      ${error && html`<${Failed} error=${error} />`}
      ${!detail && !error && html`<${Loading} lines=${6} />`}
      ${detail && html`<${Told} live=${live} flow=${detail.flow} decision=${detail.decision} />`}
    </div>
  </dialog>`;
}

/** Facts about a flow. A flow that began before the router recorded flows lacks some. */
function Told({ live, flow, decision }) {
  const facts = [
    what(flow).trim() && ["Request", html`<code>${what(flow)}</code>`],
    ["Service", `${portNameIn(live, flow)} (${flow.protocol})`],
    ["Began", dateTime(flow.at)],
    flow.client && ["Client", flow.client],
    ["Outcome", html`<${Badge} tone=${toneOf(flow)}>${outcomeText(flow)}<//>`],
    flow.outcome !== "ok" && flow.status > 0 && ["Status", String(flow.status)],
    ["Served by", flow.site ?? "no site"],
    flow.target && ["Target", flow.target],
    ["Attempts", count(flow.attempts)],
    ["Bytes in, out", `${count(flow.bytes_in)}, ${count(flow.bytes_out)}`],
    flow.request_id && ["Request id", html`<code>${flow.request_id}</code> <${Copy} text=${flow.request_id} />`],
    flow.trace_id && ["Trace", html`<code>${flow.trace_id}</code> <${Copy} text=${flow.trace_id} />`],
  ].filter(Boolean);
  return html`<div class="sections">
    <p class="decision">
      ${flow.site ? html`To <strong>${flow.site}</strong>` : "Served by no site"}: ${flow.reason || "–"}.
      ${flow.overflow && html` <${Badge} tone="warn">overflow<//> A cheaper site was passed over: ${flow.overflow}.`}
      ${!flow.overflow && flow.spill_reason && html` <${Badge} tone="warn">spilled<//> Another site served it because ${becauseOf([], [flow.spill_reason])}.`}
    </p>
    ${
      decision
        ? html`<${Decision} decision=${decision} />`
        : html`<p class="muted">
            The decision is no longer stored: the router keeps only recent decisions per service.
          </p>`
    }
    <h3>Where the time went${flow.outcome === UNDER_WAY ? " so far" : ""}: ${latency(flow.total_s)}</h3>
    <${Phases} flow=${flow} />
    <dl class="flow-facts">
      ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
    <p>
      <${Copy} text=${sitectl("why", shellWord(`${flow.service}:${flow.port}`), "--last 20 -v")} label="Copy as sitectl" />
    </p>
  </div>`;
}

function usedThen({ in_flight: inFlight, capacity }) {
  if (inFlight === null) return "this site had room";
  if (capacity === null) return `${count(inFlight)} in flight, no slots configured`;
  return `${count(inFlight)} of ${count(capacity)} slots in use`;
}

const DEPARTS = {
  age: "The router asked the client to close the connection: it reached its maximum age.",
  rebalance:
    "The router asked the client to close the connection: the policy would now place it at another site.",
  tunnel: "The router ended the connection: nothing moved on it for the time-out tunnel.",
  "half-closed":
    "The router ended the connection: one side had ended, and nothing moved for the time-out half-closed.",
};

function Decision({ decision }) {
  if (!decision.candidates.length) {
    return html`<p class="muted">
      Served here: ${usedThen(decision)}, so no other site was considered.
    </p>`;
  }
  return html`<div>
    <${RunnerUp} candidates=${decision.candidates} />
    <h3>Candidates as they were at ${moment(decision.decided_at)}, policy ${decision.policy}</h3>
    <${Candidates} candidates=${decision.candidates} caption="Candidates as they were then" />
    ${decision.further > 0 && html`<p class="muted">And ${plural(decision.further, "costlier site")}.</p>`}
    ${
      decision.departs_for &&
      html`<p class="muted">
        ${DEPARTS[decision.departs_for] ?? ""}
      </p>`
    }
    ${
      decision.retried_for &&
      html`<p class="muted">
        Attempt ${count(decision.attempts)}, after ${decision.retried_for}.
      </p>`
    }
  </div>`;
}
