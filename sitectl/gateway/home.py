"""Which gateways this host has, and which site each belongs to."""

import os
import pwd
import re
import shlex
import socket
import stat
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from certs.files import read_whole
from router.model import limits
from sitectl.base.failure import Exit, Failure, conflict, not_allowed, not_found, usage
from sitectl.base.options import Settings, switched_platform
from sitectl.base.texts import flat_yaml, write_atomically
from sitectl.runtimes.host_site import HostSite
from sitectl.selection import store
from sitectl.site import places
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Site

RECORD_FILE: Final = "gateway.yaml"
_RECORD_BYTES_MAX: Final = 64 * 1024


class GatewayRecord(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    kw_only=True,
):
    """``gateway.yaml``: the site that a gateway belongs to, and how to find it again. No secret.

    ``platform`` empty: it came with a token file, so its site is not in reach from here. ``state``
    holds process and podman sites; ``grant`` is the name of the claim made for this gateway.
    """

    platform: Literal["", "process", "podman", "kubernetes"] = ""
    site: str = ""
    site_id: str = ""
    state: str = ""
    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    grant: str = ""

    @property
    def flags(self) -> str:
        """The flags that select its site, with a blank at the end; empty: unknown."""
        given = {
            "--kubeconfig": self.kubeconfig,
            "-c": self.context,
            "-n": self.namespace,
            "--state": self.state,
        }
        if self.platform in ("process", "podman"):
            given["--site"] = self.site
        return "".join(f"{flag} {shlex.quote(value)} " for flag, value in given.items() if value)


class HostGateway(NamedTuple):
    """A gateway of this host. ``record`` None: making it was interrupted early."""

    site: HostSite
    record: GatewayRecord | None

    @property
    def name(self) -> str:
        """Its name, and its directory's."""
        return self.site.name


