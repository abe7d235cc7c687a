"""`gateway init`: identity, site document, link, runtime, in that order; typed again it goes on.

Each step is kept before the next begins and sees whether it was done, so a crash between any two
leaves what the same words finish. The claim is granted under a name that was written down first:
one whose token was lost with the crash is revoked, not left open.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from certs.errors import CertError
from router.documents.readers import NAME_FORM, is_name
from router.model import limits
from sitectl.base.failure import Exit, Failure, conflict, not_allowed, usage
from sitectl.base.options import Settings
from sitectl.gateway import advice
from sitectl.gateway.definition import ANY_ADDRESS
from sitectl.gateway.edge import LINK, link_edge, make_edge_in
from sitectl.gateway.home import (
    GatewayRecord,
    HostGateway,
    gateway_at,
    meant_site,
    record_of,
    write_record,
)
from sitectl.runtimes import presence, runtime_of
from sitectl.runtimes.choice import with_flags
from sitectl.runtimes.containers.engine import PACKAGES, Program
from sitectl.runtimes.image import ImageFlags
from sitectl.runtimes.manager import Manager, own_scope
from sitectl.runtimes.spec import HOST_NETWORK, IN_CONTAINERS, RUNTIME_FILE, Kind, RuntimeSpec
from sitectl.runtimes.spec_file import read_spec, require_words, write_spec
from sitectl.site import places
from sitectl.site.claims import endpoints_to_dial, grant_claim
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change, Site

if TYPE_CHECKING:
    from certs.links.credentials import StoredLink
    from certs.names import Endpoint
    from certs.token_files.tokens import Token

Type = Literal["service", "podman", "docker", "process"]
KINDS: Final[dict[Type, Kind]] = {
    "service": "systemd",
    "podman": "podman",
    "docker": "docker",
    "process": "process",
}
"""The runtime for each ``--type``. Skupper has the first three."""
DEFAULT_TYPE: Final[Type] = "service"
GRANT_PREFIX: Final = "gateway-"
"""Of the names of claims that were made for gateways: of what their site knows them by."""
_BOOTED: Final = Path("/run/systemd/system")  # Where systemd is PID 1: sd_booted(3).


class GatewayWish(NamedTuple):
    """The flags of `gateway init`. None and empty: not given, the setting stays."""

    name: str
    type: Type | None = None
    token: str | None = None
    hosts: tuple[str, ...] = ()
    cost: int | None = None
    image: ImageFlags = ImageFlags()
    network: str | None = None
    publish: tuple[str, ...] = ()


class MadeGateway(NamedTuple):
    """The gateway, and what became of it."""

    gateway: HostGateway
    change: Change


class _Source(NamedTuple):
    """Where the link's token comes from: the gateway has it, a file, or a claim of ``site``."""

    kept: "Token | None" = None
    given: "Token | None" = None
    site: Site | None = None
    dialed: "tuple[Endpoint, ...]" = ()


def type_of(site: DirectorySite) -> Type:
    """The ``--type`` of a gateway that is there."""
    kind = read_spec(site).kind
    return next(name for name, made in KINDS.items() if made == kind)


def make(settings: Settings, wish: GatewayWish) -> MadeGateway:
    """Make the gateway, or finish or change what there is, and have it run. Failure: it cannot.

    Whatever can be refused is refused before anything is written.
    """
    _require_name(wish.name)
    gateway = gateway_at(settings, wish.name)
    spec = _spec(gateway.site, wish)
    _require_host_runs(spec, is_new=not _has_spec(gateway.site))
    source = _source(settings, wish, gateway)
    site, made = make_edge_in(places.gateways_dir(settings), wish.name)
    changes = [made]
    with site.held():
        changes.append(_link(settings, wish, gateway, source))
        if not _has_spec(site) or spec != read_spec(site):
            write_spec(site, spec)
            changes.append("updated")
    with advice.naming(site):
        if runtime_of(site).start(settings.timeout_s):
            changes.append("updated")
    change: Change = "unchanged"
    if "created" in changes:
        change = "created"
    elif "updated" in changes:
        change = "updated"
    return MadeGateway(gateway_at(settings, wish.name), change)


