// The shell: everything that stays while pages change. Pages load when they are first opened.
import { html, render, useEffect, useLayoutEffect, useRef, useState } from "./lib/html.js";
import { get } from "./lib/api.js";
import * as focus from "./lib/focus.js";
import { nameOf, span } from "./lib/format.js";
import * as keys from "./lib/keys.js";
import { href, useRoute } from "./lib/route.js";
import { spilling } from "./lib/spills.js";
import { again, age, follow, isStale, useFeed, useNow, useStale } from "./lib/store.js";
import { nextTheme, theme, setTheme } from "./lib/theme.js";
import { Badge, Command, Failed, Fence, Loading, announce } from "./lib/ui.js";

/**
 * A page's module: `title`, `command(route, live)` and `View({live, route, feed})`. With `offline`,
 * the page can show something without a snapshot.
 */
const PAGES = [
  { id: "overview", title: "Overview", key: "o", load: () => import("./pages/overview.js") },
  { id: "topology", title: "Topology", key: "t", load: () => import("./pages/topology.js") },
  { id: "services", title: "Services", key: "s", load: () => import("./pages/services.js") },
  { id: "flows", title: "Flows", key: "f", load: () => import("./pages/flows.js") },
  { id: "links", title: "Links and certificates", key: "l", load: () => import("./pages/links.js") },
  { id: "events", title: "Events", key: "e", load: () => import("./pages/events.js") },
  { id: "simulate", title: "Simulate", key: "m", load: () => import("./pages/simulate.js") },
];

/** The state of the site in a word. @param {any} live @param {boolean} stale The data is old. */
function stateOf(live, stale) {
  if (!live) return { word: "Connecting", tone: "calm" };
  if (stale) return { word: "Not known", tone: "calm" };
  if (!live.status.ready) return { word: "Not ready", tone: "bad" };
  if (live.status.problems.length) return { word: "Degraded", tone: "warn" };
  // A note can be a warning, for example that every target of a service hangs.
  const warns = live.status.notes.some((/** @type {any} */ one) => one.severity === "warning");
  return warns ? { word: "Warnings", tone: "warn" } : { word: "Healthy", tone: "good" };
}

/** Names of services that spill, announced when one starts or stops spilling. @param {any} live */
function spillingNames(live) {
  const names = live ? spilling(live).map(nameOf) : [];
  return names.length ? `. Spilling: ${[...new Set(names)].sort().join(", ")}` : "";
}

function Freshness({ feed }) {
  useNow();
  const old = span(age(feed));
  if (feed.connection === "signed-out") return html`<${Badge} tone="bad">Signed out<//>`;
  if (!feed.live) {
    return feed.error
      ? html`<${Badge} tone="bad">No data<//>`
      : html`<${Badge} tone="calm">Connecting<//>`;
  }
  if (isStale(feed)) return html`<${Badge} tone="warn">Data ${old} old<//>`;
  return feed.connection === "polling"
    ? html`<${Badge}
        tone="info"
        title="The page reads new data every two seconds: other tabs or clients use all streams"
        >Polling<//
      >`
    : html`<${Badge} tone="good" title="The router sends new data every second">Live<//>`;
}

function StaleBar({ feed }) {
  useNow();
  if (feed.connection === "signed-out") {
    return html`<div class="stale-bar">
      <p><strong>You are signed out.</strong> What you see is ${span(age(feed))} old.</p>
      <button type="button" onClick=${() => location.reload()}>Sign in</button>
    </div>`;
  }
  if (!isStale(feed)) return null;
  const wait = feed.retryAt ? Math.ceil((feed.retryAt - performance.now()) / 1000) : 0;
  return html`<div class="stale-bar">
    <p>
      <strong>Data ${span(age(feed))} old.</strong>${" "}
      ${feed.error ? feed.error.message : "No data from the router since."}
      ${wait > 0 ? ` Next try in ${wait} s.` : " Trying now."}
    </p>
    <button type="button" onClick=${again}>Try now</button>
  </div>`;
}

