// Links in both directions, the time that certificates have left, and claim tokens with their claims.
import { html, useEffect, useRef } from "../lib/html.js";
import { SiteName } from "../lib/charts/colours.js";
import { elsewhere, sitectl } from "../lib/commands.js";
import { clock, count, dateTime, plural, rtt, shellWord, timeOfDay } from "../lib/format.js";
import { NoLinks } from "../lib/network/no_links.js";
import { href, setParams } from "../lib/route.js";
import { secondsUntil, useNow } from "../lib/store.js";
import { Ago, Badge, Card, Close, Copy, Empty, Filter, Hint, Table, TimeLeft, announce } from "../lib/ui.js";
import { linkState, linksUp } from "../lib/words.js";

export const title = "Links and certificates";

const DAY_S = 86400;
/** Certificates of links renew themselves more than two days before they end. */
const LINK_CERTIFICATE = { warnS: 2 * DAY_S, badS: DAY_S };
const CA_CERTIFICATE = { warnS: 60 * DAY_S, badS: 7 * DAY_S };

export function command(route) {
  const link = route.params.link;
  return link ? sitectl("link status", shellWord(link)) : sitectl("link status");
}

/** How problems and notes that are about a link begin. Others may also name the link, as their cause. */
const ABOUT = ["Link", "The certificate of link", "The renewed certificate of link"];

/**
 * The next step for a link that is not up, for `Hint`: the router's own, or else a general one. None at a router that
 * stops: it dials no more.
 */
function nextStep(link, live) {
  const told = [...live.status.problems, ...live.status.notes].find(
    (one) => one.hint && ABOUT.some((words) => one.message.startsWith(`${words} ${link.name} `)),
  );
  if (told) return told.hint;
  if (link.state === "up" || live.status.draining) return "";
  if (link.error_code === "clock") return "Set the clock right; the link then comes up by itself.";
  if (link.error_code === "copy") return "Stop one of the two; the other is let in then, or when it is started again.";
  if (link.error_code === "token") return ""; // The error ends with it.
  if (link.error_code === "proxy") {
    return `The proxy refuses: ${sitectl("link set", shellWord(link.name), "--proxy URL")}`;
  }
  return link.direction === "outgoing"
    ? "The router tries again until the link is up."
    : `The other site dials this link. There: ${elsewhere("link status")}`;
}

const RANK = { bad: 0, warn: 1, calm: 2, info: 3, good: 4 };

function Direction({ link }) {
  return link.direction === "outgoing"
    ? html`<span class="direction"><span aria-hidden="true">→ </span>out</span>`
    : html`<span class="direction"><span aria-hidden="true">← </span>in</span>`;
}

function State({ link, live }) {
  const { word, tone } = linkState(link);
  const step = link.error || link.state !== "up" ? nextStep(link, live) : "";
  return html`<div class="link-state">
    <${Badge} tone=${tone}>${word}<//>
    ${link.error && html`<p>${link.error}</p>`} <${Hint} text=${step} />
  </div>`;
}

function Links({ live, route }) {
  const text = (route.params.filter ?? "").toLowerCase();
  const rows = live.links
    .filter((link) => `${link.name} ${link.neighbour.name}`.toLowerCase().includes(text))
    .sort(
      (one, other) =>
        RANK[linkState(one).tone] - RANK[linkState(other).tone] ||
        one.direction.localeCompare(other.direction) * -1 ||
        one.name.localeCompare(other.name),
    );
  return html`<${Card}
    title=${live.links.length ? linksUp(live) : "Links"}
    id="links"
    actions=${
      live.links.length > 5 &&
      html`<${Filter} name="filter" label="Filter links" value=${route.params.filter} />`
    }
  >
    <${Table}
      caption="Links"
      rows=${rows}
      rowKey=${(link) => `${link.direction}/${link.name}`}
      rowProps=${(link) => ({ class: link.name === route.params.link ? "shown" : "" })}
      empty=${
        live.links.length
          ? html`<${Empty}>No link matches.<//>`
          : html`<${NoLinks} status=${live.status} />`
      }
      columns=${[
        {
          name: "Link",
          head: true,
          cell: (link) => html`<a href=${href("links", { ...route.params, link: link.name })}>${link.name}</a>`,
        },
        { name: "Neighbor", names: true, cell: (link) => html`<${Neighbour} link=${link} />` },
        { name: "Way", cell: (link) => html`<${Direction} link=${link} />` },
        { name: "State", long: true, cell: (link) => html`<${State} link=${link} live=${live} />` },
        { name: "Cost", number: true, cell: (link) => count(link.cost) },
        { name: "Round trip", number: true, cell: (link) => rtt(link.rtt_ms) },
        { name: "Lanes", number: true, cell: (link) => count(link.lanes) },
        { name: "Streams", number: true, cell: (link) => count(link.streams) },
        {
          name: "Certificate",
          cell: (link) =>
            html`<${TimeLeft} iso=${link.certificate_expires} ...${LINK_CERTIFICATE} />`,
        },
      ]}
    />
  <//>`;
}