def fit_runtime(site: DirectorySite, timeout_s: float) -> bool:
    """Make the gateway's runtime allow what its documents need. True: it restarted.

    A container publishes the ports of its documents, and a port below 1024 needs a right.
    """
    with advice.naming(site):
        return presence.is_running(site) and runtime_of(site).start(timeout_s)


def _require_name(name: str) -> None:
    if not is_name(name):
        raise usage(f"{name!r} is not a gateway name: {NAME_FORM}")


def _has_spec(site: DirectorySite) -> bool:
    return (site.directory / RUNTIME_FILE).exists()


def _spec(site: DirectorySite, wish: GatewayWish) -> RuntimeSpec:
    """The gateway's runtime with the given flags. Failure: it has another type."""
    if _has_spec(site):
        before = read_spec(site)
        if wish.type is not None and KINDS[wish.type] != before.kind:
            raise conflict(
                f"gateway {wish.name!r} is of type {type_of(site)}, not {wish.type}",
                f"sitectl gateway delete --name {wish.name}, then type this again",
            )
    else:
        before = RuntimeSpec(
            kind=KINDS[wish.type or DEFAULT_TYPE],
            name=f"spillway-gateway-{wish.name}",
            scope=own_scope(),
        )
    told = {
        **msgspec.structs.asdict(wish.image),
        "network": wish.network,
        "publish": wish.publish or None,
    }
    given = [key for key, value in told.items() if value is not None]
    if before.kind not in IN_CONTAINERS:
        if given:
            flags = ", ".join(f"--{key.replace('_', '-')}" for key in given)
            raise usage(
                f"{flags}: for gateways in containers", "Add --type podman, or leave it out"
            )
        return before
    spec = msgspec.structs.replace(
        with_flags(before, wish.image),
        network=wish.network or before.network,
        publish=wish.publish or before.publish,
    )
    if spec.publish and spec.network == HOST_NETWORK:
        raise usage(
            "--publish: on the host's network its ports are the host's already",
            "Leave it out, or give the container a network of its own: --network NAME",
        )
    if spec.network != HOST_NETWORK:  # Forwarded services are for all neighbors of the host.
        spec = msgspec.structs.replace(spec, publish_ip=ANY_ADDRESS)
    require_words(site, spec)
    return spec


def is_apart(site: DirectorySite) -> bool:
    """Whether it runs in a container with a separate network, so not on the host's addresses."""
    spec = read_spec(site)
    return spec.kind in IN_CONTAINERS and spec.network != HOST_NETWORK


def _require_host_runs(spec: RuntimeSpec, *, is_new: bool) -> None:
    """Raise Failure when this host has nothing that runs a gateway of this kind."""
    kind = spec.kind
    other = "or --type process, which nothing starts again after a reboot"
    if kind == "systemd" and not (_BOOTED.is_dir() and shutil.which("systemctl")):
        raise not_allowed(
            "a gateway of type service needs systemd, which does not run on this host",
            f"sitectl gateway init --type podman, {other}",
            code="SW0631",
        )
    if kind == "systemd":
        Manager(spec.scope, "sitectl gateway init --type process").require()
    if (kind == "podman" or kind == "docker") and not shutil.which(kind):
        raise not_allowed(
            f"a gateway of type {kind} needs {kind}, which is not installed on this host",
            f"{PACKAGES[kind]}, {other}",
            code="SW0632",
        )
    if kind == "docker" and is_new:  # Its daemon may not run; podman has none.
        Program("docker").tell("version")


def _source(settings: Settings, wish: GatewayWish, gateway: HostGateway) -> _Source:
    """Where its token comes from. Failure: nowhere, or it belongs to another site already."""
    stored = _stored(gateway.site)
    kept = stored.token if stored is not None and _is_usable(stored) else None
    if wish.token is not None:
        return _from_file(Path(wish.token), wish.name, stored, kept)
    names_a_site = settings.site or settings.namespace or settings.context or settings.kubeconfig
    if kept is not None and not names_a_site:
        return _Source(kept=kept)
    site = meant_site(settings)
    if kept is None:
        with _explained(wish.name):
            return _Source(site=site, dialed=reachable_at(site, wish.hosts))
    if site.trust.site_id != kept.site_id:
        raise _other_site(wish.name, kept.site_name)
    return _Source(kept=kept)


