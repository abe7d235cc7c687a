"""docs/codes.md, made from router/model/codes; a test compares the two.

``python -m tests.codes_table`` writes it again.
"""

from pathlib import Path

from router.model.codes import FAMILIES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "codes.md"
HEAD = """# Codes

Every problem, finding and error has a code of `SW` and four digits, which keeps its meaning for
good. `sitectl explain SW0404` prints what is here, without a network; `-o json` of `status` and
`check` carries the place on this page as `doc`. Words like `not-found` and `link-down` are those of
errors of commands and of [events](events.md).
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, codes in FAMILIES:
        parts += [f"\n## {title}\n"]
        for code in codes:
            parts += [
                f'\n<a id="{code.code.lower()}"></a>\n',
                f"### {code.code}: {code.title}\n",
                f"\n{code.meaning}\n",
                f"\nNext: {code.step}.\n",
            ]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
