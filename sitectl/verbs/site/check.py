"""`check`: what would stop a site from working, before and while it runs.

Codes: SW0501 Python, SW0502 loop, SW0503 TLS, SW0504 open files, SW0505 state directory, SW0510
site, SW0511 keys, SW0512 documents, SW0513 router, SW0514 ports, SW0515 links, SW0516 listeners,
SW0517 targets, SW0518 certificates, SW0520 a request by a site; SW01xx are those of documents.
"""

import contextlib
import errno
import os
import resource
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence, Set
from importlib import util
from pathlib import Path
from shlex import quote
from typing import Final

import click
import msgspec

from certs.errors import CertError
from certs.files import lacking, read_whole
from router.documents import listening_addresses, read, resolve, unreadable
from router.model import limits
from router.model.addresses import join
from router.model.errors import ConfigError
from router.model.specs import Document
from router.model.unreadable import UNREADABLE_JSON
from sitectl.base import output, texts
from sitectl.base.failure import Exit, timed_out, usage
from sitectl.base.findings import Finding, Level, expiry
from sitectl.base.options import Settings, completes, wait_flag
from sitectl.base.verb import Verb
from sitectl.runtimes import presence, runtime_of
from sitectl.selection import store
from sitectl.show import check_report
from sitectl.show.router_findings import of_router
from sitectl.show.traffic import by_each_site
from sitectl.site import places
from sitectl.site.directory import DirectorySite
from sitectl.site.holders import holder_of

DESCRIPTORS_WANTED = 4_096
_STATE_FILES: Final[dict[str, type]] = {
    "state.json": dict,
    "owners.json": dict,
    "rule-pins.json": dict,
    "known-offers.json": dict,
    "links-down.json": dict,
    "life.json": dict,
    "listeners.json": list,
}
"""Files that the router writes beside the documents, and the content of each."""
_POLL_S: Final = 0.5
"""Between two checks of `--wait`: each reads every document and key of the site again."""
_LEVELS_WRONG: Final[dict[str, Set[Level]]] = {
    "warning": {"warning", "error"},
    "error": {"error"},
}


@click.command(cls=Verb)
@click.option(
    "--pre", is_flag=True, help="Check before init whether this machine is ready for a site."
)
@click.option(
    "--traffic",
    metavar="SERVICE[:PORT]",
    shell_complete=completes("services"),
    help="Only send one real request by each site that has targets.",
)
@click.option("-f", "--filename", "file", metavar="FILE", help="Only judge the documents of FILE.")
@click.option(
    "--threshold",
    type=click.Choice(("warning", "error")),
    default="warning",
    show_default=True,
    help="Lowest severity with an exit code other than 0.",
)
@wait_flag("Repeat until nothing is wrong and the router runs; exit 6 when time is up.")
@click.pass_context
def check(
    ctx: click.Context,
    pre: bool,
    traffic: str | None,
    file: str | None,
    threshold: str,
    wait: float | None,
) -> None:
    """Find problems; exit 1 on errors, 3 on warnings.

    --traffic sends GET / (or the path of health checks here) to each site, whatever the policy;
    for tcp it opens a connection and closes it.

    Groups: machine, site, documents, links, services, certificates, cluster. `sitectl explain CODE`
    explains a code.

    \b
    Examples:
      sitectl check
      sitectl -n shop check --pre        which rights and objects are missing, before init
      sitectl check -f services.yaml
      sitectl check --traffic shop       does a request by each site come back?
      sitectl check --threshold error    exit 0 with warnings alone
      sitectl check --wait 60            until all is well, such as after an upgrade
    """
    settings = ctx.ensure_object(Settings)
    if sum((pre, traffic is not None, file is not None)) > 1:
        raise usage("--pre, --traffic and -f exclude each other")
    if wait is not None and (pre or traffic is not None or file is not None):
        raise usage("--wait is for a whole site, without --pre, --traffic and -f")
    wrong = _LEVELS_WRONG[threshold]
    if traffic is not None:
        found = list(by_each_site(store.find_site(settings), traffic))
    elif file is not None:
        found = list(_of_file(Path(file)))
    else:
        found = list(findings(settings, pre=pre))
    left: list[str] = []
    if wait is not None:
        found, left = _until_well(settings, found, wrong, wait)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    output.emit_items(
        settings,
        "Check",
        [check_report.item(one) for one in found],
        lambda: check_report.text(found, colour=colour),
    )
    if left:
        raise timed_out(
            f"not well after {wait:g} s: {', '.join(left)}",
            "See above under WARNING and ERROR, or: sitectl status",
        )
    levels = {finding.level for finding in found}
    if "error" in levels:
        ctx.exit(Exit.FAILED)
    if "warning" in wrong & levels:
        ctx.exit(Exit.DEGRADED)