/** The user's name and a sign-out button; nothing where no login is needed. */
function User() {
  const [session, setSession] = useState(null);
  useEffect(() => {
    const over = new AbortController();
    get("session", {}, { signal: over.signal }).then(setSession, () => {});
    return () => over.abort();
  }, []);
  if (!session?.user) return null;
  return html`<form method="post" action="/logout" class="user">
    <span class="muted wide-only">${session.user}</span>
    <button type="submit" class="quiet">Sign out</button>
  </form>`;
}

function Help({ open, close }) {
  const dialog = useRef(null);
  const [on, setOn] = useState(keys.areOn());
  useEffect(() => {
    if (open && !dialog.current.open) dialog.current.showModal();
    if (!open && dialog.current.open) dialog.current.close();
  }, [open]);
  const toggle = () => {
    keys.setOn(!on);
    setOn(!on);
  };
  return html`<dialog ref=${dialog} class="help" aria-labelledby="help-title" onClose=${close}>
    <header class="card-head">
      <h2 id="help-title">Keyboard shortcuts</h2>
      <button type="button" onClick=${close}>Close</button>
    </header>
    <dl>
      ${keys.all().map(
        (one) =>
          html`<div>
            <dt>${one.keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</dt>
            <dd>${one.does}</dd>
          </div>`,
      )}
    </dl>
    <label><input type="checkbox" checked=${on} onChange=${toggle} /> Shortcuts are on</label>
  </dialog>`;
}

const LOAD_AGAIN_MS = 2000;

/** The module of a page once it has loaded. A failed load is retried. */
function useModule(page) {
  const [loaded, setLoaded] = useState({ id: "", module: null, error: null });
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let wanted = true;
    let later = 0;
    page.load().then(
      (module) => wanted && setLoaded({ id: page.id, module, error: null }),
      (error) => {
        if (!wanted) return;
        setLoaded({ id: page.id, module: null, error });
        later = setTimeout(() => setTries(tries + 1), LOAD_AGAIN_MS);
      },
    );
    return () => {
      wanted = false;
      clearTimeout(later);
    };
  }, [page.id, tries]);
  const current = loaded.id === page.id ? loaded : { module: null, error: null };
  return { ...current, again: () => setTries(tries + 1) };
}

function PageFrame({ page, route, feed }) {
  const { module, error, again: reload } = useModule(page);
  const heading = useRef(null);
  const shownPage = useRef("");
  useLayoutEffect(() => {
    document.title = `${page.title} · ${feed.live?.status.name ?? "Spillway"}`;
  });
  const place = [page.id, ...route.rest].join("/");
  useEffect(() => {
    // Keyboard users continue from the heading, not from the top of the page.
    if (shownPage.current && shownPage.current !== place) heading.current?.focus();
    shownPage.current = place;
    showCurrent(document.querySelector(".pages"));
  }, [place]);
  let body;
  if (error) {
    body = html`<${Failed}
      error=${{ message: "This page could not be loaded.", hint: "Is the router running?" }}
      again=${reload}
    />`;
  } else if (!module) {
    body = html`<${Loading} lines=${6} />`;
  } else if (!feed.live && !module.offline) {
    body = feed.error
      ? html`<${Failed} error=${feed.error} again=${again} />`
      : html`<${Loading} lines=${6} what="Waiting for the router" />`;
  } else {
    body = html`<${Fence} key=${page.id}
      ><${module.View} live=${feed.live} route=${route} feed=${feed}
    /><//>`;
  }
  const command = module?.command?.(route, feed.live);
  return html`<main id="main" tabindex="-1">
    <div class="page-head">
      <h1 ref=${heading} tabindex="-1">${module?.heading?.(route, feed.live) ?? page.title}</h1>
      ${command && html`<${Command} command=${command} />`}
    </div>
    <div class="page-body" key=${page.id}>${body}</div>
  </main>`;
}

function NotFound() {
  return html`<main id="main" tabindex="-1">
    <div class="page-head"><h1>No such page</h1></div>
    <p><a href=${href("overview")}>Overview</a></p>
  </main>`;
}

