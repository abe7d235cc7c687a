"""The sources of a release's files: in-toto Statement v1 with SLSA Provenance v1.

It contains no time: the same sources give the same bytes.
"""

import json
import subprocess
from pathlib import Path

from certs.release import bundles
from deploy.release.archives import sha256
from deploy.release.image import platforms_of
from deploy.release.packages import ROOT
from router import __version__

LISTS = ROOT / "deploy" / "image"


def put_provenance(stage: Path) -> None:
    """The statement about each file below ``stage`` that is installed, applied or run."""
    names = sorted(
        path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file()
    )
    lists = ("requirements.txt", "build.txt", "sbom.cdx.json")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": sha256(stage / name)}}
            for name in names
            if bundles.is_run(name)
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:spillway:bundle:v1",
                "externalParameters": {
                    "version": __version__,
                    "platforms": platforms_of(stage / "images"),
                },
                "resolvedDependencies": [
                    {"name": "source", "digest": _source()},
                    *({"name": one, "digest": {"sha256": sha256(LISTS / one)}} for one in lists),
                ],
            },
            "runDetails": {"builder": {"id": "urn:spillway:make-bundle"}},
        },
    }
    (stage / bundles.PROVENANCE).write_text(json.dumps(statement, indent=2) + "\n")


def _source() -> dict[str, str]:
    """The commit, if these are exactly its files."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, check=True)
        is_as_was = subprocess.run([*git, "diff", "--quiet", "HEAD"], check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return {}  # Sources without their history.
    return {"gitCommit": head.stdout.decode().strip()} if is_as_was else {}