def _until_well(
    settings: Settings, found: list[Finding], wrong: Set[Level], wait_s: float
) -> tuple[list[Finding], list[str]]:
    """The findings once none is of a level in ``wrong``, or when time is over.

    Second: in words, how many are left; empty: all is well.
    """
    left: list[str] = []

    def is_well() -> bool:
        counts = {level: sum(one.level == level for one in found) for level in sorted(wrong)}
        left[:] = [output.count(number, level) for level, number in counts.items() if number]
        if any((one.code, one.level) == ("SW0513", "info") for one in found):
            left.append("the router does not run")
        return not left

    def is_well_now() -> bool:
        found[:] = findings(settings)
        return is_well()

    if not is_well():
        presence.wait_until(is_well_now, wait_s, _POLL_S)
    return found, left


def findings(settings: Settings, *, pre: bool = False) -> Iterator[Finding]:
    """All that is found; ``pre``: before there is a site."""
    if settings.on_kubernetes():
        from sitectl.kubernetes.checks import of_namespace, of_site

        yield from of_namespace(settings) if pre else of_site(settings)
    elif pre:
        yield from _of_machine(settings)
    else:
        yield from _of_site(settings)


def _of_file(path: Path) -> Iterator[Finding]:
    documents, errors = read(texts.text_of(path), str(path))
    for error in (*errors, *resolve(documents)[1]):
        yield Finding("error", error.code, error.message, error.hint)
    if not errors:
        yield Finding("ok", "SW0100", f"{output.count(len(documents), 'valid document')} in {path}")


def _of_machine(settings: Settings, router: int | None = None) -> Iterator[Finding]:
    """``router``: the process whose limits count; None: none runs, so those of this user do."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", "SW0501", f"Python {python}")  # An older one would not come this far.
    if util.find_spec("uvloop"):
        yield Finding("ok", "SW0502", "uvloop is there")
    else:
        yield Finding(
            "warning", "SW0502", "no uvloop: asyncio's loop is slower", "pip install uvloop"
        )
    if ssl.HAS_TLSv1_3:
        yield Finding("ok", "SW0503", f"TLS 1.3 ({ssl.OPENSSL_VERSION})")
    else:
        yield Finding("error", "SW0503", "this OpenSSL has no TLS 1.3", "Update OpenSSL")
    yield _open_files(router)
    yield _state_is_writable(places.state_dir(settings))


def _open_files(router: int | None) -> Finding:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if router is not None:
        with contextlib.suppress(OSError):  # It is another user's, or has just ended.
            most = resource.prlimit(router, resource.RLIMIT_NOFILE)[0]
    if most == resource.RLIM_INFINITY or most >= DESCRIPTORS_WANTED:
        return Finding("ok", "SW0504", f"at most {most} open files")
    hint = f"ulimit -Hn {DESCRIPTORS_WANTED}, or LimitNOFILE= of its unit"
    return Finding("warning", "SW0504", f"at most {most} open files: few connections", hint)


def _state_is_writable(state: Path) -> Finding:
    existing = next(path for path in (state, *state.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding(
            "error", "SW0505", f"{existing} cannot be written", "Choose another: --state DIR"
        )
    return _full_disk(existing) or Finding("ok", "SW0505", f"sites can be kept in {state}")


def _full_disk(place: Path) -> Finding | None:
    what = lacking(place)
    if not what:
        return None
    reason = f"the disk of {place} has no {what} left: no change of a site is stored"
    return Finding("warning", "SW0505", reason, "Free some there: df -h, df -i")


def _of_site(settings: Settings) -> Iterator[Finding]:
    site = store.find_directory(settings)
    yield from _of_machine(settings, presence.running_pid(site))
    yield Finding("ok", "SW0510", f"site {site.name} in {site.directory}")
    yield from _unwritable(site)
    yield from _state_files(site)
    yield from _secrets(site)
    documents, errors = _documents(site)
    yield from _config(site.name, documents, errors)
    runtime = runtime_of(site)
    for found in runtime.findings():
        yield Finding(found.severity, found.code, found.reason, found.hint)
    if presence.is_running(site):
        yield from of_router(site)
    else:
        yield presence.death_of(site, site.log_hint) or Finding(
            "info", "SW0513", "the router does not run", f"sitectl --site {site.name} start"
        )
        yield from _ports(site.name, documents)


def _unwritable(site: DirectorySite) -> Iterator[Finding]:
    """The kernel makes a disk with errors read-only; a router that runs may not notice that
    for long.

    A full disk is named where it is the site's own: that of all sites was looked at before.
    """
    disk_of_all = site.directory.parent.stat().st_dev
    for place in (site.directory, site.run):
        if not place.exists():
            continue
        if not os.access(place, os.W_OK | os.X_OK):
            reason = f"{place} cannot be written: no change of the site and no event is stored"
            yield Finding(
                "error",
                "SW0505",
                reason,
                f"Mount it for writing, or see: ls -ld {quote(str(place))}",
            )
            return
        full = _full_disk(place) if place.stat().st_dev != disk_of_all else None
        if full is not None:
            yield full
            return


def _state_files(site: DirectorySite) -> Iterator[Finding]:
    """Findings about the router's state files: it does not start with a damaged one."""
    for name, kind in _STATE_FILES.items():
        path = site.directory / name
        try:
            data = read_whole(path, limits.STATE_FILE_BYTES_MAX)
            msgspec.json.decode(data, type=kind)
        except OSError:
            continue  # There is none, or the router says why it cannot read it.
        except CertError as error:
            reason = f"{path} {error.reason}, and the router does not start with it"
            yield Finding("error", "SW0505", reason, error.hint)
        except UNREADABLE_JSON as error:
            reason = f"{path} is damaged, and the router does not start with it: {error}"
            yield Finding(
                "error", "SW0505", reason, f"The router can do without it: rm {quote(str(path))}"
            )


