"""Every module of ours compiles and is imported, and warns of nothing, on this Python."""

import subprocess
import sys

import pytest

from tests.pythons import ROOT

PACKAGES = ("certs", "deploy", "router", "simulator", "sitectl")
WORK = f"""
import sys, warnings
from importlib import import_module
from pathlib import Path
warnings.filterwarnings("error", module=r"({"|".join(PACKAGES)})\\b")
for path in map(Path, sys.argv[1:]):
    compile(path.read_bytes(), path, "exec", dont_inherit=True)
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    if path.stem != "__main__":
        import_module(name)
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_is_compiled_and_imported_without_a_warning(package: str) -> None:
    paths = sorted(path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))
    ended = subprocess.run(
        [sys.executable, "-c", WORK, *map(str, paths)], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
