"""``python -m deploy.man DIR``: the man pages of sitectl and the router, in ``man1`` and ``man8``.

Made from the command line itself, like docs/reference-cli.md. `man -M DIR sitectl` shows one.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from deploy.verbs import EXITS, HELP, ManualVerb, verbs
from router import __version__
from router.process.main import command_line
from sitectl.base.failure import Exit

ROUTER: Final = "spillway-router"
WIDTH: Final = 72
NOTHING: Final = "\\&"
ROUTER_DOES: Final = "the router of one site, in the foreground"
FILES: Final = (
    ("~/.local/share/spillway/SITE", "a site: config/*.yaml is wanted state, yours to edit"),
    ("SITE/run/router.log", "the log of a router that runs as a plain process"),
    ("SITE/run/admin.sock", "the API that sitectl asks"),
)


def main(arguments: list[str] | None = None) -> int:
    """Write all pages; 0."""
    words = argparse.ArgumentParser(prog="python -m deploy.man", description=__doc__)
    words.add_argument("directory", type=Path, metavar="DIR")
    write(words.parse_args(arguments).directory)
    return 0


def write(directory: Path) -> None:
    """Write all pages below ``directory``."""
    for name, text in pages().items():
        path = directory / f"man{name[-1]}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    every = list(verbs())
    found = {f"{'-'.join(verb.words)}.1": "".join(_of_verb(verb, every[0])) for verb in every}
    return {**found, f"{ROUTER}.8": "".join(_of_router())}


def plain(text: str) -> str:
    """Text for roff, taken literally whatever it begins with."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"``?([^`]+)``?", r"\\fB\1\\fR", text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def _head(name: str, section: int, does: str) -> Iterator[str]:
    yield f'.TH "{name.upper()}" {section} "" "Spillway {__version__}" "Spillway"\n'
    yield f".SH NAME\n{plain(name)} \\- {plain(does)}\n"


def _of_verb(verb: ManualVerb, root: ManualVerb) -> Iterator[str]:
    does = verb.text[0].rstrip(".")
    yield from _head("-".join(verb.words), 1, does[:1].lower() + does[1:])
    yield f".SH SYNOPSIS\n.B {plain(verb.usage)}\n.SH DESCRIPTION\n"
    yield from _paragraphs(verb.text)
    if verb.verbs:
        yield ".SH VERBS\n"
        for name in verb.verbs:
            yield f".TP\n.BR {plain('-'.join((*verb.words, name)))} (1)\n"
    options = [one for one in verb.options if one[0] not in HELP]
    if options:
        yield ".SH OPTIONS\n"
        yield from _tagged(options)
    if verb.examples:
        yield f".SH EXAMPLES\n.nf\n{plain(verb.examples)}\n.fi\n"
    if verb is root:
        yield ".SH EXIT STATUS\n"
        yield from _tagged((str(code.value), EXITS[code]) for code in Exit)
        yield ".SH FILES\n"
        yield from _tagged(FILES)
        yield f".SH SEE ALSO\n.BR {plain(ROUTER)} (8)\n"
    else:
        yield ".SH SEE ALSO\nOptions of all verbs and exit codes:\n.BR sitectl (1)\n"


def _of_router() -> Iterator[str]:
    words = command_line()
    words.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=WIDTH)
    usage, _, options = words.format_help().partition("options:\n")
    usage = re.sub(r"\s+", " ", usage.removeprefix("usage: ").partition("\n\n")[0]).strip()
    yield from _head(ROUTER, 8, ROUTER_DOES)
    yield f".SH SYNOPSIS\n.B {plain(usage)}\n.SH DESCRIPTION\n"
    yield from _paragraphs([words.description or ""])
    yield f".SH OPTIONS\n.nf\n{plain(options.partition(chr(10) * 2)[0])}\n.fi\n"
    yield ".SH FILES\n"
    yield from _tagged(FILES)
    yield ".SH SEE ALSO\n.BR sitectl (1)\n"


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield f".PP\n{plain(text)}\n"


def _tagged(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for tag, text in pairs:
        yield f".TP\n.B {plain(tag)}\n{plain(text) or NOTHING}\n"


if __name__ == "__main__":
    sys.exit(main())
