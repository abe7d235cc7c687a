// The color and pattern of a site: fixed for each site ID, and the same in every chart, legend and map.
// A site that comes or goes does not change those of other sites. This browser stores them, so that a
// reloaded page shows the same.
import { html } from "../html.js";
import { keep, kept } from "../memory.js";

const COLOURS = 6;
const LOOKS = COLOURS * COLOURS; // Each color with each pattern.
const OWN = 0;
const KEPT_AS = "sites";
const NAMES_MAX = 2048; // Twice as many as a network has.

/** A stable hash: the same number for the same text. @param {string} text */
function hashOf(text) {
  let hash = 0;
  for (const letter of text) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return hash;
}

/**
 * A look (a number below 36) for each key. No two keys share a look, or a color while another color
 * is free. Only `learn` gives a key the first look.
 */
export class Looks {
  /** @type {Map<string, number>} Least recently used first. */
  #looks = new Map();

  /** Adopts looks from elsewhere. A key that has a look here keeps it. @param {[string, number][]} known */
  learn(known) {
    const taken = new Set(this.#looks.values());
    for (const [key, look] of known) {
      if (this.#looks.has(key) || taken.has(look)) continue;
      this.#looks.set(key, look);
      taken.add(look);
    }
  }

  /** @param {string} key */
  has(key) {
    return this.#looks.has(key);
  }

  /** @param {string} key */
  of(key) {
    const look = this.#looks.get(key) ?? this.#free(key);
    this.#looks.delete(key);
    this.#looks.set(key, look);
    return look;
  }

  /** All that are known. @returns {[string, number][]} */
  entries() {
    return [...this.#looks];
  }

  #free(key) {
    const taken = new Set(this.#looks.values());
    for (let first = 0; first < LOOKS; first += COLOURS) {
      const free = [];
      for (let look = Math.max(first, OWN + 1); look < first + COLOURS; look += 1) {
        if (!taken.has(look)) free.push(look);
      }
      if (free.length) return free[hashOf(key) % free.length];
    }
    const [oldest, look] = this.#looks.entries().next().value;
    this.#looks.delete(oldest);
    return look;
  }
}

/** The looks that this browser stored. @returns {[string, number][]} */
function remembered() {
  let known;
  try {
    known = JSON.parse(kept(KEPT_AS) ?? "[]");
  } catch {
    return []; // Not written by this page.
  }
  if (!Array.isArray(known)) return [];
  return known.filter(
    (one) =>
      Array.isArray(one) && typeof one[0] === "string" && Number.isInteger(one[1]) &&
      one[1] > OWN && one[1] < LOOKS,
  );
}

const looks = new Looks();
/** @type {Map<string, string>} The id of each site by its name. */
const ids = new Map();
let own = "";

/** Learns the sites of a snapshot. The site that this console belongs to has the first look. @param {any} live */
export function know(live) {
  own = live.status.id;
  if (ids.size > NAMES_MAX) ids.clear();
  ids.set(live.status.name, own);
  for (const { name, id } of live.network) ids.set(name, id);
}

/**
 * The look of a site, by its ID or its name. A name refers to the site that had it last.
 * @param {{id?: string, name?: string}} site
 */
export function lookOf({ id, name }) {
  const key = id || ids.get(name) || `name ${name}`;
  if (key === own) return OWN;
  if (!looks.has(key)) {
    looks.learn(remembered()); // Stored earlier, or by another tab.
    looks.of(key);
    keep(KEPT_AS, JSON.stringify(looks.entries()));
  }
  return looks.of(key);
}

/**
 * Looks for the sites of a scenario. A site with the name of a real site gets that site's look.
 * @param {string[]} names The first gets the first look if that is free.
 */
export function looksOf(names) {
  const found = new Looks();
  found.learn(names.filter((name) => ids.has(name)).map((name) => [name, lookOf({ name })]));
  found.learn([[names[0], OWN]]);
  for (const name of names) found.of(name);
  return found;
}

/** The class that sets a look's color, `--own` in style sheets. @param {number} look */
export function colourClass(look) {
  return `series-${(look % COLOURS) + 1}`;
}

/** The lines of a look's pattern; the first look has none. @param {number} look */
function strokes(look) {
  return [
    "",
    "M-2 10 L10 -2 M6 10 L10 6 M-2 2 L2 -2",
    "M-2 -2 L10 10 M6 -2 L10 2 M-2 6 L2 10",
    "M0 4 H8",
    "M4 0 V8",
    "M0 4 H8 M4 0 V8",
  ][(look + Math.floor(look / COLOURS)) % COLOURS];
}

function Pattern({ id, look }) {
  return html`<pattern
    id=${id}
    width="8"
    height="8"
    patternUnits="userSpaceOnUse"
    class=${`pattern ${colourClass(look)}`}
  >
    <rect width="8" height="8" class="pattern-ground" />
    <path d=${strokes(look)} />
  </pattern>`;
}

/** The patterns of the looks `all`. Shapes fill with `url(#ID-LOOK)`. @param {{id: string, all: number[]}} props */
export function Patterns({ id, all }) {
  return html`<defs>
    ${[...new Set(all)].map((look) => html`<${Pattern} key=${look} id=${`${id}-${look}`} look=${look} />`)}
  </defs>`;
}

/** A small sample of a look, before a name. @param {{look: number}} props */
export function Swatch({ look }) {
  const id = `swatch-${look}`;
  return html`<svg
    class="swatch ${colourClass(look)}"
    width="16"
    height="12"
    viewBox="0 0 16 12"
    aria-hidden="true"
  >
    <defs><${Pattern} id=${id} look=${look} /></defs>
    <rect x="0.5" y="0.5" width="15" height="11" rx="2" fill=${`url(#${id})`} class="layer" />
  </svg>`;
}

/** A site's name after a sample of its look. @param {{id?: string, name: string}} props */
export function SiteName({ id, name }) {
  if (!id && !name) return ""; // No site has answered there yet.
  return html`<span class="site-word"><${Swatch} look=${lookOf({ id, name })} /> ${name}</span>`;
}
