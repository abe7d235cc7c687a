// Replays the steps of a what-if one after the other, current beside proposed, under one cursor.
import { html, useEffect, useState } from "../html.js";
import { lookOf } from "../charts/colours.js";
import { count, rtt } from "../format.js";
import { Stack, figure } from "../charts/stack.js";

const SPEEDS = [0.25, 0.5, 1, 2, 5, 10];

/** Layers of one of the two pictures, per second. */
function layersOf(picture) {
  const { step_s: stepS, served } = picture.series;
  return picture.sites.map((site, index) => ({
    name: site.local ? `${site.name} (here)` : site.name,
    look: lookOf(site),
    note: site.local ? "" : `cost ${site.path_cost}`,
    values: served[index].map((value) => value / stepS),
  }));
}

export function Replay({ told }) {
  const { series } = told.current;
  const length = Math.min(series.offered.length, told.proposed.series.offered.length);
  const [cursor, setCursor] = useState(null);
  const [speed, setSpeed] = useState(1);
  const [playing, setPlaying] = useState(false);
  const began = Date.parse(told.recorded.since) - told.recorded.step_s * 1000;
  const labels = Array.from({ length }, (_, index) =>
    new Date(began + index * series.step_s * 1000).toLocaleTimeString("en-GB"),
  );
  useEffect(() => {
    if (!playing) return undefined;
    const timer = setInterval(() => {
      setCursor((at) => {
        const next = (at ?? -1) + 1;
        if (next < length) return next;
        setPlaying(false);
        return at;
      });
    }, (series.step_s * 1000) / speed);
    return () => clearInterval(timer);
  }, [playing, speed, length, series.step_s]);
  const play = () => {
    if (!playing && (cursor === null || cursor >= length - 1)) setCursor(0);
    setPlaying(!playing);
  };
  const shared = { unit: "requests/s", now: "At the end", labels, ticks: labels.map((text) => text.slice(0, 8)), cursor, setCursor };
  const more = (picture) => [
    { name: "Offered/s", number: true, cell: (i) => figure(picture.series.offered[i] / picture.series.step_s) },
    { name: "Queue", number: true, cell: (i) => count(picture.series.queue[i]) },
    { name: "p99", number: true, cell: (i) => rtt(picture.series.p99_ms[i]) },
  ];
  const marks = (picture) =>
    picture.series.refused.some((value) => value > 0)
      ? { name: "refused or lost", values: picture.series.refused }
      : null;
  const shown = cursor ?? length - 1;
  return html`<section class="replay" aria-labelledby="replay-title">
    <div class="replay-head card">
      <h2 id="replay-title">Replay</h2>
      <button type="button" onClick=${play} aria-pressed=${String(playing)}>${playing ? "Pause" : "Play"}</button>
      <input
        type="range"
        class="scrub"
        min="0"
        max=${length - 1}
        value=${shown}
        aria-label="Replay position"
        aria-valuetext=${`${labels[shown]}, offered ${series.offered[shown]}`}
        onInput=${(event) => setCursor(Number(event.target.value))}
      />
      <span class="number nowrap">${labels[shown]}</span>
      <label class="choice"
        >Speed
        <select value=${String(speed)} onChange=${(event) => setSpeed(Number(event.target.value))}>
          ${SPEEDS.map((one) => html`<option value=${String(one)}>${one}×</option>`)}
        </select>
      </label>
    </div>
    <div class="two">
      <${Stack}
        id="replay-current"
        title="Current"
        note=${`Policy ${told.current.policy}. Requests per second, by start time.`}
        layers=${layersOf(told.current)}
        marks=${marks(told.current)}
        more=${more(told.current)}
        ...${shared}
      />
      <${Stack}
        id="replay-proposed"
        title="Proposed"
        note=${`Policy ${told.proposed.policy}. The same requests.`}
        layers=${layersOf(told.proposed)}
        marks=${marks(told.proposed)}
        more=${more(told.proposed)}
        ...${shared}
      />
    </div>
  </section>`;
}
