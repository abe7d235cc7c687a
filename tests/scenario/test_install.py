"""scripts/install.sh as typed: dash, separate pythons on PATH, a release of a stand-in."""

import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from deploy import airgap
from deploy.release.archives import pack, sha256
from tests.scenario import releases
from tests.scenario.waiting import until

TOOLS = (
    *("basename", "cat", "cp", "cut", "dirname", "flock", "grep", "head", "id", "ln", "mkdir"),
    "mktemp",
    *("readlink", "rm", "rmdir", "sed", "sha256sum", "sh", "sleep", "tail", "tar", "touch", "tr"),
)
TIMEOUT_S = 60.0
SHELL = shutil.which("dash") or "/bin/sh"
OLD = 'case "$1" in --version) echo Python 3.9.21 ;; *) exit 1 ;; esac\n'
NEW = f'exec {sys.executable} "$@"\n'


class Host:
    """A machine with few programs on PATH, and an empty home."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path, self.home = directory / "bin", directory / "home of somebody"
        self.path.mkdir()
        self.home.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None, tool
            (self.path / tool).symlink_to(found)
        self.prefix = self.home / "prefix"
        self.link = self.home / "bin" / "sitectl"

    def program(self, name: str, text: str) -> None:
        """Put a shell script on PATH."""
        place = self.path / name
        place.unlink(missing_ok=True)
        place.write_text(f"#!/bin/sh\n{text}")
        place.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        """No network: a program that wants one meets a closed door."""
        closed = "http://127.0.0.1:9"
        proxies = {"http_proxy": closed, "https_proxy": closed}
        return {"PATH": str(self.path), "HOME": str(self.home), **proxies, **more}

    def words(self, script: Path, *words: str) -> list[str]:
        """The command line."""
        places = ["--prefix", str(self.prefix), "--bin", str(self.link.parent)]
        return [SHELL, str(script), *places, *words]

    def install(
        self, script: Path, *words: str, code: int = 0, env: Mapping[str, str] | None = None
    ) -> str:
        """Its output; it must exit with ``code``."""
        done = subprocess.run(
            self.words(script, *words),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=self.environment(**(env or {})),
            cwd=self.home,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def version(self) -> str:
        """What the installed command says."""
        done = subprocess.run([self.link], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def versions(self) -> int:
        """How many are there."""
        return len(list((self.prefix / "versions").iterdir()))

    def is_untouched(self) -> bool:
        """Whether nothing of ours is there."""
        manual = self.home / "share" / "man"
        return not self.prefix.exists() and not self.link.exists() and not manual.exists()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """With Python 3.9 as the system's, and a newer one beside it."""
    made = Host(tmp_path)
    made.program("python3", OLD)
    made.program("python3.12", NEW)
    return made


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Version 1.0.0."""
    return releases.bundle(tmp_path, "1.0.0")


@pytest.mark.parametrize(
    ("release", "advice"),
    [
        ('ID="rhel"\nVERSION_ID="9.4"\nID_LIKE="fedora"\n', "dnf install python3.12"),
        ("ID=rocky\nID_LIKE='rhel centos fedora'\nVERSION_ID=9.4\n", "dnf install python3.12"),
        ("ID=debian\nVERSION_ID=12\n", "apt install python3 python3-venv"),
        ("ID=debian\nVERSION_ID=11\n", "use 12 or later, or the container image"),
        ("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=22.04\n", "apt install python3.11 python3.11-venv"),
        ("ID=sles\nID_LIKE=suse\n", "zypper install python312"),
        ("ID=$(touch bad)\n", "--python PATH"),
    ],
)
def test_an_old_python_is_told_with_the_package_of_a_newer(
    host: Host, bundle: Path, release: str, advice: str
) -> None:
    (host.path / "python3.12").unlink()
    (host.directory / "os-release").write_text(release)
    said = host.install(
        bundle / "install.sh",
        code=1,
        env={"SPILLWAY_OS_RELEASE": str(host.directory / "os-release")},
    )
    assert "needs Python 3.11 or newer; python3 is Python 3.9.21" in said
    assert advice in said
    assert host.is_untouched()
    assert not (host.home / "bad").exists()


def test_it_installs_from_its_own_bundle_and_says_when_nothing_is_to_be_done(
    host: Host, tmp_path: Path
) -> None:
    bundle = releases.bundle(tmp_path, "1.0.0", pip=True)
    said = host.install(bundle / "install.sh")
    assert "sitectl 1.0.0 installed" in said
    assert f"export PATH={host.link.parent}:$PATH" in said
    assert host.version() == "spillway 1.0.0"
    assert "installed already, unchanged" in host.install(bundle / "install.sh")
    host.link.unlink()
    assert "sitectl 1.0.0 installed" in host.install(bundle / "install.sh")
    assert host.version() == "spillway 1.0.0"
    assert not list(host.prefix.glob(".work.*"))


@pytest.mark.parametrize("pip", [True, False])
def test_nothing_is_imported_that_lies_where_it_is_typed(
    host: Host, tmp_path: Path, pip: bool
) -> None:
    """In /tmp, say, where any user may have put modules before root came along."""
    bundle = releases.bundle(tmp_path, "1.0.0", pip=pip)
    for module in ("venv", "ensurepip", "pip", "subprocess", "urllib", "tempfile"):
        (host.home / f"{module}.py").write_text(f"open({str(tmp_path / 'proof')!r}, 'a')\n")
    host.install(bundle / "install.sh")
    assert not (tmp_path / "proof").exists()
    assert host.version() == "spillway 1.0.0"


def test_what_was_checked_is_what_is_installed(host: Host, bundle: Path) -> None:
    """The bundle's owner may change it right after the check."""
    checked = shutil.which("sha256sum")
    wheel = next((bundle / "wheels").glob("spillway*.whl"))
    (host.path / "sha256sum").unlink()
    host.program(
        "sha256sum",
        f'"{checked}" "$@" || exit\ncase "$*" in *--check*) echo changed >"{wheel}" ;; esac\n',
    )
    host.install(bundle / "install.sh")
    assert wheel.read_text() == "changed\n"
    assert host.version() == "spillway 1.0.0"


