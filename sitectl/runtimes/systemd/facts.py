"""Facts of this host for a unit: the places of Python and our code, and their readers."""

import os
import site as python_site
import stat
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from router import __version__
from sitectl.runtimes.process import code_directory
from sitectl.runtimes.spec import Scope
from sitectl.runtimes.systemd.unit_file import HostFacts

HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""Directories that ProtectHome and PrivateTmp hide (systemd.exec(5))."""
_SWITCHES: Final = (
    ("/proc/sys/user/max_user_namespaces", "0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0"),  # Debian's and its children's.
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),  # Ubuntu's.
)
PORTS_FREE_FROM: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_FIRST_FREE_PORT: Final = 1024
CREDENTIALS: Final = Path("/run/credentials")
"""Where systemd mounts the credentials of units."""


def host_facts(scope: Scope, systemd: int, directory: Path) -> HostFacts:
    """The facts for a router that runs by the Python that runs this."""
    imports = import_paths(scope)
    places = [sys.prefix, sys.base_prefix, sys.executable, code_directory(), *imports]
    installed = installed_in()
    if installed is not None:
        places.append(str(installed))  # Whole: the next version lies in it, too.
    return HostFacts(
        version=__version__,
        systemd=systemd,
        python=lasting_python(),
        import_paths=imports,
        shown_paths=shown_paths(places),
        site_is_hidden=_is_hidden(directory),
        has_user_namespaces=has_user_namespaces(),
        # A user's manager has no right to mount and lays credentials into a directory.
        has_shared_mounts=scope == "user" or spreads_mounts(_text_of("/proc/self/mountinfo")),
    )


def installed_in() -> Path | None:
    """Where install.sh put us: ``versions/X`` in it is our environment, ``current`` leads to one.

    None: we are here by other means.
    """
    own = Path(sys.prefix)
    versions = own.parent
    if versions.name != "versions" or not (versions.parent / "current").is_symlink():
        return None
    return versions.parent


def lasting_python() -> str:
    """The interpreter, by a path that stays when install.sh makes another version current."""
    installed = installed_in()
    if installed is None:
        return sys.executable
    return str(installed / "current" / Path(sys.executable).relative_to(sys.prefix))


def import_paths(scope: Scope) -> tuple[str, ...]:
    """Paths that Python does not find by itself in a unit.

    Our code, what PYTHONPATH names here, and root's own packages.
    """
    code = code_directory()
    found = [] if code in map(os.path.realpath, sysconfig.get_paths().values()) else [code]
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    found += [os.path.abspath(path) for path in named if path and os.path.isdir(path)]
    own = python_site.getusersitepackages() if python_site.ENABLE_USER_SITE else ""
    if own in sys.path and (scope == "system" or own == code):
        found.append(own)  # The account of system units has another home.
    return tuple(dict.fromkeys(found))


def shown_paths(places: Iterable[str]) -> tuple[str, ...]:
    """Those of ``places`` that a sandbox hides, by their own and by their real paths.

    A path inside another one is left out, since one mount shows both.
    """
    both = {path for place in places for path in (place, os.path.realpath(place))}
    hidden = sorted(path for path in both if os.path.exists(path) and _is_hidden(Path(path)))
    kept: list[str] = []
    for path in hidden:
        if not any(path.startswith(f"{outer}/") for outer in kept):
            kept.append(path)
    return tuple(kept)


def has_user_namespaces() -> bool:
    """Whether a process without rights may make a user namespace here."""
    return not any(_text_of(path) == refused for path, refused in _SWITCHES)


def spreads_mounts(mountinfo: str) -> bool:
    """Whether a mount made in `CREDENTIALS` elsewhere shows here: proc(5), the field ``shared:``.

    systemd makes its mounts shared when it boots, but leaves those of a container as they are.
    """
    rows = (line.split() for line in mountinfo.splitlines())
    above = [row for row in rows if len(row) > 6 and CREDENTIALS.is_relative_to(row[4])]
    if not above:
        return True
    nearest = max(above, key=lambda row: len(row[4]))
    return any(word.startswith("shared:") for word in nearest[6 : nearest.index("-")])


def needs_right_to_bind(port: int) -> bool:
    """Whether only who has CAP_NET_BIND_SERVICE binds ``port`` (ip(7))."""
    text = _text_of(str(PORTS_FREE_FROM))
    return 0 < port < (int(text) if text.isdigit() else _FIRST_FREE_PORT)


def closed_to(user_id: int, group_id: int, path: str, shown: Iterable[str]) -> str | None:
    """The first step on the way to ``path`` that this user may not take; None: all are open.

    Above a path of ``shown`` the way is the sandbox's, so only that path itself counts.
    """
    real = Path(os.path.realpath(path))
    tops = [Path(top) for top in shown]
    for step in (*reversed(real.parents), real):
        if any(top != step and top.is_relative_to(step) for top in tops if _is_hidden(step)):
            continue
        try:
            found = step.stat()
        except OSError:
            return str(step)
        shift = 6 if found.st_uid == user_id else 3 if found.st_gid == group_id else 0
        wanted = 0o1 if stat.S_ISDIR(found.st_mode) and step != real else 0o5
        if (found.st_mode >> shift) & wanted != wanted:
            return str(step)
    return None


def _is_hidden(path: Path) -> bool:
    roots = {place for root in HIDDEN for place in (root, os.path.realpath(root))}
    real = Path(os.path.realpath(path))
    return any(one.is_relative_to(root) for root in roots for one in (path, real))


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace").strip()
    except OSError:
        return ""
