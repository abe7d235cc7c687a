"""``python -m deploy.site DIR``: all pages as a static site with search (``make site``).

Pages keep their places in the repository, so that links are checked as written: a link to a missing
page or heading fails with an error. Links to files that are not pages (manifests, programs) become
plain text.
"""

import argparse
import logging
import re
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final

from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT: Final = Path(__file__).resolve().parent.parent
HOME: Final = "README.md"
CONTENTS: Final = "docs/README.md"
OTHERS: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PICTURES: Final = ("*.png", "*.svg", "*.webp")
_LINK: Final = re.compile(r"(?<!!)\[([^]]+)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)")
_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_LISTED: Final = re.compile(r"^\| \[([^]]+)\]\(([^)#]+\.md)\)", re.MULTILINE)


class BrokenSite(Exception):
    """The generator's warnings, one per line."""


def main(arguments: list[str] | None = None) -> int:
    """Write the site; 1 if a link is broken."""
    words = argparse.ArgumentParser(prog="python -m deploy.site", description=__doc__)
    words.add_argument("directory", type=Path, metavar="DIR")
    directory = words.parse_args(arguments).directory
    try:
        write(directory)
    except BrokenSite as broken:
        print(broken, file=sys.stderr)
        return 1
    print(directory / "index.html")
    return 0


def write(directory: Path) -> None:
    """Write the site into ``directory``. Raises BrokenSite."""
    with tempfile.TemporaryDirectory(prefix="site-") as held:
        source, file = Path(held, "pages"), Path(held, "mkdocs.yml")
        _gather(source)
        file.write_text("site_name: Spillway\n")
        config = load_config(config_file=str(file), **_settings(source, directory))
        complaints = _Complaints()
        log = logging.getLogger("mkdocs")
        log.addHandler(complaints)
        try:
            build(config)
        finally:
            log.removeHandler(complaints)
    if complaints.told:
        raise BrokenSite("\n".join(complaints.told))


def pages() -> list[str]:
    """The paths of all pages, below the root of the repository."""
    found = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    return [HOME, *OTHERS, *sorted(str(path.relative_to(ROOT)) for path in found)]


def contents() -> list[tuple[str, list[tuple[str, str]]]]:
    """The sections of docs/README.md, each with the names and paths of its pages."""
    text = (ROOT / CONTENTS).read_text("utf-8")
    _, *parts = _SECTION.split(text)
    return [
        (title, [(name, f"docs/{path}") for name, path in _LISTED.findall(body)])
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def _gather(source: Path) -> None:
    known = set(pages())
    for page in known:
        path = source / page
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / page).read_text("utf-8")
        path.write_text(_LINK.sub(partial(_kept, page, known), text), "utf-8")
    for kind in PICTURES:
        for picture in ROOT.glob(f"docs/pictures/{kind}"):
            place = source / picture.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, place)


def _kept(page: str, known: set[str], link: re.Match[str]) -> str:
    """Keep a link to a page, or a broken one for the generator to report; a file becomes text."""
    target = (ROOT / page).parent.joinpath(link[2]).resolve()
    is_page = not target.is_relative_to(ROOT) or str(target.relative_to(ROOT)) in known
    return link[1] if target.exists() and not is_page else link[0]


def _settings(source: Path, directory: Path) -> dict[str, Any]:
    sections = [
        {title: [{name: path} for name, path in listed]} for title, listed in contents() if listed
    ]
    examples = [page for page in pages() if page.startswith("examples/")]
    about = [{Path(page).stem.capitalize(): page} for page in OTHERS]
    return {
        "site_name": "Spillway",
        "docs_dir": str(source),
        "site_dir": str(directory.resolve()),
        "use_directory_urls": False,  # The site is readable from a disk, without a server.
        "theme": {"name": "readthedocs", "locale": "en"},
        "plugins": ["search"],
        "markdown_extensions": [{"toc": {"permalink": True}}, "tables", "fenced_code"],
        "validation": {
            "omitted_files": "warn",
            "absolute_links": "warn",
            "unrecognized_links": "warn",
            "anchors": "warn",
        },
        "nav": [
            {"Spillway": HOME},
            {"All pages": CONTENTS},
            *sections,
            {"Examples": examples},
            {"About": about},
        ],
    }


class _Complaints(logging.Handler):
    """Collects the generator's warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Add a warning."""
        self.told.append(record.getMessage())


if __name__ == "__main__":
    sys.exit(main())