function Neighbour({ link }) {
  return html`<a href=${href("topology", { site: link.neighbour.name })}><${SiteName} ...${link.neighbour} /></a>`;
}

const TERMS = [
  ["declare", "declare"],
  ["export", "export"],
  ["import", "import"],
];

function Details({ link, live }) {
  const facts = [
    ["Since", html`<${Ago} iso=${link.since} />`],
    ["Endpoint", link.endpoint || "–"],
    ["By proxy", link.via || "none"],
    ["Certificate ends", link.certificate_expires ? dateTime(link.certificate_expires) : "–"],
    [
      "Fingerprint",
      link.certificate
        ? html`<code>${link.certificate.slice(0, 16)}…</code> <${Copy} text=${link.certificate} what="fingerprint" />`
        : "–",
    ],
    ["Neighbor's id", html`<code>${link.neighbour.id.slice(0, 16)}…</code>`],
  ];
  return html`<${Card}
    title=${`Link ${link.name}`}
    id="link"
    actions=${html`<${Close} onClick=${() => setParams({ link: null })} />`}
  >
    <dl class="facts wide">
      ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
      ${
        link.allow &&
        TERMS.map(
          ([key, word]) =>
            html`<div><dt>It may ${word}</dt><dd>${link.allow[key]?.join(", ") ?? "all services"}</dd></div>`,
        )
      }
    </dl>
    <div class="after"><${Hint} text=${nextStep(link, live)} /></div>
  <//>`;
}

const PHASES = {
  one: "One CA, no rotation.",
  announced: "Rotation: the next CA is announced, and neighbors are adopting it.",
  switched: "Rotation: the next CA issues certificates; the previous one is still trusted.",
};

/** How a site gets the next CA: it reports when it links whether it can renew. @param {any} one */
function takesCa({ connected, renews }) {
  if (!connected) return "waits until it links";
  return renews ? "renews by itself" : "needs a new token";
}

function Ca({ ca }) {
  return html`<${Card}
    title="Certificate authority"
    id="ca"
    actions=${html`<${Copy} text=${sitectl("ca status")} label="Copy as sitectl" />`}
  >
    <p>
      ${
        ca.phase === "one"
          ? html`<${Badge} tone="good">settled<//>`
          : html`<${Badge} tone="info">${ca.hurried ? "rotating now" : "rotating"}<//>`
      }
      ${" "}${PHASES[ca.phase] ?? ca.phase}
    </p>
    <p class="muted">
      Next: ${ca.next}${ca.until && html`, by ${dateTime(ca.until)} (<${TimeLeft} iso=${ca.until} warnS=${0} badS=${0} />)`}
    </p>
    <${Table}
      caption="CA certificates"
      rows=${ca.certificates}
      rowKey=${(one) => one.fingerprint}
      empty=${html`<${Empty}>No CA here.<//>`}
      columns=${[
        { name: "Role", head: true, cell: (one) => one.role },
        {
          name: "Fingerprint",
          cell: (one) =>
            html`<code>${one.fingerprint.slice(0, 16)}…</code> <${Copy} text=${one.fingerprint} what="fingerprint" />`,
        },
        {
          name: "Left",
          cell: (one) => html`<${TimeLeft} iso=${one.expires} ...${CA_CERTIFICATE} />`,
        },
      ]}
    />
    ${
      ca.waiting.length > 0 &&
      html`<${Table}
        caption="Sites the rotation is waiting for"
        hideCaption=${false}
        rows=${ca.waiting}
        rowKey=${(one) => one.site.id}
        columns=${[
          { name: "Site", head: true, cell: (one) => one.site.name },
          {
            name: "State",
            cell: (one) =>
              one.connected
                ? html`<${Badge} tone="good">linked<//>`
                : html`<${Badge} tone="warn">not linked<//>`,
          },
          { name: "", cell: takesCa },
        ]}
      />`
    }
  <//>`;
}

