"""The pages: all are in the index, and every link leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs" / "README.md"
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
PACKAGES = ("tests", "router", "deploy", "sitectl", "certs", "simulator", "scripts")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ +(.+?) *#*$", re.M)
_FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


def links(text: str) -> Iterator[str]:
    """The links of a page within the repository; text shown as code has none."""
    for found in _LINK.finditer(_CODE.sub("", text)):
        target = found[1] or found[2]
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(text: str) -> set[str]:
    """Targets in a page for links: headings as forges write them, and anchors."""
    slugs: dict[str, int] = {}
    found = set(_ANCHOR.findall(text))
    for heading in _HEADING.findall(_FENCED.sub("", text)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        again = slugs.get(slug, 0)
        slugs[slug] = again + 1
        found.add(f"{slug}-{again}" if again else slug)
    return found


def broken(page: Path) -> Iterator[str]:
    """The links of a page that lead nowhere."""
    text = page.read_text("utf-8")
    for link in links(text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{link}: there is no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8")):
            yield f"{link}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_every_page_is_in_the_index_once() -> None:
    lines = re.findall(r"^\| \[\S+\]\((\S+)\) \| .+ \|$", INDEX.read_text("utf-8"), re.M)
    pages = {str(page.relative_to(INDEX.parent)) for page in INDEX.parent.rglob("*.md")}
    assert sorted(lines) == sorted(pages - {"README.md"})


def named(text: str) -> Iterator[tuple[str, bool]]:
    """What of this repository a page names beside links, and whether it is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M):
        yield f"make {target}", target in targets
    for bench in re.findall(r"make bench WHAT=(\w+)", text):
        module = ROOT / "tests" / "bench" / f"{bench}.py"
        yield f"WHAT={bench}", bench in ("setup", "quick") or module.exists()
    for module in re.findall(r"-m ((?:tests|deploy)(?:\.\w+)*)", text):
        path = ROOT / module.replace(".", "/")
        yield f"-m {module}", path.with_suffix(".py").exists() or (path / "__main__.py").exists()
    for path in re.findall(rf"`((?:{'|'.join(PACKAGES)})/[\w/.-]+)`", text):
        yield path, (ROOT / path).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_module_and_make_target_that_a_page_names_is_there(page: Path) -> None:
    assert [what for what, is_there in named(page.read_text("utf-8")) if not is_there] == []


def test_every_page_has_one_title() -> None:
    for page in PAGES:
        titles = re.findall(r"^# .+$", _FENCED.sub("", page.read_text("utf-8")), re.M)
        assert len(titles) == 1, page


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# A\n## What, a `b`?\n[b](b.md) [here](#what-a-b) [not](#c) `[code](d.md)`\n")

    assert list(broken(page)) == [
        "b.md: there is no such file",
        "#c: there is no such heading",
    ]
