"""Flags of the console: where a site on a host serves it, and who may log in."""

import secrets
import shlex
import socket
import sys
import unicodedata
from typing import Any, Final

import click
import msgspec

from certs.errors import CertError
from certs.files import make_private_directory, read_secret, write_secret
from router.model import limits
from router.model.addresses import join
from router.model.specs import ConsoleSpec, SiteSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings, flags_as
from sitectl.base.texts import secret_text
from sitectl.flags.sites.site import given
from sitectl.site import places
from sitectl.site.console_place import USERS
from sitectl.site.directory import DirectorySite

DEFAULT_USER: Final = "admin"
LOOPBACK: Final = "127.0.0.1"
FIRST_PORT: Final = 8010
PORTS: Final = 20
_PASSWORD_BYTES: Final = 18
_IN_ARGUMENTS: Final = (
    "the password is in the command line, where other users of this host see it: "
    "--console-password-file FILE, or - to be asked"
)


class ConsoleWish(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of the console; None: not given, the setting stays."""

    enabled: bool
    auth: str | None = None
    user: str | None = None
    password: str | None = None
    bind: str | None = None
    cert: str | None = None
    hosts: tuple[str, ...] | None = None


class ConsoleFlags(msgspec.Struct, frozen=True):
    """The console's own flags, beside those that are keys of Skupper's site; None: not given."""

    console_bind: str | None = None
    console_cert: str | None = None
    console_hosts: tuple[str, ...] = ()
    console_password_file: str | None = None


console_flags = flags_as(
    "console",
    ConsoleFlags,
    click.option(
        "--console-bind",
        metavar="IP:PORT",
        help="Address of the console, on hosts. Beyond loopback it uses TLS. "
        f"[default: {LOOPBACK}:{FIRST_PORT}, or the next free port]",
    ),
    click.option(
        "--console-cert",
        metavar="NAME",
        help="Credential in secrets/tls for the console. [default: by the site's own CA]",
    ),
    click.option(
        "--console-host",
        "console_hosts",
        metavar="HOST",
        multiple=True,
        help="Another host name of the console, beside this machine's.",
    ),
    click.option(
        "--console-password-file",
        metavar="FILE",
        help="File with the password of --console-user; - asks, or reads the standard "
        "input. [default: random]",
    ),
)


def refuse_on_kubernetes(flags: ConsoleFlags) -> None:
    """Raise Failure: there a Service leads to it, and a Secret has the users."""
    if flags != ConsoleFlags():
        raise usage(
            "--console-bind, -cert, -host and -password-file are for sites on hosts",
            "On Kubernetes: --console-ingress, and Secret skupper-console-users",
        )


def read_console(ctx: click.Context, flags: ConsoleFlags) -> ConsoleWish | None:
    """Of the flags; None: none was given. Failure: they do not fit together."""
    keys = given(ctx)
    bind, cert = flags.console_bind, flags.console_cert
    hosts, file = flags.console_hosts, flags.console_password_file
    password, auth = keys.get("console-password"), keys.get("console-auth")
    enabled = keys.get("enable-console")
    details = (bind, cert, file, password, auth, keys.get("console-user"))
    if enabled is None and not hosts and all(one is None for one in details):
        return None
    if enabled == "false":
        return ConsoleWish(enabled=False)
    if password is not None:
        if file is not None:
            raise usage("two passwords: --console-password and --console-password-file")
        output.note(_IN_ARGUMENTS)
        _check(password)
    if auth == "openshift":
        output.note("--console-auth openshift: there is no OpenShift on a host; internal is used")
        auth = "internal"
    if auth not in (None, "internal", "unsecured"):
        raise usage(f"--console-auth is internal or unsecured, not {auth!r}")
    return ConsoleWish(
        enabled=True,
        auth=auth,
        user=keys.get("console-user"),
        password=_from(file) if file is not None else password,
        bind=bind,
        cert=cert,
        hosts=hosts or None,
    )


def console_of(
    settings: Settings, name: str, wish: ConsoleWish, before: ConsoleSpec | None
) -> ConsoleSpec | None:
    """The console section for the Site document of ``name``; None: no console."""
    if not wish.enabled:
        return None
    spec = before or ConsoleSpec(bind=_free_place(settings, name) if wish.bind is None else "")
    stated = {"auth": wish.auth, "bind": wish.bind, "tls_cert": wish.cert, "hosts": wish.hosts}
    changes: dict[str, Any] = {key: one for key, one in stated.items() if one is not None}
    return msgspec.structs.replace(spec, **changes)


def with_console(
    settings: Settings, name: str, spec: SiteSpec, there: SiteSpec | None, wish: ConsoleWish | None
) -> SiteSpec:
    """``spec`` of the site ``name`` with the console that ``there`` has, or that is wished for."""
    before = there.console if there is not None else None
    place = before if wish is None else console_of(settings, name, wish, before)
    return msgspec.structs.replace(spec, console=place)


def flags_of(spec: ConsoleSpec) -> str:
    """The flags that make a new console ``spec``; empty: every field has its default."""
    usual, words = ConsoleSpec(), []
    if spec.auth != usual.auth:
        words += ["--console-auth", spec.auth]
    if spec.bind != usual.bind:
        words += ["--console-bind", spec.bind]
    if spec.tls_cert != usual.tls_cert:
        words += ["--console-cert", spec.tls_cert]
    for host in spec.hosts:
        words += ["--console-host", host]
    return shlex.join(words)


def keep_user(site: DirectorySite, wish: ConsoleWish | None, spec: ConsoleSpec | None) -> bool:
    """Write down who may log in. True: that is another user or password than before.

    A user who is there keeps the password unless another was said.
    """
    if wish is None or spec is None or spec.auth != "internal":
        return False
    folder = site.secrets / USERS
    make_private_directory(folder)
    there = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    user = wish.user or (there[0] if there else DEFAULT_USER)
    _check_user(user)
    path = folder / user
    if user not in there and len(there) >= limits.CONSOLE_USERS_MAX:
        raise usage(f"the console has {len(there)} users already", f"Remove some in {folder}")
    try:
        before = read_secret(path, limits.CONSOLE_PASSWORD_BYTES_MAX).decode()
    except (FileNotFoundError, CertError, UnicodeDecodeError):
        before = ""
    if before and wish.password in (None, before):
        return False
    write_secret(path, (wish.password or secrets.token_urlsafe(_PASSWORD_BYTES)).encode())
    output.note(f"log in to the console as {user}; the password is in {path}")
    return True


def _free_place(settings: Settings, name: str) -> str:
    """The first port that no other site of this state directory has and no process listens at."""
    state = places.state_dir(settings)
    taken = set()
    for other in places.site_names(state):
        if other == name:
            continue
        for document in DirectorySite(state / other).documents():
            console = getattr(document.spec, "console", None)
            if isinstance(console, ConsoleSpec):
                taken.add(console.bind)
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        if join(LOOPBACK, port) not in taken and _is_free(port):
            return join(LOOPBACK, port)
    return join(LOOPBACK, FIRST_PORT)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _from(file: str) -> str:
    """The password in ``file``, or as it is typed."""
    most = limits.CONSOLE_PASSWORD_BYTES_MAX
    if file == "-" and sys.stdin.isatty():
        text = click.prompt("Password for the console", hide_input=True, err=True)
    elif file == "-":
        text = sys.stdin.read(most + 2)
    else:
        text = secret_text(file, "password", most + 2)
    password: str = text.removesuffix("\n").removesuffix("\r")
    _check(password)
    return password


def _check(password: str) -> None:
    most = limits.CONSOLE_PASSWORD_BYTES_MAX
    if not password or len(password.encode()) > most or not password.isprintable():
        raise usage(f"the console's password is one line of 1 to {most} bytes")


def _check_user(user: str) -> None:
    fits = user and len(user.encode()) <= limits.CONSOLE_USER_BYTES_MAX and user.isprintable()
    if (
        not fits
        or user.startswith(".")
        or set(user) & set("/:\\")
        or user != unicodedata.normalize("NFC", user)
    ):
        raise usage(f"{user!r} cannot be a user of the console", "Letters, digits, '-' and '.'")
