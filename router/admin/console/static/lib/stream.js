// A stream of single things that happen, the newest first, with a pause.
import { useEffect, useRef, useState } from "./html.js";
import { ApiError, address, get, parsed } from "./api.js";

const BACKOFF_MS = [1000, 2000, 4000, 8000, 15000];
const FIRST_MS = 1500; // Who comes to a paused view sees what is known already, which takes so long.

/**
 * Follows a route of the API by server-sent events. While paused nothing is shown and all is kept,
 * up to `most`.
 * @param {string} path
 * @param {Record<string, string>} params
 * @param {{most: number, paused: boolean}} how
 * @returns {{items: {id: string, value: any}[], waiting: number, error: ApiError | null,
 *   loading: boolean}}
 */
export function useStream(path, params, { most, paused }) {
  const [shown, setShown] = useState({ items: [], waiting: 0, error: null, loading: true });
  const held = useRef(/** @type {any[]} */ ([]));
  const isPaused = useRef(paused);
  isPaused.current = paused;
  const key = address(path, params);

  useEffect(() => {
    const over = new AbortController();
    let source;
    let timer;
    let drawing = 0;
    const firstUntil = isPaused.current ? performance.now() + FIRST_MS : 0;
    let failures = 0;
    let last = 0;
    held.current = [];
    setShown({ items: [], waiting: 0, error: null, loading: true });

    const draw = () => {
      drawing = 0;
      if (isPaused.current && performance.now() > firstUntil) {
        setShown((was) => ({ ...was, waiting: held.current.length, loading: false }));
        return;
      }
      const fresh = held.current;
      held.current = [];
      setShown((was) => ({
        items: [...fresh.reverse(), ...was.items].slice(0, most),
        waiting: 0,
        error: null,
        loading: false,
      }));
    };
    const drawSoon = () => {
      if (!drawing) drawing = requestAnimationFrame(draw);
    };
    const open = () => {
      source = new EventSource(key);
      source.onopen = () => {
        failures = 0;
        setShown((was) => ({ ...was, error: null, loading: false }));
      };
      source.onmessage = (message) => {
        const number = Number(message.lastEventId);
        if (number && number <= last) {
          if (number > 1) return; // A new connection tells again what is known.
          held.current = []; // The router began anew, and counts from one.
          setShown((was) => ({ ...was, items: [] }));
        }
        last = number || last;
        let value;
        try {
          value = parsed(message.data);
        } catch {
          return;
        }
        held.current.push({ id: message.lastEventId, value });
        if (held.current.length > most) held.current.shift();
        drawSoon();
      };
      source.onerror = async () => {
        source.close();
        const wait = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)];
        failures += 1;
        try {
          await get(path, params, { signal: over.signal }); // Tells why, if there is a reason.
          if (failures > 1) {
            const error = new ApiError("The event stream is not available.", { hint: "The page tries again." });
            setShown((was) => ({ ...was, error, loading: false }));
          }
        } catch (error) {
          if (over.signal.aborted) return;
          setShown((was) => ({ ...was, error, loading: false }));
        }
        if (!over.signal.aborted) timer = setTimeout(open, wait);
      };
    };
    open();
    return () => {
      over.abort();
      source?.close();
      clearTimeout(timer);
      cancelAnimationFrame(drawing);
    };
  }, [key, most]);

  useEffect(() => {
    if (paused || !held.current.length) return;
    const fresh = held.current;
    held.current = [];
    setShown((was) => ({
      ...was,
      items: [...fresh.reverse(), ...was.items].slice(0, most),
      waiting: 0,
    }));
  }, [paused]);
  return shown;
}
