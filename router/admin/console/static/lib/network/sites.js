// Sites in one order wherever they are listed: this site first, then by the cost of the way, by name.

/** @param {any} one @param {any} other Sites as `network` has them. */
export function byCost(one, other) {
  return (
    (one.path_cost ?? Infinity) - (other.path_cost ?? Infinity) ||
    one.name.localeCompare(other.name) ||
    0
  );
}

/** Names of sites in that order; those that nobody knows any more come last. @param {any} live @param {string[]} names */
export function inOrder(live, names) {
  const known = new Map(live.network.map((site) => [site.name, site]));
  return [...new Set(names)]
    .map((name) => known.get(name) ?? { name, path_cost: null })
    .sort(byCost)
    .map((site) => site.name);
}
