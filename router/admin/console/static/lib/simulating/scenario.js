// A scenario that the user writes or pastes, run by the router's own code in virtual time.
import { html, useEffect, useRef, useState } from "../html.js";
import { looksOf } from "../charts/colours.js";
import { simulating } from "../commands.js";
import { EXAMPLES } from "./examples.js";
import { count, plural, rtt } from "../format.js";
import { run as simulated } from "./running.js";
import { Stack, figure } from "../charts/stack.js";
import { Badge, BusyButton, Card, Copy, Empty, Failed, Loading, Table, announce } from "../ui.js";

/** The text and the last outcome, stored while the user visits other pages. */
const draft = { text: EXAMPLES[0].text, outcome: null };

/** Loads a scenario from another page. @param {string} text */
export function load(text) {
  draft.text = text;
  draft.outcome = null;
}

/** `670 (20 %)`. @param {number} number @param {number} total */
export function shared(number, total) {
  return total ? `${count(number)} (${Math.round((number / total) * 100)} %)` : count(number);
}

/** @param {number | null} share */
function percent(share) {
  return share === null ? "–" : `${Math.round(share * 100)} %`;
}

/** @param {Record<string, number>} counts */
export function total(counts) {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

/** The spills of one site's clients, worded as in `sitectl simulate`. */
export function spills(one) {
  if (one.first_spill_s === null) return one.offered ? [`${one.site}: no request spilled.`] : [];
  const held = one.held_by.join(" and ");
  const free =
    one.first_spill_free === null
      ? held
        ? `held by ${held}`
        : "no capacity is configured there"
      : `${count(Math.max(0, one.first_spill_free))} slots were free`;
  const lines = [`${one.site}: first spill at ${one.first_spill_s.toFixed(2)} s, ${free}.`];
  if (one.spilled_while_free !== null) {
    const left = (one.spilled_while_free * 100).toFixed(1);
    const why = held && one.spilled_while_free ? `, held by ${held}` : "";
    lines.push(`${left} % of them spilled while a slot was free${why}.`);
  }
  if (one.return_s !== null) {
    const back = Math.max(0, one.return_s).toFixed(2);
    lines.push(`The last spill came ${back} s after the last one that was needed.`);
  }
  return lines;
}

/** Rows that compare the rules: ours, then Skupper's. @param {any} outcome */
export function rules(outcome) {
  const ours = outcome.sites
    .filter((one) => one.offered)
    .map((one) => ({ ...one, rule: outcome.policy, failed: one.refused + one.lost, own: true }));
  return [...ours, ...outcome.skupper].map((one) => ({
    ...one,
    asked: one.here + total(one.overflowed) + one.failed,
  }));
}

export function Scenario() {
  const area = useRef(null);
  const [state, setState] = useState({ running: false, error: null, outcome: draft.outcome });
  const [text, setText] = useState(draft.text);
  const edit = (next) => {
    draft.text = next;
    setText(next);
  };
  const leaving = useRef(null);
  const leave = () => {
    if (!leaving.current) return;
    leaving.current.abort();
    announce("");
  };
  useEffect(() => leave, []); // Leaving the page ends its run.
  const run = async () => {
    leaving.current?.abort();
    const over = new AbortController();
    leaving.current = over;
    setState({ running: true, error: null, outcome: null });
    announce("The scenario runs");
    try {
      const [outcome] = await simulated("simulate", draft.text, over.signal);
      draft.outcome = outcome;
      leaving.current = null;
      setState({ running: false, error: null, outcome });
      announce("The scenario has run");
    } catch (error) {
      if (over.signal.aborted) return;
      setState({ running: false, error, outcome: null });
      announce(error.code === "bad-scenario" ? "" : error.message); // `Wrong` announces its errors.;
    }
  };
  const press = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    }
  };
  const example = EXAMPLES.find((one) => one.text === text);
  const choose = (event) => {
    const chosen = EXAMPLES.find((one) => one.name === event.target.value);
    if (chosen) edit(chosen.text);
  };
  return html`<div class="sections">
    <${Card}
      title="Scenario"
      id="scenario"
      actions=${html`<label class="choice"
          >Example
          <select value=${example?.name ?? ""} onChange=${choose}>
            ${!example && html`<option value="">your own</option>`}
            ${EXAMPLES.map((one) => html`<option value=${one.name}>${one.title}</option>`)}
          </select>
        </label>
        <${Copy} text=${text} label="Copy the file" />
        <${Copy} text=${simulating(text)} label="Copy as sitectl" class="as-sitectl" />
        <${BusyButton} class="primary" busy=${state.running} onClick=${run}>
          ${state.running ? "Running…" : "Run"}
        <//>`}
    >
      <p class="muted note" id="scenario-note">
        Whole routers run the scenario in virtual time, with the code that runs in production. This
        site does not change. Ctrl+Enter runs the scenario.
      </p>
      <textarea
        ref=${area}
        class="code"
        rows="18"
        spellcheck=${false}
        autocapitalize="off"
        autocomplete="off"
        wrap="off"
        aria-label="Scenario, as YAML"
        aria-describedby="scenario-note"
        value=${text}
        onInput=${(event) => edit(event.target.value)}
        onKeyDown=${press}
      ></textarea>
      ${state.error && html`<${Wrong} error=${state.error} area=${area} />`}
    <//>
    ${state.running && html`<${Card}><${Loading} lines=${8} what="The scenario runs" /><//>`}
    ${
      state.outcome
        ? html`<${Outcome} outcome=${state.outcome} />`
        : !state.running &&
          html`<${Card}><${Empty}>Run the scenario to see which site serves which clients, and what Skupper would do.<//><//>`
    }
  </div>`;
}

/** All errors of the scenario; each one links to its line. */
function Wrong({ error, area }) {
  const lines = error.code === "bad-scenario" ? error.message.split("\n") : [];
  if (!lines.length) return html`<${Failed} error=${error} />`;
  const go = (line) => {
    const before = area.current.value.split("\n").slice(0, line - 1).join("\n").length;
    const start = before + (line > 1 ? 1 : 0);
    const end = area.current.value.indexOf("\n", start);
    area.current.focus();
    area.current.setSelectionRange(start, end < 0 ? area.current.value.length : end);
  };
  return html`<div class="failed" role="alert">
    <p><${Badge} tone="bad">${plural(lines.length, "error")}<//> ${error.hint}</p>
    <ul class="plain findings">
      ${lines.map((line) => {
        const place = /^(\d+):(\d+): (.*)$/s.exec(line);
        return html`<li>
          ${
            place
              ? html`<button type="button" onClick=${() => go(Number(place[1]))}>
                    Line ${place[1]}</button
                  >${" "}${place[3]}`
              : line
          }
        </li>`;
      })}
    </ul>
  </div>`;
}

function Outcome({ outcome }) {
  const several = new Set(outcome.sites.map((one) => one.service)).size > 1;
  const name = (one) => (several ? `${one.site} ${one.service}` : one.site);
  const looks = looksOf([...new Set(outcome.sites.map((one) => one.site))]);
  return html`<div class="sections">
    <${Card} title="Result" id="result">
      <p class="muted note">
        ${outcome.scenario}: ${plural(outcome.requests, "request")} in ${outcome.lasted_s} s, seed
        ${" "}${outcome.seed}, policy ${outcome.policy}
        ${outcome.interrupted && html` <${Badge} tone="warn">stopped early<//>`}
      </p>
      <${Table}
        caption="Results per client site"
        rows=${outcome.sites}
        columns=${[
          { name: "Site", head: true, cell: name },
          { name: "Offered", number: true, cell: (one) => count(one.offered) },
          { name: "Here", number: true, cell: (one) => shared(one.here, one.offered) },
          { name: "Away", number: true, cell: (one) => shared(total(one.overflowed), one.offered) },
          { name: "Refused", number: true, cell: (one) => count(one.refused) },
          { name: "Lost", number: true, cell: (one) => count(one.lost) },
          { name: "Used", number: true, cell: (one) => percent(one.used) },
          { name: "Ideal", number: true, cell: (one) => percent(one.ideal) },
          { name: "Queue", number: true, cell: (one) => count(one.queue_most) },
          { name: "p50", number: true, cell: (one) => rtt(one.p50_ms) },
          { name: "p90", number: true, cell: (one) => rtt(one.p90_ms) },
          { name: "p99", number: true, cell: (one) => rtt(one.p99_ms) },
        ]}
      />
      ${outcome.sites.map((one) => spills(one).length > 0 && html`<p class="said">${spills(one).join(" ")}</p>`)}
    <//>
    <${Card} title="The same requests under Skupper's rule" id="rules">
      <${Table}
        caption="Spillway's policy and Skupper's rule"
        rows=${rules(outcome)}
        rowProps=${(one) => ({ class: one.own ? "chosen" : "" })}
        columns=${[
          { name: "Rule", head: true, cell: (one) => one.rule },
          { name: "Clients of", cell: name },
          { name: "Here", number: true, cell: (one) => shared(one.here, one.asked) },
          {
            name: "Elsewhere",
            cell: (one) =>
              Object.entries(one.overflowed)
                .map(([site, number]) => `${site} ${shared(number, one.asked)}`)
                .join(", ") || "–",
          },
          { name: "Failed", number: true, cell: (one) => count(one.failed) },
          { name: "p50", number: true, cell: (one) => rtt(one.p50_ms) },
          { name: "p99", number: true, cell: (one) => rtt(one.p99_ms) },
        ]}
      />
      <p class="muted said">
        Skupper's rule is a model, checked against live routers. The model counts each request as a
        connection.
      </p>
    <//>
    ${outcome.sites
      .filter((one) => one.offered)
      .map((one) => html`<${Picture} one=${one} looks=${looks} name=${name(one)} key=${name(one)} />`)}
  </div>`;
}

/** Requests per second of a site's clients over the scenario, by the site that served them. */
function Picture({ one, looks, name }) {
  const { series } = one;
  const perS = (values) => values.map((value) => value / series.step_s);
  const away = Object.keys(series.served).filter((site) => site !== one.site);
  const none = series.offered.map(() => 0);
  const layers = [
    { name: `${one.site} (here)`, look: looks.of(one.site), values: perS(series.served[one.site] ?? none) },
    ...away.map((site) => ({ name: site, look: looks.of(site), values: perS(series.served[site]) })),
  ];
  const marks = series.refused.some((value) => value > 0)
    ? { name: "refused or lost", values: series.refused }
    : null;
  const labels = series.offered.map((_, index) => `${Number((index * series.step_s).toFixed(1))} s`);
  return html`<${Stack}
    id=${`run-${one.site}-${one.service}`.replace(/[^\w-]/g, "_")}
    title=${`Where clients of ${name} were served`}
    note="Requests per second, by start time."
    unit="requests/s"
    ...${{ layers, marks, labels }}
    ticks=${labels.map((text) => `${Math.round(Number.parseFloat(text))} s`)}
    now=${`At the end, ${labels.at(-1)}`}
    more=${[
      { name: "Offered/s", number: true, cell: (i) => figure(series.offered[i] / series.step_s) },
      { name: "Slots busy", number: true, cell: (i) => `${figure(series.busy[i])} of ${series.slots[i]}` },
      { name: "Queue", number: true, cell: (i) => count(series.queue[i]) },
      { name: "p99", number: true, cell: (i) => rtt(series.p99_ms[i]) },
    ]}
  />`;
}
