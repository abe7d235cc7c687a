"""What the console is made of: small, its own, and known to the byte."""

import hashlib
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[4] / "router/admin/console/static"
VENDOR = STATIC / "vendor"
TOTAL_BYTES_MAX = 1_000_000
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
OWN = [path for path in FILES if VENDOR not in path.parents]
_ROW = re.compile(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|", re.MULTILINE)
_FOREIGN = re.compile(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", re.IGNORECASE)
_NAMES = re.compile(r"http://www\.w3\.org/[A-Za-z0-9/]+")
"""Names of markup languages look like addresses; nothing is loaded from them."""
_MADE_CODE = re.compile(r"\beval\(|new Function|innerHTML|outerHTML|document\.write")


def named(path: Path) -> str:
    return str(path.relative_to(STATIC))


def test_the_console_is_smaller_than_its_bound() -> None:
    assert sum(path.stat().st_size for path in FILES) <= TOTAL_BYTES_MAX


def test_vendored_files_are_those_that_were_vendored() -> None:
    listed = dict(_ROW.findall((VENDOR / "VENDOR.md").read_text()))
    there = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")
    }
    assert listed == there
    assert there


def test_each_vendored_file_has_its_licence_beside_it() -> None:
    licences = re.findall(r"`(LICENSE-[a-z]+\.txt)`", (VENDOR / "VENDOR.md").read_text())
    assert sorted(licences) == sorted(path.name for path in VENDOR.glob("LICENSE*"))


@pytest.mark.parametrize("path", OWN, ids=named)
def test_no_file_names_another_host(path: Path) -> None:
    if path.suffix == ".svg" or path.suffix in (".js", ".css", ".html"):
        assert not _FOREIGN.search(_NAMES.sub("", path.read_text()))


@pytest.mark.parametrize("path", [one for one in OWN if one.suffix == ".js"], ids=named)
def test_no_script_makes_code_or_markup_out_of_text(path: Path) -> None:
    assert not _MADE_CODE.search(path.read_text())


_IMPORT = re.compile(r'import \{([^}]*)\} from "(\.[^"]+)";')
_EXPORT = re.compile(
    r"export (?:async )?(?:function\*?|const|class) (\w+)|^  (\w+),$", re.MULTILINE
)


@pytest.mark.parametrize("path", [one for one in OWN if one.suffix == ".js"], ids=named)
def test_each_import_is_there_and_used(path: Path) -> None:
    """No build step says so."""
    text = path.read_text()
    body = _IMPORT.sub("", text)
    for names, source in _IMPORT.findall(text):
        module = (path.parent / source).resolve()
        if module.parent == VENDOR.resolve():
            continue
        exported = {one or other for one, other in _EXPORT.findall(module.read_text())}
        for name in filter(None, (one.strip() for one in names.split(","))):
            outside, _, inside = name.partition(" as ")
            assert outside in exported, f"{source} has no {outside}"
            assert re.search(rf"\b{inside or outside}\b", body), f"{name} is not used"


_COMMENT = re.compile(r"^\s*//[^\n]*$|/\*.*?\*/", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\bsitectl (?!simulate )[a-z$…][^`\"\n]*")
"""A command that is written out. Only `simulate` needs no site."""
BUILDER = STATIC / "lib/commands.js"


@pytest.mark.parametrize("path", [one for one in OWN if one.suffix == ".js"], ids=named)
def test_each_command_is_made_by_the_one_builder_which_names_this_site(path: Path) -> None:
    """On a host with several sites, a command without the site would act on another or on none."""
    if path != BUILDER:
        assert _COMMAND.findall(_COMMENT.sub("", path.read_text())) == []


def test_a_command_that_is_written_out_is_found() -> None:
    for text in (
        'const ONE = "sitectl service create shop 8080";',
        "html`<code>sitectl expose …</code>`",
        "`sitectl link delete ${name}`",
        "`sitectl ${words}`",
    ):
        assert _COMMAND.search(_COMMENT.sub("", text)), text


def test_the_page_has_no_script_and_no_style_in_itself() -> None:
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son[a-z]+=", page)


def rules(theme: str, sheet: str) -> dict[str, str]:
    """The tokens of one theme, as the sheet has them."""
    block = re.search(re.escape(theme) + r" \{(.*?)\}", sheet, re.DOTALL)
    assert block, theme
    return dict(re.findall(r"(--[a-z0-9-]+): ([^;]+);", block[1]))


def test_dark_by_choice_and_dark_by_system_are_the_same() -> None:
    sheet = (STATIC / "tokens.css").read_text()
    assert rules(':root[data-theme="dark"]', sheet) == rules(
        ':root:not([data-theme="light"])', sheet
    )


@pytest.mark.parametrize("path", [one for one in OWN if one.suffix == ".css"], ids=named)
def test_colours_are_those_of_the_tokens(path: Path) -> None:
    """So that the login page is one with the console, in both themes."""
    without = re.sub(r"rgb\(0 0 0 / \d+%\)", "", path.read_text())  # What lies behind a dialog.
    assert path.name == "tokens.css" or not re.search(r"#[0-9a-f]{3,8}\b|\b(rgb|hsl)a?\(", without)


def light(hex_colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(hex_colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


TEXT_PAIRS = [
    *((text, ground) for text in ("text", "muted") for ground in ("ground", "surface", "raised")),
    *((tone, ground) for tone in ("good", "warn", "bad") for ground in ("surface", "ground")),
    *((tone, f"{tone}-soft") for tone in ("good", "warn", "bad", "accent")),
    *((text, f"{tone}-soft") for text in ("text", "muted") for tone in ("warn", "bad", "accent")),
    ("accent", "surface"),
    ("accent", "ground"),
    ("accent", "raised"),
    ("on-accent", "accent"),
]
MARK_PAIRS = [
    *((f"series-{number}", "surface") for number in range(1, 7)),
    ("line-strong", "surface"),
    ("line-strong", "ground"),
]


@pytest.mark.parametrize("theme", [":root", ':root[data-theme="dark"]'], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [*((*pair, 4.5) for pair in TEXT_PAIRS), *((*pair, 3.0) for pair in MARK_PAIRS)],
)
def test_what_is_read_stands_out_from_its_ground(
    theme: str, ink: str, ground: str, least: float
) -> None:
    tokens = rules(theme, (STATIC / "tokens.css").read_text())
    found = contrast(tokens[f"--{ink}"], tokens[f"--{ground}"])
    assert found >= least, f"{ink} on {ground}: {found:.2f}, of at least {least}"
