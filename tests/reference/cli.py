"""docs/reference-cli.md, of the tree of `sitectl`'s verbs."""

import re
from typing import Final

from deploy.verbs import EXITS, HELP, verbs
from sitectl.base.failure import Exit

BAR: Final = "\\|"
HEAD: Final = """# sitectl: every verb and flag

Made from the code; `sitectl VERB --help` says the same. Habits that all verbs share:
[sitectl](sitectl.md). What programs may rely on: [releases](releases.md).

"""


def cell(text: str) -> str:
    """Text for a cell of a table."""
    return re.sub(r"([|<>*_])", r"\\\1", text)


def page() -> str:
    """The whole page."""
    lines = [HEAD, "## Exit codes\n\n| code | |\n|---|---|\n"]
    lines += [f"| {code.value} | {EXITS[code]} |\n" for code in Exit]
    for verb in verbs():
        lines += [f"\n## {verb.name}\n" if verb.words != ("sitectl",) else "\n## Every verb\n"]
        lines += [f"\n```\n{verb.usage}\n```\n"]
        lines += [f"\n{cell(part)}\n" for part in verb.text]
        if verb.examples:
            lines += [f"\n```\n{verb.examples}\n```\n"]
        if shown := [one for one in verb.options if one[0] not in HELP]:
            lines += ["\n| flag | |\n|---|---|\n"]
            lines += [f"| `{flag.replace('|', BAR)}` | {cell(text)} |\n" for flag, text in shown]
    return "".join(lines)