def test_an_upgrade_from_an_archive_keeps_the_version_before_and_no_other(
    host: Host, bundle: Path, tmp_path: Path
) -> None:
    host.install(bundle / "install.sh")
    for number, kept in (("1.1.0", 2), ("1.2.0", 2)):
        archive = pack(releases.bundle(tmp_path, number))
        assert f"sitectl {number} installed" in host.install(
            releases.SCRIPT, "--from", str(archive)
        )
        assert host.version() == f"spillway {number}"
        assert host.versions() == kept
    host.install(bundle / "install.sh")
    assert host.version() == "spillway 1.0.0", "a step back is a step like any other"


def test_uninstalling_leaves_nothing_but_says_that_sites_stay(host: Host, bundle: Path) -> None:
    host.install(bundle / "install.sh")
    assert "your sites are unchanged" in host.install(releases.SCRIPT, "--uninstall")
    assert host.is_untouched()
    assert "not installed" in host.install(releases.SCRIPT, "--uninstall")


def test_man_pages_and_completions_are_where_they_are_looked_for_and_go_with_it(
    host: Host, bundle: Path, tmp_path: Path
) -> None:
    manual = host.home / "share" / "man" / "man1"
    manual.mkdir(parents=True)
    (manual / "sitectl-mine.1").write_text("somebody else's")

    host.install(bundle / "install.sh")
    host.install(releases.bundle(tmp_path, "1.1.0") / "install.sh")

    assert '"1.1.0"' in (manual / "sitectl.1").read_text()
    completions = host.home / "share" / "bash-completion" / "completions"
    assert (completions / "sitectl").read_text() == "# 1.1.0\n"
    host.install(releases.SCRIPT, "--uninstall")
    assert not completions.parent.exists()
    assert [page.name for page in manual.iterdir()] == ["sitectl-mine.1"]


