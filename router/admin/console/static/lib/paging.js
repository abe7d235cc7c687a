// Long lists: a phone shows a few rows first, and more of them on demand.
import { html, useEffect, useState } from "./html.js";
import { count } from "./format.js";

const NARROW = matchMedia("(max-width: 640px)"); // As in parts.css.
const NARROW_STEP = 20;

/** Whether the page is as narrow as on a phone. */
function useNarrow() {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const changed = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", changed);
    return () => NARROW.removeEventListener("change", changed);
  }, []);
  return narrow;
}

/**
 * The first rows, and a button for more; null: there are no more.
 * @param {any[]} rows @param {number} wideStep How many at a time on a wide page.
 * @returns {{shown: any[], more: any}}
 */
export function usePaged(rows, wideStep) {
  const step = useNarrow() ? NARROW_STEP : wideStep;
  const [steps, setSteps] = useState(1);
  const shown = rows.slice(0, step * steps);
  const left = rows.length - shown.length;
  const more =
    left > 0 &&
    html`<p class="more">
      <button type="button" onClick=${() => setSteps(steps + 1)}>
        Show ${count(Math.min(step, left))} more of ${count(left)}
      </button>
    </p>`;
  return { shown, more: more || null };
}