def _secrets(site: DirectorySite) -> Iterator[Finding]:
    loose = [
        path
        for path in (site.secrets, *sorted(site.secrets.rglob("*")))
        if _is_open_to_others(path)
    ]
    for path in loose:
        hint = f"chmod go-rwx {quote(str(path))}"
        yield Finding("error", "SW0511", f"{path} is open to other users", hint)
    from certs import certificates
    from certs.ca.authority import Authority
    from certs.identity import SiteIdentity

    try:
        identity = SiteIdentity.load(site.secrets)
        expires = certificates.expires_at(Authority.load(site.secrets).ca_pem)
    except CertError as error:
        if not any(f"{path}: " in str(error) for path in loose):  # Told above, with what to type.
            yield Finding("error", "SW0511", str(error))
        return
    if not loose:
        yield Finding("ok", "SW0511", f"identity {identity.site_id}, keys closed to others")
    yield expiry("the site's CA", expires, "SW0518", "sitectl ca status")


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat(follow_symlinks=False).st_mode & 0o077)
    except FileNotFoundError:
        return False  # Also of a file that the router has replaced since the folder was listed.


def _documents(site: DirectorySite) -> tuple[list[Document], list[ConfigError]]:
    """As of `scan`, which gives up where the folder itself cannot be read."""
    try:
        return site.scan()
    except OSError as error:
        return [], [unreadable("config", error)]


def _config(
    name: str, documents: Sequence[Document], errors: Sequence[ConfigError]
) -> Iterator[Finding]:
    wanted, across = resolve(documents)
    for error in (*errors, *across):
        yield Finding("error", error.code, error.message, error.hint)
    if wanted is None:
        again = f"To make it again, with the flags that it was made with: sitectl init {name}"
        hint = "Correct what is named above" if errors else f"Put it back. {again}"
        yield Finding("error", "SW0109", "no usable Site document", hint)
    elif not errors and not across:
        yield Finding("ok", "SW0512", f"{output.count(len(documents), 'valid document')}")


def _ports(name: str, documents: Sequence[Document]) -> Iterator[Finding]:
    wanted, _ = resolve(documents)
    if wanted is None:
        return
    for place in listening_addresses(wanted.site, wanted.services, wanted.listeners):
        cause = _bind_error(place.host, place.port)
        shown = f"{join(place.host, place.port)} ({place.what})"
        if cause is None:
            yield Finding("ok", "SW0514", f"{shown} is free")
        else:
            found = None
            if cause == os.strerror(errno.EADDRINUSE):
                found = holder_of(place.host, place.port)
            who = f"See who has it: ss -tanp 'sport = :{place.port}'"
            if found is not None:
                cause += f": {found.reason(place.port)}"
                who = found.hint(place.port) or "End that"
            hint = f"{who}; or set another {place.setting} in config/site-{name}.yaml"
            # The router tries for other addresses until it gets them; without one of these it ends.
            level: Level = "error" if place.setting in ("bindPort", "admin") else "warning"
            yield Finding(level, "SW0514", f"{shown}: {cause}", hint)


def _bind_error(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            return error.strerror or str(error)
    return None