def test_what_routers_run_from_is_not_uninstalled(host: Host, bundle: Path) -> None:
    host.install(bundle / "install.sh")
    (python,) = (host.prefix / "versions").glob("*/bin/python")
    with subprocess.Popen([python, "-c", "input()"], stdin=subprocess.PIPE) as router:
        said = host.install(releases.SCRIPT, "--uninstall", code=1)
        assert f"process {router.pid}" in said
        assert host.version() == "spillway 1.0.0"
        router.communicate(b"\n")
    host.install(releases.SCRIPT, "--uninstall")


def test_a_damaged_bundle_is_refused_before_anything_is_made(host: Host, bundle: Path) -> None:
    (wheel,) = (bundle / "wheels").glob("spillway_router-*")
    wheel.write_bytes(wheel.read_bytes() + b"more")
    said = host.install(bundle / "install.sh", code=1)
    assert f"wheels/{wheel.name}: FAILED" in said
    assert "Copy it again" in said
    assert host.is_untouched()


def test_a_wheel_that_the_list_does_not_know_leaves_the_version_before(
    host: Host, bundle: Path, tmp_path: Path
) -> None:
    host.install(bundle / "install.sh")
    newer = releases.bundle(tmp_path, "1.1.0", pip=True)
    other = (newer / "requirements.txt").read_text()[:-2] + "0\n"
    (newer / "requirements.txt").write_text(other)
    airgap.seal(newer)
    said = host.install(newer / "install.sh", code=1)
    assert "DO NOT MATCH THE HASHES" in said
    assert host.version() == "spillway 1.0.0"
    assert host.versions() == 1


def test_somebody_elses_sitectl_is_not_replaced(host: Host, bundle: Path) -> None:
    host.link.parent.mkdir()
    host.link.write_text("theirs")
    assert "already exists and is not part of this installation" in host.install(
        bundle / "install.sh", code=1
    )
    assert host.link.read_text() == "theirs"
    assert not host.prefix.exists()
    host.install(bundle / "install.sh", "--force")
    assert host.version() == "spillway 1.0.0"


def test_a_python_without_wheels_in_the_bundle_is_named(host: Host, bundle: Path) -> None:
    (bundle / "PYTHONS").write_text("3.8\n")
    airgap.seal(bundle)
    assert "has wheels for Python 3.8;" in host.install(bundle / "install.sh", code=1)
    assert host.is_untouched()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_what_the_next_one_finishes(
    host: Host, bundle: Path, number: signal.Signals
) -> None:
    reached = host.directory / "reached"
    stuck = f'[ "$3" != venv ] || {{ mkdir -p "$5"; touch {reached}; exec sleep 60; }}\n'
    host.program("python3.12", stuck + NEW)
    with subprocess.Popen(
        host.words(bundle / "install.sh"),
        env=host.environment(),
        start_new_session=True,
        stderr=subprocess.PIPE,
    ) as running:
        until(reached.exists, "the installer makes its environment")
        os.killpg(running.pid, number)
        running.communicate(timeout=TIMEOUT_S)
    if number == signal.SIGTERM:
        assert running.returncode == 143
        assert host.is_untouched()
    assert not host.link.exists()
    host.program("python3.12", NEW)
    host.install(bundle / "install.sh")
    assert host.version() == "spillway 1.0.0"
    assert host.versions() == 1
    assert not list(host.prefix.glob(".work.*"))


def test_a_script_cut_short_on_its_way_does_nothing(host: Host, bundle: Path) -> None:
    text = releases.SCRIPT.read_text()
    for share in (0.3, 0.7, 0.98):
        words = [SHELL, "-s", "--", "--prefix", str(host.prefix), "--from", str(bundle)]
        subprocess.run(
            words,
            input=text[: int(len(text) * share)],
            text=True,
            capture_output=True,
            timeout=TIMEOUT_S,
            env=host.environment(),
            check=False,
        )
        assert host.is_untouched()


