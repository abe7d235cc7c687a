// Targets of a service: those of this site with their capacity, those of other sites on demand.
import { html, useState } from "./html.js";
import { get } from "./api.js";
import { CapacityBar, honesty, inFlightOf, overstated } from "./capacity.js";
import { OF_MOMENTS } from "./charts/means.js";
import { SiteName } from "./charts/colours.js";
import { sitectl } from "./commands.js";
import { addressOf, count, mean, plural, shellWord, span } from "./format.js";
import { useNow } from "./store.js";
import { Ago, Badge, BusyButton, Card, Empty, Failed, Table, announce } from "./ui.js";

/** @param {any} knees @param {any} service @param {any} target */
function kneeOf(knees, service, target) {
  const address = addressOf(target);
  return (knees.value ?? []).find((one) => one.port === service.port && one.target === address);
}

/** A ready target that answers 5xx: it stays in use. */
export function answersErrors(target) {
  return target.error_kind === "answers-5xx";
}

/** A ready target that resets, cuts off or delays answers: it stays in use. */
export function givesNoWholeAnswer(target) {
  return target.error_kind === "no-whole-answer";
}

/** A ready target that has an error all the same: clients get no byte from it. */
export function answersNothing(target) {
  return target.error_kind === "no-answer";
}

/** Whether failed requests took the target out for a while. */
export function isEjected(target) {
  return target.error_kind === "ejected";
}

/** A target that takes no request: a fault, unless an operator drained it. @param {{target: any}} props */
export function NotReady({ target }) {
  return target.error_kind === "drained"
    ? html`<${Badge} tone="warn">drained<//>`
    : html`<${Badge} tone="bad" title=${target.error}>not ready<//>`;
}

export function Targets({ service, knees }) {
  return html`<${Card} title="Targets here" id="targets">
    <p class="muted note">
      Bar: in flight, ${OF_MOMENTS}. Line: configured or learned capacity. Triangle: where latency starts to climb.
    </p>
    <${Table}
      caption="Targets here"
      rows=${service.targets}
      rowKey=${(one) => `${addressOf(one)} ${one.name}`}
      empty=${html`<${Empty} hint=${html`<code>${sitectl("service bind", shellWord(service.name), "…")}</code>`}>No target here.<//>`}
      columns=${[
        {
          name: "Target",
          head: true,
          cell: (one) => html`${addressOf(one)} <span class="muted">${one.name}</span>`,
        },
        {
          name: "State",
          cell: (one) =>
            one.ready
              ? html`<${Badge} tone=${one.error ? "warn" : "good"}>ready<//> <span class="muted">${one.error}</span>`
              : html`<${NotReady} target=${one} /> <span class="muted">${one.error}</span>`,
        },
        { name: "In flight", number: true, cell: (one) => mean(inFlightOf(one)) },
        {
          name: "Capacity",
          long: true,
          cell: (one) => {
            const knee = kneeOf(knees, service, one);
            return html`<span class="bar-and-words">
              <${CapacityBar} target=${one} knee=${knee} />
              <span
                >${honesty(one, knee)}
                ${overstated(one, knee) && html` <${Badge} tone="warn">configured too high<//>`}</span
              >
            </span>`;
          },
        },
        { name: "Requests", number: true, cell: (one) => count(one.requests_total) },
        { name: "Since", number: true, cell: (one) => html`<${Ago} iso=${one.since} />` },
      ]}
    />
  <//>`;
}

/** The age of the answer, which is not updated. @param {{at: number}} props By the page's clock. */
function AskedAgo({ at }) {
  useNow();
  return html`<p class="muted">Loaded ${span((performance.now() - at) / 1000)} ago.</p>`;
}

/** Targets of other sites, requested only when the user asks for them. */
export function Elsewhere({ service }) {
  const [answer, setAnswer] = useState({ targets: null, error: null, asking: false, at: 0 });
  const sites = service.sites.filter((one) => !one.local);
  if (!sites.length) return null;
  const ask = async () => {
    setAnswer({ ...answer, asking: true });
    try {
      const ports = await get(`services/${encodeURIComponent(service.name)}`);
      const port = ports.find((one) => one.port === service.port);
      const own = new Set(service.targets.map((one) => one.site));
      const targets = (port?.targets ?? []).filter((one) => !own.has(one.site) && !one.host);
      setAnswer({ targets, error: null, asking: false, at: performance.now() });
      announce("The targets of other sites are loaded");
    } catch (error) {
      setAnswer({ ...answer, error, asking: false });
      announce(error.message);
    }
  };
  return html`<${Card}
    title="Targets of other sites"
    id="elsewhere"
    actions=${html`<${BusyButton} busy=${answer.asking} onClick=${ask}>
      ${answer.asking ? "Loading…" : answer.targets ? "Load again" : "Load targets"}
    <//>`}
  >
    ${answer.error && html`<${Failed} error=${answer.error} />`}
    ${answer.targets && html`<${AskedAgo} at=${answer.at} />`}
    ${
      answer.targets &&
      sites
        .filter((one) => one.targets_ready && !answer.targets.some((target) => target.site === one.site))
        .map(
          (one) => html`<p key=${one.site}>
            ${one.site} ${one.left_out ? "was not asked for" : "did not list"} its ${plural(one.targets_ready, "ready target")}${one.left_out ? `: ${one.left_out}` : "."}
          </p>`,
        )
    }
    ${
      answer.targets
        ? html`<${Table}
            caption="Targets of other sites"
            rows=${answer.targets}
            rowKey=${(one) => `${one.site} ${one.name} ${one.port}`}
            empty=${html`<${Empty}>No site reported a target.<//>`}
            columns=${[
              { name: "Site", head: true, cell: (one) => html`<${SiteName} name=${one.site} />` },
              { name: "Target", cell: (one) => `${one.name}:${one.port}` },
              {
                name: "State",
                cell: (one) =>
                  html`<${Badge} tone=${one.ready ? "good" : "bad"}>${one.ready ? "ready" : "not ready"}<//>`,
              },
              { name: "In flight", number: true, cell: (one) => count(one.in_flight) },
              {
                name: "Capacity",
                cell: (one) => html`<span class="bar-and-words">
                  <${CapacityBar} target=${one} knee=${null} /><span>${honesty(one, null)}</span>
                </span>`,
              },
              { name: "Requests", number: true, cell: (one) => count(one.requests_total) },
            ]}
          />`
        : html`<p class="muted">
            ${plural(sites.length, "other site")} with${" "}
            ${plural(sites.reduce((all, one) => all + one.targets_ready, 0), "ready target")}.
            "Load targets" lists them, without addresses.
          </p>`
    }
  <//>`;
}
