// Where are requests served, and why there? The rest at a glance.
import { html } from "../lib/html.js";
import { SiteName } from "../lib/charts/colours.js";
import { answer, makeOne } from "../lib/answer.js";
import { inFlightOf, isDrainedHere, ofRates, usedOf } from "../lib/capacity.js";
import { whyNone } from "../lib/closed.js";
import { sitectl } from "../lib/commands.js";
import { count, mean, plural, portName, quantile, rate, rtt, span } from "../lib/format.js";
import { href } from "../lib/route.js";
import { NoLinks } from "../lib/network/no_links.js";
import { byCost, inOrder } from "../lib/network/sites.js";
import { servedBy, spilledText, spillText, spilling } from "../lib/spills.js";
import { Ago, Badge, Card, Empty, Hint, Meter, Table } from "../lib/ui.js";
import { Trends } from "../lib/charts/trends.js";
import { linkState, siteState, whoseRequests } from "../lib/words.js";

export const title = "Overview";
const PROBLEMS_SHOWN = 10; // One dead host may be a target of every service.
const SHOWN_MAX = 6;

export function command() {
  return sitectl("status");
}

function serviceHref(one) {
  return href("services", {}, `${one.service ?? one.name}:${one.port}`);
}

function Answer({ live }) {
  const { text, more, tone } = answer(live);
  return html`<div class="answer ${tone}">
    <p class="sentence">${text}</p>
    <p class="muted">${more}</p>
  </div>`;
}

function Spilling({ live, one }) {
  const share = one.begun_per_s ? one.spilled_per_s / one.begun_per_s : 0;
  const isPart = share > 0 && share <= 1;
  return html`<li class="spill">
    <a class="strong" href=${serviceHref(one)}>${portName(one)}</a>
    <span class="share">
      ${
        isPart &&
        html`<${Meter}
            value=${share}
            limit=${1}
            label=${`${Math.round(share * 100)} percent leave this site`}
          />
          <span class="number">${Math.round(share * 100)} %</span>`
      }
      <span class="muted number"
        >${spilledText(one)}${isPart ? ` of ${rate(one.begun_per_s)}` : ""}</span
      >
    </span>
    <span class="towards">
      ${inOrder(live, servedBy(one)).map(
        (site) =>
          html`<span>→ <span class="strong"><${SiteName} name=${site} /></span> <span class="number">${spillText(one.spilled_to[site] ?? 0, one.open_to?.[site] ?? 0)}</span></span>`,
      )}
    </span>
    <p class="muted">${one.why}</p>
  </li>`;
}

function ProblemList({ problems }) {
  return html`<ul class="plain problems">
    ${problems.map(
      (one) =>
        html`<li>
          <p>
            <a
              href=${href("events", { text: one.code })}
              aria-label=${`${one.code}: related events`}
              ><${Badge} tone="warn">${one.code}<//
            ></a>
            ${" "}${one.message}
            ${one.since && html` <span class="muted">· <${Ago} iso=${one.since} /></span>`}
          </p>
          <${Hint} text=${one.hint} />
        </li>`,
    )}
  </ul>`;
}

function Problems({ live }) {
  const { problems, notes } = live.status;
  const more = problems.slice(PROBLEMS_SHOWN);
  return html`<${Card} title="Problems" id="problems">
    ${
      problems.length
        ? html`<${ProblemList} problems=${problems.slice(0, PROBLEMS_SHOWN)} />`
        : html`<${Empty}>No problems.<//>`
    }
    ${
      more.length > 0 &&
      html`<details>
        <summary>${plural(more.length, "more problem")}</summary>
        <${ProblemList} problems=${more} />
      </details>`
    }
    ${
      notes.length > 0 &&
      html`<details>
        <summary>${plural(notes.length, "note")}</summary>
        <ul class="plain problems">
          ${notes.map(
            (one) => html`<li><p>${one.code} ${one.message}</p><${Hint} text=${one.hint} /></li>`,
          )}
        </ul>
      </details>`
    }
  <//>`;
}

