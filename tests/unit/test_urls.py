"""Nothing sends people, mail or downloads to a domain that the project does not own."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    *("certs", "deploy", "docs", "examples", "router", "scripts", "simulator", "sitectl"),
    *("Dockerfile", "Makefile", "README.md", "SECURITY.md", "CONTRIBUTING.md", "pyproject.toml"),
)
_OWN = re.compile(r"(?:https?://|[\w.]+@)(?:[\w-]+\.)*spillway\.(?:dev|io|org|net|com)\b")


def files() -> Iterator[Path]:
    for place in PLACES:
        path = ROOT / place
        assert path.exists(), place
        yield from [path] if path.is_file() else path.rglob("*")


def test_no_address_is_at_a_domain_of_the_projects_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {hit}"
        for path in files()
        if path.is_file() and "__pycache__" not in path.parts
        for hit in _OWN.findall(path.read_text(errors="replace"))
    ]
    assert not found


def test_one_would_be_found() -> None:
    for text in ("https://spillway.dev/x", "http://docs.spillway.io", "security@spillway.dev"):
        assert _OWN.search(text)
    assert not _OWN.search("spillway.dev/policy: fill")
