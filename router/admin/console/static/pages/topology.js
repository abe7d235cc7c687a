// How sites are linked, and which callers use which service over them.
import { html } from "../lib/html.js";
import { sitectl } from "../lib/commands.js";
import { shellWord } from "../lib/format.js";
import { href } from "../lib/route.js";
import { ServiceGraph } from "../lib/calls/service_graph.js";
import { SitesAndLinks } from "../lib/network/sites_and_links.js";

export const title = "Topology";

const TABS = [
  ["", "Sites and links"],
  ["services", "Service graph"],
];

export function command(route, live) {
  const { site, tab } = route.params;
  if (tab === "services") return sitectl("graph");
  const isOther = site && site !== live?.status.name;
  return isOther ? sitectl("ping", shellWord(site)) : sitectl("network status");
}

export function View({ live, route }) {
  const shown = route.params.tab === "services" ? "services" : "";
  return html`<div class="sections">
    <div class="tabs" role="group" aria-label="Kinds of topology">
      ${TABS.map(
        ([tab, text]) =>
          html`<a href=${href("topology", { tab })} aria-current=${tab === shown ? "page" : null}>${text}</a>`,
      )}
    </div>
    ${
      shown
        ? html`<${ServiceGraph} live=${live} route=${route} />`
        : html`<${SitesAndLinks} live=${live} route=${route} />`
    }
  </div>`;
}
