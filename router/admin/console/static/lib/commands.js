// Commands that show or do the same in a terminal: with the flags by which `sitectl` finds this site,
// so that they run as they are copied, whatever other sites the host or the cluster has.
import { shellWord } from "./format.js";

let flags = "";

/** @param {any} live */
export function know(live) {
  const { namespace, directory } = live.status.console;
  flags = namespace ? `-n ${shellWord(namespace)}` : `--site ${shellWord(directory || live.status.name)}`;
}

/** @param {...string} words Of the command, behind `sitectl`; empty ones are left out. */
export function sitectl(...words) {
  return ["sitectl", flags, ...words].filter(Boolean).join(" ");
}

/** A command to be typed at another site: the flags of this one do not find it. @param {...string} words */
export function elsewhere(...words) {
  return ["sitectl", ...words].join(" ");
}

/** A command in an advice, after what is before it; of `there` it is for another site. */
const IN_ADVICE = new RegExp(
  "(?<there>\\b(?:At|On|There)\\b[^:;.\\n]*: |\\b(?:at (?!(?:once|all)\\b)[^:;,.\\n]*|on \\S+ run|there): )sitectl |" +
    "(?<before>^|[:;,.?] |\\(|\\b(?:then|[Ss]ee|or) |&& )" +
    "sitectl (?=[a-z])(?!(?:init|explain|version|completion|switch)\\b|(?:[a-z]+ )+--help)",
  "g",
);

/**
 * An advice of the router, with the flags of this site in the commands that are to be typed here:
 * where `sitectl` puts them, and not at those for another site.
 * @param {string} text
 */
export function advised(text) {
  return text.replace(IN_ADVICE, (all, there, before) => (there ? all : `${before}${sitectl()} `));
}

/** What stands before a command that is to be typed at another site. */
const ELSEWHERE = /\b(?:there|site|host|at (?!(?:once|all)\b)[^:;,.]+|on [^:;,.]+): $/i;

/** What a shell would take for more than words: a site may have called itself so. */
const NOT_WORDS = /[$`|&<>(){}!*?'"\\\n]/;

/** A word that somebody must fill in. */
const BLANK = /\b[A-Z]{2,}\b|…/;

/**
 * The command in an advice, to be copied; null: there is none that runs here as it is.
 * @param {string} text
 */
export function commandIn(text) {
  const at = /sitectl ([a-z][^,;]*)/.exec(text);
  if (!at || ELSEWHERE.test(text.slice(0, at.index))) return null;
  const words = at[1].trim();
  if (NOT_WORDS.test(words) || BLANK.test(words)) return null;
  return words.startsWith("init") ? `sitectl ${words}` : sitectl(words);
}

/**
 * Commands of a proposal, one a line and nothing else: each runs as it is pasted, at its site.
 * @param {{local: boolean, command: string}[]} steps
 */
export function script(steps) {
  const words = (one) => one.command.slice("sitectl ".length);
  return steps
    .filter((one) => one.command)
    .map((one) => (one.local ? sitectl(words(one)) : elsewhere(words(one))))
    .join("\n");
}

/** A scenario with the command that runs it, in one piece. @param {string} text */
export function simulating(text) {
  let end = "SCENARIO";
  while (text.split("\n").includes(end)) end += "_";
  return `sitectl simulate /dev/stdin <<'${end}'\n${text.endsWith("\n") ? text : `${text}\n`}${end}\n`;
}
