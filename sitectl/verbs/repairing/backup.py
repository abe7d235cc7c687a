"""`backup` and `restore`: a site in one sealed file, and back from it, here or elsewhere."""

import contextlib
import ipaddress
import os
import socket
import sys
import time
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
import msgspec

from certs.files import write_secret
from router.documents import read
from router.model.specs import ConnectorSpec, SiteSpec
from sitectl.backup import content as contents
from sitectl.backup import seal
from sitectl.backup.content import Content
from sitectl.base import output
from sitectl.base.failure import conflict, not_found, usage
from sitectl.base.folders import GATEWAYS
from sitectl.base.options import Settings
from sitectl.base.verb import Verb
from sitectl.runtimes.image import ImageFlags, image_flags
from sitectl.runtimes.spec import RuntimeSpec
from sitectl.selection import store
from sitectl.site import places

if TYPE_CHECKING:
    from sitectl.site.site import Change

_USUAL_LOOPBACKS = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
_SOURCE = "--passphrase-file FILE, - for stdin; a terminal is asked"


def _flags(function: Any) -> Any:
    function = click.option(
        "--passphrase-file",
        metavar="FILE|-",
        help="Its first line is the passphrase; - reads stdin. [default: asked on the terminal]",
    )(function)
    return click.option(
        "--gateway", is_flag=True, help="A gateway of this host (--site NAME), not a site."
    )(function)


@click.command(cls=Verb)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_flags
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--fips", is_flag=True, help="Let hosts in FIPS mode open the file, too (PBKDF2).")
@click.pass_obj
def backup(
    settings: Settings,
    file: Path,
    passphrase_file: str | None,
    gateway: bool,
    force: bool,
    fips: bool,
) -> None:
    """Write the whole site into FILE, sealed by a passphrase.

    FILE has the site's identity and certificate authority, documents, links with their credentials,
    claims and the sites that redeemed them, revocations and the credentials of services. The router
    may run. FILE has no derived objects (a Deployment, units, containers), no logs, no workloads.

    Keep FILE and passphrase apart: both together are the site.

    \b
    Examples:
      sitectl backup west.backup
      sitectl --site west backup west.backup --passphrase-file /root/west.pass --force
      sitectl --site db1-root backup db1.backup --gateway
      sitectl -n shop backup shop.backup --passphrase-file - < pass
    """
    if file.exists() and not force:
        raise conflict(f"{file} exists already and was not touched", "Add --force to replace it")
    if not file.absolute().parent.is_dir():
        raise not_found(f"no directory {file.parent} for the backup", "Make it, or name another")
    content = _content(settings, gateway)
    passphrase = _passphrase(passphrase_file, is_new=True)
    sealed = seal.seal(contents.encode(content), passphrase, seal.FOR_FIPS if fips else None)
    try:
        write_secret(file.absolute(), sealed, replace=force)
    except FileExistsError:
        raise conflict(f"{file} exists already", "Add --force to replace it") from None
    item = {**contents.summary(content, time.time()), "file": str(file), "bytes": len(sealed)}
    text = (
        f"site {content.name} ({content.site_id[:8]}) is in {file}: "
        f"{output.count(len(content.documents), 'file')} of documents, "
        f"{output.count(len(content.links), 'link')}, "
        f"{output.count(len(content.tls), 'credential')}"
    )
    output.emit_item(settings, "Backup", item, lambda: output.safe(text))
    if item["grants"]["open"]:
        output.note(
            "Claims that are still open will be void after a restore: "
            + ", ".join(item["grants"]["open"])
        )


