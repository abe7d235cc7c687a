// The last quarter of an hour of the whole site, as four lines with their figures.
import { html } from "../html.js";
import { quantile, rate, span, timeOfDay } from "../format.js";
import { GAP_MS, KEPT_MS, partialText, useRecent } from "../recent.js";
import { Chart, Sparkline } from "../ui.js";

const TRENDS = [
  { id: "requests", name: "Requests", show: rate, of: (step) => step.requests },
  { id: "spilled", name: "Spilled", show: rate, of: (step) => step.spilled },
  { id: "failed", name: "Failed", show: rate, of: (step) => step.failed },
  { id: "p99", name: "p99 of the slowest service", show: quantile, of: (step) => step.p99_s },
];

/** Says why the lines start late. @param {number} knownS @param {"asked" | "told" | "failed"} before */
function shortText(knownS, before) {
  const figures = `Figures of the last ${span(knownS)}; `;
  if (before === "asked") return `${figures}earlier ones are loading.`;
  if (before === "failed") return `${figures}earlier ones could not be loaded.`;
  return `${figures}earlier ones are not known.`;
}

/** @param {{live: any}} props */
export function Trends({ live }) {
  const { steps, before, partialUntil } = useRecent(live);
  const to = steps.at(-1).at;
  const knownS = (to - steps[0].at) / 1000;
  const isShort = knownS > 0 && knownS < 840;
  const notes = [
    isShort ? shortText(knownS, before) : "",
    partialText(partialUntil),
  ];
  return html`<${Chart}
    id="trends"
    title="Last quarter of an hour"
    note=${notes.filter((text) => text).join(" ") || null}
    table=${{
      columns: [
        { name: "Time", cell: (step) => timeOfDay(new Date(step.at).toISOString()), head: true },
        ...TRENDS.map(({ name, show, of }) => ({
          name,
          number: true,
          cell: (step) => show(of(step)),
        })),
      ],
      rows: steps.filter((_, index) => (steps.length - 1 - index) % 12 === 0).reverse(),
    }}
  >
    <dl class="trends">
      ${TRENDS.map(({ id, name, show, of }) => {
        const points = steps.map((step) => [step.at, of(step)]);
        const known = points.map(([, value]) => value).filter((value) => value !== null);
        const most = known.length ? Math.max(...known) : null;
        const now = of(steps.at(-1));
        return html`<div key=${id}>
          <dt>${name}</dt>
          <dd class="figure number">${show(now)}</dd>
          <dd>
            <${Sparkline}
              points=${points}
              from=${to - KEPT_MS}
              to=${to}
              gap=${GAP_MS}
              label=${`${name}: now ${show(now)}, at most ${show(most)}`}
              width=${240}
              height=${40}
              stretch=${true}
            />
          </dd>
          <dd class="muted small number axis">
            <span>15 min ago</span><span class="scale">${most ? `0 to ${show(most)}` : "none"}</span><span>now</span>
          </dd>
        </div>`;
      })}
    </dl>
  <//>`;
}
