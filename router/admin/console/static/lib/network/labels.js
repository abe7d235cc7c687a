// Labels on a picture that do not overlap: first come, first served.

const CHARACTER = 6.6;
const HEIGHT = 14;

/** From one line to the next. */
export const LINE = 14;

/** @typedef {{x: number, y: number, width: number, height: number}} Box */

/** @typedef {{from: {x: number, y: number}, to: {x: number, y: number}}} Line */

/** @param {Box} one @param {Box} other */
function meet(one, other) {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

/** Whether a line touches a box: whether any part of the line is within all four sides. @param {Line} line @param {Box} box */
function touches({ from, to }, box) {
  let [first, last] = [0, 1]; // Fractions of the line.
  for (const [axis, least, most] of [
    ["x", box.x, box.x + box.width],
    ["y", box.y, box.y + box.height],
  ]) {
    const length = to[axis] - from[axis];
    if (length === 0) {
      if (from[axis] < least || from[axis] > most) return false;
      continue;
    }
    const [one, other] = [(least - from[axis]) / length, (most - from[axis]) / length];
    first = Math.max(first, Math.min(one, other));
    last = Math.min(last, Math.max(one, other));
  }
  return first < last;
}

/** Long names lose their middle: the ends say more. @param {string} text @param {number} most */
export function shortened(text, most) {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

export class Labels {
  /** @type {Box[]} */ #taken = [];
  /** @type {Line[]} */ #lines;
  #width;
  #height;

  /**
   * @param {number} width @param {number} height Of the picture.
   * @param {Line[]} lines Names avoid them while there is another place.
   */
  constructor(width, height, lines) {
    this.#lines = lines;
    this.#width = width;
    this.#height = height;
  }

  /** Keeps a mark free of names. @param {number} x @param {number} y @param {number} radius */
  keepFree(x, y, radius) {
    this.#taken.push({ x: x - radius, y: y - radius, width: 2 * radius, height: 2 * radius });
  }

  /**
   * A place beside a mark: below, above, right or left of it; null: there is no room. `must`: without
   * room, the place is below, whatever is there.
   * @param {string[]} lines @param {number} x @param {number} y @param {number} away
   * @param {boolean} [must]
   * @returns {{x: number, y: number} | null} The middle of the first line's baseline.
   */
  beside(lines, x, y, away, must = false) {
    const half = (Math.max(...lines.map((line) => line.length)) * CHARACTER) / 2;
    const more = (lines.length - 1) * LINE; // Below the first line.
    const spots = [
      { x, y: y + away + HEIGHT - 2 },
      { x, y: y - away - 4 - more },
      { x: x + away + half + 4, y: y + 4 - more / 2 },
      { x: x - away - half - 4, y: y + 4 - more / 2 },
    ];
    return this.#first(spots, half, more) ?? (must ? this.#inside(spots[0], half, more) : null);
  }

  /** A place centered on a point, so also on the point's line; null: the place is taken. @param {string} text */
  on(text, x, y) {
    return this.#take([{ x, y: y + 4 }], (text.length * CHARACTER) / 2, 0, []);
  }

  #inside(spot, half, more) {
    const x = Math.min(Math.max(spot.x, half), this.#width - half);
    return { x, y: Math.min(spot.y, this.#height - 4 - more) };
  }

  #first(spots, half, more) {
    return this.#take(spots, half, more, this.#lines) ?? this.#take(spots, half, more, []);
  }

  #take(spots, half, more, lines) {
    for (const spot of spots) {
      const box = { x: spot.x - half, y: spot.y - HEIGHT + 3, width: 2 * half, height: HEIGHT + more };
      const fits =
        box.x >= 0 &&
        box.x + box.width <= this.#width &&
        box.y >= 0 &&
        box.y + box.height <= this.#height;
      if (
        fits &&
        !this.#taken.some((one) => meet(one, box)) &&
        !lines.some((one) => touches(one, box))
      ) {
        this.#taken.push(box);
        return spot;
      }
    }
    return null;
  }
}