@click.command(cls=Verb)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_flags
@click.option("--force", is_flag=True, help="Replace the same site if it exists here and differs.")
@click.option("--dry-run", is_flag=True, help="Print the content and what would happen.")
@click.option(
    "--as-replica",
    is_flag=True,
    help="Restore as another router of a site whose original keeps running on another host.",
)
@image_flags
@click.pass_obj
def restore(
    settings: Settings,
    file: Path,
    passphrase_file: str | None,
    gateway: bool,
    force: bool,
    dry_run: bool,
    as_replica: bool,
    image: ImageFlags,
) -> None:
    """Restore the site in FILE, with its identity, whole or not at all.

    The router must not run here, nor anywhere else: of two live routers with one identity, the
    network refuses the later one (SW0401). Claims that were open at the time of the backup are
    void. Sites revoked before it stay revoked; revoke those of a later date again, unless the site
    is still here. A second run changes nothing.

    With --as-replica the original runs on, and FILE becomes a further router of that site, with a
    new router ID. Give each router the other's link address as a peer (docs/replicas.md).

    \b
    Examples:
      sitectl restore west.backup && sitectl --site west start
      sitectl restore west.backup --dry-run -o json --passphrase-file /root/west.pass
      sitectl --state /srv/sites restore west.backup
      sitectl -n shop restore west.backup
      sitectl restore west.backup --as-replica
    """
    try:
        with file.open("rb") as opened:
            sealed = opened.read(seal.FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise not_found(f"no file {file}", "Name a file that `sitectl backup` wrote") from None
    except IsADirectoryError:
        raise usage(f"{file} is a directory", "sitectl restore FILE") from None
    passphrase = _passphrase(passphrase_file, is_new=False)
    content = contents.decode(seal.unseal(sealed, passphrase, str(file)), str(file))
    _require_name(settings, content, file)
    if as_replica and (settings.on_kubernetes() or gateway or _attaches(content)):
        raise usage(
            "--as-replica is for interior sites on hosts",
            "On Kubernetes: sitectl update --routers 2",
        )
    if settings.on_kubernetes():
        from sitectl.backup.namespace import restore_namespace

        change = restore_namespace(settings, content, image, force=force, dry_run=dry_run)
    else:
        change = _restore_folder(settings, content, gateway, force, dry_run, as_replica)
    is_moved = settings.on_kubernetes() or not _is_of_here(
        content, _state_of(settings, content, gateway)
    )
    _tell(settings, content, file, change, dry_run, as_replica, is_moved)


def _state_of(settings: Settings, content: Content, gateway: bool) -> Path:
    """The directory that the restored site is put into."""
    state = places.state_dir(settings)
    if gateway or (content.origin.is_gateway and state.name != GATEWAYS):
        return places.gateways_dir(settings)
    return state


def _is_of_here(content: Content, state: Path) -> bool:
    """The backup was made of the very directory that it is restored to."""
    here = socket.gethostname(), str(state / content.name)
    return (content.origin.host, content.origin.place) == here


def _content(settings: Settings, gateway: bool) -> Content:
    if settings.on_kubernetes():
        from sitectl.backup.namespace import read_namespace

        return read_namespace(settings)
    from sitectl.backup.folder_backup import read_folder

    if gateway:
        settings.state = str(places.gateways_dir(settings))
    return read_folder(store.find_directory(settings))


def _restore_folder(
    settings: Settings,
    content: Content,
    gateway: bool,
    force: bool,
    dry_run: bool,
    as_replica: bool,
) -> "Change":
    from sitectl.backup.folder_restore import judge_folder, restore_folder

    state = _state_of(settings, content, gateway)
    if dry_run:
        change, obstacles = judge_folder(content, state, force=force)
        for one in obstacles:
            output.note(f"It would be refused now, {one}")
        return change
    return restore_folder(content, state, force=force, replica=as_replica)


def _attaches(content: Content) -> bool:
    """It is a gateway or another edge, which has one router."""
    return content.origin.is_gateway or any(
        site.router_mode == "edge" for site in _site_specs(content)
    )


def _site_specs(content: Content) -> list[SiteSpec]:
    from sitectl.backup.objects import parsed

    return [one.spec for one in parsed(content) if isinstance(one.spec, SiteSpec)]


def _tell_of_addresses(content: Content) -> None:
    """Name the addresses of the original's host at which the restored router would listen."""
    for site in _site_specs(content):
        fields = {"ingressBindIp": site.ingress_bind_ip, "bindIp": site.bind_ip}
        named = [f"{field} {ip}" for field, ip in fields.items() if not _is_of_any_host(ip)]
        if named:
            output.note(
                f"Addresses of the original's host, to change in config/site-{content.name}.yaml "
                f"before the start on another one: {', '.join(named)}"
            )


def _is_of_any_host(ip: str) -> bool:
    address = ipaddress.ip_address(ip.strip("[]").partition("%")[0])
    return address.is_unspecified or address in _USUAL_LOOPBACKS


def _require_name(settings: Settings, content: Content, file: Path) -> None:
    if settings.site and settings.site != content.name and not settings.on_kubernetes():
        raise usage(
            f"{file} is of site {content.name!r}; a restored site keeps its name",
            f"--site {content.name}, or leave it out",
        )


def _tell(
    settings: Settings,
    content: Content,
    file: Path,
    change: "Change",
    dry_run: bool,
    as_replica: bool,
    is_moved: bool,
) -> None:
    """``is_moved``: the site is restored to another place than the backup was made at."""
    words = {"created": "restored", "updated": "restored over what was here"}
    done = words.get(change, "is here already as the backup says, unchanged")
    if dry_run:
        done = f"would be {done}" if change in words else done
    item = {
        **contents.summary(content, time.time()),
        "file": str(file),
        "change": change,
        "dry_run": dry_run,
    }
    text = f"site {content.name} ({content.site_id[:8]}) {done}; backup of {item['made_at']}"
    output.emit_item(settings, "Restore", item, lambda: output.safe(text))
    if dry_run or change == "unchanged":
        return
    output.note(
        f"Sites revoked after {item['made_at']} are not known to the backup: revoke them again"
    )
    if item["grants"]["open"]:
        output.note(f"Void now, make new tokens: {', '.join(item['grants']['open'])}")
    if as_replica or (is_moved and not settings.on_kubernetes()):
        _tell_of_addresses(content)
    if as_replica:
        own = f"sitectl --site {content.name} update --ingress-host HOST --peer OTHER:PORT"
        output.note(f"Before its start, its own address and the other router's: {own}")
        output.note("Revoke and set at each router: they share the identity, not the files")
        output.note(f"Next: {_start_words(content)}")
        return
    origin = content.origin
    if is_moved:
        output.note(
            f"The original ({origin.host}, {origin.place}) must not run any more: "
            "a second live router of this site is kept out"
        )
    if settings.on_kubernetes():
        return
    if content.objects:
        _tell_of_workloads(content)
    output.note(f"Next: {_start_words(content)}")


def _start_words(content: Content) -> str:
    """The commands that run the restored router here as it ran there, as far as this host can."""
    from sitectl.gateway.gateway_init import KINDS

    name, kind = content.name, "process"
    with contextlib.suppress(msgspec.MsgspecError):  # Of a later version: as a plain process.
        kind = msgspec.yaml.decode(content.origin.runtime or "{}", type=RuntimeSpec).kind
    if content.origin.is_gateway:
        word = next(word for word, made in KINDS.items() if made == kind)
        return f"sitectl gateway init --name {name} --type {word}"
    if kind == "podman":
        return f"sitectl --platform podman init {name}"
    if kind == "systemd":
        return f"sitectl init {name} --run-by systemd && sitectl --site {name} start"
    return f"sitectl --site {name} start"


def _tell_of_workloads(content: Content) -> None:
    """Of a namespace's connectors, those that have no targets on a host."""
    for name, text in content.documents.items():
        for document in read(text, name)[0]:
            if isinstance(document.spec, ConnectorSpec) and document.spec.workload:
                output.note(
                    f"config/{name}: {document.spec.workload} is no target here; bind one: sitectl "
                    f"service bind {document.spec.service} host ADDRESS --target-port PORT"
                )


def _passphrase(given: str | None, *, is_new: bool) -> bytes:
    """Never from the command line or the environment, where others may read it."""
    if given is not None:
        text = _first_line(given)
    elif sys.stdin.isatty():
        text = click.prompt(
            "Passphrase", hide_input=True, confirmation_prompt=is_new, err=True
        ).encode()
    else:
        raise usage("a backup needs a passphrase", f"Give it: {_SOURCE}", code="SW0655")
    if not text or (is_new and len(text.decode("utf-8", "replace")) < seal.PASSPHRASE_CHARS_MIN):
        raise usage(
            f"the passphrase has fewer than {seal.PASSPHRASE_CHARS_MIN} characters",
            "Take several words, or: head -c 24 /dev/urandom | base64 > FILE; chmod 0600 FILE",
            code="SW0655",
        )
    return text


def _first_line(given: str) -> bytes:
    """Of the file, without its end of line."""
    try:
        if given == "-":
            data = sys.stdin.buffer.read(seal.PASSPHRASE_BYTES_MAX + 1)
        else:
            with Path(given).open("rb") as file:
                data = file.read(seal.PASSPHRASE_BYTES_MAX + 1)
                if os.fstat(file.fileno()).st_mode & 0o077:
                    output.note(f"{given} may be read by others: chmod 0600 {quote(given)}")
    except FileNotFoundError:
        raise not_found(f"no file {given} with the passphrase", _SOURCE) from None
    if len(data) > seal.PASSPHRASE_BYTES_MAX:
        raise usage(f"{given} is too long for a passphrase", "Its first line is meant")
    return data.split(b"\n", 1)[0].rstrip(b"\r")