function More({ rows, to, what }) {
  if (rows.length <= SHOWN_MAX) return null;
  return html`<p class="more"><a href=${href(to)}>All ${count(rows.length)} ${what}</a></p>`;
}

function Services({ live }) {
  const now = new Map(live.now.map((one) => [`${one.service}:${one.port}`, one]));
  const rows = live.services
    .map((service) => ({
      ...service,
      now: now.get(`${service.name}:${service.port}`),
      here: service.sites.find((site) => site.local),
    }))
    .sort((one, other) => (other.now?.begun_per_s ?? 0) - (one.now?.begun_per_s ?? 0));
  const shown = rows.slice(0, SHOWN_MAX);
  return html`<${Card} title="Services" id="services">
    <p class="muted note">
      All figures, including in flight, cover the last few seconds. ${ofRates(shown)}
      ${whoseRequests(live.status)}
    </p>
    <${Table}
      caption="Services"
      rows=${shown}
      rowKey=${(row) => `${row.name}:${row.port}`}
      empty=${html`<${Empty} hint=${whyNone(live).length ? "" : makeOne()}>No services.<//>`}
      columns=${[
        {
          name: "Service",
          head: true,
          cell: (row) => html`<a href=${serviceHref(row)}>${portName(row)}</a>`,
        },
        { name: "In flight here", cell: (row) => html`<${Here} here=${row.here} service=${row} />` },
        { name: "Requests", number: true, cell: (row) => rate(row.now?.begun_per_s) },
        { name: "Spilled", number: true, cell: (row) => html`<${Spilled} now=${row.now} />` },
        { name: "p99", number: true, cell: (row) => quantile(row.now?.p99_s) },
      ]}
    />
    <${More} rows=${rows} to="services" what="services" />
  <//>`;
}

/** The rate and the open connections may wrap, so that they do not push another column out. */
function Spilled({ now }) {
  const parts = spilledText(now).split(" ").join("\u00a0").split(",\u00a0");
  return html`<span class="parts">${parts.join(", ")}</span>`;
}

function Here({ here, service }) {
  const { total, ready } = service.local_targets;
  if (isDrainedHere(service)) return html`<${Badge} tone="warn">drained<//>`;
  if (total > 0 && ready === 0 && service.takes !== 0) {
    return html`<${Badge} tone="bad">${`0 of ${plural(total, "target")}`}<//>`;
  }
  if (!here) return html`<span class="muted">no target</span>`;
  if (here.targets_ready === 0) return html`<span class="muted">no ready target</span>`;
  const used = usedOf(here);
  if (!used) {
    return html`<span class="number">${mean(inFlightOf(here))}</span>
      <span class="muted">, no limit</span>`;
  }
  return html`<span class="here">
    <${Meter} value=${used.value} limit=${used.limit} full=${used.full} label=${used.label} />
    <span class="number">${used.words}</span>
    ${used.full && html`<span class="small">full</span>`}
  </span>`;
}

const RANK = { bad: 0, warn: 1, calm: 2, info: 3, good: 4 };

function Sites({ live }) {
  const rank = (site) => RANK[siteState(site, live).tone];
  const ordered = [...live.network].sort(byCost);
  // If there is no room for all sites, those in trouble must be among the shown ones.
  const shown = new Set([...ordered].sort((one, other) => rank(one) - rank(other)).slice(0, SHOWN_MAX));
  return html`<${Card} title="Sites" id="sites">
    <${Table}
      caption="Sites"
      rows=${ordered.filter((site) => shown.has(site))}
      rowKey=${(row) => row.id}
      empty=${html`<${Empty}>Only this site.<//>`}
      columns=${[
        {
          name: "Site",
          head: true,
          cell: (row) => html`<a href=${href("topology", { site: row.name })}><${SiteName} ...${row} /></a>`,
        },
        { name: "Cost", number: true, cell: (row) => count(row.path_cost) },
        { name: "Services", number: true, cell: (row) => count(row.services.length) },
        {
          name: "State",
          cell: (row) => {
            const { word, tone } = siteState(row, live);
            return html`<${Badge} tone=${tone}>${word}<//>`;
          },
        },
      ]}
    />
    <${More} rows=${ordered} to="topology" what="sites" />
  <//>`;
}