def default_name() -> str:
    """HOST-USER, as a name may be written."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # A container may run under an id that has no name.
        user = str(os.geteuid())
    user = _words(user)[:31].strip("-") or str(os.geteuid())
    host = _words(socket.gethostname().split(".")[0]) or "host"
    return f"{host[: limits.NAME_CHARS_MAX - 1 - len(user)].rstrip('-')}-{user}"


def _words(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def gateway_at(settings: Settings, name: str) -> HostGateway:
    """The gateway of that name, whether or not it is there."""
    site = HostSite(places.gateways_dir(settings) / name, settings.timeout_s)
    return HostGateway(site, read_record(site.directory))


def find_gateway(settings: Settings, name: str | None) -> HostGateway:
    """The gateway that ``--name`` means, else the only one. Failure: none, several, half made."""
    names = places.gateway_names(settings)
    if name is not None and name not in names:
        there = f"; there is: {', '.join(names)}" if names else ""
        raise not_found(
            f"no gateway {name!r} on this host{there}", f"sitectl gateway init --name {name}"
        )
    if not names:
        raise not_found("no gateway on this host", "sitectl gateway init --type podman")
    if name is None and len(names) > 1:
        raise usage(f"several gateways on this host: {', '.join(names)}", "Add --name NAME")
    chosen = name or names[0]
    gateway = gateway_at(settings, chosen)
    if not is_made(gateway):
        raise conflict(
            f"gateway {chosen!r} is half made: its init was interrupted",
            f"sitectl gateway init --name {chosen}, which finishes it; or: "
            f"sitectl gateway delete --name {chosen}",
        )
    return gateway


def is_made(gateway: HostGateway) -> bool:
    """Whether it has its documents and a link, so that verbs can work on it."""
    from sitectl.gateway.edge import LINK

    site = gateway.site
    if gateway.record is None or not site.config.is_dir():
        return False
    return site.find("Site", site.name) is not None and site.find("Link", LINK) is not None


def read_record(directory: Path) -> GatewayRecord | None:
    """The content of ``gateway.yaml``; None: there is none. Failure: it is damaged."""
    path = directory / RECORD_FILE
    try:
        return flat_yaml(read_whole(path, _RECORD_BYTES_MAX), GatewayRecord)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.MsgspecError as error:
        raise Failure(
            Exit.FAILED,
            "SW0630",
            f"{path}: {error}",
            "Fix the file: it says which site the gateway belongs to",
        ) from error


def write_record(site: DirectorySite, record: GatewayRecord) -> None:
    """Keep ``record`` with the gateway."""
    fields = msgspec.to_builtins(record)
    write_atomically(site.directory / RECORD_FILE, msgspec.yaml.encode(fields).decode())


def meant_site(settings: Settings) -> Site:
    """The site that the flags mean, for a gateway of it. Failure: none.

    As for any verb, except: without a site on this host, and with a kubeconfig that kubectl would
    find, it is the kubeconfig's. Users who come from Skupper have no other.
    """
    says_nothing = settings.platform is None and not switched_platform() and not settings.site
    if says_nothing and settings.chosen_platform() == "process":
        no_site = not places.site_names(places.state_dir(settings))
        if no_site and places.has_kubeconfig():
            settings.platform = "kubernetes"
    try:
        return store.find_site(settings)
    except Failure as failure:
        if failure.exit_code is Exit.NOT_FOUND and not settings.site:
            failure.message = f"a gateway needs a site: {failure.message}"
            failure.hint = (
                "Name its namespace with -n, or where the site is type: sitectl token create FILE, "
                "and here: sitectl gateway init --token FILE"
            )
        raise


def record_of(settings: Settings, site: Site) -> GatewayRecord:
    """How ``site``, found by the flags, is found again."""
    common = {"site": site.wanted().name, "site_id": site.trust.site_id}
    if settings.chosen_platform() != "kubernetes":
        platform: Literal["process", "podman"] = (
            "podman" if settings.chosen_platform() == "podman" else "process"
        )
        return GatewayRecord(platform=platform, state=str(places.state_dir(settings)), **common)
    kubeconfig = settings.kubeconfig or os.environ.get("KUBECONFIG", "")
    if kubeconfig and os.pathsep not in kubeconfig:  # Several files have no one path.
        kubeconfig = str(Path(kubeconfig).expanduser().absolute())
    namespace = getattr(site, "namespace", "") or settings.namespace or ""
    return GatewayRecord(
        platform="kubernetes",
        kubeconfig=kubeconfig if os.pathsep not in kubeconfig else "",
        context=settings.context or "",
        namespace=namespace,
        **common,
    )


def site_of(settings: Settings, gateway: HostGateway) -> Site | None:
    """The site that a gateway belongs to; None: no way to it is known here, or it leads elsewhere.

    Flags of this command line win over what was recorded. Failure: it cannot be asked.
    """
    there, record = settings, gateway.record
    if record is None:
        return None
    if not _names_a_site(settings):
        if not record.platform:
            return None
        if record.kubeconfig and os.geteuid() == 0:
            _require_roots(Path(record.kubeconfig), gateway.site.directory)
        there = Settings()
        there.platform = record.platform
        there.state = record.state or settings.state
        there.site = record.site if record.platform != "kubernetes" else None
        there.kubeconfig = record.kubeconfig or None
        there.context = record.context or None
        there.namespace = record.namespace or None
    site = store.find_site(there)
    return site if site.trust.site_id == record.site_id else None


def _require_roots(path: Path, gateway: Path) -> None:
    """Raise Failure if users other than root chose, or can choose, the content of ``path``.

    A kubeconfig names programs to run (client-go credential plugins), and the owner of a gateway's
    directory chooses the kubeconfig recorded there. Files in that directory were the owner's, even
    if they are root's now: `delete` takes them back.
    """
    real = Path(os.path.realpath(path))
    is_inside = real.is_relative_to(os.path.realpath(gateway))
    if is_inside or any(_is_open(step) for step in (real, *real.parents)):
        raise not_allowed(
            f"{path}, recorded as the way to its site, is not root's alone",
            f"If it is yours: --kubeconfig {shlex.quote(str(path))}",
        )


def _is_open(step: Path) -> bool:
    """Whether others than root may put something there, or in its place."""
    try:
        found = step.stat()
    except FileNotFoundError:
        return False
    return found.st_uid != 0 or bool(found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX)


def _names_a_site(settings: Settings) -> bool:
    return bool(settings.site or settings.namespace or settings.context or settings.kubeconfig)
