// Requests to the router's API. Every request has a deadline, every failure a next step.
import { advised, sitectl } from "./commands.js";

const TIMEOUT_MS = 5000;

export class ApiError extends Error {
  /** @param {string} message @param {{status?: number, code?: string, hint?: string}} [facts] */
  constructor(message, { status = 0, code = "", hint = "" } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/**
 * @param {string} path Below `/api/v1/`.
 * @param {Record<string, string | number | null | undefined>} [params]
 */
export function address(path, params = {}) {
  const kept = Object.entries(params).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const query = new URLSearchParams(kept.map(([key, value]) => [key, String(value)])).toString();
  return `/api/v1/${path}${query ? `?${query}` : ""}`;
}

const UNSEEN = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Parses JSON from the router. Replaces characters that change the direction of text with U+FFFD, so
 * that a name with such a character cannot change how the text beside it reads.
 * @param {string} text
 */
export function parsed(text) {
  return JSON.parse(text.replace(UNSEEN, "\ufffd"));
}

/** Fetches the whole answer. Throws ApiError. */
async function asked(url, options, timeoutMs) {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), timeoutMs);
  const gone = options.signal;
  if (gone) gone.addEventListener("abort", () => over.abort(), { once: true });
  let response;
  let body;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options, signal: over.signal });
    body = await response.text();
  } catch (error) {
    if (gone?.aborted) throw error;
    if (over.signal.aborted) {
      throw new ApiError(`The router gave no answer within ${timeoutMs / 1000} s.`, {
        code: "timeout",
        hint: "The router may be overloaded. The page keeps what it shows and tries again.",
      });
    }
    throw new ApiError("The router cannot be reached.", {
      code: "unreachable",
      hint: `Is it running? On its host: ${sitectl("status")}`,
    });
  } finally {
    clearTimeout(timer);
  }
  let value = null;
  try {
    value = parsed(body);
  } catch {
    // Not the router's answer but, for example, a proxy's page; its status is enough.
  }
  if (response.status === 401) {
    throw new ApiError("You are signed out.", {
      status: 401,
      code: "unauthorized",
      hint: "Reload the page to sign in.",
    });
  }
  if (!response.ok || value === null) {
    throw new ApiError(value?.message || `The router answered ${response.status}.`, {
      status: response.status,
      code: value?.code || "unexpected-answer",
      hint: advised(value?.hint || ""),
    });
  }
  return value;
}

/** @param {any} answer */
const held = (answer) => answer.items ?? answer.item ?? answer;

/**
 * The item of an answer, or its items. `isPoll`: the page repeats the request by itself, so the
 * router does not count it as activity of the session.
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} [params]
 * @param {{signal?: AbortSignal, timeoutMs?: number, isPoll?: boolean}} [options]
 */
export async function get(path, params = {}, options = {}) {
  return held(await getWhole(path, params, options));
}

/**
 * Like `get`, but includes the fields beside the item or the items.
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} [params]
 * @param {{signal?: AbortSignal, timeoutMs?: number, isPoll?: boolean}} [options]
 */
export function getWhole(path, params = {}, { signal, timeoutMs = TIMEOUT_MS, isPoll } = {}) {
  const headers = { Accept: "application/json", ...(isPoll && { "Spillway-Poll": "1" }) };
  return asked(address(path, params), { signal, headers }, timeoutMs);
}

/**
 * @param {string} path
 * @param {unknown} body Sent as JSON; a string is YAML and is sent unchanged.
 * @param {{signal?: AbortSignal, timeoutMs?: number}} [options]
 */
export async function post(path, body, { signal, timeoutMs = TIMEOUT_MS } = {}) {
  const isText = typeof body === "string";
  const answer = await asked(
    address(path),
    {
      signal,
      method: "POST",
      headers: {
        Accept: "application/json",
        "Content-Type": isText ? "application/yaml" : "application/json",
      },
      body: isText ? body : JSON.stringify(body),
    },
    timeoutMs,
  );
  return held(answer);
}
