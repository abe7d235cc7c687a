"""The systemd unit of a router, from facts about its host. Pure: strings in, strings out.

Sources: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5), systemd 252.
"""

from typing import Final

import msgspec

from sitectl.base.failure import usage
from sitectl.runtimes.spec import Scope

MARK: Final = "# Made by sitectl "
DIRECTORY_MARK: Final = "# Site directory: "
ACCOUNT: Final = "spillway"
"""Whom routers of system units run as, unless their site is another user's."""
CREDENTIAL: Final = "spillway-identity"
"""The name of the identity key in ``$CREDENTIALS_DIRECTORY``; `certs.identity` reads it."""
CREDENTIALS_SINCE: Final = 247
LOW_PORTS: Final = "CAP_NET_BIND_SERVICE"
NOTIFY_SOCKET: Final = "%t/systemd/notify"
WATCHDOG_S: Final = 15
ABORT_S: Final = 5  # A loop that hangs prints its stack in no time, or never.
STOP_MARGIN_S: Final = 15  # Beyond draining: closing the rest, writing the state.


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of the host that a unit depends on. All paths are absolute.

    ``python``: the interpreter; ``import_paths``: its PYTHONPATH. ``shown_paths``: paths that the
    router needs below directories that its sandbox hides (homes, ``/tmp``). ``site_is_hidden``: the
    site's directory is below one too. ``has_user_namespaces``: a user's manager may make user
    namespaces, which its sandbox needs. ``has_shared_mounts``: the unit sees systemd's mounts of
    credentials; False in most containers. ``systemd``: the version of the manager.
    """

    version: str
    systemd: int
    python: str
    import_paths: tuple[str, ...] = ()
    shown_paths: tuple[str, ...] = ()
    site_is_hidden: bool = False
    has_user_namespaces: bool = True
    has_shared_mounts: bool = True


class UnitSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One router: ``directory`` is the site's, ``binds_low_ports`` of its listeners.

    ``account``: user and group that one of the system runs as.
    """

    site: str
    directory: str
    scope: Scope
    drain_grace_s: float
    account: tuple[str, str] = (ACCOUNT, ACCOUNT)
    binds_low_ports: bool = False


Line = tuple[int, str, str]
"""A setting: the first version of systemd that knows it, its name, its value."""