def _from_file(path: Path, name: str, stored: "StoredLink | None", kept: "Token | None") -> _Source:
    from certs.token_files import tokens

    token = tokens.read_file(path)
    if kept is not None and kept == token:  # A claim expires and the link that it made does not.
        return _Source(kept=kept)
    tokens.check_usable(token, "", time.time())
    if kept is not None and stored is not None and stored.credential is not None:
        raise _other_site(name, kept.site_name)
    return _Source(given=token)


def _other_site(name: str, site_name: str) -> Failure:
    return conflict(
        f"gateway {name!r} is linked to site {site_name} already",
        f"Choose another --name, or: sitectl gateway delete --name {name}",
    )


def _stored(site: DirectorySite) -> "StoredLink | None":
    """The link's token and its redeemed credential; None: there is no usable one."""
    from certs.links.credentials import LinkStore

    if not site.secrets.is_dir():
        return None
    try:
        return LinkStore(site.secrets / "links").load(LINK)
    except CertError:
        return None


def _is_usable(stored: "StoredLink") -> bool:
    """Whether the link is up or can still become so: a claim that expired unused cannot."""
    return stored.credential is not None or time.time() < stored.token.expires_at


def reachable_at(site: Site, hosts: tuple[str, ...]) -> "tuple[Endpoint, ...]":
    """The endpoints that the gateway dials. Failure: that site has none for the outside."""
    if site.has_workloads and not hosts:
        from sitectl.kubernetes.site import KubernetesSite

        site.wanted()  # Failure: no site in that namespace.
        options = site.reading.picture.options if isinstance(site, KubernetesSite) else None
        if options is not None and options.ingress == "none":
            raise _private(site.name)
    try:
        return endpoints_to_dial(site, hosts)
    except Failure as failure:
        if failure.code == "no-ingress":
            raise _private(site.name) from failure
        raise


def _private(name: str) -> Failure:
    return not_allowed(
        f"site {name!r} is private (ingress: none): a gateway outside of it cannot dial it",
        "Give the site an ingress; or, if there is a way in that it does not know: "
        "sitectl gateway init --ingress-host HOST:PORT",
        code="SW0633",
    )


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Explain to a user who may not make a token at the site how to proceed without one."""
    try:
        yield
    except Failure as failure:
        if failure.exit_code is Exit.NOT_ALLOWED and failure.code != "SW0633":
            failure.hint += (
                f"\nOr let who may make a token (sitectl token create {name}.yaml), then: "
                f"sitectl gateway init --token {name}.yaml"
            )
        raise


def _link(settings: Settings, wish: GatewayWish, gateway: HostGateway, source: _Source) -> Change:
    site = gateway.site
    if source.kept is not None:
        if gateway.record is None:
            write_record(site, _record_of_token(source.kept))
        return link_edge(site, source.kept, wish.cost)
    if site.links.exists(LINK):  # Expired before it was ever used, or damaged.
        site.links.remove(LINK)
    if source.given is not None:
        write_record(site, _record_of_token(source.given))
        return link_edge(site, source.given, wish.cost)
    assert source.site is not None
    with _explained(wish.name):
        token = _claim(settings, wish, gateway, source.site, source.dialed)
    return link_edge(site, token, wish.cost)


def _record_of_token(token: "Token") -> GatewayRecord:
    return GatewayRecord(site=token.site_name, site_id=token.site_id, grant=token.name)


def _claim(
    settings: Settings,
    wish: GatewayWish,
    gateway: HostGateway,
    site: Site,
    dialed: "tuple[Endpoint, ...]",
) -> "Token":
    """A claim for this gateway alone. One whose token a crash took with it is revoked."""
    granted = site.trust.granted()
    lost = gateway.record.grant if gateway.record is not None else ""
    if any(one.name == lost and not one.redeemed and not one.revoked for one in granted):
        site.trust.revoke([lost], [], [])
    grant = free_grant_name(wish.name, {one.name for one in granted})
    write_record(gateway.site, msgspec.structs.replace(record_of(settings, site), grant=grant))
    return grant_claim(site, grant, dialed, cost=wish.cost)


def free_grant_name(name: str, taken: set[str]) -> str:
    """``gateway-NAME``, with a number when that is taken."""
    base = f"{GRANT_PREFIX}{name}"[: limits.NAME_CHARS_MAX - 5].rstrip("-")
    number = 1
    while (chosen := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return chosen
