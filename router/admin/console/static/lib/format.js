// Figures and times as people read them.

/** Below it a mean over seconds is the rest of something that ended. */
export const LEAST_PER_S = 0.05;

/** @param {number | null | undefined} value */
export function count(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en-US");
}

/** Less than what the router sees when it looks twenty times. */
export const HARDLY_ANY = 0.01;

/** A mean of counts: with a place below ten. @param {number | null | undefined} value */
export function mean(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 0.05) return "<1";
  return value < 10 ? String(Number(value.toFixed(1))) : count(Math.round(value));
}

/** @param {number | null | undefined} value A second. */
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
 * A quantile, of which the router tells the end of its bucket: in the words of `sitectl top`.
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
 * A span in its two greatest units: `3 d 4 h`, `14 s`.
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

/** `12.5%`, of a share as it was set. @param {number} share */
export function percent(share) {
  return `${Number((share * 100).toFixed(3))}%`;
}

/** How old what a site reported is; of one that cannot be reached nothing is known. @param {number | null | undefined} seconds */
export function sinceReport(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds < 1 ? "now" : span(seconds);
}

/** Minutes and seconds, each with two digits. @param {number} seconds */
export function clock(seconds) {
  const left = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor((left % 3600) / 60)];
  const pad = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `${hours ? `${hours}:` : ""}${pad(minutes)}:${pad(left % 60)}`;
}

/** Time of day here, of an ISO text. @param {string} iso */
export function timeOfDay(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : at.toLocaleTimeString("en-GB");
}

/** Time of day here with milliseconds, of an ISO text that has them. @param {string} iso */
export function moment(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime()) || !/\d\.\d{3}/.test(iso)) return timeOfDay(iso);
  return `${timeOfDay(iso)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** Date and time here, of an ISO text. @param {string} iso */
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

/** As `listed`, of the first ones: `a, b and 3 more`. @param {string[]} words @param {number} most */
export function listedOf(words, most) {
  const more = words.length - most;
  return listed(more > 0 ? [...words.slice(0, most), `${count(more)} more`] : words);
}

/** One command argument, quoted where a shell would take it apart. @param {string} word */
export function shellWord(word) {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Whether it is the name of a service made of a routing key, or of its document: sentences have the key. @param {string} name */
export function isHashed(name) {
  return /^([A-Z]\w*\/)?k-[0-9a-f]{20}(:1)?$/.test(name);
}

/** How people name a service: by its routing key, if it carries one. @param {any} one */
export function nameOf(one) {
  return one.routing_key || (one.name ?? one.service);
}

/** `nameOf` of the services of a site, which has their names alone. @param {any} live @param {any} site */
export function servicesOf(live, site) {
  const keys = new Map((live.services ?? []).map((one) => [one.name, nameOf(one)]));
  return (site?.services ?? []).map((name) => ({ name, text: keys.get(name) ?? name }));
}

/** `portName` of a service port that is known by its service's name alone. @param {any} live @param {any} one */
export function portNameIn(live, one) {
  const found = (live.services ?? []).find((each) => each.name === one.service);
  return portName({ ...one, routing_key: found?.routing_key });
}

/** `nameOf` with the port, which a routing key has not. @param {any} one */
export function portName(one) {
  return one.routing_key || `${one.name ?? one.service}:${one.port}`;
}
