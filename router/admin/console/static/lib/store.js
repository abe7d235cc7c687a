// The router's last snapshot and its age. One feed for the whole page: `/api/v1/live`.
import { useEffect, useState } from "./html.js";
import { ApiError, address, get, parsed } from "./api.js";
import * as colours from "./charts/colours.js";
import * as commands from "./commands.js";
import { addMeans } from "./charts/means.js";
import { takePlace } from "./places.js";
import { repeat } from "./simulating/repeat.js";

const STALE_AFTER_MS = 4000; // Snapshots come once a second: by then, three are missing.
const STALE_TIMES = 3; // A busy router sends less often: by then, three of its own are missing.
const GAP_MS_MAX = 15000;
const SILENT_MS = 20000; // A stream that is silent for so long is replaced.
const POLL_MS = 2000;
const STREAM_AGAIN_MS = 30000; // After a stream failed.
const BACKOFF_MS = [1000, 2000, 4000, 8000, 15000];

/**
 * @typedef {object} Feed
 * @property {any} live The last snapshot, null: none yet.
 * @property {number} receivedAt By `performance.now()`.
 * @property {"connecting" | "live" | "polling" | "lost" | "signed-out"} connection
 * @property {ApiError | null} error Why there is no snapshot, or no newer one.
 * @property {number} gapMs Time between the last two snapshots.
 * @property {number} retryAt By `performance.now()`, 0: no retry is planned.
 */

/** @type {Feed} */
let feed = {
  live: null,
  receivedAt: 0,
  gapMs: 0,
  connection: "connecting",
  error: null,
  retryAt: 0,
};
/** @type {Set<(feed: Feed) => void>} */
const followers = new Set();

/** @param {Partial<Feed>} change */
function put(change) {
  feed = { ...feed, ...change };
  for (const follower of followers) follower(feed);
}

/** @param {any} live @param {Feed["connection"]} connection */
function take(live, connection) {
  const receivedAt = performance.now();
  colours.know(live);
  commands.know(live);
  addMeans(live, receivedAt);
  // After an interruption, the gap does not show how often snapshots come.
  const wasCurrent = feed.live !== null && feed.connection === connection;
  const gapMs = wasCurrent ? Math.min(receivedAt - feed.receivedAt, GAP_MS_MAX) : 0;
  put({ live, receivedAt, gapMs, connection, error: null, retryAt: 0 });
}

/** Seconds since the shown data came, 0 while there is none. @param {Feed} [of] */
export function age(of = feed) {
  return of.live ? (performance.now() - of.receivedAt) / 1000 : 0;
}

/** @param {Feed} of */
export function isStale(of) {
  return (
    of.live !== null && age(of) * 1000 > Math.max(STALE_AFTER_MS, STALE_TIMES * of.gapMs)
  );
}

/** The router's time, so that a wrong clock here does not falsify ages and countdowns. */
export function serverNow() {
  const at = feed.live ? Date.parse(feed.live.at) : NaN;
  return Number.isNaN(at) ? Date.now() : at + performance.now() - feed.receivedAt;
}

/** Seconds from now until an ISO time of the router; negative: it has passed. @param {string} iso */
export function secondsUntil(iso) {
  return (Date.parse(iso) - serverNow()) / 1000;
}

class Follower {
  /** @type {EventSource | null} */ #source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer = undefined;
  /** @type {(() => void) | null} */ #freePlace = null;
  #attempt = 0; // Counts attempts: an answer to an earlier one is ignored.
  #failures = 0;
  #heardAt = 0;

