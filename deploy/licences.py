"""``python -m deploy.licences``: THIRD_PARTY.md, foreign software that we ship and its licenses.

Python packages are those of the image's list; the console's modules those of its vendor list. A
package's own license text is in its wheel, and so in the image.
"""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "THIRD_PARTY.md"
LIST: Final = ROOT / "deploy" / "image" / "requirements.txt"
VENDORED: Final = ROOT / "router" / "admin" / "console" / "static" / "vendor" / "VENDOR.md"

OF_PACKAGES: Final = {
    "aiohappyeyeballs": "PSF-2.0",
    "aiohttp": "Apache-2.0 AND MIT",
    "aiosignal": "Apache-2.0",
    "anyio": "MIT",
    "attrs": "MIT",
    "cffi": "MIT-0",
    "click": "BSD-3-Clause",
    "cryptography": "Apache-2.0 OR BSD-3-Clause",
    "frozenlist": "Apache-2.0",
    "h11": "MIT",
    "h2": "MIT",
    "hpack": "MIT",
    "httpcore2": "BSD-3-Clause",
    "httptools": "MIT",
    "httpx2": "BSD-3-Clause",
    "hyperframe": "MIT",
    "idna": "BSD-3-Clause",
    "lightkube": "MIT",
    "lightkube-models": "MIT",
    "markdown-it-py": "MIT",
    "mdurl": "MIT",
    "msgpack": "Apache-2.0",
    "msgspec": "BSD-3-Clause",
    "multidict": "Apache-2.0",
    "prometheus-client": "Apache-2.0 AND BSD-2-Clause",
    "propcache": "Apache-2.0",
    "pycparser": "BSD-3-Clause",
    "pygments": "BSD-2-Clause",
    "pyyaml": "MIT",
    "rich": "MIT",
    "truststore": "MIT",
    "typing-extensions": "PSF-2.0",
    "uvloop": "MIT OR Apache-2.0",
    "wsproto": "MIT",
    "yarl": "Apache-2.0",
}
"""As SPDX expressions, read in each package; a test compares them with the packages' metadata."""

ALLOWED: Final = frozenset(
    ("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0")
)
"""Permissive licenses: software under them may be linked with ours and passed on.

Ask before adding others.
"""

_ROW: Final = re.compile(r"^\|(?P<cells>[^|\n]+(\|[^|\n]+)+)\|$", re.MULTILINE)


def page() -> str:
    """The whole of THIRD_PARTY.md."""
    versions = dict(
        re.findall(
            r"^([a-z0-9-]+)==([^ ;\\]+)",
            LIST.read_text("utf-8"),
            re.MULTILINE,
        )
    )
    rows = "".join(f"| {name} | {versions[name]} | {of(name)} |\n" for name in sorted(versions))
    return _HEAD + rows + _console()


def of(package: str) -> str:
    """The SPDX expression of a package. Raises SystemExit if it has not been reviewed."""
    if package not in OF_PACKAGES:
        raise SystemExit(f"deploy/licences.py has no license of {package}: read it, then add it")
    return OF_PACKAGES[package]


def words(expression: str) -> set[str]:
    """The licenses of an SPDX expression."""
    return set(re.split(r" (?:AND|OR) ", expression))


def _console() -> str:
    """The rows of the vendor list, unchanged."""
    if not VENDORED.exists():
        return ""
    rows = [found["cells"] for found in _ROW.finditer(VENDORED.read_text("utf-8"))]
    return "\n## In the console\n\n" + "".join(f"|{cells}|\n" for cells in rows)


_HEAD: Final = """\
# Software of others

Made by `python -m deploy.licences`; a test holds it to the lock. Spillway itself is under the
Apache License 2.0 ([LICENSE](LICENSE)). `deploy/image/sbom.cdx.json` lists the same packages with
their hashes (CycloneDX), in the image as `/usr/share/spillway/sbom.json`. The text of each license
is in the package, in the image below `/opt/spillway/lib`.

## Python packages that run

| package | version | license |
|---|---|---|
"""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