function Shell() {
  const feed = useFeed();
  const route = useRoute();
  const [look, setLook] = useState(theme());
  const [helping, setHelping] = useState(false);
  const page = PAGES.find((one) => one.id === route.page);
  const stale = useStale(feed) || feed.connection === "signed-out";
  const state = stateOf(feed.live, stale);
  const spills = spillingNames(feed.live);
  const turn = () => setLook(setTheme(nextTheme()));

  useEffect(() => {
    for (const one of PAGES) {
      keys.shortcut(`g ${one.key}`, `Go to ${one.title}`, () => {
        location.hash = href(one.id);
      });
    }
    keys.shortcut("/", "Filter", () => document.querySelector("[data-filter]")?.focus());
    keys.shortcut("c", "Copy as sitectl", () => document.querySelector(".as-sitectl")?.click());
    keys.shortcut("d", "Light, dark or system theme", () => setLook(setTheme(nextTheme())));
    keys.shortcut("Escape", "Close the details", () => document.querySelector(".close")?.click());
    keys.shortcut("?", "This list", () => setHelping(true));
    keys.listen();
    focus.listen();
  }, []);
  useEffect(() => {
    document.documentElement.toggleAttribute("data-stale", stale);
    if (stale) announce("The data is stale");
    else if (feed.live) announce(`Site ${feed.live.status.name}: ${state.word}${spills}`);
  }, [stale, state.word, spills, Boolean(feed.live)]);

  return html`
    <a class="skip" href="#main" onClick=${skipToMain}>Skip to the content</a>
    <header class="top">
      <a class="brand" href=${href("overview")}>
        <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
          <rect width="32" height="32" rx="7" class="brand-back" />
          <path class="brand-line" d="M7 10h7v9a4 4 0 0 0 4 4h7M7 16h2M7 22h4" />
        </svg>
        <span>Spillway</span>
      </a>
      <p class="site">
        <span class="site-name" title=${feed.live?.status.id}>${feed.live?.status.name ?? "…"}</span>
        <${Badge} tone=${state.tone}>${state.word}<//>
      </p>
      <div class="top-end">
        <span class="freshness"><${Freshness} feed=${feed} /></span>
        <button type="button" class="quiet" onClick=${turn} aria-label=${`Theme: ${look}. Change`}>
          <span aria-hidden="true">${{ system: "◐", light: "☀", dark: "☾" }[look]}</span>
          <span class="wide-only">${{ system: "System", light: "Light", dark: "Dark" }[look]}</span>
        </button>
        <button
          type="button"
          class="quiet"
          onClick=${() => setHelping(true)}
          aria-label="Keyboard shortcuts"
        >
          ?
        </button>
        <${User} />
      </div>
    </header>
    <nav class="pages" aria-label="Pages">
      <ul>
        ${PAGES.map(
          (one) =>
            html`<li>
              <a href=${href(one.id)} aria-current=${one.id === route.page ? "page" : null}
                >${one.title}</a
              >
            </li>`,
        )}
      </ul>
    </nav>
    <div class="content">
      <${StaleBar} feed=${feed} />
      ${
        page
          ? html`<${PageFrame} page=${page} route=${route} feed=${feed} />`
          : html`<${NotFound} />`
      }
    </div>
    <${Help} open=${helping} close=${() => setHelping(false)} />
    <div id="announcer" class="unseen" role="status" aria-live="polite"></div>
  `;
}

/**
 * Scrolls a row of links to the current one. `scrollIntoView` would work too, but in some browsers
 * (Chromium 150) the keyboard then continues from there, past the skip link.
 */
function showCurrent(row) {
  const link = row?.querySelector("[aria-current]");
  if (!link) return;
  const [at, of] = [link.getBoundingClientRect(), row.getBoundingClientRect()];
  row.scrollLeft += at.left + at.width / 2 - (of.left + of.width / 2);
}

/** A plain `#main` link would be read as the address of a page. */
function skipToMain(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

const root = document.getElementById("app");
root.textContent = "";
render(html`<${Shell} />`, root);
follow();