const TOKEN_TONES = { open: "info", used: "good", expired: "calm", revoked: "bad", "old-ca": "bad" };

/** The time that a token has left, as a bar and in minutes. */
function Countdown({ token }) {
  useNow();
  const whole = (Date.parse(token.expires) - Date.parse(token.made)) / 1000;
  const left = Math.max(0, secondsUntil(token.expires));
  const share = whole > 0 ? Math.min(1, left / whole) : 0;
  return html`<div class="countdown">
    <span class="figure number" role="timer" aria-label="Time left">${clock(left)}</span>
    <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="4" />
      <rect class=${share < 0.2 ? "fill short" : "fill"} width=${share * 100} height="4" />
    </svg>
  </div>`;
}

/** ``one.site`` of a claim, with the start of its id if another site in ``tokens`` has that name. */
function claimant(one, tokens) {
  const isShared = tokens.some(({ claimed }) =>
    claimed.some((other) => other.site === one.site && other.id !== one.id),
  );
  return isShared ? `${one.site}@${one.id.slice(0, 8)}` : one.site;
}

function Token({ token, tokens }) {
  const isOpen = token.state === "open" && secondsUntil(token.expires) > 0;
  const state = token.state === "open" && !isOpen ? "expired" : token.state;
  return html`<li class="token">
    <div class="token-head">
      <span class="strong">${token.name}</span>
      <${Badge} tone=${TOKEN_TONES[state] ?? "calm"}>${state}<//>
      <span class="muted">
        ${count(token.uses_left)} of ${plural(token.uses, "use")} left · made
        ${" "}<${Ago} iso=${token.made} />
      </span>
    </div>
    ${isOpen && html`<${Countdown} token=${token} />`}
    ${
      token.claimed.length
        ? html`<ul class="plain claims">
            ${token.claimed.map(
              (one) =>
                html`<li>
                  <span aria-hidden="true">✓ </span>claimed by${" "}
                  <span class="strong">${claimant(one, tokens)}</span>, ${timeOfDay(one.at)}${" "}
                  <span class="muted">(<${Ago} iso=${one.at} />)</span>
                </li>`,
            )}
          </ul>`
        : html`<p class="muted">
            ${isOpen ? "Waiting for a site to claim it." : "No site claimed it."}
          </p>`
    }
  </li>`;
}

function Tokens({ live }) {
  const order = { open: 0, used: 1, expired: 2, revoked: 3 };
  const rows = [...live.tokens].sort(
    (one, other) =>
      (order[one.state] ?? 4) - (order[other.state] ?? 4) || other.made.localeCompare(one.made),
  );
  const claims = live.tokens.flatMap((token) =>
    token.claimed.map((one) => `${token.name} was claimed by ${claimant(one, live.tokens)}`),
  );
  const known = useRef(claims);
  useEffect(() => {
    const fresh = claims.filter((one) => !known.current.includes(one));
    if (fresh.length) announce(fresh.join(". "));
    known.current = claims;
  }, [claims.join("\n")]);
  return html`<${Card}
    title="Claim tokens"
    id="tokens"
    actions=${html`<${Copy} text=${sitectl("token list")} label="Copy as sitectl" />`}
  >
    ${
      rows.length
        ? html`<ul class="plain tokens">
            ${rows.map((token) => html`<${Token} key=${`${token.name} ${token.made}`} token=${token} tokens=${rows} />`)}
          </ul>`
        : html`<${Empty} hint=${`To let a site link here: ${sitectl("token create FILE")}`}
            >No claim tokens created here.<//
          >`
    }
  <//>`;
}

export function View({ live, route }) {
  const chosen = live.links.find((link) => link.name === route.params.link);
  return html`
    <${Links} live=${live} route=${route} />
    ${chosen && html`<${Details} link=${chosen} live=${live} />`}
    <div class="halves">
      <${Tokens} live=${live} />
      <${Ca} ca=${live.ca} />
    </div>
  `;
}
