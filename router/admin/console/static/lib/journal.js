// The router's events, newest first, with a pause. The page polls: it holds no connection open (see
// `places.js`) and requests only events after the last one that it has.
import { useEffect, useRef, useState } from "./html.js";
import { getWhole } from "./api.js";
import { repeat } from "./simulating/repeat.js";

const EVERY_MS = 1000;
const AT_ONCE_MS = 1;
const BACKOFF_MS = [1000, 2000, 4000, 8000, 15000];

/**
 * While paused, up to `most` new events wait. Events known at the start are shown even so.
 * @param {{most: number, paused: boolean}} how
 * @returns {{items: {id: string, value: any}[], waiting: number, error: any, loading: boolean}}
 */
export function useJournal({ most, paused }) {
  const [shown, setShown] = useState({ items: [], waiting: 0, error: null, loading: true });
  const waiting = useRef(/** @type {any[]} */ ([]));
  const isPaused = useRef(paused);
  isPaused.current = paused;

  /** @param {any[]} fresh Oldest first. @param {boolean} isFirst */
  const draw = (fresh, isFirst) => {
    waiting.current = [...waiting.current, ...fresh].slice(-most);
    if (isPaused.current && !isFirst) {
      const count = waiting.current.length;
      setShown((was) => ({ ...was, waiting: count, error: null, loading: false }));
      return;
    }
    const drawn = waiting.current.reverse();
    waiting.current = [];
    setShown((was) => ({
      items: [...drawn, ...(isFirst ? [] : was.items)].slice(0, most),
      waiting: 0,
      error: null,
      loading: false,
    }));
  };

  useEffect(() => {
    let failures = 0;
    let last = 0; // The number of the newest known event.
    let isFirst = true;
    return repeat(async (signal, isPoll) => {
      try {
        const { items, newest } = await getWhole("events", { after: last }, { signal, isPoll });
        failures = 0;
        if (newest < last) {
          // The router restarted with an empty journal and counts from one.
          last = 0;
          isFirst = true;
          return AT_ONCE_MS;
        }
        if (isFirst) waiting.current = [];
        draw(
          items.map((value, index) => ({ id: `${newest}-${index}`, value })),
          isFirst,
        );
        last = newest;
        isFirst = false;
        return EVERY_MS;
      } catch (error) {
        if (!signal.aborted) setShown((was) => ({ ...was, error, loading: false }));
        failures += 1;
        return BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1];
      }
    });
  }, [most]);

  useEffect(() => {
    if (!paused && waiting.current.length) draw([], false);
  }, [paused]);
  return shown;
}
