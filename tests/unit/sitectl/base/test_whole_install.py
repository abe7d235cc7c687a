"""What runs whole routers says so where their packages lack, as in the kubectl plugin."""

import subprocess
import sys

import pytest

from sitectl.base.whole_install import require_routers


def test_where_all_is_installed_nothing_is_said() -> None:
    require_routers("simulate")


@pytest.mark.parametrize(
    "words", [("simulate", "examples/calm.yaml"), ("mesh", "test", "-f", "mesh.yaml")]
)
def test_a_verb_that_runs_routers_names_what_lacks_and_the_way_out(words: tuple[str, ...]) -> None:
    code = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'httptools' else found(name)\n"
        "from sitectl.main import main\n"
        f"sys.argv[1:] = {list(words)!r}\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "runs whole routers, and httptools is not installed here" in done.stderr
    assert "pipx install WHEEL" in done.stderr
