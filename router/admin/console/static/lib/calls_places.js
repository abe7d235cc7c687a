// Where the places and lines of the service graph are drawn, in pixels. Pure.
import { figuresOf } from "./calls.js";
import { shortened } from "./labels.js";

const NARROW_PX = 520; // Below it names are above their mark, not in a box.
const GAP = 10; // Between two boxes of a column.
const HEAD = 28; // The names of the columns.
const END = 8;
const BOX = 26;
/** How wide a place is whose name is above it. */
export const MARK = 8;
const NAME = 18; // Above a mark.
const BAND_MAX = 72; // Pixels of the busiest place.
const LINE_MIN = 1.5;
const APART = 1.5; // Between two lines of one place.
const PAD = 4; // Of a box, above and below its lines.
const SHARES = [0.29, 0.2, 0.17];
const WIDEST = [250, 180, 160];
const CHARACTER = 7; // A wide one.

/** @param {import("./calls.js").Item} item */
const rateOf = (item) => figuresOf(item.edges).perS;

/** Columns of the picture: from where to where, and how their names are set. @param {number} width */
function columnsAt(width) {
  const narrow = width < NARROW_PX;
  const sizes = SHARES.map((share, at) => (narrow ? MARK : Math.min(WIDEST[at], share * width)));
  const lefts = [0, (sizes[0] + width - sizes[1] - sizes[2]) / 2, width - sizes[2]];
  return lefts.map((left, at) => ({
    left,
    right: left + sizes[at],
    anchor: narrow ? ["start", "middle", "end"][at] : "start",
    name: narrow ? [left, left + MARK / 2, width][at] : left + 8,
    characters: Math.floor((narrow ? width / 3 - 8 : sizes[at] - 14) / CHARACTER),
  }));
}

/**
 * @param {import("./calls.js").Item[][]} columns @param {number} width
 * @returns {{height: number, heads: any[], places: any[], lines: any[]}}
 */
export function placedCalls(columns, width) {
  const narrow = width < NARROW_PX;
  const [callers, strands, services, ribbons, sites] = columns;
  const most = Math.max(0, ...[...callers, ...services, ...sites].map(rateOf));
  const perS = most > 0 ? BAND_MAX / most : 0;
  const thick = new Map();
  for (const line of [...strands, ...ribbons]) thick.set(line, Math.max(LINE_MIN, rateOf(line) * perS));
  const at = columnsAt(width);

  /** The lines that begin or end at a place, in their order. */
  const ends = (lines, key, value) => lines.filter(({ choice }) => choice[key] === value);
  const band = (lines) => lines.reduce((sum, line) => sum + thick.get(line) + APART, -APART);
  const sides = [
    (item) => [ends(strands, "from", item.choice.from)],
    (item) => [ends(strands, "to", item.choice.to), ends(ribbons, "to", item.choice.to)],
    (item) => [ends(ribbons, "at", item.choice.at)],
  ];
  const high = [callers, services, sites].map((items, column) =>
    items.map((item) => {
      const needed = Math.max(0, ...sides[column](item).map(band)) + 2 * PAD;
      return narrow ? NAME + Math.max(MARK, needed) : Math.max(BOX, needed);
    }),
  );
  const whole = high.map((all) => all.reduce((sum, one) => sum + one + GAP, -GAP));
  const tallest = Math.max(...whole);

  /** @type {Map<any, {from?: number, to?: number}>} */
  const middles = new Map();
  const places = [callers, services, sites].flatMap((items, column) => {
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
  const lines = [...ribbons, ...strands].map((item) => {
    const [from, to] = item.column === 1 ? [at[0].right, at[1].left] : [at[1].right, at[2].left];
    const width = thick.get(item);
    const { perS: rate, failedPerS } = figuresOf(item.edges);
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
  const heads = ["Callers", "Services", "Sites"].map((text, column) => ({
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
