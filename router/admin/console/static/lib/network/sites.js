// The order of sites in every list: this site first, then by path cost, then by name.

/** @param {any} one @param {any} other Sites as in `network`. */
export function byCost(one, other) {
  return (
    (one.path_cost ?? Infinity) - (other.path_cost ?? Infinity) ||
    one.name.localeCompare(other.name) ||
    0
  );
}

/** Names of sites in that order; sites that are no longer known come last. @param {any} live @param {string[]} names */
export function inOrder(live, names) {
  const known = new Map(live.network.map((site) => [site.name, site]));
  return [...new Set(names)]
    .map((name) => known.get(name) ?? { name, path_cost: null })
    .sort(byCost)
    .map((site) => site.name);
}
