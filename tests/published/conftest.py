"""The release, made once for the run, at the address that it was made for."""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from deploy.release.packages import ROOT
from router import __version__

MAKE_TIMEOUT_S = 800.0


class Release:
    """The files that `make release` left, and its output."""

    def __init__(self, directory: Path, key: Path, url: str, said: str) -> None:
        self.stage = directory / f"spillway-{__version__}"
        self.archive = directory / f"spillway-{__version__}.tar"
        self.key = key
        self.url = url
        self.said = said

    @property
    def wheel(self) -> Path:
        """Ours."""
        return self.stage / "wheels" / f"spillway_router-{__version__}-py3-none-any.whl"


class Newcomer:
    """A home with nothing in it, on a machine whose package index is the release's wheels."""

    def __init__(self, home: Path, release: Release) -> None:
        self.home = home
        self.release = release
        self.environment = {
            "HOME": str(home),
            "PATH": f"{home}/.local/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(release.stage / "wheels"),
            "UV_NO_INDEX": "1",
            "UV_NO_CONFIG": "1",
            "UV_FIND_LINKS": str(release.stage / "wheels"),
            "UV_OFFLINE": "1",
            "UV_PYTHON": sys.executable,
            "no_proxy": "127.0.0.1",
        }

    def typed(self, line: str, code: int = 0) -> str:
        """What a line of a shell prints, all of it."""
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, f"{line}: exit {done.returncode}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Made, signed and checked by `make release`; served at its address."""
    directory = tmp_path_factory.mktemp("published")
    handler = partial(_Quiet, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield _made(directory, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
            shutil.rmtree(directory)  # pytest keeps those of three runs, and this one is large.


def _made(directory: Path, url: str) -> Release:
    key = directory / "key"
    subprocess.run([sys.executable, "-m", "deploy.signing", str(key)], cwd=ROOT, check=True)
    pythons = " ".join(sorted({"3.11", "3.13", f"3.{sys.version_info.minor}"}))  # Fewer: quicker.
    bundle = f"BUNDLE=--no-image 'of a test' --pythons '{pythons}'"
    words = [f"KEY={key}", f"OUTPUT={directory}", bundle]
    done = subprocess.run(
        ["make", "release", *words],
        cwd=ROOT,
        env=os.environ | {"SPILLWAY_URL": url},
        capture_output=True,
        text=True,
        timeout=MAKE_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # As releases are put on a server.
    (directory / __version__).symlink_to(f"spillway-{__version__}")
    return Release(directory, key.with_name("key.pub"), url, done.stdout)


@pytest.fixture
def newcomer(tmp_path: Path, release: Release) -> Newcomer:
    """Who never had anything of ours."""
    return Newcomer(tmp_path, release)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""
