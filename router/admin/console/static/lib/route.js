// Where one is: `#/page/further?name=value`. The whole state of a view is in there, so that an
// address can be sent to somebody who then sees the same.
import { useLayoutEffect, useState } from "./html.js";

/**
 * @typedef {object} Route
 * @property {string} page
 * @property {string[]} rest What follows the page, decoded.
 * @property {Record<string, string>} params
 */

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A stray percent sign is no reason to show nothing.
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
 * Change some of the parameters of the current view, without a step in the browser's history.
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
  // Not useEffect: that begins to listen a frame later, and what changes until then is not heard.
  useLayoutEffect(() => {
    const changed = () => setRoute(parse(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
