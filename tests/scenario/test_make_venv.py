"""scripts/make-venv where Python has neither ensurepip nor pip, as on a bare Debian."""

import base64
import hashlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.scenario import releases

SCRIPTS: Final = releases.SCRIPT.parent
PASSWORD: Final = "open sesame"
DEBIAN: Final = Path("/usr/bin/python3")


class _Index(http.server.SimpleHTTPRequestHandler):
    """A package index of files. `/private` wants a password."""

    def do_GET(self) -> None:
        word = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        if self.path.startswith("/private/") and self.headers["Authorization"] != f"Basic {word}":
            self.send_error(401)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Not to the terminal."""


class Bare:
    """A checkout, a Python without ensurepip, and a package index with pip alone."""

    def __init__(self, directory: Path, port: int) -> None:
        self.index = f"http://127.0.0.1:{port}/simple"
        self.private = f"http://me:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}/private"
        self.venv = directory / "venv"
        self._directory = directory
        self._checkout = directory / "checkout"
        shutil.copytree(SCRIPTS, self._checkout / "scripts")
        page = directory / "index" / "simple" / "pip"
        page.mkdir(parents=True)
        self._wheel = releases.pip_wheel(page)
        (page / "index.html").write_text(f'<a href="{self._wheel.name}#sha256=0">pip</a>')
        (directory / "index" / "private").symlink_to("simple")
        self.pin(hashlib.sha256(self._wheel.read_bytes()).hexdigest())
        modules = directory / "modules"
        modules.mkdir()
        for name in ("ensurepip", "pip"):
            (modules / f"{name}.py").write_text("raise ImportError(__name__)\n")
        python = directory / "python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={modules} exec {DEBIAN} "$@"\n')
        python.chmod(0o755)

    def pin(self, sha256: str) -> None:
        """Pin pip to this hash."""
        pins = self._checkout / "deploy" / "image" / "build.txt"
        pins.parent.mkdir(parents=True, exist_ok=True)
        version = self._wheel.name.split("-")[1]
        pins.write_text(
            f"pip=={version} ; sys_platform == 'linux' \\\n    --hash=sha256:{sha256}\n"
        )

    def make(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Make the environment with these settings and no others of pip."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("PIP_")}
        return subprocess.run(
            [self._checkout / "scripts" / "make-venv", self._directory / "python", self.venv],
            env={**kept, "HOME": str(self._directory), **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def works(self) -> bool:
        """Whether pip runs in the environment that was made."""
        pip = [str(self.venv / "bin" / "python"), "-m", "pip", "--version"]
        return str(self.venv) in subprocess.run(pip, capture_output=True, text=True).stdout


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Bare]:
    (tmp_path / "index").mkdir()
    handler = partial(_Index, directory=str(tmp_path / "index"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Bare(tmp_path, server.server_port)
        server.shutdown()
        thread.join()


def test_pip_comes_from_the_index_of_the_environment(bare: Bare) -> None:
    done = bare.make(PIP_INDEX_URL=bare.index)
    assert done.returncode == 0, done.stderr
    assert bare.works()


def test_pip_comes_from_the_index_of_pip_conf_with_its_password(bare: Bare) -> None:
    config = bare.venv.parent / "pip.conf"
    config.write_text(f"[global]\nindex-url = {bare.private}\n")
    done = bare.make(PIP_CONFIG_FILE=str(config))
    assert done.returncode == 0, done.stderr
    assert bare.works()


def test_a_pip_with_another_hash_is_refused_and_nothing_remains(bare: Bare) -> None:
    bare.pin("0" * 64)
    done = bare.make(PIP_INDEX_URL=bare.private)
    assert done.returncode == 1
    assert "does not have the expected SHA-256" in done.stderr
    assert "set PIP_INDEX_URL" in done.stderr
    assert "sesame" not in done.stderr
    assert not bare.venv.exists()


def test_an_index_out_of_reach_is_named_with_the_next_step(bare: Bare) -> None:
    done = bare.make(PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert done.returncode == 1
    assert "http://127.0.0.1:9/simple/pip/: " in done.stderr
    assert "Check the network" in done.stderr
    assert "Traceback" not in done.stderr
    assert not bare.venv.exists()


def test_a_directory_that_is_no_environment_is_left_alone(bare: Bare) -> None:
    bare.venv.mkdir()
    (bare.venv / "letter").write_text("dear")
    done = bare.make(PIP_INDEX_URL=bare.index)
    assert done.returncode == 1
    assert "is not a virtual environment" in done.stderr
    assert (bare.venv / "letter").read_text() == "dear"
