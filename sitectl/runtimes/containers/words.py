"""Pure: the words that run a router in a container, for podman and for docker.

A router's container is the same wherever it runs: the site's directory and a small ``/tmp`` are
all that it may write, it has no capability (but to bind a low port when a listener has one), gains
none, and is a plain user: with rootless podman who typed the command (``keep-id``), else the uid
that owns the site's directory.
"""

import re
from typing import Final, Literal

import msgspec

from sitectl.runtimes.spec import PullPolicy

MOUNTABLE: Final = re.compile(r"/[^\x00-\x1f\x7f:,\"'\\\\$%]*")
"""Paths that mean themselves in a mount, in a unit and in a Quadlet file alike."""

Engine = Literal["podman", "docker"]

STATE: Final = "/var/lib/spillway"
"""Where the site's directory is mounted: upon the image's own, so that nothing is above it."""
SITE_LABEL: Final = "io.spillway.site"
DIRECTORY_LABEL: Final = "io.spillway.directory"
"""The site's directory on the host: whose container this is."""
PLAN_LABEL: Final = "io.spillway.plan"
"""Digest of the words that made the container: another one is another container."""
STOP_MARGIN_S: Final = 15
"""Extra time beyond the drain grace before a router is killed."""
PIDS_MAX: Final = 512
PIDS_A_WORKER: Final = 32
"""A router is one process with some threads for names and files, or several of them."""
MEMORY_MIB: Final = 1024
MEMORY_A_WORKER_MIB: Final = 256
"""A router sheds load before it comes near (its own guard reads this limit)."""
TMP_MIB: Final = 64
WATCHDOG_S: Final = 30
LOG_OPTIONS: Final = ("max-size=10m", "max-file=3")
HEALTH_INTERVAL_S, HEALTH_TIMEOUT_S, HEALTH_RETRIES = 10, 5, 3


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One site's router as a container. ``directory``: the site's, on the host.

    ``user`` is ``UID:GID`` inside, always given: the image's default would be another user.
    ``keep_id``: rootless podman maps that user to itself outside. ``limits``: the engine may limit
    memory and processes here. ``timers``: the host can run health checks. ``workers``: processes
    of the router; they multiply both limits.
    """

    name: str
    site: str
    directory: str
    image: str
    pull_policy: PullPolicy = "missing"
    user: str
    keep_id: bool = False
    network: str = "host"
    aliases: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    low_ports: bool = False
    limits: bool = True
    timers: bool = True
    workers: int = 1
    stop_s: int = 45

    @property
    def volume(self) -> str:
        """The mount, with an SELinux label for this container alone."""
        return f"{self.directory}:{STATE}:Z"

    @property
    def command(self) -> tuple[str, ...]:
        """The arguments after the image, whose entry point is ``spillway-router``."""
        return ("--site-dir", STATE, "--log", "stdout")

    @property
    def health_command(self) -> str:
        """For a shell inside: whether the router's event loop answers."""
        return f"sitectl health --site-dir {STATE}"


def labels(container: Container) -> dict[str, str]:
    """Labels that name the container's site."""
    return {SITE_LABEL: container.site, DIRECTORY_LABEL: container.directory}


def shared_words(container: Container, engine: Engine) -> list[str]:
    """The flags of ``run`` without a Quadlet key in podman 4.4."""
    words = ["--entrypoint=spillway-router"]
    if engine == "podman":
        words += [f"--pull={container.pull_policy}", "--read-only-tmpfs=false"]
        if container.keep_id:
            words.append("--userns=keep-id")
    else:
        words.append(f"--pull={_docker_pull(container.pull_policy)}")
    words.append(f"--tmpfs=/tmp:rw,size={TMP_MIB}m,mode=1777")
    words += [f"--network-alias={alias}" for alias in container.aliases]
    if container.limits:
        further = container.workers - 1
        memory = f"{MEMORY_MIB + further * MEMORY_A_WORKER_MIB}m" if further else "1g"
        words += [f"--memory={memory}", f"--pids-limit={PIDS_MAX + further * PIDS_A_WORKER}"]
    words += [f"--stop-timeout={container.stop_s}", f"--health-cmd={container.health_command}"]
    if container.timers:
        words += [
            f"--health-interval={HEALTH_INTERVAL_S}s",
            f"--health-timeout={HEALTH_TIMEOUT_S}s",
            f"--health-retries={HEALTH_RETRIES}",
        ]
    else:
        words.append("--health-interval=disable")
    return words


def run_words(container: Container, engine: Engine) -> list[str]:
    """The flags, image and command of ``run``, without how it is started again."""
    words = [f"--name={container.name}"]
    words += [f"--label={key}={value}" for key, value in labels(container).items()]
    words += [f"--network={container.network}"]
    words += [f"--publish={ports}" for ports in container.publish]
    words.append(f"--user={container.user}")
    words += [f"--volume={container.volume}", "--read-only", "--cap-drop=all"]
    if container.low_ports:
        words.append("--cap-add=NET_BIND_SERVICE")
    words.append("--security-opt=no-new-privileges")
    return [*words, *shared_words(container, engine), container.image, *container.command]


def direct_words(container: Container, engine: Engine, digest: str) -> list[str]:
    """``run`` of a container that the engine itself starts again. ``digest``: see `PLAN_LABEL`."""
    log = ["--log-driver=k8s-file"] if engine == "podman" else ["--log-driver=json-file"]
    kept = LOG_OPTIONS[:1] if engine == "podman" else LOG_OPTIONS
    log += [f"--log-opt={option}" for option in kept]
    first = ["run", "--detach", "--restart=always", *log, f"--label={PLAN_LABEL}={digest}"]
    if engine == "podman":
        first.append("--sdnotify=ignore")
    return [*first, *run_words(container, engine)]


def _docker_pull(policy: PullPolicy) -> str:
    return "always" if policy == "newer" else policy
