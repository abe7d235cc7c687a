"""Releases of a stand-in for our package, for the installer: bundles and an index, no network."""

import base64
import hashlib
import shutil
import zipfile
from importlib import metadata
from pathlib import Path

from deploy import airgap
from deploy.release.archives import sha256

SCRIPT = airgap.ROOT / "scripts" / "install.sh"
CODE = """
def main():
    print("spillway {version}")
"""
ENTRY = "[console_scripts]\nsitectl = spillway_stand_in:main\n"


METADATA = "Metadata-Version: 2.1\nName: spillway-router\nVersion: {version}\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
QUICK_PIP = """
import pathlib, sys, zipfile
words = sys.argv
prefix = pathlib.Path(words[words.index("--python") + 1]).parent.parent
assert {"--no-index", "--require-hashes"} <= set(words)
wheels = pathlib.Path(words[words.index("--find-links") + 1])
(packages,) = prefix.glob("lib/python3*/site-packages")
(ours,) = wheels.glob("spillway_router-*")
zipfile.ZipFile(ours).extractall(packages)
(data,) = packages.glob("*.data")
(data / "data" / "share").rename(prefix / "share")
script = prefix / "bin" / "sitectl"
python = prefix / "bin" / "python"
code = "import sys; from spillway_stand_in import main; main()"
script.write_text(f'#!/bin/sh\\nexec "{python}" -c "{code}"\\n')
script.chmod(0o755)
"""


def bundle(directory: Path, version: str, *, pip: bool = False) -> Path:
    """A bundle of ``version``, laid out and sealed as a real one.

    With ``pip`` the real one is in it, which takes a second; else one that unpacks our wheel.
    """
    stage = directory / f"spillway-{version}"
    shutil.rmtree(stage, ignore_errors=True)
    (stage / "wheels").mkdir(parents=True)
    ours = stand_in(stage / "wheels", version)
    if pip:
        pip_wheel(stage / "wheels")
    else:
        _wheel(stage / "wheels" / "pip-0-py3-none-any.whl", "pip-0", {"pip/__main__.py": QUICK_PIP})
    listed = f"spillway-router=={version} --hash=sha256:{sha256(ours)}\n"
    (stage / "requirements.txt").write_text(listed)
    (stage / "PYTHONS").write_text("3.11 3.12 3.13 3.14\n")
    shutil.copy(SCRIPT, stage / "install.sh")
    airgap.seal(stage)
    return stage


def stand_in(directory: Path, version: str) -> Path:
    """A wheel of our name, whose ``sitectl`` says its version."""
    info = f"spillway_router-{version}.dist-info"
    shared = f"spillway_router-{version}.data/data/share"
    return _wheel(
        directory / f"spillway_router-{version}-py3-none-any.whl",
        info,
        {
            "spillway_stand_in.py": CODE.format(version=version),
            f"{info}/METADATA": METADATA.format(version=version),
            f"{info}/WHEEL": WHEEL,
            f"{info}/entry_points.txt": ENTRY,
            f"{shared}/man/man1/sitectl.1": f'.TH SITECTL 1 "" "{version}"\n',
            f"{shared}/bash-completion/completions/sitectl": f"# {version}\n",
        },
    )


def pip_wheel(directory: Path) -> Path:
    """The pip that installed us, as a wheel again."""
    found = metadata.distribution("pip")
    path = directory / f"pip-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in found.files or []:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                archive.write(str(found.locate_file(file)), str(file))
    return path


def _wheel(path: Path, info: str, files: dict[str, str]) -> Path:
    record = "".join(f"{name},{_digest(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(zipfile.ZipInfo(name), text)  # Of one time, so of one hash.
    return path


def _digest(text: str) -> str:
    raw = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={raw.rstrip(b'=').decode()}"
