"""A host with a real systemd: a container that boots it, with this tree and its Python inside."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.podman.engine import CACHE, TIMEOUT_S, EngineRefused, podman
from tests.podman.images import ROOT, has_image

SUITE = "bookworm"  # systemd 252, as RHEL 9 has.
MIRROR = os.environ.get("SPILLWAY_TEST_MIRROR", "http://deb.debian.org/debian")
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "python3"),
    *("libffi8", "libssl3", "libbz2-1.0", "liblzma5", "zlib1g", "iproute2", "procps"),
)
IMAGE = f"localhost/spillway-test-systemd:{SUITE}"
CODE, LIBRARIES = "/opt/spillway", "/opt/packages"
POLL_S = 0.1
BOOT_TIMEOUT_S = 60.0
TREES = ("/etc", "/var/lib", "/home", "/root", "/usr/local")
"""Where something of ours could be left behind."""


class Refused(Exception):
    """A command in the host said no."""


def systemd_image() -> str:
    """A Debian that boots, made once."""
    if has_image(IMAGE):
        return IMAGE
    if shutil.which("debootstrap") is None:
        raise EngineRefused("debootstrap is not installed (tests/setup)")
    CACHE.mkdir(parents=True, exist_ok=True)
    making = CACHE / f"systemd-{SUITE}.making-{os.getpid()}"
    try:
        include = f"--include={','.join(PACKAGES)}"
        command = ["debootstrap", "--variant=minbase", include, SUITE, str(making), MIRROR]
        made = subprocess.run(command, capture_output=True, text=True, timeout=2 * TIMEOUT_S)
        if made.returncode:
            raise EngineRefused(f"debootstrap: {made.stdout[-1000:]}{made.stderr[-1000:]}")
        (making / "etc/machine-id").write_text("")  # Each host has its own from its first boot.
        shutil.rmtree(making / "var/cache/apt")
        tar = subprocess.Popen(["tar", "-C", str(making), "-c", "."], stdout=subprocess.PIPE)
        words = ["podman", "import", "--quiet", "--change", 'CMD ["/sbin/init"]', "-", IMAGE]
        done = subprocess.run(words, stdin=tar.stdout, capture_output=True, text=True, check=False)
        assert tar.stdout is not None
        tar.stdout.close()
        if tar.wait() or done.returncode:
            raise EngineRefused(f"podman import: {done.stderr}")
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return IMAGE


class SystemdHost:
    """One booted host, in a ``network`` of podman's. ``user`` in calls is an account there."""

    def __init__(self, name: str, network: str = "none") -> None:
        self.name = name
        base = sys.base_prefix
        self.python = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
        mounts = [f"--volume={sysconfig.get_path('purelib')}:{LIBRARIES}:ro"]
        if base != "/usr":
            mounts.append(f"--volume={base}:{base}:ro")
            self.python = os.path.realpath(sys.executable)
        podman(
            *("run", "--detach", "--pull=never", f"--name={name}", "--hostname=rhel"),
            *("--systemd=always", "--privileged", f"--network={network}", *mounts),
            systemd_image(),
        )
        self._await_boot()
        for parent in Path(base).parents:  # root's home, for one, is closed to others.
            self.run("chmod", "o+x", str(parent))
        self.run("mkdir", "--parents", CODE)
        for package in ("router", "sitectl", "simulator", "certs"):
            podman("cp", str(ROOT / package), f"{name}:{CODE}/{package}")
        self.run(self.python, "-m", "compileall", "-q", CODE)
        self.run("chmod", "-R", "go+rX", CODE)
        self.run("useradd", "--create-home", "--shell=/bin/sh", "alice")

    def close(self) -> None:
        """Remove it with everything in it."""
        podman("rm", "--force", "--volumes", "--time=0", self.name)

    def reboot(self) -> None:
        """Off, cleanly, and on again."""
        podman("restart", "--time=30", self.name)
        self._await_boot()

    def _await_boot(self) -> None:
        def is_up() -> bool:
            said = self.tell("systemctl", "is-system-running")
            return said in ("running", "degraded")

        self.await_(is_up, "systemd boots", BOOT_TIMEOUT_S)
        # systemd itself makes mounts shared, but leaves a container's as its engine made them.
        self.run("mount", "--make-rshared", "/")

    def run(self, *words: str, user: str = "root", env: dict[str, str] | None = None) -> str:
        """What the command printed. Refused: it exited otherwise than 0."""
        done = self._done(words, user, env or {})
        if done.returncode:
            said = f"{done.stdout}{done.stderr}"
            raise Refused(f"{' '.join(words)}: exit {done.returncode}\n{said}")
        return done.stdout

    def tell(self, *words: str, user: str = "root", env: dict[str, str] | None = None) -> str:
        """What the command printed, whatever its exit."""
        return self._done(words, user, env or {}).stdout.strip()

    def _done(
        self, words: tuple[str, ...], user: str, env: dict[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        home = "/root" if user == "root" else f"/home/{user}"
        variables = {"HOME": home, "LC_ALL": "C.UTF-8", **env}
        flags = [f"--env={key}={value}" for key, value in variables.items()]
        command = ["podman", "exec", f"--user={user}", "--workdir=/", *flags, self.name, *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )

    def ctl(self, *words: str, user: str = "root") -> str:
        """`sitectl`, as typed by that user. Refused: it exited otherwise than 0."""
        env = {"PYTHONPATH": f"{CODE}:{LIBRARIES}"}
        return self.run(self.python, "-m", "sitectl", *words, user=user, env=env)

    def tell_ctl(self, *words: str, user: str = "root") -> str:
        """What `sitectl` printed, whatever its exit."""
        env = {"PYTHONPATH": f"{CODE}:{LIBRARIES}"}
        return self.tell(self.python, "-m", "sitectl", *words, user=user, env=env)

    def json(self, *words: str, user: str = "root") -> Any:
        """The item or items that `sitectl -o json` printed."""
        envelope = json.loads(self.ctl(*words, "-o", "json", user=user))
        return envelope["item"] if "item" in envelope else envelope["items"]

    def status(self, *words: str, user: str = "root") -> Any:
        """The item of `status`, which may exit 3 for a problem."""
        return json.loads(self.tell_ctl(*words, "status", "-o", "json", user=user))["item"]

    def checks(self, *words: str, user: str = "root") -> dict[str, Any]:
        """What `check` finds, by code; it may exit 3 or 1."""
        envelope = json.loads(self.tell_ctl(*words, "check", "-o", "json", user=user))
        return {item["code"]: item for item in envelope["items"]}

    def systemctl(self, *words: str, user: str = "root") -> str:
        """systemctl of the system, or of the user."""
        if user == "root":
            return self.tell("systemctl", *words)
        number = self.tell("id", "-u", user)
        run = {"XDG_RUNTIME_DIR": f"/run/user/{number}"}
        return self.tell("systemctl", "--user", *words, user=user, env=run)

    def property(self, unit: str, name: str, user: str = "root") -> str:
        """One property of a unit."""
        return self.systemctl("show", unit, f"--property={name}", "--value", user=user)

    def pid(self, unit: str, user: str = "root") -> int:
        """The main process of a unit that is active; 0: it is not."""
        if self.property(unit, "ActiveState", user) != "active":
            return 0
        return int(self.property(unit, "MainPID", user) or 0)

    def await_pid(self, unit: str, other_than: int = 0, user: str = "root") -> int:
        """The main process, once the unit is active with another than ``other_than``."""
        found = 0

        def is_there() -> bool:
            nonlocal found
            found = self.pid(unit, user)
            return found not in (0, other_than)

        self.await_(is_there, f"{unit} is active in another process than {other_than}")
        return found

    def await_(self, holds: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
        """Return once ``holds`` does; AssertionError naming ``what`` when it takes too long."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
            time.sleep(POLL_S)

    def files(self) -> set[str]:
        """Every file and directory where something of ours could be left."""
        found = self.run("find", *TREES, "-xdev", "-not", "-path", "/var/lib/systemd/*")
        backups = {f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow")}
        locks = {"/etc/.pwd.lock"}
        return set(found.splitlines()) - backups - locks
