"""The wheel of the last release is there for the tests and is shipped nowhere."""

import hashlib
import tomllib
from pathlib import Path

from tests import releases

ROOT = Path(__file__).resolve().parents[3]


def test_neither_the_package_nor_the_image_takes_it_along() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    inside = releases.WHEEL.relative_to(ROOT)
    assert inside.parts[0] not in packages
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert not any(inside.is_relative_to(line[1:]) for line in ignored if line.startswith("!"))


def test_it_is_the_one_that_the_page_beside_it_names() -> None:
    page = (releases.WHEEL.parent / "README.md").read_text()
    assert releases.WHEEL.name in page
    assert releases.SHA256 in page
    assert hashlib.sha256(releases.WHEEL.read_bytes()).hexdigest() == releases.SHA256
