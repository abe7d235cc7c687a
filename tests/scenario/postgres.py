"""A PostgreSQL server of a test's own: its cluster, its port, no service of the machine.

`initdb` and `postgres` refuse to run as root: there they run as the user of Debian's package.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from tests import needs
from tests.programs import find
from tests.scenario.pgwire import PgError, Session
from tests.scenario.waiting import until

USER, DATABASE = "app", "postgres"
START_S = 20.0
COMMAND_S = 60.0
OWNERS = ("postgres", "nobody")  # The first that exists, when this process is root.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",  # A killed process loses nothing by it, only a killed machine would.
    "autovacuum": "off",
    "max_connections": "130",
    "shared_buffers": "64MB",
    "log_checkpoints": "off",
}
STOPS: Mapping[str, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
Stop = Literal["smart", "fast", "immediate"]


def program(name: str) -> str:
    """Where a program of PostgreSQL or Redis is."""
    needs.programs(name)
    found = find(name)
    assert found is not None
    return found


class Postgres:
    """A cluster in a separate directory, removed with `close`."""

    def __init__(self, address: str, port: int, settings: Mapping[str, str] | None = None) -> None:
        self.address, self.port = address, port
        self.directory = Path(tempfile.mkdtemp(prefix="spillway-postgres-"))
        self._settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._user, self._group = _owner()
        if self._user is not None and self._group is not None:
            os.chown(self.directory, self._user, self._group)
        _run(self.directory, "cp", "-R", str(_empty_cluster()), str(self.data))

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def __enter__(self) -> "Postgres":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> None:
        """Start it; it need not accept connections yet."""
        settings = {
            **self._settings,
            "listen_addresses": self.address,
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.directory / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", str(self.data), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                user=self._user,
                group=self._group,
                extra_groups=None if self._user is None else (),
            )

    def start(self) -> "Postgres":
        """Start it; returns when it answers."""
        self.begin()
        until(self.answers, "PostgreSQL answers", START_S)
        return self

    @property
    def runs(self) -> bool:
        """Whether it was started, and not stopped by us since."""
        return self._process is not None

    def answers(self) -> bool:
        """Whether it takes sessions, asked directly."""
        with contextlib.suppress(OSError, PgError), Session(self.address, self.port):
            return True
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        return False

    def stop(self, how: Stop = "fast") -> float:
        """Stop it; returns when it is gone, with the monotonic time of the signal."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(STOPS[how])
        self._process.wait(START_S)
        self._process = None
        return began

    def crash(self) -> None:
        """SIGKILL to its first process; the others end as soon as they see it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(START_S)
        self._process = None

    def log(self) -> str:
        """Its log so far."""
        return (self.directory / "postgres.log").read_text(errors="replace")

    def certify(self) -> None:
        """Let it speak TLS by a certificate that it made itself; before `begin`."""
        certificate, key = self.data / "server.crt", self.data / "server.key"
        needs.programs("openssl")
        _run(
            self.directory,
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=database", "-keyout", str(key), "-out", str(certificate)),
        )
        self._settings["ssl"] = "on"

    def close(self) -> None:
        """Stop it at once and remove its cluster."""
        if self._process is not None:
            self.stop("immediate")
        shutil.rmtree(self.directory)


@cache
def _empty_cluster() -> Path:
    """What `initdb` makes, for copies: a copy costs an eighth of it."""
    directory = Path(tempfile.mkdtemp(prefix="spillway-initdb-"))
    atexit.register(shutil.rmtree, directory)
    user, group = _owner()
    if user is not None and group is not None:
        os.chown(directory, user, group)
    data = directory / "data"
    _run(
        directory,
        *(program("initdb"), "-D", str(data), "-A", "trust", "-U", USER),
        *("--no-sync", "--no-locale", "-E", "UTF8"),
    )
    with (data / "pg_hba.conf").open("a") as file:
        file.write("host all all 127.0.0.0/8 trust\n")
    return data


def _run(directory: Path, *words: str) -> None:
    """Run a program as the owner of clusters; AssertionError if it fails."""
    user, group = _owner()
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        cwd=directory,
        user=user,
        group=group,
        extra_groups=None if user is None else (),
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"


def _owner() -> tuple[int | None, int | None]:
    """Whom a cluster belongs to; None: who we are."""
    if os.getuid() != 0:
        return None, None
    for name in OWNERS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise AssertionError(f"none of the users {', '.join(OWNERS)} exists")


def psql(
    address: str, port: int, text: str, *flags: str, sslmode: str = "disable", code: int = 0
) -> str:
    """What psql prints for ``text``, rows as lines, cells parted by ``|``.

    AssertionError unless it exits with ``code``.
    """
    done = subprocess.run(
        [program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", *flags],
        input=text,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        env=_environment(address, port, sslmode),
    )
    assert done.returncode == code, f"psql: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip() if code == 0 else done.stderr


def pgbench(address: str, port: int, *flags: str) -> str:
    """What pgbench prints; AssertionError if it fails or says that a transaction did."""
    done = subprocess.run(
        [program("pgbench"), *flags],
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        env=_environment(address, port, "disable"),
    )
    assert done.returncode == 0, f"pgbench {flags}\n{done.stdout}{done.stderr}"
    return done.stdout


def _environment(address: str, port: int, sslmode: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PGHOST": address,
        "PGPORT": str(port),
        "PGUSER": USER,
        "PGDATABASE": DATABASE,
        "PGSSLMODE": sslmode,
        "PGCONNECT_TIMEOUT": "10",
    }
