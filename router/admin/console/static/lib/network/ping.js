// The path to a site, measured link by link.
import { html, useState } from "../html.js";
import { get } from "../api.js";
import { count, latency } from "../format.js";
import { BusyButton, Empty, Failed, Table, announce } from "../ui.js";

/** Measures the path when the user asks for it. @param {{name: string}} props */
export function Ping({ name }) {
  const [shown, setShown] = useState({ name: "", busy: false, view: null, error: null });
  const current = shown.name === name ? shown : { busy: false, view: null, error: null };
  const measure = async () => {
    setShown({ name, busy: true, view: null, error: null });
    try {
      const view = await get(`ping/${encodeURIComponent(name)}`, { count: 3 }, { timeoutMs: 15000 });
      setShown({ name, busy: false, view, error: null });
      announce(`The path to ${name} was measured`);
    } catch (error) {
      setShown({ name, busy: false, view: null, error });
      announce(error.message);
    }
  };
  return html`<div class="ping">
    <${BusyButton} busy=${current.busy} onClick=${measure}>
      ${current.busy ? "Measuring…" : "Measure the path"}
    <//>
    ${current.error && html`<${Failed} error=${current.error} />`}
    ${
      current.view &&
      html`<${Table}
        caption=${`Path to ${name}, measured`}
        rows=${current.view.hops}
        rowKey=${(hop) => hop.id}
        empty=${html`<${Empty}>${current.view.reason || "No hop answered."}<//>`}
        columns=${[
          { name: "Hop", head: true, cell: (hop) => hop.site },
          { name: "Cost", number: true, cell: (hop) => count(hop.path_cost) },
          {
            name: "Round trip",
            number: true,
            cell: (hop) => (hop.rtt_ms ? latency(hop.rtt_ms[1] / 1000) : hop.error || "–"),
          },
          { name: "Answers", number: true, cell: (hop) => `${hop.answered} of ${hop.sent}` },
        ]}
      />`
    }
  </div>`;
}