_SANDBOX: Final[tuple[Line, ...]] = (
    (187, "NoNewPrivileges", "yes"),
    (239, "UMask", "0077"),
    (187, "LockPersonality", "yes"),
    (231, "MemoryDenyWriteExecute", "yes"),
    (231, "RestrictRealtime", "yes"),
    (233, "RestrictNamespaces", "yes"),
    (242, "RestrictSUIDSGID", "yes"),
    (211, "RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
    (209, "SystemCallArchitectures", "native"),
    (231, "SystemCallFilter", "@system-service"),
    (231, "SystemCallFilter", "~@privileged"),
    (187, "SystemCallErrorNumber", "EPERM"),
)
"""Settings that a user's manager can apply without a user namespace: seccomp and prctl."""

_NAMESPACED: Final[tuple[Line, ...]] = (
    (214, "ProtectSystem", "strict"),
    (187, "PrivateTmp", "yes"),
    (239, "PrivateMounts", "yes"),
    (187, "PrivateDevices", "yes"),
    (187, "DevicePolicy", "closed"),
    (232, "ProtectKernelTunables", "yes"),
    (232, "ProtectKernelModules", "yes"),
    (244, "ProtectKernelLogs", "yes"),
    (232, "ProtectControlGroups", "yes"),
    (245, "ProtectClock", "yes"),
    (242, "ProtectHostname", "yes"),
)
"""Settings that need a mount namespace: a user's manager gets one with PrivateUsers."""

_SYSTEM_ONLY: Final[tuple[Line, ...]] = (
    (235, "KeyringMode", "private"),
    (232, "RemoveIPC", "yes"),
    (248, "PrivateIPC", "yes"),
    (247, "ProtectProc", "invisible"),
    (247, "ProcSubset", "pid"),
)


def unit_text(spec: UnitSpec, facts: HostFacts) -> str:
    """The unit file. Keys that its manager does not know are left out: it would warn of each.

    Failure: a path has a backslash or a line break, or Python's a dollar, which not every setting
    can quote.
    """
    for path in (spec.directory, facts.python, *facts.import_paths, *facts.shown_paths):
        odd = "\\$" if path == facts.python else "\\"  # The program's own word takes no $$.
        if not path.isprintable() or set(odd) & set(path):
            raise usage(f"{path!r} cannot be named in a systemd unit", "Choose a plainer path")
    sections = (
        ("Unit", _unit(spec)),
        ("Service", _service(spec, facts)),
        ("Install", _wanted(spec)),
    )
    lines = [
        f"{MARK}{facts.version}. Changes here are lost: put yours into NAME.service.d/*.conf.",
        f"{DIRECTORY_MARK}{spec.directory}",
    ]
    for title, settings in sections:
        known = [f"{key}={value}" for since, key, value in settings if since <= facts.systemd]
        lines += ["", f"[{title}]", *known]
    return "\n".join(lines) + "\n"


def directory_of(text: str) -> str | None:
    """The site directory that a unit of ours names; None: the unit is not ours."""
    first, _, rest = text.partition("\n")
    second = rest.partition("\n")[0]
    if not first.startswith(MARK) or not second.startswith(DIRECTORY_MARK):
        return None
    return second.removeprefix(DIRECTORY_MARK)


def has_credentials(facts: HostFacts) -> bool:
    """Whether the key is handed over by systemd; else the router reads it from its directory."""
    return facts.systemd >= CREDENTIALS_SINCE and facts.has_shared_mounts


def _unit(spec: UnitSpec) -> list[Line]:
    lines: list[Line] = [(0, "Description", _plain(f"Spillway router of site {spec.site}"))]
    if spec.scope == "system":
        # A user's manager has no such target; a router there that finds no address tries again.
        lines += [(0, "Wants", "network-online.target"), (0, "After", "network-online.target")]
        lines.append((0, "RequiresMountsFor", _quoted(spec.directory)))
    # Restart for ever: the causes of its end (a taken port, a full disk) are fixed some day.
    lines.append((230, "StartLimitIntervalSec", "0"))
    return lines


def _service(spec: UnitSpec, facts: HostFacts) -> list[Line]:
    stop_s = int(spec.drain_grace_s + 0.999) + STOP_MARGIN_S
    words = [facts.python, "-P", "-X", "faulthandler", "-m", "router.process.main"]
    words += ["--site-dir", spec.directory, "--log", "stdout"]
    lines: list[Line] = [
        (0, "Type", "notify"),
        (0, "NotifyAccess", "main"),
        (0, "ExecStart", " ".join(_quoted(word, is_command=True) for word in words)),
        (0, "ExecReload", "/bin/kill -HUP $MAINPID"),
        (0, "WorkingDirectory", _plain(spec.directory)),
        (0, "WatchdogSec", str(WATCHDOG_S)),
        (0, "Restart", "on-failure"),
        (0, "RestartSec", "1" if facts.systemd >= 254 else "2"),
        (254, "RestartSteps", "5"),
        (254, "RestartMaxDelaySec", "30"),
        (0, "TimeoutStartSec", "90"),
        (0, "TimeoutStopSec", str(stop_s)),
        (243, "TimeoutAbortSec", str(ABORT_S)),
        (0, "KillMode", "mixed"),
        (0, "LimitNOFILE", "65536"),
        (0, "LimitCORE", "0"),  # A core would hold the site's keys.
    ]
    if facts.import_paths:
        value = _quoted("PYTHONPATH=" + ":".join(facts.import_paths))
        lines.append((0, "Environment", value))
    if spec.scope == "system":
        lines += [(0, "User", spec.account[0]), (0, "Group", spec.account[1])]
    # In a site of another user the key may be a link to any file, which systemd reads as root.
    if spec.scope == "user" and has_credentials(facts):
        key = f"{spec.directory}/secrets/identity.key"
        lines.append((CREDENTIALS_SINCE, "LoadCredential", f"{CREDENTIAL}:{_plain(key)}"))
    return lines + list(_SANDBOX) + _confinement(spec, facts)


def _confinement(spec: UnitSpec, facts: HostFacts) -> list[Line]:
    """The router's sandbox, which depends on the manager that runs it."""
    is_system = spec.scope == "system"
    if not is_system and not facts.has_user_namespaces:
        return []
    capability = LOW_PORTS if is_system and spec.binds_low_ports else ""
    lines = list(_NAMESPACED)
    # In a private user namespace a router could not bind a low port of the host.
    lines.append((232, "PrivateUsers", "no" if capability else "yes"))
    lines.append((0, "CapabilityBoundingSet", capability))
    if is_system:
        lines += [(229, "AmbientCapabilities", capability), *_SYSTEM_ONLY]
    else:  # ProtectHome hides /run/user too, where the user's manager listens.
        lines.append((0, "BindPaths", NOTIFY_SOCKET))
    is_shown = bool(facts.shown_paths) or facts.site_is_hidden
    lines.append((239, "ProtectHome", "tmpfs" if is_shown else "yes"))
    # Nothing but these shows in what ProtectHome and PrivateTmp hide.
    lines += [(0, "BindReadOnlyPaths", _quoted(path)) for path in facts.shown_paths]
    if facts.site_is_hidden:
        lines.append((0, "BindPaths", _quoted(spec.directory)))
    lines.append((231, "ReadWritePaths", _quoted(spec.directory)))
    return lines


def _wanted(spec: UnitSpec) -> list[Line]:
    target = "multi-user.target" if spec.scope == "system" else "default.target"
    return [(0, "WantedBy", target)]


def _plain(text: str) -> str:
    """A value that systemd takes as it stands, but for specifiers."""
    return text.replace("%", "%%")


def _quoted(word: str, *, is_command: bool = False) -> str:
    """``word`` as one word of a unit file; of a command line also without variables."""
    text = _plain(word.replace('"', '\\"'))
    if is_command:
        text = text.replace("$", "$$")
    plain = "-_./=@%$,+"  # No colon: it parts what BindPaths says.
    return text if text and all(c.isalnum() or c in plain for c in text) else f'"{text}"'
