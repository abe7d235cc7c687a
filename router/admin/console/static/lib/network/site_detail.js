// Another site's report about itself, down to the requests of each of its targets.
import { html } from "../html.js";
import { advised } from "../commands.js";
import { count, dateTime, listed, plural, portName, rtt, span } from "../format.js";
import { href } from "../route.js";
import { useAnswer } from "../store.js";
import { NotReady } from "../targets.js";
import { Badge, Card, Empty, Failed, Loading, Meter, Table } from "../ui.js";
import { linkState } from "../words.js";

const ASK_MS = 5000;

function inFlight(one) {
  if (one.capacity === null) return html`<span class="number">${count(one.in_flight)}</span>`;
  const text = `${count(one.in_flight)} of ${count(one.capacity)}`;
  return html`<span class="here">
    <${Meter} value=${one.in_flight} limit=${one.capacity} label=${`${text} in flight`} />
    <span class="number">${text}</span>
  </span>`;
}

/** The sites that served the requests of that site's clients, with their shares. */
function shares(service) {
  const total = service.served.reduce((sum, one) => sum + one.requests, 0);
  if (!total) return "–";
  return service.served
    .filter((one) => one.requests > 0)
    .map((one) => `${one.site || "no site"} ${Math.round((100 * one.requests) / total)} %`)
    .join(", ");
}

/** Requests of that site's clients that other sites served. */
function spilledBy(service, site) {
  return service.served
    .filter((one) => one.site !== "" && one.site !== site.name)
    .reduce((sum, one) => sum + one.requests, 0);
}

function Services({ site }) {
  return html`<${Table}
      caption=${`Services at ${site.name}`}
      rows=${site.services}
      rowKey=${(one) => `${one.name}:${one.port}`}
      empty=${html`<${Empty}>No service that this site may see.<//>`}
      columns=${[
        {
          name: "Service",
          head: true,
          cell: (one) =>
            html`<a href=${href("services", {}, `${one.name}:${one.port}`)}>${portName(one)}</a>`,
        },
        { name: "In flight there", cell: inFlight },
        { name: "Requests", number: true, cell: (one) => count(one.requests_total) },
        { name: "Spilled", number: true, cell: (one) => count(spilledBy(one, site)) },
        { name: "Served by", cell: shares },
      ]}
    />
    ${
      site.services_left_out > 0 &&
      html`<p class="muted">${plural(site.services_left_out, "more service")} did not fit in the answer.</p>`
    }`;
}

function Targets({ site }) {
  const rows = site.services.flatMap((service) =>
    service.targets.map((target) => ({ ...target, service: `${service.name}:${service.port}` })),
  );
  if (!rows.length) return null;
  return html`<${Table}
    caption=${`Targets at ${site.name}`}
    rows=${rows}
    rowKey=${(one) => `${one.service} ${one.name} ${one.port}`}
    columns=${[
      { name: "Target", head: true, cell: (one) => one.name },
      { name: "Service", cell: (one) => one.service },
      {
        name: "State",
        cell: (one) =>
          one.ready
            ? html`<${Badge} tone=${one.error ? "warn" : "good"} title=${one.error}>ready<//>`
            : html`<${NotReady} target=${one} />`,
      },
      { name: "In flight", cell: inFlight },
      { name: "Requests", number: true, cell: (one) => count(one.requests_total) },
    ]}
  />`;
}

function Links({ site }) {
  if (!site.links.length) return null;
  return html`<${Table}
    caption=${`Links of ${site.name}`}
    rows=${site.links}
    columns=${[
      { name: "Link to", head: true, cell: (one) => one.neighbour.name },
      { name: "Way", cell: (one) => (one.direction === "outgoing" ? "→ out" : "← in") },
      {
        name: "State",
        cell: (one) => {
          const { word, tone } = linkState({ ...one, error: "", standby: false });
          return html`<${Badge} tone=${tone}>${word}<//>`;
        },
      },
      { name: "Cost", number: true, cell: (one) => count(one.cost) },
      { name: "Round trip", number: true, cell: (one) => rtt(one.rtt_ms) },
      { name: "Streams", number: true, cell: (one) => count(one.streams) },
      {
        name: "Certificate ends",
        cell: (one) => (one.certificate_expires ? dateTime(one.certificate_expires) : "–"),
      },
    ]}
  />`;
}

function About({ site }) {
  const words = [
    site.ready === null ? "" : site.ready ? "serving" : "not ready",
    site.mode,
    site.version && `version ${site.version}`,
    site.uptime_s === null ? "" : `up for ${span(site.uptime_s)}`,
  ].filter(Boolean);
  return html`<p class="muted">
    ${listed(words)}${site.age_s > 1 && `, as of ${span(site.age_s)} ago`}
    ${site.replicas > 1 && `. One of its ${count(site.replicas)} routers answered: these are its own figures`}
  </p>`;
}

/** @param {{name: string}} props */
export function SiteDetail({ name }) {
  const { value, error, loading } = useAnswer(`sites/${encodeURIComponent(name)}`, {}, ASK_MS);
  let body;
  if (loading) body = html`<${Loading} />`;
  else if (!value) body = html`<${Failed} error=${error} />`;
  else if (!value.told) {
    body = html`<${Empty}>${name} does not report at the moment: ${advised(value.error)}.<//>`;
  } else {
    body = html`<div class="details">
      <${About} site=${value} />
      ${
        value.problems.length > 0 &&
        html`<ul class="plain problems">
          ${value.problems.map(
            (one) =>
              html`<li>
                <${Badge} tone="warn">${one.code}<//> ${one.message || "Hidden from this site."}
              </li>`,
          )}
        </ul>`
      }
      <${Services} site=${value} /> <${Targets} site=${value} /> <${Links} site=${value} />
      ${error && html`<p class="muted">The last answer: ${error.message}</p>`}
    </div>`;
  }
  return html`<${Card} title=${`What ${name} reports`} id="site-detail">${body}<//>`;
}