  start() {
    this.#open();
    setInterval(() => this.#watch(), 1000);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#close();
      else this.again();
    });
    addEventListener("online", () => this.again());
  }

  /** Tries at once, whatever was planned. */
  again() {
    this.#failures = 0;
    this.#open();
  }

  /** Ends the attempt under way. @returns {number} The number of the next one. */
  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#freePlace?.();
    this.#freePlace = null;
    this.#attempt += 1;
    return this.#attempt;
  }

  async #open() {
    const attempt = this.#close();
    const freePlace = await takePlace();
    if (attempt !== this.#attempt) {
      freePlace?.();
      return;
    }
    if (!freePlace) {
      this.#ask(0);
      return;
    }
    this.#freePlace = freePlace;
    this.#stream();
  }

  #stream() {
    this.#heardAt = performance.now();
    const source = new EventSource(address("live"));
    this.#source = source;
    source.onmessage = (message) => {
      let live;
      try {
        live = parsed(message.data);
      } catch {
        return; // The message was cut off; the next one comes in a second.
      }
      this.#failures = 0;
      this.#heardAt = performance.now();
      take(live, "live");
    };
    source.onerror = () => {
      // A stream does not say why it failed; a single request does.
      if (this.#source === source) this.#ask(performance.now() + STREAM_AGAIN_MS);
    };
  }

  /** Polls, and tries to open a stream after `until`. @param {number} until */
  async #ask(until) {
    const attempt = this.#close();
    let live;
    try {
      live = await get("live", {}, { isPoll: true });
    } catch (error) {
      if (attempt === this.#attempt) this.#failed(error);
      return;
    }
    if (attempt !== this.#attempt) return;
    this.#failures = 0;
    take(live, "polling");
    this.#timer = setTimeout(
      () => (performance.now() > until ? this.#open() : this.#ask(until)),
      POLL_MS,
    );
  }

  /** @param {unknown} error */
  #failed(error) {
    const known = error instanceof ApiError ? error : new ApiError(String(error));
    if (known.status === 401) {
      put({ connection: "signed-out", error: known, retryAt: 0 });
      return;
    }
    const wait = BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)];
    this.#failures += 1;
    put({ connection: "lost", error: known, retryAt: performance.now() + wait });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  #watch() {
    if (!this.#source || performance.now() - this.#heardAt <= SILENT_MS) return;
    this.#ask(performance.now() + STREAM_AGAIN_MS);
  }
}

const follower = new Follower();

/** Starts the feed. The shell calls this once. */
export function follow() {
  follower.start();
}

/** Tries now instead of waiting for the next try. */
export function again() {
  follower.again();
}

/** The feed. A component that uses it is redrawn with every snapshot. @returns {Feed} */
export function useFeed() {
  const [shown, setShown] = useState(feed);
  useEffect(() => {
    followers.add(setShown);
    setShown(feed);
    return () => {
      followers.delete(setShown);
    };
  }, []);
  return shown;
}

/** Whether the data is stale. Redraws the component only when that changes. @param {Feed} of */
export function useStale(of) {
  const [stale, setStale] = useState(isStale(of));
  useEffect(() => {
    const look = () => setStale(isStale(of));
    look();
    const timer = setInterval(look, 500);
    return () => clearInterval(timer);
  }, [of]);
  return stale;
}

/** Redraws the component every `everyMs` milliseconds and returns the router's time. */
export function useNow(everyMs = 1000) {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((tick) => tick + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return serverNow();
}

/**
 * The answer of another route of the API, requested again every `everyMs`. The last answer stays
 * visible while a newer one is requested or fails.
 * @param {string | null} path null: no request.
 * @param {Record<string, string | number | null | undefined>} [params]
 * @param {number} [everyMs] 0: once.
 * @returns {{value: any, error: ApiError | null, loading: boolean, at: number}}
 */
export function useAnswer(path, params = {}, everyMs = 0) {
  const [shown, setShown] = useState({ value: null, error: null, loading: true, at: 0, key: "" });
  const key = path === null ? "" : address(path, params);
  useEffect(() => {
    if (path === null) return undefined;
    setShown((was) => (was.key === key ? was : { ...was, value: null, loading: true, key }));
    return repeat(async (signal, isPoll) => {
      try {
        const value = await get(path, params, { signal, isPoll });
        setShown({ value, error: null, loading: false, at: performance.now(), key });
      } catch (error) {
        if (!signal.aborted) setShown((was) => ({ ...was, error, loading: false, key }));
      }
      return everyMs;
    });
  }, [key, everyMs]);
  return shown;
}