@pytest.fixture
def site(tmp_path: Path, bundle: Path) -> Iterator[str]:
    """URL of a server with a release and an empty package index."""
    root = tmp_path / "www"
    (root / "releases" / "1.0.0").mkdir(parents=True)
    (root / "releases" / "latest").write_text("1.0.0\n")
    shutil.copy(bundle / "requirements.txt", root / "releases" / "1.0.0")
    (wheel,) = (bundle / "wheels").glob("spillway_router-*")
    (root / "releases" / "1.0.0" / "wheels").mkdir()
    shutil.copy(wheel, root / "releases" / "1.0.0" / "wheels")
    (root / "simple").mkdir()  # The package index does not know our name.
    handler = partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_it_installs_the_newest_release_from_the_network(host: Host, site: str) -> None:
    env = {
        "SPILLWAY_URL": f"{site}/releases",
        "PIP_INDEX_URL": f"{site}/simple",
        "PIP_FIND_LINKS": "",
        "no_proxy": "127.0.0.1",
    }
    script = host.directory / "install.sh"
    shutil.copy(releases.SCRIPT, script)
    host.install(script, env=env)
    assert host.version() == "spillway 1.0.0"
    said = host.install(script, "--version", "7", code=1, env=env)
    assert f"cannot fetch {site}/releases/7/requirements.txt" in said
    assert host.version() == "spillway 1.0.0"
    text = script.read_text().replace("\nversion=  #", "\nversion=1.0.0  #")
    script.write_text(text.replace("_sha256=\n", f"_sha256={'0' * 64}\n", 1))
    assert "does not belong to this release" in host.install(script, code=1, env=env)


def test_one_line_installs_a_release_that_knows_where_it_is(host: Host, site: str) -> None:
    text = releases.SCRIPT.read_text().replace("\nversion=  #", "\nversion=1.0.0  #")
    text = text.replace("\nreleases=\n", f"\nreleases={site}/releases\n")
    done = subprocess.run(
        [SHELL, "-s", "--", "--prefix", str(host.prefix), "--bin", str(host.link.parent)],
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=host.environment(
            PIP_INDEX_URL=f"{site}/simple", PIP_FIND_LINKS="", no_proxy="127.0.0.1"
        ),
        cwd=host.home,
    )
    assert done.returncode == 0, done.stderr
    assert host.version() == "spillway 1.0.0"
    assert (host.home / "share" / "man" / "man1" / "sitectl.1").exists()


def test_a_python_without_pip_gets_that_of_the_release_and_no_other(
    host: Host, site: str, tmp_path: Path
) -> None:
    """As Debian's: it makes environments, but none with pip in it."""
    no_pip = 'case "$3" in pip) exit 1 ;; venv) [ "$4" = --without-pip ] || exit 1 ;; esac\n'
    host.program("python3.12", no_pip + NEW)
    wheels = tmp_path / "www" / "releases" / "1.0.0" / "wheels"
    pip = releases.pip_wheel(wheels)
    env = {
        "SPILLWAY_URL": f"{site}/releases",
        "PIP_INDEX_URL": f"{site}/simple",
        "PIP_FIND_LINKS": "",
        "no_proxy": "127.0.0.1",
    }
    script = host.directory / "install.sh"
    text = releases.SCRIPT.read_text().replace("\nversion=  #", "\nversion=1.0.0  #")
    script.write_text(text)
    assert "has no pip and no way to get it" in host.install(script, code=1, env=env)
    text = text.replace("\npip_wheel=\n", f"\npip_wheel={pip.name}\n")
    script.write_text(text.replace("\npip_sha256=\n", f"\npip_sha256={sha256(pip)}\n"))
    host.install(script, env=env)
    assert host.version() == "spillway 1.0.0"
    host.install(script, "--uninstall")
    pip.write_bytes(b"another")
    assert "does not belong to this release" in host.install(script, code=1, env=env)
    assert not host.link.exists()


def test_without_a_place_of_releases_nothing_is_fetched(host: Host) -> None:
    script = host.directory / "install.sh"
    shutil.copy(releases.SCRIPT, script)
    said = host.install(script, code=1, env={"SPILLWAY_URL": ""})
    assert "no release address is configured" in said
    assert "--from BUNDLE" in said
    assert host.is_untouched()


def test_without_a_network_the_way_without_one_is_said(host: Host) -> None:
    script = host.directory / "install.sh"
    shutil.copy(releases.SCRIPT, script)
    said = host.install(script, code=1, env={"SPILLWAY_URL": "http://127.0.0.1:9/releases"})
    assert "Without one: --from BUNDLE" in said
    assert host.is_untouched()
