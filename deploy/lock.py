"""``python -m deploy.lock``: uv.lock from pyproject.toml, and files made from it (``make lock``).

- ``deploy/image/requirements.txt``: run-time packages, with hashes; pip installs nothing else.
- ``deploy/image/build.txt``: packages that build our own wheel, with hashes; not in the image.
- ``deploy/dev.txt``: packages for tests and checks, with hashes, for ``make dev``.
- ``deploy/image/sbom.cdx.json``: the first of these as CycloneDX, with licenses; THIRD_PARTY.md.

With ``--upgrade`` the newest versions that pyproject.toml allows, else the locked ones.
"""

import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, Final

from deploy import licences

ROOT: Final = Path(__file__).resolve().parent.parent
IMAGE: Final = ROOT / "deploy" / "image"
_DEADLINE_S: Final = 300
_RUNS: Final = ("--extra", "kubernetes", "--no-emit-project")
_PLAIN: Final = ("--format", "requirements.txt", "--no-annotate", "--no-header")
_ARCHITECTURES: Final = ("x86_64", "aarch64")


def files() -> dict[Path, str]:
    """The content of each file made from the lock; asks no index."""
    sbom = _uv("export", *_RUNS[:2], "--format", "cyclonedx1.5", *_PREVIEW)
    return {
        IMAGE / "requirements.txt": _NOTE + _uv("export", *_RUNS, *_PLAIN),
        IMAGE / "build.txt": _NOTE + _uv("export", "--only-group", "build", *_PLAIN),
        IMAGE.parent / "dev.txt": _NOTE + _uv("export", "--extra", "dev", _RUNS[-1], *_PLAIN),
        IMAGE / "sbom.cdx.json": _told(json.loads(sbom)),
    }


def names(file: str) -> list[str]:
    """The packages in one of our lists, sorted."""
    found = re.findall(r"^([a-z0-9-]+)==", (IMAGE / file).read_text("utf-8"), re.MULTILINE)
    return sorted(found)


_NOTE: Final = "# Made by `make lock` from uv.lock; do not edit.\n"
_PREVIEW: Final = ("--preview-features", "sbom-export")


def _uv(verb: str, *words: str) -> str:
    command = ["uv", verb, *words]
    if verb == "export":
        command += ["--frozen", "--offline"]
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_DEADLINE_S,
        check=True,
    )
    return done.stdout


def _told(sbom: dict[str, Any]) -> str:
    """The same text for the same lock: no time, random value or tool version; only our wheels."""
    for component in sbom["components"]:
        references = component.get("externalReferences", [])
        component["externalReferences"] = [one for one in references if _is_ours(one["url"])]
        component["licenses"] = [{"expression": licences.of(component["name"])}]
    del sbom["metadata"]["timestamp"], sbom["serialNumber"]
    for tool in sbom["metadata"]["tools"]:
        del tool["version"]
    sbom["metadata"]["component"]["licenses"] = [{"license": {"id": "Apache-2.0"}}]
    text = json.dumps(sbom, indent=1, sort_keys=True)
    sbom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, text)}"
    return json.dumps(sbom, indent=1, sort_keys=True) + "\n"


def _is_ours(url: str) -> bool:
    """Whether a distribution can be in the image: pure, or for its architectures with glibc."""
    if url.endswith("-none-any.whl"):
        return True
    return "manylinux" in url and any(f"_{name}" in url for name in _ARCHITECTURES)


def main() -> None:
    """Lock, then write the derived files."""
    _uv("lock", *sys.argv[1:])
    IMAGE.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, "utf-8")
        print(path.relative_to(ROOT))
    licences.PAGE.write_text(licences.page(), "utf-8")
    print(licences.PAGE.name)


if __name__ == "__main__":
    main()
