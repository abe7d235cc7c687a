"""Pure: a router's container as text for systemd: a Quadlet file, or a unit for older podman.

The Quadlet file has the keys of podman 4.4 only, where Quadlet began (podman-systemd.unit(5) of
that version); the rest goes through ``PodmanArgs=``, so that one text serves every version: an
unknown key makes the generator drop the whole unit.
"""

import re
from collections.abc import Iterable

from sitectl.runtimes.containers.words import WATCHDOG_S, Container, labels, run_words, shared_words
from sitectl.runtimes.spec import Scope

START_S = 120
RESTART_S = 2
ENGINE_MARGIN_S = 15
"""Extra time that systemd waits beyond the container's stop time-out."""
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./\[\]-]+")


def word(text: str) -> str:
    """``text`` as one word of a unit's value (systemd.syntax(7), "Quoting").

    It holds no specifier and no variable: `words.MOUNTABLE` keeps both out of paths.
    """
    assert not {"%", "$", "\n"} & set(text), text
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def words(several: Iterable[str]) -> str:
    """Several, as one value."""
    return " ".join(map(word, several))


def _wanted_by(scope: Scope) -> str:
    return "default.target" if scope == "user" else "multi-user.target"


def _about(container: Container, scope: Scope) -> list[str]:
    lines = ["[Unit]", f"Description=Spillway router of site {container.site}"]
    if scope == "system":  # A user's manager has no such target; the router waits by itself.
        lines += ["Wants=network-online.target", "After=network-online.target"]
    return [*lines, f"RequiresMountsFor={word(container.directory)}"]


def _service(container: Container, scope: Scope) -> list[str]:
    """The service section of both texts; systemd's watchdog follows the router's event loop."""
    return [
        "Restart=always",
        f"RestartSec={RESTART_S}",
        f"TimeoutStartSec={START_S}",
        f"TimeoutStopSec={container.stop_s + ENGINE_MARGIN_S}",
        f"WatchdogSec={WATCHDOG_S}",
        "",
        "[Install]",
        f"WantedBy={_wanted_by(scope)}",
    ]


def _head(container: Container) -> str:
    return (
        f"# Made by `sitectl --site {container.site} start` from runtime.yaml of the site; "
        "made again by every start."
    )


def quadlet_text(container: Container, scope: Scope) -> str:
    """The ``.container`` file, for podman 4.4 and newer."""
    lines = [_head(container), *_about(container, scope), "", "[Container]"]
    lines += [f"ContainerName={container.name}", f"Image={word(container.image)}"]
    lines += [f"Label={word(f'{key}={value}')}" for key, value in labels(container).items()]
    lines += [f"Exec={words(container.command)}", f"Network={word(container.network)}"]
    lines += [f"PublishPort={word(ports)}" for ports in container.publish]
    uid, _, gid = container.user.partition(":")
    lines += [f"User={uid}", f"Group={gid}"]
    # Quadlet quotes a mount itself.
    lines += [f"Volume={container.volume}", "ReadOnly=true", "DropCapability=all"]
    if container.low_ports:
        lines.append("AddCapability=NET_BIND_SERVICE")
    lines += ["NoNewPrivileges=true", "Notify=true"]
    lines.append(f"Environment=WATCHDOG_USEC={WATCHDOG_S * 1_000_000}")
    lines += [f"PodmanArgs={word(flag)}" for flag in shared_words(container, "podman")]
    lines += ["", "[Service]", *_service(container, scope)]
    return "\n".join(lines) + "\n"


def unit_text(container: Container, scope: Scope, podman: str, *, unified: bool) -> str:
    """A ``.service`` for podman before 4.4, or where Quadlet cannot work.

    ``podman``: path of the program. ``unified``: whether the host has only cgroups v2; else the
    container's cgroup cannot be below the unit's, and podman makes it elsewhere.
    """
    how = ["run", "--detach", "--rm", "--replace", "--sdnotify=container"]
    how.append("--cgroups=split" if unified else "--cgroups=no-conmon")
    how.append(f"--env=WATCHDOG_USEC={WATCHDOG_S * 1_000_000}")
    run = words([podman, *how, *run_words(container, "podman")])
    stop = words([podman, "stop", "--ignore", f"--time={container.stop_s}", container.name])
    remove = words([podman, "rm", "--force", "--volumes", "--ignore", container.name])
    lines = [_head(container), *_about(container, scope), "", "[Service]"]
    lines += ["Type=notify", "NotifyAccess=all", "Environment=PODMAN_SYSTEMD_UNIT=%n"]
    lines += [f"ExecStart={run}", f"ExecStop={stop}", f"ExecStopPost={remove}"]
    lines += ["KillMode=mixed", *_service(container, scope)]
    return "\n".join(lines) + "\n"
