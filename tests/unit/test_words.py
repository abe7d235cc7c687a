"""Texts have plain words: not those for which there is a more common one. American spelling."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("router", "certs", "sitectl", "simulator")
INSTEAD = {
    r"dearer|dearest": "costlier, most expensive",
    r"mend|mends|mended|mending": "fix, repair",
    r"anew|once more": "again",
    r"whoever|whomever": "the person, the caller, the site that",
    r"nobody|anybody|somebody": "no client, any client, a caller",
    r"shall": "should, must, will",
    r"stated": "configured, given",
    r"rights? lacks?": "a permission is missing",
    r"stands? (?:in|at)(?! for)": "is in",
    r"(?:is|are|was|were) told (?:of|that|to)": "receives, is shown, learns",
    r"(?:neighb|col|behavi|hon|fav)ours?": "-or",
    r"(?:dial|label|travel|model|signal)l(?:ed|ing|er)s?": "one l",
    r"licence|grey|centred?": "license, gray, center",
    r"(?:normal|organ|recogn|initial|serial|summar|author)is(?:e|ed|es|ing|ation)": "-ize",
}
"""Words that texts avoid, and the words to use instead."""
INSTEAD_IN_CODE = {
    r"tells": "reports, shows, receives",
    r"for people": "human-readable",
    r"at rest": "idle",
    r"needs once": "needs only when",
}
"""As `INSTEAD`, for docstrings and comments."""
VERDICTS = "dearer not-chosen excluded none info used"  # Of JSON, in the table of colors.


def visible(text: str) -> Iterator[str]:
    """Strings of a module that have several words, and the help of commands: its docstrings."""
    tree = ast.parse(text)
    help_texts = {
        id(node.body[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(re.search(r"command\(|group\(", ast.unparse(one)) for one in node.decorator_list)
    }
    private = {  # Docstrings of all else, and what follows an attribute.
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and id(node) not in help_texts
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in private:
            continue
        if isinstance(node.value, str) and " " in node.value.strip():
            yield node.value.replace(VERDICTS, "")


def explanations(text: str) -> Iterator[str]:
    """Docstrings of a module, also those that follow an attribute, and its comments."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(ast.Constant(str() as said)):
                yield said
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def faults(text: str, words: Mapping[str, str] = INSTEAD) -> list[str]:
    """Words of ``text`` that have a more common one, with that."""
    return [
        f"{found.group()!r} in {text[:80]!r}: {instead}"
        for word, instead in words.items()
        for found in re.finditer(rf"(?<![`\w-])(?:{word})\b(?!`)", text, re.IGNORECASE)
    ]


def clauses(text: str) -> list[str]:
    """Sentences of a docstring or comment that begin with a clause as a noun."""
    found = re.finditer(r"(?:^|[.:;] )#? ?What\b(?!-)[^.?]*(?:\.|$)", " ".join(text.split()))
    return [f"a clause as a noun: {one.group()[:80]!r}" for one in found]


def test_words_are_found_in_help_and_messages_and_not_in_names_and_docstrings() -> None:
    code = (
        '"""Nobody reads it."""\nVERDICT = "dearer"\n'
        '@click.command("set")\ndef set_() -> None:\n    """Make it anew."""\n'
        '    raise Failure(f"{one} shall be mended")\n'
    )
    found = [one for text in visible(code) for one in faults(text)]
    assert [one.split("'")[1] for one in found] == ["anew", "mended", "shall"]


def test_words_are_found_in_docstrings_and_comments() -> None:
    code = '"""What is here. Who tells."""\nN = 1  # For people.\n"""Is it told of?"""\n'
    found = [
        fault
        for text in explanations(code)
        for fault in [*faults(text, INSTEAD | INSTEAD_IN_CODE), *clauses(text)]
    ]
    assert [re.split("['\"]", one)[1] for one in found] == ["tells", "What is here.", "For people"]
    assert clauses("What now?") == []


@pytest.mark.parametrize("package", [*PACKAGES, "deploy"])
def test_docstrings_and_comments_have_plain_words(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for text in explanations(path.read_text())
        for fault in [*faults(text, INSTEAD | INSTEAD_IN_CODE), *clauses(text)]
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_texts_of_the_product_have_plain_words(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for text in visible(path.read_text())
        for fault in faults(text)
    ]
    assert found == []


def prose(page: str) -> str:
    """A page without its examples and what is quoted as code."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", page, flags=re.M | re.S))


PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def test_examples_are_no_prose() -> None:
    page = "A\n```\nnobody\n```\n`anew` b\n"
    assert prose(page).split() == ["A", "b"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_have_plain_words(page: Path) -> None:
    assert faults(prose(page.read_text("utf-8"))) == []
