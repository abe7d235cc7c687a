// Events as they happen, with filters by severity, code, kind and text.
import { html } from "../lib/html.js";
import { sitectl } from "../lib/commands.js";
import { count, dateTime, isHashed, moment, plural, shellWord } from "../lib/format.js";
import { useJournal } from "../lib/journal.js";
import { usePaged } from "../lib/paging.js";
import { setParams } from "../lib/route.js";
import { Ago, Badge, Card, Empty, Failed, Filter, Hint, Loading } from "../lib/ui.js";

export const title = "Events";
export const offline = true; // The page requests events itself.

const KEPT_MAX = 1000; // As many as the router stores.
const PAGE = 200; // Shown at a time.
const SEVERITIES = ["info", "warning", "error"];
const TONES = { info: "info", warning: "warn", error: "bad" };

export function command(route) {
  const { severity, code, kind } = route.params;
  return sitectl(
    "events",
    SEVERITIES.includes(severity) ? `--severity ${severity}` : "",
    code ? `--code ${shellWord(code)}` : "",
    kind ? `--kind ${shellWord(kind)}` : "",
  );
}

/** Whether an event matches the filters in the address. @param {any} event */
export function fits(event, { severity = "", code = "", kind = "", text = "" }) {
  const least = Math.max(0, SEVERITIES.indexOf(severity));
  const words = text.toLowerCase();
  return (
    SEVERITIES.indexOf(event.severity) >= least &&
    (!code || event.code === code) &&
    (!kind || (event.kind ?? "event") === kind) &&
    (!words ||
      [event.message, event.subject, event.code, event.hint, event.by ?? ""].some((part) =>
        part.toLowerCase().includes(words),
      ))
  );
}

/** @param {{name: string, label: string, value: string, choices: [string, string][]}} props */
function Choice({ name, label, value, choices }) {
  return html`<label class="choice">
    <span>${label}</span>
    <select value=${value} onChange=${(event) => setParams({ [name]: event.target.value })}>
      ${choices.map(
        ([key, words]) => html`<option value=${key} selected=${key === value}>${words}</option>`,
      )}
    </select>
  </label>`;
}

/** New fields in one line, then each changed field, then each removed field. */
function Changes({ changes }) {
  if (!changes?.length) return null;
  const set = changes.filter((one) => !one.old);
  const changed = changes.filter((one) => one.old && one.new);
  const gone = changes.filter((one) => one.old && !one.new);
  return html`<ul class="plain changes">
    ${
      set.length > 0 &&
      html`<li>
        <span class="muted">set</span>${set.map(
          (one, index) =>
            html`${index > 0 && ","} <code>${one.field}</code> <ins>${one.new || '""'}</ins>`,
        )}
      </li>`
    }
    ${changed.map(
      (one) =>
        html`<li><code>${one.field}</code> <del>${one.old}</del> → <ins>${one.new}</ins></li>`,
    )}
    ${gone.map(
      (one) =>
        html`<li><span class="muted">removed</span> <code>${one.field}</code> <del>${one.old}</del></li>`,
    )}
  </ul>`;
}

function Happened({ event }) {
  return html`<li class="event">
    <p class="when number">
      <time datetime=${event.at} title=${dateTime(event.at)}>${moment(event.at)}</time>
      <span class="muted small"><${Ago} iso=${event.at} /></span>
    </p>
    <p class="how"><${Badge} tone=${TONES[event.severity] ?? "calm"}>${event.severity}<//></p>
    <div class="what">
      <p>
        <button
          type="button"
          class="code"
          title=${`Only ${event.code}`}
          onClick=${() => setParams({ code: event.code })}
        >
          ${event.code}
        </button>
        ${!isHashed(event.subject) && html` <span class="strong">${event.subject}</span>`}
        ${event.by && html` <span class="muted">by ${event.by}</span>`}
      </p>
      <p>${event.message}</p>
      <${Changes} changes=${event.changes} />
      <${Hint} text=${event.hint} />
    </div>
  </li>`;
}

export function View({ route }) {
  const { severity = "", code = "", kind = "", text = "", pause = "" } = route.params;
  const paused = pause === "1";
  const { items, waiting, error, loading } = useJournal({ most: KEPT_MAX, paused });
  const found = items.filter(({ value }) => fits(value, route.params));
  const codes = [...new Set([...items.map(({ value }) => value.code), code].filter(Boolean))].sort();
  const { shown, more } = usePaged(found, PAGE);
  const isNarrowed = severity || code || kind || text;
  return html`<${Card} title=${`${plural(found.length, "event")}${isNarrowed ? ` of ${count(items.length)}` : ""}`} id="events">
    <div class="filters">
      <${Filter} name="text" label="Filter by text" value=${text} />
      <${Choice}
        name="severity"
        label="At least"
        value=${severity}
        choices=${[
          ["", "info"],
          ["warning", "warning"],
          ["error", "error"],
        ]}
      />
      <${Choice}
        name="code"
        label="Code"
        value=${code}
        choices=${[["", "any"], ...codes.map((one) => [one, one])]}
      />
      <${Choice}
        name="kind"
        label="Kind"
        value=${kind}
        choices=${[
          ["", "any"],
          ["event", "changes of state"],
          ["audit", "audit log"],
        ]}
      />
      <button
        type="button"
        aria-pressed=${String(paused)}
        onClick=${() => setParams({ pause: paused ? null : "1" })}
      >
        Pause
      </button>
      ${paused && html`<span class="muted number">${plural(waiting, "new event")}</span>`}
      ${
        isNarrowed &&
        html`<button
          type="button"
          onClick=${() => setParams({ severity: null, code: null, kind: null, text: null })}
        >
          Show all
        </button>`
      }
    </div>
    ${error && html`<${Failed} error=${error} />`}
    ${loading && html`<${Loading} />`}
    ${
      !loading &&
      !found.length &&
      !error &&
      html`<${Empty}>${isNarrowed ? "No event matches." : "No events yet."}<//>`
    }
    <ol class="plain events" aria-label="Events, newest first">
      ${shown.map(({ id, value }) => html`<${Happened} key=${id} event=${value} />`)}
    </ol>
    ${more}
  <//>`;
}
