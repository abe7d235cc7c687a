// The current address: `#/page/further?name=value`. An address contains the whole state of a view, so
// that users can share it and see the same view.
import { useLayoutEffect, useState } from "./html.js";

/**
 * @typedef {object} Route
 * @property {string} page
 * @property {string[]} rest The path after the page, decoded.
 * @property {Record<string, string>} params
 */

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A stray percent sign must not hide the page.
  }
}

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [page, ...rest] = path.split("/").filter(Boolean).map(decoded);
  return {
    page: page || "overview",
    rest,
    params: Object.fromEntries(new URLSearchParams(query)),
  };
}

/**
 * The address of a view. Values that are empty or null are left out.
 * @param {string} page
 * @param {Record<string, string | number | boolean | null | undefined>} [params]
 * @param {...string} rest
 */
export function href(page, params = {}, ...rest) {
  const kept = Object.entries(params).filter(
    ([, value]) => value !== null && value !== undefined && value !== "" && value !== false,
  );
  const query = new URLSearchParams(kept.map(([key, value]) => [key, String(value)])).toString();
  const path = [page, ...rest].map(encodeURIComponent).join("/");
  return `#/${path}${query ? `?${query}` : ""}`;
}

/**
 * Changes some parameters of the current view without a step in the browser's history.
 * @param {Record<string, string | number | boolean | null | undefined>} params
 */
export function setParams(params) {
  const now = parse(location.hash);
  const next = href(now.page, { ...now.params, ...params }, ...now.rest);
  if (next === location.hash) return;
  history.replaceState(null, "", next);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** @returns {Route} */
export function useRoute() {
  const [route, setRoute] = useState(() => parse(location.hash));
  // Not useEffect, which begins to listen a frame later and misses changes until then.
  useLayoutEffect(() => {
    const changed = () => setRoute(parse(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
