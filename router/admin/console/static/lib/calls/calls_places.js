// Positions of the places and lines of the service graph, in pixels. Pure.
import { figuresOf } from "./calls.js";
import { shortened } from "../network/labels.js";

const NARROW_PX = 520; // On a narrower page, names are above a mark instead of in a box.
const GAP = 10; // Between two boxes of a column.
const HEAD = 28; // Room for the names of the columns.
const END = 8;
const BOX = 26;
/** The width of a place whose name is above it. */
export const MARK = 8;
const NAME = 18; // Room for a name above its mark.
const BAND_MAX = 72; // Height of the busiest place.
const LINE_MIN = 1.5;
const APART = 1.5; // Between two lines of one place.
const PAD = 4; // In a box, above and below its lines.
const SHARES = [0.29, 0.2, 0.17];
const SHARES_OF_FOUR = [0.24, 0.16, 0.15, 0.21]; // With targets.
const WIDEST = [250, 180, 160, 200];
const CHARACTER = 7; // Width of a wide one.

/** @param {import("./calls.js").Item} item */
const drawnOf = (item) => item.drawn ?? figuresOf(item.edges);

/** Columns of the picture: left and right edge, and the position of names. @param {number} width @param {boolean} hasTargets */
function columnsAt(width, hasTargets) {
  const narrow = width < NARROW_PX;
  const shares = hasTargets ? SHARES_OF_FOUR : SHARES;
  const sizes = shares.map((share, at) => (narrow ? MARK : Math.min(WIDEST[at], share * width)));
  const last = sizes.length - 1;
  const apart = (width - sizes.reduce((sum, size) => sum + size)) / last;
  let next = 0;
  return sizes.map((size, at) => {
    const left = at === last ? width - size : next; // Rounding errors must not pass the edge.
    next += size + apart;
    return {
      left,
      right: left + size,
      anchor: narrow ? (at === 0 ? "start" : at === last ? "end" : "middle") : "start",
      name: narrow ? (at === 0 ? 0 : at === last ? width : left + MARK / 2) : left + 8,
      characters: Math.floor((narrow ? width / sizes.length - 8 : size - 14) / CHARACTER),
    };
  });
}

/**
 * @param {import("./calls.js").Item[][]} columns @param {number} width
 * @returns {{height: number, heads: any[], places: any[], lines: any[]}}
 */
export function placedCalls(columns, width) {
  const narrow = width < NARROW_PX;
  const [callers, strands, services, ribbons, sites, branches = [], targets = []] = columns;
  const all = [callers, services, sites, targets];
  const rateOf = (item) => drawnOf(item).perS;
  const most = Math.max(0, ...all.flat().map(rateOf), branches.reduce((sum, line) => sum + rateOf(line), 0));
  const perS = most > 0 ? BAND_MAX / most : 0;
  const thick = new Map();
  for (const line of [...strands, ...ribbons, ...branches]) {
    thick.set(line, Math.max(LINE_MIN, rateOf(line) * perS));
  }
  const at = columnsAt(width, targets.length > 0);

  /** The lines that begin or end at a place, in order. */
  const ends = (lines, key, value) => lines.filter(({ choice }) => choice[key] === value);
  const band = (lines) => lines.reduce((sum, line) => sum + thick.get(line) + APART, -APART);
  const sides = [
    (item) => [ends(strands, "from", item.choice.from)],
    (item) => [ends(strands, "to", item.choice.to), ends(ribbons, "to", item.choice.to)],
    (item) => [ends(ribbons, "at", item.choice.at), branches.filter(({ behind }) => behind === item.choice.at)],
    (item) => [ends(branches, "on", item.choice.on)],
  ];
  const high = all.map((items, column) =>
    items.map((item) => {
      const needed = Math.max(0, ...sides[column](item).map(band)) + 2 * PAD;
      return narrow ? NAME + Math.max(MARK, needed) : Math.max(BOX, needed);
    }),
  );
  const whole = high.map((all) => all.reduce((sum, one) => sum + one + GAP, -GAP));
  const tallest = Math.max(...whole);

  /** @type {Map<any, {from?: number, to?: number}>} */
  const middles = new Map();
  const places = all.flatMap((items, column) => {
    let top = HEAD + (tallest - whole[column]) / 2;
    return items.map((item, index) => {
      const y = narrow ? top + NAME : top;
      const height = high[column][index] - (narrow ? NAME : 0);
      sides[column](item).forEach((lines, side) => {
        const end = column === 0 || side === 1 ? "from" : "to";
        let next = y + (height - band(lines)) / 2;
        for (const line of lines) {
          const half = thick.get(line) / 2;
          middles.set(line, { ...middles.get(line), [end]: next + half });
          next += 2 * half + APART;
        }
      });
      top += high[column][index] + GAP;
      const { left, right, name, anchor, characters } = at[column];
      const text = shortened(narrow ? item.short : item.label, characters);
      const label = { text, x: name, y: narrow ? y - 5 : y + height / 2 + 4, anchor };
      return { item, x: left, y, width: right - left, height, label };
    });
  });
  const lines = [...branches, ...ribbons, ...strands].map((item) => {
    const column = (item.column - 1) / 2;
    const [from, to] = [at[column].right, at[column + 1].left];
    const width = thick.get(item);
    const { perS: rate, failedPerS } = drawnOf(item);
    const { from: y1, to: y2 } = middles.get(item);
    const failed = rate > 0 ? Math.min(1, failedPerS / rate) * width : 0;
    const red = failed > 0 ? Math.max(LINE_MIN, failed) : 0;
    const low = (width - red) / 2;
    return {
      item,
      width,
      path: curve(from, y1, to, y2),
      failed: red > 0 ? { width: red, path: curve(from, y1 + low, to, y2 + low) } : null,
      isIdle: rate === 0,
    };
  });
  const heads = ["Callers", "Services", "Sites", "Targets"]
    .map((text, column) => ({ text, column }))
    .filter(({ column }) => all[column].length)
    .map(({ text, column }) => ({
      text,
      x: narrow ? at[column].name : at[column].left,
      anchor: at[column].anchor,
    }));
  return { height: HEAD + tallest + END, heads, places, lines };
}

function curve(x1, y1, x2, y2) {
  const [middle, top, bottom] = [(x1 + x2) / 2, y1, y2].map((one) => Number(one.toFixed(1)));
  return `M${x1.toFixed(1)} ${top} C${middle} ${top} ${middle} ${bottom} ${x2.toFixed(1)} ${bottom}`;
}
