// Human-readable figures and times.

/** A smaller mean over seconds is only the remainder of something that ended. */
export const LEAST_PER_S = 0.05;

/** @param {number | null | undefined} value */
export function count(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en-US");
}

/** Less than the smallest mean that the router's twenty samples can give. */
export const HARDLY_ANY = 0.01;

/** A mean of counts, with one decimal below ten. @param {number | null | undefined} value */
export function mean(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 0.05) return "<1";
  return value < 10 ? String(Number(value.toFixed(1))) : count(Math.round(value));
}

/** @param {number | null | undefined} value Per second. */
export function rate(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0/s";
  if (value < 0.1) return "<0.1/s";
  return `${value < 10 ? Number(value.toFixed(1)) : count(Math.round(value))}/s`;
}

/** @param {number | null | undefined} seconds A latency. */
export function latency(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const ms = seconds * 1000;
  if (ms < 1) return "<1 ms";
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
}

const FIRST_MS = 0.1;
const LAST_S = 85;

/**
 * A quantile, worded as in `sitectl top`. The router reports the upper end of the quantile's bucket.
 * @param {number | null | undefined} seconds
 */
export function quantile(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds > LAST_S) return `>${LAST_S} s`;
  if (seconds >= 1) return `<${Number(seconds.toPrecision(3))} s`;
  return `<${Number((seconds * 1000 || FIRST_MS).toPrecision(3))} ms`;
}

/** @param {number | null | undefined} ms */
export function rtt(ms) {
  return ms === null || ms === undefined ? "–" : latency(ms / 1000);
}

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

/**
 * A span in its two largest units: `3 d 4 h`, `14 s`.
 * @param {number} seconds
 */
export function span(seconds) {
  let left = Math.max(0, Math.floor(seconds));
  const words = [];
  for (const [unit, size] of UNITS) {
    const whole = Math.floor(left / size);
    if (whole > 0 || (unit === "s" && words.length === 0)) words.push(`${whole} ${unit}`);
    left -= whole * size;
    if (words.length === 2 || (words.length === 1 && whole === 0)) break;
  }
  return words.join(" ");
}

/** A configured share, such as `12.5%`. @param {number} share */
export function percent(share) {
  return `${Number((share * 100).toFixed(3))}%`;
}

/** The age of a site's report; unknown for a site that cannot be reached. @param {number | null | undefined} seconds */
export function sinceReport(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds < 1 ? "now" : span(seconds);
}

/** Minutes and seconds, each with two digits, after the hours if there are any. @param {number} seconds */
export function clock(seconds) {
  const left = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor((left % 3600) / 60)];
  const pad = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `${hours ? `${hours}:` : ""}${pad(minutes)}:${pad(left % 60)}`;
}

/** Local time of day of an ISO text. @param {string} iso */
export function timeOfDay(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : at.toLocaleTimeString("en-GB");
}

/** Local time of day of an ISO text, with milliseconds if the text has them. @param {string} iso */
export function moment(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime()) || !/\d\.\d{3}/.test(iso)) return timeOfDay(iso);
  return `${timeOfDay(iso)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** Local date and time of an ISO text. @param {string} iso */
export function dateTime(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  return `${at.toLocaleDateString("en-CA")} ${at.toLocaleTimeString("en-GB")}`;
}

/** `1 site`, `2 sites`. @param {number} number @param {string} one @param {string} [many] */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`. @param {string[]} words */
export function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Like `listed`, but names only the first `most`: `a, b and 3 more`. @param {string[]} words @param {number} most */
export function listedOf(words, most) {
  const more = words.length - most;
  return listed(more > 0 ? [...words.slice(0, most), `${count(more)} more`] : words);
}

/** One command argument, quoted if a shell would split or interpret it. @param {string} word */
export function shellWord(word) {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Whether the name of a service, or of its document, is made from a routing key: sentences show the key. @param {string} name */
export function isHashed(name) {
  return /^([A-Z]\w*\/)?k-[0-9a-f]{20}(:1)?$/.test(name);
}

/** The human-readable name of a service: its routing key, if it has one. @param {any} one */
export function nameOf(one) {
  return one.routing_key || (one.name ?? one.service);
}

/** `nameOf` for the services of a site, which lists only their names. @param {any} live @param {any} site */
export function servicesOf(live, site) {
  const keys = new Map((live.services ?? []).map((one) => [one.name, nameOf(one)]));
  return (site?.services ?? []).map((name) => ({ name, text: keys.get(name) ?? name }));
}

/** `portName` for a service port that has only its service's name. @param {any} live @param {any} one */
export function portNameIn(live, one) {
  const found = (live.services ?? []).find((each) => each.name === one.service);
  return portName({ ...one, routing_key: found?.routing_key });
}

/** `10.0.0.1:80`, `[fd00::1]:80`: as the router writes the address of a target. @param {any} target */
export function addressOf({ host, port }) {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `nameOf` with the port; a routing key has no port. @param {any} one */
export function portName(one) {
  return one.routing_key || `${one.name ?? one.service}:${one.port}`;
}