function Links({ live }) {
  const rows = [...live.links].sort(
    (one, other) =>
      RANK[linkState(one).tone] - RANK[linkState(other).tone] || one.cost - other.cost,
  );
  return html`<${Card} title="Links" id="links">
    <${Table}
      caption="Links"
      rows=${rows.slice(0, SHOWN_MAX)}
      rowKey=${(row) => `${row.direction}/${row.name}`}
      empty=${html`<${NoLinks} status=${live.status} />`}
      columns=${[
        {
          name: "Link",
          head: true,
          cell: (row) => html`<a href=${href("links", { link: row.name })}>${row.name}</a>`,
        },
        { name: "Neighbor", names: true, cell: (row) => html`<${SiteName} ...${row.neighbour} />` },
        { name: "Round trip", number: true, cell: (row) => rtt(row.rtt_ms) },
        {
          name: "State",
          cell: (row) => {
            const { word, tone } = linkState(row);
            return html`<${Badge} tone=${tone} title=${row.error}>${word}<//>`;
          },
        },
      ]}
    />
    <${More} rows=${rows} to="links" what="links" />
  <//>`;
}

function ThisSite({ live }) {
  const { status, ca } = live;
  const facts = [
    ["Mode", status.mode],
    ["Version", status.version],
    ["Up for", span(status.uptime_s)],
    ["Routers", count(status.replicas)],
    ["CA", ca.phase === "one" ? "one, no rotation" : `rotation ${ca.phase}`],
    ["Id", status.id.slice(0, 8)],
  ];
  return html`<${Card} title="This site" id="this-site">
    <dl class="facts">
      ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd class="number">${value}</dd></div>`)}
    </dl>
  <//>`;
}

function Hooks({ live }) {
  if (!live.bursts.length) return null;
  return html`<${Card} title="Burst hooks" id="hooks">
    <${Table}
      caption="Burst hooks"
      rows=${live.bursts}
      rowKey=${(row) => row.name}
      columns=${[
        { name: "Burst", head: true, cell: (row) => row.name },
        { name: "Service", cell: (row) => row.service },
        { name: "State", cell: (row) => row.state },
        { name: "Hook", cell: (row) => (row.running ? `${row.hook}, running` : row.hook) },
        {
          name: "Last run",
          cell: (row) =>
            row.last
              ? html`<${Badge} tone=${row.last.ok ? "good" : "bad"} title=${row.last.text}
                    >${row.last.ok ? "done" : "failed"}<//
                  >${" "}
                  <${Ago} iso=${row.last.at} />`
              : "–",
        },
      ]}
    />
  <//>`;
}

export function View({ live }) {
  const away = spilling(live);
  return html`
    <${Answer} live=${live} />
    ${
      away.length > 0 &&
      html`<${Card} title="Spilling now" id="spilling">
        <ul class="plain spills">
          ${away.map((one) => html`<${Spilling} key=${`${one.service}:${one.port}`} live=${live} one=${one} />`)}
        </ul>
      <//>`
    }
    <${Trends} live=${live} />
    <div class="halves">
      <div class="stack">
        <${Problems} live=${live} />
        <${Services} live=${live} />
        <${ThisSite} live=${live} />
      </div>
      <div class="stack">
        <${Sites} live=${live} />
        <${Links} live=${live} />
        <${Hooks} live=${live} />
      </div>
    </div>
  `;
}
