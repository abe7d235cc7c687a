// The colour and pattern of a site: one for each id, in every chart, legend and map, and for good.
// A site that comes or goes changes those of no other. This browser keeps them, so that a page that
// is reloaded shows the same.
import { html } from "../html.js";
import { keep, kept } from "../memory.js";

const COLOURS = 6;
const LOOKS = COLOURS * COLOURS; // Each colour with each pattern.
const OWN = 0;
const KEPT_AS = "sites";
const NAMES_MAX = 2048; // Twice as many as a network has.

/** The same number for the same text. @param {string} text */
function hashOf(text) {
  let hash = 0;
  for (const letter of text) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return hash;
}

/**
 * A look (a number below 36) for each key. No two keys share one, and no two a colour while there is
 * another. The first look is nobody's unless somebody asks for it first.
 */
export class Looks {
  /** @type {Map<string, number>} Whom nobody has asked for the longest comes first. */
  #looks = new Map();

  /** Take over what somebody else knows. Who has a look here keeps it. @param {[string, number][]} known */
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

/** What this browser kept. @returns {[string, number][]} */
function remembered() {
  let known;
  try {
    known = JSON.parse(kept(KEPT_AS) ?? "[]");
  } catch {
    return []; // Somebody else wrote it.
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

/** Sites as a picture of the router has them; the one whose console this is has the first look. @param {any} live */
export function know(live) {
  own = live.status.id;
  if (ids.size > NAMES_MAX) ids.clear();
  ids.set(live.status.name, own);
  for (const { name, id } of live.network) ids.set(name, id);
}

/**
 * The look of a site, by its id or its name. A name goes for the id of the site that bore it last.
 * @param {{id?: string, name?: string}} site
 */
export function lookOf({ id, name }) {
  const key = id || ids.get(name) || `name ${name}`;
  if (key === own) return OWN;
  if (!looks.has(key)) {
    looks.learn(remembered()); // From before, or from another tab.
    looks.of(key);
    keep(KEPT_AS, JSON.stringify(looks.entries()));
  }
  return looks.of(key);
}

/**
 * Looks of the sites of a scenario: those of real sites where names are the same.
 * @param {string[]} names The first has the first look if that is free.
 */
export function looksOf(names) {
  const found = new Looks();
  found.learn(names.filter((name) => ids.has(name)).map((name) => [name, lookOf({ name })]));
  found.learn([[names[0], OWN]]);
  for (const name of names) found.of(name);
  return found;
}

/** The class that gives it its colour, `--own` in style sheets. @param {number} look */
export function colourClass(look) {
  return `series-${(look % COLOURS) + 1}`;
}

/** The lines of its pattern; the first look has none. @param {number} look */
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

/** The patterns of `all`, to be filled with `url(#ID-LOOK)`. @param {{id: string, all: number[]}} props */
export function Patterns({ id, all }) {
  return html`<defs>
    ${[...new Set(all)].map((look) => html`<${Pattern} key=${look} id=${`${id}-${look}`} look=${look} />`)}
  </defs>`;
}

/** A look in small, before a name. @param {{look: number}} props */
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

/** A site's name behind its look. @param {{id?: string, name: string}} props */
export function SiteName({ id, name }) {
  if (!id && !name) return ""; // Nobody has answered there yet.
  return html`<span class="site-word"><${Swatch} look=${lookOf({ id, name })} /> ${name}</span>`;
}
