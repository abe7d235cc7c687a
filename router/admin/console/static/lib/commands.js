// Commands that show or do the same in a terminal. Each has the flags by which `sitectl` finds this
// site, so that a copied command runs unchanged, whatever other sites the host or the cluster has.
import { shellWord } from "./format.js";

let flags = "";

/** @param {any} live */
export function know(live) {
  const { namespace, directory } = live.status.console;
  flags = namespace ? `-n ${shellWord(namespace)}` : `--site ${shellWord(directory || live.status.name)}`;
}

/** @param {...string} words Words of the command after `sitectl`; empty ones are left out. */
export function sitectl(...words) {
  return ["sitectl", flags, ...words].filter(Boolean).join(" ");
}

/** A command to type at another site, without this site's flags. @param {...string} words */
export function elsewhere(...words) {
  return ["sitectl", ...words].join(" ");
}

/** A command in a hint, with the text before it. Group `there`: the command is for another site. */
const IN_ADVICE = new RegExp(
  "(?<there>\\b(?:At|On|There)\\b[^:;.\\n]*: |\\b(?:at (?!(?:once|all)\\b)[^:;,.\\n]*|on \\S+ run|there): )sitectl |" +
    "(?<before>^|[:;,.?] |\\(|\\b(?:then|[Ss]ee|or) |&& )" +
    "sitectl (?=[a-z])(?!(?:init|explain|version|completion|switch)\\b|(?:[a-z]+ )+--help)",
  "g",
);

/**
 * A hint from the router. Commands to type here get this site's flags, in the place where `sitectl`
 * puts them; commands for another site stay unchanged.
 * @param {string} text
 */
export function advised(text) {
  return text.replace(IN_ADVICE, (all, there, before) => (there ? all : `${before}${sitectl()} `));
}

/** The text before a command to type at another site. */
const ELSEWHERE = /\b(?:there|site|host|at (?!(?:once|all)\b)[^:;,.]+|on [^:;,.]+): $/i;

/** Characters that a shell would interpret: the name of a site may contain them. */
const NOT_WORDS = /[$`|&<>(){}!*?'"\\\n]/;

/** A placeholder that the user must fill in. */
const BLANK = /\b[A-Z]{2,}\b|…/;

/**
 * The command in a hint, to copy; null: the hint has no command that runs here unchanged.
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
 * Commands of a proposal, one per line and nothing else, so that each runs at its site when pasted.
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
